import Models
import TwinCore

/// How well each value of one parameter can be borne when all else is fitted to it: what its interval is where the
/// likelihood is no parabola.
///
/// Source: S. A. Murphy, A. W. van der Vaart, "On profile likelihood" (2000); for grey-box models Bacher and Madsen
/// (2011), §4.
public struct ProfileLikelihood: Sendable, Equatable {
  public struct Point: Sendable, Equatable {
    /// In the parameter's unit.
    public var value: Double
    /// −ln posterior over that of the best point.
    public var excess: Double
  }

  public let parameter: String
  /// By value; the best among them.
  public private(set) var points: [Point]

  /// Of χ² with one degree of freedom, half.
  static let excess95 = 1.920729410347062

  /// A dozen short descents around what a calibration found: some hundred passes over the record each.
  ///
  /// Nil for a parameter that the model does not have.
  public init?(of name: String, _ problem: CalibrationProblem, _ result: CalibrationResult, iterationsMax: Int = 15) {
    guard let index = problem.model.parameters.firstIndex(where: { $0.name == name }) else { return nil }
    parameter = name
    let best = problem.cost(result.unknowns)
    let reach = max(0.01, result.findings[index].deviation)
    var found = [Point(value: Elementary.exp(result.unknowns[index]), excess: 0)]
    for side in [-1.0, 1] {
      var at = result.unknowns
      for step in [0.5, 1, 1.5, 2, 3, 4] {
        let value = result.unknowns[index] + side * step * reach
        let (low, high) = problem.range(index)
        guard value >= low, value <= high else { break }
        at[index] = value
        let fixed = problem.holding(index, at: value)
        var descent = Descent(at: at, of: fixed)
        while !descent.isDone, descent.iterations < iterationsMax { descent.advance(fixed) }
        guard descent.cost.isFinite else { break }
        // The next value begins where this one ended.
        at = descent.point
        found.append(Point(value: Elementary.exp(value), excess: descent.cost - best))
        if descent.cost - best > 3 * Self.excess95 { break }
      }
    }
    points = found.sorted { $0.value < $1.value }
  }

  /// 95 % of such intervals hold the true value; open where the likelihood does not fall far enough within what was
  /// tried.
  public var interval: (low: Double?, high: Double?) {
    let least = points.map(\.excess).min() ?? 0
    guard let best = points.firstIndex(where: { $0.excess == least }) else { return (nil, nil) }
    func crossing(_ places: [Int]) -> Double? {
      for (inner, outer) in zip(places, places.dropFirst()) {
        let (a, b) = (points[inner], points[outer])
        guard b.excess - least > Self.excess95, b.excess > a.excess else { continue }
        // Roots of the excess are straight where it is a parabola.
        let (x, y) = (max(0, a.excess - least).squareRoot(), (b.excess - least).squareRoot())
        let share = (Self.excess95.squareRoot() - x) / (y - x)
        return Elementary.exp(Elementary.log(a.value) + share * (Elementary.log(b.value) - Elementary.log(a.value)))
      }
      return nil
    }
    return (crossing(Array((0...best).reversed())), crossing(Array(best..<points.count)))
  }
}
