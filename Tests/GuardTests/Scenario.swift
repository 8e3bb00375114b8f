import Testing
import TwinCore

@testable import Guard

/// Draws for property tests (SplitMix64); a failing expectation prints the seed.
struct SeededDraw {
  let seed: UInt64
  private var state: UInt64

  init(seed: UInt64) { (self.seed, state) = (seed, seed) }

  mutating func bits() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// 0 up to, not including, `end`.
  mutating func below(_ end: Int) -> Int { Int(bits() % UInt64(end)) }
  /// True once in `odds`.
  mutating func once(in odds: Int) -> Bool { below(odds) == 0 }
  /// 0 to 1.
  mutating func unit() -> Double { Double(bits() >> 11) * 0x1p-53 }
  mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }

  /// What a plant, a fault or a learned policy might bring.
  mutating func anything() -> Double {
    switch below(12) {
    case 0: .nan
    case 1: once(in: 2) ? .infinity : -.infinity
    case 2: once(in: 2) ? .greatestFiniteMagnitude : -.greatestFiniteMagnitude
    case 3: once(in: 2) ? .leastNonzeroMagnitude : -0.0
    case 4: Double(bitPattern: bits())
    default: between(-50, 150)
    }
  }
}

let second: Int64 = 1_000_000_000
let setpoint = PointIndex(0)
let pointCount = 6

/// An interlock in the guard's form, and the same condition in plain Swift.
struct Condition {
  var point: PointIndex
  var isAbove: Bool
  var limit: Double

  var formula: Formula { Formula([.point(point), .constant(limit), isAbove ? .greater : .less])! }

  func holds(_ image: PointImage, within limit: Int64) -> Bool? {
    fresh(point, image, within: limit).map { isAbove ? $0 > self.limit : $0 < self.limit }
  }
}

/// The value on which a decision may rest, worked out without the image's own rules.
func fresh(_ point: PointIndex, _ image: PointImage, within limit: Int64? = nil) -> Double? {
  let state = image.states[point.position]
  if state.quality != .good || state.value.isNaN || state.value.isInfinite { return nil }
  if state.freshUntil.nanoseconds < image.now.nanoseconds { return nil }
  if let limit {
    let (age, overflow) = image.now.nanoseconds.subtractingReportingOverflow(state.uptime.nanoseconds)
    if overflow ? image.now > state.uptime : age > limit { return nil }
  }
  return state.value
}

/// One envelope with everything around it that a check depends on.
struct Scenario {
  var safety: SafetyGuard
  var conditions: [Condition]
  var image: PointImage

  var envelope: Envelope { safety.envelopes[0] }
  var memory: EnvelopeMemory { safety.memory[0] }

  init(_ draw: inout SeededDraw) {
    let low = draw.between(-10, 60)
    let high = low + (draw.once(in: 20) ? 0 : draw.between(0, 60))
    let fallback = draw.once(in: 4) ? low : draw.between(low, high)
    conditions = (0..<(draw.once(in: 2) ? 0 : draw.below(9))).map { _ in
      Condition(point: PointIndex(1 + draw.below(5)), isAbove: draw.once(in: 2), limit: draw.between(-60, 160))
    }
    let interlocks = conditions.map {
      Interlock(
        text: "", condition: $0.formula, staleNanoseconds: Int64(draw.below(400)) * second, latching: draw.once(in: 4),
        reverts: draw.once(in: 2))
    }
    let required = (0..<draw.below(3)).map { _ in
      RequiredInput(point: PointIndex(1 + draw.below(5)), staleNanoseconds: Int64(draw.below(400)) * second)
    }
    let rate: RateLimit? =
      draw.once(in: 3)
      ? nil
      : RateLimit(
        risingPerSecond: draw.once(in: 8) ? 0 : draw.between(0, 0.5),
        fallingPerSecond: draw.once(in: 8) ? 0 : draw.between(0, 0.5),
        windowNanoseconds: Int64(1 + draw.below(600)) * second)
    let violations: [ViolationResponse] = [.clamp, .clamp, .refuse, .revert, .local]
    let deadMen: [DeadMan] = [.deviceWatchdog, .unattendedAccepted, .none]
    safety = SafetyGuard(envelopes: [
      Envelope(
        id: "e", point: setpoint, hard: low...high, rate: rate,
        holdNanoseconds: draw.once(in: 2) ? 0 : Int64(draw.below(900)) * second, interlocks: interlocks,
        required: required, whenStale: draw.once(in: 2) ? .revert : .refuse,
        writesPerDay: draw.once(in: 2) ? nil : 1 + draw.below(300), violation: violations[draw.below(5)],
        fallback: Fallback(value: fallback, follow: draw.once(in: 4) ? .point(PointIndex(5)) : nil),
        leaseNanoseconds: Int64(1 + draw.below(900)) * second, deadMan: deadMen[draw.below(3)],
        representation: Self.representation(&draw))
    ])
    image = PointImage(count: pointCount, now: Uptime(nanoseconds: Int64(draw.below(1_000_000)) * second))
    redraw(&draw)
  }

  static func representation(_ draw: inout SeededDraw) -> Representation {
    let scales = [0.001, 0.01, 0.1, 0.5, 1, 10, 1.0 / 3]
    return switch draw.below(4) {
    case 0: .float64
    case 1: .float32
    default: .steps(scale: scales[draw.below(scales.count)], offset: draw.once(in: 3) ? draw.between(-40, 40) : 0)
    }
  }

  /// Other readings, another past, the same envelope.
  mutating func redraw(_ draw: inout SeededDraw) {
    let now = image.now
    for position in 0..<pointCount {
      let age = Int64(draw.below(draw.once(in: 3) ? 1000 : 100)) * second - (draw.once(in: 20) ? 60 * second : 0)
      let qualities: [Quality] = [.suspect, .absent, .failed, .never]
      image.states[position] = PointImage.State(
        value: draw.once(in: 12) ? draw.anything() : draw.between(-50, 150),
        quality: draw.once(in: 12) ? qualities[draw.below(4)] : .good,
        effective: Instant(nanoseconds: 0), uptime: now.advanced(byNanoseconds: -age),
        freshUntil: now.advanced(
          byNanoseconds: Int64(draw.below(1000)) * second - (draw.once(in: 12) ? 1000 * second : 0)))
    }
    let hard = envelope.hard
    if !draw.once(in: 4) { image.states[0].value = representable(draw.between(hard.lowerBound, hard.upperBound)) }
    var memory = EnvelopeMemory(tokens: 0)
    if !draw.once(in: 4) {
      memory.changedAt = now.advanced(
        byNanoseconds: -Int64(draw.below(1200)) * second + (draw.once(in: 9) ? 7200 * second : 0))
      memory.written = representable(draw.between(hard.lowerBound, hard.upperBound))
      if draw.once(in: 3) { memory.written = image.states[0].value.isFinite ? image.states[0].value : 0 }
      memory.isPending = draw.once(in: 4)
    }
    if let writes = envelope.writesPerDay {
      memory.tokens = draw.once(in: 3) ? draw.unit() : draw.unit() * Double(writes)
      memory.tokensAt = draw.once(in: 4) ? nil : now.advanced(byNanoseconds: Int64(draw.below(8000) - 7000) * second)
    }
    if draw.once(in: 6) { memory.heldUntil = now.advanced(byNanoseconds: Int64(draw.below(200) - 60) * second) }
    if draw.once(in: 2) { memory.leaseUntil = now.advanced(byNanoseconds: 60 * second) }
    memory.isLatched = draw.once(in: 12)
    memory.isFallingBack = draw.once(in: 6)
    safety.memory[0] = memory
  }

  func representable(_ value: Double) -> Double {
    envelope.representation.nearest(to: value, low: envelope.hard.lowerBound, high: envelope.hard.upperBound) ?? value
  }

  /// A wish: mostly near what could be allowed, sometimes anything at all.
  func wish(_ draw: inout SeededDraw) -> Double {
    let current = image.states[0].value
    return switch draw.below(6) {
    case 0: draw.anything()
    case 1: current
    case 2: representable(current + draw.between(-5, 5))
    case 3: draw.between(envelope.hard.lowerBound, envelope.hard.upperBound)
    default: current + draw.between(-5, 5)
    }
  }
}

let modes = Mode.allCases
let decision = DecisionID(tick: 1, ordinal: 0)

/// What leaves under a verdict; nil when nothing does.
func leaving(_ verdict: Verdict) -> (disposition: Verdict.Disposition, value: Double, revertValue: Double)? {
  guard let permit = SafetyGuard.permit(for: verdict, decision: decision) else { return nil }
  return (permit.disposition, permit.value, permit.revertValue)
}
