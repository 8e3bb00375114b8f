public import TwinCore

/// The last gate before the plant: checks every wish against the site's envelopes and remembers what that needs.
///
/// Total: every input gets a verdict. Allocation-free per check. It never asks who trained what: learned code may
/// propose anything, and nothing here can be widened by it.
public struct SafetyGuard: Sendable {
  public let envelopes: [Envelope]
  /// One for each envelope; part of every checkpoint.
  public internal(set) var memory: [EnvelopeMemory]
  private let positions: [PointIndex: Int]
  /// By envelope: the declared value as the register holds it.
  private let fallbackValues: [Double]
  /// By envelope: what a check reads of it, without anything that is counted by reference.
  private let limits: [EnvelopeLimits]

  public init(envelopes: [Envelope]) {
    self.envelopes = envelopes
    memory = envelopes.map { EnvelopeMemory(tokens: Double($0.writesPerDay ?? 0)) }
    fallbackValues = envelopes.map { envelope in
      envelope.representation.nearest(
        to: envelope.fallback.value, low: envelope.hard.lowerBound, high: envelope.hard.upperBound)
        ?? envelope.fallback.value
    }
    limits = envelopes.map(EnvelopeLimits.init)
    positions = Dictionary(envelopes.enumerated().map { ($1.point, $0) }, uniquingKeysWith: { first, _ in first })
    precondition(positions.count == envelopes.count, "a point has one envelope")
  }

  /// The envelope of a point; nil means that twind will never write it.
  public func position(of point: PointIndex) -> Int? { positions[point] }

  /// Judges a wish; changes nothing. `position` is the envelope's place.
  public func check(
    _ asked: Double, by actor: Actor, envelope position: Int, image: borrowing PointImage, mode: Mode
  ) -> Verdict {
    var verdict = Verdict.none
    check(asked, by: actor, envelope: position, image: image, mode: mode, into: &verdict)
    return verdict
  }

  /// As the other, in a verdict that is used again: a trace is written where it stays.
  public func check(
    _ asked: Double, by actor: Actor, envelope position: Int, image: borrowing PointImage, mode: Mode,
    into verdict: inout Verdict
  ) {
    let limits = limits[position]
    let memory = memory[position]
    verdict.trace.clear()
    var judgement = Judgement(
      person: actor.isPerson, asked: asked, current: image.usable(limits.point), now: image.now, mode: mode)
    judgement.authority(limits, memory, &verdict.trace)
    judgement.inputs(limits, envelopes[position].required, envelopes[position].interlocks, image, &verdict.trace)
    judgement.bounds(limits, memory, &verdict.trace)
    judgement.wear(limits, memory, &verdict.trace)
    let fallback = limits.follows ? fallback(of: envelopes[position], position, image) : fallbackValues[position]
    let end = judgement.end(limits, memory, fallback: fallback)
    (verdict.envelope, verdict.point, verdict.asked) = (Int32(position), limits.point, asked)
    (verdict.disposition, verdict.value, verdict.binding) = (end.disposition, end.value, end.binding)
    verdict.isExecutable = end.leaves && judgement.executable
    (verdict.leaseNanoseconds, verdict.revertValue) = (limits.leaseNanoseconds, fallback)
  }

  /// Judges giving a point back to its fallback: allowed in every mode but `observe` and `shadow`, whatever the limits
  /// on changes say.
  public func giveBack(envelope position: Int, because rule: Rule, image: borrowing PointImage, mode: Mode) -> Verdict {
    let envelope = envelopes[position]
    let value = fallback(of: envelope, position, image)
    let leaves = mode != .observe && mode != .shadow
    var trace = RuleTrace()
    trace.add(.mode, leaves ? .pass : .fail, value: Double(mode.rawValue))
    trace.add(rule, .fail)
    return Verdict(
      envelope: Int32(position), point: envelope.point, asked: value, disposition: .revert, value: value, binding: rule,
      isExecutable: leaves, leaseNanoseconds: 0, revertValue: value, trace: trace)
  }

  /// The reason for which an open lease must be given back now, if there is one: a broken interlock, a stale input,
  /// local mode.
  public func mustGiveBack(envelope position: Int, image: borrowing PointImage, mode: Mode) -> Rule? {
    let envelope = envelopes[position]
    if mode == .local || mode == .observe { return .mode }
    if memory[position].isLatched { return .latch }
    if envelope.whenStale == .revert {
      for input in envelope.required
      where image.usable(input.point, noOlderThanNanoseconds: input.staleNanoseconds) == nil { return .fresh }
    }
    for interlock in envelope.interlocks where interlock.reverts {
      let truth = interlock.condition.value(over: image, noOlderThanNanoseconds: interlock.staleNanoseconds)
      if truth == nil || truth == 0 { return .interlock }
    }
    return nil
  }

  /// Leave to carry out a verdict, once. Nil when it lets nothing leave.
  public static func permit(for verdict: Verdict, decision: DecisionID) -> Permit? {
    Permit(for: verdict, decision: decision)
  }

  private func fallback(of envelope: borrowing Envelope, _ position: Int, _ image: borrowing PointImage) -> Double {
    guard let wish = envelope.fallback.follow?.value(over: image) else { return fallbackValues[position] }
    let (low, high) = (envelope.hard.lowerBound, envelope.hard.upperBound)
    return envelope.representation.nearest(to: wish, low: low, high: high) ?? fallbackValues[position]
  }
}

/// The numbers and choices of an envelope.
private struct EnvelopeLimits: Sendable {
  let point: PointIndex
  let hard: ClosedRange<Double>
  let rate: RateLimit?
  let holdNanoseconds: Int64
  let whenStale: StaleResponse
  let writesPerDay: Int?
  let violation: ViolationResponse
  let leaseNanoseconds: Int64
  let deadMan: DeadMan
  let representation: Representation
  /// Whether the fallback is a rule, not a value alone.
  let follows: Bool

  init(_ envelope: Envelope) {
    (point, hard, rate) = (envelope.point, envelope.hard, envelope.rate)
    (holdNanoseconds, whenStale, writesPerDay) = (envelope.holdNanoseconds, envelope.whenStale, envelope.writesPerDay)
    (violation, leaseNanoseconds) = (envelope.violation, envelope.leaseNanoseconds)
    (deadMan, representation) = (envelope.deadMan, envelope.representation)
    follows = envelope.fallback.follow != nil
  }
}

extension Actor {
  var isPerson: Bool { if case .person = self { true } else { false } }
}

/// One check in the making: the trace, the interval that is still allowed, and the first rule that said no.
private struct Judgement {
  let person: Bool
  let asked: Double
  let current: Double?
  let now: Uptime
  let mode: Mode
  var executable = true
  var refusal: Rule?
  var reverts = false
  var low = -Double.infinity
  var high = Double.infinity
  var limiting: Rule?
  var value = Double.nan
  /// Whether the wish is what the device already holds.
  var isKeep = false

  mutating func fail(_ rule: Rule) { if refusal == nil { refusal = rule } }

  /// Who may write at all.
  mutating func authority(_ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, _ trace: inout RuleTrace) {
    trace.add(.finite, asked.isFinite ? .pass : .fail, value: asked)
    if !asked.isFinite { fail(.finite) }

    let leaves = mode == .auto || (mode == .advise && person)
    trace.add(.mode, leaves ? .pass : .fail, value: Double(mode.rawValue))
    if !leaves { executable = false }
    if mode == .local || (person && !leaves) { fail(.mode) }

    let unattended = !person && mode == .auto && envelope.deadMan == .none
    trace.add(.deadMan, unattended ? .fail : .pass, value: Double(envelope.deadMan.rawValue))
    if unattended { fail(.deadMan) }

    let remaining = memory.heldUntil.map { $0.nanoseconds(since: now) } ?? 0
    let held = !person && remaining > 0
    trace.add(.operatorHold, held ? .fail : .pass, value: seconds(max(0, remaining)))
    if held { fail(.operatorHold) }

    trace.add(.latch, memory.isLatched ? .fail : .pass)
    if memory.isLatched { fail(.latch) }
  }

  /// What must be known, and what must be true.
  mutating func inputs(
    _ envelope: EnvelopeLimits, _ required: [RequiredInput], _ interlocks: [Interlock], _ image: borrowing PointImage,
    _ trace: inout RuleTrace
  ) {
    var missing = current == nil ? 1 : 0
    let required = required.span
    for index in required.indices {
      let input = required[index]
      guard image.usable(input.point, noOlderThanNanoseconds: input.staleNanoseconds) == nil else { continue }
      missing += 1
      if envelope.whenStale == .revert { reverts = true }
    }
    trace.add(.fresh, missing == 0 ? .pass : .unknown, value: Double(missing), limit: 0, margin: -Double(missing))
    if missing > 0 { fail(.fresh) }

    let interlocks = interlocks.span
    for index in interlocks.indices {
      let truth = interlocks[index].condition.value(
        over: image, noOlderThanNanoseconds: interlocks[index].staleNanoseconds)
      let holds = truth.map { $0 != 0 } ?? false
      trace.add(
        .interlock, truth == nil ? .unknown : holds ? .pass : .fail, value: truth ?? .nan, limit: 1,
        margin: holds ? 1 : -1, index: index)
      if !holds {
        fail(.interlock)
        if interlocks[index].reverts { reverts = true }
      }
    }
  }

  /// Where the value may lie now, and which value that makes of the wish.
  mutating func bounds(_ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, _ trace: inout RuleTrace) {
    (low, high) = (envelope.hard.lowerBound, envelope.hard.upperBound)
    let outside = asked < low || asked > high || asked.isNaN
    let nearest = asked < low || asked.isNaN ? low : asked > high ? high : (asked - low < high - asked ? low : high)
    trace.add(
      .range, outside ? .clamped : .pass, value: asked, limit: nearest,
      margin: asked < low ? asked - low : asked > high ? high - asked : min(asked - low, high - asked))
    if outside {
      limiting = .range
      // A person is told the limit before anything that waiting would mend.
      if person { fail(.range) }
    }

    let wish = envelope.representation.nearest(to: asked, low: low, high: high)
    // A wish beyond the range is kept at the limit only where it would be clamped there.
    isKeep = wish != nil && shows(wish, memory) && (!outside || (!person && envelope.violation == .clamp))
    rest(envelope, memory, &trace)
    slew(envelope, memory, &trace)

    // Rounding is monotone: where the register's nearest value lies within the narrower limits it is the nearest there
    // too.
    if let wish, wish >= low, wish <= high {
      value = wish
    } else {
      value = envelope.representation.nearest(to: asked, low: low, high: high) ?? .nan
    }
    trace.add(.resolution, value.isNaN ? .fail : .pass, value: value)
    if value.isNaN { fail(low > high ? .rate : .resolution) }
    if isKeep, let wish { value = wish }
  }

  /// Whether the device holds `value` for certain. A write whose outcome is open counts as made, and so does what the
  /// device shows: both must say so.
  private func shows(_ value: Double?, _ memory: EnvelopeMemory) -> Bool {
    value != nil && current == value && !(memory.isPending && memory.written != value)
  }

  private mutating func rest(_ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, _ trace: inout RuleTrace) {
    guard envelope.holdNanoseconds > 0, let changedAt = memory.changedAt else {
      trace.add(.hold, .idle)
      return
    }
    let rested = now.nanoseconds(since: changedAt)
    let waits = !isKeep && rested < envelope.holdNanoseconds
    trace.add(
      .hold, waits ? .fail : .pass, value: seconds(rested), limit: seconds(envelope.holdNanoseconds),
      margin: seconds(rested.saturatingSubtract(envelope.holdNanoseconds)))
    if waits { fail(.hold) }
  }

  private mutating func slew(_ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, _ trace: inout RuleTrace) {
    guard let rate = envelope.rate else {
      trace.add(.rate, .idle)
      return
    }
    guard let current else {
      trace.add(.rate, .unknown, value: .nan)
      fail(.rate)
      return
    }
    let rested = memory.changedAt.map { max(0, now.nanoseconds(since: $0)) } ?? rate.windowNanoseconds
    let earned = seconds(min(rested, rate.windowNanoseconds))
    let (rise, drop) = (rate.risingPerSecond * earned, rate.fallingPerSecond * earned)
    // While an outcome is open the device may be at either value: the change must be small enough from both.
    let open = memory.isPending ? memory.written ?? current : current
    let floor = max(current, open) - drop
    let ceiling = min(current, open) + rise
    let tooFar = !isKeep && (asked > ceiling || asked < floor)
    let change = asked - current
    let allowed = change < 0 ? -drop : rise
    trace.add(
      .rate, tooFar ? .clamped : .pass, value: change, limit: allowed, margin: allowed.magnitude - change.magnitude)
    if isKeep { return }
    if floor > low { low = floor }
    if ceiling < high { high = ceiling }
    if tooFar,
      limiting == nil || (asked > ceiling ? ceiling < envelope.hard.upperBound : floor > envelope.hard.lowerBound)
    {
      limiting = .rate
    }
  }

  /// Whether the register can bear another write.
  mutating func wear(_ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, _ trace: inout RuleTrace) {
    guard let writesPerDay = envelope.writesPerDay else {
      trace.add(.budget, .idle)
      return
    }
    let tokens = memory.tokens(at: now, writesPerDay: writesPerDay)
    let spent = !isKeep && tokens < 1
    trace.add(.budget, spent ? .fail : .pass, value: tokens, limit: 1, margin: tokens - 1)
    if spent { fail(.budget) }
  }

  /// What comes of it all.
  func end(
    _ envelope: EnvelopeLimits, _ memory: EnvelopeMemory, fallback: Double
  ) -> (disposition: Verdict.Disposition, value: Double, binding: Rule?, leaves: Bool) {
    let refused = value.isNaN ? current ?? fallback : value
    if let refusal {
      // Too early or too often to change: what twind wrote stays, and stays leased; what was given back stays given
      // back.
      if refusal == .hold || refusal == .budget, !person, memory.hasOpenLease, let current, current == memory.written,
        envelope.hard.contains(current)
      {
        return (.keep, current, refusal, true)
      }
      let gives = reverts && (refusal == .fresh || refusal == .interlock) && !person
      return gives ? (.revert, fallback, refusal, true) : (.refuse, refused, refusal, false)
    }
    // What the register rounds to what it already holds is not written again.
    let same = isKeep || shows(value, memory)
    guard let limiting else { return (same ? .keep : .permit, value, nil, true) }
    if person { return (.refuse, refused, limiting, false) }
    switch envelope.violation {
    case .clamp: return (same ? .keep : .clamp, value, limiting, true)
    case .refuse: return (.refuse, refused, limiting, false)
    case .revert, .local: return (.revert, fallback, limiting, true)
    }
  }
}

private func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) / 1e9 }
