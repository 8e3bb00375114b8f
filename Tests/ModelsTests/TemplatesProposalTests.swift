import Models
import Testing
import TwinCore

/// The roles that a list's points play, by what the models made of it take in.
private func proposal(
  _ lines: [String], _ assets: [SiteAssetDescription] = [], step: ModelStep = .usual,
  ranges: [String: ClosedRange<Double>] = [:]
) -> ModelProposal { ModelProposal.propose(assets: assets, points: pointList(lines, ranges: ranges), step: step) }

private func binding(_ model: ModelDefinition, _ name: String) -> PointBinding? {
  if let index = model.physics.outputs.firstIndex(where: { $0.name == name }) { return model.outputs[index] }
  guard let index = model.physics.inputs.firstIndex(where: { $0.name == name }),
    case .point(let binding) = model.inputs[index].source
  else { return nil }
  return binding
}

@Suite struct `Models proposed from a point list` {
  static let byName = [
    "ahu1.SAT [degF]", "ahu1.SAT-SP [degF]", "ahu1.SupplyAirFlow kg/s", "ahu1.fan_run 1", "zone-3.zone_temp_3 Cel",
    "mast.oat [degF]", "mast.ghi W/m2", "zone-3.people 1",
  ]

  @Test func `need no classes where names and units are telling`() throws {
    let found = proposal(Self.byName, [SiteAssetDescription(id: "ahu1", feeds: ["zone-3"])])
    #expect(found.models.map(\.definition.id) == ["ahu1-air-handler", "zone-3-zone"])
    #expect(found.models.map(\.definition.templates) == [["air-handler.coil"], ["zone.three-mass"]])
    let model = try #require(found.models.last?.definition)
    #expect(model.physics.outputs.map(\.name) == ["zone-3.zone_temp_3"])
    let inputs = Set(model.physics.inputs.map(\.name))
    // What is measured between the two parts is the zone's input.
    #expect(inputs.isSuperset(of: ["ahu1.SAT", "ahu1.SupplyAirFlow", "mast.oat", "mast.ghi", "zone-3.people"]))
    #expect(found.models.allSatisfy { $0.definition.physics.problems().isEmpty })
    #expect(model.stepNanoseconds == 300_000_000_000 && model.horizons == [1, 12, 72])
    #expect(found.models[1].grounds.contains { $0.hasPrefix("mast.oat is its outdoor_temperature") })
  }

  @Test func `convert to the units of the physics`() throws {
    let model = try #require(proposal(Self.byName, [SiteAssetDescription(id: "ahu1", feeds: ["zone-3"])]).models.last)
    let outdoor = try #require(binding(model.definition, "mast.oat"))
    for (fahrenheit, celsius) in [(32.0, 0.0), (212, 100), (-40, -40)] {
      #expect(abs(outdoor.scale * fahrenheit + outdoor.offset - celsius) < 1e-12)
    }
    let kilowatts = try #require(
      proposal(["r.zone_temp Cel", "r.heating_power kW", "r.oat Cel"]).models.first.flatMap {
        binding($0.definition, "r.heating_power")
      })
    #expect(kilowatts.scale == 1000 && kilowatts.offset == 0)
  }

  @Test func `take an energy for a power only over a step of the plant`() throws {
    let list = ["r.zone_temp Cel", "r.heating_energy kJ", "r.oat Cel"]
    let plant = proposal(list, step: ModelStep(nanoseconds: 900_000_000_000, isPlants: true))
    let energy = try #require(plant.models.first.flatMap { binding($0.definition, "r.heating_energy") })
    #expect(abs(energy.scale - 1000.0 / 900) < 1e-15)
    #expect(plant.models[0].definition.horizons == [1, 4, 24])
    #expect(plant.models[0].definition.inputs.allSatisfy { $0.reading == .end })
    let polled = try #require(proposal(list).models.first)
    #expect(binding(polled.definition, "r.heating_energy") == nil)
  }

  @Test func `take a volume for a mass only where its density is stated`() throws {
    let roles: [PointRole: String] = [.zoneTemperature: "Cel", .supplyTemperature: "Cel", .supplyFlow: "m3/h"]
    let stated = try #require(Bench(["zone.one-mass"], roles, density: 1.2))
    let flow = try #require(binding(stated.definition, "x.supply_flow"))
    #expect(abs(flow.scale - 1.2 / 3600) < 1e-18 && flow.offset == 0)
    let silent = try #require(Bench(["zone.one-mass"], roles))
    #expect(binding(silent.definition, "x.supply_flow") == nil)
    // The air still comes: by one unknown conductance.
    #expect(silent.physics.parameters.contains { $0.name == "x.G_supply" })
  }

  @Test func `prefer what was applied to what was asked`() throws {
    let list = [
      "u.t_zone Cel Zone_Air_Temperature_Sensor", "u.t_sup Cel Supply_Air_Temperature_Sensor",
      "u.sp Cel Supply_Air_Temperature_Setpoint", "u.sp_applied Cel", "u.go 1 On_Off_Command", "u.go_applied 1",
      "u.v kg/s Supply_Air_Flow_Setpoint", "u.v_applied kg/s", "u.other_applied Cel",
    ]
    let model = try #require(proposal(list).models.first?.definition)
    #expect(Set(model.physics.inputs.map(\.name)) == ["u.sp_applied", "u.go_applied", "u.v_applied"])
    #expect(model.inputs.allSatisfy { $0.outlook == .hold })
    var named = pointList(list.filter { $0 != "u.sp_applied Cel" } + ["u.register_12 Cel"])
    named[named.count - 1].echoes = "u.sp"
    let declared = ModelProposal.propose(assets: [], points: named)
    #expect(declared.models.first?.definition.physics.inputs.contains { $0.name == "u.register_12" } == true)
  }

  /// What flows along an edge of the graph, and is measured there, is the next one's input.
  @Test func `take in what the graph says reaches them`() throws {
    let list = [
      "a.sat Cel", "a.sat_sp Cel", "a.supply_flow kg/s", "z1.zone_temp Cel", "z2.zone_temp Cel", "w.oat Cel",
      "b.sat Cel", "b.sat_sp Cel", "b.supply_flow kg/s",
    ]
    let found = proposal(
      list,
      [
        SiteAssetDescription(id: "a", feeds: ["duct"]), SiteAssetDescription(id: "duct", feeds: ["z1"]),
        SiteAssetDescription(id: "b", feeds: ["z2"]),
      ])
    for (zone, source) in [("z1", "a"), ("z2", "b")] {
      let model = try #require(found.models.first { $0.definition.id == "\(zone)-zone" }).definition
      #expect(model.templates == ["zone.three-mass"])
      let inputs = Set(model.physics.inputs.map(\.name))
      #expect(inputs == ["\(source).sat", "\(source).supply_flow", "w.oat"], "\(zone): \(inputs)")
      // How much of the air handler's air is the zone's is to be found.
      #expect(model.physics.parameters.contains { $0.name == "\(zone).air_share" })
    }
  }

  @Test func `stay small enough to be followed`() {
    let zones = (1...9).map { "z\($0)" }
    let list = ["a.sat Cel", "a.sat_sp Cel", "a.supply_flow kg/s", "w.oat Cel"] + zones.map { "\($0).zone_temp Cel" }
    let found = proposal(list, [SiteAssetDescription(id: "a", feeds: zones)])
    #expect(found.models.count == 10)
    for model in found.models { #expect(model.definition.physics.problems() == []) }
  }

  @Test func `pass over what is not recognised, and say why`() throws {
    let none = proposal(
      ["x.alpha Cel", "x.beta kW", "y.zone_temp Pa", "p.speed Hz", "p.flow m3/h"],
      [
        SiteAssetDescription(id: "p", brick: "Pump")
      ])
    #expect(none.models == [])
    let reasons = Dictionary(none.rejected.map { ($0.asset, $0.why) }, uniquingKeysWith: { a, b in "\(a) \(b)" })
    #expect(reasons["x"]?.contains("none of its 2 points is known") == true)
    #expect(reasons["y"]?.contains("none of its 1 points is known") == true)
    #expect(reasons["p"]?.contains("no point is its speed") == true, "\(none.rejected)")
  }

  @Test func `believe a class before a name, and no class that says something else`() {
    let found = proposal([
      "r.zone_temp Cel Zone_Air_Dewpoint_Sensor", "r.x Cel Zone_Air_Temperature_Sensor", "r.y Cel Temperature_Sensor",
      "r.outdoor_temp Cel Temperature_Sensor",
    ])
    let model = found.models.first?.definition
    #expect(model?.physics.outputs.map(\.name) == ["r.x"])
    #expect(model?.physics.inputs.map(\.name) == ["r.outdoor_temp"])
  }

  @Test func `take a state for on and off only where it has no third`() throws {
    var points = pointList(["u.sat Cel", "u.sat_sp Cel", "u.run_state 1"])
    points[2].symbols = [0: "stopped", 2: "running"]
    let refused = ModelProposal.propose(assets: [], points: points)
    #expect(refused.models.first?.definition.physics.inputs.map(\.name) == ["u.sat_sp"])
    points[2].symbols = [0: "stopped", 1: "running"]
    let taken = ModelProposal.propose(assets: [], points: points)
    #expect(taken.models.first?.definition.physics.inputs.map(\.name).contains("u.run_state") == true)
  }

  @Test(arguments: 1...20) func `do not depend on the order of the list`(seed: Int) {
    let assets = [SiteAssetDescription(id: "ahu1", feeds: ["zone-3", "zone-4"]), SiteAssetDescription(id: "mast")]
    var points = pointList(Self.byName + ["zone-4.zone_temp Cel", "zone-4.room_temp Cel", "zone-4.fan_power kW"])
    let expected = ModelProposal.propose(assets: assets, points: points)
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
    func roll(_ sides: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % sides
    }
    for index in points.indices.reversed() { points.swapAt(index, roll(index + 1)) }
    #expect(ModelProposal.propose(assets: assets.reversed(), points: points) == expected, "seed \(seed)")
    #expect(!expected.models.isEmpty)
  }
}
