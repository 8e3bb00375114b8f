/// What kind of thing a number counts: the exponents of the base quantities, so that m³/h has (length 3, time −1).
///
/// Products and quotients are those of the quantities; expressions are checked with them when a pack is loaded.
public struct Dimension: Hashable, Sendable {
  private var exponents: SIMD16<Int16>

  /// Exponents stop here, far above any real quantity's, so that no product ever wraps round to another dimension.
  static let exponentMax: Int16 = 1000

  private static let baseNames = ["m", "kg", "s", "A", "K", "mol", "cd", "EUR", "[pH]"]

  private init(exponents: SIMD16<Int16>) { self.exponents = exponents }

  private init(base: Int) {
    exponents = .zero
    exponents[base] = 1
  }

  /// Pure numbers, angles and shares.
  public static let one = Dimension(exponents: .zero)
  public static let length = Dimension(base: 0)
  public static let mass = Dimension(base: 1)
  public static let time = Dimension(base: 2)
  public static let current = Dimension(base: 3)
  public static let temperature = Dimension(base: 4)
  public static let amount = Dimension(base: 5)
  public static let luminousIntensity = Dimension(base: 6)
  public static let currency = Dimension(base: 7)
  /// The pH scale: a logarithm, so nothing else converts to it.
  public static let acidity = Dimension(base: 8)

  public static func * (a: Dimension, b: Dimension) -> Dimension { bounded(a.exponents &+ b.exponents) }
  public static func / (a: Dimension, b: Dimension) -> Dimension { bounded(a.exponents &- b.exponents) }

  /// The dimension of a whole power; the exponent is bounded to ±30.
  public func power(_ exponent: Int) -> Dimension {
    Self.bounded(exponents &* SIMD16(repeating: Int16(min(max(exponent, -30), 30))))
  }

  /// The dimension of a square root; nil when an exponent is odd.
  public var squareRoot: Dimension? {
    let halves = exponents / SIMD16(repeating: 2)
    return halves &* 2 == exponents ? Dimension(exponents: halves) : nil
  }

  private static func bounded(_ exponents: SIMD16<Int16>) -> Dimension {
    Dimension(
      exponents: exponents.clamped(
        lowerBound: SIMD16(repeating: -exponentMax), upperBound: SIMD16(repeating: exponentMax)))
  }
}

extension Dimension: CustomStringConvertible {
  /// In base units, `m2.kg.s-3`; `1` for pure numbers.
  public var description: String {
    var parts: [String] = []
    for (index, name) in Self.baseNames.enumerated() where exponents[index] != 0 {
      parts.append(exponents[index] == 1 ? name : "\(name)\(exponents[index])")
    }
    return parts.isEmpty ? "1" : parts.joined(separator: ".")
  }
}
