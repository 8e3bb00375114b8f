public import TwinCore

/// How wide an interval must be so that `level` of the errors fall within it, learnt from the errors as they come.
///
/// Works on scores |error|/σ with the forecast's own σ, so that the interval follows the conditions. The radius moves
/// by a part of the recent range of the scores: up at a miss, down a little otherwise. An integrator holds it in a
/// corridor, least·S ≤ radius ≤ largest + least·S with S the misses so far less those expected, which gives for any
/// sequence whatever of T scores in [0, B]
///
///     |covered/T − level| ≤ (B + ahead·least)/(least·T)
///
/// and no interval is ever infinite. Score each forecast with the σ, and the radius, that it was issued with. Source:
/// Angelopoulos, Candès and Tibshirani, "Conformal PID control for time series prediction" (2023); Gibbs and Candès
/// (2021).
public struct QuantileTracker: Sendable, Equatable {
  /// The learnt radius moves by this part of the recent range, one step ahead.
  static let stepShare = 0.05
  /// This part of the range is forgotten at a score, one step ahead.
  static let rangeFading = 0.01
  /// The range grows at most so much at one score: one wild error is not a new scale.
  static let rangeGrowth = 4.0
  public static let aheadMax = 100_000
  /// Of a score; what lies beyond is a miss all the same.
  public static let scoreMax = 1e9

  public let level: Double
  /// How many scores a forecast is made before its own.
  public let ahead: Int
  /// The slope of the corridor, in σ: small against the radius, for otherwise the corridor alone decides.
  public let least: Double
  public private(set) var count: Int64 = 0
  /// Scores that fell within their radius.
  public private(set) var covered: Int64 = 0
  private var quantile: Double
  private var range: Double
  private let share: Double
  private let kept: Double
  private var largest = 0.0

  /// Begins with the radius that normal errors of the forecast's σ would need.
  ///
  /// Forecasts made several scores `ahead` overlap: misses come in runs, and news of them comes late. Steps are then
  /// larger, by the fourth root, and the range is remembered longer, by the root.
  public init(level: Double, ahead: Int = 1, least: Double = 0.01) {
    precondition(level > 0 && level < 1, "a level of \(level)")
    precondition((1...Self.aheadMax).contains(ahead), "\(ahead) scores ahead")
    precondition(least > 0 && least.isFinite, "a least step of \(least)")
    (self.level, self.ahead, self.least) = (level, ahead, least)
    let root = Double(ahead).squareRoot()
    (share, kept) = (Self.stepShare * root.squareRoot(), 1 - Self.rangeFading / root)
    quantile = Elementary.inverseNormal((1 + level) / 2)
    range = 2 * quantile
  }

  /// The part of the scores that was covered; the level before any.
  public var coverage: Double { count == 0 ? level : Double(covered) / Double(count) }

  /// In σ; below zero where so much has been covered that the next score must miss.
  public var scoreRadius: Double {
    let integral = Double(count - covered) - (1 - level) * Double(count)
    return max(least * integral, min(quantile, count == 0 ? .infinity : largest + least * integral))
  }

  /// Half the width of the interval around a forecast with this standard deviation.
  public func radius(sigma: Double) -> Double { max(0, scoreRadius) * sigma }

  /// Takes in how a forecast turned out; false, and nothing is changed, if that says nothing: no number, or no σ.
  ///
  /// `issued` is the `scoreRadius` of when the forecast was made; without it, the present one.
  @discardableResult
  public mutating func score(error: Double, sigma: Double, issued: Double? = nil) -> Bool {
    guard error.isFinite, sigma > 0, sigma.isFinite, issued?.isFinite ?? true else { return false }
    let score = min(error.magnitude / sigma, Self.scoreMax)
    let radius = scoreRadius
    let isMiss = score > issued ?? radius
    // The range of before: a step that knew of this score would be larger at misses, and cover too much.
    quantile =
      max(radius - range, min(radius + range, quantile)) + share * range * (isMiss ? level : level - 1)
    range = max(kept * range, min(score, Self.rangeGrowth * range), .leastNormalMagnitude)
    largest = max(largest, score)
    count += 1
    covered += isMiss ? 0 : 1
    return true
  }

  /// Canonical form: nine items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(9)
    writer.integer(1)
    writer.double(level)
    writer.integer(ahead)
    writer.double(least)
    writer.integer(count)
    writer.integer(covered)
    writer.double(quantile)
    writer.double(range)
    writer.double(largest)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(8, version: 1)
    let (level, ahead, least) = (try reader.double(), try reader.int(), try reader.double())
    guard level > 0, level < 1, (1...Self.aheadMax).contains(ahead), least > 0, least.isFinite else {
      throw CanonicalFault("tracker of level \(level), \(ahead) ahead, least step \(least)")
    }
    self.init(level: level, ahead: ahead, least: least)
    (count, covered) = (try reader.integer(), try reader.integer())
    (quantile, range, largest) = (try reader.double(), try reader.double(), try reader.double())
    guard count >= 0, (0...count).contains(covered), quantile.isFinite, range > 0, range.isFinite, largest >= 0,
      largest.isFinite
    else { throw CanonicalFault("tracker of \(covered) in \(count), quantile \(quantile), range \(range)") }
  }
}
