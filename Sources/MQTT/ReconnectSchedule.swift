/// When to try again: full jitter, so that a fleet whose broker restarted does not come back at once.
///
/// A value without a clock: it only tells how long to wait. A CONNACK resets nothing, or two clients with one identity
/// would throw each other out at full speed for ever; only a session that did something useful does.
public struct ReconnectSchedule: Sendable {
  /// The widest first wait, doubled by each further attempt.
  public static let base = Duration.seconds(2)
  public static let cap = Duration.seconds(300)
  /// The fleet's own hint may say otherwise.
  public static let defaultSpread = Duration.seconds(120)

  /// The widest wait after an outage, when all the others lost the broker too.
  public var spread: Duration
  /// Attempts since the last useful session.
  public private(set) var attempts = 0
  private var isAfterOutage = false

  public init(spread: Duration = defaultSpread) {
    self.spread = spread
  }

  /// The first acknowledgement of the foundation in a session.
  public mutating func sessionWasUseful() {
    attempts = 0
    isAfterOutage = true
  }

  /// The upper end of the next wait.
  public var ceiling: Duration {
    if isAfterOutage { return spread }
    // 2 s doubled eight times is beyond the cap.
    return min(Self.cap, Self.base * (1 << min(attempts, 8)))
  }

  /// The next wait, uniform from nothing to `ceiling`, in whole milliseconds.
  public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
    let most = max(0, ceiling.components.seconds * 1000 + ceiling.components.attoseconds / 1_000_000_000_000_000)
    if isAfterOutage { isAfterOutage = false } else { attempts += 1 }
    return .milliseconds(Int64.random(in: 0...most, using: &generator))
  }
}
