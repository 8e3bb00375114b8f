/// A number with its unit, as packs write it: `12 kW`, `0.5 K/min`, `-3.5 Cel`.
public struct Quantity: Hashable, Sendable {
  public var value: Double
  public var unit: UnitCode

  public init(_ value: Double, _ unit: UnitCode) { (self.value, self.unit) = (value, unit) }

  /// The longest text that is read, in bytes.
  static let textLengthMax = 64

  /// Reads a decimal number, spaces or none, and a unit; a pure number is written with the unit `1` or `%`.
  ///
  /// Errors: `core.quantity_malformed`, `core.quantity_without_unit`, `core.unknown_unit` (with `unit` set).
  public static func parse(_ text: String) throws(UnitFault) -> Quantity {
    guard text.utf8.count <= textLengthMax else { throw .malformed(String(text.prefix(20)) + "…") }
    var scan = DecimalScanner(text)
    guard let number = scan.number(), let value = Double(number), value.isFinite else { throw .malformed(text) }
    scan.skipSpaces()
    let code = scan.rest
    guard !code.isEmpty else { throw .withoutUnit(text) }
    guard let unit = UnitCode(ucum: code) else { throw .unknownUnit(code, in: text) }
    return Quantity(value, unit)
  }

  /// The same quantity in another unit; nil when the dimensions differ.
  public func converted(to other: UnitCode) -> Quantity? {
    unit.convert(value, to: other).map { Quantity($0, other) }
  }
}

extension Quantity: CustomStringConvertible {
  /// The form that `parse` reads back to the same value.
  public var description: String { "\(value) \(unit.ucum)" }
}

/// Why a text is no quantity.
public struct UnitFault: Fault, Hashable {
  public let code: String
  public let message: String
  public let remedy: String
  /// The unit that is not in the table, for suggestions of near names.
  public let unit: String?

  static func malformed(_ text: String) -> UnitFault {
    UnitFault(
      code: "core.quantity_malformed", message: "\"\(text)\" does not start with a finite decimal number",
      remedy: "write a number and a unit, as \"12 kW\"", unit: nil)
  }

  static func withoutUnit(_ text: String) -> UnitFault {
    UnitFault(
      code: "core.quantity_without_unit", message: "\"\(text)\" has no unit",
      remedy: "write the unit after the number, as \"12 kW\"; a pure number has the unit 1", unit: nil)
  }

  static func unknownUnit(_ code: String, in text: String) -> UnitFault {
    UnitFault(
      code: "core.unknown_unit", message: "the unit \"\(code)\" of \"\(text)\" is not known",
      remedy: "use a UCUM code of the units table, as kW, Cel or K/min", unit: code)
  }
}

/// Cuts a decimal number, `[+|-]digits[.digits][e[+|-]digits]`, from the front of a text.
struct DecimalScanner {
  private let bytes: [UInt8]
  private var at = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  var rest: String { String(decoding: bytes[at...], as: UTF8.self) }
  var isAtEnd: Bool { at == bytes.count }

  mutating func skipSpaces() { while at < bytes.count, bytes[at] == 0x20 { at += 1 } }

  mutating func digits() -> ArraySlice<UInt8> {
    let start = at
    while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
    return bytes[start..<at]
  }

  mutating func skip(_ characters: Unicode.Scalar...) -> Bool {
    guard at < bytes.count, characters.contains(where: { UInt8(ascii: $0) == bytes[at] }) else { return false }
    at += 1
    return true
  }

  /// Letters up to the next digit, space or end.
  mutating func word() -> String {
    let start = at
    while at < bytes.count, bytes[at] != 0x20, !(0x30...0x39).contains(bytes[at]) { at += 1 }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  mutating func number() -> String? {
    let start = at
    _ = skip("-", "+")
    guard !digits().isEmpty else { return nil }
    if skip("."), digits().isEmpty { return nil }
    // An e that no exponent follows belongs to the unit.
    let mantissaEnd = at
    if skip("e", "E") {
      _ = skip("-", "+")
      if digits().isEmpty { at = mantissaEnd }
    }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }
}
