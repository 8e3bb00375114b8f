import ArgumentParser
import TwinCore

/// A value as it is typed: a number in the point's own unit, or one with its unit.
struct Setpoint: ExpressibleByArgument, Equatable {
  var value: Double
  /// A UCUM code; nil is the unit of the point.
  var unit: String?

  init(value: Double, unit: String? = nil) { (self.value, self.unit) = (value, unit) }

  init?(argument: String) {
    if let value = Double(argument), value.isFinite {
      self.value = value
    } else if let quantity = try? Quantity.parse(argument) {
      (value, unit) = (quantity.value, quantity.unit.ucum)
    } else {
      return nil
    }
  }

  var text: String { unit.map { Screen.amount(value, $0) } ?? Screen.number(value) }
}
