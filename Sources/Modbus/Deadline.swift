/// The end of one wait, on the monotonic clock.
struct Deadline {
  /// Longer waits are cut: no bus question is worth an hour.
  private static let millisecondsMax = 3_600_000

  private let end: ContinuousClock.Instant

  init(milliseconds: Int) {
    end = .now + .milliseconds(min(max(milliseconds, 0), Self.millisecondsMax))
  }

  /// What is left, rounded up so that a poll with it does not wake early; 0 when over.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = (end - .now).components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
