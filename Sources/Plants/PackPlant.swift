public import TwinCore

/// The plant behind any pack: physics for the points that the chilled-water plant has, seeded signals for the others.
public struct PackPlant: SimulatedPlant {
  /// In the order asked for. Those with physics carry its unit, range and access, whatever was declared.
  public let signals: [PlantSignal]
  /// Nil when the pack names none of its points.
  public var physics: ChilledWaterPlant?
  private var rest: SignalPlant
  private let known: Set<String>

  public init(
    seed: UInt64, signals: [PlantSignal], start: Instant = Instant(nanoseconds: 0), offsetSeconds: Int = 0,
    acceleration: Double = 1
  ) {
    let offered = ChilledWaterPlant.table.reduce(into: [String: PlantSignal]()) { $0[$1.name] = $1 }
    rest = SignalPlant(seed: seed, signals: signals.filter { offered[$0.name] == nil }, acceleration: acceleration)
    known = Set(signals.map(\.name).filter { offered[$0] != nil })
    physics =
      known.isEmpty
      ? nil
      : ChilledWaterPlant(seed: seed, start: start, offsetSeconds: offsetSeconds, acceleration: acceleration)
    var seen: Set<String> = []
    self.signals = signals.filter { seen.insert($0.name).inserted }.map { offered[$0.name] ?? $0 }
  }

  public var outputs: [String: Double] {
    var shown = rest.outputs
    if let physics { for (name, value) in physics.outputs where known.contains(name) { shown[name] = value } }
    return shown
  }

  public mutating func set(_ name: String, _ value: Double) -> Bool {
    known.contains(name) ? physics?.set(name, value) ?? false : rest.set(name, value)
  }

  public mutating func step(seconds: Double) {
    physics?.step(seconds: seconds)
    rest.step(seconds: seconds)
  }
}
