public import Provenance
public import SQLite
public import Seams
import Sodium
public import TwinCore

/// A site's append-only log on disk: five streams of entries, chained and in a Merkle tree each, and what the
/// foundation has acknowledged of them. LogSchema.swift has the bytes.
///
/// What `append` has returned survives a loss of power: the write-ahead log is flushed once per call
/// (`synchronous = FULL`), so entries that come together are best appended together. With NORMAL the last commits
/// could vanish after they were sent; the site would then sign other entries under the same sequences, which is what
/// equivocation looks like. A restored older image is a legal state of the file: only the foundation can tell, and
/// answers with a new epoch.
///
/// Threading: one thread at a time; calls block on the disk.
public final class DeltaLog: OutboundLog {
  /// Gives the body of an entry that is kept elsewhere: nil when it is lost for good; throws when it cannot be had now.
  public typealias BodySource = (LogEntry) throws -> [UInt8]?

  public let site: SiteName
  public let limits: DeltaLogLimits
  public internal(set) var epoch: LogEpoch
  /// Which of the site's keys is the present one; goes into the entries that follow.
  public var keyEpoch: UInt32
  /// What a human should know of the log: the ladder has dropped something, or entries are refused. Nil when all is
  /// well.
  public internal(set) var problem: DeltaLogFault?

  let database: Database
  let files: any FileStore
  let clock: any SiteClock
  let boot: [UInt8]
  let bodySource: BodySource
  var epochNumber: Int64
  /// By stream.
  var lanes: [Lane]
  let rows: [LaneRows]
  let tiles: TileRows
  let reserve: LogReserve
  /// A write has failed: what the file holds is asked again before the next one.
  private var isInDoubt = false
  private let lock: LogLock?

  /// Opens the log at `file`, making it, with its first epoch, where there is none; `previous` is what the site knew of
  /// an epoch that was lost. Work does not grow with the number of entries.
  ///
  /// `boot`: 16 bytes that name this start of the machine. Throws `delta_log.busy` when another process writes it,
  /// `delta_log.newer_version`, `delta_log.not_a_log` (the file was then not touched), `delta_log.corrupt`.
  public init(
    file: String, site: SiteName, boot: [UInt8], keyEpoch: UInt32, clock: any SiteClock,
    limits: DeltaLogLimits = DeltaLogLimits(), previous: EpochLink? = nil, files: any FileStore = SystemFileStore(),
    vfs: FileStoreVFS? = nil, bodySource: @escaping BodySource = { _ in nil }
  ) throws(DeltaLogFault) {
    precondition(boot.count == LogEntry.bootBytes)
    (self.site, self.boot, self.keyEpoch, self.clock) = (site, boot, keyEpoch, clock)
    (self.limits, self.files, self.bodySource) = (limits, files, bodySource)
    lock = vfs == nil ? try LogLock(path: file + ".lock") : nil
    try LogSchema.refuseForeign(file, files)
    database = try storing { () throws(SQLiteFault) in
      let database = try Database(path: file, access: .create, pageSize: Int(LogSchema.pageBytes), vfs: vfs)
      return database
    }
    try storing { [database] () throws(SQLiteFault) in try database.useDurableLog() }
    try LogSchema.prepare(database)
    (rows, tiles) = try storing { [database] () throws(SQLiteFault) in
      var rows: [LaneRows] = []
      for stream in LogStream.allCases { rows.append(try LaneRows(stream, database)) }
      return (rows, try TileRows(database))
    }
    reserve = LogReserve(path: file + ".reserve", files: files, bytesMax: limits.reserveBytes)
    (epoch, epochNumber, lanes) = (LogEpoch(), 0, [])
    if try !load() { try openEpoch(after: previous) }
    // A log that has no room is still one to read and to send from.
    do throws(DeltaLogFault) {
      _ = try isShort()
      try relieve()
    } catch {
      problem = error
    }
  }

  // MARK: Appending

  /// Appends in the order given, all or nothing, durable on return. Gives each entry's sequence in its stream.
  ///
  /// Throws `delta_log.budget` when a stream is refused by the ladder, `delta_log.disk_full`, `delta_log.io`,
  /// `delta_log.too_big`. After a fault nothing was acknowledged: an entry may all the same be found after a restart,
  /// as after a loss of power.
  ///
  /// `following` says by name how far whatever the drafts are made from was read; it is kept with them (`followed`), so
  /// that each thing becomes an entry once.
  @discardableResult
  public func append(
    _ drafts: [LogDraft], at instant: Instant, uptime: Uptime, boot: [UInt8]? = nil, following: [String: Int64] = [:]
  ) throws(DeltaLogFault) -> [UInt64] {
    guard !drafts.isEmpty || !following.isEmpty else { return [] }
    guard drafts.count <= DeltaLogLimits.draftsMax else {
      throw DeltaLogFault(.tooBig, "\(drafts.count) entries at once, wanted at most \(DeltaLogLimits.draftsMax)")
    }
    for draft in drafts {
      guard draft.body.length <= UInt64(limits.bodyBytesMax) else {
        throw DeltaLogFault(
          .tooBig, "a body of \(draft.body.length) bytes, wanted at most \(limits.bodyBytesMax)")
      }
      try admit(draft.stream)
    }
    let stamp = LogStamp(instant, uptime, boot ?? self.boot, keyEpoch)
    let lowest = drafts.map(\.stream).max() ?? .audit
    let sequences = try writeReserved(lowest) { lanes throws(DeltaLogFault) in
      var sequences: [UInt64] = []
      for draft in drafts { sequences.append(try self.put(draft, stamp, &lanes)) }
      for (name, place) in following { try self.follow(name, place) }
      return sequences
    }
    // What was appended is durable whatever becomes of the space.
    do throws(DeltaLogFault) { try relieve() } catch { problem = error }
    return sequences
  }

  /// How far the log has followed what bears that name; nil before the first time.
  public func followed(_ name: String) throws(DeltaLogFault) -> Int64? {
    try settle()
    return try storing { () throws(SQLiteFault) in
      let select = try database.prepare("SELECT place FROM followed WHERE name = ?1")
      try select.bind(1, name)
      defer { select.reset() }
      return try select.step() ? select.integer(0) : nil
    }
  }

  private func follow(_ name: String, _ place: Int64) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      let insert = try database.prepare("INSERT OR REPLACE INTO followed VALUES (?1, ?2)")
      try insert.bind(1, name)
      try insert.bind(2, place)
      try insert.run()
    }
  }

  /// Appends one entry; as the other `append`.
  @discardableResult
  public func append(
    _ stream: LogStream, kind: LogKind, body: [UInt8], at instant: Instant, uptime: Uptime, boot: [UInt8]? = nil
  ) throws(DeltaLogFault) -> UInt64 {
    try append([LogDraft(stream, kind, body)], at: instant, uptime: uptime, boot: boot)[0]
  }

  /// Inside a transaction.
  func put(_ draft: LogDraft, _ stamp: LogStamp, _ lanes: inout [Lane]) throws(DeltaLogFault) -> UInt64 {
    let index = Int(draft.stream.rawValue)
    let sequence = lanes[index].next
    guard sequence < LogSchema.sequenceMax else {
      throw DeltaLogFault(.tooBig, "\(draft.stream.name) is full: \(sequence) entries in one epoch")
    }
    let entry = LogEntry(
      sequence: sequence, kind: draft.kind, wall: stamp.wallMs, uptime: stamp.uptimeMs, boot: stamp.boot,
      bodyDigest: draft.body.digest, bodyLength: UInt32(draft.body.length), keyEpoch: stamp.keyEpoch)
    let bytes = entry.bytes
    let leaf = Merkle.leafHash(bytes)
    lanes[index].chain = LogHead.chain(lanes[index].chain, leafHash: leaf)
    lanes[index].total += draft.body.length
    lanes[index].next += 1
    if draft.stream == .model, draft.kind == .artefact {
      (lanes[index].base, lanes[index].isBaseKnown) = (sequence, true)
    }
    var row = LogRow(
      sequence: sequence, total: lanes[index].total, entry: bytes, chain: lanes[index].chain, form: .elsewhere,
      body: nil)
    if case .bytes(let body) = draft.body { (row.form, row.body) = (.kept, body) }
    try rows[index].insert(row, epoch: epochNumber)
    for tile in lanes[index].edge.append(leaf) { try tiles.insert(tile, epoch: epochNumber, draft.stream) }
    return sequence
  }

  /// Runs `body` in one transaction on a copy of the lanes, which become the log's when all of it is durable.
  func write<Result>(
    _ body: (inout [Lane]) throws(DeltaLogFault) -> Result
  ) throws(DeltaLogFault) -> Result {
    try settle()
    var next = lanes
    do throws(DeltaLogFault) {
      try storing { () throws(SQLiteFault) in try database.execute("BEGIN IMMEDIATE") }
      let result = try body(&next)
      try storing { () throws(SQLiteFault) in try database.execute("COMMIT") }
      lanes = next
      return result
    } catch {
      // SQLite has already rolled back after some errors (full, I/O).
      if database.isInTransaction { try? database.execute("ROLLBACK") }
      isInDoubt = true
      throw error
    }
  }

  /// After a failed write the file tells where the log stands: a commit may have been refused after it was done.
  func settle() throws(DeltaLogFault) {
    guard isInDoubt else { return }
    let before = lanes
    guard try load() else { throw DeltaLogFault(.corrupt, "\(database.path): the epochs are gone") }
    for index in lanes.indices where index < before.count {
      let old = before[index]
      (lanes[index].checkpointSize, lanes[index].checkpointAt) = (old.checkpointSize, old.checkpointAt)
      let received = max(min(old.received, lanes[index].next), lanes[index].received)
      (lanes[index].received, lanes[index].receivedTotal) = (received, try total(before: received, lanes[index]))
    }
    isInDoubt = false
  }
}

/// When and by which key entries are made.
struct LogStamp {
  var wallMs: Int64
  var uptimeMs: Int64
  var boot: [UInt8]
  var keyEpoch: UInt32

  init(_ instant: Instant, _ uptime: Uptime, _ boot: [UInt8], _ keyEpoch: UInt32) {
    precondition(boot.count == LogEntry.bootBytes)
    let wall = instant.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000)
    // Down, before 1970 too.
    wallMs = wall.remainder < 0 ? wall.quotient - 1 : wall.quotient
    uptimeMs = uptime.nanoseconds / 1_000_000
    (self.boot, self.keyEpoch) = (boot, keyEpoch)
  }
}
