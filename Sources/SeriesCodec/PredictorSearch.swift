/// Chooses a predictor by trying each kind on the rows.
enum PredictorSearch {
  /// `scratch` has one element fewer than there are rows.
  static func best(for rows: Span<Int64>, _ shape: Shape, scratch: inout [UInt64]) -> Predictor {
    var best = Predictor.offset(least: shape.least)
    var lowest = Int.max
    @discardableResult
    func attempt(_ predictor: Predictor, extraBits: Int = 0) -> Int {
      var span = scratch.mutableSpan
      predictor.apply(to: rows, into: &span)
      let bits = ResidualCodec.cost(scratch.span) + extraBits
      if bits < lowest { (lowest, best) = (bits, predictor) }
      return bits
    }
    attempt(best)
    let differences = Differences(rows)
    let delta = attempt(.delta(bias: differences.mean))
    // Nothing is left to win.
    guard lowest > rows.count / 8 else { return best }
    let curve = attempt(.curve)
    if rows.count >= 16 {
      let jump = UInt8(min(63, 67 - differences.size.leadingZeroBitCount))
      var least = Int.max
      for shift: UInt8 in [2, 4, 1, 3, 5, 6] {
        // From 2 and 4 the way leads down or up.
        if shift == 1 || shift == 3, case .level(_, 4, _) = best { continue }
        if shift > 4 { guard case .level(_, 4..., _) = best else { continue } }
        least = min(least, attempt(.level(order: 0, shift: shift, jump: jump)))
      }
      if differences.isTrending {
        for shift: UInt8 in [3, 5] { least = min(least, attempt(.level(order: 1, shift: shift, jump: jump))) }
      }
      if min(curve, delta, least) > rows.count,
        case .linear(let coefficients, let shift) = LinearFit.predictor(for: rows)
      {
        attempt(.linear(coefficients: coefficients, shift: shift), extraBits: 8 * coefficients.count)
      }
    }
    return best
  }
}

/// The differences from row to row, as a whole.
private struct Differences {
  /// Rounded.
  let mean: Int64
  /// The mean of their magnitudes, those of rare jumps cut.
  let size: UInt64
  /// Whether most go the same way.
  let isTrending: Bool

  init(_ rows: Span<Int64>) {
    let count = rows.count - 1
    let total = rows[count]
    let (quotient, remainder) = total.quotientAndRemainder(dividingBy: Int64(count))
    mean = quotient + (2 * remainder.magnitude >= UInt64(count) ? remainder.signum() : 0)
    var sum: UInt64 = 0
    var cut: UInt64 = .max >> 17
    for i in 1..<rows.count {
      let size = unsafe (rows[unchecked: i] &- rows[unchecked: i &- 1]).magnitude
      sum &+= min(size, cut)
      if i & 63 == 0 { cut = 8 &* (sum / UInt64(i) &+ 1) }
    }
    size = sum / UInt64(count)
    isTrending = mean.magnitude >= max(1, size / 2)
  }
}
