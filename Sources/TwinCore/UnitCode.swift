/// A unit of the closed table (UCUM codes that plants use), or the rate of one: `kW`, `Cel`, `K/min`.
///
/// Values are kept in their point's own unit; conversion happens at the border only.
/// Source: Unified Code for Units of Measure 2.1. Two codes are ours, as plants need them and UCUM has none: `EUR`, and
/// `{rpm}`, which counts turns a minute.
public struct UnitCode: Hashable, Sendable {
  /// The unit's row of the table.
  let row: UInt8
  let rate: Rate

  /// What a unit is divided by to make a rate.
  enum Rate: UInt8, Hashable, Sendable, CaseIterable {
    case none, second, minute, hour

    var suffix: String {
      switch self {
      case .none: ""
      case .second: "/s"
      case .minute: "/min"
      case .hour: "/h"
      }
    }

    var seconds: Int {
      switch self {
      case .none, .second: 1
      case .minute: 60
      case .hour: 3600
      }
    }
  }

  init(row: UInt8, rate: Rate) { (self.row, self.rate) = (row, rate) }

  /// A code of the table, or one followed by `/s`, `/min` or `/h`; nil for any other text. Case matters.
  public init?(ucum code: String) {
    if let row = Self.rows[code] {
      self.init(row: row, rate: .none)
      return
    }
    for rate in [Rate.second, .minute, .hour] where code.hasSuffix(rate.suffix) {
      guard let row = Self.rows[String(code.dropLast(rate.suffix.count))] else { continue }
      self.init(row: row, rate: rate)
      return
    }
    return nil
  }

  /// Every unit of the table, in its order, without the rates.
  public static let all: [UnitCode] = table.indices.map { UnitCode(row: UInt8($0), rate: .none) }
  /// The unit of pure numbers.
  public static let one = UnitCode(row: rows["1"]!, rate: .none)

  private static let rows: [String: UInt8] = Dictionary(
    uniqueKeysWithValues: table.enumerated().map { ($1.code, UInt8($0)) })

  var entry: Entry { Self.table[Int(row)] }

  /// As it is written in packs and records.
  public var ucum: String { entry.code + rate.suffix }
  /// As it is shown to people, `°C` or `m³/h`.
  public var symbol: String { (rate == .none ? entry.symbol : differenceEntry.symbol) + rate.suffix }
  public var dimension: Dimension { rate == .none ? entry.dimension : entry.dimension / .time }
  /// Whether zero is not nothing: sums and products of such values (Cel, [degF]) mean nothing.
  public var isAffine: Bool { rate == .none && entry.zeroHundredths != 0 }
  /// The unit of the difference of two values: K for Cel, [degR] for [degF], otherwise the unit itself.
  public var difference: UnitCode {
    guard isAffine, let code = entry.differenceCode, let row = Self.rows[code] else { return self }
    return UnitCode(row: row, rate: .none)
  }

  private var differenceEntry: Entry {
    entry.differenceCode.flatMap { Self.rows[$0] }.map { Self.table[Int($0)] } ?? entry
  }

  /// The step from values in this unit to values in another; nil when the dimensions differ.
  public func conversion(to other: UnitCode) -> UnitConversion? {
    dimension == other.dimension ? UnitConversion(from: self, to: other) : nil
  }

  /// For single values; keep a `conversion(to:)` for many. Nil when the dimensions differ.
  public func convert(_ value: Double, to other: UnitCode) -> Double? { conversion(to: other)?.apply(value) }
}

extension UnitCode: CustomStringConvertible {
  public var description: String { ucum }
}

/// A conversion worked out in whole numbers, so that 12 kW is 12000 W and 32 °F is 0 °C exactly.
public struct UnitConversion: Hashable, Sendable {
  /// result = (value + before) × numerator ÷ denominator + after
  private let before, numerator, denominator, after: Double

  public func apply(_ value: Double) -> Double {
    // A rounding is left out wherever the step is none, and ±0 stays as it is.
    var result = before == 0 ? value : value + before
    if numerator != 1 { result *= numerator }
    if denominator != 1 { result /= denominator }
    return after == 0 ? result : result + after
  }

  fileprivate init(from: UnitCode, to: UnitCode) {
    let (a, b) = (from.entry, to.entry)
    // No pair of the table comes near the 128 bits.
    var (n, d): (Int128, Int128) = (1, 1)
    func multiply(_ up: Int, _ down: Int) {
      (n, d) = Self.reduced(n * Int128(up), d * Int128(down))
    }
    multiply(a.numerator, a.denominator)
    multiply(b.denominator, b.numerator)
    multiply(to.rate.seconds, from.rate.seconds)
    numerator = Double(n) * (a.hasPi && !b.hasPi ? Double.pi : 1)
    denominator = Double(d) * (b.hasPi && !a.hasPi ? Double.pi : 1)
    let zeros = (Int128(from.isAffine ? a.zeroHundredths : 0), Int128(to.isAffine ? b.zeroHundredths : 0))
    // The shift goes to the side where it is a whole number of hundredths.
    if zeros.0 * n % d == 0 {
      (before, after) = (0, Double(zeros.0 * n / d - zeros.1) / 100)
    } else if zeros.1 * d % n == 0 {
      (before, after) = (Double(zeros.0 - zeros.1 * d / n) / 100, 0)
    } else {
      (before, after) = (Double(zeros.0) / 100, Double(-zeros.1) / 100)
    }
  }

  private static func reduced(_ a: Int128, _ b: Int128) -> (Int128, Int128) {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return (a / x, b / x)
  }
}
