// Compressors with their receiver, and batteries.
//
// Sources: Compressed Air Challenge, "Best Practices for Compressed Air Systems" (2007): load and unload, leakage;
// Plett, "Battery Management Systems" vol. 1 (2015), ch. 2 and 3: counting charge, heat by the square of the current.

extension ModelTemplate {
  static let machines: [ModelTemplate] = [
    ModelTemplate(
      id: "compressor.receiver", kind: .compressor, summary: "air compressor: the pressure of its receiver, its power",
      needs: [[.receiverPressure], [.load, .running]], takes: [.electricPower], declare: declareCompressor,
      connect: { _, _, _, _ in }),
    ModelTemplate(
      id: "battery.charge", kind: .battery, summary: "battery: state of charge, and the warmth of its cells",
      needs: [[.charge], [.batteryPower, .electricPower]], takes: [.batteryTemperature, .outdoorTemperature],
      declare: declareBattery, connect: { _, _, _, _ in }),
  ]

  /// p' = rise · load − p/leak − demand; power = idle · on + full · load, settled within a step.
  private static func declareCompressor(_ model: inout ModelAssembly, _ part: ModelPart) -> ModelPorts {
    guard let reading = part[.receiverPressure], let drive = part[.load] ?? part[.running] else { return ModelPorts() }
    let most = reading.range.map { max($0.upperBound, 1_000) } ?? 1_000_000
    let command = BilinearModel.Column.input(model.input(drive))
    let running = part[.load] == nil ? [] : part[.running].map { [model.input($0)] } ?? []
    let pressure = model.state("\(part.asset).pressure", "Pa", mean: most / 2, deviation: most, wander: 0.02 * most)
    model.output(reading, state: pressure, floor: 0.002 * most)
    let rise = model.parameter(part, "rise", "Pa/s", prior: most / 120, spread: 1)
    model.term(pressure, command, 1, [.init(rise, 1)], by: running)
    let leak = model.parameter(part, "tau_leak", "s", prior: 3_600, spread: 1)
    model.term(pressure, .state(pressure), -1, [.init(leak, -1)])
    model.bias(part, "demand", "Pa/s", of: pressure, deviation: most / 240, scale: -1)
    guard let meter = part[.electricPower] else { return ModelPorts() }
    let rated = meter.range.map { max(0.7 * $0.upperBound, 1) } ?? 30_000
    let power = model.state("\(part.asset).power", "W", mean: 0, deviation: rated, wander: 0.1 * rated)
    model.output(meter, state: power, floor: 0.01 * rated)
    model.term(power, .state(power), -1 / settlingSeconds)
    let full = model.parameter(part, "loaded_power", "W", prior: 0.75 * rated, spread: 0.5)
    model.term(power, command, 1 / settlingSeconds, [.init(full, 1)], by: running)
    let idle = model.parameter(part, "idle_power", "W", prior: 0.25 * rated, spread: 0.5)
    model.term(power, .one, 1 / settlingSeconds, [.init(idle, 1)], by: running)
    return ModelPorts()
  }

  /// charge' = P / E + b; T' = k (P/P_most)² + (T_room − T)/τ + b.
  private static func declareBattery(_ model: inout ModelAssembly, _ part: ModelPart) -> ModelPorts {
    guard let charge = part[.charge], let power = part[.batteryPower] ?? part[.electricPower] else {
      return ModelPorts()
    }
    let most = power.range.map { max($0.upperBound.magnitude, $0.lowerBound.magnitude, 1) } ?? 10_000
    let column = model.input(power)
    let state = model.state("\(part.asset).charge", "1", mean: 0.5, deviation: 0.3, wander: 0.005)
    model.output(charge, state: state, floor: 0.005)
    // Two hours of its greatest power.
    let energy = model.parameter(part, "energy", "J", prior: 7_200 * most, spread: 0.7)
    model.term(state, .input(column), 1, [.init(energy, -1)])
    model.bias(part, "power_bias", "W", of: state, deviation: 0.02 * most, gain: [.init(energy, -1)])
    guard let reading = part[.batteryTemperature] else { return ModelPorts() }
    let warmth = model.state("\(part.asset).cells", "Cel", mean: 25, deviation: 10, wander: 0.2)
    model.output(reading, state: warmth, floor: 0.1)
    let rise = model.parameter(part, "warming", "K/s", prior: 10.0 / 3600, spread: 1)
    model.term(warmth, .input(column), 1 / (most * most), [.init(rise, 1)], by: [column])
    let lag = model.parameter(part, "tau_cells", "s", prior: 7_200, spread: 1)
    if let room = part[.outdoorTemperature] {
      model.difference(warmth, from: .input(model.input(room)), 1, [.init(lag, -1)])
    } else {
      // A room that nobody measures, at twenty degrees; the bias tells what it really is.
      model.term(warmth, .state(warmth), -1, [.init(lag, -1)])
      model.term(warmth, .one, 20, [.init(lag, -1)])
    }
    model.bias(part, "room_bias", "K", of: warmth, deviation: 5, gain: [.init(lag, -1)])
    return ModelPorts()
  }
}
