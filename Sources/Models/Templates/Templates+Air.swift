// Zones and air handlers.
//
// Sources: Bacher and Madsen, "Identifying suitable models for the heat dynamics of buildings", Energy and Buildings 43
// (2011): the family of RC models; ASHRAE Handbook, Fundamentals (2021), ch. 18 and 19: thermal network, gains;
// ISO 52016-1 for the orders of size of capacities.

extension ModelTemplate {
  static let air: [ModelTemplate] = [
    airHandler, zone("three-mass", masses: 3, "air, what stands in it, and the walls"),
    zone("two-mass", masses: 2, "air, and what stands in it"), zone("one-mass", masses: 1, "air alone"),
  ]

  private static func zone(_ form: String, masses: Int, _ what: String) -> ModelTemplate {
    ModelTemplate(
      id: "zone.\(form)", kind: .zone, summary: "heat balance of a zone: \(what)",
      needs: [[.zoneTemperature], [.supplyTemperature, .heatingPower, .coolingPower, .outdoorTemperature]],
      takes: [.supplyFlow, .supplyFlowSetpoint, .running, .solar, .occupancy],
      declare: { declareZone(&$0, $1, masses: masses) }, connect: { connectZone(&$0, $1, $2, $3, masses: masses) })
  }

  /// W/K that its air carries at most, and how much less is known of it where no range says so.
  private static func scale(of part: ModelPart, _ flow: Double?) -> (conductance: Double, doubt: Double) {
    if let flow = flow ?? part.nominalAirFlow { return (Physical.airHeat * flow, 0) }
    let powers = [PointRole.heatingPower, .coolingPower].compactMap { part[$0]?.range?.upperBound }
    // Machines are sized for some ten kelvin between the air they give and the air they find.
    if let most = powers.max(), most > 0 { return (most / 10, 0.5) }
    return (1_000, 1.5)
  }

  private static func declareZone(_ model: inout ModelAssembly, _ part: ModelPart, masses: Int) -> ModelPorts {
    let names = ["air", "inside", "walls"]
    // Air moves by draughts within the hour, what stands in it and the walls less.
    let wander = [0.1, 0.04, 0.04]
    var states: [Int] = []
    for mass in 0..<masses {
      states.append(
        model.state("\(part.asset).\(names[mass])", "Cel", mean: 20, deviation: 10, wander: wander[mass]))
    }
    if let reading = part[.zoneTemperature] { model.output(reading, state: states[0], floor: 0.01, isMean: true) }
    return ModelPorts(air: .state(states[0]))
  }

  private static func connectZone(
    _ model: inout ModelAssembly, _ part: ModelPart, _ ports: ModelPorts, _ around: ModelSurroundings, masses: Int
  ) {
    guard case .state(let air)? = ports.air else { return }
    let handler = around.upstream.first { $0.supplyAir != nil }
    let share = Double(max(1, around.siblings))
    let (nominal, doubt) = scale(of: part, handler?.nominalAirFlow.map { $0 / share })
    func sized(_ model: inout ModelAssembly, _ name: String, _ unit: String, _ factor: Double, _ spread: Double) -> Int
    {
      let whole = (spread * spread + doubt * doubt).squareRoot()
      return model.parameter(part, name, unit, prior: nominal * factor, spread: whole)
    }
    // Of a lecture hall of 1000 m³ with 2.7 kW/K of supply air: 1, 5 and 30 kWh/K; all that is extensive goes with it.
    let capacities = [("C_air", 1_333.0), ("C_inside", 6_667), ("C_walls", 40_000)].prefix(masses).map {
      sized(&model, $0.0, "J/K", $0.1, 1)
    }
    let nodes = capacities.enumerated().map { HeatNode(state: air + $0.offset, capacity: $0.element) }
    supply(&model, part, nodes[0], handler, share: share, nominal: nominal)
    if masses > 1 { model.exchange(nodes[0], nodes[1], conductance: sized(&model, "G_air_inside", "W/K", 0.37, 1)) }
    if masses > 2 { model.exchange(nodes[1], nodes[2], conductance: sized(&model, "G_inside_walls", "W/K", 0.37, 1)) }
    if let outdoor = part[.outdoorTemperature].map({ model.input($0) }) {
      let ways = [(nodes[0], "G_air_out", 0.037)] + (masses > 2 ? [(nodes[2], "G_walls_out", 0.074)] : [])
      for (node, name, share) in ways {
        let conductance = sized(&model, name, "W/K", share, 1)
        model.difference(node.state, from: .input(outdoor), 1, [.init(conductance, 1), .init(node.capacity, -1)])
      }
    }
    gains(&model, part, nodes) { sized(&$0, $1, $2, $3, $4) }
    // Half a kelvin of the supply air either way, by day and weather.
    model.bias(part, "heat_bias", "W", of: air, deviation: 0.5 * nominal, gain: [.init(nodes[0].capacity, -1)])
  }

  /// What the air brings: from an air handler's part, else as measured; else a heating or cooling power.
  private static func supply(
    _ model: inout ModelAssembly, _ part: ModelPart, _ air: HeatNode, _ handler: ModelPorts?, share: Double,
    nominal: Double
  ) {
    if let stream = handler?.supplyAir {
      var powers: [BilinearModel.Power] = [.init(air.capacity, -1)]
      var scale = Physical.airHeat
      if share > 1 {
        powers.append(.init(model.parameter(part, "air_share", "1", prior: 1 / share, spread: 0.5), 1))
      }
      if stream.flow.isEmpty {
        scale = 1
        powers.append(.init(model.parameter(part, "G_supply", "W/K", prior: nominal, spread: 1), 1))
      }
      let multipliers = stream.flow.isEmpty ? stream.switched.map { [$0] } ?? [] : stream.flow
      model.difference(air.state, from: stream.temperature, scale, powers, by: multipliers)
      return
    }
    let running = part[.running].map { [model.input($0)] } ?? []
    if let temperature = part[.supplyTemperature], let flow = part[.supplyFlow] ?? part[.supplyFlowSetpoint],
      flow.unit == "kg/s"
    {
      let multipliers = [model.input(flow)] + (flow.role == .supplyFlowSetpoint ? running : [])
      var powers: [BilinearModel.Power] = [.init(air.capacity, -1)]
      // The whole flow of an air handler is more than what reaches one of its zones.
      if flow.description.asset != part.asset {
        powers.append(.init(model.parameter(part, "air_share", "1", prior: 0.5, spread: 1), 1))
      }
      model.difference(
        air.state, from: .input(model.input(temperature)), Physical.airHeat, powers, by: multipliers)
      return
    }
    for (role, sign) in [(PointRole.heatingPower, 1.0), (.coolingPower, -1)] {
      guard let power = part[role] else { continue }
      model.term(air.state, .input(model.input(power)), sign, [.init(air.capacity, -1)])
    }
    guard part[.heatingPower] == nil, part[.coolingPower] == nil, let temperature = part[.supplyTemperature] else {
      return
    }
    let conductance = model.parameter(part, "G_supply", "W/K", prior: nominal, spread: 1)
    model.difference(
      air.state, from: .input(model.input(temperature)), 1, [.init(conductance, 1), .init(air.capacity, -1)],
      by: running)
  }

  /// The sun and people: the sun warms what it falls on, people the air and what is around them.
  private static func gains(
    _ model: inout ModelAssembly, _ part: ModelPart, _ nodes: [HeatNode],
    _ sized: (inout ModelAssembly, String, String, Double, Double) -> Int
  ) {
    let inside = nodes[min(1, nodes.count - 1)]
    if let solar = part[.solar] {
      // 500 W/m² are worth a kelvin of the supply air.
      let opening = sized(&model, "solar_opening", "m2", 0.00185, 1.5)
      model.term(inside.state, .input(model.input(solar)), 1, [.init(opening, 1), .init(inside.capacity, -1)])
    }
    if let occupancy = part[.occupancy] {
      // Per unit of the reading: a full house where it is a share, a person where it counts them.
      let full = max(1, occupancy.range?.upperBound ?? 1)
      let column = BilinearModel.Column.input(model.input(occupancy))
      let gains = [(nodes[0], "people_air", 1.85)] + (nodes.count > 1 ? [(inside, "people_inside", 0.74)] : [])
      for (node, name, kelvin) in gains {
        let gain = sized(&model, name, "W", kelvin / full, 1)
        model.term(node.state, column, 1, [.init(gain, 1), .init(node.capacity, -1)])
      }
    }
  }
}
