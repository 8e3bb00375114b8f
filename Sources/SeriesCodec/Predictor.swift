// What a row is expected to be from the rows before it. The residual is what is left; where the expectation has a
// fraction, the residual's sign is turned so that the nearer side comes first.
//
//   u     the rows, u[0] = 0; d[i] = u[i] − u[i−1]; rows before the first are 0. All arithmetic wraps at 64 bits; >>
//         keeps the sign
//   fold  0, −1, 1, −2, … become 0, 1, 2, 3, …
//   turn  turn(e, f) = −e where f < 0, else e
//
//   offset least         z = u[i] − least
//   delta bias           z = fold(d[i] − bias)
//   curve                z = fold(d[i] − d[i−1])
//   level order, shift, jump
//                        A moving mean that starts anew after a jump. x = u (order 0) or d (order 1); s in 1/1024,
//                        s = 0 and c = 2 − order before row 1. For each row:
//                          m = (s + 512) >> 10,  f = s − (m << 10),  z = fold(turn(x[i] − m, f))
//                          z >> jump = 0:  s += ((x[i] << 10) − s) >> floor(log2 c);  c += 1 where c < 1 << shift
//                          else:           s = x[i] << 10;  c = 2
//   linear a[1…p], shift
//                        w = Σ a[j] × d[i−j],  m = (w + (1 << (shift − 1))) >> shift,  f = w − (m << shift),
//                        z = fold(turn(d[i] − m, f))

/// Its `apply` and `undo` are inverse to each other, whatever the rows hold.
enum Predictor: Equatable {
  case offset(least: Int64)
  case delta(bias: Int64)
  case curve
  case level(order: UInt8, shift: UInt8, jump: UInt8)
  /// 1 to `LinearFit.orderMax` coefficients; shift 1 to 15.
  case linear(coefficients: [Int64], shift: UInt8)

  static let levelShiftMax: UInt8 = 16

  /// Writes the residuals of rows 1… to elements 0… of `residuals`, which has one element fewer than there are rows.
  func apply(to rows: Span<Int64>, into residuals: inout MutableSpan<UInt64>) {
    switch self {
    case .offset(let least):
      for i in 1..<rows.count {
        unsafe residuals[unchecked: i &- 1] = UInt64(bitPattern: rows[unchecked: i] &- least)
      }
    case .delta(let bias):
      for i in 1..<rows.count {
        let difference = unsafe rows[unchecked: i] &- rows[unchecked: i &- 1]
        unsafe residuals[unchecked: i &- 1] = ByteWriter.zigzag(difference &- bias)
      }
    case .curve:
      var before: Int64 = 0
      for i in 1..<rows.count {
        let difference = unsafe rows[unchecked: i] &- rows[unchecked: i &- 1]
        unsafe residuals[unchecked: i &- 1] = ByteWriter.zigzag(difference &- before)
        before = difference
      }
    case .level(let order, let shift, let jump):
      if order == 0 {
        Self.applyLevel(rows, differences: false, shift: shift, jump: jump, into: &residuals)
      } else {
        Self.applyLevel(rows, differences: true, shift: shift, jump: jump, into: &residuals)
      }
    case .linear(let coefficients, let shift):
      Self.applyLinear(rows, coefficients.span, shift: Int64(shift), into: &residuals)
    }
  }

  /// Turns residuals, in elements 1…, into rows; element 0 must be 0.
  func undo(_ rows: inout MutableSpan<Int64>) {
    switch self {
    case .offset(let least):
      for i in 1..<rows.count { unsafe rows[unchecked: i] &+= least }
    case .delta(let bias):
      var last: Int64 = 0
      for i in 1..<rows.count {
        last &+= ByteReader.signed(UInt64(bitPattern: unsafe rows[unchecked: i])) &+ bias
        unsafe rows[unchecked: i] = last
      }
    case .curve:
      var (last, difference): (Int64, Int64) = (0, 0)
      for i in 1..<rows.count {
        difference &+= ByteReader.signed(UInt64(bitPattern: unsafe rows[unchecked: i]))
        last &+= difference
        unsafe rows[unchecked: i] = last
      }
    case .level(let order, let shift, let jump):
      if order == 0 {
        Self.undoLevel(&rows, differences: false, shift: shift, jump: jump)
      } else {
        Self.undoLevel(&rows, differences: true, shift: shift, jump: jump)
      }
    case .linear(let coefficients, let shift):
      Self.undoLinear(&rows, coefficients.span, shift: Int64(shift))
    }
  }
}

/// The moving mean, in 1/1024.
private struct Level {
  private var mean: Int64 = 0
  private var weight: UInt64
  private let weightMax: UInt64
  private let jump: UInt64

  init(differences: Bool, shift: UInt8, jump: UInt8) {
    weight = differences ? 1 : 2
    (weightMax, self.jump) = (1 << UInt64(shift), UInt64(jump))
  }

  var expected: Int64 { @inline(__always) get { (mean &+ 512) &>> 10 } }
  /// −1 where the mean lies below the expected whole number, else 0.
  var side: Int64 { @inline(__always) get { (mean &- expected &<< 10) &>> 63 } }

  @inline(__always)
  mutating func learn(_ value: Int64, residual: UInt64) {
    if residual &>> jump == 0 {
      mean &+= (value &<< 10 &- mean) &>> Int64(63 &- weight.leadingZeroBitCount)
      if weight < weightMax { weight &+= 1 }
    } else {
      (mean, weight) = (value &<< 10, 2)
    }
  }
}

extension Predictor {
  @inline(__always)
  private static func applyLevel(
    _ rows: Span<Int64>, differences: Bool, shift: UInt8, jump: UInt8, into residuals: inout MutableSpan<UInt64>
  ) {
    var level = Level(differences: differences, shift: shift, jump: jump)
    var last: Int64 = 0
    for i in 1..<rows.count {
      let row = unsafe rows[unchecked: i]
      let value = differences ? row &- last : row
      let (error, side) = (value &- level.expected, level.side)
      let residual = ByteWriter.zigzag((error ^ side) &- side)
      unsafe residuals[unchecked: i &- 1] = residual
      level.learn(value, residual: residual)
      last = row
    }
  }

  @inline(__always)
  private static func undoLevel(_ rows: inout MutableSpan<Int64>, differences: Bool, shift: UInt8, jump: UInt8) {
    var level = Level(differences: differences, shift: shift, jump: jump)
    var last: Int64 = 0
    for i in 1..<rows.count {
      let residual = UInt64(bitPattern: unsafe rows[unchecked: i])
      let (turned, side) = (ByteReader.signed(residual), level.side)
      let value = level.expected &+ ((turned ^ side) &- side)
      level.learn(value, residual: residual)
      last = differences ? last &+ value : value
      unsafe rows[unchecked: i] = last
    }
  }

  private static func applyLinear(
    _ rows: Span<Int64>, _ coefficients: Span<Int64>, shift: Int64, into residuals: inout MutableSpan<UInt64>
  ) {
    var differences = [Int64](repeating: 0, count: rows.count)
    for i in 1..<rows.count { differences[i] = unsafe rows[unchecked: i] &- rows[unchecked: i &- 1] }
    let known = differences.span
    for i in 1..<rows.count {
      let sum = weighted(coefficients, known, before: i)
      let expected = (sum &+ 1 &<< (shift &- 1)) &>> shift
      let side = (sum &- expected &<< shift) &>> 63
      let error = unsafe known[unchecked: i] &- expected
      unsafe residuals[unchecked: i &- 1] = ByteWriter.zigzag((error ^ side) &- side)
    }
  }

  private static func undoLinear(_ rows: inout MutableSpan<Int64>, _ coefficients: Span<Int64>, shift: Int64) {
    for i in 1..<rows.count {
      let sum = weighted(coefficients, rows.span, before: i)
      let expected = (sum &+ 1 &<< (shift &- 1)) &>> shift
      let side = (sum &- expected &<< shift) &>> 63
      let turned = ByteReader.signed(UInt64(bitPattern: unsafe rows[unchecked: i]))
      unsafe rows[unchecked: i] = expected &+ ((turned ^ side) &- side)
    }
    var last: Int64 = 0
    for i in 1..<rows.count {
      last &+= unsafe rows[unchecked: i]
      unsafe rows[unchecked: i] = last
    }
  }

  /// Σ a[j] × d[i−j] over the differences that there are; `differences[0]` is 0.
  @inline(__always)
  private static func weighted(_ coefficients: Span<Int64>, _ differences: Span<Int64>, before i: Int) -> Int64 {
    var sum: Int64 = 0
    for j in 0..<min(coefficients.count, i) {
      // In bounds: j < count of the coefficients, and i − 1 − j ≥ 0.
      sum &+= unsafe coefficients[unchecked: j] &* differences[unchecked: i &- 1 &- j]
    }
    return sum
  }
}
