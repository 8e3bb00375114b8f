import Models
import Testing
import TwinCore

private let cases: [([String], [PointRole: String])] = [
  (["zone.one-mass"], [.zoneTemperature: "Cel", .heatingPower: "kW", .outdoorTemperature: "[degF]"]),
  (
    ["zone.two-mass"],
    [
      .zoneTemperature: "Cel", .supplyTemperature: "Cel", .supplyFlow: "kg/s", .outdoorTemperature: "Cel",
      .solar: "W/m2", .occupancy: "1",
    ]
  ),
  (
    ["air-handler.coil", "zone.three-mass"],
    [
      .zoneTemperature: "Cel", .supplyTemperature: "Cel", .supplyFlowSetpoint: "kg/s", .running: "1",
      .supplyTemperatureSetpoint: "Cel", .outdoorTemperature: "Cel", .solar: "W/m2", .occupancy: "1",
      .electricPower: "kW", .heatingPower: "kW",
    ]
  ),
  (
    ["air-handler.coil"], [.supplyTemperature: "Cel", .heatingValve: "%", .coolingValve: "%", .mixedTemperature: "Cel"]
  ),
  (
    ["chiller.carnot"],
    [
      .chilledSupplyTemperature: "Cel", .chilledReturnTemperature: "Cel", .chilledSetpoint: "Cel", .waterFlow: "kg/s",
      .coolingPower: "kW", .condenserTemperature: "Cel", .electricPower: "kW", .running: "1",
    ]
  ),
  (
    ["heat-pump.carnot"],
    [
      .hotSupplyTemperature: "Cel", .hotReturnTemperature: "Cel", .hotSetpoint: "Cel", .waterFlow: "kg/s",
      .sourceTemperature: "Cel", .electricPower: "kW",
    ]
  ),
  (["pump.affinity"], [.speed: "%", .waterFlow: "m3/h", .differentialPressure: "kPa", .electricPower: "kW"]),
  (["storage.level"], [.level: "m", .inflow: "m3/h", .outflow: "L/s"]),
  (["tank.mixed"], [.tankTemperature: "Cel", .heatingPower: "kW", .zoneTemperature: "Cel"]),
  (
    ["tank.two-layer"],
    [
      .tankTopTemperature: "Cel", .tankBottomTemperature: "Cel", .hotSupplyTemperature: "Cel", .waterFlow: "kg/s",
      .outflow: "kg/s", .hotReturnTemperature: "Cel", .zoneTemperature: "Cel",
    ]
  ),
  (["compressor.receiver"], [.receiverPressure: "bar", .load: "1", .running: "1", .electricPower: "kW"]),
  (["battery.charge"], [.charge: "%", .batteryPower: "kW", .batteryTemperature: "Cel", .outdoorTemperature: "Cel"]),
]

@Suite struct `The templates` {
  @Test func `are all tried here`() {
    let tried = Set(cases.flatMap { $0.0 })
    #expect(tried == Set(ModelTemplate.library.map(\.id)))
  }

  @Test(arguments: 0..<cases.count) func `give sound models whose every number is known`(index: Int) throws {
    let bench = try #require(Bench(cases[index].0, cases[index].1), "\(cases[index].0)")
    let physics = bench.physics
    #expect(physics.problems() == [])
    for parameter in physics.parameters {
      #expect(UnitCode(ucum: parameter.unit) != nil, "\(parameter.name) is in \(parameter.unit)")
      #expect(parameter.spread >= 0.3, "\(parameter.name) claims to be known")
      #expect(physics.terms.contains { $0.powers.contains { physics.parameters[$0.parameter] == parameter } })
    }
    // A balance that nothing disturbs would be one that claims to be whole.
    #expect(physics.states.contains { $0.isBias } || cases[index].0 == ["pump.affinity"])
    for state in physics.states { #expect(UnitCode(ucum: state.unit) != nil, "\(state.name) is in \(state.unit)") }
    #expect(physics.states.allSatisfy { $0.isPerStep || $0.noiseIntensity > 0 && $0.initialVariance > 0 })
  }

  @Test(arguments: [0, 1, 2, 3, 8, 9, 11]) func `make no heat of nothing`(index: Int) throws {
    var bench = try #require(Bench(cases[index].0, cases[index].1))
    for state in bench.physics.states where state.unit == "Cel" { bench.values[String(state.name.dropFirst(2))] = 17 }
    for input in bench.physics.inputs where input.unit == "Cel" { bench.values[String(input.name.dropFirst(2))] = 17 }
    for on in [0.0, 1] {
      for name in ["running", "supply_flow_setpoint", "supply_flow", "water_flow", "outflow"] {
        bench.values[name] = on * 2
      }
      for (name, rate) in bench.rates() where name != "fan" {
        #expect(abs(rate) < 1e-12, "\(name) moves by \(rate) at one temperature everywhere")
      }
    }
  }

  /// Nothing in it is so stiff or so loose that an observer could not follow it from the priors.
  @Test(arguments: 0..<cases.count) func `can be followed from their priors`(index: Int) throws {
    let physics = try #require(Bench(cases[index].0, cases[index].1)).physics
    var observer = JointObserver(physics)
    let usual: [String: Double] = ["Cel": 20.0, "W": 2_000, "W/m2": 300]
    let inputs = physics.inputs.map { usual[$0.unit] ?? 0.5 }
    for step in 0..<50 {
      let isPredicted = unsafe inputs.withUnsafeBufferPointer { unsafe observer.predict($0, seconds: 300) }
      #expect(isPredicted, "step \(step)")
      for output in physics.outputs.indices {
        let mean = observer.estimate(output: output).mean
        if step == 0 {
          observer.settle(output: output, value: mean)
        } else {
          observer.update(output: output, value: mean)
        }
      }
    }
    #expect(observer.mean.allSatisfy(\.isFinite) && observer.covariance.allSatisfy(\.isFinite))
  }

  /// What the masses gain is what comes in: exchanges between them cancel.
  @Test func `keep the heat of a zone`() throws {
    var bench = try #require(Bench(["zone.two-mass"], cases[1].1, ranges: ["x.supply_flow": 0...2]))
    bench.values = [
      "air": 21, "inside": 24, "supply_temperature": 30, "supply_flow": 1.5, "outdoor_temperature": -3, "solar": 400,
      "occupancy": 0.5, "heat_bias": 700,
    ]
    let rates = bench.rates()
    let gained =
      bench.parameter("C_air") * (rates["air"] ?? .nan) + bench.parameter("C_inside") * (rates["inside"] ?? .nan)
    let brought = 1.5 * 1006 * (30 - 21) + bench.parameter("G_air_out") * (-3 - 21)
    let gains =
      400 * bench.parameter("solar_opening")
      + 0.5 * (bench.parameter("people_air") + bench.parameter("people_inside")) + 700
    #expect(abs(gained - brought - gains) < 1e-6 * abs(gained))
    // The priors follow the nominal flow: 2 kg/s of air carry 2012 W/K.
    #expect(abs(bench.parameter("C_air") - 2012 * 1333) < 1)
  }

  @Test func `rest where a zone's heat balance says`() throws {
    var bench = try #require(
      Bench(["zone.one-mass"], [.zoneTemperature: "Cel", .heatingPower: "W", .outdoorTemperature: "Cel"]))
    let loss = bench.parameter("G_air_out")
    bench.values = ["air": 5 + 3_000 / loss, "outdoor_temperature": 5, "heating_power": 3_000]
    #expect(abs(bench.rates()["air"] ?? .nan) < 1e-12)
    bench.values["air"]? += 1
    #expect((bench.rates()["air"] ?? .nan) < 0)
  }

  @Test func `follow the setpoint while the fan runs, and the zone while it does not`() throws {
    var bench = try #require(Bench(cases[2].0, cases[2].1, ranges: ["x.supply_flow_setpoint": 0.5...2]))
    bench.values = [
      "supply": 28, "supply_temperature_setpoint": 28, "air": 20, "running": 1, "supply_flow_setpoint": 2,
    ]
    #expect(abs(bench.rates()["supply"] ?? .nan) < 1e-12)
    let before = bench.rates()["air"] ?? .nan
    bench.values["running"] = 0
    #expect((bench.rates()["supply"] ?? .nan) < 0)
    // 2 kg/s at 8 K more, by the heat of air, into the air's capacity.
    #expect(abs((before - (bench.rates()["air"] ?? .nan)) * bench.parameter("C_air") - 2 * 1006 * 8) < 1e-6)
    bench.values["supply"] = 20
    #expect(abs(bench.rates()["supply"] ?? .nan) < 1e-12)
    // The fan law: half the flow takes an eighth of the power.
    (bench.values["running"], bench.values["supply_flow_setpoint"]) = (1, 1)
    bench.values["fan"] = bench.parameter("fan_power") / 8
    #expect(abs(bench.rates()["fan"] ?? .nan) < 1e-9)
  }

  @Test func `cool water for the power that Carnot asks`() throws {
    var bench = try #require(Bench(cases[4].0, cases[4].1))
    let (flow, load) = (5.0, 100_000.0)
    let entering = 7 + load / (flow * 4186)
    let power =
      load * (30 - 7 + bench.parameter("approach")) / (bench.parameter("efficiency") * 280.15)
      + bench.parameter("standby")
    bench.values = [
      "leaving": 7, "entering": entering, "power": power, "running": 1, "chilled_setpoint": 7, "water_flow": flow,
      "cooling_power": load, "condenser_temperature": 30,
    ]
    for (name, rate) in bench.rates() { #expect(abs(rate) < 1e-6, "\(name) moves by \(rate)") }
    // Without a meter for the load its own balance gives the same.
    var other = cases[4].1
    other[.coolingPower] = nil
    var balance = try #require(Bench(cases[4].0, other))
    balance.values = bench.values
    balance.values["chilled_return_temperature"] = entering
    balance.values["standby"] = bench.parameter("standby")
    for (name, rate) in balance.rates() { #expect(abs(rate) < 1e-6, "\(name) moves by \(rate)") }
  }

  @Test func `lift heat for the power that Carnot asks`() throws {
    var bench = try #require(Bench(cases[5].0, cases[5].1))
    let heat = 2.0 * 4186 * 5
    let power =
      heat * (45 - 3 + bench.parameter("approach")) / (bench.parameter("efficiency") * 318.15)
      + bench.parameter("standby")
    bench.values = [
      "leaving": 45, "hot_setpoint": 45, "hot_return_temperature": 40, "water_flow": 2, "source_temperature": 3,
      "power": power,
    ]
    for (name, rate) in bench.rates() { #expect(abs(rate) < 1e-6, "\(name) moves by \(rate)") }
  }

  @Test func `pump by the affinity laws`() throws {
    var bench = try #require(Bench(cases[6].0, cases[6].1))
    bench.values = [
      "speed": 0.5, "flow": bench.parameter("full_flow") / 2, "pressure": bench.parameter("full_pressure") / 4,
      "power": bench.parameter("full_power") / 8,
    ]
    for (name, rate) in bench.rates() { #expect(abs(rate) < 1e-9, "\(name) moves by \(rate)") }
  }

  @Test func `count what flows into a storage`() throws {
    var bench = try #require(Bench(cases[7].0, cases[7].1))
    bench.values = ["inflow": 0.03, "outflow": 0.01, "level": 1]
    #expect(abs((bench.rates()["level"] ?? .nan) - 0.02 / bench.parameter("area")) < 1e-15)
  }

  @Test func `keep the heat of a tank`() throws {
    var bench = try #require(Bench(cases[9].0, cases[9].1))
    bench.values = [
      "top": 55, "bottom": 35, "hot_supply_temperature": 60, "water_flow": 0.5, "outflow": 0.2,
      "hot_return_temperature": 30, "zone_temperature": 20,
    ]
    let rates = bench.rates()
    let gained = bench.parameter("C_water") * ((rates["top"] ?? .nan) + (rates["bottom"] ?? .nan))
    // Charging pushes the bottom's water out, drawing the top's.
    let loss = bench.parameter("G_loss")
    let balance = 4186 * (0.5 * (60 - 35) + 0.2 * (30 - 55)) - loss * (35 + 15)
    #expect(abs(gained - balance) < 1e-6 * abs(balance))
  }

  @Test func `press air and fill batteries`() throws {
    var air = try #require(Bench(cases[10].0, cases[10].1))
    air.values = ["load": 1, "running": 1]
    air.values["pressure"] = air.parameter("rise") * air.parameter("tau_leak")
    air.values["power"] = air.parameter("loaded_power") + air.parameter("idle_power")
    for (name, rate) in air.rates() { #expect(abs(rate) < 1e-6, "\(name) moves by \(rate)") }
    var battery = try #require(Bench(cases[11].0, cases[11].1, ranges: ["x.battery_power": -5...5]))
    #expect(battery.parameter("energy") == 7_200 * 5_000)
    battery.values = ["battery_power": -5_000, "outdoor_temperature": 20]
    battery.values["cells"] = 20 + battery.parameter("warming") * battery.parameter("tau_cells")
    #expect(abs((battery.rates()["charge"] ?? .nan) + 1.0 / 7_200) < 1e-12)
    #expect(abs(battery.rates()["cells"] ?? .nan) < 1e-12)
  }
}
