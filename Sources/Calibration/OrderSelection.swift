import TwinCore

/// Which of several physics for one asset the data bear: a larger one must be worth what it costs.
///
/// The likelihood's gain is set against the information criterion of Schwarz (1978); the larger ones are tried after
/// the smaller, as Bacher and Madsen (2011) do it.
public enum OrderSelection {
  public struct Trial: Sendable, Equatable {
    public var name: String
    public var unknowns: Int
    public var negativeLogLikelihood: Double
    public var readings: Int

    public init(name: String, unknowns: Int, negativeLogLikelihood: Double, readings: Int) {
      (self.name, self.unknowns) = (name, unknowns)
      (self.negativeLogLikelihood, self.readings) = (negativeLogLikelihood, readings)
    }

    public init(name: String, _ problem: CalibrationProblem, _ result: CalibrationResult) {
      self.init(
        name: name, unknowns: problem.count, negativeLogLikelihood: result.negativeLogLikelihood,
        readings: result.readings)
    }

    /// Less is better.
    public var criterion: Double {
      2 * negativeLogLikelihood + Double(unknowns) * Elementary.log(Double(max(2, readings)))
    }
  }

  /// The place of the best; nil of none. Of equals the one with fewer unknowns.
  public static func best(_ trials: [Trial]) -> Int? {
    trials.indices.filter { trials[$0].criterion.isFinite }.min {
      (trials[$0].criterion, trials[$0].unknowns) < (trials[$1].criterion, trials[$1].unknowns)
    }
  }
}
