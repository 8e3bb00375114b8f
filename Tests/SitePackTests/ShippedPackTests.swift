import Agents
import Collectors
import Guard
import Provenance
import SiteKernel
import SitePack
import Testing
import TwinCore
import TwinGraph

@Suite struct `The shipped packs` {
  @Test(arguments: ["demo", "amphitheatre"]) func `check clean and pass their tests`(name: String) throws {
    let result = Pack.load(try shipped(name)) { $0.hasPrefix("Europe/") }
    #expect(result.problems.map(\.description) == [])
    let report = try #require(result.pack).test()
    for test in report.results {
      #expect(test.isPassed, "\(test.file):\(test.line): \(test.name): wanted \(test.expected), got \(test.got)")
    }
    #expect(report.isPassed)
  }

  @Test func `demo compiles to what the kernel and the collector take`() throws {
    let pack = try #require(Pack.load(try shipped("demo")).pack)
    #expect(throws: PackFault.self) { try pack.compile(timeZone: .utc, hash: testHash) }
    let zone = try TimeZoneRules(tzif: timeZoneFile("Europe/Paris"), name: "Europe/Paris")
    let compiled = try pack.compile(timeZone: zone, hash: testHash)
    let definition = compiled.definition
    #expect(definition.id == "example.demo")
    #expect(definition.groups.count == compiled.layouts.count)
    for (group, layout) in zip(definition.groups, compiled.layouts) {
      #expect(group.points.map { definition.points[$0.position].id } == layout.points)
      #expect(group.points.map { definition.points[$0.position].unit } == layout.units)
    }
    // Every measured point is in exactly one group; every derived one in none.
    let grouped = definition.groups.flatMap(\.points)
    #expect(Set(grouped).count == grouped.count)
    #expect(grouped.count + definition.derived.count == definition.points.count)
    let sp = try #require(pack.index(of: "chiller-1.chw_supply_sp"))
    let envelope = try #require(definition.envelopes.first { $0.point == sp })
    #expect(envelope.hard == 5.5...9 && envelope.leaseNanoseconds == 60_000_000_000)
    #expect(envelope.deadMan == .deviceWatchdog && envelope.interlocks.count == 2)
    #expect(envelope.rate?.risingPerSecond == 0.5 / 60 && envelope.rate?.windowNanoseconds == 60_000_000_000)
    let pump = try #require(definition.envelopes.first { $0.id == "pump-safe" })
    #expect(pump.deadMan == .unattendedAccepted)
    let watchdog = pack.devices[0].points.first { $0.name == "chw_supply_sp" }?.write?.watchdog
    #expect(watchdog == DeviceWatchdog(address: 32, timeoutSeconds: 30, refreshSeconds: 10))
    #expect(
      definition.alarms.first { $0.id == "hall-hot" }?.cause == definition.alarms.firstIndex { $0.id == "chw-warm" })
    #expect(pack.graph.path(from: "comp-1", to: "demo")?.map(\.id) == ["comp-1", "chiller-1", "demo"])
    #expect(pack.graph.neighbours(of: "chiller-1", along: [.controls]).map(\.id) == ["chiller-1.chw_supply_sp"])
  }

  @Test func `demo's reset curve gives way to the price`() throws {
    let pack = try #require(Pack.load(try shipped("demo")).pack)
    let policy = try #require(pack.policies.first { $0.id == "chw-reset" })
    guard case .curve(let input, let knots) = policy.rule else {
      Issue.record("no curve")
      return
    }
    let wetBulb = try #require(pack.index(of: "weather.wet_bulb_t"))
    func effective(_ price: Double) -> Double? { input.evaluate { $0 == wetBulb ? 18 : price } }
    #expect(effective(0.21) == 18)
    #expect(abs((effective(0.34) ?? .nan) - 14) < 1e-9)
    #expect(knots.first?.output == 8.5 && knots.last?.output == 6)
  }

  /// The plant's own rule, a little warmer and with a little less air.
  @Test func `amphitheatre's policies are the setback rule`() throws {
    let pack = try #require(Pack.load(try shipped("amphitheatre")).pack)
    let (zone, heating) = (try #require(pack.index(of: "ahu.zone_t")), try #require(pack.index(of: "ahu.heating_sp")))
    var dice = Dice(11)
    for _ in 0..<500 {
      let (z, h) = (10 + Double(dice.roll(2000)) / 100, 10 + Double(dice.roll(1500)) / 100)
      func value(_ id: String) throws -> Double {
        let policy = try #require(pack.policies.first { $0.id == id })
        guard case .formula(let formula) = policy.rule else { return .nan }
        return formula.evaluate { $0 == zone ? z : $0 == heating ? h : nil } ?? .nan
      }
      #expect(abs(try value("supply-t") - min(max(h + 0.3 + 4 * (h + 0.3 - z), 14), 38)) < 1e-9)
      #expect(try value("setback") == (h > 18 || z < 15.5 ? 1 : 0))
      #expect(try value("flow") == 2.68)
    }
    let time = try #require(pack.site.time)
    #expect(time.counter == "ahu.step" && time.stepNanoseconds == 900_000_000_000)
    #expect(time.epoch == Instant(rfc3339: "2026-01-12T23:00:00Z"))
    #expect(pack.points.allSatisfy { $0.staleNanoseconds == 1_800_000_000_000 })
  }

  @Test func `digests follow the files that they name`() throws {
    let original = try shipped("demo")
    func digests(changing path: String?) throws -> SiteDigests {
      let changed = original.map {
        $0.path == path ? PackFile(path: $0.path, bytes: $0.bytes + Array("# x\n".utf8)) : $0
      }
      return try #require(Pack.load(changed.reversed()).pack).digests(testHash)
    }
    let plain = try digests(changing: nil)
    let envelope = try digests(changing: "envelopes.yaml")
    #expect(plain.pack != envelope.pack && plain.envelope != envelope.envelope)
    #expect(plain.policy == envelope.policy && plain.model == envelope.model)
    let tariff = try digests(changing: "tariffs.yaml")
    #expect(plain.policy != tariff.policy && plain.envelope == tariff.envelope)
  }
}
