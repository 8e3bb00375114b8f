public import TwinCore

/// How one point is estimated.
public struct EstimatorSettings: Sendable, Equatable {
  /// Of one reading, in the unit's square; 0 takes readings as they are.
  public var measurementVariance: Double
  /// What the true value wanders in a second, in the unit's square.
  public var processVariancePerSecond: Double
  /// Whether the point is a number that can lie between two readings (a temperature) or a state that cannot (a switch).
  public var isContinuous: Bool
  /// After so long without a reading confidence has halved.
  public var halfLifeNanoseconds: Int64

  public init(
    measurementVariance: Double, processVariancePerSecond: Double, isContinuous: Bool, halfLifeNanoseconds: Int64
  ) {
    precondition(measurementVariance >= 0 && processVariancePerSecond >= 0, "variances are not negative")
    precondition(halfLifeNanoseconds > 0, "a half-life is positive")
    (self.measurementVariance, self.processVariancePerSecond) = (measurementVariance, processVariancePerSecond)
    (self.isContinuous, self.halfLifeNanoseconds) = (isContinuous, halfLifeNanoseconds)
  }
}

/// The present value of one point: a local-level Kalman filter (a random walk seen through noise; Durbin and Koopman,
/// "Time Series Analysis by State Space Methods", ch. 2).
///
/// While readings stay away the variance grows and confidence falls; the mean never becomes a measurement by waiting.
public struct LevelFilter: Sendable, Equatable {
  public private(set) var mean = 0.0
  public private(set) var variance = Double.infinity
  public private(set) var updatedAt = Uptime(nanoseconds: .min)
  public private(set) var sequence: Int64 = 0
  public private(set) var tick: Int64 = 0
  /// 1 after a good reading, one half after a doubtful one.
  public private(set) var trust = 0.0

  public init() {}

  /// Takes in one reading; `suspect` ones count for their value with a hundred times the variance.
  public mutating func update(
    _ value: Double, quality: Quality, at now: Uptime, sequence: Int64, tick: Int64, settings: EstimatorSettings
  ) {
    guard quality.hasValue, value.isFinite else { return }
    let noise = settings.measurementVariance * (quality == .good ? 1 : 100)
    let prior = predictedVariance(at: now, settings)
    let gain = prior / (prior + noise)
    let step = gain * (value - mean)
    // A step that overflows means that the past says nothing about a value so far away.
    if !settings.isContinuous || noise == 0 || !prior.isFinite || !step.isFinite {
      (mean, variance) = (value, noise)
    } else {
      mean += step
      variance = (1 - gain) * prior
    }
    (updatedAt, self.sequence, self.tick) = (now, sequence, tick)
    trust = quality == .good ? 1 : 0.5
  }

  /// What is known at `now`; `freshUntil` is when confidence begins to fall.
  public func estimate(at now: Uptime, freshUntil: Uptime, _ settings: EstimatorSettings) -> Measurement {
    guard trust > 0 else { return .unknown }
    let overdue = now.nanoseconds(since: freshUntil)
    var confidence = trust
    if overdue > 0 {
      confidence *= Elementary.exp(-0.6931471805599453 * Double(overdue) / Double(settings.halfLifeNanoseconds))
    }
    return Measurement(
      mean: mean, variance: predictedVariance(at: now, settings), confidence: confidence, provenance: sequence,
      stamp: tick)
  }

  /// The monotonic clock began anew.
  public mutating func rebase(to now: Uptime) { if trust > 0 { updatedAt = now } }

  private func predictedVariance(at now: Uptime, _ settings: EstimatorSettings) -> Double {
    variance + settings.processVariancePerSecond * Double(max(0, now.nanoseconds(since: updatedAt))) / 1e9
  }

  /// Canonical form: seven items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(7)
    writer.integer(1)
    writer.double(mean)
    writer.double(variance)
    writer.uptime(updatedAt)
    writer.integer(sequence)
    writer.integer(tick)
    writer.double(trust)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(6, version: 1)
    mean = try reader.double()
    variance = try reader.double()
    updatedAt = try reader.uptime()
    sequence = try reader.integer()
    tick = try reader.integer()
    trust = try reader.double()
    guard mean.isFinite, variance >= 0, trust >= 0, trust <= 1 else {
      throw CanonicalFault("filter state of mean \(mean), variance \(variance), trust \(trust)")
    }
  }
}
