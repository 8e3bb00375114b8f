extension Matrix {
  public static func + (a: Matrix, b: Matrix) -> Matrix {
    precondition(a.rows == b.rows && a.columns == b.columns, "sum of matrices of two shapes")
    return Matrix(rows: a.rows, columns: a.columns, zip(a.elements, b.elements).map { $0 + $1 })
  }

  public static func - (a: Matrix, b: Matrix) -> Matrix { a + b.scaled(by: -1) }

  public func scaled(by factor: Double) -> Matrix {
    Matrix(rows: rows, columns: columns, elements.map { $0 * factor })
  }

  public func times(_ other: Matrix) -> Matrix {
    precondition(columns == other.rows, "product of \(rows) × \(columns) and \(other.rows) × \(other.columns)")
    var product = Matrix(rows: rows, columns: other.columns)
    unsafe Dense.addProduct(
      to: &product.elements, elements, stride: columns, other.elements, rows: rows, inner: columns,
      columns: other.columns)
    return product
  }

  public func times(_ vector: [Double]) -> [Double] {
    precondition(columns == vector.count, "product of \(rows) × \(columns) and \(vector.count) elements")
    return (0..<rows).map { row in
      var sum = 0.0
      for column in 0..<columns { sum += self[row, column] * vector[column] }
      return sum
    }
  }

  public func transposed() -> Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for row in 0..<rows { for column in 0..<columns { result[column, row] = self[row, column] } }
    return result
  }

  /// The matrix whose elements are means of those across the diagonal.
  public func symmetrised() -> Matrix { (self + transposed()).scaled(by: 0.5) }

  /// Sum of magnitudes of the largest row.
  public var rowNorm: Double {
    unsafe Dense.rowNorm(elements, stride: columns, rows: rows, columns: columns)
  }

  /// x of self·x = right, by elimination with partial pivoting; nil where a pivot vanishes or is not finite.
  public func solved(_ right: Matrix) -> Matrix? {
    precondition(rows == columns && right.rows == rows, "a system of \(rows) × \(columns) and \(right.rows) rows")
    var (left, result) = (self, right)
    for pivot in 0..<rows {
      var best = pivot
      for row in pivot..<rows where left[row, pivot].magnitude > left[best, pivot].magnitude { best = row }
      guard left[best, pivot].isFinite, left[best, pivot] != 0 else { return nil }
      if best != pivot {
        left.swapRows(best, pivot)
        result.swapRows(best, pivot)
      }
      for row in 0..<rows where row != pivot {
        let factor = left[row, pivot] / left[pivot, pivot]
        guard factor != 0 else { continue }
        for column in pivot..<columns { left[row, column] -= factor * left[pivot, column] }
        for column in 0..<result.columns { result[row, column] -= factor * result[pivot, column] }
      }
    }
    for row in 0..<rows { for column in 0..<result.columns { result[row, column] /= left[row, row] } }
    return result
  }

  private mutating func swapRows(_ a: Int, _ b: Int) {
    for column in 0..<columns { elements.swapAt(a * columns + column, b * columns + column) }
  }
}
