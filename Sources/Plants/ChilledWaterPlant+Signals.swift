extension ChilledWaterPlant {
  static let setpointName = "chiller-1.chw_supply_sp"
  static let pumpSpeedName = "pump-1.speed"
  static let watchdogName = "chiller-1.watchdog_s"

  public var signals: [PlantSignal] { Self.table }

  /// Everything that the plant shows; `run_state` is 0 stopped, 1 starting, 2 running, 9 fault.
  public static let table: [PlantSignal] = [
    PlantSignal("chiller-1.chw_supply_t", unit: "Cel", range: -10...60),
    PlantSignal("chiller-1.chw_return_t", unit: "Cel", range: -10...60),
    PlantSignal(setpointName, unit: "Cel", range: 4...12, isWritable: true, start: setpointDefault),
    PlantSignal("chiller-1.run_state", unit: "1", range: 0...9, start: 2, course: .states([0, 1, 2, 9])),
    PlantSignal("chiller-1.power", unit: "W", range: 0...150_000),
    PlantSignal("chiller-1.cond_in_t", unit: "Cel", range: -10...60),
    PlantSignal(watchdogName, unit: "s", range: 0...3600, isWritable: true, start: 0),
    PlantSignal("chiller-1.energy", unit: "kW.h", range: 0...4_294_967_295),
    PlantSignal(pumpSpeedName, unit: "1", range: 0.3...1, isWritable: true, start: 0.8),
    PlantSignal("pump-1.flow", unit: "L/s", range: 0...20),
    PlantSignal("pump-1.dp", unit: "kPa", range: 0...400),
    PlantSignal("pump-1.power", unit: "W", range: 0...10_000),
    PlantSignal("hall-a.zone_t", unit: "Cel", range: -10...60),
    PlantSignal("hall-a.supply_air_t", unit: "Cel", range: -10...60),
    PlantSignal("hall-a.dew_point", unit: "Cel", range: -40...60),
    PlantSignal("hall-a.occupancy", unit: "1", range: 0...1),
    PlantSignal("hall-a.cooling_load", unit: "W", range: -50_000...400_000),
    PlantSignal("weather.outdoor_t", unit: "Cel", range: -40...60),
    PlantSignal("weather.wet_bulb_t", unit: "Cel", range: -40...60),
    PlantSignal("weather.solar", unit: "W/m2", range: 0...1400),
    PlantSignal("meter-1.power", unit: "W", range: 0...200_000),
    PlantSignal("meter-1.energy", unit: "kW.h", range: 0...4_294_967_295),
  ]

  /// Ids of what is measured, and so can be biased or stuck; registers that are written cannot.
  static let instruments: [String] = table.filter { !$0.isWritable }.map(\.name)

  private static let ranges: [String: ClosedRange<Double>] =
    table.filter { !$0.isWritable }.reduce(into: [:]) { $0[$1.name] = $1.range }

  /// Largest error of an instrument that works, ±, in its unit.
  private static let errors: [String: Double] = [
    "chiller-1.chw_supply_t": 0.03, "chiller-1.chw_return_t": 0.03, "chiller-1.power": 60, "chiller-1.cond_in_t": 0.05,
    "pump-1.flow": 0.04, "pump-1.dp": 0.5, "pump-1.power": 5, "hall-a.zone_t": 0.05, "hall-a.supply_air_t": 0.05,
    "hall-a.dew_point": 0.1, "weather.outdoor_t": 0.05, "weather.wet_bulb_t": 0.08, "weather.solar": 2,
    "meter-1.power": 80,
  ]

  public var outputs: [String: Double] {
    var shown: [String: Double] = [:]
    shown.reserveCapacity(Self.table.count)
    for signal in Self.table { shown[signal.name] = frozen[signal.name] ?? self.shown(signal.name) }
    return shown
  }

  /// A write of the watchdog arms it for so many seconds of the caller, or refreshes it; 0 disarms. Nothing else
  /// refreshes.
  public mutating func set(_ name: String, _ value: Double) -> Bool {
    guard let signal = Self.table.first(where: { $0.name == name }), signal.isWritable, signal.range.contains(value)
    else { return false }
    switch name {
    case Self.setpointName: if !damage.dropsSetpoint { setpointRegister = value }
    case Self.pumpSpeedName: pumpSpeedRegister = value
    default: (watchdogRegister, watchdogLeft) = (value, value)
    }
    return true
  }

  /// What an instrument shows unless it is stuck: the truth, its small error, its bias, its end stops.
  func shown(_ name: String) -> Double {
    var value = truth(name)
    if let error = Self.errors[name] { value += error * SeededNoise(seed: seed, name: name).white(tick) }
    for plan in planned where plan.from <= tick {
      if case .sensorBias(name, let offset) = plan.breakage { value += offset }
    }
    // A register that is written has no end stops: a drive that is stuck below its range shows so.
    guard let range = Self.ranges[name] else { return value }
    return min(range.upperBound, max(range.lowerBound, value))
  }

  /// What is so.
  func truth(_ name: String) -> Double {
    switch name {
    case "chiller-1.chw_supply_t": supplyT
    case "chiller-1.chw_return_t": returnT
    case Self.setpointName: setpointRegister
    case "chiller-1.run_state": chiller.state.rawValue
    case "chiller-1.power": chiller.power
    case "chiller-1.cond_in_t": tower.basin
    case Self.watchdogName: watchdogRegister
    case "chiller-1.energy": ledger.chiller / 3.6e6
    // The drive shows the speed it was told, unless it is stuck at its own.
    case Self.pumpSpeedName: damage.pumpSpeed ?? pumpSpeedRegister
    case "pump-1.flow": pump.flow / Pump.density * 1_000
    case "pump-1.dp": pump.pressure / 1_000
    case "pump-1.power": pump.power
    case "hall-a.zone_t": hall.airT
    case "hall-a.supply_air_t": exchange.supplyAirT
    case "hall-a.dew_point": hall.dewPoint
    case "hall-a.occupancy": occupancy
    case "hall-a.cooling_load": exchange.toWater
    case "weather.outdoor_t": now.dryBulb
    case "weather.wet_bulb_t": now.wetBulb
    case "weather.solar": now.solar
    case "meter-1.power": power
    case "meter-1.energy": ledger.plant / 3.6e6
    default: preconditionFailure("\(name) is not in the table")
    }
  }
}
