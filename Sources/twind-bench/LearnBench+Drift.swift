import Models
import TwinCore

/// How soon a shift of unknown size is found at one false alarm in 1e5 values, and what a value costs.
enum DriftBench {
  private static let runLength = 1e5
  /// Values before the shift.
  private static let before = 500
  private static let streams: UInt64 = 2000
  /// Of alarms for the run length: a standard error of 3 %.
  private static let alarms = 1000

  static func run() throws {
    var noise = Noise(seed: 1)
    var watch = MeanWatch(runLength: runLength)
    let length = meanRun(&noise) { watch.update($0) == .alarm }
    print(Figure("drift.run_length", length, "values", .none))
    guard (length / runLength - 1).magnitude < 0.15 else {
      throw BenchFault("a run length of \(length) where \(runLength) was asked for")
    }
    var variance = VarianceWatch(runLength: runLength)
    print(Figure("drift.variance_run_length", meanRun(&noise) { variance.update($0) == .alarm }, "values", .none))
    for (shift, goal, peer) in [(0.5, 66.0, 0), (1, 22, 1), (2, 8, 2)] {
      let name = peer == 0 ? "0.5s" : "\(Int(shift))s"
      let delay = medianDelay(shift) {
        MeanWatch(runLength: runLength)
      } update: {
        $0.update($1) == .alarm
      }
      print(Figure("drift.delay.\(name)", Double(delay), "values", .atMost(goal)))
      let window = medianDelay(shift) {
        AdaptiveWindow()
      } update: {
        $0.update($1) == .alarm
      }
      print(Figure("drift.delay.\(name).adwin", Double(window), "values", .none))
    }
    cost()
  }

  private static func meanRun(_ noise: inout Noise, _ isAlarm: (Double) -> Bool) -> Double {
    var (values, seen) = (0, 0)
    while seen < alarms {
      values += 1
      if isAlarm(noise.normal()) { seen += 1 }
    }
    return Double(values) / Double(alarms)
  }

  /// Over streams that did not alarm before the shift, which goes up in one half of them and down in the other.
  private static func medianDelay<Watch>(
    _ shift: Double, make: () -> Watch, update: (inout Watch, Double) -> Bool
  ) -> Int {
    var delays: [Int] = []
    for seed in 0..<streams {
      var noise = Noise(seed: 1000 + seed)
      var watch = make()
      var isQuiet = true
      for _ in 0..<before where update(&watch, noise.normal()) { isQuiet = false }
      guard isQuiet else { continue }
      let signed = seed % 2 == 0 ? shift : -shift
      var delay = 1
      while !update(&watch, noise.normal() + signed) { delay += 1 }
      delays.append(delay)
    }
    return delays.sorted()[delays.count / 2]
  }

  private static func cost() {
    var noise = Noise(seed: 2)
    let values = (0..<100_000).map { _ in noise.normal() }
    var watch = MeanWatch(runLength: runLength)
    var alarms = 0
    let spent = Spent.leastOf(7) { for value in values where watch.update(value) == .alarm { alarms += 1 } }
    precondition(alarms < values.count, "most values alarm nobody")
    print(Figure("drift.update_ns", spent.cpuSeconds * 1e9 / Double(values.count), "ns", .none))
  }

  /// Standard normal values from a seed: SplitMix64, and Marsaglia's polar method.
  private struct Noise {
    private var state: UInt64
    private var spare: Double?

    /// Neighbouring seeds must not be places of one stream.
    init(seed: UInt64) { state = (seed &+ 1) &* 0xD134_2543_DE82_EF95 ^ (seed << 40) }

    private mutating func uniform() -> Double {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }

    mutating func normal() -> Double {
      if let value = spare {
        spare = nil
        return value
      }
      while true {
        let (u, v) = (2 * uniform() - 1, 2 * uniform() - 1)
        let square = u * u + v * v
        guard square < 1, square > 0 else { continue }
        let factor = (-2 * Elementary.log(square) / square).squareRoot()
        spare = v * factor
        return u * factor
      }
    }
  }
}
