internal import TwinCore

/// An induced-draught tower with its basin, and the condenser water that the chiller takes from it.
///
/// The water is cooled towards the wet bulb; how far, the fan decides. The fan holds the basin at a target; below it, a
/// bypass valve takes water past the fill, because the chiller wants its condenser warm in winter too.
struct CoolingTower: Hashable, Sendable {
  /// °C, the water that enters the condenser.
  var basin: Double
  /// Share of full fan speed.
  private(set) var fanSpeed = 0.0
  /// W of the fan and the condenser pump.
  private(set) var power = 0.0

  /// J/K
  static let capacity = 3.0e6 * 4.186
  /// W/K of the condenser water stream.
  static let stream = 12.0 * 4_186
  /// °C
  static let target = 21.0
  static let bypassFrom = 18.0
  /// W
  static let fanRatedPower = 5_500.0
  static let pumpPower = 4_000.0
  /// W/K to the surroundings, with everything off.
  static let loss = 250.0

  /// Share of the way from the hot water to the wet bulb, at a fan speed.
  static func effectiveness(fanSpeed: Double) -> Double { 1 - Elementary.exp(-1.4 * fanSpeed.squareRoot()) }

  /// One tick with `heat` (W) from the condenser; the heat given to the air, W.
  mutating func step(seconds: Double, heat: Double, isRunning: Bool, weather: Weather.State) -> Double {
    fanSpeed = isRunning ? min(1, max(0.1, 0.1 + (basin - Self.target) / 4)) : 0
    let overFill = min(1, max(0, (basin - Self.bypassFrom) / (Self.target - Self.bypassFrom)))
    power = isRunning ? Self.pumpPower + Self.fanRatedPower * fanSpeed * fanSpeed * fanSpeed : 0
    var given = Self.loss * (basin - weather.dryBulb)
    if isRunning {
      let hot = basin + heat / Self.stream
      given += overFill * Self.effectiveness(fanSpeed: fanSpeed) * max(0, hot - weather.wetBulb) * Self.stream
    }
    basin += (heat - given) * seconds / Self.capacity
    return given
  }
}
