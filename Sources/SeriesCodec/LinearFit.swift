/// Fits the coefficients of a linear predictor to a column's differences.
///
/// Levinson's recursion over the autocorrelation of the differences, in Double with the four basic operations alone, so
/// that every machine packs the same bytes. Differences beyond four times their mean size are cut: a load step must not
/// outweigh the noise that is to be predicted.
enum LinearFit {
  static let orderMax = 16
  /// Coefficients are kept in a byte each.
  private static let coefficientMax = 127.0

  /// nil where past differences tell too little of the next one to pay for the coefficients.
  static func predictor(for rows: Span<Int64>) -> Predictor? {
    guard rows.count >= 64 else { return nil }
    var differences = [Double](repeating: 0, count: rows.count + orderMax)
    var size = 0.0
    for i in 1..<rows.count {
      let difference = unsafe Double(rows[unchecked: i] &- rows[unchecked: i &- 1])
      differences[i &+ orderMax] = difference
      size += difference.magnitude
    }
    let limit = 4 * size / Double(rows.count)
    guard limit > 0, limit < 0x1p40 else { return nil }
    for i in orderMax..<differences.count { differences[i] = max(-limit, min(limit, differences[i])) }
    return best(correlations(differences.span), rows: rows.count)
  }

  /// Of lags 0 to `orderMax`; the first `orderMax` elements are zeros.
  private static func correlations(_ differences: Span<Double>) -> [Double] {
    var energy = 0.0
    var (near, far) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
    // The last 16 differences, newest first.
    var (recent, older) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
    for i in orderMax..<differences.count {
      let difference = unsafe differences[unchecked: i]
      energy += difference * difference
      near += recent * difference
      far += older * difference
      older = SIMD8(recent[7], older[0], older[1], older[2], older[3], older[4], older[5], older[6])
      recent = SIMD8(difference, recent[0], recent[1], recent[2], recent[3], recent[4], recent[5], recent[6])
    }
    return [energy] + (0..<8).map { near[$0] } + (0..<8).map { far[$0] }
  }

  /// The order whose gain over lower ones pays for its coefficients.
  private static func best(_ correlations: [Double], rows: Int) -> Predictor? {
    guard correlations[0] > 0 else { return nil }
    var coefficients: [Double] = []
    var error = correlations[0]
    var chosen: (coefficients: [Double], error: Double) = ([], error)
    for order in 1...orderMax {
      var remainder = correlations[order]
      for j in 0..<coefficients.count { remainder -= coefficients[j] * correlations[order - 1 - j] }
      let reflection = remainder / error
      guard reflection.magnitude < 1 else { break }
      let before = coefficients
      for j in 0..<before.count { coefficients[j] -= reflection * before[before.count - 1 - j] }
      coefficients.append(reflection)
      error *= 1 - reflection * reflection
      guard error > 0 else { break }
      // A coefficient costs 8 bits; `rows` residuals become shorter by rows / 2 × log2 of the errors' ratio, which is
      // at least rows / 2 × 1.44 × (1 − new / old).
      let added = Double(order - chosen.coefficients.count)
      if 0.72 * Double(rows) * (chosen.error - error) > 8 * added * chosen.error {
        chosen = (coefficients, error)
      }
    }
    guard !chosen.coefficients.isEmpty else { return nil }
    return quantized(chosen.coefficients)
  }

  private static func quantized(_ coefficients: [Double]) -> Predictor? {
    let largest = coefficients.reduce(0) { max($0, $1.magnitude) }
    var shift: UInt8 = 7
    var scale = 128.0
    while shift > 1, largest * scale > coefficientMax {
      shift -= 1
      scale /= 2
    }
    guard largest * scale <= coefficientMax else { return nil }
    return .linear(coefficients: coefficients.map { nearest($0 * scale) }, shift: shift)
  }

  /// Rounds halves away from zero.
  private static func nearest(_ value: Double) -> Int64 { Int64(value < 0 ? value - 0.5 : value + 0.5) }
}
