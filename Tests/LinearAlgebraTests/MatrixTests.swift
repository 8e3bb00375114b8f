import LinearAlgebra
import Testing
import TwinCore

/// SplitMix64 (Steele, Lea & Flood 2014).
struct SeededNumbers {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  /// Between -1 and 1.
  mutating func next() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) / Double(1 << 52) - 1
  }

  mutating func matrix(_ rows: Int, _ columns: Int, scale: Double = 1) -> Matrix {
    Matrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in scale * next() })
  }
}

/// Another way to the exponential: a long Taylor series of a matrix that was halved until it is short.
func seriesExponential(_ a: Matrix) -> Matrix {
  var (halvings, small) = (0, a)
  while small.rowNorm > 0.01 {
    small = small.scaled(by: 0.5)
    halvings += 1
  }
  var (sum, term) = (Matrix.identity(a.rows), Matrix.identity(a.rows))
  for order in 1...16 {
    term = term.times(small).scaled(by: 1 / Double(order))
    sum = sum + term
  }
  for _ in 0..<halvings { sum = sum.times(sum) }
  return sum
}

@Suite struct `A matrix` {
  @Test(arguments: [1, 2, 3, 5, 8, 13]) func `solves what it multiplied`(order: Int) throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      var numbers = SeededNumbers(seed: seed)
      let (a, x) = (numbers.matrix(order, order) + .identity(order).scaled(by: 3), numbers.matrix(order, 3))
      let found = try #require(a.solved(a.times(x)), "seed \(seed)")
      #expect((found - x).rowNorm < 1e-11 * (1 + x.rowNorm), "seed \(seed)")
    }
  }

  @Test func `is solved by exchanging rows, and not where it is singular`() throws {
    let swap = Matrix(rows: 2, columns: 2, [0, 1, 1, 0])
    #expect(swap.solved(.identity(2)) == swap)
    #expect(Matrix(rows: 2, columns: 2, [1, 2, 2, 4]).solved(.identity(2)) == nil)
    #expect(Matrix(rows: 1, columns: 1, [.nan]).solved(.identity(1)) == nil)
  }

  @Test func `multiplies as the definition says`() {
    var numbers = SeededNumbers(seed: 7)
    let (a, b) = (numbers.matrix(3, 5), numbers.matrix(5, 7))
    let (product, other) = (a.times(b), b.transposed().times(a.transposed()).transposed())
    for row in 0..<3 {
      for column in 0..<7 {
        let sum = (0..<5).reduce(0.0) { $0 + a[row, $1] * b[$1, column] }
        #expect(abs(product[row, column] - sum) < 1e-14 && abs(other[row, column] - sum) < 1e-14)
      }
      #expect(abs(a.times(b.times([1, 0, 0, 0, 0, 0, 0]))[row] - product[row, 0]) < 1e-14)
    }
  }
}

@Suite struct `The exponential of a matrix` {
  @Test(arguments: [0.001, 0.3, 4, 30]) func `agrees with its series`(scale: Double) throws {
    for seed in 1...30 as ClosedRange<UInt64> {
      var numbers = SeededNumbers(seed: seed)
      let a = numbers.matrix(5, 5, scale: scale)
      let (found, series) = (try #require(a.exponential()), seriesExponential(a))
      #expect((found - series).rowNorm < 1e-11 * series.rowNorm, "seed \(seed)")
    }
  }

  @Test func `turns, and ends where nothing is left`() throws {
    let turn = try #require(Matrix(rows: 2, columns: 2, [0, -20, 20, 0]).exponential())
    #expect(abs(turn[0, 0] - Elementary.cos(20)) < 1e-13 && abs(turn[1, 0] - Elementary.sin(20)) < 1e-13)
    let nilpotent = try #require(Matrix(rows: 3, columns: 3, [0, 1, 2, 0, 0, 3, 0, 0, 0]).exponential())
    #expect((nilpotent - Matrix(rows: 3, columns: 3, [1, 1, 3.5, 0, 1, 3, 0, 0, 1])).rowNorm < 1e-14)
    let still = Matrix(rows: 2, columns: 2)
    #expect(still.exponential() == .identity(2))
  }

  @Test func `is none where numbers end`() {
    #expect(Matrix(rows: 1, columns: 1, [.nan]).exponential() == nil)
    #expect(Matrix(rows: 1, columns: 1, [.infinity]).exponential() == nil)
    #expect(Matrix(rows: 1, columns: 1, [1e4]).exponential() == nil)
    #expect(Matrix(rows: 1, columns: 1, [-1e4]).exponential() == Matrix(rows: 1, columns: 1))
  }
}

@Suite struct `A factorisation` {
  private func positive(_ order: Int, seed: UInt64) -> Matrix {
    var numbers = SeededNumbers(seed: seed)
    let a = numbers.matrix(order, order)
    return (a.times(a.transposed()) + .identity(order).scaled(by: 0.1)).symmetrised()
  }

  @Test(arguments: [1, 2, 4, 9]) func `solves, inverts and knows the determinant`(order: Int) throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      let a = positive(order, seed: seed)
      let factor = try #require(Cholesky(a), "seed \(seed)")
      #expect((factor.lower.times(factor.lower.transposed()) - a).rowNorm < 1e-13 * a.rowNorm)
      #expect((a.times(factor.inverse()) - .identity(order)).rowNorm < 1e-11, "seed \(seed)")
      #expect(factor.inverse() == factor.inverse().transposed())
      let right = (0..<order).map { Double($0) - 1 }
      for (found, wanted) in zip(a.times(factor.solve(right)), right) { #expect(abs(found - wanted) < 1e-11) }
    }
    let diagonal = try #require(Cholesky(.diagonal([2, 3, 4])))
    #expect(abs(diagonal.logDeterminant - Elementary.log(24)) < 1e-14)
  }

  @Test func `is refused to what is not positive definite`() {
    #expect(Cholesky(Matrix(rows: 2, columns: 2, [1, 2, 2, 1])) == nil)
    #expect(Cholesky(Matrix(rows: 1, columns: 1, [0])) == nil)
    #expect(Cholesky(Matrix(rows: 1, columns: 1, [.nan])) == nil)
    #expect(Cholesky(Matrix(rows: 1, columns: 1, [.infinity])) == nil)
    #expect(Cholesky(Matrix(rows: 2, columns: 2, [1, .nan, .nan, 1])) == nil)
  }

  private func kept(_ a: Matrix, floor: Double = 0) -> Matrix {
    var (result, scratch) = (a, [Double](repeating: 0, count: a.rows * a.rows + 2 * a.rows))
    let floors = [Double](repeating: floor, count: a.rows)
    unsafe Dense.keepPositiveDefinite(
      &result.elements, order: a.rows, relative: 1e-10, floors: floors, scratch: &scratch)
    return result
  }

  @Test func `repairs what rounding made indefinite, and nothing else`() {
    for seed in 1...200 as ClosedRange<UInt64> {
      let sound = positive(6, seed: seed)
      #expect(kept(sound) == sound, "seed \(seed)")
      var numbers = SeededNumbers(seed: seed)
      // Of rank two, and then disturbed: some of its eigenvalues are negative.
      let thin = numbers.matrix(6, 2)
      let disturbed = (thin.times(thin.transposed()) + numbers.matrix(6, 6, scale: 1e-12)).symmetrised()
      let repaired = kept(disturbed)
      #expect(Cholesky(repaired) != nil, "seed \(seed)")
      #expect((repaired - disturbed).rowNorm < 1e-6, "seed \(seed)")
      #expect(zip(repaired.elements, disturbed.elements).allSatisfy { $0 >= $1 }, "only ever adds, seed \(seed)")
    }
    #expect(kept(Matrix(rows: 2, columns: 2), floor: 1e-6) == .diagonal([1e-6, 1e-6]))
  }
}
