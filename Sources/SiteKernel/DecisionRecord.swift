import Agents
public import Guard
public import TwinCore

/// A decision as it is kept: complete enough to explain it without anything else, plain enough to outlive the code.
public struct DecisionRecord: Sendable, Equatable {
  public struct Cause: Sendable, Equatable {
    public var point: String
    public var value: Double
    public var before: Double
    public var effect: Double
  }

  public struct RuleLine: Sendable, Equatable {
    public var rule: Rule
    public var index: Int
    public var outcome: RuleResult.Outcome
    public var value: Double
    public var limit: Double
    public var margin: Double

    public init(_ result: RuleResult) {
      (rule, index, outcome) = (result.rule, Int(result.index), result.outcome)
      (value, limit, margin) = (result.value, result.limit, Double(result.margin))
    }

    init(rule: Rule, index: Int, outcome: RuleResult.Outcome, value: Double, limit: Double, margin: Double) {
      (self.rule, self.index, self.outcome) = (rule, index, outcome)
      (self.value, self.limit, self.margin) = (value, limit, margin)
    }
  }

  public var id: DecisionID
  public var instant: Instant
  public var point: String
  public var envelope: String
  /// `policy NAME`, `person NAME` or `guard`.
  public var actor: String
  public var reason: String
  public var asked: Double
  public var previous: Double?
  public var disposition: Verdict.Disposition
  public var value: Double
  public var binding: Rule?
  public var isExecutable: Bool
  public var isCarriedOut: Bool
  public var leaseNanoseconds: Int64
  public var revertValue: Double
  public var mode: Mode
  public var causes: [Cause]
  public var rules: [RuleLine]
  public var inputs: Digest
  public var digests: SiteDigests
  /// Of the tick that made it.
  public var fingerprint: Digest

  /// The record of one decision of `outcome`.
  public init(_ decision: Decision, of outcome: Outcome, at instant: Instant, mode: Mode, in site: SiteDefinition) {
    let verdict = decision.verdict
    id = decision.id
    self.instant = instant
    point = site.points[decision.proposal.point.position].id
    envelope = site.envelopes[Int(verdict.envelope)].id
    switch decision.proposal.actor {
    case .policy(let policy): actor = policy < 0 ? "guard" : "policy " + site.policies[Int(policy)].id
    case .person(let person): actor = "person " + person
    }
    (reason, asked, previous) = (decision.reason, decision.proposal.value, decision.previous)
    (disposition, value, binding) = (verdict.disposition, verdict.value, verdict.binding)
    (isExecutable, isCarriedOut) = (verdict.isExecutable, decision.isCarriedOut)
    (leaseNanoseconds, revertValue, self.mode) = (verdict.leaseNanoseconds, verdict.revertValue, mode)
    causes = decision.proposal.contributions.map {
      Cause(point: site.points[$0.cause.position].id, value: $0.value, before: $0.before, effect: $0.effect)
    }
    rules = (0..<verdict.trace.count).map { RuleLine(verdict.trace[$0]) }
    (inputs, digests, fingerprint) = (outcome.inputs, site.digests, outcome.fingerprint)
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(25)
    writer.integer(1)
    writer.integer(id.tick)
    writer.integer(Int64(id.ordinal))
    writer.instant(instant)
    for text in [point, envelope, actor, reason] { writer.text(text) }
    writer.double(asked)
    writer.optional(previous)
    writer.integer(Int64(disposition.rawValue))
    writer.double(value)
    writer.integer(Int64(binding?.rawValue ?? 255))
    writer.bool(isExecutable)
    writer.bool(isCarriedOut)
    writer.integer(leaseNanoseconds)
    writer.double(revertValue)
    writer.integer(Int64(mode.rawValue))
    writer.array(causes.count)
    for cause in causes {
      writer.array(4)
      writer.text(cause.point)
      for number in [cause.value, cause.before, cause.effect] { writer.double(number) }
    }
    writer.array(rules.count)
    for line in rules {
      writer.array(6)
      for number in [Int64(line.rule.rawValue), Int64(line.index), Int64(line.outcome.rawValue)] {
        writer.integer(number)
      }
      for number in [line.value, line.limit, line.margin] { writer.double(number) }
    }
    for digest in [inputs, digests.pack, digests.model, digests.policy, digests.envelope] { writer.digest(digest) }
    // Last, so that the fingerprint stands apart from what it covers.
    writer.digest(fingerprint)
    writer.null()
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(24, version: 1)
    let (tick, place) = (try reader.integer(), try reader.integer())
    guard let ordinal = Int32(exactly: place) else { throw CanonicalFault("decision number \(place)") }
    id = DecisionID(tick: tick, ordinal: ordinal)
    instant = try reader.instant()
    point = try reader.text()
    envelope = try reader.text()
    actor = try reader.text()
    reason = try reader.text()
    asked = try reader.double()
    previous = try reader.takeNull() ? nil : try reader.double()
    disposition = try Self.known(try reader.integer())
    value = try reader.double()
    let rule = try reader.integer()
    binding = rule == 255 ? nil : try Self.known(rule)
    isExecutable = try reader.bool()
    isCarriedOut = try reader.bool()
    leaseNanoseconds = try reader.integer()
    revertValue = try reader.double()
    mode = try Self.known(try reader.integer())
    causes = []
    for _ in 0..<(try reader.array(limit: 256)) {
      guard try reader.array() == 4 else { throw CanonicalFault("a cause has four items") }
      causes.append(
        Cause(
          point: try reader.text(), value: try reader.double(), before: try reader.double(), effect: try reader.double()
        ))
    }
    rules = []
    for _ in 0..<(try reader.array(limit: 64)) {
      guard try reader.array() == 6 else { throw CanonicalFault("a rule's line has six items") }
      rules.append(
        RuleLine(
          rule: try Self.known(try reader.integer()), index: Int(try reader.integer()),
          outcome: try Self.known(try reader.integer()), value: try reader.double(), limit: try reader.double(),
          margin: try reader.double()))
    }
    inputs = try reader.digest()
    digests = SiteDigests()
    digests.pack = try reader.digest()
    digests.model = try reader.digest()
    digests.policy = try reader.digest()
    digests.envelope = try reader.digest()
    fingerprint = try reader.digest()
    guard try reader.takeNull() else { throw CanonicalFault("a decision record ends in null") }
  }

  private static func known<T: RawRepresentable<UInt8>>(_ raw: Int64) throws(CanonicalFault) -> T {
    guard let byte = UInt8(exactly: raw), let value = T(rawValue: byte) else {
      throw CanonicalFault("\(T.self) of \(raw) is not known")
    }
    return value
  }
}
