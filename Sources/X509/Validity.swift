public import TwinCore

/// When a certificate or a list counts, in whole seconds. Both ends are inside, but libcrypto already refuses the last.
public struct Validity: Hashable, Sendable {
  public let notBefore: Instant
  public let notAfter: Instant

  public init(notBefore: Instant, notAfter: Instant) {
    (self.notBefore, self.notAfter) = (notBefore, notAfter)
  }

  public func contains(_ instant: Instant) -> Bool { notBefore <= instant && instant <= notAfter }
}

extension Instant {
  private static let nanosecondsPerSecond: Int64 = 1_000_000_000

  /// Rounded towards the past.
  var wholeSeconds: Int64 {
    let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: Self.nanosecondsPerSecond)
    return remainder < 0 ? quotient - 1 : quotient
  }

  /// Saturates: a certificate "for ever" ends in 9999, an `Instant` in 2262.
  init(wholeSeconds: Int64) {
    let (nanoseconds, overflow) = wholeSeconds.multipliedReportingOverflow(by: Self.nanosecondsPerSecond)
    self.init(nanoseconds: overflow ? (wholeSeconds < 0 ? .min : .max) : nanoseconds)
  }
}
