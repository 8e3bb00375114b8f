public import TwinCore

/// What the owner of a setpoint allows: the whole of twind's authority over one writable point.
///
/// Times are nanoseconds on the monotonic clock; values are in the point's unit.
public struct Envelope: Sendable, Equatable {
  public var id: String
  public var point: PointIndex
  /// Never left, by anyone.
  public var hard: ClosedRange<Double>
  public var rate: RateLimit?
  /// The least time between two changes.
  public var holdNanoseconds: Int64
  /// At most `interlocksMax`; each must be true, on fresh inputs, or nothing is written.
  public var interlocks: [Interlock]
  /// Further inputs that must be fresh; when one is not, `whenStale` applies.
  public var required: [RequiredInput]
  public var whenStale: StaleResponse
  /// Writes a day that the register bears in the long run; a day that begins with none spent may see twice as many.
  public var writesPerDay: Int?
  /// What happens to a policy's wish outside the range or the rate. A person's wish is always refused.
  public var violation: ViolationResponse
  public var fallback: Fallback
  /// How long a permit lives without renewal.
  public var leaseNanoseconds: Int64
  public var deadMan: DeadMan
  public var representation: Representation

  public static let interlocksMax = 8

  public init(
    id: String, point: PointIndex, hard: ClosedRange<Double>, rate: RateLimit? = nil, holdNanoseconds: Int64 = 0,
    interlocks: [Interlock] = [], required: [RequiredInput] = [], whenStale: StaleResponse = .revert,
    writesPerDay: Int? = nil, violation: ViolationResponse = .clamp, fallback: Fallback, leaseNanoseconds: Int64,
    deadMan: DeadMan, representation: Representation
  ) {
    precondition(interlocks.count <= Self.interlocksMax, "an envelope has at most \(Self.interlocksMax) interlocks")
    precondition(hard.lowerBound.isFinite && hard.upperBound.isFinite, "hard limits are finite")
    precondition(hard.contains(fallback.value), "the fallback lies within the hard limits")
    (self.id, self.point, self.hard, self.rate) = (id, point, hard, rate)
    (self.holdNanoseconds, self.interlocks, self.required) = (holdNanoseconds, interlocks, required)
    (self.whenStale, self.writesPerDay, self.violation) = (whenStale, writesPerDay, violation)
    (self.fallback, self.leaseNanoseconds, self.deadMan) = (fallback, leaseNanoseconds, deadMan)
    self.representation = representation
  }
}

/// How fast a setpoint may move. A change may use what `perSecond` has earned since the last change, at most over
/// `window`: "0.5 K/min" is 0.5/60 a second over a window of a minute, so one step of 0.5 K at most, and none larger
/// after a long rest.
public struct RateLimit: Sendable, Equatable {
  public var risingPerSecond: Double
  public var fallingPerSecond: Double
  public var windowNanoseconds: Int64

  public init(risingPerSecond: Double, fallingPerSecond: Double, windowNanoseconds: Int64) {
    precondition(risingPerSecond >= 0 && fallingPerSecond >= 0 && windowNanoseconds > 0, "a rate limit is positive")
    (self.risingPerSecond, self.fallingPerSecond) = (risingPerSecond, fallingPerSecond)
    self.windowNanoseconds = windowNanoseconds
  }
}

/// A condition over points without which nothing is written.
public struct Interlock: Sendable, Equatable {
  public var text: String
  public var condition: Formula
  /// Inputs older than this make the condition unknown, and unknown is false.
  public var staleNanoseconds: Int64
  /// Once false it stays false until a person resets it.
  public var latching: Bool
  /// Whether an open lease is given back at once when it is false, or merely not renewed.
  public var reverts: Bool

  public init(text: String, condition: Formula, staleNanoseconds: Int64, latching: Bool = false, reverts: Bool = true) {
    (self.text, self.condition, self.staleNanoseconds) = (text, condition, staleNanoseconds)
    (self.latching, self.reverts) = (latching, reverts)
  }
}

public struct RequiredInput: Sendable, Equatable {
  public var point: PointIndex
  public var staleNanoseconds: Int64

  public init(point: PointIndex, staleNanoseconds: Int64) {
    (self.point, self.staleNanoseconds) = (point, staleNanoseconds)
  }
}

public enum StaleResponse: UInt8, Sendable { case revert, refuse }

public enum ViolationResponse: UInt8, Sendable {
  /// The nearest allowed value is written instead.
  case clamp
  /// Nothing is written; the lease runs on.
  case refuse
  /// The fallback is written.
  case revert
  /// The fallback is written, and the point stays in local control until a person resets it.
  case local
}

/// Where a point goes when nobody may hold it: a value, or a small rule of its own with the value behind it.
public struct Fallback: Sendable, Equatable {
  public var value: Double
  /// Evaluated on fresh inputs and kept within the hard limits; `value` whenever it is unknown.
  public var follow: Formula?

  public init(value: Double, follow: Formula? = nil) { (self.value, self.follow) = (value, follow) }
}

/// What protects the plant from twind's own death.
public enum DeadMan: UInt8, Sendable {
  /// The device falls back by itself; armed before the first write.
  case deviceWatchdog
  /// The owner signed `unattended: accepted`.
  case unattendedAccepted
  /// Nothing: the point is never in `auto`.
  case none
}

/// Which numbers the register can hold: what is permitted is what will be there.
public enum Representation: Sendable, Equatable {
  /// n × scale + offset for whole n.
  case steps(scale: Double, offset: Double)
  case float32
  case float64

  /// The representable number nearest to `value` within `low...high`; nil when there is none, or `value` is NaN.
  public func nearest(to value: Double, low: Double, high: Double) -> Double? {
    guard low <= high, !value.isNaN else { return nil }
    let wish = value < low ? low : value > high ? high : value
    switch self {
    case .float64: return wish
    case .float32:
      let single = Float(wish)
      return Self.within(low, high, Double(single)) ?? Self.within(low, high, Double(single.nextDown))
        ?? Self.within(low, high, Double(single.nextUp))
    case .steps(let scale, let offset):
      guard scale > 0 else { return nil }
      let count = ((wish - offset) / scale).nearestInteger
      return Self.within(low, high, count * scale + offset) ?? Self.within(low, high, (count - 1) * scale + offset)
        ?? Self.within(low, high, (count + 1) * scale + offset)
    }
  }

  @inline(__always)
  private static func within(_ low: Double, _ high: Double, _ number: Double) -> Double? {
    number >= low && number <= high && number.isFinite ? number : nil
  }
}
