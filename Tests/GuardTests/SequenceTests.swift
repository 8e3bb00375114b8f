import Testing
import TwinCore

@testable import Guard

/// A register that sometimes ignores a write, applies it late, or moves by itself; with a log of its own.
private struct UnreliableDevice {
  struct Change {
    var at: Int64
    var from: Double
    var to: Double
    var isRevert: Bool
  }

  var value: Double
  var late: (due: Int64, value: Double, isRevert: Bool)?
  var log: [Change] = []
  let isPunctual: Bool

  mutating func write(_ value: Double, isRevert: Bool, at now: Int64, _ draw: inout SeededDraw) -> WriteOutcome {
    switch draw.below(8) {
    case 0: return .unknown
    case 1 where !isPunctual:
      late = (now + Int64(1 + draw.below(90)), value, isRevert)
      return .unknown
    case 2: return .refusedByDevice
    default:
      apply(value, isRevert, now)
      return draw.once(in: 8) ? .unknown : .confirmed
    }
  }

  mutating func pass(to now: Int64) {
    guard let due = late, due.due <= now else { return }
    late = nil
    apply(due.value, due.isRevert, now)
  }

  private mutating func apply(_ value: Double, _ isRevert: Bool, _ now: Int64) {
    log.append(Change(at: now, from: self.value, to: value, isRevert: isRevert))
    self.value = value
  }
}

@Suite struct `A long run with an unreliable device` {
  static let rising = 0.6 / 60
  static let falling = 0.3 / 60
  static let window: Int64 = 60
  static let writesPerDay = 96

  private static func run(_ seed: UInt64, isPunctual: Bool) -> (device: UnreliableDevice, ticks: Int64) {
    var draw = SeededDraw(seed: seed)
    let flow = Interlock(
      text: "flow", condition: Formula([.point(PointIndex(1)), .constant(0.1), .greater])!,
      staleNanoseconds: 120 * second)
    var safety = SafetyGuard(envelopes: [
      Envelope(
        id: "e", point: setpoint, hard: 10...30,
        rate: RateLimit(risingPerSecond: rising, fallingPerSecond: falling, windowNanoseconds: window * second),
        holdNanoseconds: 20 * second, interlocks: [flow], writesPerDay: writesPerDay, fallback: Fallback(value: 20),
        leaseNanoseconds: 300 * second, deadMan: .deviceWatchdog, representation: .steps(scale: 0.1, offset: 0))
    ])
    var device = UnreliableDevice(value: 20, isPunctual: isPunctual)
    var image = PointImage(count: pointCount, now: Uptime(nanoseconds: 0))
    let ticks: Int64 = 4000
    for tick in 1...ticks {
      let now = tick * 10
      device.pass(to: now)
      if !isPunctual, draw.once(in: 300) { device.value = (draw.between(100, 300)).rounded() * 0.1 }
      image.now = Uptime(nanoseconds: now * second)
      for (position, value) in [(0, device.value), (1, draw.once(in: 200) ? 0 : 1)]
      where position == 0 || !draw.once(in: 4) {
        image.states[position] = PointImage.State(
          value: value, quality: draw.once(in: 300) ? .failed : .good, effective: Instant(nanoseconds: 0),
          uptime: image.now, freshUntil: image.now.advanced(byNanoseconds: 60 * second))
      }
      safety.settle(over: image)
      var verdict = safety.check(
        draw.once(in: 50) ? draw.anything() : draw.between(8, 32), by: .policy(0), envelope: 0, image: image,
        mode: .auto)
      if safety.memory[0].hasOpenLease, let rule = safety.mustGiveBack(envelope: 0, image: image, mode: .auto) {
        verdict = safety.giveBack(envelope: 0, because: rule, image: image, mode: .auto)
      } else if verdict.disposition == .revert, !safety.memory[0].hasOpenLease {
        continue
      }
      guard let left = leaving(verdict) else { continue }
      safety.carriedOut(verdict, at: image.now)
      guard left.disposition != .keep else { continue }
      let outcome = device.write(left.value, isRevert: left.disposition == .revert, at: now, &draw)
      safety.settled(envelope: 0, outcome)
    }
    return (device, ticks * 10)
  }

  @Test(arguments: (0..<20).map { UInt64(1000 + $0) }) func `the device's own log keeps every limit`(seed: UInt64) {
    for isPunctual in [true, false] {
      let (device, seconds) = Self.run(seed, isPunctual: isPunctual)
      let changes = device.log
      #expect(changes.count > 30, "seed \(seed)")
      #expect(changes.allSatisfy { (10...30).contains($0.to) }, "seed \(seed)")
      #expect(changes.allSatisfy { !$0.isRevert || $0.to == 20 }, "seed \(seed)")
      let wanted = changes.filter { !$0.isRevert }
      #expect(Double(wanted.count) <= Double(Self.writesPerDay) * (1 + Double(seconds) / 86_400), "seed \(seed)")
      for (earlier, later) in zip(wanted, wanted.dropFirst()) where isPunctual {
        #expect(later.at - earlier.at >= 20, "seed \(seed)")
      }
      guard isPunctual else { continue }
      for change in wanted {
        let step = change.to - change.from
        #expect(step <= Self.rising * 60 + 1e-9 && -step <= Self.falling * 60 + 1e-9, "\(change), seed \(seed)")
      }
    }
  }
}
