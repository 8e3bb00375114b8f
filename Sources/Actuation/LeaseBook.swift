public import TwinCore

/// A setpoint that twind holds for now.
public struct Lease: Sendable, Equatable {
  public let decision: DecisionID
  public let point: PointIndex
  public let value: Double
  /// What is written when nobody renews it.
  public let revertValue: Double
  public internal(set) var expires: Uptime
  /// Gateway time before which giving it back is not tried again; nil until the first attempt failed.
  var retryAt: Uptime?

  init(
    decision: DecisionID, point: PointIndex, value: Double, revertValue: Double, expires: Uptime, retryAt: Uptime? = nil
  ) {
    (self.decision, self.point, self.value, self.revertValue) = (decision, point, value, revertValue)
    (self.expires, self.retryAt) = (expires, retryAt)
  }
}

/// Which leases are open, and which have lapsed. Pure; the clock is the caller's.
struct LeaseBook: Sendable {
  private(set) var open: [PointIndex: Lease] = [:]

  mutating func enter(_ lease: Lease) { open[lease.point] = lease }

  @discardableResult
  mutating func close(_ point: PointIndex) -> Lease? { open.removeValue(forKey: point) }

  /// Prolongs a lease that is held; false when there is none, or it is on its way back.
  mutating func renew(_ point: PointIndex, until expires: Uptime) -> Bool {
    guard let lease = open[point], lease.retryAt == nil else { return false }
    open[point]?.expires = expires
    return true
  }

  /// Those that must go back now, by point: their time is over on the site's clock, and a failed attempt has rested on
  /// the gateway's.
  func lapsed(site: Uptime, gateway: Uptime) -> [Lease] {
    open.values.filter { lease in lease.retryAt.map { gateway >= $0 } ?? (site >= lease.expires) }
      .sorted { $0.point < $1.point }
  }
}
