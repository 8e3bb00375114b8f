import StatusAPI
import TwinCore

extension Screen {
  /// As many digits as tell values of a plant apart: 6.5, 7.333, 124 600. Never an exponent where a person can read
  /// without.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    let size = abs(value)
    if size != 0, size < 0.001 || size >= 1e12 { return "\(value)".replacingMinus() }
    let digits = size < 10 ? 3 : size < 100 ? 2 : 1
    let scale = [1.0, 10, 100, 1000][digits]
    let scaled = Int64((size * scale).rounded())
    let (whole, part) = scaled.quotientAndRemainder(dividingBy: Int64(scale))
    var fraction = String(part)
    fraction = String(repeating: "0", count: digits - fraction.count) + fraction
    while fraction.count > 1, fraction.last == "0" { fraction.removeLast() }
    let shown = size >= 1000 && fraction == "0" ? "" : ".\(fraction)"
    return (value < 0 && scaled != 0 ? "−" : "") + grouped(whole) + shown
  }

  /// In some four digits, with a power of ten where it is large or small: 812.4, 13 157, 3.52e7. For axes and for
  /// parameters, whose size nobody knows beforehand.
  static func compact(_ value: Double) -> String {
    let size = abs(value)
    guard size.isFinite, size >= 1e5 || size != 0 && size < 0.001 else {
      return size >= 1000 ? number(value.rounded()) : trimmed(value)
    }
    var (scale, power) = (1.0, 0)
    while size / scale >= 9.9995 { (scale, power) = (scale * 10, power + 1) }
    while size / scale < 0.99995, power > -300 { (scale, power) = (scale / 10, power - 1) }
    let digits = number(value / scale)
    return (digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits) + "e\(power)"
  }

  /// Counts and large wholes in groups of three from 10 000 on.
  static func grouped(_ number: Int64) -> String {
    let digits = Array(String(number))
    guard digits.count > 4 else { return String(digits) }
    return digits.enumerated().reduce(into: "") { result, item in
      if item.offset > 0, (digits.count - item.offset) % 3 == 0 { result += " " }
      result.append(item.element)
    }
  }

  static func symbol(_ unit: String) -> String {
    if unit == "1" { return "" }
    return UnitCode(ucum: unit)?.symbol ?? unit
  }

  /// The unit of a difference: K, where values are in Cel.
  static func differenceSymbol(_ unit: String) -> String { UnitCode(ucum: unit)?.difference.symbol ?? symbol(unit) }

  static func amount(_ value: Double, _ unit: String) -> String {
    let symbol = symbol(unit)
    return symbol.isEmpty ? number(value) : "\(number(value)) \(symbol)"
  }

  /// Without a fraction that says nothing: 492, 3.4.
  static func trimmed(_ value: Double) -> String {
    let text = number(value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// So many places behind the point, with its sign, `+0.30`: for numbers that stand under each other.
  static func signed(_ value: Double, places: Int) -> String {
    var scale = 1.0
    for _ in 0..<places { scale *= 10 }
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 1e15 else { return number(value) }
    let (whole, part) = Int64(scaled).quotientAndRemainder(dividingBy: Int64(scale))
    let digits = String(part)
    let fraction = places == 0 ? "" : "." + String(repeating: "0", count: places - digits.count) + digits
    return (value < 0 && scaled != 0 ? "−" : "+") + grouped(whole) + fraction
  }

  /// `6.5 °C`; `no value (failed)`; `6.5 °C (suspect)`. Never 0 for what is missing.
  static func quantity(_ quantity: API.Quantity) -> String {
    guard let value = quantity.value else { return "no value (\(quantity.quality))" }
    let text = amount(value, quantity.unit)
    return quantity.quality == "good" ? text : "\(text) (\(quantity.quality))"
  }

  /// A number without its unit, for places where the unit has just been said.
  static func bare(_ quantity: API.Quantity) -> String { quantity.value.map(number) ?? "nothing" }

  static func uncertain(_ amount: API.Uncertain) -> String {
    let symbol = symbol(amount.unit)
    let spread = amount.stddev.map { " ± \(trimmed($0))" } ?? ""
    return trimmed(amount.value) + spread + (symbol.isEmpty ? "" : " \(symbol)")
  }

  static func plural(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

  /// `ref 40031 = holding[30]`, whichever of the two is known.
  static func register(ref: Int?, wire: API.Wire?) -> String {
    let place = wire.map { "\($0.table)[\($0.address)]" }
    guard let ref else { return place ?? "" }
    return "ref \(ref)" + (place.map { " = \($0)" } ?? "")
  }

  static func raw(_ words: [Int]) -> String {
    words.map { word in
      let digits = String(word & 0xFFFF, radix: 16, uppercase: true)
      return "0x" + String(repeating: "0", count: 4 - digits.count) + digits
    }.joined(separator: " ")
  }
}

extension String {
  fileprivate func replacingMinus() -> String { first == "-" ? "−" + dropFirst() : self }
}
