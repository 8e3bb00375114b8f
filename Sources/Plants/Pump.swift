/// A centrifugal pump on a closed loop without static head, so that it stays on its affinity curve.
///
/// Flow follows speed, pressure its square, hydraulic power its cube. Shaft power is hydraulic power over the
/// efficiency, which falls a little away from the rating.
struct Pump: Hashable, Sendable {
  /// kg/s at full speed.
  var ratedFlow: Double
  /// Pa at full speed.
  var ratedPressure: Double
  /// Pump, motor and drive together at full speed.
  var ratedEfficiency: Double
  /// Share of full speed.
  var speed: Double

  /// kg/m³, of water in the loops.
  static let density = 998.0
  /// Share of full speed per second, what a drive's ramp allows.
  static let ramp = 0.1

  /// kg/s
  var flow: Double { ratedFlow * speed }
  /// Pa
  var pressure: Double { ratedPressure * speed * speed }
  var efficiency: Double { ratedEfficiency * (1 - 0.3 * (1 - speed) * (1 - speed)) }
  /// W at the drive's terminals.
  var power: Double { flow / Self.density * pressure / efficiency }

  mutating func drive(towards target: Double, seconds: Double) {
    let change = Self.ramp * seconds
    speed += min(change, max(-change, target - speed))
  }
}
