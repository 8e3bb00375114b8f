extension Elementary {
  /// The sine of an angle in radians, correct for the largest doubles too; NaN at ±∞.
  public static func sin(_ x: Double) -> Double {
    let size = x.magnitude
    guard size < .infinity else { return .nan }
    if size < 0x1p-28 { return x }
    let angle = ReducedAngle(size)
    let value = angle.quadrant & 1 == 0 ? angle.sine : angle.cosine
    return (angle.quadrant & 2 != 0) != (x < 0) ? -value : value
  }

  /// The cosine of an angle in radians, correct for the largest doubles too; NaN at ±∞.
  public static func cos(_ x: Double) -> Double {
    let size = x.magnitude
    guard size < .infinity else { return .nan }
    let angle = ReducedAngle(size)
    let value = angle.quadrant & 1 == 0 ? angle.cosine : angle.sine
    return (angle.quadrant &+ 1) & 2 != 0 ? -value : value
  }
}

/// x = quadrant × π/2 + head + rest with |head| ≤ π/4 and a little, the quadrant modulo 4.
///
/// Source: W. J. Cody and W. Waite, "Software Manual for the Elementary Functions" (1980), for moderate angles; M.
/// Payne and R. Hanek, "Radian reduction for trigonometric functions" (1983), for the rest.
struct ReducedAngle {
  var quadrant: Int
  var head: Double
  var rest: Double

  /// Above this, the count of quarter turns no longer leaves exact products with the parts of π/2.
  static let moderateMax = 100_000.0

  @inline(__always)
  init(_ x: Double) {
    if x <= 0.785 {
      self.init(quadrant: 0, head: x, rest: 0)
    } else if x <= Self.moderateMax {
      self.init(moderate: x)
    } else {
      self.init(large: x)
    }
  }

  /// π/2 in three parts of 33 bits and a tail: 150 bits, so that the worst cancellation leaves more than a double.
  @inline(__always)
  private init(moderate x: Double) {
    let shifted = x * 0x1.45f306dc9c883p-1 + 0x1.8p52
    let count = shifted - 0x1.8p52
    let first = x - count * 0x1.921fb54400000p+0
    let second = DoubleDouble(sum: first, -(count * 0x1.0b4611a600000p-34))
    let third = DoubleDouble(sum: second.head, -(count * 0x1.3198a2e000000p-69))
    let rest = (second.rest + third.rest) - count * 0x1.b839a252049c1p-104
    let angle = DoubleDouble(sum: third.head, rest)
    self.init(
      quadrant: Int(truncatingIfNeeded: shifted.bitPattern) & 3, head: angle.head, rest: angle.rest)
  }

  private init(quadrant: Int, head: Double, rest: Double) {
    (self.quadrant, self.head, self.rest) = (quadrant, head, rest)
  }

  /// In integers: the 53 bits of x times the 192 bits of 2/π that matter, modulo four quarter turns.
  @inline(never)
  private init(large x: Double) {
    let significand = (x.bitPattern & 0x000f_ffff_ffff_ffff) | 0x0010_0000_0000_0000
    let exponent = Int(x.bitPattern >> 52) - 1075
    // Earlier digits of 2/π give whole turns. 64 zeros stand before the point, so the offset is never negative.
    let offset = exponent + 62
    let (w0, w1, w2) = (Self.digits(offset), Self.digits(offset + 64), Self.digits(offset + 128))
    let low = w2.multipliedFullWidth(by: significand)
    let middle = w1.multipliedFullWidth(by: significand)
    let (p1, carry) = middle.low.addingReportingOverflow(low.high)
    let p0 = w0 &* significand &+ middle.high &+ (carry ? 1 : 0)
    let p2 = low.low
    // Two bits of quadrant, then the fraction of a quarter turn.
    var f0 = p0 << 2 | p1 >> 62
    var f1 = p1 << 2 | p2 >> 62
    var f2 = p2 << 2
    let isNegative = f0 >> 63 == 1
    if isNegative {
      f2 = ~f2 &+ 1
      f1 = ~f1 &+ (f2 == 0 ? 1 : 0)
      f0 = ~f0 &+ (f2 == 0 && f1 == 0 ? 1 : 0)
    }
    var scale = 0x1p-53
    if f0 == 0 {
      (f0, f1, f2) = (f1, f2, 0)
      scale = 0x1p-117
    }
    let shift = UInt64(f0.leadingZeroBitCount)
    if shift > 0 {
      f0 = f0 << shift | f1 >> (64 - shift)
      f1 = f1 << shift | f2 >> (64 - shift)
    }
    scale *= Elementary.powerOfTwo(-Int(shift))
    let upper = Double(Int64(f0 >> 11)) * scale
    let lower = Double(Int64((f0 & 0x7ff) << 42 | f1 >> 22)) * (scale * 0x1p-53)
    let product = DoubleDouble(product: upper, 0x1.921fb54442d18p+0)
    let rest = product.rest + (upper * 0x1.1a62633145c07p-54 + lower * 0x1.921fb54442d18p+0)
    let angle = DoubleDouble(larger: product.head, rest)
    let quadrant = (Int(p0 >> 62) + (isNegative ? 1 : 0)) & 3
    self.init(
      quadrant: quadrant, head: isNegative ? -angle.head : angle.head, rest: isNegative ? -angle.rest : angle.rest)
  }

  /// The 64 digits of 2/π from `offset`, counted from 64 places before the point.
  private static func digits(_ offset: Int) -> UInt64 {
    let (word, shift) = (offset >> 6, UInt64(offset & 63))
    let first = word == 0 ? 0 : ElementaryTables.twoOverPi[word - 1]
    return shift == 0 ? first : first << shift | ElementaryTables.twoOverPi[word] >> (64 - shift)
  }

  @inline(__always)
  var sine: Double {
    let s = head * head
    let high = 1.0 / 362_880 + s * (-1.0 / 39_916_800 + s * (1.0 / 6_227_020_800 + s * ReducedAngle.sineEnd(s)))
    let series = -1.0 / 6 + s * (1.0 / 120 + s * (-1.0 / 5040 + s * high))
    return head + (head * s * series + rest * (1 - 0.5 * s))
  }

  @inline(__always)
  private static func sineEnd(_ s: Double) -> Double {
    -1.0 / 1_307_674_368_000 + s * (1.0 / 355_687_428_096_000)
  }

  @inline(__always)
  var cosine: Double {
    // The exact square keeps the error of 1 − x²/2 below a hundredth of a unit.
    let square = DoubleDouble(product: head, head)
    let s = square.head
    let one = DoubleDouble(larger: 1, -0.5 * s)
    let high = 1.0 / 479_001_600 + s * (-1.0 / 87_178_291_200 + s * ReducedAngle.cosineEnd(s))
    let series = 1.0 / 24 + s * (-1.0 / 720 + s * (1.0 / 40_320 + s * (-1.0 / 3_628_800 + s * high)))
    return one.head + ((one.rest - (0.5 * square.rest + head * rest)) + s * s * series)
  }

  @inline(__always)
  private static func cosineEnd(_ s: Double) -> Double {
    1.0 / 20_922_789_888_000 - s * (1.0 / 6_402_373_705_728_000)
  }
}
