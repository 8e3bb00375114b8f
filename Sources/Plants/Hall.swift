internal import TwinCore

/// A hall with people, machines and windows, and the air handling unit whose coil cools it.
///
/// Heat: an air node and a mass node (2R2C). Coil: counterflow effectiveness–NTU for the sensible part, and the water
/// that condenses on a surface below the dew point of the air. Moisture: one node, with sorption as a multiple of the
/// air.
struct Hall: Hashable, Sendable {
  /// What one tick did. W and °C.
  struct Exchange: Hashable, Sendable {
    var sensible = 0.0
    var latent = 0.0
    var supplyAirT = 18.0
    var toWater: Double { sensible + latent }
  }

  /// °C, °C and kg/kg.
  var airT = 24.0
  var massT = 24.0
  var humidityRatio = 0.007
  /// Share of the loop's flow through the coil; the rest goes through the bypass.
  private(set) var valve = 0.4
  private var integral = 0.4

  /// J/K
  var airCapacity = 18e6
  var massCapacity = 250e6
  /// W/K to outdoors and between the nodes.
  var envelopeConductance = 1_800.0
  var massConductance = 12_000.0
  /// m² of equivalent opening, and the share of the sun that meets the air at once.
  var solarOpening = 32.0
  var solarToAir = 0.3
  /// W always, and per full occupancy.
  var machineHeat = 85_000.0
  var peopleHeat = 42_000.0
  /// Whether the make-up air passes the desiccant dryer.
  var isDried = true
  /// W of the supply fan, all of it into the air.
  var fanPower = 7_500.0

  /// kg/s of supply air, and of outdoor air when empty and more when full.
  static let airFlow = 16.0
  static let outdoorAir = (empty: 0.3, full: 1.5)
  /// W/K of either side of the coil; the water side at its rated flow, kg/s.
  static let coilAirSide = 40_000.0
  static let coilWaterSide = 45_000.0
  static let coilRatedFlow = 9.0
  /// Share of the air that passes the coil untouched.
  static let bypassFactor = 0.3
  /// kg of dry air times its sorption multiple, and kg/s of vapour from a full hall.
  static let moistureMass = 3_600.0 * 3
  static let peopleVapour = 0.001
  /// °C of dew point that the dryer lets through at most, so that cold water does not condense the hall's air.
  static let dryerDewPoint = 2.0
  /// °C, 1/K and 1/(K·s) of the zone's thermostat.
  static let target = 24.0
  static let gain = 0.25
  static let integralGain = 0.25 / 900
  static let valveMin = 0.02
  /// J/(kg·K)
  static let water = 4_186.0

  var dewPoint: Double { MoistAir.dewPoint(vapourPressure: MoistAir.vapourPressure(humidityRatio: humidityRatio)) }

  /// One tick with water of `waterT` at `flow` kg/s before the valve; `fouling` is the share of the coil that is lost.
  mutating func step(
    seconds: Double, weather: Weather.State, occupancy: Double, waterT: Double, flow: Double, fouling: Double
  ) -> Exchange {
    let error = airT - Self.target
    integral = min(1, max(0, integral + Self.integralGain * error * seconds))
    valve = min(1, max(Self.valveMin, Self.gain * error + integral))
    let now = exchange(waterT: waterT, flow: valve * flow, fouling: fouling)
    let outdoorFlow = Self.outdoorAir.empty + (Self.outdoorAir.full - Self.outdoorAir.empty) * occupancy
    let conduction =
      (envelopeConductance + outdoorFlow * MoistAir.heatCapacity) * (weather.dryBulb - airT)
    let toMass = massConductance * (airT - massT)
    let sun = solarOpening * weather.solar
    let inside = machineHeat + peopleHeat * occupancy + fanPower
    airT += (conduction - toMass + inside + solarToAir * sun - now.sensible) * seconds / airCapacity
    massT += (toMass + (1 - solarToAir) * sun) * seconds / massCapacity
    let makeUp = isDried ? min(weather.dewPoint, Self.dryerDewPoint) : weather.dewPoint
    let outdoors = MoistAir.humidityRatio(vapourPressure: MoistAir.saturationPressure(makeUp))
    let vapour =
      outdoorFlow * (outdoors - humidityRatio) + Self.peopleVapour * occupancy
      - now.latent / MoistAir.vaporisationHeat
    humidityRatio = max(1e-5, humidityRatio + vapour * seconds / Self.moistureMass)
    return now
  }

  /// What the coil takes from the air now.
  func exchange(waterT: Double, flow: Double, fouling: Double) -> Exchange {
    let airStream = Self.airFlow * MoistAir.heatCapacity
    let sensible = Self.effectiveHeat(
      airStream: airStream, waterStream: flow * Self.water, conductance: Self.conductance(flow: flow, fouling: fouling),
      difference: airT - waterT)
    let offCoil = airT - sensible / airStream
    var latent = 0.0
    if flow > 0 {
      let surface = MoistAir.saturationPressure((waterT + offCoil) / 2)
      let excess = humidityRatio - MoistAir.humidityRatio(vapourPressure: surface)
      latent = Self.airFlow * (1 - Self.bypassFactor) * (1 - fouling) * max(0, excess) * MoistAir.vaporisationHeat
      // The water cannot take more than would warm it to the air.
      latent = min(latent, max(0, flow * Self.water * (airT - waterT) - sensible))
    }
    return Exchange(sensible: sensible, latent: latent, supplyAirT: offCoil + fanPower / airStream)
  }

  /// W/K of the coil; the water side by Dittus–Boelter's power of the flow.
  static func conductance(flow: Double, fouling: Double) -> Double {
    guard flow > 0 else { return 0 }
    let waterSide = coilWaterSide * Elementary.pow(flow / coilRatedFlow, 0.8)
    return (1 - fouling) / (1 / coilAirSide + 1 / waterSide)
  }

  /// W of a counterflow exchanger (Kays and London, "Compact Heat Exchangers").
  static func effectiveHeat(airStream: Double, waterStream: Double, conductance: Double, difference: Double) -> Double {
    let (least, most) = (min(airStream, waterStream), max(airStream, waterStream))
    guard least > 0, conductance > 0 else { return 0 }
    let units = conductance / least
    let ratio = least / most
    let decay = Elementary.exp(-units * (1 - ratio))
    let effectiveness = ratio > 0.9999 ? units / (1 + units) : (1 - decay) / (1 - ratio * decay)
    return effectiveness * least * difference
  }

  /// Share of the seats taken: working days from seven to seven, with some coming and going.
  static func occupancy(at local: Double, noise: SeededNoise) -> Double {
    let days = (local / Weather.daySeconds).rounded(.down)
    let hour = (local - days * Weather.daySeconds) / 3600
    // 1970-01-01 was a Thursday; 0 is Monday.
    let weekday = (Int64(days) % 7 + 7 + 3) % 7
    guard weekday < 5 else { return 0.03 }
    let arriving = min(1, max(0, (hour - 7) / 2))
    let leaving = min(1, max(0, (19 - hour) / 3))
    let lunch = max(0, 1 - (hour - 12.5).magnitude) * 0.35
    let present = min(arriving, leaving) - (hour > 11 && hour < 14 ? lunch : 0)
    return min(1, max(0.03, present * (0.85 + 0.15 * noise.smooth(at: local, period: 1800))))
  }
}
