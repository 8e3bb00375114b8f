import CLinux
import Glibc
public import TwinCore

/// The machine's own clocks. UTC counts as trusted once the kernel says that it is synchronised.
public struct SystemClock: SiteClock {
  private let isAssumed: Bool

  /// - Parameter assumed: Believes UTC without the kernel's word, as long as it is a time that can be.
  public init(assumed: Bool = false) { isAssumed = assumed }

  public var instant: Instant { Instant(nanoseconds: Self.read(CLOCK_REALTIME)) }
  public var uptime: Uptime { Uptime(nanoseconds: Self.read(CLOCK_BOOTTIME)) }

  /// adjtimex(2): the kernel's own estimate; and never a time before the calendar of this release.
  public var isTrusted: Bool {
    instant.nanoseconds > Self.notBefore && (isAssumed || clinux_clock_synchronised() == 1)
  }

  public func sleep(until deadline: Uptime) async {
    let wait = deadline.nanoseconds(since: uptime)
    guard wait > 0 else { return }
    try? await Task.sleep(nanoseconds: UInt64(wait))
  }

  /// 2026-01-01: a clock that stands earlier was never set.
  private static let notBefore: Int64 = 1_767_225_600_000_000_000

  private static func read(_ clock: clockid_t) -> Int64 {
    var now = timespec()
    unsafe clock_gettime(clock, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }
}
