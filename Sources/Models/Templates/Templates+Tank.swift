// Tanks of water. Source: Cruickshank and Harrison, Energy and Buildings 42 (2010): layered storage tanks.

extension ModelTemplate {
  static func tank(_ id: String, layers: Int, _ summary: String) -> ModelTemplate {
    ModelTemplate(
      id: id, kind: .tank, summary: summary,
      needs: layers > 1 ? [[.tankTopTemperature], [.tankBottomTemperature]] : [[.tankTemperature]],
      takes: [
        .waterFlow, .hotSupplyTemperature, .chilledSupplyTemperature, .outflow, .hotReturnTemperature,
        .chilledReturnTemperature, .heatingPower, .coolingPower, .zoneTemperature,
      ],
      declare: { declareTank(&$0, $1, layers: layers) }, connect: { connectTank(&$0, $1, $2, $3, layers: layers) })
  }

  private static func declareTank(_ model: inout ModelAssembly, _ part: ModelPart, layers: Int) -> ModelPorts {
    let roles: [(PointRole, String)] =
      layers > 1 ? [(.tankTopTemperature, "top"), (.tankBottomTemperature, "bottom")] : [(.tankTemperature, "water")]
    var first: Int?
    for (role, name) in roles {
      let state = model.state("\(part.asset).\(name)", "Cel", mean: 40, deviation: 20, wander: 0.3)
      if let reading = part[role] { model.output(reading, state: state, floor: 0.1) }
      first = first ?? state
    }
    return ModelPorts(own: first.map { ($0, "Cel") })
  }

  /// C T' = ṁ c (T_in − T) + ṁ_draw c (T_back − T) + UA (T_room − T) + Q + b, for each layer what passes it.
  private static func connectTank(
    _ model: inout ModelAssembly, _ part: ModelPart, _ ports: ModelPorts, _ around: ModelSurroundings, layers: Int
  ) {
    guard let first = ports.own?.state else { return }
    let last = first + layers - 1
    // Half an hour of the greatest flow, or a cubic metre.
    let mass = part[.waterFlow]?.range.map { max(1_800 * $0.upperBound, 100) } ?? 1_000
    let capacity = model.parameter(
      part, "C_water", "J/K", prior: Physical.waterHeat * mass / Double(layers), spread: 1)
    let isCold = part[.chilledSupplyTemperature] != nil && part[.hotSupplyTemperature] == nil
    // Warm water comes in above, cold water below; each then pushes what it finds through to the other end.
    let charging = isCold ? [last, first] : [first, last]
    let source = around.upstream.lazy.compactMap(\.water).first
    let flow =
      source.flatMap { $0.flow.isEmpty ? nil : $0.flow }
      ?? part[.waterFlow].flatMap { $0.unit == "kg/s" ? [model.input($0)] : nil }
    let temperature =
      source?.temperature
      ?? (part[.hotSupplyTemperature] ?? part[.chilledSupplyTemperature]).map { .input(model.input($0)) }
    if let flow, let temperature { push(&model, temperature, flow, through: charging, layers, capacity) }
    if let draw = part[.outflow], draw.unit == "kg/s",
      let back = part[.hotReturnTemperature] ?? part[.chilledReturnTemperature]
    {
      push(
        &model, .input(model.input(back)), [model.input(draw)], through: charging.reversed(), layers, capacity)
    }
    if layers > 1 {
      let mixing = model.parameter(part, "G_layers", "W/K", prior: 20, spread: 1)
      let nodes = [first, last].map { HeatNode(state: $0, capacity: capacity) }
      model.exchange(nodes[0], nodes[1], conductance: mixing)
    }
    for (role, sign) in [(PointRole.heatingPower, 1.0), (.coolingPower, -1)] {
      guard let power = part[role] else { continue }
      let layer = role == .heatingPower ? last : first
      model.term(layer, .input(model.input(power)), sign, [.init(capacity, -1)])
    }
    if let room = part[.zoneTemperature] {
      let loss = model.parameter(part, "G_loss", "W/K", prior: 5 / Double(layers), spread: 1)
      for layer in first...last {
        model.difference(layer, from: .input(model.input(room)), 1, [.init(loss, 1), .init(capacity, -1)])
      }
    }
    model.bias(
      part, "heat_bias", "W", of: first, deviation: Physical.waterHeat * mass / 3600, gain: [.init(capacity, -1)])
  }

  private static func push(
    _ model: inout ModelAssembly, _ source: BilinearModel.Column, _ flow: [Int], through ends: [Int], _ layers: Int,
    _ capacity: Int
  ) {
    var before = source
    for layer in ends.prefix(layers) {
      model.difference(layer, from: before, Physical.waterHeat, [.init(capacity, -1)], by: flow)
      before = .state(layer)
    }
  }
}
