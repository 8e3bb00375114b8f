import TwinCore

/// What was appended and is not durable yet. Kept over failed commits, within `StoreLimits`.
struct PendingRecords {
  /// A tick with the frames that it was the first to carry; they are written together and dropped together.
  struct Carried {
    var tick: TickRecord
    var frames: ArraySlice<LaidFrame>
  }

  /// Frames that no tick carries yet.
  private(set) var loose: ArraySlice<LaidFrame> = []
  /// Through which sequence frames went before a tick carried them.
  private(set) var lostThrough: Int64 = 0
  private(set) var ticks: ArraySlice<Carried> = []
  private(set) var events: ArraySlice<EventEntry> = []
  private(set) var decisions: [DecisionEntry] = []
  private(set) var decisionIDs: Set<String> = []
  var layouts: ArraySlice<LayoutEntry> = []
  /// The last word for each key; nil removes.
  var facts: [String: [UInt8]?] = [:]
  /// The last word for each point; nil closes.
  var leases: [String: [UInt8]?] = [:]
  var versions: [VersionEntry] = []

  private(set) var frameBytes = 0
  private(set) var tickBytes = 0
  private(set) var frameCount = 0
  private(set) var dropped = DroppedCounts()

  /// Whether a commit has nothing to write; frames that no tick carries wait for theirs.
  var isEmpty: Bool {
    ticks.isEmpty && events.isEmpty && decisions.isEmpty && layouts.isEmpty && facts.isEmpty && leases.isEmpty
      && versions.isEmpty
  }

  mutating func append(_ frame: Frame, layout: Int64, limits: StoreLimits) {
    loose.append(LaidFrame(frame: frame, layout: layout))
    (frameBytes, frameCount) = (frameBytes + Self.size(frame), frameCount + 1)
    while frameBytes > limits.bufferedFrameBytes, dropTick() {}
    while frameBytes > limits.bufferedFrameBytes, let oldest = loose.first {
      lostThrough = oldest.frame.sequence
      dropLoose(1)
    }
  }

  /// Takes a tick and, out of the frames that wait, those that it carries.
  mutating func append(_ tick: TickRecord, limits: StoreLimits) throws(StoreError) {
    let early = loose.prefix { $0.frame.sequence < tick.frames.lowerBound }.count
    let carried: ArraySlice<LaidFrame> =
      tick.frames.isEmpty ? [] : loose.dropFirst(early).prefix { $0.frame.sequence < tick.frames.upperBound }
    let isWhole = carried.count == tick.frames.count
    guard isWhole || tick.frames.lowerBound <= lostThrough else {
      throw StoreError(
        .outOfOrder, "tick \(tick.number) carries frames \(tick.frames), of which \(carried.count) were appended")
    }
    guard zip(carried, carried.dropFirst()).allSatisfy({ $0.frame.group <= $1.frame.group }) else {
      throw StoreError(.outOfOrder, "frames of tick \(tick.number) are not in order of their group")
    }
    while tickBytes + Self.size(tick) > limits.bufferedTickBytes, dropTick() {}
    let fits = tickBytes + Self.size(tick) <= limits.bufferedTickBytes
    if tick.mustBeKept, !fits || !isWhole {
      throw StoreError(
        .backlogFull, "tick \(tick.number): \(tickBytes) bytes of ticks and \(frameBytes) of frames are waiting")
    }
    if !tick.frames.isEmpty { dropLoose(early) }
    guard fits, isWhole else {
      dropLoose(carried.count)
      dropped.ticks += 1
      return
    }
    loose = loose.dropFirst(carried.count)
    ticks.append(Carried(tick: tick, frames: carried))
    tickBytes += Self.size(tick)
  }

  private mutating func dropLoose(_ count: Int) {
    for laid in loose.prefix(count) { frameBytes -= Self.size(laid.frame) }
    loose = loose.dropFirst(count)
    (frameCount, dropped.frames) = (frameCount - count, dropped.frames + count)
  }

  /// Forgets the oldest tick that may be dropped, with its frames; false when there is none.
  private mutating func dropTick() -> Bool {
    guard let index = ticks.firstIndex(where: { !$0.tick.mustBeKept }) else { return false }
    let gone = index == ticks.startIndex ? ticks.removeFirst() : ticks.remove(at: index)
    forget(gone)
    dropped.ticks += 1
    dropped.frames += gone.frames.count
    return true
  }

  private mutating func forget(_ carried: Carried) {
    tickBytes -= Self.size(carried.tick)
    frameCount -= carried.frames.count
    for laid in carried.frames { frameBytes -= Self.size(laid.frame) }
  }

  mutating func append(_ event: EventEntry, limits: StoreLimits) {
    events.append(event)
    while events.count > limits.bufferedEvents, events.popFirst() != nil { dropped.events += 1 }
  }

  mutating func append(_ decision: DecisionEntry, limits: StoreLimits) throws(StoreError) {
    guard decisions.count < limits.bufferedDecisions else {
      throw StoreError(.backlogFull, "decision \(decision.id): \(decisions.count) decisions are waiting already")
    }
    decisions.append(decision)
    decisionIDs.insert(decision.id)
  }

  static func size(_ frame: Frame) -> Int { 64 + frame.values.count * 9 }
  static func size(_ tick: TickRecord) -> Int { 96 + tick.bytes.count }
}

extension PendingRecords {
  /// The next record of the log: everything, or, where that would be too much for one, layouts first, then ticks with
  /// their frames, then the decisions that rest on them and the rest. Nil when nothing waits.
  func record(commit: Int64, bytesMax: Int) -> LogRecord? {
    guard !isEmpty else { return nil }
    var record = LogRecord(commit: commit)
    var left = bytesMax
    for entry in layouts {
      left -= entry.layout.points.reduce(64) { $0 + 64 + $1.utf8.count }
      guard left >= 0 || record.records.layouts.isEmpty else { return record }
      record.records.layouts.append(entry)
    }
    for carried in ticks {
      left -= carried.frames.reduce(Self.size(carried.tick)) { $0 + Self.size($1.frame) }
      guard left >= 0 || (record.ticks.isEmpty && record.records.isEmpty) else { return record }
      record.ticks.append(carried.tick)
      record.frames.append(contentsOf: carried.frames)
    }
    let isBegun = !record.ticks.isEmpty || !record.records.isEmpty
    for decision in decisions {
      left -= decision.bytes.count + 256
      guard left >= 0 || (!isBegun && record.records.decisions.isEmpty) else { return record }
      record.records.decisions.append(decision)
    }
    for event in events {
      left -= event.bytes.count + 256
      guard left >= 0 || (!isBegun && record.records.isEmpty) else { return record }
      record.records.events.append(event)
    }
    for version in versions {
      left -= version.bytes.count + 256
      guard left >= 0 || (!isBegun && record.records.isEmpty) else { return record }
      record.records.versions.append(version)
    }
    for key in facts.keys.sorted() {
      left -= (facts[key] ?? nil)?.count ?? 256
      guard left >= 0 || (!isBegun && record.records.isEmpty) else { return record }
      record.records.facts.append(NamedBytes(name: key, bytes: facts[key] ?? nil))
    }
    for point in leases.keys.sorted() {
      left -= (leases[point] ?? nil)?.count ?? 256
      guard left >= 0 || (!isBegun && record.records.isEmpty) else { return record }
      record.records.leases.append(NamedBytes(name: point, bytes: leases[point] ?? nil))
    }
    return record
  }

  /// Forgets what a record made durable.
  mutating func remove(_ record: LogRecord) {
    for carried in ticks.prefix(record.ticks.count) { forget(carried) }
    ticks = record.ticks.count == ticks.count ? [] : ticks.dropFirst(record.ticks.count)
    let done = record.records
    layouts = layouts.dropFirst(done.layouts.count)
    decisions.removeFirst(done.decisions.count)
    for decision in done.decisions { decisionIDs.remove(decision.id) }
    events = events.dropFirst(done.events.count)
    versions.removeFirst(done.versions.count)
    for fact in done.facts { facts.removeValue(forKey: fact.name) }
    for lease in done.leases { leases.removeValue(forKey: lease.name) }
  }
}

/// Records that a full buffer cost, since the store was opened.
public struct DroppedCounts: Sendable, Equatable {
  public var frames = 0
  public var ticks = 0
  public var events = 0
}
