public import TwinCore

/// What the site's own clock is worth.
public enum ClockState: UInt8, Sendable, CaseIterable {
  case trusted = 0
  /// Before the build or the newest signed time: 1970, or a dead battery.
  case behind = 1
  /// More than `TimeFloor.spanMax` after the newest signed time.
  case ahead = 2

  public var name: String {
    switch self {
    case .trusted: "trusted"
    case .behind: "behind"
    case .ahead: "ahead"
    }
  }
}

/// The time by which metadata is judged: fixed once, before an update begins.
public struct TrustTime: Equatable, Sendable {
  /// The wall clock where it is trusted; else a time that is certainly past, see `TimeFloor.estimate`.
  public let instant: Instant
  public let clock: ClockState

  public init(_ instant: Instant, clock: ClockState = .trusted) { (self.instant, self.clock) = (instant, clock) }
}

/// The time that has certainly passed: raised by signed statements alone, never by the clock or NTP.
public struct TimeFloor: Equatable, Sendable {
  /// 400 days: a year's absence is plausible, a step beyond it must be vouched for offline.
  public static let spanMax: Int64 = 400 * 86_400 * 1_000_000_000

  /// When this program was built: nothing runs before that.
  public let build: Instant
  /// The newest time that a timestamp said, nil before the first.
  public private(set) var byTimestamp: Instant?
  /// The newest time that the targets keys vouched for.
  public private(set) var byTargets: Instant?
  /// Uptime that passed since the floor last moved, over all boots, nanoseconds.
  public private(set) var elapsed: Int64 = 0

  public init(build: Instant) { self.build = build }

  init(build: Instant, byTimestamp: Instant?, byTargets: Instant?, elapsed: Int64) {
    (self.build, self.byTimestamp, self.byTargets, self.elapsed) = (build, byTimestamp, byTargets, elapsed)
  }

  /// The newest signed time; nil on a site that never heard one.
  public var signed: Instant? {
    guard let a = byTimestamp, let b = byTargets else { return byTimestamp ?? byTargets }
    return max(a, b)
  }

  public var instant: Instant { max(build, signed ?? build) }

  /// A time that is certainly past: the floor and the uptime counted since. Hours switched off are missing, so it falls
  /// behind and never runs ahead.
  public var estimate: Instant { instant.advanced(byNanoseconds: elapsed) }

  /// Without any signed time there is no upper end: a site on its own may be old.
  public func clock(_ wall: Instant) -> ClockState {
    if wall < instant { return .behind }
    guard let signed, wall > max(signed, build).advanced(byNanoseconds: Self.spanMax) else { return .trusted }
    return .ahead
  }

  /// Takes the wall clock once; every expiry of one update is judged by what this returns.
  public func time(_ wall: Instant) -> TrustTime {
    let state = clock(wall)
    return TrustTime(state == .trusted ? wall : estimate, clock: state)
  }

  /// Counts uptime, the only time that an untrusted clock leaves. Traps on a negative span.
  public mutating func pass(uptimeNanoseconds span: Int64) {
    precondition(span >= 0, "uptime does not go back")
    elapsed = elapsed.saturatingAdd(span)
  }

  /// Whether a timestamp may say `time`.
  public func admits(_ time: Instant) -> Bool {
    // Before the first signed time the build is all there is to measure a step from.
    time <= instant.advanced(byNanoseconds: Self.spanMax)
  }

  /// Raises the floor by a timestamp; an older time changes nothing. Fault: `provenance.time_step`.
  mutating func raise(byTimestamp time: Instant) throws(ProvenanceFault) {
    guard admits(time) else { throw .timeStep(from: instant, to: time) }
    move { floor in floor.byTimestamp = max(time, floor.byTimestamp ?? time) }
  }

  /// Raises the floor by any span; the caller has checked the targets threshold.
  mutating func raise(byTargets time: Instant) {
    move { floor in floor.byTargets = max(time, floor.byTargets ?? time) }
  }

  /// Forgets what timestamps said, after their keys were replaced: they may have said too much.
  mutating func forgetTimestamps() {
    byTimestamp = nil
    elapsed = 0
  }

  private mutating func move(_ change: (inout TimeFloor) -> Void) {
    let past = estimate
    change(&self)
    // Time that has passed stays passed, also when a late statement says a little less.
    elapsed = max(0, past.nanoseconds(since: instant))
  }
}

extension ProvenanceFault {
  static func timeStep(from floor: Instant, to time: Instant) -> ProvenanceFault {
    let days = time.nanoseconds(since: floor) / (86_400 * 1_000_000_000)
    return ProvenanceFault(
      .timeStep, path: "timestamp", "the signed time is \(days) d after the newest known, at most 400 d are believed",
      remedy: "bring the site a time statement signed by the targets keys")
  }
}
