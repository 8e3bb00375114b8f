import LinearAlgebra
import TwinCore

/// The eigenvalues and eigenvectors of a symmetric matrix, by Jacobi's rotations: slow, and accurate for small ones.
///
/// Source: G. H. Golub, C. F. Van Loan, "Matrix Computations" (2013), §8.5.
struct SymmetricEigen {
  let values: [Double]
  /// In columns.
  let vectors: Matrix

  /// Sweeps after which a matrix of any size in use here is diagonal to rounding.
  private static let sweepsMax = 30

  init(_ matrix: Matrix) {
    precondition(matrix.rows == matrix.columns, "a symmetric matrix of \(matrix.rows) × \(matrix.columns)")
    let order = matrix.rows
    var a = matrix.symmetrised()
    var vectors = Matrix.identity(order)
    for _ in 0..<Self.sweepsMax {
      var off = 0.0
      var whole = 0.0
      for row in 0..<order {
        whole += a[row, row] * a[row, row]
        for column in 0..<row { off += a[row, column] * a[row, column] }
      }
      guard off > 1e-30 * whole else { break }
      for p in 0..<order {
        for q in p + 1..<max(order, p + 1) where a[p, q] != 0 { Self.rotate(&a, &vectors, p, q) }
      }
    }
    values = (0..<order).map { a[$0, $0] }
    self.vectors = vectors
  }

  private static func rotate(_ a: inout Matrix, _ vectors: inout Matrix, _ p: Int, _ q: Int) {
    let half = (a[q, q] - a[p, p]) / (2 * a[p, q])
    let tangent = (half < 0 ? -1 : 1) / (half.magnitude + (half * half + 1).squareRoot())
    let cosine = 1 / (tangent * tangent + 1).squareRoot()
    let sine = tangent * cosine
    for index in 0..<a.rows {
      let (x, y) = (a[index, p], a[index, q])
      a[index, p] = cosine * x - sine * y
      a[index, q] = sine * x + cosine * y
    }
    for index in 0..<a.rows {
      let (x, y) = (a[p, index], a[q, index])
      a[p, index] = cosine * x - sine * y
      a[q, index] = sine * x + cosine * y
      let (v, w) = (vectors[index, p], vectors[index, q])
      vectors[index, p] = cosine * v - sine * w
      vectors[index, q] = sine * v + cosine * w
    }
  }

  /// V·f(λ)·Vᵀ
  func mapped(_ change: (Double) -> Double) -> Matrix {
    let order = values.count
    let changed = values.map(change)
    var result = Matrix(rows: order, columns: order)
    for row in 0..<order {
      for column in 0...row {
        var sum = 0.0
        for index in 0..<order { sum += vectors[row, index] * changed[index] * vectors[column, index] }
        result[row, column] = sum
        result[column, row] = sum
      }
    }
    return result
  }
}
