import Testing
import TwinCore

@testable import Guard

private func plain(
  rate: RateLimit? = nil, hold: Int64 = 0, writesPerDay: Int? = nil, violation: ViolationResponse = .clamp,
  interlocks: [Interlock] = [], lease: Int64 = 600
) -> Envelope {
  Envelope(
    id: "e", point: setpoint, hard: 10...30, rate: rate, holdNanoseconds: hold * second, interlocks: interlocks,
    writesPerDay: writesPerDay, violation: violation, fallback: Fallback(value: 20), leaseNanoseconds: lease * second,
    deadMan: .deviceWatchdog, representation: .steps(scale: 0.5, offset: 0))
}

private func image(showing value: Double, at seconds: Int64, input: Double = 1) -> PointImage {
  var image = PointImage(count: pointCount, now: Uptime(nanoseconds: seconds * second))
  for position in 0..<pointCount {
    image.states[position] = PointImage.State(
      value: position == 0 ? value : input, quality: .good, effective: Instant(nanoseconds: 0), uptime: image.now,
      freshUntil: image.now.advanced(byNanoseconds: 60 * second))
  }
  return image
}

extension SafetyGuard {
  fileprivate func ask(_ value: Double, _ image: PointImage, by actor: Actor = .policy(0), mode: Mode = .auto)
    -> Verdict
  {
    check(value, by: actor, envelope: 0, image: image, mode: mode)
  }
}

@Suite struct `What the guard remembers` {
  static let minute = RateLimit(risingPerSecond: 1.0 / 60, fallingPerSecond: 1.0 / 60, windowNanoseconds: 60 * second)

  @Test func `a write whose outcome is unknown counts as made`() {
    var safety = SafetyGuard(envelopes: [plain(rate: Self.minute, writesPerDay: 3)])
    let first = safety.ask(21, image(showing: 20, at: 1000))
    #expect(first.disposition == .permit && first.value == 21)
    safety.carriedOut(first, at: Uptime(nanoseconds: 1000 * second))
    safety.settled(envelope: 0, .unknown)
    #expect(safety.memory[0].tokens == 2)

    // The device may be at 20 or at 21: a minute later both must allow the step.
    let up = safety.ask(22, image(showing: 20, at: 1060))
    #expect(up.disposition == .clamp && up.value == 21 && up.binding == .rate)
    let down = safety.ask(19, image(showing: 20, at: 1060))
    #expect(down.disposition == .clamp && down.value == 20)
    // At once neither does.
    #expect(safety.ask(22, image(showing: 20, at: 1000)).disposition == .refuse)
    // A confirmed write frees it.
    safety.settled(envelope: 0, .confirmed)
    #expect(safety.ask(22, image(showing: 21, at: 1060)).value == 22)
  }

  @Test func `a younger reading settles an open write`() {
    var safety = SafetyGuard(envelopes: [plain(rate: Self.minute)])
    safety.carriedOut(safety.ask(21, image(showing: 20, at: 1000)), at: Uptime(nanoseconds: 1000 * second))
    safety.settle(over: image(showing: 21, at: 1000))
    #expect(safety.memory[0].isPending, "a reading no younger than the write proves nothing")
    safety.settle(over: image(showing: 20, at: 1599))
    #expect(safety.memory[0].isPending, "it may still be on its way")
    var shown = safety
    shown.settle(over: image(showing: 21, at: 1001))
    #expect(!shown.memory[0].isPending)
    safety.settle(over: image(showing: 20, at: 1600))
    #expect(!safety.memory[0].isPending)
  }

  @Test func `what was given back is not taken up again by resting`() {
    var safety = SafetyGuard(envelopes: [plain(hold: 300)])
    safety.gaveBack(envelope: 0, value: 20, at: Uptime(nanoseconds: 1000 * second))
    safety.settled(envelope: 0, .confirmed)
    let early = safety.ask(22, image(showing: 20, at: 1010))
    #expect(early.disposition == .refuse && early.binding == .hold)
    safety.carriedOut(safety.ask(22, image(showing: 20, at: 1300)), at: Uptime(nanoseconds: 1300 * second))
    safety.settled(envelope: 0, .confirmed)
    let kept = safety.ask(24, image(showing: 22, at: 1310))
    #expect(kept.disposition == .keep && kept.value == 22 && kept.binding == .hold)
  }

  @Test func `a person is refused outside the range even where the device stands at the limit`() {
    let safety = SafetyGuard(envelopes: [plain()])
    let refused = safety.ask(35, image(showing: 30, at: 1000), by: .person("p"))
    #expect(refused.disposition == .refuse && refused.binding == .range && refused.value == 30)
    let clamped = safety.ask(35, image(showing: 30, at: 1000))
    #expect(clamped.disposition == .keep && clamped.value == 30)
    for (violation, expected) in [
      (ViolationResponse.refuse, Verdict.Disposition.refuse), (.revert, .revert), (.local, .revert),
    ] {
      let strict = SafetyGuard(envelopes: [plain(violation: violation)])
      #expect(strict.ask(35, image(showing: 30, at: 1000)).disposition == expected)
    }
  }

  @Test func `what the register rounds to what it holds is not written`() {
    let half = RateLimit(risingPerSecond: 0.4 / 60, fallingPerSecond: 0.4 / 60, windowNanoseconds: 60 * second)
    let safety = SafetyGuard(envelopes: [plain(rate: half)])
    // 20.3 lies within the rate, its register value 20.5 does not.
    let verdict = safety.ask(20.3, image(showing: 20, at: 1000))
    #expect(verdict.disposition == .keep && verdict.value == 20)
  }

  @Test func `a device beyond what the rate can bring back binds by the rate`() {
    let safety = SafetyGuard(envelopes: [plain(rate: Self.minute)])
    let verdict = safety.ask(25, image(showing: 90, at: 1000))
    #expect(verdict.disposition == .refuse && verdict.binding == .rate)
  }

  @Test func `a violation can send the point to local control until a person resets it`() {
    var safety = SafetyGuard(envelopes: [plain(violation: .local)])
    let verdict = safety.ask(35, image(showing: 22, at: 1000))
    #expect(verdict.disposition == .revert && verdict.value == 20)
    safety.carriedOut(verdict, at: Uptime(nanoseconds: 1000 * second))
    #expect(safety.ask(22, image(showing: 20, at: 2000)).binding == .latch)
    #expect(safety.ask(22, image(showing: 20, at: 2000), by: .person("p")).binding == .latch)
    safety.reset(envelope: 0)
    #expect(safety.ask(22, image(showing: 20, at: 2000)).disposition == .permit)
  }

  @Test func `a latch stays after its condition came back, and unknown does not set it`() {
    let interlock = Interlock(
      text: "flow", condition: Formula([.point(PointIndex(1)), .constant(0.5), .greater])!,
      staleNanoseconds: 60 * second,
      latching: true)
    var safety = SafetyGuard(envelopes: [plain(interlocks: [interlock])])
    var unknown = image(showing: 20, at: 1000)
    unknown.states[1].quality = .failed
    safety.latch(over: unknown)
    #expect(!safety.memory[0].isLatched && safety.ask(21, unknown).binding == .interlock)
    safety.latch(over: image(showing: 20, at: 1000, input: 0))
    safety.latch(over: image(showing: 20, at: 1001, input: 1))
    #expect(safety.ask(21, image(showing: 20, at: 1001)).binding == .latch)
    safety.reset(envelope: 0)
    #expect(safety.ask(21, image(showing: 20, at: 1001)).disposition == .permit)
  }

  @Test func `a condition that cannot be computed is not true`() {
    // 1 / x is infinite at 0, and 0 / 0 is no number: neither is more, less or other than anything.
    for steps: [Formula.Step] in [
      [.constant(1), .point(PointIndex(1)), .divide, .constant(5), .greater],
      [.point(PointIndex(1)), .point(PointIndex(1)), .divide, .constant(5), .greater, .not],
      [.point(PointIndex(1)), .logarithm, .constant(5), .notEqual],
    ] {
      let interlock = Interlock(text: "", condition: Formula(steps)!, staleNanoseconds: 60 * second)
      let safety = SafetyGuard(envelopes: [plain(interlocks: [interlock])])
      let verdict = safety.ask(21, image(showing: 20, at: 1000, input: 0))
      #expect(verdict.disposition == .revert && verdict.binding == .interlock, "\(steps)")
    }
  }

  @Test func `a new boot rests and earns nothing`() {
    var safety = SafetyGuard(envelopes: [plain(rate: Self.minute, hold: 300, writesPerDay: 24)])
    safety.carriedOut(safety.ask(21, image(showing: 20, at: 90_000)), at: Uptime(nanoseconds: 90_000 * second))
    safety.settled(envelope: 0, .confirmed)
    safety.rebase(at: Uptime(nanoseconds: 5 * second), heldFor: [0: 30 * second])
    let memory = safety.memory[0]
    #expect(memory.tokens(at: Uptime(nanoseconds: 5 * second), writesPerDay: 24) == 23)
    #expect(!memory.hasOpenLease && memory.heldUntil == Uptime(nanoseconds: 35 * second))
    #expect(safety.ask(22, image(showing: 21, at: 20)).binding == .operatorHold)
    #expect(safety.ask(22, image(showing: 21, at: 40)).binding == .hold)
  }

  @Test func `a clock that runs back earns no time twice`() {
    var safety = SafetyGuard(envelopes: [plain(writesPerDay: 24)])
    var draw = SeededDraw(seed: 21)
    var written = 0
    var seconds: Int64 = 1_000_000
    var highest = seconds
    for _ in 0..<5000 {
      seconds += Int64(draw.below(20_000)) - 9000
      highest = max(highest, seconds)
      let verdict = safety.ask(draw.once(in: 2) ? 15 : 25, image(showing: 20, at: seconds))
      guard verdict.disposition == .permit else { continue }
      safety.carriedOut(verdict, at: Uptime(nanoseconds: seconds * second))
      safety.settled(envelope: 0, .confirmed)
      written += 1
    }
    #expect(Double(written) <= 24 + Double(highest - 1_000_000) / 3600 + 1, "\(written), seed 21")
    #expect(safety.memory[0].tokens(at: .never, writesPerDay: 24) == 24)
  }

  @Test func `a changed pack keeps the budget honest`() throws {
    func moved(_ from: SafetyGuard, to envelope: Envelope) throws -> EnvelopeMemory {
      var writer = CanonicalWriter()
      from.encodeMemory(to: &writer)
      var next = SafetyGuard(envelopes: [envelope])
      var reader = CanonicalReader(writer.bytes)
      try next.restoreMemory(from: &reader)
      return next.memory[0]
    }
    let now = Uptime(nanoseconds: 1000 * second)
    var free = SafetyGuard(envelopes: [plain()])
    free.carriedOut(free.ask(21, image(showing: 20, at: 1000)), at: now)
    #expect(try moved(free, to: plain(writesPerDay: 5)).tokens(at: now, writesPerDay: 5) == 5)
    let wide = SafetyGuard(envelopes: [plain(writesPerDay: 100)])
    #expect(try moved(wide, to: plain(writesPerDay: 5)).tokens(at: now, writesPerDay: 5) == 5)
  }

  @Test func `broken bytes are refused, never trusted`() throws {
    var draw = SeededDraw(seed: 22)
    for _ in 0..<20_000 {
      let scenario = Scenario(&draw)
      var writer = CanonicalWriter()
      scenario.safety.encodeMemory(to: &writer)
      var bytes = writer.bytes
      for _ in 0...draw.below(3) {
        let place = draw.below(bytes.count)
        switch draw.below(3) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: draw.bits())
        case 1: bytes.removeSubrange(place...)
        default: bytes.insert(UInt8(truncatingIfNeeded: draw.bits()), at: place)
        }
        if bytes.isEmpty { break }
      }
      var safety = scenario.safety
      var reader = CanonicalReader(bytes)
      try? safety.restoreMemory(from: &reader)
      // Whatever came back, a check answers.
      _ = safety.ask(draw.anything(), scenario.image)
    }
  }
}
