public import TwinCore

/// Keeps a dead unit from spending the time of its neighbours: after a few failures it is left alone for growing spans,
/// then tried with one cheap request.
///
/// Pure: time and chance are handed in. However long requests take to fail, failing takes at most `busShare` of the
/// time.
public struct UnitBreaker: Sendable, Equatable {
  public enum State: Sendable, Equatable {
    case closed
    case open(until: Uptime)
    /// The probe is out.
    case halfOpen
  }

  /// What may be sent to the unit.
  public enum Permission: Sendable, Equatable {
    case anything
    /// One cheap request, to be reported with `answered` or `failed` before the next.
    case probe
    case nothing(until: Uptime)
  }

  public static let failuresMax = 3
  static let waitMinNanoseconds: Int64 = 2_000_000_000
  static let waitMaxNanoseconds: Int64 = 300_000_000_000

  public private(set) var state = State.closed
  public private(set) var failures = 0
  /// Waits since the last answer.
  public private(set) var opened = 0
  /// Time lost to failing since the last wait.
  private var spent: Int64 = 0
  private let busShare: Double

  /// `busShare` is the part of the bus's time that a dead unit may take: 0.1 beside others, up to 1 alone.
  public init(busShare: Double = 0.1) {
    precondition(busShare > 0 && busShare <= 1, "bus share \(busShare)")
    self.busShare = busShare
  }

  public func permission(at now: Uptime) -> Permission {
    switch state {
    case .closed: .anything
    case .halfOpen: .nothing(until: now)
    case .open(let until): now < until ? .nothing(until: until) : .probe
    }
  }

  /// Takes the probe that `permission` offered.
  public mutating func beginProbe() { state = .halfOpen }

  /// Any answer, exceptions of the unit itself included.
  public mutating func answered() { self = UnitBreaker(busShare: busShare) }

  /// A request that `took` so long brought nothing.
  public mutating func failed(at now: Uptime, took: Int64, using random: inout some RandomNumberGenerator) {
    failures += 1
    spent = spent.saturatingAdd(max(took, 0))
    if case .closed = state, failures < Self.failuresMax { return }
    let doubled = Self.waitMinNanoseconds << Int64(min(opened, 20))
    let fair = Double(spent) * (1 / busShare - 1)
    let wait = max(min(doubled, Self.waitMaxNanoseconds), Int64(min(fair, 9e17)))
    let jitter = Int64(Double(wait) * 0.2 * Double(random.next() >> 11) * 0x1p-53)
    opened += 1
    spent = 0
    state = .open(until: now.advanced(byNanoseconds: wait.saturatingAdd(jitter)))
  }
}

/// How long to wait before a connection is tried again: at once the first time, then 0.2 s doubling to 30 s, with
/// jitter.
///
/// Only an answer resets it, for some gateways accept a connection and close it at the first request.
struct ReconnectBackoff: Sendable, Equatable {
  static let waitMinNanoseconds: Int64 = 200_000_000
  static let waitMaxNanoseconds: Int64 = 30_000_000_000

  private(set) var attempts = 0
  private(set) var retryAt = Uptime(nanoseconds: .min)

  mutating func answered() { if attempts > 0 { self = ReconnectBackoff() } }

  /// A connection broke or could not be made.
  mutating func failed(at now: Uptime, using random: inout some RandomNumberGenerator) {
    defer { attempts += 1 }
    guard attempts > 0 else { return }
    let wait = min(Self.waitMinNanoseconds << Int64(min(attempts - 1, 20)), Self.waitMaxNanoseconds)
    let jitter = Int64(Double(wait) * 0.25 * Double(random.next() >> 11) * 0x1p-53)
    retryAt = now.advanced(byNanoseconds: wait + jitter)
  }
}

/// Chance from a seed, for jitter: SplitMix64 (Steele, Lea, Flood 2014).
struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
