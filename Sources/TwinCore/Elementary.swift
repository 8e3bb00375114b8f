/// The elementary functions with the same bits on every processor: only + − × ÷ and bit operations, no C library.
///
/// Errors stay below 0.75 units in the last place, special cases are those of C99 Annex F, and a NaN result is always
/// the canonical one. Source: P. T. P. Tang, "Table-driven implementation of the exponential function" (1989) and "… of
/// the logarithm function" (1990), ACM TOMS; the polynomials are Taylor's.
public enum Elementary {
  /// e to the power `x`.
  public static func exp(_ x: Double) -> Double {
    guard x.magnitude <= 746 else { return x.isNaN ? .nan : x > 0 ? .infinity : 0 }
    return exponential(x, 0).rounded
  }

  /// The natural logarithm; NaN below zero, −∞ at ±0.
  public static func log(_ x: Double) -> Double {
    guard x > 0 else { return x == 0 ? -.infinity : .nan }
    guard x < .infinity else { return x }
    let parts = LogarithmParts(x)
    let r = parts.r.head
    // Here a double is enough for r²/2: it is at most 1/128 of the result.
    return parts.base.head + ((parts.base.rest + (parts.small + parts.r.rest)) + r * r * (-0.5 + r * logTail(r)))
  }

  /// `x` to the power `y`.
  public static func pow(_ x: Double, _ y: Double) -> Double {
    if y == 0 || x == 1 { return 1 }
    if x.isNaN || y.isNaN { return .nan }
    let size = x.magnitude
    let parity = Parity(y)
    let grows = (size > 1) == (y > 0)
    let sign = x.sign == .minus && parity == .odd ? -1.0 : 1.0
    if size == 0 || size == .infinity { return sign * (grows ? .infinity : 0) }
    if size == 1, y.isInfinite { return 1 }
    if x < 0, parity == .fraction { return .nan }
    if size == 1 { return sign }
    // Beyond 2^65 any base but 1 overflows or vanishes; below 2^-65 every base gives 1.
    if y.magnitude >= 0x1p65 { return sign * (grows ? .infinity : 0) }
    if y.magnitude < 0x1p-65 { return 1 }
    let logarithm = logarithm(size)
    let product = DoubleDouble(product: y, logarithm.head)
    guard product.head.magnitude <= 746 else { return sign * (grows ? .infinity : 0) }
    return sign * exponential(product.head, product.rest + y * logarithm.rest).rounded
  }

  /// The hyperbolic tangent.
  public static func tanh(_ x: Double) -> Double {
    let size = x.magnitude
    guard size < 22 else { return x.isNaN ? .nan : x < 0 ? -1 : 1 }
    if size < 0x1p-28 { return x }
    if size < 0.0625 { return x + x * tanhSeries(x * x) }
    let power = exponential(2 * size, 0)
    let scale = powerOfTwo(power.exponent)
    let e = DoubleDouble(larger: power.head * scale, power.rest * scale)
    let above = DoubleDouble(sum: e.head, -1)
    let below = DoubleDouble(sum: e.head, 1)
    let belowRest = below.rest + e.rest
    let quotient = above.head / below.head
    let back = DoubleDouble(product: quotient, below.head)
    let left = ((above.head - back.head) - back.rest) + (above.rest + e.rest) - quotient * belowRest
    let result = quotient + left / below.head
    return x < 0 ? -result : result
  }

  /// (tanh x − x) / x, by the square of x, up to 1/256.
  @inline(__always)
  private static func tanhSeries(_ s: Double) -> Double {
    let high = 62.0 / 2835 + s * (-1382.0 / 155_925 + s * (21_844.0 / 6_081_075 + s * (-929_569.0 / 638_512_875)))
    return s * (-1.0 / 3 + s * (2.0 / 15 + s * (-17.0 / 315 + s * high)))
  }

  /// 2^exponent × (head + rest), the head in 1..<2 and the sum good to about 2^-61.
  struct Power {
    var head: Double
    var rest: Double
    var exponent: Int

    /// One rounding, below the normal range too.
    @inline(__always)
    var rounded: Double {
      if exponent > -1022, exponent < 1023 { return (head + rest) * powerOfTwo(exponent) }
      return roundedAtTheEdge
    }

    @inline(never)
    private var roundedAtTheEdge: Double {
      let sum = head + rest
      if exponent >= 1023 { return sum * 0x1p1000 * powerOfTwo(exponent - 1000) }
      if exponent == -1022, sum >= 1 { return sum * 0x1p-1022 }
      // Adding this power of two moves the last place of the sum onto the smallest subnormal.
      let anchor = powerOfTwo(-1022 - exponent)
      let moved = DoubleDouble(sum: anchor, head)
      let onGrid = (moved.head + (moved.rest + rest)) - anchor
      return onGrid * powerOfTwo(exponent + 1022) * 0x1p-1022
    }
  }

  /// exp(x + rest) for |x| ≤ 746 and a rest below one unit in the last place of x.
  @inline(__always)
  static func exponential(_ x: Double, _ rest: Double) -> Power {
    // Adding 1.5 × 2^52 rounds to an integer and leaves it in the low bits.
    let shifted = x * 0x1.71547652b82fep+7 + 0x1.8p52
    let count = shifted - 0x1.8p52
    let index = Int(truncatingIfNeeded: shifted.bitPattern &- (0x1.8p52).bitPattern)
    // ln 2 / 128 in two parts; the first is short enough for an exact product with any count.
    let r = ((x - count * 0x1.62e42fef80000p-8) - count * 0x1.1cf79abc9e3b4p-43) + rest
    let p = r + r * r * (0.5 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120))))
    let row = (index & 127) &* 2
    let head = ElementaryTables.exp2[row]
    return Power(head: head, rest: ElementaryTables.exp2[row &+ 1] + head * p, exponent: index >> 7)
  }

  /// log x = base + (r.rest + small) + log(1 + r) − r for a finite x > 0, where |r| ≤ 1/128 and base includes r.head.
  struct LogarithmParts {
    var base: DoubleDouble
    var r: DoubleDouble
    var small: Double

    @inline(__always)
    init(_ x: Double) {
      var bits = x.bitPattern
      var exponent = 0
      if bits < 0x0010_0000_0000_0000 {
        bits = (x * 0x1p52).bitPattern
        exponent = -52
      }
      // x = 2^exponent × z with z from 0.6875 to 1.375, so that near 1 nothing cancels.
      let offset = Int64(bitPattern: bits) &- 0x3fe6_0000_0000_0000
      exponent &+= Int(truncatingIfNeeded: offset >> 52)
      let z = Double(bitPattern: bits &- UInt64(bitPattern: (offset >> 52) << 52))
      let row = Int(truncatingIfNeeded: (offset >> 45) & 127) &* 3
      let reciprocal = ElementaryTables.log[row]
      // The short factors make both products exact, so r = z × reciprocal − 1 is known to twice the precision.
      let upper = Double(bitPattern: z.bitPattern & 0xffff_ffff_f000_0000)
      r = DoubleDouble(sum: upper * reciprocal - 1, (z - upper) * reciprocal)
      let count = Double(exponent)
      base = DoubleDouble(sum: count * 0x1.62e42fefa3800p-1 + ElementaryTables.log[row &+ 1], r.head)
      small = count * 0x1.ef35793c76730p-45 + ElementaryTables.log[row &+ 2]
    }
  }

  /// log x for a finite x > 0, good to about 2^-68 of itself.
  @inline(__always)
  static func logarithm(_ x: Double) -> DoubleDouble {
    let parts = LogarithmParts(x)
    let r = parts.r
    let square = DoubleDouble(product: r.head, r.head)
    let first = DoubleDouble(sum: parts.base.head, -0.5 * square.head)
    let tail = logTail(r.head) * (r.head * square.head)
    let fine = parts.small + (r.rest - (0.5 * square.rest + r.head * r.rest))
    return DoubleDouble(larger: first.head, ((parts.base.rest + first.rest) + fine) + tail)
  }

  /// (log(1 + r) − r + r²/2) / r³ for |r| ≤ 1/128.
  @inline(__always)
  private static func logTail(_ r: Double) -> Double {
    let high = 1.0 / 7 + r * (-1.0 / 8 + r * (1.0 / 9 - r * (1.0 / 10)))
    return 1.0 / 3 + r * (-1.0 / 4 + r * (1.0 / 5 + r * (-1.0 / 6 + r * high)))
  }

  /// 2^exponent for −1022 … 1023.
  @inline(__always)
  static func powerOfTwo(_ exponent: Int) -> Double {
    Double(bitPattern: UInt64(truncatingIfNeeded: exponent &+ 1023) << 52)
  }

  /// What an exponent is to the sign of a negative base.
  private enum Parity {
    case even, odd, fraction

    init(_ y: Double) {
      let size = y.magnitude
      if size >= 0x1p53 {
        self = .even
      } else {
        let whole = Int64(size)
        self = Double(whole) != size ? .fraction : whole & 1 == 0 ? .even : .odd
      }
    }
  }
}
