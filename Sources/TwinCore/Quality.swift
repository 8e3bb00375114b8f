/// How far a value may be believed. Absence is a quality, never a number.
public enum Quality: UInt8, Hashable, Sendable, CaseIterable {
  /// Measured, in range, on time.
  case good = 0
  /// A number came, but something about it is doubtful (out of its declared range, scale read apart).
  case suspect = 1
  /// The device answered, and said that it has no value (sentinel, NaN, illegal address).
  case absent = 2
  /// The device did not answer, or what came was not an answer to the question.
  case failed = 3
  /// No reading yet.
  case never = 4

  /// Whether the number beside it means anything.
  @inlinable public var hasValue: Bool { self == .good || self == .suspect }
  /// Whether a decision may rest on it.
  @inlinable public var isUsable: Bool { self == .good }

  public var name: String {
    switch self {
    case .good: "good"
    case .suspect: "suspect"
    case .absent: "absent"
    case .failed: "failed"
    case .never: "never"
    }
  }
}
