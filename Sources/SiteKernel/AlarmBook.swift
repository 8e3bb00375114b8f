public import TwinCore

/// The state of every alarm of the pack (states after ISA-18.2: normal, unacknowledged, acknowledged, shelved).
public struct AlarmBook: Sendable {
  public struct State: Sendable, Equatable {
    /// When the condition began to hold without a break.
    public var pendingSince: Uptime?
    /// When it was raised; nil while it is not active.
    public var activeSince: Instant?
    public var isAcknowledged = false
    public var shelvedUntil: Uptime?
    /// Whether its inputs can be read now; an alarm whose inputs are gone stays as it was.
    public var isKnown = false
  }

  public let definitions: [AlarmDefinition]
  public private(set) var states: [State]

  public init(definitions: [AlarmDefinition]) {
    self.definitions = definitions
    states = Array(repeating: State(), count: definitions.count)
  }

  /// Active, not shelved, and not explained by another that is.
  public func isShown(_ position: Int) -> Bool {
    guard states[position].activeSince != nil, states[position].shelvedUntil == nil else { return false }
    return rootCause(of: position) == nil
  }

  /// The active alarm that explains this one, at the end of the chain.
  public func rootCause(of position: Int) -> Int? {
    var root: Int?
    var at = definitions[position].cause
    // A chain longer than the book would be a ring; the pack's check refuses those.
    for _ in definitions.indices {
      guard let cause = at, states[cause].activeSince != nil else { break }
      root = cause
      at = definitions[cause].cause
    }
    return root
  }

  mutating func evaluate(over image: borrowing PointImage, at instant: Instant, into events: inout [AlarmEvent]) {
    for position in definitions.indices {
      if let until = states[position].shelvedUntil, image.now >= until {
        states[position].shelvedUntil = nil
        events.append(AlarmEvent(alarm: Int32(position), kind: .unshelved, by: nil))
      }
      let definition = definitions[position]
      let truth = definition.condition.value(over: image)
      states[position].isKnown = truth != nil
      guard let truth else { continue }
      if states[position].activeSince == nil {
        raise(position, definition, holds: truth != 0, now: image.now, instant, &events)
      } else {
        let over = definition.clear.map { ($0.value(over: image) ?? 0) != 0 } ?? (truth == 0)
        guard over else { continue }
        states[position].activeSince = nil
        states[position].isAcknowledged = false
        states[position].pendingSince = nil
        events.append(AlarmEvent(alarm: Int32(position), kind: .cleared, by: nil))
      }
    }
  }

  private mutating func raise(
    _ position: Int, _ definition: AlarmDefinition, holds: Bool, now: Uptime, _ instant: Instant,
    _ events: inout [AlarmEvent]
  ) {
    guard holds else {
      states[position].pendingSince = nil
      return
    }
    let since = states[position].pendingSince ?? now
    states[position].pendingSince = since
    guard now.nanoseconds(since: since) >= definition.delayNanoseconds else { return }
    states[position].activeSince = instant
    events.append(AlarmEvent(alarm: Int32(position), kind: .raised, by: nil))
  }

  mutating func acknowledge(_ position: Int, by person: String, into events: inout [AlarmEvent]) {
    guard states.indices.contains(position), states[position].activeSince != nil else { return }
    states[position].isAcknowledged = true
    events.append(AlarmEvent(alarm: Int32(position), kind: .acknowledged, by: person))
  }

  mutating func shelve(_ position: Int, until: Uptime?, by person: String, into events: inout [AlarmEvent]) {
    guard states.indices.contains(position) else { return }
    states[position].shelvedUntil = until
    events.append(AlarmEvent(alarm: Int32(position), kind: until == nil ? .unshelved : .shelved, by: person))
  }

  /// The monotonic clock began anew: delays start over, shelves keep what was left of them when they were last seen.
  mutating func rebase(from before: Uptime, to now: Uptime) {
    for position in states.indices {
      if states[position].pendingSince != nil { states[position].pendingSince = now }
      if let until = states[position].shelvedUntil {
        states[position].shelvedUntil = now.advanced(byNanoseconds: max(0, until.nanoseconds(since: before)))
      }
    }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(states.count)
    for (definition, state) in zip(definitions, states) {
      writer.array(6)
      writer.text(definition.id)
      if let since = state.pendingSince { writer.uptime(since) } else { writer.null() }
      if let since = state.activeSince { writer.instant(since) } else { writer.null() }
      writer.bool(state.isAcknowledged)
      if let until = state.shelvedUntil { writer.uptime(until) } else { writer.null() }
      writer.bool(state.isKnown)
    }
  }

  mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 6 else { throw CanonicalFault("an alarm's state has six items") }
      let id = try reader.text(limit: 256)
      var state = State()
      state.pendingSince = try reader.takeNull() ? nil : try reader.uptime()
      state.activeSince = try reader.takeNull() ? nil : try reader.instant()
      state.isAcknowledged = try reader.bool()
      state.shelvedUntil = try reader.takeNull() ? nil : try reader.uptime()
      state.isKnown = try reader.bool()
      if let position = definitions.firstIndex(where: { $0.id == id }) { states[position] = state }
    }
  }
}
