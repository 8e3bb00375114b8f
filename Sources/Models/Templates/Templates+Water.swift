// Machines that cool or heat water, the pumps that move it, and the tanks that keep it.
//
// Sources: Gordon and Ng, "Cool Thermodynamics" (2000): chillers as Carnot machines with losses; ASHRAE Handbook, HVAC
// Systems and Equipment (2020), ch. 43 (chillers), 44 (pumps, affinity laws), 51 (thermal storage).

extension ModelTemplate {
  static let water: [ModelTemplate] = [
    thermal(.chiller, "chiller.carnot", "chiller: leaving water follows its setpoint, power by Carnot"),
    thermal(.heatPump, "heat-pump.carnot", "heat pump: leaving water follows its setpoint, power by Carnot"),
    ModelTemplate(
      id: "pump.affinity", kind: .pump, summary: "pump: flow, pressure and power by the affinity laws",
      needs: [[.speed], [.waterFlow, .differentialPressure, .electricPower]], takes: [.running],
      declare: declarePump, connect: { _, _, _, _ in }),
    ModelTemplate(
      id: "storage.level", kind: .storage, summary: "storage: a level between what comes and what goes",
      needs: [[.level]], takes: [.inflow, .outflow], declare: declareStorage, connect: connectStorage),
    tank("tank.two-layer", layers: 2, "tank of water: a warm layer above a cold one"),
    tank("tank.mixed", layers: 1, "tank of water, mixed"),
  ]

  // MARK: chiller and heat pump

  private static func thermal(_ kind: Kind, _ id: String, _ summary: String) -> ModelTemplate {
    let isChiller = kind == .chiller
    return ModelTemplate(
      id: id, kind: kind, summary: summary,
      needs: isChiller
        ? [[.chilledSupplyTemperature], [.chilledSetpoint]] : [[.hotSupplyTemperature], [.hotSetpoint]],
      takes: [
        isChiller ? .chilledReturnTemperature : .hotReturnTemperature, .waterFlow, .running, .electricPower,
        isChiller ? .condenserTemperature : .sourceTemperature, .outdoorTemperature,
        isChiller ? .coolingPower : .heatingPower,
      ],
      declare: { declareMachine(&$0, $1, isChiller: isChiller) },
      connect: { model, part, ports, _ in connectMachine(&model, part, ports, isChiller: isChiller) })
  }

  private static func declareMachine(_ model: inout ModelAssembly, _ part: ModelPart, isChiller: Bool) -> ModelPorts {
    let leaving = model.state("\(part.asset).leaving", "Cel", mean: isChiller ? 8 : 45, deviation: 5, wander: 0.5)
    if let reading = part[isChiller ? .chilledSupplyTemperature : .hotSupplyTemperature] {
      model.output(reading, state: leaving, floor: 0.05)
    }
    var ports = ModelPorts()
    ports.water = Stream(temperature: .state(leaving), flow: flow(&model, part))
    return ports
  }

  /// kg/s of water as an input, where a point says it.
  private static func flow(_ model: inout ModelAssembly, _ part: ModelPart) -> [Int] {
    guard let flow = part[.waterFlow], flow.unit == "kg/s" else { return [] }
    return [model.input(flow)]
  }

  /// T' = on (T_set − T)/τ + (1 − on)(T_return − T)/τ_rest + b/τ.
  private static func connectMachine(
    _ model: inout ModelAssembly, _ part: ModelPart, _ ports: ModelPorts, isChiller: Bool
  ) {
    guard let water = ports.water, case .state(let leaving) = water.temperature,
      let setpoint = part[isChiller ? .chilledSetpoint : .hotSetpoint]
    else { return }
    let running = part[.running].map { [model.input($0)] } ?? []
    let lag = model.parameter(part, "tau_leaving", "s", prior: 180, spread: 1)
    model.difference(leaving, from: .input(model.input(setpoint)), 1, [.init(lag, -1)], by: running)
    let entering = loop(&model, part, water, leaving, isChiller: isChiller)
    if !running.isEmpty, let entering {
      let rest = model.parameter(part, "tau_rest", "s", prior: 600, spread: 1)
      model.difference(leaving, from: entering, 1, [.init(rest, -1)])
      model.difference(leaving, from: entering, -1, [.init(rest, -1)], by: running)
    }
    model.bias(part, "leaving_bias", "K", of: leaving, deviation: 0.5, gain: [.init(lag, -1)])
    power(&model, part, water, leaving, entering, running, isChiller: isChiller)
  }

  /// The water that comes back: a state where its balance closes (flow and load known), else as measured.
  private static func loop(
    _ model: inout ModelAssembly, _ part: ModelPart, _ water: Stream, _ leaving: Int, isChiller: Bool
  ) -> BilinearModel.Column? {
    guard let reading = part[isChiller ? .chilledReturnTemperature : .hotReturnTemperature] else { return nil }
    guard !water.flow.isEmpty, let load = part[isChiller ? .coolingPower : .heatingPower] else {
      return .input(model.input(reading))
    }
    let sign = isChiller ? 1.0 : -1
    let state = model.state("\(part.asset).entering", "Cel", mean: isChiller ? 12 : 40, deviation: 5, wander: 0.5)
    model.output(reading, state: state, floor: 0.05)
    // Five minutes of the greatest flow stand in the pipes.
    let mass = 300 * (part[.waterFlow]?.range?.upperBound ?? 10)
    let capacity = model.parameter(part, "C_loop", "J/K", prior: Physical.waterHeat * max(mass, 1), spread: 1)
    model.difference(state, from: water.temperature, Physical.waterHeat, [.init(capacity, -1)], by: water.flow)
    model.term(state, .input(model.input(load)), sign, [.init(capacity, -1)])
    let rated = load.range.map { max($0.upperBound.magnitude, 1) } ?? 50_000
    model.bias(part, "load_bias", "W", of: state, deviation: 0.05 * rated, gain: [.init(capacity, -1)])
    return .state(state)
  }

  /// Power = Q · (T_warm − T_cold + Δ) / (η · T), settled within a step; Δ stands for what both exchangers need.
  private static func power(
    _ model: inout ModelAssembly, _ part: ModelPart, _ water: Stream, _ leaving: Int,
    _ entering: BilinearModel.Column?, _ running: [Int], isChiller: Bool
  ) {
    guard let reading = part[.electricPower],
      let other = part[isChiller ? .condenserTemperature : .sourceTemperature] ?? part[.outdoorTemperature]
    else { return }
    let load = part[isChiller ? .coolingPower : .heatingPower]
    guard load != nil || (entering != nil && !water.flow.isEmpty) else { return }
    let rated = reading.range.map { max(0.7 * $0.upperBound, 1) } ?? 20_000
    let power = model.state("\(part.asset).power", "W", mean: 0, deviation: rated, wander: 0.2 * rated)
    model.output(reading, state: power, floor: 0.01 * rated, isMean: true)
    model.term(power, .state(power), -1 / settlingSeconds)
    let standby = model.parameter(part, "standby", "W", prior: 0.03 * rated, spread: 1)
    model.term(power, .one, 1 / settlingSeconds, [.init(standby, 1)])
    // Second-law efficiency of a machine with its drives.
    let efficiency = model.parameter(part, "efficiency", "1", prior: 0.45, spread: 0.3)
    let approach = model.parameter(part, "approach", "K", prior: 10, spread: 0.5)
    let sign = isChiller ? 1.0 : -1
    let scale = 1 / (settlingSeconds * (Physical.zero + (isChiller ? 7 : 45)))
    let outside = model.input(other)
    if let load {
      let heat = model.input(load)
      model.term(power, .input(outside), sign * scale, [.init(efficiency, -1)], by: [heat])
      model.term(power, .state(leaving), -sign * scale, [.init(efficiency, -1)], by: [heat])
      model.term(power, .input(heat), scale, [.init(efficiency, -1), .init(approach, 1)])
      return
    }
    // Q = ṁ c (T_entering − T): where the leaving water would stand squared, its setpoint takes one place.
    guard let entering, let setpoint = part[isChiller ? .chilledSetpoint : .hotSetpoint] else { return }
    let target = model.input(setpoint)
    let ends: [(BilinearModel.Column, Double)] = [(entering, 1), (.state(leaving), -1)]
    for (column, side) in ends {
      let heat = side * Physical.waterHeat * scale
      model.term(power, column, heat, [.init(efficiency, -1)], by: water.flow + [outside] + running)
      model.term(power, column, -heat, [.init(efficiency, -1)], by: water.flow + [target] + running)
      model.term(
        power, column, sign * heat, [.init(efficiency, -1), .init(approach, 1)], by: water.flow + running)
    }
  }

  // MARK: pump and storage

  /// Of a pump whose range nobody states, by unit: W where it is none of these.
  private static let usualSizes: [String: Double] = ["kg/s": 10, "m3/s": 0.01, "Pa": 200_000]

  private static func declarePump(_ model: inout ModelAssembly, _ part: ModelPart) -> ModelPorts {
    var ports = ModelPorts()
    guard let speed = part[.speed].map({ model.input($0) }) else { return ports }
    let running = part[.running].map { [model.input($0)] } ?? []
    for (role, name, exponent) in [
      (PointRole.waterFlow, "flow", 1), (.differentialPressure, "pressure", 2), (.electricPower, "power", 3),
    ] {
      guard let reading = part[role] else { continue }
      let usual = usualSizes[reading.unit] ?? 5_000
      let rated = reading.range.map { $0.upperBound > 0 ? 0.7 * $0.upperBound : usual } ?? usual
      let state = model.state("\(part.asset).\(name)", reading.unit, mean: 0, deviation: rated, wander: 0.1 * rated)
      model.output(reading, state: state, floor: 0.005 * rated)
      let full = model.parameter(part, "full_\(name)", reading.unit, prior: rated, spread: 0.7)
      model.term(state, .state(state), -1 / settlingSeconds)
      model.term(
        state, .input(speed), 1 / settlingSeconds, [.init(full, 1)],
        by: Array(repeating: speed, count: exponent - 1) + running)
      if role == .waterFlow { ports.flow = (state, reading.unit) }
    }
    return ports
  }

  private static func declareStorage(_ model: inout ModelAssembly, _ part: ModelPart) -> ModelPorts {
    guard let reading = part[.level] else { return ModelPorts() }
    let span = reading.range.map { $0.upperBound - $0.lowerBound } ?? (reading.unit == "m" ? 3 : 1)
    let state = model.state("\(part.asset).level", reading.unit, mean: span / 2, deviation: span, wander: 0.01 * span)
    model.output(reading, state: state, floor: 0.003 * span)
    return ModelPorts(own: (state, reading.unit))
  }

  /// level' = (in − out) / area, or / volume where the level is a share.
  private static func connectStorage(
    _ model: inout ModelAssembly, _ part: ModelPart, _ ports: ModelPorts, _ around: ModelSurroundings
  ) {
    guard let (row, unit) = ports.own else { return }
    let size = model.parameter(part, unit == "m" ? "area" : "volume", unit == "m" ? "m2" : "m3", prior: 20, spread: 1.5)
    func scale(_ unit: String) -> Double { unit == "kg/s" ? 0.001 : 1 }
    if let inflow = part[.inflow] {
      model.term(row, .input(model.input(inflow)), scale(inflow.unit), [.init(size, -1)])
    } else if let pump = around.upstream.lazy.compactMap(\.flow).first {
      model.term(row, .state(pump.state), scale(pump.unit), [.init(size, -1)])
    }
    if let outflow = part[.outflow] {
      model.term(row, .input(model.input(outflow)), -scale(outflow.unit), [.init(size, -1)])
    }
    model.bias(part, "flow_bias", "m3/s", of: row, deviation: 0.002, gain: [.init(size, -1)])
  }
}
