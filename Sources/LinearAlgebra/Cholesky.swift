import TwinCore

/// L with L·Lᵀ = A of a symmetric positive definite matrix, of which the lower half is read.
public struct Cholesky: Sendable {
  /// Zero above the diagonal.
  public let lower: Matrix

  /// Nil where the matrix is not positive definite, or a number is not finite.
  public init?(_ a: Matrix) {
    precondition(a.rows == a.columns, "a symmetric matrix of \(a.rows) × \(a.columns)")
    var lower = Matrix(rows: a.rows, columns: a.rows)
    for row in 0..<a.rows {
      for column in 0...row {
        var sum = a[row, column]
        for index in 0..<column { sum -= lower[row, index] * lower[column, index] }
        if column < row {
          lower[row, column] = sum / lower[column, column]
        } else {
          guard sum > 0, sum.isFinite else { return nil }
          lower[row, row] = sum.squareRoot()
        }
      }
    }
    self.lower = lower
  }

  /// x of A·x = b.
  public func solve(_ b: [Double]) -> [Double] {
    precondition(b.count == lower.rows, "\(b.count) elements for a system of \(lower.rows)")
    var x = b
    for row in 0..<lower.rows {
      for index in 0..<row { x[row] -= lower[row, index] * x[index] }
      x[row] /= lower[row, row]
    }
    for row in (0..<lower.rows).reversed() {
      for index in row + 1..<lower.rows { x[row] -= lower[index, row] * x[index] }
      x[row] /= lower[row, row]
    }
    return x
  }

  /// Symmetric to the last bit.
  public func inverse() -> Matrix {
    var result = Matrix(rows: lower.rows, columns: lower.rows)
    for column in 0..<lower.rows {
      let solution = solve((0..<lower.rows).map { $0 == column ? 1 : 0 })
      for row in column..<lower.rows {
        result[row, column] = solution[row]
        result[column, row] = solution[row]
      }
    }
    return result
  }

  /// ln det A.
  public var logDeterminant: Double {
    (0..<lower.rows).reduce(0) { $0 + 2 * Elementary.log(lower[$1, $1]) }
  }
}
