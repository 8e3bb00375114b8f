public import TwinCore

/// A point as the proposal of models sees it: what a point list says of it, and nothing of any vendor or plant.
public struct SitePointDescription: Sendable, Equatable {
  /// `device.point`.
  public var id: String
  /// UCUM.
  public var unit: String
  /// The class of the Brick schema that the list gives it.
  public var brick: String?
  /// The asset that it observes or controls.
  public var asset: String
  public var isWritable: Bool
  public var point: PointIndex
  /// What it can be, in its unit; of a point with an envelope the envelope's hard range.
  public var range: ClosedRange<Double>?
  /// Of one reading, in the unit's square; 0 where nothing is known.
  public var variance: Double
  /// Of states, by value.
  public var symbols: [Int: String]
  /// The written point whose applied value it shows, by id.
  public var echoes: String?

  public init(
    id: String, unit: String, brick: String? = nil, asset: String, isWritable: Bool = false, point: PointIndex,
    range: ClosedRange<Double>? = nil, variance: Double = 0, symbols: [Int: String] = [:], echoes: String? = nil
  ) {
    (self.id, self.unit, self.brick, self.asset) = (id, unit, brick, asset)
    (self.isWritable, self.point, self.range) = (isWritable, point, range)
    (self.variance, self.symbols, self.echoes) = (variance, symbols, echoes)
  }

  /// Without the device.
  var name: String { id.split(separator: ".", maxSplits: 1).last.map(String.init) ?? id }
}

/// An asset as the proposal of models sees it.
public struct SiteAssetDescription: Sendable, Equatable {
  public var id: String
  public var brick: String?
  /// The assets that it gives air, water or energy to.
  public var feeds: [String]

  public init(id: String, brick: String? = nil, feeds: [String] = []) {
    (self.id, self.brick, self.feeds) = (id, brick, feeds)
  }
}

/// What the plant's time is to its models.
public struct ModelStep: Sendable, Equatable {
  public var nanoseconds: Int64
  /// The plant owns the time: its readings are of the whole step, and an energy is that of the step.
  public var isPlants: Bool

  public init(nanoseconds: Int64, isPlants: Bool) {
    precondition(nanoseconds > 0, "a step takes time")
    (self.nanoseconds, self.isPlants) = (nanoseconds, isPlants)
  }

  /// Five minutes: what buildings and their plants need (a tenth of the fastest air node's time constant or so).
  public static let usual = ModelStep(nanoseconds: 300_000_000_000, isPlants: false)

  var seconds: Double { Double(nanoseconds) / 1e9 }

  /// One step, an hour and six hours, in steps, ascending, each once.
  public var horizons: [Int] {
    let spans: [Int64] = [nanoseconds, 3_600_000_000_000, 21_600_000_000_000]
    return Set(spans.map { Int(max(1, $0 / nanoseconds)) }).sorted()
  }
}
