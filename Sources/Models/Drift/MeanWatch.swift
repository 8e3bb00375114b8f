public import TwinCore

/// A shift of the mean of standardised values, of either sign and of a size that nobody knows beforehand.
///
/// A mixture of Shiryaev-Roberts statistics, R ← (1 + R)·e^(±θx − θ²/2) for θ of 0.5, 1 and 2 (Shiryaev 1963; Roberts
/// 1966; mixtures: Pollak 1978). Under no change Σ wR − n is a martingale, so the threshold A for a mean run length
/// needs no table: A = runLength · Σ wζ(θ), where ζ is the mean of e^−overshoot (Pollak 1987), good to 2 % from a run
/// length of 100 upwards. One exponential and no memory an update. Values are taken as at most `limit` in size.
public struct MeanWatch: Sendable, Equatable {
  /// Sizes of the shift, in standard deviations; each is twice the last, so that one exponential serves all.
  static let sizes = SIMD4<Double>(0.5, 1, 2, 0)
  /// Most for the smallest: what it loses by sharing costs samples in proportion to 1/θ².
  static let weights = SIMD4<Double>(0.6, 0.3, 0.1, 0)
  /// ζ(θ) = 2/θ² · exp(−2 Σ Φ(−θ√n/2)/n) (Siegmund 1985, 8.4).
  static let overshoots = SIMD4<Double>(0.7476150103326696, 0.5603702284200531, 0.32043464193311944, 0)
  /// e^(−θ²/2).
  private static let norms = SIMD4<Double>(0.8824969025845955, 0.6065306597126334, 0.1353352832366127, 0)
  /// In standard deviations: what lies beyond says no more than this.
  public static let limit = 6.0

  /// Mean number of values between alarms while nothing has changed.
  public let runLength: Double
  /// What the mixture is held against.
  public private(set) var threshold: Double
  private var up = SIMD4<Double>()
  private var down = SIMD4<Double>()

  public init(runLength: Double) {
    precondition(runLength >= 10 && runLength <= 1e12, "a run length from 10 to 1e12 values")
    self.runLength = runLength
    threshold = runLength * (Self.weights * Self.overshoots).sum()
  }

  /// How far the evidence is on its way to an alarm, 0 to 1.
  public var level: Double { min(1, statistic / threshold) }

  /// 1 where the evidence is for a rise, −1 for a fall.
  public var direction: Double { (Self.weights * up).sum() >= (Self.weights * down).sum() ? 1 : -1 }

  private var statistic: Double { 0.5 * (Self.weights * (up + down)).sum() }

  /// Takes one standardised value; after an alarm the count begins anew.
  public mutating func update(_ value: Double) -> WatchOutcome {
    guard value.isFinite else { return .refused }
    let x = max(-Self.limit, min(Self.limit, value))
    let e = Elementary.exp(0.5 * x)
    let inverse = 1 / e
    let (e2, inverse2) = (e * e, inverse * inverse)
    up = (up + 1) * Self.norms * SIMD4(e, e2, e2 * e2, 0)
    down = (down + 1) * Self.norms * SIMD4(inverse, inverse2, inverse2 * inverse2, 0)
    guard statistic >= threshold else { return .quiet }
    reset()
    return .alarm
  }

  /// Asks for so many times the evidence from now on: what looked like a change was none. Bounded.
  public mutating func harden(_ factor: Double = 1000) { threshold = min(1e200, threshold * factor) }

  /// As if nothing had been seen.
  public mutating func reset() { (up, down) = (SIMD4(), SIMD4()) }

  /// Canonical form: version, run length, threshold, three statistics upwards, three downwards.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(9)
    writer.integer(1)
    writer.double(runLength)
    writer.double(threshold)
    for lane in 0..<3 { writer.double(up[lane]) }
    for lane in 0..<3 { writer.double(down[lane]) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(8, version: 1)
    self.init(runLength: try readRunLength(&reader))
    let hardened = try reader.double()
    guard hardened >= threshold, hardened <= 1e200 else { throw CanonicalFault("threshold \(hardened)") }
    threshold = hardened
    for lane in 0..<3 { up[lane] = try readStatistic(&reader) }
    for lane in 0..<3 { down[lane] = try readStatistic(&reader) }
  }
}

func readRunLength(_ reader: inout CanonicalReader) throws(CanonicalFault) -> Double {
  let length = try reader.double()
  guard length >= 10, length <= 1e12 else { throw CanonicalFault("run length \(length) where 10 to 1e12 may be") }
  return length
}

func readStatistic(_ reader: inout CanonicalReader) throws(CanonicalFault) -> Double {
  let value = try reader.double()
  guard value >= 0, value.isFinite else { throw CanonicalFault("statistic \(value) where 0 or more should be") }
  return value
}
