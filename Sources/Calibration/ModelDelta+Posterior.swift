public import LinearAlgebra
import TwinCore

/// What a prior and deltas come to.
public struct DeltaPosterior: Sendable, Equatable {
  /// Of the logarithms.
  public var means: [Double]
  public var covariance: Matrix
  /// By output and horizon; in the shared basis, in units of the residual. Nil where nothing was said.
  public var weights: [[Double]?]
}

extension ModelDelta {
  /// The mean and covariance of the logarithms, and the heads' weights, with this delta taken in.
  public func posterior(_ prior: ModelPrior) throws(DeltaFault) -> DeltaPosterior {
    if let problem = problems(over: prior).first { throw DeltaFault(.unsound, problem) }
    guard let factor = Cholesky(prior.information + Self.matrix(information, order: vector.count)) else {
      throw DeltaFault(.unsound, "less would be known than before any data")
    }
    let step = factor.solve(vector)
    let weights = zip(heads, prior.heads).map { head, basis in
      head.flatMap { $0.weights(priorVariance: basis.priorVariance) }
    }
    return DeltaPosterior(
      means: zip(prior.means, step).map { $0 + $1 }, covariance: factor.inverse(), weights: weights)
  }

  /// What is wrong with it as a delta from this prior: of another shape, not finite, beyond bounds, or of a conclusion
  /// that no data could bear. Empty if nothing. One line each, for people.
  public func problems(over prior: ModelPrior) -> [String] {
    let count = prior.means.count
    guard vector.count == count, heads.count == prior.heads.count else {
      return ["\(vector.count) parameters and \(heads.count) heads, not \(count) and \(prior.heads.count)"]
    }
    var found: [String] = []
    for (index, name) in prior.names.enumerated() {
      let row = information[index * (index + 1) / 2..<(index + 1) * (index + 2) / 2]
      if !vector[index].isFinite || !row.allSatisfy(\.isFinite) { found.append("\(name) is not finite") }
    }
    found += headProblems(prior)
    guard found.isEmpty else { return found }
    let own = Self.matrix(information, order: count)
    // Rounding and a posterior that is no parabola may take a little away; half of the prior is no rounding.
    guard Cholesky(prior.information.scaled(by: 0.5) + own) != nil,
      let factor = Cholesky(prior.information + own)
    else { return ["the data would have taken away what was known before"] }
    let step = factor.solve(vector)
    for (index, name) in prior.names.enumerated() where !(step[index].magnitude <= prior.limits[index]) {
      found.append("\(name) would move by a factor of e^\(Int(step[index].clamped(1000).nearestInteger))")
    }
    if Double(readings) < 1, norm(over: prior) > 0.01 { found.append("information without readings") }
    return found
  }

  private func headProblems(_ prior: ModelPrior) -> [String] {
    var found: [String] = []
    for (index, (head, basis)) in zip(heads, prior.heads).enumerated() {
      guard let head else { continue }
      guard head.order == basis.order else {
        found.append("head \(index) is of order \(head.order), not \(basis.order)")
        continue
      }
      let clip = ResidualStatistics.clip
      let rows = Double(head.count)
      guard head.information.allSatisfy(\.isFinite), head.vector.allSatisfy(\.isFinite), head.squares.isFinite else {
        found.append("head \(index) is not finite")
        continue
      }
      // No element of a row is beyond 5, none of the residuals beyond the clip.
      let isBounded =
        head.information.allSatisfy { $0.magnitude <= 25 * rows + 1e-6 }
        && head.vector.allSatisfy { $0.magnitude <= 5 * clip * rows + 1e-6 }
        && head.squares >= 0 && head.squares <= clip * clip * rows + 1e-6
      if !isBounded { found.append("head \(index) says more than its \(head.count) rows can") }
      guard let weights = head.weights(priorVariance: basis.priorVariance) else {
        found.append("head \(index) takes away what was known before")
        continue
      }
      // rᵀr ≥ wᵀΦᵀr for any data that the statistics can have come from.
      let explained = zip(weights, head.vector).reduce(0) { $0 + $1.0 * $1.1 }
      if explained > head.squares * (1 + 1e-9) + 1e-9 {
        found.append("head \(index) explains more than there was")
      }
    }
    return found
  }
}

extension Double {
  fileprivate func clamped(_ bound: Double) -> Double { Swift.max(-bound, Swift.min(bound, self)) }
}
