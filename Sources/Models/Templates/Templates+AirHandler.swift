// The air handler: a coil that follows its setpoint or its valves, a fan, and what both take.
//
// Sources: ASHRAE Handbook, HVAC Systems and Equipment (2020), ch. 4 and 21 (fan laws: power by the cube of the flow);
// Underwood and Yik, "Modelling Methods for Energy in Buildings", ch. 5 (coils as first-order lags).

extension ModelTemplate {
  static let airHandler = ModelTemplate(
    id: "air-handler.coil", kind: .airHandler, summary: "air handler: coil, fan, and the energy of both",
    needs: [[.supplyTemperature], [.supplyTemperatureSetpoint, .heatingValve, .coolingValve]],
    takes: [
      .running, .supplyFlow, .supplyFlowSetpoint, .mixedTemperature, .returnTemperature, .outdoorTemperature,
      .electricPower, .heatingPower,
    ],
    declare: declareAirHandler, connect: connectAirHandler)

  /// Seconds in which a machine's electrical and thermal power settle: far below any step, so that none is estimated.
  static let settlingSeconds = 60.0

  private static func declareAirHandler(_ model: inout ModelAssembly, _ part: ModelPart) -> ModelPorts {
    let supply = model.state("\(part.asset).supply", "Cel", mean: 20, deviation: 10, wander: 1)
    if let reading = part[.supplyTemperature] { model.output(reading, state: supply, floor: 0.1) }
    var ports = ModelPorts(supplyAir: Stream(temperature: .state(supply), flow: []))
    // What was applied is known beforehand, a measured flow only as it was.
    let commanded = part[.supplyFlowSetpoint].flatMap { $0.unit == "kg/s" ? $0 : nil }
    if let setpoint = commanded, let running = part[.running] {
      ports.supplyAir?.flow = [model.input(setpoint), model.input(running)]
    } else if let flow = [part[.supplyFlow], commanded].compactMap({ $0 }).first(where: { $0.unit == "kg/s" }) {
      ports.supplyAir?.flow = [model.input(flow)]
    } else if let running = part[.running] {
      // Its flow is one unknown number: a conductance of the zone.
      ports.supplyAir?.switched = model.input(running)
    }
    ports.nominalAirFlow = part.nominalAirFlow
    return ports
  }

  private static func connectAirHandler(
    _ model: inout ModelAssembly, _ part: ModelPart, _ ports: ModelPorts, _ around: ModelSurroundings
  ) {
    guard let stream = ports.supplyAir, case .state(let supply) = stream.temperature else { return }
    let zones = around.downstream.compactMap(\.air)
    let outdoor = part[.outdoorTemperature].map { BilinearModel.Column.input(model.input($0)) }
    let measured = (part[.mixedTemperature] ?? part[.returnTemperature]).map {
      BilinearModel.Column.input(model.input($0))
    }
    /// The air before the coil, or around it while the fan stands still.
    let around = measured.map { [$0] } ?? (zones.isEmpty ? outdoor.map { [$0] } ?? [] : zones)
    let lag = model.parameter(part, "tau_coil", "s", prior: 180, spread: 1)
    if let setpoint = part[.supplyTemperatureSetpoint] {
      let running = part[.running].map { [model.input($0)] } ?? []
      model.difference(supply, from: .input(model.input(setpoint)), 1, [.init(lag, -1)], by: running)
      if !running.isEmpty, !around.isEmpty {
        let rest = model.parameter(part, "tau_rest", "s", prior: 900, spread: 1)
        for air in around {
          let share = 1 / Double(around.count)
          model.difference(supply, from: air, share, [.init(rest, -1)])
          model.difference(supply, from: air, -share, [.init(rest, -1)], by: running)
        }
      }
    } else {
      for air in around { model.difference(supply, from: air, 1 / Double(around.count), [.init(lag, -1)]) }
      for (role, name, sign) in [(PointRole.heatingValve, "coil_rise", 1.0), (.coolingValve, "coil_drop", -1)] {
        guard let valve = part[role] else { continue }
        let most = model.parameter(part, name, "K", prior: 15, spread: 0.7)
        model.term(supply, .input(model.input(valve)), sign, [.init(most, 1), .init(lag, -1)])
      }
    }
    model.bias(part, "coil_bias", "K", of: supply, deviation: 1, gain: [.init(lag, -1)])
    fan(&model, part, stream)
    coil(&model, part, stream, supply, zones, outdoor)
  }

  /// Power by the cube of the flow, settled within a step.
  private static func fan(_ model: inout ModelAssembly, _ part: ModelPart, _ stream: Stream) {
    guard let reading = part[.electricPower], let flow = stream.flow.first, let most = part.nominalAirFlow else {
      return
    }
    // 1.5 kW for each m³/s (specific fan power of EN 16798-3, class 4).
    let rated = 1_250 * most
    let power = model.state("\(part.asset).fan", "W", mean: 0, deviation: rated, wander: 0.1 * rated)
    model.output(reading, state: power, floor: 0.02 * rated, isMean: true)
    let full = model.parameter(part, "fan_power", "W", prior: rated, spread: 0.7)
    model.term(power, .state(power), -1 / settlingSeconds)
    model.term(
      power, .one, 1 / (settlingSeconds * most * most * most), [.init(full, 1)],
      by: [flow, flow, flow] + stream.flow.dropFirst())
  }

  /// Heat that the coil gives: to outdoor air, and to air that comes back or is warmed by what leaves.
  private static func coil(
    _ model: inout ModelAssembly, _ part: ModelPart, _ stream: Stream, _ supply: Int,
    _ zones: [BilinearModel.Column], _ outdoor: BilinearModel.Column?
  ) {
    guard let reading = part[.heatingPower], !stream.flow.isEmpty, let most = part.nominalAirFlow else { return }
    let sources =
      (outdoor.map { [("outdoor_share", 1.0, $0)] } ?? [])
      + zones.map { ("return_share", 1 / Double(zones.count), $0) }
    guard !sources.isEmpty else { return }
    let rated = 10 * Physical.airHeat * most
    let heat = model.state("\(part.asset).coil", "W", mean: 0, deviation: rated, wander: 0.3 * rated)
    model.output(reading, state: heat, floor: 0.05 * rated, isMean: true)
    model.term(heat, .state(heat), -1 / settlingSeconds)
    for (name, weight, source) in sources {
      let share = model.parameter(part, name, "1", prior: sources.count > 1 ? 0.5 : 1, spread: 0.7)
      let scale = weight * Physical.airHeat / settlingSeconds
      model.term(heat, .state(supply), scale, [.init(share, 1)], by: stream.flow)
      model.term(heat, source, -scale, [.init(share, 1)], by: stream.flow)
    }
  }
}
