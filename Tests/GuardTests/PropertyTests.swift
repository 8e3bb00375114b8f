import Testing
import TwinCore

@testable import Guard

/// Each runs over random envelopes, pasts, readings and wishes, half of them hostile.
@Suite struct `Whatever is asked, in whatever state` {
  static let envelopes = 2500
  static let pasts = 12
  static let wishes = 5

  /// Every case in turn: the scenario, the actor, the mode, the wish and the verdict.
  static func each(
    _ seed: UInt64, _ body: (_ scenario: Scenario, _ law: Law, _ asked: Double, _ verdict: Verdict) -> Bool
  ) -> Int {
    var draw = SeededDraw(seed: seed)
    var cases = 0
    for _ in 0..<envelopes {
      var scenario = Scenario(&draw)
      for _ in 0..<pasts {
        scenario.redraw(&draw)
        for _ in 0..<wishes {
          let person = draw.once(in: 3)
          let mode = draw.once(in: 2) ? Mode.auto : modes[draw.below(modes.count)]
          let asked = scenario.wish(&draw)
          let verdict = scenario.safety.check(
            asked, by: person ? .person("p") : .policy(0), envelope: 0, image: scenario.image, mode: mode)
          cases += 1
          // One failure tells enough; a hundred thousand would not tell more.
          guard body(scenario, Law(scenario: scenario, person: person, mode: mode), asked, verdict) else {
            return cases
          }
        }
      }
    }
    return cases
  }

  @Test(arguments: [UInt64(1), 2, 3]) func `nothing leaves that the law forbids`(seed: UInt64) {
    var counts: [Verdict.Disposition: Int] = [:]
    let cases = Self.each(seed) { scenario, law, asked, verdict in
      let left = leaving(verdict)
      counts[verdict.disposition, default: 0] += left == nil ? 0 : 1
      guard let left else { return true }
      let broken: [String]
      switch left.disposition {
      case .refuse: broken = ["a refusal leaves"]
      case .revert: broken = Self.brokenByReverting(to: left.value, scenario, law)
      case .keep: broken = Self.brokenByKeeping(left.value, scenario, law)
      case .permit, .clamp: broken = law.broken(by: left.value, isWrite: true)
      }
      #expect(broken.isEmpty, "\(broken) by \(verdict) of \(asked), seed \(seed)")
      #expect(scenario.envelope.hard.contains(left.revertValue), "\(verdict), seed \(seed)")
      return broken.isEmpty
    }
    #expect(cases == Self.envelopes * Self.pasts * Self.wishes)
    for disposition in [Verdict.Disposition.permit, .clamp, .keep, .revert] {
      #expect(counts[disposition, default: 0] > 500, "\(disposition) leaves in \(counts)")
    }
  }

  static func brokenByReverting(to value: Double, _ scenario: Scenario, _ law: Law) -> [String] {
    var broken: [String] = []
    if value != law.declaredFallback { broken.append("not the fallback \(law.declaredFallback)") }
    if !scenario.envelope.hard.contains(value) { broken.append("range") }
    if law.person || law.mode != .auto || scenario.memory.isLatched { broken.append("authority") }
    if let until = scenario.memory.heldUntil, until > scenario.image.now { broken.append("hold of a person") }
    return broken
  }

  static func brokenByKeeping(_ value: Double, _ scenario: Scenario, _ law: Law) -> [String] {
    var broken = law.broken(by: value, isWrite: false)
    if fresh(setpoint, scenario.image) != value { broken.append("the device shows another value") }
    let memory = scenario.memory
    if memory.isPending, memory.written != value { broken.append("another value is on its way") }
    return broken
  }

  @Test func `what the law allows is permitted as asked`() {
    var safe = 0
    _ = Self.each(11) { scenario, law, asked, verdict in
      guard scenario.representable(asked) == asked, law.broken(by: asked, isWrite: true).isEmpty else { return true }
      safe += 1
      let isSame = (verdict.disposition == .permit || verdict.disposition == .keep) && verdict.value == asked
      // A rounding may stand between the law's sum and the guard's.
      let isOnTheEdge = verdict.binding == .rate && (verdict.value - asked).magnitude <= law.resolution + 1e-9
      #expect(isSame || isOnTheEdge, "\(verdict) of \(asked), seed 11")
      return isSame || isOnTheEdge
    }
    #expect(safe > 3000)
  }

  @Test func `a verdict's own value passes again`() {
    var checked = 0
    _ = Self.each(12) { scenario, law, asked, verdict in
      guard let left = leaving(verdict), left.disposition != .revert else { return true }
      checked += 1
      let again = scenario.safety.check(
        left.value, by: law.person ? .person("p") : .policy(0), envelope: 0, image: scenario.image, mode: law.mode)
      let isStable = (again.disposition == .permit || again.disposition == .keep) && again.value == left.value
      // What an older life wrote may be a number that the register no longer holds.
      guard !isStable, law.isRepresentable(left.value) else { return true }
      #expect(isStable, "\(again) after \(verdict) of \(asked), seed 12")
      return false
    }
    #expect(checked > 10_000)
  }

  @Test func `a higher wish never gives a lower value`() {
    var draw = SeededDraw(seed: 113)
    var pairs = 0
    _ = Self.each(13) { scenario, law, asked, verdict in
      let other = scenario.wish(&draw)
      let second = scenario.safety.check(
        other, by: law.person ? .person("p") : .policy(0), envelope: 0, image: scenario.image, mode: law.mode)
      guard let a = leaving(verdict), let b = leaving(second), a.disposition != .revert, b.disposition != .revert else {
        return true
      }
      pairs += 1
      let isOrdered = asked <= other ? a.value <= b.value : b.value <= a.value
      #expect(isOrdered, "\(asked) gives \(a.value), \(other) gives \(b.value), seed 13")
      return isOrdered
    }
    #expect(pairs > 3000)
  }

  @Test func `the value offered to a person who is refused is allowed`() {
    var offers = 0
    _ = Self.each(14) { scenario, law, asked, verdict in
      guard law.person, verdict.disposition == .refuse, verdict.binding == .range || verdict.binding == .rate else {
        return true
      }
      let isOffered = (0..<verdict.trace.count).allSatisfy {
        verdict.trace[$0].outcome != .fail && verdict.trace[$0].outcome != .unknown
      }
      guard isOffered else { return true }
      offers += 1
      let again = scenario.safety.check(
        verdict.value, by: .person("p"), envelope: 0, image: scenario.image, mode: law.mode)
      let isAllowed = (again.disposition == .permit || again.disposition == .keep) && again.value == verdict.value
      #expect(isAllowed, "\(verdict.value) after \(verdict) of \(asked): \(again), seed 14")
      return isAllowed
    }
    #expect(offers > 300)
  }

  @Test func `a person gets what was asked or nothing`() {
    _ = Self.each(15) { _, law, asked, verdict in
      guard law.person, let left = leaving(verdict) else { return true }
      let isExact = (left.value - asked).magnitude <= law.resolution && left.disposition != .clamp
      #expect(isExact, "\(verdict) of \(asked), seed 15")
      return isExact
    }
  }

  @Test func `memory survives its canonical bytes`() throws {
    var draw = SeededDraw(seed: 16)
    for _ in 0..<3000 {
      let scenario = Scenario(&draw)
      var writer = CanonicalWriter()
      scenario.safety.encodeMemory(to: &writer)
      var restored = SafetyGuard(envelopes: scenario.safety.envelopes)
      var reader = CanonicalReader(writer.bytes)
      try restored.restoreMemory(from: &reader)
      var expected = scenario.memory
      // A budget never drawn on is a full one.
      if expected.tokensAt == nil { expected.tokens = Double(scenario.envelope.writesPerDay ?? 0) }
      #expect(restored.memory[0] == expected && reader.isAtEnd, "seed 16")
    }
  }

  @Test func `giving back goes to the declared fallback, in every mode but observe and shadow`() {
    var draw = SeededDraw(seed: 17)
    for _ in 0..<20_000 {
      let scenario = Scenario(&draw)
      let mode = modes[draw.below(modes.count)]
      let verdict = scenario.safety.giveBack(envelope: 0, because: .interlock, image: scenario.image, mode: mode)
      let left = leaving(verdict)
      #expect((left != nil) == (mode == .auto || mode == .advise || mode == .local))
      let law = Law(scenario: scenario, person: false, mode: mode)
      #expect(verdict.value == law.declaredFallback && scenario.envelope.hard.contains(verdict.value), "seed 17")
    }
  }

  @Test func `an open lease is given back exactly when it must be`() {
    var draw = SeededDraw(seed: 18)
    for _ in 0..<40_000 {
      let scenario = Scenario(&draw)
      let mode = modes[draw.below(modes.count)]
      let (envelope, image) = (scenario.envelope, scenario.image)
      let isStale =
        envelope.whenStale == .revert
        && envelope.required.contains { fresh($0.point, image, within: $0.staleNanoseconds) == nil }
      let isBroken = zip(scenario.conditions, envelope.interlocks).contains { condition, interlock in
        interlock.reverts && condition.holds(image, within: interlock.staleNanoseconds) != true
      }
      let must = mode == .local || mode == .observe || scenario.memory.isLatched || isStale || isBroken
      let rule = scenario.safety.mustGiveBack(envelope: 0, image: image, mode: mode)
      #expect((rule != nil) == must, "\(String(describing: rule)), seed 18")
    }
  }

  @Test func `the nearest register value is the nearest there is`() {
    var draw = SeededDraw(seed: 19)
    for _ in 0..<50_000 {
      let representation = Scenario.representation(&draw)
      let low = draw.between(-60, 60)
      let high = low + (draw.once(in: 4) ? draw.between(0, 0.01) : draw.between(0, 60))
      let wish = draw.anything()
      guard let found = representation.nearest(to: wish, low: low, high: high) else {
        #expect(
          wish.isNaN || representation.nearest(to: low, low: low, high: high) == nil
            || !isDense(representation, low, high))
        continue
      }
      #expect(found >= low && found <= high, "\(representation) \(wish), seed 19")
      guard case .steps(let scale, let offset) = representation else { continue }
      let count = ((found - offset) / scale).rounded(.toNearestOrEven)
      for neighbour in [(count - 1) * scale + offset, (count + 1) * scale + offset]
      where neighbour >= low && neighbour <= high {
        let slack = 1e-9 * (1 + found.magnitude)
        let target = min(max(wish, low), high)
        #expect(
          (found - target).magnitude <= (neighbour - target).magnitude + slack, "\(representation) \(wish), seed 19")
      }
    }
  }

  private func isDense(_ representation: Representation, _ low: Double, _ high: Double) -> Bool {
    switch representation {
    case .float64: true
    case .float32: high - low > 1e-4
    case .steps(let scale, _): high - low > 2 * scale
    }
  }
}
