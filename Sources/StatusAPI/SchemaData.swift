extension API {
  /// A change of what is recorded of a point's past; what was known before stays readable.
  public struct CorrectionRequest: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable, CaseIterable {
      /// `value` is what it was.
      case set
      /// `value` is added to what is recorded.
      case shift
      /// Nothing is known of the stretch any more.
      case retract
      /// What is stored times `value` is what it was; one row, no sample is written again.
      case rescale
    }

    public var kind: Kind
    /// The first instant of which it speaks.
    public var from: Timestamp
    /// The instant at which it ends; without it: of `set` the one instant `from`, else no end.
    public var to: Timestamp?
    /// In the point's unit, or of `rescale` a number.
    public var value: Double?
    public var reason: String
    /// What made it necessary, as `calibration`.
    public var cause: String?

    public init(
      kind: Kind, from: Timestamp, to: Timestamp? = nil, value: Double? = nil, reason: String, cause: String? = nil
    ) {
      (self.kind, self.from, self.to, self.value) = (kind, from, to, value)
      (self.reason, self.cause) = (reason, cause)
    }
  }

  /// What a correction came to.
  public struct Corrected: Codable, Sendable, Equatable {
    public var point: String
    /// It is known from this tick on.
    public var tick: Int64
    /// Samples that it changes; of `retract` and `rescale` those that are there now.
    public var samples: Int
    public var text: String

    public init(point: String, tick: Int64, samples: Int, text: String) {
      (self.point, self.tick, self.samples, self.text) = (point, tick, samples, text)
    }
  }
}
