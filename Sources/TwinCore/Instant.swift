/// A point in UTC, nanoseconds since 1970-01-01T00:00:00Z. For records; may step when the clock is set.
public struct Instant: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64

  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  /// Saturates at the ends of the range (the years 1677 and 2262).
  @inlinable public func advanced(byNanoseconds span: Int64) -> Instant {
    Instant(nanoseconds: nanoseconds.saturatingAdd(span))
  }
  /// Nanoseconds from `earlier` to this instant, negative when the clock was set back; saturating.
  @inlinable public func nanoseconds(since earlier: Instant) -> Int64 {
    nanoseconds.saturatingSubtract(earlier.nanoseconds)
  }

  /// Of UTC since 1970, saturating.
  public init(milliseconds: Int64) {
    let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
    self.init(nanoseconds: overflow ? (milliseconds < 0 ? .min : .max) : nanoseconds)
  }
  /// Rounded towards 1970.
  public var milliseconds: Int64 { nanoseconds / 1_000_000 }

  public static let distantPast = Instant(nanoseconds: .min)
  public static let distantFuture = Instant(nanoseconds: .max)
}

/// A point on the monotonic clock of one boot, nanoseconds. For rates, holds, staleness, deadlines and leases.
public struct Uptime: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64

  @inlinable public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  @inlinable public static func < (a: Uptime, b: Uptime) -> Bool { a.nanoseconds < b.nanoseconds }
  /// Saturates, so that a deadline "never" stays never.
  @inlinable public func advanced(byNanoseconds span: Int64) -> Uptime {
    Uptime(nanoseconds: nanoseconds.saturatingAdd(span))
  }
  @inlinable public func nanoseconds(since earlier: Uptime) -> Int64 {
    nanoseconds.saturatingSubtract(earlier.nanoseconds)
  }

  public static let never = Uptime(nanoseconds: .max)
}

extension Int64 {
  @inlinable public func saturatingAdd(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  @inlinable public func saturatingSubtract(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}

extension Duration {
  /// Whole nanoseconds, saturating at 292 years.
  public var wholeNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (seconds < 0 ? .min : .max) : scaled.saturatingAdd(attoseconds / 1_000_000_000)
  }
}
