import Agents
import Guard
import Models
import SiteKernel
import Sodium
import Testing
import TwinCore

@testable import Harnesses

private let second: Int64 = 1_000_000_000

/// A setpoint that follows the weather; `ceiling` is what it asks for in the cold.
private func site(ceiling: Double = 26, groups: Int = 1, id: String = "acme.lyon") -> SiteDefinition {
  let point = { (id: String) in
    PointDefinition(
      id: id, unit: "Cel", staleNanoseconds: 600 * second,
      estimator: EstimatorSettings(
        measurementVariance: 0.04, processVariancePerSecond: 1e-4, isContinuous: true, halfLifeNanoseconds: 60 * second)
    )
  }
  let all = [PointIndex(0), PointIndex(1)]
  return SiteDefinition(
    id: id, name: "Lyon", points: ["c.setpoint", "w.outdoor"].map(point),
    groups: Array(repeating: GroupDefinition(points: all), count: groups),
    envelopes: [
      Envelope(
        id: "setpoint", point: all[0], hard: 10...30, fallback: Fallback(value: 20), leaseNanoseconds: 600 * second,
        deadMan: .deviceWatchdog, representation: .float64)
    ],
    policies: [
      Policy(
        id: "weather", target: all[0],
        rule: .curve(
          input: Formula([.point(all[1])])!, knots: [.init(input: 0, output: ceiling), .init(input: 40, output: 18)]),
        periodNanoseconds: 60 * second)
    ])
}

private func ticks(_ count: Int, outdoor: (Int) -> Double) -> [Tick] {
  (1...count).map { number in
    let uptime = Uptime(nanoseconds: Int64(number) * 60 * second)
    let at = Instant(rfc3339: "2026-01-13T06:00:00Z")!.advanced(byNanoseconds: uptime.nanoseconds)
    let frame = Frame(
      group: 0, sequence: Int64(number), effective: at, observed: at, uptime: uptime, values: [20, outdoor(number)],
      qualities: [.good, .good])
    let session = Command.session(isNewBoot: true, mode: .auto, ceiling: .auto)
    return Tick(
      number: Int64(number), instant: at, uptime: uptime, frames: [frame], commands: number == 1 ? [session] : [])
  }
}

private func shadow(_ other: SiteDefinition) -> Shadow {
  Shadow(SiteKernel(site(), hash: Sodium.blake2b256), beside: SiteKernel(other, hash: Sodium.blake2b256))
}

@Suite struct `The same ticks under another pack` {
  @Test func `the same pack decides the same`() {
    var shadow = shadow(site())
    for tick in ticks(50, outdoor: { Double($0 % 30) }) { shadow.step(tick) }
    #expect(shadow.report.isSame)
    #expect(shadow.report.ticks == 50)
    #expect(shadow.report.points.map(\.id) == ["c.setpoint"])
    #expect(shadow.report.points[0].recorded > 10)
    #expect(shadow.report.points[0].recorded == shadow.report.points[0].other)
  }

  @Test func `a warmer curve parts from it where it is cold, and by how much`() throws {
    var shadow = shadow(site(ceiling: 28))
    for tick in ticks(40, outdoor: { $0 <= 10 ? 40 : 0 }) { shadow.step(tick) }
    let point = try #require(shadow.report.points.first)
    #expect(point.ticksApart == 30)
    #expect(point.largest == 2)
    #expect(point.partings.map(\.tick) == [11])
    #expect(point.partings.first?.recorded == 26)
    #expect(point.partings.first?.other == 28)
    #expect(!shadow.report.isSame)
  }

  @Test func `tells from where on the recorded side does not come out as recorded`() {
    var shadow = shadow(site())
    var kernel = SiteKernel(site(), hash: Sodium.blake2b256)
    var outcome = Outcome()
    for tick in ticks(9, outdoor: { Double($0) }) {
      kernel.step(tick, into: &outcome)
      #expect(shadow.report.otherwiseFrom == (tick.number <= 5 ? nil : 5))
      shadow.step(tick, fingerprint: tick.number >= 5 ? .zero : outcome.fingerprint)
    }
    #expect(shadow.report.ticks == 9)
    #expect(shadow.report.isSame)
  }

  @Test func `objects to a pack that reads the ticks otherwise`() {
    #expect(Shadow.objection(to: site(ceiling: 28), beside: site()) == nil)
    #expect(Shadow.objection(to: site(groups: 2), beside: site())?.contains("groups") == true)
    #expect(Shadow.objection(to: site(id: "acme.paris"), beside: site())?.contains("acme.paris") == true)
    var swapped = site()
    swapped.points.swapAt(0, 1)
    #expect(Shadow.objection(to: swapped, beside: site())?.contains("w.outdoor") == true)
  }
}
