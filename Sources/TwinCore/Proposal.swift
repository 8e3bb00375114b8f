/// Who asks for a setpoint.
public enum Actor: Hashable, Sendable {
  /// A policy of the pack, by its number there.
  case policy(Int32)
  /// A person, by the name that the socket's peer credentials gave.
  case person(String)
}

/// How much one cause moves a setpoint, in the setpoint's unit.
public struct Contribution: Sendable, Equatable {
  public var cause: PointIndex
  /// The cause's value now and when the setpoint last changed.
  public var value: Double
  public var before: Double
  public var effect: Double

  public init(cause: PointIndex, value: Double, before: Double, effect: Double) {
    (self.cause, self.value, self.before, self.effect) = (cause, value, before, effect)
  }
}

/// A wish: to hold a point at a value for a while. Anyone may propose anything; only the guard decides.
public struct Proposal: Sendable, Equatable {
  public var point: PointIndex
  public var value: Double
  public var actor: Actor
  /// How long the proposer wants it held before it must be renewed.
  public var validForNanoseconds: Int64
  public var contributions: [Contribution]

  public init(
    point: PointIndex, value: Double, actor: Actor, validForNanoseconds: Int64, contributions: [Contribution] = []
  ) {
    (self.point, self.value, self.actor) = (point, value, actor)
    (self.validForNanoseconds, self.contributions) = (validForNanoseconds, contributions)
  }
}

/// One decision of one site: the tick that made it, and its place within that tick.
public struct DecisionID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let tick: Int64
  public let ordinal: Int32

  public init(tick: Int64, ordinal: Int32) { (self.tick, self.ordinal) = (tick, ordinal) }

  public static func < (a: DecisionID, b: DecisionID) -> Bool { (a.tick, a.ordinal) < (b.tick, b.ordinal) }

  /// `d-1042.0`, as people type it.
  public var description: String { "d-\(tick).\(ordinal)" }

  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].hasPrefix("d-"), let tick = Int64(parts[0].dropFirst(2)),
      let ordinal = Int32(parts[1]), tick >= 0, ordinal >= 0
    else { return nil }
    self.init(tick: tick, ordinal: ordinal)
  }
}

/// What became of a write.
public enum WriteOutcome: UInt8, Sendable, CaseIterable {
  /// The read-back lies within the tolerance.
  case confirmed = 0
  /// The device answered with an exception.
  case refusedByDevice = 1
  /// The device acknowledged, and shows another value.
  case mismatched = 2
  /// No answer, or no read-back in time: it may have happened.
  case unknown = 3
  /// It never left (no receipt in time, the bus is closed, the lease was over).
  case notSent = 4

  public var name: String {
    switch self {
    case .confirmed: "confirmed"
    case .refusedByDevice: "refused_by_device"
    case .mismatched: "mismatched"
    case .unknown: "unknown"
    case .notSent: "not_sent"
    }
  }
}
