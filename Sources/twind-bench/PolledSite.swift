import TwinCore

/// Two hours of fifty Modbus devices with twenty points each, polled once a second: the same every time.
///
/// Of the twenty points six are temperatures of 0.1 (a slow walk and a little noise), three pressures of 0.01
/// (swinging, noise of two counts), four powers of 0.1 (load steps, noise of eight counts), two counters of 0.01, three
/// setpoints of 0.1 that change about once an hour, and two bits that flip about every ten minutes. A poll is late by a
/// half-normal 8 ms, one in a hundred by 20 to 200 ms more, and one in a thousand is missed; quality is bad for 0.2 %
/// of the time, ten seconds in a row.
struct PolledSite {
  enum Timing {
    /// The twenty points of a device share the time of their poll.
    case shared
    /// Every point is a group of its own, and late by itself: the worst case for timestamps.
    case apart
  }

  static let devices = 50
  static let pointsPerDevice = 20
  static let points = devices * pointsPerDevice
  static let seconds = 7200
  static let second: Int64 = 1_000_000_000
  static let millisecond: Int64 = 1_000_000
  /// 2026-11-01T00:00:00Z.
  static let begin = Instant(nanoseconds: 1_793_491_200 * second)
  /// Of the machine, on the wall's clock.
  private static let boot = begin.nanoseconds - 3600 * second

  let timing: Timing
  let layouts: [FrameLayout]
  /// Readings given so far.
  private(set) var samples = 0
  private var signals: [Signal] = []
  private var polls: [Poll] = []
  private var clocks: [SeededNoise] = []

  init(_ timing: Timing) {
    self.timing = timing
    for device in 0..<Self.devices {
      polls.append(Poll(seed: UInt64(1000 + device)))
      for point in 0..<Self.pointsPerDevice {
        signals.append(Signal(Signal.Kind.ofDevice[point], seed: UInt64(2000 + signals.count)))
        clocks.append(SeededNoise(seed: UInt64(9000 + clocks.count)))
      }
    }
    let ids = (0..<Self.points).map { Self.id(of: $0) }
    let scales = signals.map(\.kind.scale)
    let width = timing == .shared ? Self.pointsPerDevice : 1
    layouts = (0..<Self.points / width).map { group in
      let members = group * width..<(group + 1) * width
      return FrameLayout(
        group: Int32(group), points: Array(ids[members]), scales: Array(scales[members]),
        units: members.map { _ in "1" }, variances: members.map { scales[$0] * scales[$0] / 12 },
        provenance: members.map { "d\($0 / Self.pointsPerDevice) holding \($0 % Self.pointsPerDevice)" })
    }
  }

  static func id(of point: Int) -> String { "d\(point / pointsPerDevice).p\(point % pointsPerDevice)" }

  /// When the tick after the polls of that second is.
  static func tickInstant(_ second: Int) -> Instant {
    begin.advanced(byNanoseconds: Int64(second + 1) * Self.second)
  }

  static func uptime(at instant: Instant) -> Uptime { Uptime(nanoseconds: instant.nanoseconds - boot) }

  /// The frames of one second, in order of group; ask for the seconds in order.
  mutating func frames(second number: Int) -> [Frame] {
    let start = Self.begin.nanoseconds + Int64(number) * Self.second
    let observed = Self.tickInstant(number)
    var frames: [Frame] = []
    for device in 0..<Self.devices {
      let members = device * Self.pointsPerDevice..<(device + 1) * Self.pointsPerDevice
      var values: [Double] = []
      values.reserveCapacity(Self.pointsPerDevice)
      for point in members { values.append(signals[point].next(second: number)) }
      let poll = polls[device].next()
      // Nobody sees what a missed poll would have brought, but the plant goes on.
      guard !poll.isMissed else { continue }
      let quality: Quality = poll.isBad ? .suspect : .good
      samples += Self.pointsPerDevice
      func frame(_ group: Int, _ late: Int64, _ values: [Double]) -> Frame {
        let effective = Instant(nanoseconds: start + (poll.phaseMs + late) * Self.millisecond)
        return Frame(
          group: Int32(group), effective: effective, observed: observed, uptime: Self.uptime(at: effective),
          values: values, qualities: Array(repeating: quality, count: values.count))
      }
      switch timing {
      case .shared: frames.append(frame(device, poll.lateMs, values))
      case .apart:
        for point in members {
          frames.append(frame(point, Int64(abs(clocks[point].normal(8))), [values[point - members.lowerBound]]))
        }
      }
    }
    return frames
  }
}

/// When a device answers, and how well.
private struct Poll {
  var phaseMs: Int64
  var lateMs: Int64 = 0
  var isMissed = false
  var isBad: Bool { badSeconds > 0 }
  private var badSeconds = 0
  private var noise: SeededNoise

  init(seed: UInt64) {
    noise = SeededNoise(seed: seed)
    phaseMs = Int64(noise.uniform(0, 800))
  }

  mutating func next() -> Poll {
    var late = abs(noise.normal(8))
    if noise.chance(0.01) { late += noise.uniform(20, 180) }
    lateMs = Int64(late)
    isMissed = noise.chance(0.001)
    badSeconds = max(0, badSeconds - 1)
    if noise.chance(1.0 / 5000) { badSeconds = 10 }
    return self
  }
}

/// What a register shows, second by second.
private struct Signal {
  enum Kind {
    case temperature
    case pressure
    case power
    case counter
    case setpoint
    case bit

    static let ofDevice: [Kind] =
      Array(repeating: .temperature, count: 6) + Array(repeating: .pressure, count: 3)
      + Array(repeating: .power, count: 4) + Array(repeating: .counter, count: 2)
      + Array(repeating: .setpoint, count: 3) + Array(repeating: .bit, count: 2)

    var scale: Double {
      switch self {
      case .temperature, .power, .setpoint: 0.1
      case .pressure, .counter: 0.01
      case .bit: 1
      }
    }
  }

  let kind: Kind
  private var noise: SeededNoise
  private var level: Double
  /// A period in seconds, or a gain a second.
  private var pace: Double

  init(_ kind: Kind, seed: UInt64) {
    self.kind = kind
    noise = SeededNoise(seed: seed)
    (level, pace) = (0, 0)
    switch kind {
    case .temperature: level = noise.uniform(150, 700)
    case .pressure: (level, pace) = (noise.uniform(200, 900), noise.uniform(300, 1800))
    case .power: level = 3000
    case .counter: (level, pace) = (noise.uniform(1e5, 1e7), noise.uniform(0.2, 6))
    case .setpoint: level = noise.uniform(180, 900).rounded()
    case .bit: break
    }
  }

  /// In units: a whole count times the scale.
  mutating func next(second: Int) -> Double {
    let count: Double
    switch kind {
    case .temperature:
      level += noise.normal(0.08)
      count = level + noise.normal(0.25)
    case .pressure: count = level + 12 * Elementary.sin(2 * .pi * Double(second) / pace) + noise.normal(2)
    case .power:
      if noise.chance(1.0 / 300) { level += 0.7 * noise.normal(400) }
      count = abs(level + noise.normal(8)).truncatingRemainder(dividingBy: 32_767)
    case .counter:
      level += max(0, pace + noise.normal(pace / 10))
      count = level
    case .setpoint:
      if noise.chance(1.0 / 3600) { level += 5 }
      count = level
    case .bit:
      if noise.chance(1.0 / 600) { level = 1 - level }
      count = level
    }
    return count.rounded() * kind.scale
  }
}

/// Random numbers that are the same on every machine.
struct SeededNoise {
  private var state: UInt64
  private var spare: Double?

  init(seed: UInt64) { state = seed &* 0xD134_2543_DE82_EF95 }

  /// From 0 up to but without 1.
  mutating func unit() -> Double { Double(word() >> 11) * 0x1p-53 }
  mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * unit() }
  mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// Normal about 0, by pairs (Box and Muller 1958).
  mutating func normal(_ deviation: Double) -> Double {
    if let value = spare {
      spare = nil
      return value * deviation
    }
    let radius = (-2 * Elementary.log(1 - unit())).squareRoot()
    let angle = 2 * Double.pi * unit()
    spare = radius * Elementary.sin(angle)
    return radius * Elementary.cos(angle) * deviation
  }

  /// SplitMix64 (Steele, Lea, Flood 2014).
  mutating func word() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
