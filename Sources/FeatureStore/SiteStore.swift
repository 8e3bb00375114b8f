public import SQLite
public import Seams
import Sodium
public import TwinCore

/// A site's memory: a directory of its own, written by one process.
///
/// What is appended waits in memory; `commit` makes all of it durable with one write and one flush of the log, which is
/// the truth. Records go on from there to `site.db`, frames and ticks to windows and, sealed, to day files. A receipt
/// means that what it names survives loss of power; without one, what was buffered is still buffered (`StoreLimits`
/// says what a buffer that grows drops, and what it refuses instead).
///
/// Threading: one thread at a time; calls block on the disk.
public final class SiteStore {
  public let directory: String
  public var limits: StoreLimits
  let files: any FileStore
  let database: Database
  let tables: RecordTables
  let archive: Archive
  let reader: StoreReader
  let log: HotLog
  var pending = PendingRecords()
  /// Durable in the log, and refused by `site.db` until now.
  var unapplied: (batch: RecordBatch, commit: Int64)?
  /// Per group: the layout of the frames to come.
  private var current: [Int32: (version: Int64, layout: FrameLayout)] = [:]
  /// Versions by the hash of their canonical bytes.
  private var versions: [Digest: Int64] = [:]
  private var nextFrame: Int64
  /// One past the last frame that any tick carries.
  private var carriedEnd: Int64
  private(set) var durable: CommitReceipt
  private var tickLast: Int64
  var commitNumber: Int64
  var commitLast: Duration = .zero
  var upkeep = Upkeep()
  var keepingState = KeepingState()
  private(set) var isClosed = false
  /// Last, for properties go in order: the files are closed before the next owner may open them. Nil where the files
  /// are not the system's.
  private var lock: SiteLock?

  /// Opens the site in `directory`, which must exist, making what is not there. Throws `store.locked` while another
  /// process has it, `store.newer_version`, `store.older_version` or `store.not_a_store` without touching anything, and
  /// `store.io` where the device does not give what must be known: nothing is cut then. After `RefusedStarts.max` such
  /// starts in a row it is taken for damage, and what can be read is used.
  ///
  /// - Parameters:
  ///   - files: Where log and day files are.
  ///   - vfs: Where `site.db` is, if not in the system's files; then nobody else must use the directory.
  public init(
    directory: String, limits: StoreLimits = StoreLimits(), files: any FileStore = SystemFileStore(),
    vfs: FileStoreVFS? = nil
  ) throws(StoreError) {
    (self.directory, self.limits, self.files) = (directory, limits, files)
    lock = vfs == nil ? try SiteLock(directory: directory) : nil
    database = try Self.openDatabase(directory + "/site.db", limits, files, vfs)
    let refused = RefusedStarts(files: files, directory: directory)
    let found: Recovered
    do throws(StoreError) {
      found = try Recovered(database, files, directory, refused.patience)
    } catch {
      if error.kind == .io { refused.note() }
      throw error
    }
    refused.clear()
    (tables, archive, reader, log) = (found.tables, found.archive, found.reader, found.log)
    let recovery = found.recovery
    commitNumber = max(recovery.applied, log.lastCommit)
    (nextFrame, carriedEnd, tickLast) = (recovery.nextFrame, recovery.nextFrame, recovery.tickLast)
    durable = CommitReceipt(lastFrame: recovery.nextFrame - 1, lastTick: recovery.tickLast)
    for version in reader.layouts.keys.sorted(by: >) {
      if let known = reader.layouts[version] { versions[Sodium.blake2b256(known.layout.canonicalBytes)] = version }
    }
    upkeep.rotated(at: archive.now)
  }

  deinit { try? close() }

  private static func openDatabase(
    _ path: String, _ limits: StoreLimits, _ files: any FileStore, _ vfs: FileStoreVFS?
  ) throws(StoreError) -> Database {
    try Schema.refuseForeign(path, files)
    let database = try storing { () throws(SQLiteFault) in
      try Database(path: path, access: .create, pageSize: Schema.pageSize, vfs: vfs)
    }
    let version = try Schema.version(of: database)
    try storing { () throws(SQLiteFault) in
      try database.useDurableLog()
      // The site's own log is flushed; this one only before the other is let go.
      try database.execute("PRAGMA synchronous = NORMAL")
      if limits.pagesMax > 0 { try database.execute("PRAGMA max_page_count = \(limits.pagesMax)") }
    }
    if version == 0 { try Schema.create(in: database) }
    return database
  }

  /// Seals everything and leaves no log behind, so that the next start has nothing to read again. What was appended and
  /// not committed is forgotten. The store cannot be used afterwards. `deinit` does the same, and says nothing.
  public func close() throws(StoreError) {
    guard !isClosed else { return }
    isClosed = true
    defer { lock = nil }
    upkeep.closing?.cancel()
    upkeep.closing = nil
    try settle()
    archive.sealAll()
    try putLogBehind(all: true)
  }

  /// The sequence that the next appended frame gets.
  public var nextFrameSequence: Int64 { nextFrame }
  /// The number of the last tick appended, durable or not; 0 before the first.
  public var lastTickNumber: Int64 { tickLast }

  /// Makes `layout` that of its group's frames from now on; part of the next commit. Gives the version: that of an
  /// equal layout if there was one ever.
  @discardableResult
  public func register(_ layout: FrameLayout, at instant: Instant) throws(StoreError) -> Int64 {
    if let defect = layout.defect { throw StoreError(.layout, "layout of group \(layout.group): \(defect)") }
    // By its bytes: a NaN variance would make a layout differ from itself.
    let hash = Sodium.blake2b256(layout.canonicalBytes)
    if let version = versions[hash] {
      current[layout.group] = (version, layout)
      return version
    }
    let version = max(versions.values.max() ?? 0, reader.layoutVersionLast) + 1
    let entry = LayoutEntry(version: version, layout: layout, registered: instant)
    pending.layouts.append(entry)
    archive.layouts[version] = layout
    versions[hash] = version
    current[layout.group] = (version, layout)
    return version
  }

  /// Buffers a frame of a group whose layout is registered; gives its sequence: its own where it has one already, which
  /// must then come after every other. It is committed with the tick that carries it.
  @discardableResult
  public func append(_ frame: Frame) throws(StoreError) -> Int64 {
    guard let (version, layout) = current[frame.group] else {
      throw StoreError(.layout, "frame of group \(frame.group), which has no layout registered since the start")
    }
    guard frame.values.count == layout.points.count, frame.qualities.count == layout.points.count else {
      throw StoreError(
        .layout,
        "frame of \(frame.values.count) values in group \(frame.group), whose layout has \(layout.points.count)")
    }
    guard frame.sequence == 0 || frame.sequence >= nextFrame else {
      throw StoreError(.outOfOrder, "frame \(frame.sequence) where \(nextFrame) is next")
    }
    var stored = frame
    stored.sequence = max(nextFrame, frame.sequence)
    nextFrame = stored.sequence + 1
    pending.append(stored, layout: version, limits: limits)
    return stored.sequence
  }

  /// Buffers a tick, which must come after every other, with the frames that it is the first to carry: all that were
  /// appended in the range of sequences that it names, in order of their group. `observed` of these frames is the
  /// tick's instant, whatever they say themselves. Frames before the range, which no tick carries, are dropped.
  public func append(tick: TickRecord) throws(StoreError) {
    guard tick.number > tickLast else {
      throw StoreError(.outOfOrder, "tick \(tick.number) after tick \(tickLast)")
    }
    guard tick.frames.isEmpty || (tick.frames.lowerBound >= carriedEnd && tick.frames.upperBound <= nextFrame) else {
      throw StoreError(
        .outOfOrder, "tick \(tick.number) carries frames \(tick.frames), \(carriedEnd)..<\(nextFrame) are left to carry"
      )
    }
    try refuseTooBig(tick.bytes, max: StoreLimits.tickBytesMax, "tick \(tick.number)")
    try pending.append(tick, limits: limits)
    tickLast = tick.number
    if !tick.frames.isEmpty { carriedEnd = tick.frames.upperBound }
  }

  /// Buffers a decision record; `store.duplicate` if its id is taken.
  public func append(decision: DecisionEntry) throws(StoreError) {
    try refuseTooBig(decision.bytes, max: StoreLimits.recordBytesMax, "decision \(decision.id)")
    let isWaiting =
      pending.decisionIDs.contains(decision.id)
      || unapplied?.batch.decisions.contains { $0.id == decision.id } ?? false
    guard !isWaiting, try !reader.hasDecision(decision.id) else {
      throw StoreError(.duplicate, "decision \(decision.id) is recorded already")
    }
    try pending.append(decision, limits: limits)
  }

  public func append(events: [EventEntry]) throws(StoreError) {
    for event in events { try refuseTooBig(event.bytes, max: StoreLimits.recordBytesMax, "event \(event.kind)") }
    for event in events { pending.append(event, limits: limits) }
  }

  /// Opens a lease with the next commit, so that it costs no flush of its own beside its decision.
  public func append(lease: LeaseEntry) throws(StoreError) {
    try refuseTooBig(lease.bytes, max: StoreLimits.recordBytesMax, "lease of \(lease.point)")
    pending.leases.updateValue(lease.bytes, forKey: lease.point)
  }

  /// Closes a lease with the next commit.
  public func append(leaseClosed point: String) {
    pending.leases.updateValue(nil, forKey: point)
  }

  /// Sets a small named value with the next commit; nil removes it.
  public func setFact(_ key: String, _ bytes: [UInt8]?) throws(StoreError) {
    try refuseTooBig(bytes ?? [], max: StoreLimits.recordBytesMax, "fact \(key)")
    pending.facts.updateValue(bytes, forKey: key)
  }

  func refuseTooBig(_ bytes: [UInt8], max: Int, _ what: String) throws(StoreError) {
    guard bytes.count <= max else { throw StoreError(.tooBig, "\(what): \(bytes.count) bytes where \(max) may be") }
  }

  func add(_ version: VersionEntry) { pending.versions.append(version) }

  /// The highest tick of a version, buffered or committed; 0 when there is none.
  func versionTickLast() throws(StoreError) -> Int64 {
    if let waiting = pending.versions.last ?? unapplied?.batch.versions.last { return waiting.tick }
    return try storing { () throws(SQLiteFault) in
      try database.integer("SELECT tick FROM versions ORDER BY number DESC LIMIT 1") ?? 0
    }
  }

  /// The value that the next commit leaves.
  public func fact(_ key: String) throws(StoreError) -> [UInt8]? {
    if let waiting = pending.facts[key] { return waiting }
    if let waiting = unapplied?.batch.facts.last(where: { $0.name == key }) { return waiting.bytes }
    return try reader.fact(key)
  }

  public var buffered: (frames: Int, ticks: Int, events: Int, decisions: Int) {
    (pending.frameCount, pending.ticks.count, pending.events.count, pending.decisions.count)
  }

  public var dropped: DroppedCounts { pending.dropped }

  func note(_ receipt: CommitReceipt) { durable = receipt }
}
