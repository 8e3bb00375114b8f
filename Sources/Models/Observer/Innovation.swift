/// What a reading said that its prediction had not.
public struct Innovation: Sendable, Equatable {
  /// Reading less prediction; NaN where the reading was no number.
  public var value: Double
  /// Of the reading as predicted: of the state shown and of the reading's noise.
  public var variance: Double
  /// False beyond the gate, and for what is no number.
  public var isAccepted: Bool
  /// Value by its standard deviation; white with variance one while the model is right.
  public var normalised: Double

  public init(value: Double, variance: Double, isAccepted: Bool, normalised: Double) {
    (self.value, self.variance, self.isAccepted, self.normalised) = (value, variance, isAccepted, normalised)
  }

  /// In standard deviations. Beyond it a reading counts as one at the gate with as much more noise (Huber 1964).
  public static let gate = 6.0
}
