import Agents
import Guard
import Models
import SiteKernel
import TwinCore

/// A site of registers that wander, with one setpoint, one policy and one alarm: nothing is idle, nothing is a plant.
struct SyntheticSite {
  static let second: Int64 = 1_000_000_000
  static let begin = Instant(nanoseconds: 1_768_262_400 * second)

  let definition: SiteDefinition
  let layout: FrameLayout
  private var counts: [Double]
  private var state: UInt64 = 20_260_113

  /// `count` 16-bit registers, read together once a second.
  init(points count: Int) {
    precondition(count >= 2, "a setpoint and what it follows")
    let ids = (0..<count).map { "d.r\($0)" }
    layout = FrameLayout(
      group: 0, points: ids, scales: ids.map { _ in 1 }, units: ids.map { _ in "1" }, variances: ids.map { _ in 0 },
      provenance: ids.map { _ in "synthetic" })
    let points = ids.map { id in
      PointDefinition(
        id: id, unit: "1", staleNanoseconds: 3 * Self.second,
        estimator: EstimatorSettings(
          measurementVariance: 1.0 / 12, processVariancePerSecond: 1, isContinuous: true,
          halfLifeNanoseconds: 60 * Self.second))
    }
    definition = SiteDefinition(
      id: "bench.synthetic", name: "Synthetic", points: points,
      groups: [GroupDefinition(points: ids.indices.map { PointIndex($0) })],
      envelopes: [Self.envelope(of: PointIndex(0), above: PointIndex(1))],
      policies: [
        Policy(
          id: "follow", target: PointIndex(0), rule: .formula(Formula([.point(PointIndex(1))])!),
          periodNanoseconds: 15 * Self.second)
      ],
      alarms: [
        AlarmDefinition(
          id: "high", condition: Formula([.point(PointIndex(1)), .constant(60_000), .greater])!, action: "look")
      ])
    counts = ids.indices.map { Double(1000 + 7 * $0) }
  }

  /// A static range, a rate and an interlock.
  static func envelope(of point: PointIndex, above other: PointIndex) -> Envelope {
    Envelope(
      id: "setpoint", point: point, hard: 500...60_000,
      rate: RateLimit(risingPerSecond: 10, fallingPerSecond: 10, windowNanoseconds: 60 * second),
      interlocks: [
        Interlock(
          text: "running", condition: Formula([.point(other), .constant(0), .greater])!, staleNanoseconds: 10 * second)
      ], fallback: Fallback(value: 1000), leaseNanoseconds: 60 * second, deadMan: .unattendedAccepted,
      representation: .steps(scale: 1, offset: 0))
  }

  /// The readings of one second: half of the registers have moved by one count.
  mutating func frame(sequence: Int64, second number: Int64) -> Frame {
    var bits: UInt64 = 0
    for index in counts.indices {
      if index % 32 == 0 { bits = next() }
      switch bits & 3 {
      case 0: counts[index] = min(counts[index] + 1, 65_535)
      case 1: counts[index] = max(counts[index] - 1, 1)
      default: break
      }
      bits >>= 2
    }
    let instant = Self.begin.advanced(byNanoseconds: number * Self.second)
    return Frame(
      group: 0, sequence: sequence, effective: instant, observed: instant,
      uptime: Uptime(nanoseconds: number * Self.second), values: counts, qualities: counts.map { _ in .good })
  }

  func tick(_ number: Int64, frames: [Frame], commands: [Command] = []) -> Tick {
    Tick(
      number: number, instant: Self.begin.advanced(byNanoseconds: number * Self.second),
      uptime: Uptime(nanoseconds: number * Self.second), frames: frames, commands: commands)
  }

  static let session = Command.session(isNewBoot: true, mode: .advise, ceiling: .auto)

  /// SplitMix64 (Steele, Lea, Flood 2014).
  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
