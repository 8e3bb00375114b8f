internal import TwinCore

/// Plausible signals for points whose physics nobody described: seeded, within their ranges, slow as plants are.
///
/// Analogue signals swing with the day and drift; counters count; states stay. What is writable keeps what was written.
public struct SignalPlant: SimulatedPlant {
  public let signals: [PlantSignal]
  /// Plant seconds per second of the caller.
  public let acceleration: Double
  private let seed: UInt64
  private let places: [String: Int]
  private var written: [String: Double] = [:]
  private var microseconds: Int64 = 0

  /// Where a signal of a unit usually is, narrower than what its register could hold.
  private static let usual: [String: ClosedRange<Double>] = [
    "Cel": 8...40, "K": 281...313, "%": 20...80, "1": 0...1, "W": 500...40_000, "kW": 0.5...40, "V": 226...234,
    "A": 1...60, "Hz": 49.95...50.05, "Pa": 20...400, "kPa": 50...300, "bar": 1...6, "[ppm]": 420...1_000,
    "m3/h": 2...60, "L/s": 0.5...15, "kg/s": 0.5...15, "W/m2": 0...850, "m/s": 0...12, "h": 0...24,
  ]
  /// Units per second that a counter of a small plant gathers: 5 kW, or 1 L/s.
  private static let rates: [String: Double] = [
    "J": 5_000, "kJ": 5, "MJ": 5e-3, "GJ": 5e-6, "W.h": 1.4, "Wh": 1.4, "kW.h": 1.4e-3, "kWh": 1.4e-3, "MW.h": 1.4e-6,
    "MWh": 1.4e-6, "m3": 1e-3, "L": 1,
  ]

  /// Of signals with the same id the first one counts.
  public init(seed: UInt64, signals: [PlantSignal], acceleration: Double = 1) {
    precondition(acceleration >= 1e-3 && acceleration <= 1e5, "acceleration \(acceleration) is not in 0.001...100000")
    var seen: [String: Int] = [:]
    var kept: [PlantSignal] = []
    for signal in signals where seen[signal.name] == nil {
      seen[signal.name] = kept.count
      kept.append(signal)
    }
    (self.seed, self.signals, places, self.acceleration) = (seed, kept, seen, acceleration)
  }

  public var outputs: [String: Double] {
    var shown: [String: Double] = [:]
    shown.reserveCapacity(signals.count)
    for signal in signals { shown[signal.name] = value(signal) }
    return shown
  }

  public mutating func set(_ name: String, _ value: Double) -> Bool {
    guard let place = places[name], signals[place].isWritable, signals[place].range.contains(value) else {
      return false
    }
    if case .states(let codes) = signals[place].course, !codes.contains(value) { return false }
    written[name] = value
    return true
  }

  public mutating func step(seconds: Double) {
    precondition(seconds >= 0 && seconds * acceleration <= ChilledWaterPlant.spanSecondsMax, "span of \(seconds) s")
    microseconds += Int64((seconds * acceleration * 1e6).nearestInteger)
  }

  private func value(_ signal: PlantSignal) -> Double {
    if let value = written[signal.name] { return value }
    let noise = SeededNoise(seed: seed, name: signal.name)
    let band = Self.band(signal)
    let value: Double
    switch signal.course {
    case .states(let codes):
      value = signal.start ?? (codes.isEmpty ? signal.range.lowerBound : codes[Self.pick(noise, codes.count)])
    case .counter:
      return counted(signal, noise)
    case .analogue where signal.isWritable:
      value = signal.start ?? (band.lowerBound + band.upperBound) / 2
    case .analogue:
      value = analogue(band, noise, around: signal.start)
    }
    return min(signal.range.upperBound, max(signal.range.lowerBound, value))
  }

  private var seconds: Double { Double(microseconds / 1_000_000) }

  /// Day and night for a quarter of the band, drift for another, and a little trembling from second to second.
  private func analogue(_ band: ClosedRange<Double>, _ noise: SeededNoise, around start: Double?) -> Double {
    let span = band.upperBound - band.lowerBound
    let centre = start.map { ($0 - band.lowerBound) / max(span, .leastNormalMagnitude) } ?? 0.5 + 0.15 * noise.white(-1)
    let day = 0.12 * cosineOfTurns(seconds / Weather.daySeconds - 15.0 / 24 + 0.1 * noise.white(-2))
    let drift = 0.12 * noise.smooth(at: seconds, period: 2_700)
    let share = centre + day + drift + 0.002 * noise.white(Int64(seconds) &+ 0x4000_0000_0000)
    return band.lowerBound + span * share
  }

  /// Rises always, faster by day, and wraps as a register does.
  private func counted(_ signal: PlantSignal, _ noise: SeededNoise) -> Double {
    let low = signal.range.lowerBound
    let span = signal.range.upperBound - low
    guard span > 0 else { return low }
    let rate = (Self.rates[signal.unit] ?? 1) * (1 + 0.5 * noise.white(-1))
    // The integral of 1 − cos/2 over the day, so the rate never falls below a half.
    let lag = Weather.daySeconds / (4 * Double.pi) * cosineOfTurns(seconds / Weather.daySeconds - 0.25)
    let begin = signal.start.map { $0 - low } ?? rate * 2e7 * (1 + noise.white(-2))
    return low + (begin + rate * (seconds - lag)).truncatingRemainder(dividingBy: span)
  }

  /// The usual band of the unit where the range leaves room for it, else the range, within a million of its end next to
  /// 0.
  private static func band(_ signal: PlantSignal) -> ClosedRange<Double> {
    let near = min(signal.range.upperBound, max(signal.range.lowerBound, 0))
    let (low, high) = (max(signal.range.lowerBound, near - 1e6), min(signal.range.upperBound, near + 1e6))
    guard let usual = usual[signal.unit] else { return low...high }
    let (from, to) = (max(low, usual.lowerBound), min(high, usual.upperBound))
    return from < to ? from...to : low...high
  }

  private static func pick(_ noise: SeededNoise, _ count: Int) -> Int {
    min(count - 1, Int((noise.white(-1) + 1) / 2 * Double(count)))
  }
}
