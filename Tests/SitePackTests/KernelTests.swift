import Guard
import SiteKernel
import SitePack
import Testing
import TwinCore

/// The shipped packs in the hands of the kernel: points, groups, policies and envelopes must fit each other.
@Suite struct `A shipped pack in the kernel` {
  /// Two ticks in `auto` with every measured point given: `values` by id, otherwise `usual`.
  private func decisions(_ name: String, usual: Double, _ values: [String: Double]) throws -> [String: Verdict] {
    let pack = try #require(Pack.load(try shipped(name)).pack)
    let zone = try TimeZoneRules(tzif: timeZoneFile(pack.site.timeZone), name: pack.site.timeZone)
    let compiled = try pack.compile(timeZone: zone, hash: testHash)
    var kernel = SiteKernel(compiled.definition, hash: testHash)
    var outcome = Outcome()
    // A Tuesday noon: outside of the tariffs' peaks.
    let noon = try #require(Instant(rfc3339: "2026-01-13T12:00:00Z"))
    var found: [String: Verdict] = [:]
    for number in 1...2 {
      let uptime = Uptime(nanoseconds: Int64(number) * 1_000_000_000_000)
      let frames = compiled.layouts.map { layout in
        Frame(
          group: layout.group, sequence: Int64(number) * 100 + Int64(layout.group) + 1, effective: noon, observed: noon,
          uptime: uptime, values: layout.points.map { values[$0] ?? usual },
          qualities: layout.points.map { _ in .good })
      }
      let tick = Tick(
        number: Int64(number), instant: noon, uptime: uptime, frames: frames,
        commands: number == 1 ? [.session(isNewBoot: true, mode: .auto, ceiling: .auto)] : [])
      kernel.step(tick, into: &outcome)
      for decision in outcome.decisions {
        found[compiled.definition.points[decision.proposal.point.position].id] = decision.verdict
      }
    }
    return found
  }

  @Test func `demo moves towards its reset curve`() throws {
    let verdicts = try decisions(
      "demo", usual: 20,
      [
        "chiller-1.chw_supply_t": 6.6, "chiller-1.chw_supply_sp": 6.5, "chiller-1.run_state": 2, "hall-a.dew_point": 2,
        "hall-a.zone_t": 24, "hall-a.cooling_load": 75_000, "weather.wet_bulb_t": 14, "pump-1.speed": 0.8,
      ])
    let chw = try #require(verdicts["chiller-1.chw_supply_sp"])
    // Halfway along the curve is 7.25 °C; the rate allows half a kelvin.
    #expect(abs(chw.asked - 7.25) < 1e-9)
    #expect(chw.disposition == .clamp && chw.binding == .rate && abs(chw.value - 7) < 1e-9 && chw.isExecutable)
    let pump = try #require(verdicts["pump-1.speed"])
    #expect(abs(pump.asked - 0.7) < 1e-9 && pump.disposition == .permit)
  }

  @Test func `amphitheatre writes what the setback rule asks`() throws {
    let values = [
      "ahu.zone_t": 19.0, "ahu.heating_sp": 21, "ahu.supply_t_sp": 21, "ahu.supply_flow_sp": 2, "ahu.ahu_on": 0,
    ]
    let verdicts = try decisions("amphitheatre", usual: 1, values)
    for (point, wanted) in [("ahu.supply_t_sp", 30.5), ("ahu.ahu_on", 1), ("ahu.supply_flow_sp", 2.68)] {
      let verdict = try #require(verdicts[point], "\(point)")
      #expect(verdict.disposition == .permit && verdict.isExecutable, "\(point): \(verdict.disposition)")
      // The plant counts a command beyond 1e-4 of its range as clamped.
      #expect(abs(verdict.value - wanted) < 1e-5, "\(point)")
    }
  }
}
