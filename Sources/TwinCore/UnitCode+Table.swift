extension UnitCode {
  /// SI value = (value + zeroHundredths / 100) × numerator ÷ denominator (× π).
  struct Entry: Sendable {
    var code: String
    var symbol: String
    var dimension: Dimension
    var numerator: Int
    var denominator: Int
    var zeroHundredths: Int = 0
    var hasPi: Bool = false
    var differenceCode: String?

    init(
      _ code: String, _ symbol: String, _ dimension: Dimension, _ numerator: Int = 1, over denominator: Int = 1,
      zeroHundredths: Int = 0, hasPi: Bool = false, difference: String? = nil
    ) {
      (self.code, self.symbol, self.dimension) = (code, symbol, dimension)
      (self.numerator, self.denominator) = (numerator, denominator)
      (self.zeroHundredths, self.hasPi, self.differenceCode) = (zeroHundredths, hasPi, difference)
    }
  }

  private static let area = Dimension.length.power(2)
  private static let volume = Dimension.length.power(3)
  private static let speed = Dimension.length / .time
  private static let force = Dimension.mass * speed / .time
  private static let pressure = force / area
  private static let energy = force * .length
  private static let power = energy / .time
  private static let voltage = power / .current
  private static let volumeFlow = volume / .time
  private static let massFlow = Dimension.mass / .time
  private static let frequency = Dimension.one / .time
  private static let density = Dimension.mass / volume
  private static let conductivity = Dimension.current / voltage / .length

  /// Order is free: records keep codes, never rows. At most 256.
  static let table: [Entry] = thermal + mechanical + electrical + flows + geometry + shares + money

  private static let thermal: [Entry] = [
    Entry("Cel", "°C", .temperature, zeroHundredths: 27_315, difference: "K"),
    Entry("K", "K", .temperature),
    Entry("[degF]", "°F", .temperature, 5, over: 9, zeroHundredths: 45_967, difference: "[degR]"),
    Entry("[degR]", "°R", .temperature, 5, over: 9),
    Entry("W/m2", "W/m²", power / area),
    Entry("W/K", "W/K", power / .temperature),
    Entry("kW/K", "kW/K", power / .temperature, 1000),
    Entry("W/(m2.K)", "W/(m²·K)", power / area / .temperature),
    Entry("J/K", "J/K", energy / .temperature),
    Entry("kJ/K", "kJ/K", energy / .temperature, 1000),
    Entry("MJ/K", "MJ/K", energy / .temperature, 1_000_000),
    Entry("kW.h/K", "kWh/K", energy / .temperature, 3_600_000),
    Entry("kJ/(kg.K)", "kJ/(kg·K)", energy / .mass / .temperature, 1000),
    Entry("kJ/kg", "kJ/kg", energy / .mass, 1000),
  ]

  private static let mechanical: [Entry] = [
    Entry("Pa", "Pa", pressure), Entry("hPa", "hPa", pressure, 100), Entry("kPa", "kPa", pressure, 1000),
    Entry("MPa", "MPa", pressure, 1_000_000), Entry("bar", "bar", pressure, 100_000),
    Entry("mbar", "mbar", pressure, 100),
    // 0.45359237 kg × 9.80665 m/s² over a square inch of 0.0254 m.
    Entry("[psi]", "psi", pressure, 8_896_443_230_521, over: 1_290_320_000),
    Entry("N", "N", force), Entry("kN", "kN", force, 1000), Entry("N.m", "N·m", energy),
    Entry("g", "g", .mass, 1, over: 1000), Entry("kg", "kg", .mass), Entry("t", "t", .mass, 1000),
    Entry("kg{CO2}", "kg CO₂", .mass), Entry("t{CO2}", "t CO₂", .mass, 1000),
    Entry("kg/m3", "kg/m³", density), Entry("g/m3", "g/m³", density, 1, over: 1000),
    Entry("mg/L", "mg/L", density, 1, over: 1000), Entry("ug/m3", "µg/m³", density, 1, over: 1_000_000_000),
  ]

  private static let electrical: [Entry] = [
    Entry("W", "W", power), Entry("kW", "kW", power, 1000), Entry("MW", "MW", power, 1_000_000),
    Entry("V.A", "VA", power), Entry("kV.A", "kVA", power, 1000),
    Entry("V.A{reactive}", "var", power), Entry("kV.A{reactive}", "kvar", power, 1000),
    Entry("J", "J", energy), Entry("kJ", "kJ", energy, 1000), Entry("MJ", "MJ", energy, 1_000_000),
    Entry("GJ", "GJ", energy, 1_000_000_000), Entry("W.h", "Wh", energy, 3600),
    Entry("kW.h", "kWh", energy, 3_600_000), Entry("MW.h", "MWh", energy, 3_600_000_000),
    Entry("mA", "mA", .current, 1, over: 1000), Entry("A", "A", .current), Entry("A.h", "Ah", .current * .time, 3600),
    Entry("mV", "mV", voltage, 1, over: 1000), Entry("V", "V", voltage), Entry("kV", "kV", voltage, 1000),
    Entry("Ohm", "Ω", voltage / .current), Entry("Hz", "Hz", frequency), Entry("kHz", "kHz", frequency, 1000),
    Entry("uS/cm", "µS/cm", conductivity, 1, over: 10_000), Entry("mS/cm", "mS/cm", conductivity, 1, over: 10),
    Entry("lx", "lx", .luminousIntensity / area), Entry("kW.h/m2", "kWh/m²", energy / area, 3_600_000),
    Entry("kW.h/m3", "kWh/m³", energy / volume, 3_600_000),
  ]

  private static let flows: [Entry] = [
    Entry("kg/s", "kg/s", massFlow), Entry("kg/h", "kg/h", massFlow, 1, over: 3600),
    Entry("t/h", "t/h", massFlow, 1000, over: 3600), Entry("m3/s", "m³/s", volumeFlow),
    Entry("m3/h", "m³/h", volumeFlow, 1, over: 3600), Entry("L/s", "L/s", volumeFlow, 1, over: 1000),
    Entry("L/min", "L/min", volumeFlow, 1, over: 60_000), Entry("L/h", "L/h", volumeFlow, 1, over: 3_600_000),
    Entry("m/s", "m/s", speed), Entry("km/h", "km/h", speed, 1000, over: 3600),
    Entry("{rpm}", "rpm", frequency, 1, over: 60), Entry("/s", "1/s", frequency),
    Entry("/min", "1/min", frequency, 1, over: 60), Entry("/h", "1/h", frequency, 1, over: 3600),
  ]

  private static let geometry: [Entry] = [
    Entry("mm", "mm", .length, 1, over: 1000), Entry("cm", "cm", .length, 1, over: 100), Entry("m", "m", .length),
    Entry("km", "km", .length, 1000), Entry("m2", "m²", area), Entry("m3", "m³", volume),
    Entry("L", "L", volume, 1, over: 1000), Entry("rad", "rad", .one),
    Entry("deg", "°", .one, 1, over: 180, hasPi: true),
    Entry("ns", "ns", .time, 1, over: 1_000_000_000), Entry("us", "µs", .time, 1, over: 1_000_000),
    Entry("ms", "ms", .time, 1, over: 1000), Entry("s", "s", .time), Entry("min", "min", .time, 60),
    Entry("h", "h", .time, 3600), Entry("d", "d", .time, 86_400),
  ]

  private static let shares: [Entry] = [
    Entry("1", "", .one), Entry("%", "%", .one, 1, over: 100), Entry("%{RH}", "% RH", .one, 1, over: 100),
    Entry("[ppm]", "ppm", .one, 1, over: 1_000_000), Entry("[ppb]", "ppb", .one, 1, over: 1_000_000_000),
    Entry("g/kg", "g/kg", .one, 1, over: 1000), Entry("[pH]", "pH", .acidity),
  ]

  private static let money: [Entry] = [
    Entry("EUR", "€", .currency), Entry("EUR/kW.h", "€/kWh", .currency / energy, 1, over: 3_600_000),
    Entry("EUR/MW.h", "€/MWh", .currency / energy, 1, over: 3_600_000_000),
    Entry("EUR/kW", "€/kW", .currency / power, 1, over: 1000), Entry("EUR/m3", "€/m³", .currency / volume),
    Entry("EUR/h", "€/h", .currency / .time, 1, over: 3600), Entry("EUR/t", "€/t", .currency / .mass, 1, over: 1000),
    Entry("kg{CO2}/kW.h", "kg CO₂/kWh", .mass / energy, 1, over: 3_600_000),
    Entry("g{CO2}/kW.h", "g CO₂/kWh", .mass / energy, 1, over: 3_600_000_000),
  ]
}
