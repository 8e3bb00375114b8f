extension Matrix {
  /// Numerator coefficients of the [13/13] Padé approximant to the exponential.
  private static let pade13: [Double] = [
    64_764_752_532_480_000, 32_382_376_266_240_000, 7_771_770_303_897_600, 1_187_353_796_428_800, 129_060_195_264_000,
    10_559_470_521_600, 670_442_572_800, 33_522_128_640, 1_323_241_920, 40_840_800, 960_960, 16_380, 182, 1,
  ]
  /// Below this norm the approximant is exact to double precision (Higham 2005, table 2.3, where it is of the 1-norm).
  private static let pade13Radius = 5.371920351148152

  /// By scaling, the [13/13] Padé approximant and squaring (Higham, "The scaling and squaring method for the matrix
  /// exponential revisited", SIAM J. Matrix Anal. Appl. 26, 2005). Nil where a number is not finite or overflows.
  public func exponential() -> Matrix? {
    precondition(rows == columns, "the exponential of a matrix of \(rows) × \(columns)")
    // The infinity norm bounds the spectrum as the 1-norm does, and the theory holds for either.
    let norm = rowNorm
    guard norm.isFinite else { return nil }
    var squarings = 0
    var scale = 1.0
    while norm * scale > Matrix.pade13Radius {
      scale *= 0.5
      squarings += 1
    }
    let a = scaled(by: scale)
    let a2 = a.times(a)
    let a4 = a2.times(a2)
    let a6 = a4.times(a2)
    let one = Matrix.identity(rows)
    func sum(_ first: Int) -> Matrix {
      let b = Matrix.pade13
      let low =
        a6.scaled(by: b[first + 6]) + a4.scaled(by: b[first + 4]) + a2.scaled(by: b[first + 2])
        + one.scaled(by: b[first])
      let high = a6.scaled(by: b[first + 12]) + a4.scaled(by: b[first + 10]) + a2.scaled(by: b[first + 8])
      return a6.times(high) + low
    }
    let (odd, even) = (a.times(sum(1)), sum(0))
    guard var result = (even - odd).solved(even + odd) else { return nil }
    for _ in 0..<squarings { result = result.times(result) }
    return unsafe Dense.isFinite(result.elements, count: result.elements.count) ? result : nil
  }
}
