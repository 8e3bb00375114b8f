import TwinCore

@testable import Guard

/// The rules again, written apart from the guard: what forbids a value to leave now. Empty when nothing does.
struct Law {
  let scenario: Scenario
  let person: Bool
  let mode: Mode

  private var envelope: Envelope { scenario.envelope }
  private var memory: EnvelopeMemory { scenario.memory }
  private var image: PointImage { scenario.image }
  private var now: Int64 { image.now.nanoseconds }

  func broken(by value: Double, isWrite: Bool) -> [String] {
    var broken: [String] = []
    if !value.isFinite || value < envelope.hard.lowerBound || value > envelope.hard.upperBound {
      broken.append("range")
    }
    if !(mode == .auto || (mode == .advise && person)) { broken.append("mode") }
    if !person, mode == .auto, envelope.deadMan == .none { broken.append("deadMan") }
    if !person, let until = memory.heldUntil, until.nanoseconds > now { broken.append("hold of a person") }
    if memory.isLatched { broken.append("latch") }
    if fresh(setpoint, image) == nil { broken.append("setpoint unknown") }
    for input in envelope.required where fresh(input.point, image, within: input.staleNanoseconds) == nil {
      broken.append("required input \(input.point.raw)")
    }
    for (condition, interlock) in zip(scenario.conditions, envelope.interlocks)
    where condition.holds(image, within: interlock.staleNanoseconds) != true { broken.append("interlock") }
    if isWrite { broken += brokenByWriting(value) }
    return broken
  }

  private func brokenByWriting(_ value: Double) -> [String] {
    var broken: [String] = []
    if !isRepresentable(value) { broken.append("representation") }
    let rested = memory.changedAt.map { max(0, now - $0.nanoseconds) }
    if let rested, rested < envelope.holdNanoseconds { broken.append("rest") }
    if let writes = envelope.writesPerDay, tokens(writes) < 1 { broken.append("budget") }
    if let rate = envelope.rate, let current = fresh(setpoint, image) {
      let span = Double(min(rested ?? .max, rate.windowNanoseconds)) / 1e9
      var from = [current]
      if memory.isPending, let written = memory.written { from.append(written) }
      for start in from where !within(start, value, rate, span) { broken.append("rate from \(start)") }
    }
    return broken
  }

  /// To within a rounding.
  private func within(_ start: Double, _ value: Double, _ rate: RateLimit, _ span: Double) -> Bool {
    let slack = 1e-12 * (start.magnitude + value.magnitude)
    return value - start <= rate.risingPerSecond * span + slack && start - value <= rate.fallingPerSecond * span + slack
  }

  func tokens(_ writes: Int) -> Double {
    guard let at = memory.tokensAt else { return memory.tokens }
    return min(Double(writes), memory.tokens + Double(max(0, now - at.nanoseconds)) / 86_400e9 * Double(writes))
  }

  func isRepresentable(_ value: Double) -> Bool {
    switch envelope.representation {
    case .float64: true
    case .float32: Double(Float(value)) == value
    case .steps(let scale, let offset):
      [-1, 0, 1].contains { (((value - offset) / scale).rounded(.toNearestOrEven) + $0) * scale + offset == value }
    }
  }

  /// Half of what the register can tell apart.
  var resolution: Double {
    switch envelope.representation {
    case .float64: 0
    case .float32: 1e-5
    case .steps(let scale, _): scale * (1 + 1e-9)
    }
  }

  var declaredFallback: Double {
    let wish = (envelope.fallback.follow == nil ? nil : fresh(PointIndex(5), image)) ?? envelope.fallback.value
    let (low, high) = (envelope.hard.lowerBound, envelope.hard.upperBound)
    return envelope.representation.nearest(to: wish, low: low, high: high) ?? envelope.fallback.value
  }
}
