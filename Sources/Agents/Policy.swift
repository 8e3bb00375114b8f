public import TwinCore

/// A declared rule of the pack that proposes setpoints for one point.
public struct Policy: Sendable, Equatable {
  public var id: String
  public var target: PointIndex
  /// Among policies of one target the highest whose condition holds speaks.
  public var priority: Int32
  /// Unknown counts as false: then the policy is silent.
  public var condition: Formula?
  public var rule: PolicyRule
  /// Between two proposals.
  public var periodNanoseconds: Int64

  public init(
    id: String, target: PointIndex, priority: Int32 = 0, condition: Formula? = nil, rule: PolicyRule,
    periodNanoseconds: Int64
  ) {
    (self.id, self.target, self.priority, self.condition) = (id, target, priority, condition)
    (self.rule, self.periodNanoseconds) = (rule, periodNanoseconds)
  }
}

/// How a policy makes a value.
public enum PolicyRule: Sendable, Equatable {
  /// By local time.
  case schedule(WeekSchedule)
  /// Piecewise linear in one quantity (a reset curve); flat beyond the ends.
  case curve(input: Formula, knots: [Knot])
  /// Any expression (load following, proportional rules).
  case formula(Formula)

  public struct Knot: Sendable, Equatable {
    public var input: Double
    public var output: Double

    public init(input: Double, output: Double) { (self.input, self.output) = (input, output) }
  }

  /// The points that it reads.
  public var inputs: [PointIndex] {
    switch self {
    case .schedule: []
    case .curve(let input, _): input.inputs
    case .formula(let formula): formula.inputs
    }
  }

  /// Nil while an input is not usable.
  @inline(__always)
  func value(at date: CivilDate, _ input: (PointIndex) -> Double?) -> Double? {
    switch self {
    case .schedule(let schedule): schedule.value(at: date)
    case .curve(let quantity, let knots): quantity.evaluate(input).map { Self.interpolate(knots, at: $0) }
    case .formula(let formula): formula.evaluate(input)
    }
  }

  /// `knots` ascend in `input`, and there is at least one: the pack's check sees to it.
  static func interpolate(_ knots: [Knot], at x: Double) -> Double {
    guard let upper = knots.firstIndex(where: { $0.input >= x }) else { return knots[knots.count - 1].output }
    guard upper > 0 else { return knots[0].output }
    let (a, b) = (knots[upper - 1], knots[upper])
    return a.output + (b.output - a.output) * ((x - a.input) / (b.input - a.input))
  }
}

/// Lets the policies speak in turn, and says why a value moved.
public struct PolicyRouter: Sendable {
  public let policies: [Policy]
  /// Per policy: the next moment at which it may speak.
  private var nextAt: [Uptime]
  /// Per policy: its inputs when its target last changed.
  private var anchors: [[Double]]

  public init(policies: [Policy]) {
    self.policies = policies
    nextAt = Array(repeating: Uptime(nanoseconds: .min), count: policies.count)
    anchors = Array(repeating: [], count: policies.count)
  }

  /// Appends at most one proposal for each target: of its highest-ranking policy that is due and whose condition holds.
  public mutating func propose(
    over image: borrowing PointImage, at date: CivilDate, into proposals: inout [Proposal]
  ) {
    for position in policies.indices {
      let policy = policies[position]
      guard image.now >= nextAt[position], speaks(position, image) else { continue }
      // A policy that cannot read its inputs speaks as soon as it can, not a period later.
      guard let value = policy.rule.value(at: date, { image.usable($0) }) else { continue }
      nextAt[position] = image.now.advanced(byNanoseconds: policy.periodNanoseconds)
      proposals.append(
        Proposal(
          point: policy.target, value: value, actor: .policy(Int32(position)),
          validForNanoseconds: policy.periodNanoseconds))
    }
  }

  /// Whether the policy's condition holds and no higher one of its target speaks.
  private func speaks(_ position: Int, _ image: borrowing PointImage) -> Bool {
    func holds(_ other: Int) -> Bool {
      guard let condition = policies[other].condition else { return true }
      return condition.value(over: image).map { $0 != 0 } ?? false
    }
    guard holds(position) else { return false }
    for other in policies.indices where other != position && policies[other].target == policies[position].target {
      let outranks =
        policies[other].priority > policies[position].priority
        || (policies[other].priority == policies[position].priority && other < position)
      if outranks, holds(other) { return false }
    }
    return true
  }

  /// How much each input moved the policy's value since its target last changed: inputs are replaced one after another
  /// in ascending order, so the effects add up to the whole change.
  public func contributions(of position: Int, over image: borrowing PointImage, at date: CivilDate) -> [Contribution] {
    let rule = policies[position].rule
    let inputs = rule.inputs
    guard anchors[position].count == inputs.count, !inputs.isEmpty else { return [] }
    let values = inputs.map { image.usable($0) ?? .nan }
    var mixed = anchors[position]
    func value() -> Double? {
      rule.value(at: date) { point in inputs.firstIndex(of: point).map { mixed[$0] } }
    }
    guard var before = value() else { return [] }
    var parts: [Contribution] = []
    for index in inputs.indices {
      let old = mixed[index]
      mixed[index] = values[index]
      guard let after = value() else { return [] }
      if after != before {
        parts.append(Contribution(cause: inputs[index], value: values[index], before: old, effect: after - before))
      }
      before = after
    }
    return parts
  }

  /// Remembers the inputs behind a value that is being written.
  public mutating func anchor(_ position: Int, over image: borrowing PointImage) {
    anchors[position] = policies[position].rule.inputs.map { image.usable($0) ?? .nan }
  }

  /// The monotonic clock began anew.
  public mutating func rebase() { for position in nextAt.indices { nextAt[position] = Uptime(nanoseconds: .min) } }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(policies.count)
    for position in policies.indices {
      writer.array(3)
      writer.text(policies[position].id)
      writer.uptime(nextAt[position])
      writer.doubles(anchors[position])
    }
  }

  public mutating func restore(from reader: inout CanonicalReader) throws(CanonicalFault) {
    for _ in 0..<(try reader.array(limit: 1 << 16)) {
      guard try reader.array() == 3 else { throw CanonicalFault("a policy's state has three items") }
      let id = try reader.text(limit: 256)
      let due = try reader.uptime()
      let anchor = try reader.doubles(limit: 256)
      guard let position = policies.firstIndex(where: { $0.id == id }) else { continue }
      nextAt[position] = due
      if anchor.count == policies[position].rule.inputs.count { anchors[position] = anchor }
    }
  }
}
