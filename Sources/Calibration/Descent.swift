import LinearAlgebra
import TwinCore

/// One descent of a calibration: BFGS with a backtracking line search, one iteration at a time.
///
/// Source: J. Nocedal, S. J. Wright, "Numerical Optimization" (2006), ch. 6, with the damped update of procedure 18.2
/// so that the inverse curvature stays positive definite.
struct Descent: Sendable, Equatable {
  private(set) var point: [Double]
  private(set) var cost: Double
  private(set) var iterations = 0
  private(set) var isDone = false
  private var slope: [Double]
  /// An estimate of the inverse of the second derivatives, row after row.
  private var inverse: [Double]
  private var isCentral = false
  /// Gains below `gainMin`, one after another.
  private var smallGains = 0
  /// Whether the inverse has learned nothing yet.
  private var isFresh = true

  /// So many gains as small as that, one after another and with exact slopes, end it: one alone may be a step in a
  /// narrow valley.
  static let gainMin = 0.01
  static let smallGainsMax = 3

  init(at point: [Double], of problem: CalibrationProblem) {
    self.point = problem.clamped(point)
    cost = problem.cost(self.point)
    slope = cost.isFinite ? problem.gradient(self.point, cost: cost, isCentral: false) : []
    isDone = !cost.isFinite
    inverse = Self.firstInverse(of: problem)
  }

  /// Before any curvature is known: the prior's, a tenth as wide.
  private static func firstInverse(of problem: CalibrationProblem) -> [Double] {
    var inverse = Matrix(rows: problem.count, columns: problem.count)
    for index in 0..<problem.count {
      let spread = min(1, problem.spread(index))
      inverse[index, index] = 0.01 * spread * spread
    }
    return inverse.elements
  }

  /// One iteration; does nothing once it is done.
  mutating func advance(_ problem: CalibrationProblem) {
    guard !isDone else { return }
    iterations += 1
    let count = point.count
    var direction = (0..<count).map { row in
      -(0..<count).reduce(0.0) { $0 + inverse[row * count + $1] * slope[$1] }
    }
    // No unknown moves by more than a factor of e in one iteration.
    let longest = direction.map(abs).max() ?? 0
    if longest > 1 { direction = direction.map { $0 / longest } }
    let descent = zip(direction, slope).reduce(0) { $0 + $1.0 * $1.1 }
    guard descent < 0, let (next, nextCost) = search(direction, descent, problem) else {
      refine(problem)
      return
    }
    let gain = cost - nextCost
    let nextSlope = problem.gradient(next, cost: nextCost, isCentral: isCentral)
    learn(zip(next, point).map { $0 - $1 }, zip(nextSlope, slope).map { $0 - $1 })
    (point, cost, slope) = (next, nextCost, nextSlope)
    smallGains = gain < Self.gainMin ? smallGains + 1 : 0
    if smallGains > 0, !isCentral {
      refine(problem)
    } else if smallGains >= Self.smallGainsMax {
      isDone = true
    }
  }

  /// A step that brings enough of what the slope promises (Armijo).
  private func search(
    _ direction: [Double], _ descent: Double, _ problem: CalibrationProblem
  ) -> (point: [Double], cost: Double)? {
    var length = 1.0
    for _ in 0..<12 {
      let next = problem.clamped(zip(point, direction).map { $0 + length * $1 })
      let nextCost = problem.cost(next)
      if nextCost <= cost + 1e-4 * length * descent { return (next, nextCost) }
      length *= 0.4
    }
    return nil
  }

  /// Nothing is gained this way: exact slopes, then a fresh curvature, then the end.
  private mutating func refine(_ problem: CalibrationProblem) {
    if !isCentral {
      isCentral = true
      slope = problem.gradient(point, cost: cost, isCentral: true)
    } else if !isFresh {
      inverse = Self.firstInverse(of: problem)
      isFresh = true
    } else {
      isDone = true
    }
  }

  private mutating func learn(_ step: [Double], _ change: [Double]) {
    let count = step.count
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let image = (0..<count).map { row in (0..<count).reduce(0.0) { $0 + inverse[row * count + $1] * change[$1] } }
    let curvature = dot(step, change)
    let quadratic = dot(change, image)
    guard curvature > 1e-10, quadratic.isFinite, quadratic > 0 else { return }
    isFresh = false
    let scale = (1 + quadratic / curvature) / curvature
    for row in 0..<count {
      for column in 0..<count {
        inverse[row * count + column] +=
          scale * step[row] * step[column] - (image[row] * step[column] + step[row] * image[column]) / curvature
      }
    }
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(10)
    writer.integer(1)
    for column in [point, slope, inverse] { writer.doubles(column) }
    writer.double(cost)
    writer.integer(iterations)
    writer.bool(isDone)
    writer.bool(isCentral)
    writer.integer(smallGains)
    writer.bool(isFresh)
  }

  init(from reader: inout CanonicalReader, unknowns count: Int) throws(CanonicalFault) {
    try reader.structure(9, version: 1)
    (point, slope, inverse) = (try reader.doubles(), try reader.doubles(), try reader.doubles())
    cost = try reader.double()
    iterations = try reader.int()
    isDone = try reader.bool()
    isCentral = try reader.bool()
    smallGains = try reader.int()
    isFresh = try reader.bool()
    guard smallGains >= 0, point.count == count, inverse.count == count * count, slope.count == count || isDone,
      point.allSatisfy(\.isFinite), iterations >= 0
    else { throw CanonicalFault("a descent over \(point.count) unknowns, not \(count)") }
  }
}
