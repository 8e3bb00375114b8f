public import LinearAlgebra
public import TwinCore

// Canonical form: [1, prior, sites, readings, information (lower triangle), vector, [statistics or null, …]]; columns
// of doubles, heads by output and horizon.

/// What one site's data add to what its kind held before, without the data: information that adds up.
///
/// For the logarithms of the parameters Λ − Λ₀ and Λ·m − Λ₀·m₀, counted from the means of the prior, so that the vector
/// is Λ·(m − m₀); for each residual head Σ φ·φᵀ and Σ φ·r in the shared basis. Sums of deltas are what one site with
/// all the data would have found: exactly where the likelihood is Gaussian, else as well as a parabola fits it.
public struct ModelDelta: Sendable, Equatable {
  /// Of the bytes of the `ModelPrior` that it counts from, which tell its structure too.
  public let prior: Digest
  /// How many sites' data it stands for.
  public private(set) var sites: Int64 = 1
  /// Readings that it rests on.
  public private(set) var readings: Int64
  /// Of the logarithms: the lower triangle of Λ − Λ₀, row after row.
  public private(set) var information: [Double]
  /// Λ·(m − m₀).
  public private(set) var vector: [Double]
  /// By output and horizon; nil where the site had nothing to say.
  public private(set) var heads: [ResidualStatistics?]

  public static let bytesMax = 8 << 20
  static let parametersMax = 256
  static let headsMax = 64
  static let sitesMax: Int64 = 1_000_000

  /// From the posterior mean and covariance of the logarithms.
  public init(
    of prior: ModelPrior, digest: Digest, means: [Double], covariance: Matrix, readings: Int,
    heads: [ResidualStatistics?]? = nil
  ) throws(DeltaFault) {
    let count = prior.means.count
    precondition(means.count == count && covariance.rows == count, "a posterior of the prior's parameters")
    guard means.allSatisfy(\.isFinite), let factor = Cholesky(covariance.symmetrised()) else {
      throw DeltaFault(.unsound, "the posterior's mean or covariance is no number, or none that has an inverse")
    }
    let whole = factor.inverse()
    self.prior = digest
    self.readings = Int64(readings)
    information = Self.triangle(whole - prior.information)
    vector = whole.times(zip(means, prior.means).map { $0 - $1 })
    self.heads = heads ?? Array(repeating: nil, count: prior.heads.count)
    precondition(self.heads.count == prior.heads.count, "statistics of the prior's heads")
  }

  public init(of prior: ModelPrior, digest: Digest, _ result: CalibrationResult, heads: [ResidualStatistics?]? = nil)
    throws(DeltaFault)
  {
    try self.init(
      of: prior, digest: digest, means: result.logParameters, covariance: result.covariance,
      readings: result.readings, heads: heads)
  }

  /// What both together say. Order and grouping matter to rounding alone; `merged` takes that away too.
  public static func + (a: ModelDelta, b: ModelDelta) throws(DeltaFault) -> ModelDelta {
    guard a.prior == b.prior else {
      throw DeltaFault(.otherPrior, "one delta counts from \(a.prior.short), the other from \(b.prior.short)")
    }
    guard a.vector.count == b.vector.count, a.heads.count == b.heads.count,
      zip(a.heads, b.heads).allSatisfy({ $0 == nil || $1 == nil || $0?.order == $1?.order })
    else {
      throw DeltaFault(.otherShape, "two deltas of one prior have \(a.vector.count) and \(b.vector.count) parameters")
    }
    var sum = a
    for index in sum.information.indices { sum.information[index] += b.information[index] }
    for index in sum.vector.indices { sum.vector[index] += b.vector[index] }
    for index in sum.heads.indices {
      guard let other = b.heads[index] else { continue }
      sum.heads[index] = sum.heads[index].map { $0 + other } ?? other
    }
    sum.sites = a.sites.saturatingSum(b.sites)
    sum.readings = a.readings.saturatingSum(b.readings)
    return sum
  }

  /// The sum of many in the order of their bytes: the same deltas give the same bits in whatever order they came.
  public static func merged(_ deltas: [ModelDelta]) throws(DeltaFault) -> ModelDelta? {
    let sorted = deltas.map { ($0.bytes, $0) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
    guard var sum = sorted.first?.1 else { return nil }
    for (_, delta) in sorted.dropFirst() { sum = try sum + delta }
    return sum
  }

  /// How much it says, in units of the prior: the root of the sum of squares of L⁻¹·(Λ − Λ₀)·L⁻ᵀ with Λ₀ = L·Lᵀ.
  public func norm(over prior: ModelPrior) -> Double {
    guard let factor = Cholesky(prior.information) else { return .infinity }
    let relative = Self.matrix(information, order: vector.count)
    var sum = 0.0
    // The trace of (Λ₀⁻¹·ΔΛ)² is that sum.
    let share = factor.inverse().times(relative)
    for row in 0..<vector.count {
      for column in 0..<vector.count { sum += share[row, column] * share[column, row] }
    }
    return max(0, sum).squareRoot()
  }

  /// The same conclusion drawn from less: information and vector scaled alike until the norm is at most `limit`, heads
  /// until they count for at most `rows`. No single site outweighs a fleet.
  public func clipped(over prior: ModelPrior, limit: Double, rows: Double) -> ModelDelta {
    precondition(limit > 0 && rows > 0, "a clip leaves something")
    var part = self
    let norm = norm(over: prior)
    if norm > limit {
      part.information = information.map { $0 * (limit / norm) }
      part.vector = vector.map { $0 * (limit / norm) }
    }
    for (index, head) in heads.enumerated() {
      guard let head, Double(head.count) > rows else { continue }
      part.heads[index] = head.scaled(by: rows / Double(head.count))
    }
    return part
  }

  public var bytes: [UInt8] {
    var writer = CanonicalWriter(reservingBytes: 4096)
    encode(to: &writer)
    return writer.bytes
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.digest(prior)
    writer.integer(sites)
    writer.integer(readings)
    writer.doubles(information)
    writer.doubles(vector)
    writer.array(heads.count)
    for head in heads { if let head { head.encode(to: &writer) } else { writer.null() } }
  }

  /// Strict as to form; what its numbers are worth, `problems` tells.
  public init(bytes: [UInt8]) throws(CanonicalFault) {
    guard bytes.count <= Self.bytesMax else { throw CanonicalFault("a delta of \(bytes.count) bytes") }
    var reader = CanonicalReader(bytes)
    try reader.structure(6, version: 1)
    prior = try reader.digest()
    (sites, readings) = (try reader.integer(), try reader.integer())
    information = try reader.doubles(limit: Self.parametersMax * (Self.parametersMax + 1) / 2)
    vector = try reader.doubles(limit: Self.parametersMax)
    guard information.count == vector.count * (vector.count + 1) / 2, (1...Self.sitesMax).contains(sites), readings >= 0
    else { throw CanonicalFault("a delta of \(vector.count) parameters, \(information.count) numbers, \(sites) sites") }
    heads = []
    for _ in 0..<(try reader.array(limit: Self.headsMax)) {
      heads.append(try reader.takeNull() ? nil : try ResidualStatistics(from: &reader))
    }
    guard reader.isAtEnd else { throw CanonicalFault("bytes after the delta's end") }
  }

  static func triangle(_ matrix: Matrix) -> [Double] {
    (0..<matrix.rows).flatMap { row in (0...row).map { (matrix[row, $0] + matrix[$0, row]) / 2 } }
  }

  static func matrix(_ triangle: [Double], order: Int) -> Matrix {
    var matrix = Matrix(rows: order, columns: order)
    var place = 0
    for row in 0..<order {
      for column in 0...row {
        matrix[row, column] = triangle[place]
        matrix[column, row] = triangle[place]
        place += 1
      }
    }
    return matrix
  }
}

extension Int64 {
  fileprivate func saturatingSum(_ other: Int64) -> Int64 {
    let (sum, isOver) = addingReportingOverflow(other)
    return isOver ? .max : sum
  }
}

/// Why deltas cannot be made, added or believed.
public struct DeltaFault: Fault, Equatable {
  public enum Kind: String, Sendable {
    case unsound = "calibration.delta_unsound"
    case otherPrior = "calibration.delta_other_prior"
    case otherShape = "calibration.delta_other_shape"
  }

  public let kind: Kind
  public let message: String

  init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  public var code: String { kind.rawValue }
  public var remedy: String {
    switch kind {
    case .unsound: "leave this delta out and train its site again"
    case .otherPrior: "send the site the present prior and let it train again"
    case .otherShape: "leave this delta out: its site runs another version of the model"
    }
  }
}
