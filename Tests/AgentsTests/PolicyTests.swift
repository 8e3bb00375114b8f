import FoundationEssentials
import Testing
import TwinCore

@testable import Agents

private let second: Int64 = 1_000_000_000

private func image(_ values: [Double?], at seconds: Int64 = 0) -> PointImage {
  var image = PointImage(count: values.count, now: Uptime(nanoseconds: seconds * second))
  for (position, value) in values.enumerated() {
    guard let value else { continue }
    image.states[position] = PointImage.State(
      value: value, quality: .good, effective: .distantPast, uptime: image.now, freshUntil: image.now)
  }
  return image
}

private func date(_ text: String, _ offset: Int = 0) -> CivilDate {
  CivilDate(Instant(rfc3339: text)!, offsetSeconds: offset)
}

@Suite struct `Week schedules` {
  /// 2026-01-12 is a Monday.
  @Test(arguments: [
    ("2026-01-12T21:59:59Z", 0.0), ("2026-01-12T22:00:00Z", 1), ("2026-01-12T23:59:59Z", 1),
    ("2026-01-13T00:00:00Z", 1),
    ("2026-01-13T05:59:59Z", 1), ("2026-01-13T06:00:00Z", 0), ("2026-01-13T22:00:00Z", 0), ("2026-01-12T05:00:00Z", 0),
    ("2026-01-18T22:30:00Z", 2), ("2026-01-19T01:00:00Z", 2), ("2026-01-19T02:00:00Z", 0),
  ]) func `a window over midnight belongs to the day on which it began`(text: String, value: Double) {
    let schedule = WeekSchedule(
      base: 0,
      windows: [
        .init(days: 0b0000001, from: 22 * 3600, to: 6 * 3600, value: 1),
        .init(days: 0b1000000, from: 22 * 3600, to: 2 * 3600, value: 2),
      ])
    #expect(schedule.value(at: date(text)) == value)
  }

  @Test func `the first window that contains the time counts, and an empty one never does`() {
    let schedule = WeekSchedule(
      base: 0,
      windows: [
        .init(days: 0x7f, from: 3600, to: 3600, value: 9), .init(days: 0x7f, from: 0, to: 7200, value: 1),
        .init(days: 0x7f, from: 0, to: 86_400, value: 2),
      ])
    #expect(
      schedule.value(at: date("2026-01-12T01:00:00Z")) == 1 && schedule.value(at: date("2026-01-12T23:59:59Z")) == 2)
  }

  /// In Paris 2026-03-29 has no 02:30 and 2026-10-25 has two.
  @Test func `a day on which the clock changes keeps local time`() throws {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/Europe/Paris")))
    let zone = try TimeZoneRules(tzif: bytes, name: "Europe/Paris")
    let schedule = WeekSchedule(base: 0, windows: [.init(days: 0x7f, from: 2 * 3600, to: 3 * 3600, value: 1)])
    func seconds(_ day: String) -> Int {
      let midnight = Instant(rfc3339: day + "T00:00:00Z")!
      return stride(from: Int64(-7200), to: 90_000, by: 60).reduce(0) { sum, elapsed in
        let at = midnight.advanced(byNanoseconds: elapsed * second)
        let local = CivilDate(at, offsetSeconds: zone.offsetSeconds(at: at))
        return sum + (local.day == CivilDate(midnight).day && schedule.value(at: local) == 1 ? 60 : 0)
      }
    }
    #expect(seconds("2026-03-28") == 3600 && seconds("2026-03-29") == 0 && seconds("2026-10-25") == 7200)
  }
}

@Suite struct `Policies` {
  private static let target = PointIndex(0)

  private static func policy(_ id: String, _ value: Double, priority: Int32 = 0, if condition: Formula? = nil) -> Policy
  {
    Policy(
      id: id, target: target, priority: priority, condition: condition, rule: .formula(.constant(value)),
      periodNanoseconds: 60 * second)
  }

  @Test(arguments: [(-5.0, 26.0), (0, 26), (10, 24), (20, 22), (30, 18), (99, 18)])
  func `a curve is flat beyond its ends`(
    input: Double, output: Double
  ) {
    let knots: [PolicyRule.Knot] = [
      .init(input: 0, output: 26), .init(input: 20, output: 22), .init(input: 30, output: 18),
    ]
    #expect(PolicyRule.interpolate(knots, at: input) == output)
    #expect(PolicyRule.interpolate([.init(input: 5, output: 7)], at: input) == 7)
  }

  @Test func `the highest whose condition holds speaks, and unknown is silent`() {
    let condition = Formula.point(PointIndex(1))
    var router = PolicyRouter(policies: [
      Self.policy("base", 20), Self.policy("eco", 25, priority: 5, if: condition), Self.policy("twin", 21),
    ])
    func spoken(_ flag: Double?, at seconds: Int64) -> [Double] {
      var proposals: [Proposal] = []
      router.propose(over: image([20, flag], at: seconds), at: date("2026-01-12T00:00:00Z"), into: &proposals)
      return proposals.map(\.value)
    }
    #expect(spoken(1, at: 0) == [25])
    #expect(spoken(0, at: 0) == [20])
    #expect(spoken(0, at: 59).isEmpty)
    #expect(spoken(1, at: 60) == [25])
    #expect(spoken(nil, at: 120) == [20])
  }

  @Test func `effects add up to the change, and the state survives its bytes`() throws {
    let sum = Formula([.point(PointIndex(1)), .point(PointIndex(2)), .multiply])!
    let policy = Policy(id: "p", target: Self.target, rule: .formula(sum), periodNanoseconds: second)
    var router = PolicyRouter(policies: [policy])
    let noon = date("2026-01-12T12:00:00Z")
    #expect(router.contributions(of: 0, over: image([0, 1, 1]), at: noon).isEmpty, "nothing was written yet")
    router.anchor(0, over: image([0, 2, 3]))
    var writer = CanonicalWriter()
    router.encode(to: &writer)
    var restored = PolicyRouter(policies: [policy])
    var reader = CanonicalReader(writer.bytes)
    try restored.restore(from: &reader)
    for router in [router, restored] {
      let parts = router.contributions(of: 0, over: image([0, 4, 5]), at: noon)
      #expect(parts.map(\.effect) == [6, 8] && parts.map(\.before) == [2, 3] && parts.map(\.value) == [4, 5])
      #expect(router.contributions(of: 0, over: image([0, 2, 4]), at: noon).map(\.effect) == [2])
      #expect(router.contributions(of: 0, over: image([0, nil, 4]), at: noon).isEmpty)
    }
  }
}
