import TwinCore

/// What was appended and is not durable yet. Kept over failed commits, within `StoreLimits`.
struct PendingRecords {
  struct LaidFrame {
    var frame: Frame
    var layout: Int64
  }

  private(set) var frames: ArraySlice<LaidFrame> = []
  private(set) var ticks: [TickRecord] = []
  private(set) var events: ArraySlice<EventEntry> = []
  private(set) var decisions: [DecisionEntry] = []
  private(set) var decisionIDs: Set<String> = []
  var layouts: [(version: Int64, layout: FrameLayout, registered: Instant)] = []
  /// The last word for each key; nil removes.
  var facts: [String: [UInt8]?] = [:]
  /// The last word for each point; nil closes.
  var leases: [String: [UInt8]?] = [:]

  private(set) var frameBytes = 0
  private(set) var tickBytes = 0
  private(set) var dropped = DroppedCounts()

  var isEmpty: Bool {
    frames.isEmpty && ticks.isEmpty && events.isEmpty && decisions.isEmpty && layouts.isEmpty && facts.isEmpty
      && leases.isEmpty
  }

  mutating func append(_ frame: Frame, layout: Int64, limits: StoreLimits) {
    frames.append(LaidFrame(frame: frame, layout: layout))
    frameBytes += Self.size(frame)
    while frameBytes > limits.bufferedFrameBytes, let oldest = frames.popFirst() {
      frameBytes -= Self.size(oldest.frame)
      dropped.frames += 1
    }
  }

  mutating func append(_ tick: TickRecord, limits: StoreLimits) throws(StoreError) {
    let size = Self.size(tick)
    if tickBytes + size > limits.bufferedTickBytes { dropTicks(toFree: tickBytes + size - limits.bufferedTickBytes) }
    guard tickBytes + size <= limits.bufferedTickBytes else {
      throw StoreError(
        .backlogFull, "tick \(tick.number) of \(size) bytes: \(tickBytes) bytes of ticks that must be kept are waiting")
    }
    ticks.append(tick)
    tickBytes += size
  }

  /// Forgets the oldest ticks that may be dropped; more than asked, so that a full buffer is not swept every time.
  private mutating func dropTicks(toFree wanted: Int) {
    var freed = 0
    let goal = wanted + tickBytes / 16
    ticks.removeAll { tick in
      guard freed < goal, !tick.mustBeKept else { return false }
      freed += Self.size(tick)
      dropped.ticks += 1
      return true
    }
    tickBytes -= freed
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

  /// Forgets what a commit made durable.
  mutating func clear() {
    let dropped = dropped
    self = PendingRecords()
    self.dropped = dropped
  }

  private static func size(_ frame: Frame) -> Int { 64 + frame.values.count * 9 }
  private static func size(_ tick: TickRecord) -> Int { 96 + tick.bytes.count }
}

/// Records that a full buffer cost, since the store was opened.
public struct DroppedCounts: Sendable, Equatable {
  public var frames = 0
  public var ticks = 0
  public var events = 0
}
