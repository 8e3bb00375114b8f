public import TwinCore

/// Makes independent standardised values of a series that has a mean, a scale and a memory of one step:
/// e = (d − φ·d₋₁)/(σ√(1 − φ²)), d the deviation from the mean.
///
/// Learns from its first `reference` values before it says anything, and afterwards slowly, with a memory of `horizon`
/// values: seasons move, and what is found at all is found long before a horizon has passed. The scale is taken a
/// standard error too large, for what is learnt from few values must not alarm more often.
public struct Whitener: Sendable, Equatable {
  public let reference: Int
  public let horizon: Int
  /// Values that taught it, at most the horizon.
  public private(set) var count = 0
  private var mean = 0.0
  private var variance = 0.0
  private var covariance = 0.0
  private var previous = Double.nan

  public init(reference: Int, horizon: Int) {
    precondition(reference >= 8 && horizon >= reference, "a reference of 8 values and a horizon not shorter")
    (self.reference, self.horizon) = (reference, horizon)
  }

  public var isReady: Bool { count >= reference }
  /// How much of a deviation remains after one value.
  public var memory: Double { variance > 0 ? max(-0.99, min(0.99, covariance / variance)) : 0 }

  /// The whitened value; nil while it still learns. `learns` is false where the value is not to teach it.
  public mutating func whiten(_ value: Double, learns: Bool = true) -> Double? {
    precondition(value.isFinite, "only finite values are whitened")
    let old = previous
    previous = value
    let phi = memory
    var result: Double?
    if isReady {
      let deviation = value - mean
      // After a gap there is nothing to subtract, and the value has the whole variance.
      let rest = old.isNaN ? deviation : deviation - phi * (old - mean)
      let share = old.isNaN ? 1 : 1 - phi * phi
      let inflation = 1 + 1 / (2 * Double(count)).squareRoot()
      let scale = inflation * max(variance * share, Double.leastNormalMagnitude).squareRoot()
      result = max(-1e6, min(1e6, rest / scale))
    }
    if learns { learn(value, after: old) }
    return result
  }

  /// A value is missing: the next one follows nothing.
  public mutating func skip() { previous = .nan }

  private mutating func learn(_ value: Double, after old: Double) {
    count = min(count + 1, horizon)
    let rate = 1 / Double(count)
    var deviation = value - mean
    if isReady {
      // An outlier may not teach what is usual.
      let bound = 4 * variance.squareRoot()
      deviation = max(-bound, min(bound, deviation))
    }
    let before = mean
    mean += rate * deviation
    variance += rate * (deviation * (before + deviation - mean) - variance)
    if !old.isNaN {
      let earlier = max(-4 * variance.squareRoot(), min(4 * variance.squareRoot(), old - mean))
      covariance += rate * (earlier * (before + deviation - mean) - covariance)
    }
  }

  /// Canonical form: version, reference, horizon, count, mean, variance, covariance, previous (NaN: none).
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    writer.integer(reference)
    writer.integer(horizon)
    writer.integer(count)
    for value in [mean, variance, covariance, previous] { writer.double(value) }
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(7, version: 1)
    let (reference, horizon, count) = (try reader.int(), try reader.int(), try reader.int())
    guard reference >= 8, horizon >= reference, (0...horizon).contains(count) else {
      throw CanonicalFault("whitener of \(count) values where \(reference) and \(horizon) bound it")
    }
    self.init(reference: reference, horizon: horizon)
    self.count = count
    mean = try reader.double()
    variance = try reader.double()
    covariance = try reader.double()
    previous = try reader.double()
    guard mean.isFinite, variance >= 0, variance.isFinite, covariance.isFinite, !previous.isInfinite else {
      throw CanonicalFault("whitener of mean \(mean), variance \(variance), covariance \(covariance)")
    }
  }

  public static func == (a: Self, b: Self) -> Bool {
    a.reference == b.reference && a.horizon == b.horizon && a.count == b.count && a.mean == b.mean
      && a.variance == b.variance && a.covariance == b.covariance
      && a.previous.bitPattern == b.previous.bitPattern
  }
}
