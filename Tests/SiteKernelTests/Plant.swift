import Agents
import Guard
import Models
import Sodium
import TwinCore

@testable import SiteKernel

/// Draws for property tests (SplitMix64); a failing expectation prints the seed.
struct SeededDraw {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ end: Int) -> Int { Int(bits() % UInt64(end)) }
  mutating func once(in odds: Int) -> Bool { below(odds) == 0 }
  mutating func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * Double(bits() >> 11) * 0x1p-53 }
}

let second: Int64 = 1_000_000_000
let hour: Int64 = 3600 * second

/// The points of the site that most tests use.
enum Place {
  static let setpoint = PointIndex(0)
  static let temperature = PointIndex(1)
  static let flow = PointIndex(2)
  static let outdoor = PointIndex(3)
  static let bypass = PointIndex(4)
  static let price = PointIndex(5)
  static let warmer = PointIndex(6)
}

enum Sites {
  static func point(_ id: String, stale: Int64 = 60 * second) -> PointDefinition {
    PointDefinition(
      id: id, unit: "Cel", staleNanoseconds: stale,
      estimator: EstimatorSettings(
        measurementVariance: 0.04, processVariancePerSecond: 1e-4, isContinuous: true, halfLifeNanoseconds: 60 * second)
    )
  }

  static func above(_ point: PointIndex, _ limit: Double) -> Formula {
    Formula([.point(point), .constant(limit), .greater])!
  }

  /// A chiller whose setpoint follows the weather, and a bypass whose fallback is a rule of its own.
  static func chiller(
    hold: Int64 = 0, rate: RateLimit? = nil, policyPeriod: Int64? = 60 * second, reverts: Bool = true,
    latching: Bool = false,
    writesPerDay: Int? = nil
  ) -> SiteDefinition {
    let policies = policyPeriod.map {
      [
        Policy(
          id: "weather", target: Place.setpoint,
          rule: .curve(
            input: Formula([.point(Place.outdoor), .point(Place.temperature), .constant(0.5), .multiply, .add])!,
            knots: [.init(input: 0, output: 26), .init(input: 40, output: 18)]), periodNanoseconds: $0)
      ]
    }
    return SiteDefinition(
      id: "acme.lyon", name: "Lyon",
      points: ["c.setpoint", "c.temperature", "c.flow", "w.outdoor", "c.bypass", "t.price", "w.warmer"].map {
        point($0)
      },
      groups: [
        GroupDefinition(points: [Place.setpoint, Place.temperature, Place.flow]),
        GroupDefinition(points: [Place.outdoor]),
        GroupDefinition(points: [Place.bypass]),
      ],
      derived: [
        DerivedPoint(
          point: Place.price,
          source: .schedule(
            WeekSchedule(base: 0.2, windows: [.init(days: 0b11111, from: 7 * 3600, to: 19 * 3600, value: 0.3)]))),
        DerivedPoint(point: Place.warmer, source: .formula(Formula([.point(Place.outdoor), .constant(1), .add])!)),
      ],
      envelopes: [
        Envelope(
          id: "setpoint", point: Place.setpoint, hard: 10...30, rate: rate, holdNanoseconds: hold,
          interlocks: [
            Interlock(
              text: "flow", condition: above(Place.flow, 0.5), staleNanoseconds: 60 * second, latching: latching,
              reverts: reverts)
          ],
          required: [RequiredInput(point: Place.temperature, staleNanoseconds: 120 * second)],
          writesPerDay: writesPerDay,
          fallback: Fallback(value: 20), leaseNanoseconds: 600 * second, deadMan: .deviceWatchdog,
          representation: .steps(scale: 0.1, offset: 0)),
        Envelope(
          id: "bypass", point: Place.bypass, hard: 0...100,
          fallback: Fallback(value: 50, follow: .point(Place.outdoor)),
          leaseNanoseconds: 600 * second, deadMan: .deviceWatchdog, representation: .float64),
      ], policies: policies ?? [],
      alarms: [
        AlarmDefinition(
          id: "pump", condition: Formula([.point(Place.flow), .constant(0.5), .less])!, priority: 1,
          action: "start the pump"),
        AlarmDefinition(
          id: "hot", condition: above(Place.temperature, 50),
          clear: Formula([.point(Place.temperature), .constant(45), .less])!,
          delayNanoseconds: 30 * second, action: "look at the chiller", cause: 0),
        AlarmDefinition(
          id: "very-hot", condition: above(Place.temperature, 60), action: "look at the chiller", cause: 1),
      ])
  }
}

/// A small harness: the chiller on the other side of the kernel, which does as it is told at once.
struct Plant {
  var kernel: SiteKernel
  var outcome = Outcome()
  /// Setpoint, temperature, flow, outdoor, bypass.
  var values = [20.0, 12, 1, 25, 50]
  /// Groups that answer.
  var speaks: Set<Int32> = [0, 1, 2]
  /// What the next tick carries besides readings.
  var inbox: [Command] = []
  /// What was written, as the device saw it.
  var log: [(tick: Int64, point: PointIndex, value: Double)] = []
  var outcomeOfWrites = WriteOutcome.confirmed
  var number: Int64 = 0
  var uptime = 1000 * second
  /// A Tuesday morning in January.
  var instant = Instant(rfc3339: "2026-01-13T06:00:00Z")!

  init(_ site: SiteDefinition = Sites.chiller(), mode: Mode = .auto, ceiling: Mode = .auto) {
    kernel = SiteKernel(site, hash: Sodium.blake2b256)
    inbox = [.session(isNewBoot: true, mode: mode, ceiling: ceiling)]
  }

  func tick(after seconds: Int64) -> Tick {
    let now = uptime + seconds * second
    let at = instant.advanced(byNanoseconds: seconds * second)
    let columns: [Int32: [Double]] = [0: Array(values[..<3]), 1: [values[3]], 2: [values[4]]]
    let frames = speaks.sorted().map { group in
      Frame(
        group: group, sequence: (number + 1) * 10 + Int64(group), effective: at, observed: at,
        uptime: Uptime(nanoseconds: now),
        values: columns[group]!, qualities: columns[group]!.map { _ in .good })
    }
    return Tick(
      number: number + 1, instant: at, uptime: Uptime(nanoseconds: now), frames: frames, commands: inbox)
  }

  /// One tick, some seconds after the last; what it asks for is carried out before the next.
  @discardableResult
  mutating func step(_ commands: Command..., after seconds: Int64 = 10) -> [Decision] {
    inbox += commands
    let tick = tick(after: seconds)
    (number, uptime, instant) = (tick.number, tick.uptime.nanoseconds, tick.instant)
    inbox = []
    kernel.step(tick, into: &outcome)
    for decision in outcome.decisions where decision.isCarriedOut {
      guard SafetyGuard.permit(for: decision.verdict, decision: decision.id) != nil else {
        fatalError("no permit: \(decision)")
      }
      guard decision.verdict.disposition != .keep else { continue }
      let point = decision.verdict.point
      log.append((tick.number, point, decision.verdict.value))
      let takes = outcomeOfWrites == .confirmed
      if takes { values[point.raw == 4 ? 4 : 0] = decision.verdict.value }
      inbox.append(
        .settled(decision.id, point: point, outcome: outcomeOfWrites, readBack: takes ? decision.verdict.value : nil))
    }
    return outcome.decisions
  }

  func of(_ decisions: [Decision], _ point: PointIndex = Place.setpoint) -> [Decision] {
    decisions.filter { $0.proposal.point == point }
  }

  func override(_ value: Double, minutes: Int64 = 30, request: Int64 = 7, by person: String = "ann") -> Command {
    .override(
      request: request, point: Place.setpoint, value: value, forNanoseconds: minutes * 60 * second, by: person,
      reason: "test")
  }
}
