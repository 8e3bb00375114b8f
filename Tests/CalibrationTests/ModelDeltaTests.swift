import Calibration
import LinearAlgebra
import Models
import Testing
import TwinCore

/// Sites of one kind whose data are linear and Gaussian: what they find alone adds up to what one would have found.
@Suite struct ModelDeltaTests {
  private static let digest = Digest(bytes: Array(repeating: 7, count: 32)) ?? .zero

  /// A likelihood of ln θ that is exactly Gaussian: rows h·x = y + noise.
  private struct Rows {
    var information: Matrix
    var vector: [Double]
    var count: Int
    var samples: [Double] = []

    init(_ count: Int, order: Int, seed: UInt64, truth: [Double]) {
      var random = Philox(seed: seed)
      (information, vector) = (Matrix(rows: order, columns: order), Array(repeating: 0, count: order))
      self.count = count
      for _ in 0..<count {
        let row = (0..<order).map { _ in random.normal() }
        let reading = zip(row, truth).reduce(0) { $0 + $1.0 * $1.1 } + 0.3 * random.normal()
        samples += row + [reading]
        for index in 0..<order {
          for other in 0..<order { information[index, other] += row[index] * row[other] / 0.09 }
          vector[index] += row[index] * reading / 0.09
        }
      }
    }

    /// The exact posterior from the prior's mean.
    func posterior(_ prior: ModelPrior) -> (means: [Double], covariance: Matrix)? {
      guard let factor = Cholesky(prior.information + information) else { return nil }
      let first = prior.information.times(prior.means)
      return (factor.solve(zip(first, vector).map { $0 + $1 }), factor.inverse())
    }
  }

  private static let definition = ModelDefinition(
    id: "room", asset: "a", templates: [], stepNanoseconds: 900_000_000_000, physics: Synthetic.room(),
    inputs: [0, 1].map { InputBinding(.point(PointBinding(PointIndex($0)))) },
    outputs: [PointBinding(PointIndex(2))], horizons: [1, 4])

  private static let basis = SharedBasis(
    seed: 3, features: 20, centre: [0.1, 20, -3], unit: [1, 4, 2], targetUnit: 0.2)

  private static func prior(_ heads: [SharedBasis] = []) -> ModelPrior { ModelPrior(definition, heads: heads) }

  private static func delta(_ rows: Rows, _ prior: ModelPrior, heads: [ResidualStatistics?]? = nil) throws -> ModelDelta
  {
    let posterior = try #require(rows.posterior(prior))
    return try ModelDelta(
      of: prior, digest: digest, means: posterior.means, covariance: posterior.covariance, readings: rows.count,
      heads: heads)
  }

  private static func rows(_ seed: UInt64, _ count: Int = 200) -> Rows {
    Rows(count, order: 2, seed: seed, truth: [16.5, 5.4])
  }

  private static func isNear(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-9) -> Bool {
    let size = (a + b).map(\.magnitude).max() ?? 0
    return a.count == b.count && zip(a, b).allSatisfy { ($0 - $1).magnitude <= tolerance * max(size, 1e-30) }
  }

  @Test(arguments: 1...20) func `of two sites sum to what both together would find`(seed: UInt64) throws {
    let prior = Self.prior()
    let (a, b) = (Self.rows(seed, 150), Self.rows(seed + 1000, 90))
    var both = a
    both.information = a.information + b.information
    both.vector = zip(a.vector, b.vector).map { $0 + $1 }
    let whole = try #require(both.posterior(prior))
    let sum = try (Self.delta(a, prior) + Self.delta(b, prior)).posterior(prior)
    #expect(Self.isNear(sum.means, whole.means), "seed \(seed)")
    #expect(Self.isNear(sum.covariance.elements, whole.covariance.elements), "seed \(seed)")
  }

  @Test func `count alike in any order and grouping`() throws {
    let prior = Self.prior()
    let deltas = try (1...6).map { try Self.delta(Self.rows($0), prior) }
    let left = try deltas.dropFirst().reduce(deltas[0]) { try $0 + $1 }
    let right = try (deltas[5] + deltas[3]) + ((deltas[1] + deltas[0]) + (deltas[4] + deltas[2]))
    #expect(Self.isNear(left.information, right.information, 1e-12) && Self.isNear(left.vector, right.vector, 1e-12))
    #expect(left.sites == 6 && right.sites == 6 && left.readings == 1200)
    let merged = try #require(try ModelDelta.merged(deltas))
    #expect(try ModelDelta.merged(deltas.reversed())?.bytes == merged.bytes)
    #expect(try ModelDelta.merged([deltas[3], deltas[0], deltas[5], deltas[1], deltas[4], deltas[2]]) == merged)
    #expect(try ModelDelta.merged([]) == nil)
  }

  @Test func `carry residual heads whose weights are those of all rows`() throws {
    let prior = Self.prior([Self.basis, Self.basis])
    var gatherer = HeadGatherer(Self.basis)
    var random = Philox(seed: 4)
    var (parts, whole) = (
      Array(repeating: ResidualStatistics(order: Self.basis.order), count: 2),
      ResidualStatistics(order: Self.basis.order)
    )
    for row in 0..<400 {
      let inputs = [random.normal(), 20 + 4 * random.normal(), -3 + random.normal()]
      let residual = 0.2 * Elementary.sin(inputs[0]) + 0.02 * random.normal()
      parts[row % 2].add(inputs, residual: residual, &gatherer)
      whole.add(inputs, residual: residual, &gatherer)
    }
    #expect(!whole.add([.nan, 0, 0], residual: 0, &gatherer) && !whole.add([0, 0, 0], residual: .infinity, &gatherer))
    let deltas = try parts.enumerated().map {
      try Self.delta(Self.rows(UInt64($0.offset)), prior, heads: [$0.element, nil])
    }
    let posterior = try (deltas[0] + deltas[1]).posterior(prior)
    let weights = try #require(posterior.weights[0])
    #expect(Self.isNear(weights, try #require(whole.weights(priorVariance: Self.basis.priorVariance))))
    #expect(posterior.weights[1] == nil && weights.contains { $0.magnitude > 0.1 })
  }

  @Test func `go through bytes and back, and no other bytes are one`() throws {
    let prior = Self.prior([Self.basis])
    var gatherer = HeadGatherer(Self.basis)
    var statistics = ResidualStatistics(order: Self.basis.order)
    for row in 0..<50 { statistics.add([Double(row), 20, -3], residual: 0.1, &gatherer) }
    let delta = try Self.delta(Self.rows(2), prior, heads: [statistics])
    let bytes = delta.bytes
    #expect(try ModelDelta(bytes: bytes) == delta)
    for cut in stride(from: 0, to: bytes.count, by: 37) {
      #expect(throws: CanonicalFault.self) { try ModelDelta(bytes: Array(bytes[..<cut])) }
    }
    #expect(throws: CanonicalFault.self) { try ModelDelta(bytes: bytes + [0]) }
  }

  @Test func `hold no sample`() throws {
    let prior = Self.prior()
    let rows = Self.rows(5, 60)
    let bytes = try Self.delta(rows, prior).bytes
    for sample in rows.samples {
      let pattern = sample.bitPattern
      let little = (0..<8).map { UInt8(truncatingIfNeeded: pattern >> UInt64(8 * $0)) }
      for start in 0...(bytes.count - 8) {
        #expect(Array(bytes[start..<start + 8]) != little && Array(bytes[start..<start + 8]) != little.reversed())
      }
    }
  }

  @Test func `that say too much are cut to the same conclusion from less`() throws {
    let prior = Self.prior()
    let delta = try Self.delta(Self.rows(8, 5000), prior)
    #expect(delta.norm(over: prior) > 1000)
    let cut = delta.clipped(over: prior, limit: 100, rows: 500)
    #expect((cut.norm(over: prior) - 100).magnitude < 1e-6)
    #expect(delta.clipped(over: prior, limit: 1e9, rows: 1e9) == delta)
    let (full, less) = (try delta.posterior(prior), try cut.posterior(prior))
    #expect(less.covariance[0, 0] > full.covariance[0, 0])
    #expect(cut.problems(over: prior) == [])
    #expect(zip(full.means, less.means).allSatisfy { ($0 - $1).magnitude < 0.1 })
  }

  @Test func `that are poisoned are named`() throws {
    let prior = Self.prior([Self.basis])
    let sound = try Self.delta(Self.rows(9), prior)
    #expect(sound.problems(over: prior) == [])
    func bent(_ change: (inout Bent) -> Void) throws -> [String] {
      var parts = Bent(sound)
      change(&parts)
      return try ModelDelta(bytes: parts.bytes).problems(over: prior)
    }
    #expect(try bent { $0.information[0] = .nan }.first == "capacity is not finite")
    #expect(try bent { $0.vector[1] = .infinity }.first == "loss is not finite")
    #expect(try bent { $0.vector[1] *= -400 }.contains { $0.contains("would move by a factor of e^") })
    #expect(try bent { $0.information[0] *= -1 }.first == "the data would have taken away what was known before")
    #expect(try bent { $0.readings = 0 }.first == "information without readings")
    #expect(
      try bent {
        $0.vector.append(0); $0.information += [0, 0, 0]
      }.first?.hasPrefix("3 parameters") == true)
    #expect(throws: DeltaFault.self) { try Bent(sound, vector: [1e9, 1e9]).delta().posterior(prior) }
    #expect(throws: DeltaFault.self) { try sound + Self.delta(Self.rows(1), Self.prior()) }
    #expect(throws: DeltaFault.self) { try sound + Bent(sound, prior: .zero).delta() }
    #expect(throws: DeltaFault.self) {
      try ModelDelta(
        of: prior, digest: .zero, means: [.nan, 0], covariance: .identity(2), readings: 1)
    }
  }

  @Test func `with heads that no rows can have made are named`() throws {
    let prior = Self.prior([Self.basis])
    var gatherer = HeadGatherer(Self.basis)
    var statistics = ResidualStatistics(order: Self.basis.order)
    var random = Philox(seed: 6)
    for _ in 0..<80 {
      let inputs = [random.normal(), 20 + random.normal(), random.normal()]
      statistics.add(inputs, residual: 0.1 * random.normal(), &gatherer)
    }
    func problem(_ change: (inout HeadBytes) -> Void) throws -> String? {
      var head = HeadBytes(statistics)
      change(&head)
      var bent = Bent(try Self.delta(Self.rows(9), prior))
      bent.head = head
      return try bent.delta().problems(over: prior).first
    }
    #expect(try problem { _ in } == nil)
    #expect(try problem { $0.vector[0] *= 1e6 }?.contains("than its 80 rows can") == true)
    #expect(try problem { $0.squares /= 1000 }?.contains("explains more than there was") == true)
    #expect(try problem { $0.information[0] = -9 }?.contains("takes away") == true)
    #expect(try problem { $0.vector[3] = .nan }?.contains("not finite") == true)
  }

  @Test func `count from one prior whatever a site calls its points`() throws {
    var other = Self.definition
    other.physics.inputs[0].name = "another.outdoor"
    other.physics.parameters[0].name = "hall.capacity"
    other.physics.states[0].noiseIntensity *= 3
    #expect(ModelPrior(other).bytes == Self.prior().bytes)
    other.physics.terms[0].scale = 2
    #expect(ModelPrior(other).bytes != Self.prior().bytes)
    #expect(Self.prior([Self.basis]).bytes != Self.prior().bytes)
  }
}

/// A delta taken apart, to be bent.
private struct Bent {
  var prior: Digest
  var readings: Int64
  var information: [Double]
  var vector: [Double]
  var head: HeadBytes?
  var heads: Int

  init(_ delta: ModelDelta, prior: Digest? = nil, vector: [Double]? = nil) {
    (self.prior, readings) = (prior ?? delta.prior, delta.readings)
    (information, self.vector, heads) = (delta.information, vector ?? delta.vector, delta.heads.count)
  }

  func delta() throws -> ModelDelta { try ModelDelta(bytes: bytes) }

  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(7)
    writer.integer(1)
    writer.digest(prior)
    writer.integer(1)
    writer.integer(readings)
    writer.doubles(information)
    writer.doubles(vector)
    writer.array(heads)
    for index in 0..<heads { if index == 0, let head { head.encode(to: &writer) } else { writer.null() } }
    return writer.bytes
  }
}

private struct HeadBytes {
  var order: Int
  var count: Int64
  var squares: Double
  var information: [Double]
  var vector: [Double]

  init(_ head: ResidualStatistics) {
    (order, count, squares, information, vector) = (head.order, head.count, head.squares, head.information, head.vector)
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.integer(order)
    writer.integer(count)
    writer.double(squares)
    writer.doubles(information)
    writer.doubles(vector)
  }
}
