import LinearAlgebra
public import TwinCore

/// Draws of a model's parameters from what is uncertain of them: what an answer is asked of again and again to see how
/// far it rests on them.
///
/// Member 0 is the calibration itself; the others come in pairs to either side of it. A member is a function of the
/// seed and its number alone, so that two questions to one member differ by the questions.
public struct ParameterEnsemble: Sendable, Equatable {
  public let seed: UInt64
  /// With the calibration itself.
  public let members: Int
  private let centre: [Double]
  /// L with L·Lᵀ the covariance of the logarithms, row after row.
  private let factor: [Double]
  private let lowest: [Double]
  private let highest: [Double]

  public static let membersMax = 1024

  /// The parameters of an observer, with its covariance.
  public init(_ observer: JointObserver, members: Int = 65, seed: UInt64 = 1) {
    precondition((1...Self.membersMax).contains(members), "an ensemble of \(members)")
    let (states, count) = (observer.model.states.count, observer.model.parameters.count)
    let order = states + count
    var covariance = Matrix(rows: count, columns: count)
    for row in 0..<count {
      for column in 0..<count {
        covariance[row, column] = observer.covariance[(states + row) * order + states + column]
      }
    }
    // An observer's covariance is positive definite at all times, and so is a block on its diagonal.
    let deviations = (0..<count).map { max(0, covariance[$0, $0]).squareRoot() }
    factor = (Cholesky(covariance)?.lower ?? .diagonal(deviations)).elements
    (self.members, self.seed) = (members, seed)
    centre = Array(observer.mean[states...])
    let priors = observer.model.priorLogParameters
    lowest = zip(priors, observer.model.parameters).map { $0 - $1.limit }
    highest = zip(priors, observer.model.parameters).map { $0 + $1.limit }
  }

  /// Logarithms of the parameters, within the limits of each.
  public func member(_ number: Int) -> [Double] {
    precondition((0..<members).contains(number), "member \(number) of \(members)")
    guard number > 0 else { return centre }
    let side: Double = number % 2 == 1 ? 1 : -1
    var draws = Philox(seed: seed, stream: UInt64((number - 1) / 2))
    let normals = centre.map { _ in side * draws.normal() }
    return centre.indices.map { row in
      var value = centre[row]
      for column in 0...row { value += factor[row * centre.count + column] * normals[column] }
      return min(max(value, lowest[row]), highest[row])
    }
  }

  // [1, seed, members, centre, factor, lowest, highest]
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.unsigned(seed)
    writer.integer(members)
    for column in [centre, factor, lowest, highest] { writer.doubles(column) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(6, version: 1)
    (seed, members) = (try reader.unsigned(), try reader.int())
    (centre, factor) = (try reader.doubles(limit: 1 << 12), try reader.doubles())
    (lowest, highest) = (try reader.doubles(limit: 1 << 12), try reader.doubles(limit: 1 << 12))
    let columns = [centre, factor, lowest, highest]
    guard (1...Self.membersMax).contains(members), factor.count == centre.count * centre.count,
      lowest.count == centre.count, highest.count == centre.count,
      columns.allSatisfy({ $0.allSatisfy(\.isFinite) }), zip(lowest, highest).allSatisfy({ $0 <= $1 })
    else { throw CanonicalFault("an ensemble of \(members) members of \(centre.count) parameters") }
  }
}
