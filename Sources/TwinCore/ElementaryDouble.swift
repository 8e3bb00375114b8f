/// A number as the exact sum of two doubles, so that a head that is rounded keeps what rounding dropped.
///
/// Written without fused multiply-add: on a baseline x86-64 it is a call into the C library. Source: T. J. Dekker, "A
/// floating-point technique for extending the available precision", 1971; D. E. Knuth, TAOCP 2.
struct DoubleDouble {
  var head: Double
  var rest: Double

  @inline(__always)
  init(head: Double, rest: Double) {
    self.head = head
    self.rest = rest
  }

  /// a + b exactly, whichever is larger.
  @inline(__always)
  init(sum a: Double, _ b: Double) {
    let sum = a + b
    let part = sum - a
    self.init(head: sum, rest: (a - (sum - part)) + (b - part))
  }

  /// a + b exactly, when a is zero or not smaller than b in magnitude.
  @inline(__always)
  init(larger a: Double, _ b: Double) {
    let sum = a + b
    self.init(head: sum, rest: b - (sum - a))
  }

  /// a × b exactly, for factors below 2^995 whose product is far from underflow.
  @inline(__always)
  init(product a: Double, _ b: Double) {
    let (a1, a2) = Self.halves(a)
    let (b1, b2) = Self.halves(b)
    let product = a * b
    self.init(head: product, rest: ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2)
  }

  /// Two numbers of at most 26 bits whose sum is `x` (Veltkamp).
  @inline(__always)
  private static func halves(_ x: Double) -> (Double, Double) {
    let scaled = x * 134_217_729.0
    let upper = scaled - (scaled - x)
    return (upper, x - upper)
  }
}
