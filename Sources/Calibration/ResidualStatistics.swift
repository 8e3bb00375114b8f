import LinearAlgebra
import Models
import TwinCore

/// What rows of residuals say of the weights of one head, in information form: Σ φ·φᵀ and Σ φ·r. Two that stand over
/// the same basis add up to what one of all rows would be; no row can be had back from it.
public struct ResidualStatistics: Sendable, Equatable {
  public let order: Int
  /// Lower triangle, row after row.
  public private(set) var information: [Double]
  public private(set) var vector: [Double]
  /// Of residuals, in units squared.
  public private(set) var squares = 0.0
  public private(set) var count: Int64 = 0

  static let orderMax = 1200
  /// A residual counts for at most so many of its unit.
  static let clip = 6.0

  public init(order: Int) {
    precondition((1...Self.orderMax).contains(order), "statistics of order \(order)")
    self.order = order
    information = Array(repeating: 0, count: order * (order + 1) / 2)
    vector = Array(repeating: 0, count: order)
  }

  /// Takes in a row; false, and nothing is changed, where a number is not finite.
  @discardableResult
  public mutating func add(_ inputs: [Double], residual: Double, _ gatherer: inout HeadGatherer) -> Bool {
    guard residual.isFinite, gatherer.evaluate(inputs) else { return false }
    let target = min(Self.clip, max(-Self.clip, residual / gatherer.basis.targetUnit))
    let row = gatherer.row
    var place = 0
    for index in 0..<order {
      for other in 0...index {
        information[place] += row[index] * row[other]
        place += 1
      }
      vector[index] += row[index] * target
    }
    squares += target * target
    count += 1
    return true
  }

  static func + (a: ResidualStatistics, b: ResidualStatistics) -> ResidualStatistics {
    var sum = a
    for index in sum.information.indices { sum.information[index] += b.information[index] }
    for index in sum.vector.indices { sum.vector[index] += b.vector[index] }
    sum.squares += b.squares
    sum.count += b.count
    return sum
  }

  func scaled(by share: Double) -> ResidualStatistics {
    var part = self
    part.information = information.map { $0 * share }
    part.vector = vector.map { $0 * share }
    part.squares *= share
    return part
  }

  /// The most likely weights under a ridge; nil where the information is none.
  public func weights(priorVariance: Double) -> [Double]? {
    var whole = ModelDelta.matrix(information, order: order)
    for index in 0..<order { whole[index, index] += 1 / priorVariance }
    return Cholesky(whole)?.solve(vector)
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

  init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    let order = try reader.int()
    guard (1...Self.orderMax).contains(order) else { throw CanonicalFault("statistics of order \(order)") }
    self.order = order
    (count, squares) = (try reader.integer(), try reader.double())
    information = try reader.doubles(limit: order * (order + 1) / 2)
    vector = try reader.doubles(limit: order)
    guard information.count == order * (order + 1) / 2, vector.count == order, count >= 0 else {
      throw CanonicalFault("statistics of \(information.count) and \(vector.count) numbers for order \(order)")
    }
  }
}

/// Makes the rows of one shared basis: cosines, bounded inputs, one.
public struct HeadGatherer: Sendable {
  public let basis: SharedBasis
  private let cosines: RandomFeatureBasis
  private var standard: [Double]
  private(set) var row: [Double]

  public init(_ basis: SharedBasis) {
    self.basis = basis
    let inputs = basis.centre.count
    cosines = RandomFeatureBasis(
      seed: basis.seed, inputs: inputs, features: basis.features, scale: basis.scale * Double(inputs).squareRoot())
    standard = Array(repeating: 0, count: inputs)
    row = Array(repeating: 1, count: basis.order)
  }

  mutating func evaluate(_ inputs: [Double]) -> Bool {
    precondition(inputs.count == standard.count, "\(inputs.count) inputs of \(standard.count)")
    let height = 1 / Double(inputs.count).squareRoot()
    for index in inputs.indices {
      guard inputs[index].isFinite else { return false }
      standard[index] = min(5, max(-5, (inputs[index] - basis.centre[index]) / basis.unit[index]))
      row[basis.features + index] = height * standard[index]
    }
    let (cosines, features) = (cosines, basis.features)
    unsafe standard.withUnsafeBufferPointer { standard in
      unsafe row.withUnsafeMutableBufferPointer { row in
        unsafe cosines.evaluate(standard, into: UnsafeMutableBufferPointer(rebasing: row[0..<features]))
      }
    }
    return true
  }
}
