import SQLite
import Seams
import TwinCore

/// Where the store stands with the work that keeps the log short.
struct Upkeep {
  enum Stage {
    case idle
    /// Day files are to be flushed, then `site.db`, then the log's old files go.
    case bodies
    case records(sealedBefore: Int64)
    case log(sealedBefore: Int64)
  }

  var stage = Stage.idle
  var closing: DayClosing?
  /// Days that were closed and whose rollups are still to be kept.
  var unrolled: [Int64] = []
  var keeping: RollupKeeping?
  private(set) var rotatedAt = Int64.min
  /// The last fault of work that is tried again.
  var fault: StoreError?

  mutating func rotated(at now: Int64) { rotatedAt = now }

  /// Whether the log's file is old, or large, enough for another one.
  func isDue(now: Int64, bytes: Int64) -> Bool {
    if bytes > Self.logFileBytesMax { return true }
    let age = now.saturatingSubtract(rotatedAt)
    return bytes > 0 && (age >= Archive.windowNanoseconds || age < 0)
  }

  static let logFileBytesMax: Int64 = 32 << 20
}

extension SiteStore {
  /// One piece of the work that commits leave: bodies that the disk refused, then what lets go of old log. What fails
  /// is tried again after the next commit.
  func tend() {
    do throws(StoreError) {
      try archive.shelf.place()
      try tendLog()
      upkeep.fault = nil
    } catch {
      upkeep.fault = error
      upkeep.stage = .idle
    }
  }

  private func tendLog() throws(StoreError) {
    switch upkeep.stage {
    case .idle:
      if upkeep.rotatedAt == .min { upkeep.rotated(at: archive.now) }
      guard upkeep.isDue(now: archive.now, bytes: log.fileBytes) else { return }
      log.rotate(firstTick: durable.lastTick + 1)
      upkeep.rotated(at: archive.now)
      upkeep.stage = .bodies
    case .bodies:
      // Asked before the flush: what is sealed later is not in it.
      let sealedBefore = archive.earliestUnsealed ?? commitNumber + 1
      try archive.shelf.sync()
      upkeep.stage = .records(sealedBefore: sealedBefore)
    case .records(let sealedBefore):
      upkeep.stage = try flushRecords() ? .log(sealedBefore: min(sealedBefore, commitNumber + 1)) : .idle
    case .log(let sealedBefore):
      try log.remove(filesEndingBefore: sealedBefore)
      upkeep.stage = .idle
    }
  }

  /// Everything sealed is flushed, and the log that it was sealed from goes; `all`: also the file being written.
  func putLogBehind(all: Bool) throws(StoreError) {
    let sealedBefore = archive.earliestUnsealed ?? commitNumber + 1
    try archive.shelf.sync()
    guard try flushRecords() else { return }
    if all { log.rotate(firstTick: durable.lastTick + 1) }
    try log.remove(filesEndingBefore: sealedBefore)
    upkeep.stage = .idle
  }

  /// Flushes `site.db`; false when it could not be done whole, for a reader is in its way or records wait.
  func flushRecords() throws(StoreError) -> Bool {
    guard unapplied == nil else { return false }
    return try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in try setMarks() }
      return try checkpointed()
    }
  }

  func setMarks() throws(SQLiteFault) {
    if unapplied == nil { try tables.set(mark: "applied", commitNumber) }
    try tables.set(mark: "next_frame", durable.lastFrame + 1)
    try tables.set(mark: "last_tick", durable.lastTick)
  }

  /// Flushes SQLite's log and moves all of it into the file; false when a reader keeps a part from it.
  private func checkpointed() throws(SQLiteFault) -> Bool {
    let statement = try database.prepare("PRAGMA wal_checkpoint(PASSIVE)")
    defer { statement.reset() }
    guard try statement.step() else { return false }
    return statement.integer(0) == 0 && statement.integer(1) == statement.integer(2)
  }

  /// Commits what is buffered, then keeps a checkpoint, and lets go of the oldest beyond what `limits` keeps. When it
  /// throws, the checkpoint is not kept for later.
  @discardableResult
  public func save(_ checkpoint: Checkpoint) throws(StoreError) -> CommitReceipt {
    try refuseTooBig(
      checkpoint.bytes, max: StoreLimits.checkpointBytesMax, "checkpoint after tick \(checkpoint.tick)")
    let receipt = try commit()
    try settle()
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        let insert = try database.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5)")
        try insert.bind(1, checkpoint.tick)
        try insert.bind(2, checkpoint.instant.nanoseconds)
        try insert.bind(3, checkpoint.reason)
        try insert.bind(4, Int64(checkpoint.bytes.count))
        try insert.bind(5, Seal.close(checkpoint.bytes, key: checkpoint.key))
        try insert.run()
        try trimCheckpoints()
        try setMarks()
      }
      // It is in no other log: durable only when this one is flushed.
      _ = try checkpointed()
    }
    return receipt
  }

  private func trimCheckpoints() throws(SQLiteFault) {
    let newestFirst = try database.prepare("SELECT tick, size FROM checkpoints ORDER BY tick DESC")
    var (count, bytes): (Int, Int64) = (0, 0)
    var surplus: Int64?
    while surplus == nil, try newestFirst.step() {
      count += 1
      bytes += newestFirst.integer(1)
      if count > 1, count > limits.checkpointsKept || bytes > limits.checkpointBytesKept {
        surplus = newestFirst.integer(0)
      }
    }
    newestFirst.reset()
    if let surplus { try database.execute("DELETE FROM checkpoints WHERE tick <= \(surplus)") }
  }

  /// `store.disk_full` as a value when less than `floor` bytes are left on the volume for this user; nil otherwise.
  public func shortage(floor: Int64) -> StoreError? {
    do throws(StoreError) {
      let bytes = try filing { () throws(FileFault) in try files.freeBytes(at: directory) }
      guard bytes < floor else { return nil }
      return StoreError(.diskFull, "\(bytes) bytes are free on the volume of \(directory), \(floor) are wanted")
    } catch {
      return error
    }
  }
}
