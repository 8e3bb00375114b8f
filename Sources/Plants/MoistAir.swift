internal import TwinCore

/// Moist air at sea level. Temperatures in °C, pressures in Pa, humidity ratios in kg of vapour per kg of dry air.
///
/// Source of the saturation curve: Magnus form of WMO-No. 8, annex 4.B, over water.
enum MoistAir {
  static let pressure = 101_325.0
  /// J/(kg·K)
  static let heatCapacity = 1_006.0
  /// J/kg
  static let vaporisationHeat = 2.45e6
  /// 1/K, for a ventilated wet bulb.
  static let psychrometer = 6.62e-4

  static func saturationPressure(_ t: Double) -> Double {
    611.2 * Elementary.exp(17.62 * t / (243.12 + t))
  }

  static func dewPoint(vapourPressure: Double) -> Double {
    let x = Elementary.log(vapourPressure / 611.2)
    return 243.12 * x / (17.62 - x)
  }

  static func humidityRatio(vapourPressure: Double) -> Double {
    0.622 * vapourPressure / (pressure - vapourPressure)
  }

  static func vapourPressure(humidityRatio: Double) -> Double {
    pressure * humidityRatio / (0.622 + humidityRatio)
  }

  /// The wet bulb that satisfies the psychrometer equation e = es(w) − A·p·(t − w).
  static func wetBulb(dryBulb: Double, dewPoint: Double) -> Double {
    let vapour = saturationPressure(min(dewPoint, dryBulb))
    var (low, high) = (min(dewPoint, dryBulb), dryBulb)
    // The right side rises with w, and the ends enclose the root: 40 halvings of at most 100 K leave 1e-10 K.
    for _ in 0..<40 {
      let middle = (low + high) / 2
      let found = saturationPressure(middle) - psychrometer * pressure * (dryBulb - middle)
      if found < vapour { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}
