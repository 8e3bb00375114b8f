import SQLite
public import TwinCore

/// How long things are kept.
public struct Retention: Sendable, Equatable {
  /// Frames and ticks, in whole days by effective time; events; corrections by effective time. What the pack says of a
  /// single point's values (`register(policies:)`) ends them earlier, once their day is closed.
  public var keep: Duration
  /// Decision records; never shorter than `keep`.
  public var keepDecisions: Duration
  /// Days go earlier, oldest first, while the site takes more; nil for no bound but the disk.
  public var bytesMax: Int64?
  /// Days go earlier while less is free on the volume; nil for no floor.
  public var freeBytesMin: Int64?
  /// Whether somebody else is to have every day first: then a day that was not acknowledged goes only when the floor
  /// asks for it.
  public var awaitsAcknowledgement: Bool
  /// How far back it can be asked what was known then, in whole days: corrections of which both times are earlier are
  /// folded, and as of an instant between two that were folded the answer is `store.folded`. Nil: for ever.
  public var history: Duration?

  public init(
    keep: Duration, keepDecisions: Duration, bytesMax: Int64? = nil, freeBytesMin: Int64? = nil,
    awaitsAcknowledgement: Bool = false, history: Duration? = nil
  ) {
    self.history = history
    (self.keep, self.keepDecisions, self.bytesMax) = (keep, max(keep, keepDecisions), bytesMax)
    (self.freeBytesMin, self.awaitsAcknowledgement) = (freeBytesMin, awaitsAcknowledgement)
  }
}

/// What one step of pruning removed.
public struct Pruned: Sendable, Equatable {
  /// Names of days, `2026-07-03`, whose files went.
  public var days: [String] = []
  /// Those of them that nobody had acknowledged though `awaitsAcknowledgement`.
  public var unacknowledged: [String] = []
  public var bytes: Int64 = 0
  /// In rows.
  public var events = 0
  public var decisions = 0
  /// Whether nothing is left to do; else call again when there is time.
  public var isDone = true
}

extension SiteStore {
  /// Removes the oldest of what `retention` does not keep, and does what upkeep is due: one bounded step. Days go
  /// whole; of events and decisions at most `rowsMax` each, and their pages are used again.
  @discardableResult
  public func prune(_ retention: Retention, now: Instant, rowsMax: Int = 1000) throws(StoreError) -> Pruned {
    var pruned = Pruned()
    let cutoff = now.nanoseconds.saturatingSubtract(retention.keep.wholeNanoseconds)
    let cutoffDecisions = now.nanoseconds.saturatingSubtract(retention.keepDecisions.wholeNanoseconds)
    if let (day, isAcknowledged) = try dayToRemove(retention, before: cutoff) {
      pruned.bytes = try archive.shelf.size(day: day)
      pruned.days = [Days.name(day)]
      if retention.awaitsAcknowledgement, !isAcknowledged { pruned.unacknowledged = pruned.days }
      try remove(day)
      pruned.isDone = false
      return pruned
    }
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        pruned.events = try remove("events", through: cutoff, rowsMax)
        pruned.decisions = try remove("decisions", through: cutoffDecisions, rowsMax)
      }
    }
    var isMore = try upkeep(now: now)
    if !isMore { isMore = try tendChanges(retention, now: now.nanoseconds, rowsMax: rowsMax) }
    pruned.isDone = pruned.events < rowsMax && pruned.decisions < rowsMax && !isMore
    return pruned
  }

  /// The day to go next, and whether somebody else has all of it.
  private func dayToRemove(
    _ retention: Retention, before cutoff: Int64
  ) throws(StoreError) -> (day: Int64, isAcknowledged: Bool)? {
    let days = archive.shelf.numbers.filter { !holds($0) }
    guard let oldest = days.first else { return nil }
    let isCrowded = try retention.bytesMax.map { (max) throws(StoreError) in try totalBytes() > max } ?? false
    let isShort = retention.freeBytesMin.map { shortage(floor: $0) != nil } ?? false
    guard isCrowded || isShort || Days.range(oldest).upperBound <= cutoff else { return nil }
    guard retention.awaitsAcknowledgement else { return (oldest, false) }
    for day in days where isCrowded || isShort || Days.range(day).upperBound <= cutoff {
      if try isAcknowledged(day) { return (day, true) }
    }
    return isShort ? (oldest, false) : nil
  }

  /// Whether rows of a day are not sealed yet, or in the file that is being written.
  private func holds(_ day: Int64) -> Bool {
    if day == Days.number(archive.now) || archive.shelf.isWaiting(day) { return true }
    if !archive.ticks.isEmpty, archive.ticks.day == day { return true }
    return archive.windows.values.contains { !$0.isEmpty && $0.day == day }
  }

  private func remove(_ day: Int64) throws(StoreError) {
    var latest = archive.shelf.instantFloor
    for body in try archive.shelf.bodies(day: day) where body.key.kind == .ticks {
      latest = max(latest, body.key.effectiveMax)
    }
    if upkeep.closing?.day == day {
      upkeep.closing?.cancel()
      upkeep.closing = nil
    }
    upkeep.unrolled.removeAll { $0 == day }
    if upkeep.keeping?.day == day { upkeep.keeping = nil }
    // First, so that no number is used twice, should the day be all that tells the last ones.
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        try setMarks()
        try tables.set(mark: "instant_max", latest)
        try database.execute("DELETE FROM acknowledged WHERE day = \(day)")
      }
    }
    archive.shelf.instantFloor = latest
    keepingState.done[day] = nil
    try archive.shelf.unlink(day: day)
    archive.forgetLatest()
  }

  /// Only the oldest rows are looked at, so that a step costs the same however much is kept.
  private func remove(_ table: String, through cutoff: Int64, _ rowsMax: Int) throws(SQLiteFault) -> Int {
    try database.execute(
      """
      DELETE FROM \(table) WHERE number IN (SELECT number FROM
        (SELECT number, at_ns AS at FROM \(table) ORDER BY number LIMIT \(rowsMax)) WHERE at <= \(cutoff))
      """)
    return database.changes
  }
}
