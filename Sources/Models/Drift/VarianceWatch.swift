public import TwinCore

/// A change of the variance of standardised values, upwards or downwards: the normalised innovation squared of a filter
/// whose noise no longer fits.
///
/// A mixture of Shiryaev-Roberts statistics as in `MeanWatch`, of the likelihood ratios of variances 4, 2, 1/2 and 1/4
/// against 1. Unlike a windowed χ² it has no window to choose, and its alarms do not come in clusters of overlapping
/// windows: the run length is the one that was asked for.
public struct VarianceWatch: Sendable, Equatable {
  /// Variance ratios 4, 2, 1/2, 1/4.
  static let ratios = SIMD4<Double>(4, 2, 0.5, 0.25)
  static let weights = SIMD4<Double>(0.25, 0.4, 0.25, 0.1)
  /// ζ = 1/I · exp(−Σ (P₀(S>0) + P₁(S≤0))/n), S the log likelihood ratio of n values, by the χ² distribution.
  static let overshoots = SIMD4<Double>(
    0.3024686655842383, 0.5509069600377404, 0.8752255841718827, 0.7670905496927082)
  /// ratio^−½.
  private static let norms = SIMD4<Double>(0.5, 0.7071067811865476, 1.4142135623730951, 2)
  /// In standard deviations, as in `MeanWatch`.
  public static let limit = 6.0

  /// Mean number of values between alarms while nothing has changed.
  public let runLength: Double
  public private(set) var threshold: Double
  private var statistics = SIMD4<Double>()

  public init(runLength: Double) {
    precondition(runLength >= 10 && runLength <= 1e12, "a run length from 10 to 1e12 values")
    self.runLength = runLength
    threshold = runLength * (Self.weights * Self.overshoots).sum()
  }

  public var level: Double { min(1, (Self.weights * statistics).sum() / threshold) }

  /// Whether the evidence is for more variance rather than for less.
  public var isRise: Bool {
    let parts = Self.weights * statistics
    return parts[0] + parts[1] >= parts[2] + parts[3]
  }

  /// Takes one standardised value; after an alarm the count begins anew.
  public mutating func update(_ value: Double) -> WatchOutcome {
    guard value.isFinite else { return .refused }
    let x = min(Self.limit, value.magnitude)
    // The exponents ½x²(1 − 1/ratio) are 3, 2, −4 and −12 eighths of x².
    let e = Elementary.exp(0.125 * x * x)
    let inverse = 1 / e
    let inverse4 = (inverse * inverse) * (inverse * inverse)
    statistics = (statistics + 1) * Self.norms * SIMD4(e * e * e, e * e, inverse4, inverse4 * inverse4 * inverse4)
    guard (Self.weights * statistics).sum() >= threshold else { return .quiet }
    reset()
    return .alarm
  }

  /// Asks for so many times the evidence from now on: what looked like a change was none. Bounded.
  public mutating func harden(_ factor: Double = 1000) { threshold = min(1e200, threshold * factor) }

  public mutating func reset() { statistics = SIMD4() }

  /// Canonical form: version, run length, threshold, four statistics.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.double(runLength)
    writer.double(threshold)
    for lane in 0..<4 { writer.double(statistics[lane]) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(6, version: 1)
    self.init(runLength: try readRunLength(&reader))
    let hardened = try reader.double()
    guard hardened >= threshold, hardened <= 1e200 else { throw CanonicalFault("threshold \(hardened)") }
    threshold = hardened
    for lane in 0..<4 { statistics[lane] = try readStatistic(&reader) }
  }
}
