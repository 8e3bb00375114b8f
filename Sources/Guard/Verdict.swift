public import TwinCore

/// The rules, in the order in which they are checked and shown.
public enum Rule: UInt8, Sendable, CaseIterable {
  /// The wish is a number.
  case finite
  /// The mode lets this actor write.
  case mode
  /// Something protects the plant from twind's death.
  case deadMan
  /// No person holds the point.
  case operatorHold
  /// No latch waits for a reset.
  case latch
  /// The setpoint's own reading and every required input are fresh.
  case fresh
  /// The pack's conditions, one result each.
  case interlock
  /// Hard limits.
  case range
  /// The least time between two changes.
  case hold
  /// Rate of change from what the device shows.
  case rate
  /// The register can hold an allowed value.
  case resolution
  /// Writes a day.
  case budget

  public var name: String {
    switch self {
    case .finite: "finite"
    case .mode: "mode"
    case .deadMan: "dead_man"
    case .operatorHold: "operator_hold"
    case .latch: "latch"
    case .fresh: "fresh"
    case .interlock: "interlock"
    case .range: "range"
    case .hold: "hold"
    case .rate: "rate"
    case .resolution: "resolution"
    case .budget: "budget"
    }
  }
}

/// One rule's answer: what was seen, what it was held against, and how much room was left.
public struct RuleResult: Sendable, Equatable {
  public enum Outcome: UInt8, Sendable {
    /// The rule does not concern this envelope or this wish.
    case idle
    case pass
    /// The wish was moved to the limit.
    case clamped
    case fail
    /// An input was missing: as `fail`.
    case unknown
  }

  public var rule: Rule
  /// Which interlock or required input.
  public var index: UInt8
  public var outcome: Outcome
  // No gap between the fields: an empty trace is then zeros throughout, and made as such.
  private var filler: UInt8 = 0
  /// The room left, negative when broken; in the unit of `value`. Single precision: it is for people and for order.
  public var margin: Float
  public var value: Double
  public var limit: Double

  init(rule: Rule, index: UInt8, outcome: Outcome, value: Double, limit: Double, margin: Float) {
    (self.rule, self.index, self.outcome) = (rule, index, outcome)
    (self.value, self.limit, self.margin) = (value, limit, margin)
  }

  static let empty = RuleResult(rule: .finite, index: 0, outcome: .idle, value: 0, limit: 0, margin: 0)
}

/// Every rule's answer for one wish. Fixed size: a check allocates nothing.
public struct RuleTrace: Sendable, Equatable {
  private var results = InlineArray<20, RuleResult>(repeating: .empty)
  public private(set) var count = 0

  public init() {}

  /// Results beyond `count` are never looked at, so none is wiped.
  mutating func clear() { count = 0 }

  public subscript(position: Int) -> RuleResult {
    precondition(position < count, "rule \(position) of \(count)")
    return results[position]
  }

  @inline(__always)
  mutating func add(
    _ rule: Rule, _ outcome: RuleResult.Outcome, value: Double = 0, limit: Double = 0, margin: Double = 0,
    index: Int = 0
  ) {
    results[count] = RuleResult(
      rule: rule, index: UInt8(truncatingIfNeeded: index), outcome: outcome, value: value, limit: limit,
      margin: Float(margin))
    count += 1
  }

  public static func == (a: RuleTrace, b: RuleTrace) -> Bool {
    guard a.count == b.count else { return false }
    for position in 0..<a.count where a[position] != b[position] { return false }
    return true
  }
}

/// The guard's answer to a wish. A plain value, the same in every harness; made by the guard alone.
public struct Verdict: Sendable, Equatable {
  public enum Disposition: UInt8, Sendable {
    /// Written as asked (within the register's resolution).
    case permit
    /// Written at the nearest allowed value.
    case clamp
    /// The device already holds it: the lease is renewed, nothing is written.
    case keep
    /// Not written; what is open runs on until its lease lapses.
    case refuse
    /// The fallback is written and the lease ends.
    case revert

    public var name: String {
      switch self {
      case .permit: "permit"
      case .clamp: "clamp"
      case .keep: "keep"
      case .refuse: "refuse"
      case .revert: "revert"
      }
    }
  }

  public internal(set) var envelope: Int32
  public internal(set) var point: PointIndex
  public internal(set) var asked: Double
  public internal(set) var disposition: Disposition
  /// What will be written, or is kept. With `refuse`: the nearest value that the range and rate would allow.
  public internal(set) var value: Double
  /// The rule that decided, where one did.
  public internal(set) var binding: Rule?
  /// Whether the mode lets it leave. A verdict of shadow mode shows what `auto` would do, and never leaves.
  public internal(set) var isExecutable: Bool
  /// How long it holds without renewal.
  public internal(set) var leaseNanoseconds: Int64
  /// What is written when the lease lapses.
  public internal(set) var revertValue: Double
  public internal(set) var trace: RuleTrace

  // Inlined, so that the trace is moved once.
  @inline(__always)
  init(
    envelope: Int32, point: PointIndex, asked: Double, disposition: Disposition, value: Double, binding: Rule?,
    isExecutable: Bool, leaseNanoseconds: Int64, revertValue: Double, trace: RuleTrace
  ) {
    (self.envelope, self.point, self.asked, self.disposition) = (envelope, point, asked, disposition)
    (self.value, self.binding, self.isExecutable) = (value, binding, isExecutable)
    (self.leaseNanoseconds, self.revertValue, self.trace) = (leaseNanoseconds, revertValue, trace)
  }
}

extension Verdict {
  /// Says no to everything: what a verdict that is used again begins as.
  public static let none = Verdict(
    envelope: -1, point: PointIndex(0), asked: .nan, disposition: .refuse, value: .nan, binding: nil,
    isExecutable: false, leaseNanoseconds: 0, revertValue: .nan, trace: RuleTrace())
}

/// Leave to write one value once, and to give it back. Spent by writing; it cannot be copied, kept or made elsewhere.
public struct Permit: ~Copyable, Sendable {
  public let decision: DecisionID
  public let point: PointIndex
  public let disposition: Verdict.Disposition
  public let value: Double
  public let revertValue: Double
  public let leaseNanoseconds: Int64

  /// Nil for a verdict that does not let anything leave.
  init?(for verdict: Verdict, decision: DecisionID) {
    guard verdict.isExecutable, verdict.disposition != .refuse else { return nil }
    self.decision = decision
    (point, disposition, value) = (verdict.point, verdict.disposition, verdict.value)
    (revertValue, leaseNanoseconds) = (verdict.revertValue, verdict.leaseNanoseconds)
  }
}
