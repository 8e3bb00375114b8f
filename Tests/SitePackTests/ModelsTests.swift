import Models
import Provenance
import SiteKernel
import SitePack
import Testing
import TwinCore

private func demo(_ models: String?) throws -> PackResult {
  var pack = try shipped("demo").filter { $0.path != "models.yaml" }
  if let models { pack.append(PackFile(path: "models.yaml", bytes: Array(models.utf8))) }
  return Pack.load(pack)
}

@Suite struct `Models of a pack` {
  @Test func `are proposed for amphitheatre, which names none`() throws {
    let pack = try #require(Pack.load(try shipped("amphitheatre")).pack)
    #expect(pack.models.map(\.id) == ["ahu-air-handler", "ahu-zone"])
    #expect(pack.models.map(\.templates) == [["air-handler.coil"], ["zone.three-mass"]])
    let (handler, zone) = (pack.models[0], pack.models[1])
    #expect(
      Set(handler.physics.inputs.map(\.name)) == [
        "ahu.supply_t_sp_applied", "ahu.ahu_on_applied", "ahu.supply_flow_sp_applied", "ahu.outdoor_t",
      ])
    #expect(Set(handler.physics.outputs.map(\.name)) == ["ahu.supply_t", "ahu.electricity_j", "ahu.heat_j"])
    #expect(
      Set(zone.physics.inputs.map(\.name)).isSuperset(of: [
        "ahu.supply_t", "ahu.supply_flow", "ahu.outdoor_t", "ahu.solar_direct", "ahu.occupancy",
      ]))
    #expect(zone.physics.outputs.map(\.name) == ["ahu.zone_t"])
    for model in pack.models {
      #expect(model.asset == "ahu" && model.physics.problems() == [])
      #expect(model.stepNanoseconds == 900_000_000_000 && model.horizons == [1, 4, 24])
      for (input, binding) in zip(model.physics.inputs, model.inputs) {
        guard case .point(let point) = binding.source else { continue }
        #expect(pack.points[point.point.position].id == input.name && binding.reading == .end)
      }
    }
    // What a plant says of its step is the mean over it.
    let shown = zone.physics.outputs.first { $0.name == "ahu.zone_t" }?.state ?? 0
    #expect(zone.physics.states[shown].isPerStep)
    // An energy of the step is a power.
    let heat = try #require(handler.physics.outputs.firstIndex { $0.name == "ahu.heat_j" })
    #expect(abs(handler.outputs[heat].scale * 900 - 1) < 1e-15)
    // The priors go with what the envelope lets through: 2.68 kg/s.
    let capacity = zone.physics.parameters.first { $0.name == "ahu.C_air" }?.prior ?? 0
    #expect(abs(capacity - 1006 * 2.68 * 1333) < 1)
    #expect(pack.modelTexts.first?.isProposed == true)
  }

  @Test func `are what models.yaml says`() throws {
    let pack = try #require(Pack.load(try shipped("demo")).pack)
    #expect(pack.models.map(\.id) == ["hall-a", "chilled-water"])
    let loop = pack.models[1]
    #expect(loop.templates == ["chiller.carnot", "pump.affinity"] && loop.asset == "chiller-1")
    let flow = try #require(loop.physics.inputs.firstIndex { $0.name == "pump-1.flow" })
    guard case .point(let binding) = loop.inputs[flow].source else {
      Issue.record("no point")
      return
    }
    #expect(abs(binding.scale - 0.998) < 1e-15 && loop.physics.inputs[flow].unit == "kg/s")
    #expect(loop.physics.inputs.contains { $0.name == "hall-a.cooling_load" })
    #expect(!pack.modelTexts.contains { $0.isProposed } && pack.modelRejections.isEmpty)
  }

  @Test func `none is an answer too`() throws {
    let pack = try #require(try demo("models: {}\n").pack)
    #expect(pack.models.isEmpty)
    let proposed = try #require(try demo(nil).pack)
    #expect(proposed.models.map(\.id) == ["chiller-1-chiller", "hall-a-zone", "pump-1-pump"])
    // Without a density the loop's flow is no mass: the power needs the measured load.
    #expect(proposed.models[0].physics.inputs.allSatisfy { $0.name != "pump-1.flow" })
  }

  @Test func `take priors and horizons in their units`() throws {
    let text = """
      models:
        hall:
          step: 600s
          horizons: [10min, 2h]
          parts:
            - template: zone.two-mass
              asset: hall-a
              points: {outdoor_temperature: weather.wet_bulb_t}
              parameters:
                C_air: {value: 5 kW.h/K, spread: 0.5}
                tau_heat_bias: {value: 12 h}
      """
    let model = try #require(try demo(text).pack?.models.first)
    #expect(model.horizons == [1, 12] && model.stepNanoseconds == 600_000_000_000)
    let air = try #require(model.physics.parameters.first { $0.name == "hall-a.C_air" })
    #expect(air.prior == 18e6 && air.spread == 0.5)
    #expect(model.physics.parameters.first { $0.name == "hall-a.tau_heat_bias" }?.prior == 43_200)
    #expect(model.physics.inputs.contains { $0.name == "weather.wet_bulb_t" })
  }

  static let mistakes: [(String, String)] = [
    ("{template: zone.four-mass, asset: hall-a}", "4:10: error pack.model: there is no template \"zone.four-mass\""),
    ("{template: zone.one-mass, asset: hall-b}", "error pack.model: there is no asset \"hall-b\""),
    ("{template: zone.one-mass, asset: meter-1}", "no point is its zone_temperature"),
    (
      "{template: zone.one-mass, asset: hall-a, points: {zone_temperature: hall-a.occupancy}}",
      "error pack.model: hall-a.occupancy is no zone_temperature: its unit 1 is none of Cel"
    ),
    ("{template: zone.one-mass, asset: hall-a, points: {charge: hall-a.occupancy}}", "zone.one-mass has no charge"),
    (
      "{template: zone.one-mass, asset: hall-a, points: {zone_temperatur: hall-a.zone_t}}",
      "did you mean \"zone_temperature\"?"
    ),
    ("{template: zone.one-mass, asset: hall-a, points: {zone_temperature: hall-a.zone_x}}", "error pack.unknown_point"),
    (
      "{template: zone.one-mass, asset: hall-a, parameters: {C_ait: {value: 3}}}",
      "error pack.model: the model has no parameter \"C_ait\""
    ),
    ("{template: zone.one-mass, asset: hall-a, parameters: {C_air: {value: 3 kW}}}", "error pack.unit_mismatch"),
    ("{template: zone.one-mass, asset: hall-a, parameters: {C_air: {value: -3}}}", "parameters are positive"),
    ("{template: zone.one-mass, asset: hall-a, density: 0}", "error pack.out_of_range: a density of 0"),
    ("{template: zone.one-mass, asset: hall-a, masses: 3}", "error pack.unknown_key"),
    ("{template: zone.one-mass}", "error pack.missing_key"),
    ("[]", "yaml.wrong_shape"),
  ]

  @Test(arguments: mistakes) func `are told where they are wrong`(part: String, wanted: String) throws {
    let result = try demo("models:\n  hall:\n    parts:\n      - \(part)\n")
    let texts = result.problems.map(\.description)
    #expect(result.pack == nil)
    #expect(texts.contains { $0.hasPrefix("models.yaml:") && $0.contains(wanted) }, "\(texts)")
  }

  @Test(arguments: [
    "models: {hall: {parts: []}}",
    "models: {hall: {step: 1h, horizons: [90min], parts: [{template: zone.one-mass, asset: hall-a}]}}",
    "models: {hall: {}}", "models: 3", "modls: {}",
    "models: {hall: {parts: [{template: zone.one-mass, asset: hall-a}, {template: zone.two-mass, asset: hall-a}]}}",
  ]) func `are refused as a whole where they make no sense`(text: String) throws {
    let result = try demo(text + "\n")
    #expect(result.hasErrors && result.problems.allSatisfy { $0.file == "models.yaml" }, "\(result.problems)")
  }

  @Test func `leave the plant's step to the plant`() throws {
    let text = "models: {hall: {step: 300s, parts: [{template: zone.one-mass, asset: ahu}]}}\n"
    let files = try shipped("amphitheatre") + [PackFile(path: "models.yaml", bytes: Array(text.utf8))]
    #expect(Pack.load(files).problems.map(\.description).first?.contains("the plant's step is 15 min") == true)
  }

  @Test func `change the model's digest, and theirs alone`() throws {
    let plain = try #require(Pack.load(try shipped("demo")).pack)
    let none = try #require(try demo("models: {}\n").pack)
    let (a, b) = (plain.digests(testHash), none.digests(testHash))
    #expect(a.model != b.model && a.policy == b.policy && a.envelope == b.envelope)
    let zone = try TimeZoneRules(tzif: timeZoneFile("Europe/Paris"), name: "Europe/Paris")
    #expect(try plain.compile(timeZone: zone, hash: testHash).definition.models == plain.models)
  }
}
