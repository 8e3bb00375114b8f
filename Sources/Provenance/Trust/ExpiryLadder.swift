public import TwinCore

/// How much a site may still believe its fleet, by the age of what the fleet signed.
public enum ExpiryState: UInt8, Sendable, CaseIterable, Comparable {
  case fresh = 0
  /// Not lately heard of: everything runs on, nothing new comes in.
  case stale = 1
  /// The policy is out of date: its last good form runs, held within the baseline's bounds.
  case degraded = 2
  /// Too old for any policy: the baseline controller.
  case baseline = 3

  public var name: String {
    switch self {
    case .fresh: "fresh"
    case .stale: "stale"
    case .degraded: "degraded"
    case .baseline: "baseline"
    }
  }

  public static func < (a: ExpiryState, b: ExpiryState) -> Bool { a.rawValue < b.rawValue }
}

/// Whose authority a site is under.
public enum Enrolment: Equatable, Sendable {
  /// On its own: the operator's pack, with no end.
  case standalone
  /// Part of a fleet since then; the ladder starts here.
  case enrolled(at: Instant)
}

/// What an expiry state leaves on. There is no field for the plant, the local operator or the safety envelope: no state
/// touches them.
public struct ExpiryAllowance: Equatable, Sendable {
  public enum RemoteIntents: UInt8, Sendable, CaseIterable {
    /// Their own `not_after` is judged by the clock.
    case timed = 0
    /// Only those that echo a nonce which the site has just made.
    case freshNonce = 1
    case none = 2

    public var name: String {
      switch self {
      case .timed: "timed"
      case .freshNonce: "fresh_nonce"
      case .none: "none"
      }
    }
  }

  public enum Policy: UInt8, Sendable, CaseIterable {
    case assigned = 0
    /// The last good one, clamped to the baseline's bounds.
    case clamped = 1
    case baseline = 2

    public var name: String {
      switch self {
      case .assigned: "assigned"
      case .clamped: "clamped"
      case .baseline: "baseline"
      }
    }
  }

  /// Whether artefacts and packs of the fleet may be installed.
  public let installs: Bool
  public let learning: Bool
  public let canary: Bool
  public let remoteIntents: RemoteIntents
  public let policy: Policy
}

/// The ladder's answer at one time.
public struct ExpiryStanding: Equatable, Sendable {
  public let state: ExpiryState
  public let allowed: ExpiryAllowance
  /// Why it is not fresh and trusted; one sentence each, empty when it is.
  public let reasons: [String]
  /// When the state gets worse if nothing comes; nil when it cannot.
  public let worsens: Instant?
}

/// When metadata ends, as the ladder reads it. An absent one counts as ended at enrolment, but for the rollout: a fleet
/// may have none.
public struct ExpiryDates: Equatable, Sendable {
  public var root: Instant?
  public var timestamp: Instant?
  public var snapshot: Instant?
  public var rollout: Instant?
  public var policy: Instant?

  public init(
    root: Instant? = nil, timestamp: Instant? = nil, snapshot: Instant? = nil, rollout: Instant? = nil,
    policy: Instant? = nil
  ) {
    (self.root, self.timestamp, self.snapshot) = (root, timestamp, snapshot)
    (self.rollout, self.policy) = (rollout, policy)
  }
}

/// FRESH → STALE → DEGRADED → BASELINE, and back by itself as soon as newer metadata is there.
///
/// A pure function of dates, enrolment and time. It never stops the plant and never relaxes the envelope, which is
/// enforced in every state.
public struct ExpiryLadder: Equatable, Sendable {
  static let day: Int64 = 86_400 * 1_000_000_000

  /// From the end of the policy to DEGRADED.
  public let degradedAfterDays: Int
  /// From the end of the policy to BASELINE.
  public let baselineAfterDays: Int

  public static let standard = ExpiryLadder(degradedAfterDays: 14, baselineAfterDays: 45)!

  /// Nil unless 0 ≤ degraded ≤ baseline ≤ 3650 days.
  public init?(degradedAfterDays: Int, baselineAfterDays: Int) {
    guard 0 <= degradedAfterDays, degradedAfterDays <= baselineAfterDays, baselineAfterDays <= 3_650 else { return nil }
    (self.degradedAfterDays, self.baselineAfterDays) = (degradedAfterDays, baselineAfterDays)
  }

  /// With an untrusted clock `time` is an estimate that uptime moves on, so the ladder goes down all the same, only
  /// later.
  public func standing(_ dates: ExpiryDates, _ enrolment: Enrolment, at time: TrustTime) -> ExpiryStanding {
    guard case .enrolled(let enrolled) = enrolment else {
      let allowed = ExpiryAllowance(
        installs: true, learning: true, canary: true, remoteIntents: .none, policy: .assigned)
      return ExpiryStanding(state: .fresh, allowed: allowed, reasons: [], worsens: nil)
    }
    var listed = [
      ("root", dates.root), ("timestamp", dates.timestamp), ("snapshot", dates.snapshot), ("policy", dates.policy),
    ].map { (title: $0.0, end: $0.1 ?? enrolled, isThere: $0.1 != nil) }
    if let rollout = dates.rollout { listed.append((title: "rollout", end: rollout, isThere: true)) }
    let policyEnd = dates.policy ?? enrolled
    // The policy's own end leaves everything as it is: its installs end with it, its grace begins.
    let steps: [(state: ExpiryState, from: Instant)] = [
      (.stale, listed.map(\.end).min()!),
      (.degraded, policyEnd.advanced(byNanoseconds: Int64(degradedAfterDays) * Self.day)),
      (.baseline, policyEnd.advanced(byNanoseconds: Int64(baselineAfterDays) * Self.day)),
    ]
    let state = steps.last { $0.from <= time.instant }?.state ?? .fresh
    var reasons: [String] = []
    if time.clock != .trusted {
      reasons.append("the clock is \(time.clock.name); ages are counted in uptime")
    }
    for (title, end, isThere) in listed where end <= time.instant {
      let days = time.instant.nanoseconds(since: end) / Self.day
      reasons.append(isThere ? "\(title) expired \(days) d ago" : "no \(title) in the \(days) d since enrolment")
    }
    if state >= .degraded {
      let grace = state == .degraded ? degradedAfterDays : baselineAfterDays
      reasons.append("the policy is beyond its grace of \(grace) d")
    }
    let worse = steps.filter { $0.state > state && $0.from > time.instant }.map(\.from).min()
    return ExpiryStanding(
      state: state, allowed: Self.allowance(state, time.clock), reasons: reasons, worsens: worse)
  }

  private static func allowance(_ state: ExpiryState, _ clock: ClockState) -> ExpiryAllowance {
    let intents: ExpiryAllowance.RemoteIntents =
      state >= .degraded ? .none : clock == .trusted ? .timed : .freshNonce
    let policy: ExpiryAllowance.Policy =
      switch state {
      case .fresh, .stale: .assigned
      case .degraded: .clamped
      case .baseline: .baseline
      }
    return ExpiryAllowance(
      installs: state == .fresh, learning: state < .degraded, canary: state < .degraded, remoteIntents: intents,
      policy: policy)
  }
}
