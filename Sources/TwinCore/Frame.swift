/// What is known of one cell of a frame beyond its value and quality, in the store's codes.
public struct CellMeasure: Sendable, Equatable {
  /// log2 of the variance in eighths of an octave; 0: the layout's variance.
  public var variance: UInt8
  /// In 255ths; 255: full.
  public var confidence: UInt8
  /// A number in the site's table of sources; 0: the layout's.
  public var provenance: UInt16
  /// Rule set << 8 | passed rules; 0: none.
  public var stamp: UInt16

  public init(variance: UInt8 = 0, confidence: UInt8 = 255, provenance: UInt16 = 0, stamp: UInt16 = 0) {
    (self.variance, self.confidence) = (variance, confidence)
    (self.provenance, self.stamp) = (provenance, stamp)
  }
}

/// What one poll of one group brought: the readings of points that share a time, in the form in which they are stored.
///
/// `values[i]` belongs to the i-th point of the group's layout and means nothing unless `qualities[i].hasValue`.
public struct Frame: Sendable, Equatable {
  public var group: Int32
  /// Given by the store, strictly increasing over all frames of a site; 0 until then.
  public var sequence: Int64
  /// When it was so.
  public var effective: Instant
  /// When we learned it: the tick that first carried the frame.
  public var observed: Instant
  /// The reply's arrival on the monotonic clock; staleness counts from here.
  public var uptime: Uptime
  public var values: [Double]
  public var qualities: [Quality]
  /// One for each value; empty where all is as the layout says.
  public var measures: [CellMeasure]

  public init(
    group: Int32, sequence: Int64 = 0, effective: Instant, observed: Instant, uptime: Uptime, values: [Double],
    qualities: [Quality], measures: [CellMeasure] = []
  ) {
    precondition(values.count == qualities.count, "a frame has one quality for each value")
    precondition(measures.isEmpty || measures.count == values.count, "a frame has a measure for each value, or none")
    (self.group, self.sequence, self.effective, self.observed) = (group, sequence, effective, observed)
    (self.uptime, self.values, self.qualities, self.measures) = (uptime, values, qualities, measures)
  }
}

/// The points of a poll group, in the order of its frames' columns. Versioned in the store: a changed list is a new
/// layout.
public struct FrameLayout: Sendable, Equatable {
  public var group: Int32
  public var points: [String]
  /// Per column: the decimal step of the register, 0 where the value is a true floating-point number.
  public var scales: [Double]
  /// Per column: the UCUM code.
  public var units: [String]
  /// Per column: the variance that the device's accuracy implies, in the unit's square; 0 where the pack is silent.
  public var variances: [Double]
  /// Where the readings come from: device, registers and the request that fetches them.
  public var provenance: [String]

  public init(
    group: Int32, points: [String], scales: [Double], units: [String], variances: [Double], provenance: [String]
  ) {
    precondition(
      points.count == scales.count && points.count == units.count && points.count == variances.count
        && points.count == provenance.count, "a layout has one entry for each column")
    (self.group, self.points, self.scales, self.units) = (group, points, scales, units)
    (self.variances, self.provenance) = (variances, provenance)
  }
}

/// A value with what is known about it: the form of every estimate.
public struct Measurement: Sendable, Equatable {
  /// In the point's unit; meaningless while `confidence` is 0.
  public var mean: Double
  /// In the unit's square.
  public var variance: Double
  /// 0 (unknown) to 1.
  public var confidence: Double
  /// The frame sequence that last moved the estimate.
  public var provenance: Int64
  /// The tick of that frame.
  public var stamp: Int64

  public init(mean: Double, variance: Double, confidence: Double, provenance: Int64, stamp: Int64) {
    (self.mean, self.variance, self.confidence) = (mean, variance, confidence)
    (self.provenance, self.stamp) = (provenance, stamp)
  }

  public static let unknown = Measurement(mean: 0, variance: .infinity, confidence: 0, provenance: 0, stamp: 0)
}

/// The frozen picture of the plant that one cycle sees. Guard, policies and alarms read this and nothing else.
public struct PointImage: Sendable {
  public struct State: Sendable, Equatable {
    public var value: Double
    public var quality: Quality
    public var effective: Instant
    /// When it arrived, monotonic.
    public var uptime: Uptime
    /// The last moment at which it still counts as fresh.
    public var freshUntil: Uptime

    public init(value: Double, quality: Quality, effective: Instant, uptime: Uptime, freshUntil: Uptime) {
      (self.value, self.quality, self.effective) = (value, quality, effective)
      (self.uptime, self.freshUntil) = (uptime, freshUntil)
    }

    public static let never = State(
      value: 0, quality: .never, effective: .distantPast, uptime: Uptime(nanoseconds: .min),
      freshUntil: Uptime(nanoseconds: .min))
  }

  public var states: [State]
  public var now: Uptime

  public init(count: Int, now: Uptime) {
    states = Array(repeating: .never, count: count)
    self.now = now
  }

  @inlinable public subscript(_ point: PointIndex) -> State { states[point.position] }

  /// The value on which a decision may rest: good, fresh and finite.
  @inlinable public func usable(_ point: PointIndex) -> Double? {
    let state = states[point.position]
    guard state.quality.isUsable, now <= state.freshUntil, state.value.isFinite else { return nil }
    return state.value
  }

  /// As `usable`, and not older than `limit`.
  @inlinable public func usable(_ point: PointIndex, noOlderThanNanoseconds limit: Int64) -> Double? {
    guard let value = usable(point), now.nanoseconds(since: states[point.position].uptime) <= limit else { return nil }
    return value
  }
}
