import SQLite
public import TwinCore

/// A site's memory: one file, `site.db`, in a directory of its own, written by one process.
///
/// What is appended waits in memory; `commit` makes all of it durable in one transaction with one flush. A receipt
/// means that the records survive loss of power; without one, what was buffered is still buffered (`StoreLimits` says
/// what a buffer that grows drops, and what it refuses instead).
///
/// Threading: one thread at a time; calls block on the disk.
public final class SiteStore {
  public let directory: String
  public var limits: StoreLimits
  let database: Database
  let reader: StoreReader
  private let statements: WriteStatements
  private var pending = PendingRecords()
  /// Per group: the layout of the frames to come.
  private var current: [Int32: (version: Int64, layout: FrameLayout)] = [:]
  private var known: [Int64: FrameLayout]
  private var nextFrame: Int64
  /// One past the last frame that any tick carries.
  private var carriedEnd: Int64
  private var durable: CommitReceipt
  private var tickLast: Int64
  private(set) var commitLast: Duration = .zero
  /// Last, for properties go in order: the file is closed before the next owner may open it.
  private let lock: SiteLock

  /// Opens the site in `directory`, which must exist, making `site.db` if it is not there. Throws `store.locked` while
  /// another process has it, `store.newer_version` or `store.not_a_store` without touching the file.
  public init(directory: String, limits: StoreLimits = StoreLimits()) throws(StoreError) {
    self.directory = directory
    self.limits = limits
    lock = try SiteLock(directory: directory)
    let path = directory + "/site.db"
    try Schema.refuseForeign(path)
    let database = try storing { () throws(SQLiteFault) in
      try Database(path: path, access: .create, pageSize: Schema.pageSize)
    }
    self.database = database
    let version = try Schema.version(of: database)
    try storing { () throws(SQLiteFault) in
      try database.useDurableLog()
      if limits.pagesMax > 0 { try database.execute("PRAGMA max_page_count = \(limits.pagesMax)") }
    }
    if version == 0 { try Schema.create(in: database) }
    reader = try StoreReader(database: database)
    statements = try storing { () throws(SQLiteFault) in try WriteStatements(database) }
    known = reader.layouts.mapValues(\.layout)
    let ends = try reader.ends()
    (nextFrame, carriedEnd, tickLast) = (ends.nextFrame, ends.carriedEnd, ends.tickLast)
    durable = CommitReceipt(lastFrame: ends.nextFrame - 1, lastTick: ends.tickLast)
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
    let bytes = layout.canonicalBytes
    // Compared as bytes: a NaN variance would make a layout differ from itself.
    if let version = known.keys.sorted().first(where: { known[$0]?.canonicalBytes == bytes }) {
      current[layout.group] = (version, layout)
      return version
    }
    let version = max(known.keys.max() ?? 0, reader.layoutVersionLast) + 1
    pending.layouts.append((version, layout, instant))
    known[version] = layout
    current[layout.group] = (version, layout)
    return version
  }

  /// Buffers a frame of a group whose layout is registered; gives its sequence: its own where it has one already, which
  /// must then come after every other.
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

  /// Buffers a tick, which must come after every other and carry frames that no other carries.
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
    guard !pending.decisionIDs.contains(decision.id), try !reader.hasDecision(decision.id) else {
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

  /// Makes everything appended durable, in one transaction. Without anything to write, nothing is written.
  @discardableResult
  public func commit() throws(StoreError) -> CommitReceipt {
    guard !pending.isEmpty else { return CommitReceipt(lastFrame: durable.lastFrame, lastTick: durable.lastTick) }
    return try commit { () throws(SQLiteFault) in }
  }

  /// Commits what is buffered and, in the same transaction, `more`.
  func commit(and more: () throws(SQLiteFault) -> Void) throws(StoreError) -> CommitReceipt {
    let start = ContinuousClock.now
    do throws(SQLiteFault) {
      try database.transaction { () throws(SQLiteFault) in
        try statements.write(pending, layouts: known)
        try more()
      }
    } catch {
      // Only a checkpoint gives the log's space back, and only commits that succeed would start one by themselves.
      if error.kind == .full { try? database.checkpointPassive() }
      throw StoreError(error)
    }
    commitLast = ContinuousClock.now - start
    for (version, layout, registered) in pending.layouts {
      reader.layouts[version] = StoreReader.Layout(layout: layout, registered: registered)
    }
    let receipt = CommitReceipt(
      lastFrame: pending.frames.last?.frame.sequence ?? durable.lastFrame,
      lastTick: pending.ticks.last?.number ?? durable.lastTick, frames: pending.frames.count,
      ticks: pending.ticks.count, events: pending.events.count, decisions: pending.decisions.map(\.id))
    durable = receipt
    pending.clear()
    return receipt
  }

  /// Opens a lease in a transaction of its own: durable on return, and if it throws, not open now or later.
  public func openLease(_ lease: LeaseEntry) throws(StoreError) {
    try refuseTooBig(lease.bytes, max: StoreLimits.recordBytesMax, "lease of \(lease.point)")
    try writeLease(lease.point, lease.bytes)
  }

  /// Closes a lease in a transaction of its own; closing one that is not open is no error.
  public func closeLease(_ point: String) throws(StoreError) { try writeLease(point, nil) }

  private func writeLease(_ point: String, _ bytes: [UInt8]?) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in try statements.write(lease: point, bytes) }
    }
    pending.leases.removeValue(forKey: point)
  }

  func refuseTooBig(_ bytes: [UInt8], max: Int, _ what: String) throws(StoreError) {
    guard bytes.count <= max else { throw StoreError(.tooBig, "\(what): \(bytes.count) bytes where \(max) may be") }
  }

  /// The value that the next commit leaves.
  public func fact(_ key: String) throws(StoreError) -> [UInt8]? {
    if let waiting = pending.facts[key] { return waiting }
    return try reader.fact(key)
  }

  public var buffered: (frames: Int, ticks: Int, events: Int, decisions: Int) {
    (pending.frames.count, pending.ticks.count, pending.events.count, pending.decisions.count)
  }

  public var dropped: DroppedCounts { pending.dropped }
}
