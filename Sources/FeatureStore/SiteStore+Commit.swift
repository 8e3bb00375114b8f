import SQLite
import TwinCore

extension SiteStore {
  /// In one record of the log; more become more records.
  static let recordBytes = 16 << 20
  /// Numbers that are sealed after one commit, and again as many as it brought: about 3 ms.
  static let cellsSealed = 32_768

  /// Makes everything appended durable, with one flush. Without anything to write, nothing is written.
  @discardableResult
  public func commit() throws(StoreError) -> CommitReceipt {
    guard !pending.isEmpty else { return CommitReceipt(lastFrame: durable.lastFrame, lastTick: durable.lastTick) }
    let start = ContinuousClock.now
    try settle()
    var (frames, ticks, events, decisions): (Int, Int, Int, [String]) = (0, 0, 0, [])
    var cells = Self.cellsSealed
    while let record = pending.record(commit: commitNumber + 1, bytesMax: Self.recordBytes) {
      try write(record)
      pending.remove(record)
      frames += record.frames.count
      ticks += record.ticks.count
      events += record.records.events.count
      decisions += record.records.decisions.map(\.id)
      for laid in record.frames { cells += 2 * laid.frame.values.count }
      let lastFrame = max(durable.lastFrame, record.ticks.last.map { $0.frames.upperBound - 1 } ?? 0)
      note(
        CommitReceipt(
          lastFrame: lastFrame, lastTick: record.ticks.last?.number ?? durable.lastTick, frames: frames, ticks: ticks,
          events: events, decisions: decisions))
    }
    archive.sealDue(cells: cells, bytesMax: limits.windowBytes)
    tend()
    commitLast = ContinuousClock.now - start
    return durable
  }

  /// Makes a record durable and passes it on. When it throws nothing of it counts.
  func write(_ record: LogRecord) throws(StoreError) {
    precondition(!isClosed, "a store that was closed takes nothing any more")
    try log.append(record, layouts: archive.layouts)
    commitNumber = record.commit
    for entry in record.records.layouts { reader.add(entry) }
    archive.take(record)
    if !record.records.isEmpty {
      unapplied = (record.records, record.commit)
      // The log has it: what the file refuses now it is given again before the next commit.
      try? apply()
    }
  }

  /// What must be settled before more is taken: an earlier commit's records, and bodies that the disk refused.
  func settle() throws(StoreError) {
    if unapplied != nil { try apply() }
    if archive.shelf.waitingBytes > StoreLimits.waitingBytesMax { try archive.shelf.place() }
  }

  private func apply() throws(StoreError) {
    guard let (batch, commit) = unapplied else { return }
    do throws(SQLiteFault) {
      try database.transaction { () throws(SQLiteFault) in
        try tables.write(batch)
        try tables.set(mark: "applied", commit)
      }
    } catch {
      // Only a checkpoint gives the log's space back, and only commits that succeed would start one by themselves.
      if error.kind == .full { try? database.checkpointPassive() }
      throw StoreError(error)
    }
    unapplied = nil
  }

  /// Opens a lease in a commit of its own: durable on return, and if it throws, not open now or later.
  public func openLease(_ lease: LeaseEntry) throws(StoreError) {
    try refuseTooBig(lease.bytes, max: StoreLimits.recordBytesMax, "lease of \(lease.point)")
    try writeLease(NamedBytes(name: lease.point, bytes: lease.bytes))
  }

  /// Closes a lease in a commit of its own; closing one that is not open is no error.
  public func closeLease(_ point: String) throws(StoreError) { try writeLease(NamedBytes(name: point, bytes: nil)) }

  private func writeLease(_ lease: NamedBytes) throws(StoreError) {
    try settle()
    var record = LogRecord(commit: commitNumber + 1)
    record.records.leases = [lease]
    try write(record)
    pending.leases.removeValue(forKey: lease.name)
  }
}

/// What the log holds beyond `site.db` and the day files, taken in at the start.
struct LogRecovery {
  private let database: Database
  private let tables: RecordTables
  private let reader: StoreReader
  private var sealed: SealedRows?
  private var batches: [(RecordBatch, Int64)] = []
  private(set) var applied: Int64
  private(set) var nextFrame: Int64
  private(set) var tickLast: Int64

  init(_ database: Database, _ tables: RecordTables, _ reader: StoreReader) throws(StoreError) {
    (self.database, self.tables, self.reader) = (database, tables, reader)
    applied = try reader.mark("applied") ?? 0
    nextFrame = try reader.mark("next_frame") ?? 1
    tickLast = try reader.mark("last_tick") ?? 0
  }

  mutating func take(_ record: LogRecord) throws(StoreError) {
    for entry in record.records.layouts where reader.layouts[entry.version] == nil { reader.add(entry) }
    if record.commit > applied {
      if !record.records.isEmpty { batches.append((record.records, record.commit)) }
      if batches.count >= 1024 { try finish() }
    }
    if let last = record.ticks.last {
      if sealed == nil { sealed = try SealedRows(reader.archive, from: record.ticks[0].number) }
      try sealed?.take(record, into: reader.archive)
      tickLast = max(tickLast, last.number)
      for tick in record.ticks { nextFrame = max(nextFrame, tick.frames.upperBound) }
    }
  }

  /// Brings records that `site.db` has not into it.
  mutating func finish() throws(StoreError) {
    guard let last = batches.last?.1 else { return }
    let waiting = batches
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        for (batch, _) in waiting { try tables.write(batch) }
        try tables.set(mark: "applied", last)
      }
    }
    (batches, applied) = ([], max(applied, last))
  }
}
