public import TwinCore

/// What time it is. The system's clocks live, a virtual one in simulation.
public protocol SiteClock: Sendable {
  /// UTC now; may step.
  var instant: Instant { get }
  /// Monotonic now; counts through suspend, restarts with the boot.
  var uptime: Uptime { get }
  /// Whether UTC is believed to be right (synchronised at least once, and not before the build).
  var isTrusted: Bool { get }
  /// Returns at `deadline` or when the task is cancelled, whichever is first.
  func sleep(until deadline: Uptime) async
}
