/// Operations on row-contiguous blocks of doubles that someone else owns: what runs in every step and allocates
/// nothing.
///
/// Every element is summed in one order that depends on the shapes alone, so the same input gives the same bits.
public enum Dense {
  /// y += factor · x. The blocks may not overlap.
  @inlinable @inline(__always)
  public static func add(
    _ factor: Double, _ x: UnsafePointer<Double>, to y: UnsafeMutablePointer<Double>, count: Int
  ) {
    // By hand in pairs: the compiler's own loop first asks whether x and y overlap, which costs more than a short row.
    let (from, to) = unsafe (UnsafeRawPointer(x), UnsafeMutableRawPointer(y))
    var offset = 0
    let paired = (count & ~1) * 8
    while offset < paired {
      let sum =
        unsafe to.loadUnaligned(fromByteOffset: offset, as: SIMD2<Double>.self)
        + factor * from.loadUnaligned(fromByteOffset: offset, as: SIMD2<Double>.self)
      unsafe to.storeBytes(of: sum, toByteOffset: offset, as: SIMD2<Double>.self)
      offset += 16
    }
    if count & 1 == 1 { unsafe y[count - 1] += factor * x[count - 1] }
  }

  /// c += a·b with a of rows × inner, whose rows lie `stride` apart; b of inner × columns. Zeros of a cost nothing.
  @inlinable
  public static func addProduct(
    to c: UnsafeMutablePointer<Double>, _ a: UnsafePointer<Double>, stride: Int, _ b: UnsafePointer<Double>,
    rows: Int, inner: Int, columns: Int
  ) {
    for row in 0..<rows {
      let target = unsafe c + row * columns
      for index in 0..<inner {
        let factor = unsafe a[row * stride + index]
        if factor != 0 { unsafe add(factor, b + index * columns, to: target, count: columns) }
      }
    }
  }

  @inlinable @inline(__always)
  public static func dot(_ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, count: Int) -> Double {
    var sum = 0.0
    for index in 0..<count { unsafe sum += x[index] * y[index] }
    return sum
  }

  /// Sum of magnitudes of the largest row; the rows of the block lie `stride` apart.
  @inlinable
  public static func rowNorm(_ a: UnsafePointer<Double>, stride: Int, rows: Int, columns: Int) -> Double {
    var norm = 0.0
    for row in 0..<rows {
      var sum = 0.0
      for column in 0..<columns { unsafe sum += a[row * stride + column].magnitude }
      // Not max: a NaN must come through.
      if !(sum <= norm) { norm = sum }
    }
    return norm
  }

  @inlinable
  public static func isFinite(_ x: UnsafePointer<Double>, count: Int) -> Bool {
    var sum = 0.0
    // Zero times anything that is not finite is NaN.
    for index in 0..<count { unsafe sum += x[index] * 0 }
    return sum == 0
  }

  /// Raises diagonal elements of a symmetric matrix as little as it takes for each to keep, given those before it, at
  /// least `relative` of itself and `floors` of it; then the matrix is positive definite, whatever rounding did to it.
  ///
  /// Only ever adds variance, and nothing to a matrix that is sound. `scratch` has order² elements.
  public static func keepPositiveDefinite(
    _ p: UnsafeMutablePointer<Double>, order: Int, relative: Double, floors: UnsafePointer<Double>,
    scratch: UnsafeMutablePointer<Double>
  ) {
    // A factorisation P = L·D·Lᵀ from the left; what is left of the matrix after each pivot stands in the scratch,
    // above the diagonal.
    unsafe scratch.update(from: p, count: order * order)
    for row in 0..<order {
      let line = unsafe scratch + row * order
      var least = unsafe max(relative * p[row * order + row], floors[row])
      let pivot = unsafe line[row]
      // A covariance beyond what the two variances allow is a sign that this one is too small (Gill & Murray 1974).
      for other in row + 1..<order {
        let (shared, left) = unsafe (line[other], scratch[other * (order + 1)])
        let bound = unsafe max(left, relative * p[other * (order + 1)], floors[other])
        if !(shared * shared <= max(pivot, least) * bound) { least = shared * shared / bound }
      }
      if !(pivot >= least) {
        unsafe p[row * (order + 1)] += least - pivot
        unsafe line[row] = least
      }
      let inverse = unsafe 1 / line[row]
      for other in row + 1..<order {
        let factor = unsafe -line[other] * inverse
        if factor != 0 {
          unsafe add(factor, line + other, to: scratch + other * order + other, count: order - other)
        }
      }
    }
  }
}
