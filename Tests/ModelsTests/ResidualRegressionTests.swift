import Testing
import TwinCore

@testable import Models

extension RecursiveRegression {
  @discardableResult
  fileprivate mutating func see(_ regressor: [Double], _ target: Double) -> Bool {
    unsafe regressor.withUnsafeBufferPointer { unsafe learn($0, target) }
  }

  fileprivate func says(_ regressor: [Double]) -> Double {
    unsafe regressor.withUnsafeBufferPointer { unsafe predict($0) }
  }
}

/// Solves A·x = b by elimination with pivots.
private func solved(_ a: [[Double]], _ b: [Double]) -> [Double] {
  var rows = zip(a, b).map { $0 + [$1] }
  let count = rows.count
  for column in 0..<count {
    let pivot = (column..<count).max { abs(rows[$0][column]) < abs(rows[$1][column]) }!
    rows.swapAt(column, pivot)
    for row in 0..<count where row != column {
      let factor = rows[row][column] / rows[column][column]
      for index in column...count { rows[row][index] -= factor * rows[column][index] }
    }
  }
  return (0..<count).map { rows[$0][count] / rows[$0][$0] }
}

@Suite struct `The recursive regression` {
  @Test(arguments: [0, 1, 2, 3, 4] as [UInt64]) func `without forgetting is ridge regression`(seed: UInt64) {
    var random = Philox(seed: seed)
    let order = 3 + random.index(below: 12)
    let prior = 0.1 + 10 * random.uniform()
    var regression = RecursiveRegression(order: order, priorVariance: prior)
    var normal = (0..<order).map { row in (0..<order).map { $0 == row ? 1 / prior : 0 } }
    var right = Array(repeating: 0.0, count: order)
    for _ in 0..<500 {
      let regressor = (0..<order).map { _ in random.normal() }
      let target = regressor[0] - 2 * regressor[1] + 0.3 * random.normal()
      regression.see(regressor, target)
      for row in 0..<order {
        for column in 0..<order { normal[row][column] += regressor[row] * regressor[column] }
        right[row] += regressor[row] * target
      }
    }
    let batch = solved(normal, right)
    for (one, other) in zip(regression.weights, batch) { #expect(abs(one - other) < 1e-9, "seed \(seed)") }
    let unit = (0..<order).map { $0 == 1 ? 1.0 : 0 }
    let column = solved(normal, unit)
    for row in 0..<order { #expect(abs(regression.covariance[row * order + 1] - column[row]) < 1e-9) }
  }

  /// The other directions are not touched: ordinary exponential forgetting would have grown them without bound.
  @Test func `does not wind up when nothing new arrives for a million steps`() {
    let order = 10
    var random = Philox(seed: 1)
    var regression = RecursiveRegression(order: order, priorVariance: 4, forgetting: 0.999, alertness: 4e-9)
    for _ in 0..<2000 { regression.see((0..<order).map { _ in random.normal() }, random.normal()) }
    let learnt = regression
    let constant = (0..<order).map { $0 == 0 ? 1.0 : 0.2 }
    for step in 0..<1_000_000 {
      regression.see(constant, 1 + 0.1 * random.normal())
      if step % 10_000 == 0 { #expect(regression.trace <= 4 * Double(order) + 1e-9) }
    }
    // Alertness adds 4e-9 to each of ten variances a million times, and nothing else does.
    #expect(regression.trace < learnt.trace + 0.04 + 0.001)
    #expect(abs(regression.says(constant) - 1) < 0.05)
    // What is at right angles to what was seen is known as before.
    let other = (0..<order).map { $0 == 0 ? -1.8 : 1.0 }
    #expect(abs(regression.says(other) - learnt.says(other)) < 0.2)
    #expect(regression.weights.allSatisfy { abs($0) < 10 })
  }

  @Test(arguments: [0, 1, 2] as [UInt64]) func `stays positive definite and bounded whatever it sees`(seed: UInt64) {
    let order = 6
    var random = Philox(seed: seed, stream: 2)
    var regression = RecursiveRegression(order: order, priorVariance: 1, forgetting: 0.98, alertness: 1e-7)
    for step in 0..<50_000 {
      let kind = step / 500 % 5
      let regressor = (0..<order).map { index in
        switch kind {
        case 0: random.normal()
        case 1: index == step % order ? 1.0 : 0
        case 2: 1 + 1e-7 * random.normal()
        // So little that information would be forgotten without end.
        case 3: index == 0 ? 0.01 : 0
        default: Elementary.exp(6 * random.normal())
        }
      }
      regression.see(regressor, random.normal())
      #expect(regression.trace <= Double(order) * (1 + 1e-9), "seed \(seed), step \(step)")
      for row in 0..<order {
        for column in 0..<row {
          #expect(regression.covariance[row * order + column] == regression.covariance[column * order + row])
        }
      }
      guard step % 500 == 499 else { continue }
      for _ in 0..<10 {
        let direction = (0..<order).map { _ in random.normal() }
        var form = 0.0
        for row in 0..<order {
          for column in 0..<order {
            form += direction[row] * regression.covariance[row * order + column] * direction[column]
          }
        }
        #expect(form > 0, "seed \(seed), step \(step)")
      }
    }
  }

  @Test func `tracks a change, which without forgetting it would not`() {
    func error(forgetting: Double) -> Double {
      var random = Philox(seed: 5)
      var regression = RecursiveRegression(
        order: 4, priorVariance: 1, forgetting: forgetting, alertness: forgetting < 1 ? 1e-9 : 0)
      for step in 0..<7000 {
        let regressor = (0..<4).map { _ in random.normal() }
        regression.see(regressor, (step < 5000 ? 1 : -1) * regressor[2] + 0.1 * random.normal())
      }
      return abs(regression.weights[2] + 1)
    }
    #expect(error(forgetting: 0.99) < 0.05)
    #expect(error(forgetting: 1) > 1)
  }

  @Test func `refuses what is no number, and stays as it was`() {
    var regression = RecursiveRegression(order: 2, priorVariance: 1, forgetting: 0.99)
    regression.see([1, 2], 3)
    let before = regression
    for (regressor, target) in [([Double.nan, 1], 1), ([1, .infinity], 1), ([1, 1], .nan), ([1e200, 1], 1)] {
      let isTaken = regression.see(regressor, target)
      #expect(!isTaken)
      #expect(regression == before)
    }
  }

  @Test func `survives its bytes to the bit`() throws {
    var random = Philox(seed: 6)
    var regression = RecursiveRegression(order: 7, priorVariance: 2, forgetting: 0.99, alertness: 1e-8)
    for _ in 0..<100 { regression.see((0..<7).map { _ in random.normal() }, random.normal()) }
    var writer = CanonicalWriter()
    regression.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    var restored = try RecursiveRegression(from: &reader)
    #expect(restored == regression && reader.isAtEnd)
    for _ in 0..<100 {
      let regressor = (0..<7).map { _ in random.normal() }
      let target = random.normal()
      regression.see(regressor, target)
      restored.see(regressor, target)
    }
    #expect(restored == regression)
    for length in stride(from: 0, to: writer.bytes.count, by: 7) {
      var cut = CanonicalReader(Array(writer.bytes[..<length]))
      #expect(throws: CanonicalFault.self) { try RecursiveRegression(from: &cut) }
    }
  }
}

@Suite struct `The random features` {
  /// Their inner product is the kernel exp(−|x − y|²/2s²), up to the noise of so many features.
  @Test func `approximate a Gaussian kernel`() {
    let basis = RandomFeatureBasis(seed: 1, inputs: 3, features: 4000, scale: 1.5)
    var random = Philox(seed: 2)
    for _ in 0..<20 {
      let (x, y) = ((0..<3).map { _ in random.normal() }, (0..<3).map { _ in random.normal() })
      let (a, b) = (basis.values(x), basis.values(y))
      let distance = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let product = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(product - Elementary.exp(-distance / 4.5)) < 0.06)
    }
  }

  @Test func `are the same for the same seed, through bytes too`() throws {
    let basis = RandomFeatureBasis(seed: 1, inputs: 3, features: 20, scale: 1.5)
    var writer = CanonicalWriter()
    basis.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    #expect(try RandomFeatureBasis(from: &reader) == basis)
    #expect(RandomFeatureBasis(seed: 2, inputs: 3, features: 20, scale: 1.5) != basis)
  }
}

extension RandomFeatureBasis {
  fileprivate func values(_ x: [Double]) -> [Double] {
    var result = Array(repeating: 0.0, count: features)
    unsafe x.withUnsafeBufferPointer { x in
      unsafe result.withUnsafeMutableBufferPointer { unsafe evaluate(x, into: $0) }
    }
    return result
  }
}
