public import Provenance
public import TwinCore

/// When a site was last heard under its own signature, and how often it promised to speak.
public struct SitePresence: Equatable, Sendable {
  public enum State: UInt8, Sendable {
    case online = 0
    case late = 1
    case offline = 2
  }

  public let site: SiteName
  public var state: State
  public var heardAt: Instant
  /// Milliseconds between heartbeats, by the site's own word.
  public var intervalMs: UInt32
  /// The newest message heard. One that is not newer proves nothing about the present.
  public var mark: Mark

  public init(site: SiteName, state: State, heardAt: Instant, intervalMs: UInt32, mark: Mark) {
    (self.site, self.state, self.heardAt) = (site, state, heardAt)
    (self.intervalMs, self.mark) = (intervalMs, mark)
  }

  /// The place of a birth or heartbeat in the order in which its site made them.
  public struct Mark: Equatable, Sendable {
    public let epoch: LogEpoch
    /// Counts connections.
    public let session: UInt64
    /// Counts births and heartbeats within a session.
    public let serial: UInt64

    public init(epoch: LogEpoch, session: UInt64, serial: UInt64) {
      (self.epoch, self.session, self.serial) = (epoch, session, serial)
    }

    /// False across epochs, which have no order.
    public func isNewer(than other: Mark) -> Bool {
      epoch == other.epoch && (session, serial) > (other.session, other.serial)
    }
  }

  /// Late after three promised heartbeats did not come, offline after ten.
  public func state(at now: Instant) -> State {
    if now > heardAt.advanced(byNanoseconds: 10 * interval) { return .offline }
    return now > heardAt.advanced(byNanoseconds: 3 * interval) ? .late : .online
  }

  /// When silence changes `state` next; `distantFuture` for one that is offline. A store finds sites by it.
  public var dueAt: Instant {
    switch state {
    case .online: heardAt.advanced(byNanoseconds: 3 * interval)
    case .late: heardAt.advanced(byNanoseconds: 10 * interval)
    case .offline: .distantFuture
    }
  }

  private var interval: Int64 { Int64(intervalMs) * 1_000_000 }
}
