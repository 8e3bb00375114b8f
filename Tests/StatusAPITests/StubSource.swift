import Seams
import StatusAPI
import Synchronization
import TwinCore

/// A canned site: one chiller, one setpoint with the range 5.5 to 9.0 °C. Counts its writes.
final class StubSource: StatusSource {
  static let point = "chiller-1.chw_supply_sp"
  static let at = Timestamp(Instant(rfc3339: "2026-11-22T13:03:20Z")!)

  let hub: EventHub
  private let writes = Mutex<[String]>([])
  /// How long `status` takes; other answers come at once.
  let statusMs: Int
  /// How many lines `metrics` has.
  let metricsLines: Int

  init(clock: any SiteClock = SystemClock(), statusMs: Int = 0, metricsLines: Int = 1) {
    hub = EventHub(clock: clock)
    (self.statusMs, self.metricsLines) = (statusMs, metricsLines)
  }

  var header: API.Header { API.Header(site: "lyon-01", utcOffsetS: 3600) }
  var written: [String] { writes.withLock { $0 } }

  func meta() async throws(APIProblem) -> API.Meta { API.Meta(version: "0.1.0", site: "lyon-01", features: ["events"]) }

  func status() async throws(APIProblem) -> API.Status {
    if statusMs > 0 { try? await Task.sleep(for: .milliseconds(statusMs)) }
    return API.Status(
      site: "lyon-01", state: "well", mode: "auto", pack: API.Pack(version: 14, signed: true, digest: "9c1e"),
      points: API.PointCounts(total: 1, fresh: 1, stale: 0, absent: 0, never: 0),
      alarms: API.AlarmCounts(active: 0, acked: 0, shelved: 0), clock: API.Clock(trusted: true), uptimeS: 60,
      version: "0.1.0", utcOffsetS: 3600)
  }

  func devices() async throws(APIProblem) -> API.Devices { API.Devices(devices: [try await device("chiller-1")]) }

  func device(_ id: String) async throws(APIProblem) -> API.Device {
    guard id == "chiller-1" else { throw .notFound("device", id, known: ["chiller-1"], list: "twinctl devices") }
    return API.Device(
      id: id, transport: "modbus-tcp", address: "10.20.0.11:502 unit 1", state: "ok",
      points: API.PointCounts(total: 1, fresh: 1, stale: 0, absent: 0, never: 0))
  }

  func points(_ pattern: PointPattern?) async throws(APIProblem) -> API.Points {
    guard pattern?.matches(Self.point) ?? true else { return API.Points(points: []) }
    return API.Points(points: [try await point(Self.point)])
  }

  func point(_ id: String) async throws(APIProblem) -> API.Point {
    guard id == Self.point else { throw .notFound("point", id, known: [Self.point], list: "twinctl points") }
    return API.Point(
      id: id, device: "chiller-1", value: API.Quantity(6.5, unit: "Cel", at: Self.at), ref: 40031,
      wire: API.Wire(table: "holding", address: 30), raw: [65], writable: true, envelope: "chw-sp-safe")
  }

  func history(_ point: String, since: Instant?, limit: Int) async throws(APIProblem) -> API.History {
    API.History(
      point: point, unit: "Cel", samples: [API.Sample(at: Self.at, value: nil, quality: "failed")],
      truncated: limit == 1)
  }

  func correct(
    _ point: String, _ request: API.CorrectionRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Corrected {
    API.Corrected(point: point, tick: 7, samples: 1, text: "\(request.kind.rawValue) by \(peer.name)")
  }

  func decisions(limit: Int, point: String?) async throws(APIProblem) -> API.Decisions {
    API.Decisions(decisions: [try await decision("d-7f3a91")])
  }

  func decision(_ id: String) async throws(APIProblem) -> API.Decision {
    API.Decision(
      id: id, at: Self.at, point: Self.point, value: API.Quantity(6.5, unit: "Cel"), actor: "twind", mode: "auto",
      disposition: "permit", outcome: "confirmed", reason: "It is cooler outside.")
  }

  func why(_ point: String) async throws(APIProblem) -> API.Decision { try await decision("d-7f3a91") }
  func envelopes() async throws(APIProblem) -> API.Envelopes {
    API.Envelopes(envelopes: [try await envelope("chw-sp-safe")])
  }

  func envelope(_ id: String) async throws(APIProblem) -> API.Envelope {
    API.Envelope(
      id: id, point: Self.point, unit: "Cel", min: 5.5, max: 9, violation: "clamp", owner: "m.durand",
      reason: "Condensation risk on hall-a coils")
  }

  func testEnvelope(_ request: API.EnvelopeTestRequest) async throws(APIProblem) -> API.EnvelopeTest {
    API.EnvelopeTest(
      point: request.point, asked: API.Quantity(request.value, unit: "Cel"), result: "permit",
      value: API.Quantity(request.value, unit: "Cel"), reason: "within the range")
  }

  func overrides() async throws(APIProblem) -> API.Overrides { API.Overrides(overrides: []) }

  func setOverride(_ point: String, _ request: API.OverrideRequest, by peer: Peer) async throws(APIProblem)
    -> API.Written
  {
    guard (5.5...9).contains(request.value) else {
      throw .refused(
        code: "envelope.out_of_range", title: "\(request.value) °C is below envelope chw-sp-safe (5.5–9.0 °C)",
        cause: "condensation risk on hall-a coils", next: "5.5 °C is allowed", nearest: "5.5")
    }
    let count = writes.withLock {
      $0.append("\(point)=\(request.value) by \(peer.uid)")
      return $0.count
    }
    return API.Written(decision: "d-\(count)", text: "\(point) is held", undo: "twinctl override clear \(point)")
  }

  func clearOverride(_ point: String, by peer: Peer) async throws(APIProblem) -> API.Written {
    writes.withLock { $0.append("clear \(point)") }
    return API.Written(decision: "d-0", text: "\(point) is free")
  }

  func sync() async throws(APIProblem) -> API.SyncState { API.SyncState(state: "alone") }
  func mode() async throws(APIProblem) -> API.ModeState { API.ModeState(mode: "auto", ceiling: "auto") }

  func setMode(_ request: API.ModeRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    API.Written(decision: "d-0", text: "mode \(request.mode)")
  }

  func alarms() async throws(APIProblem) -> API.Alarms { API.Alarms(alarms: []) }
  func acknowledge(_ alarm: String, by peer: Peer) async throws(APIProblem) -> API.Written {
    API.Written(decision: "d-0", text: alarm)
  }
  func shelve(_ alarm: String, _ request: API.ShelveRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    API.Written(decision: "d-0", text: alarm)
  }

  func collectTest(_ device: String, by peer: Peer) async throws(APIProblem) -> API.CollectTest {
    API.CollectTest(
      device: device, transport: "modbus-tcp", address: "10.20.0.11:502 unit 1", passed: true,
      steps: [API.Step(name: "tcp", result: "ok", text: "2 ms")])
  }

  static let glance = API.ModelGlance(
    id: "hall-a", asset: "hall-a", templates: ["zone.two-mass"], stepS: 900, version: 3, candidate: "8f2c",
    calibrated: true, trusted: true, drift: API.ModelDrift(word: "ok", text: "ok", level: 0.3, response: "none"),
    challenger: 4, learnedSteps: 960, at: at,
    scores: [
      API.ModelScore(
        output: "zone", point: "hall-a.zone_t", horizonS: 900, unit: "K", count: 664, rmse: 0.056,
        persistenceRmse: 0.094, coverage: 0.91, halfWidth: 0.1),
      API.ModelScore(output: "zone", point: "hall-a.zone_t", horizonS: 21_600, unit: "K", count: 0),
    ])

  func models() async throws(APIProblem) -> API.Models { API.Models(models: [Self.glance]) }

  func model(_ id: String) async throws(APIProblem) -> API.Model {
    guard id == "hall-a" else { throw .notFound("model", id, known: ["hall-a"], list: "twinctl model list") }
    return API.Model(
      glance: Self.glance,
      outputs: [
        API.ModelOutput(
          name: "zone", point: "hall-a.zone_t", unit: "Cel",
          estimate: API.Uncertain(value: 21.4, stddev: 0.03, unit: "Cel"),
          forecasts: [API.ModelForecast(horizonS: 900, at: Self.at, mean: 21.3, low: 21.2, high: 21.4)],
          innovation: API.ModelInnovation(unit: "K", value: 0.1, stddev: 0.2, normalised: 0.5, accepted: true))
      ],
      parameters: [
        API.ModelParameter(
          name: "C_air", unit: "J/K", value: 2, low: 1, high: 4, prior: 1, identified: true, now: 2, nowLow: 1,
          nowHigh: 4, trace: [API.ModelTrace(at: Self.at, value: 2, low: 1, high: 4)])
      ], evidence: API.ModelEvidence(finding: "open", blocks: 1, blockS: 21_600, gain: 0.1),
      lineage: [API.ModelEvent(at: Self.at, kind: "admitted", text: "t", candidate: "8f2c", version: 4)])
  }

  func modelHistory(_ id: String) async throws(APIProblem) -> API.ModelHistory {
    API.ModelHistory(model: id, days: [API.ModelDay(at: Self.at, scores: Self.glance.scores)], parameters: [])
  }

  func change(
    model id: String, _ verb: API.ModelVerb, _ request: API.ModelRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Written {
    let count = writes.withLock {
      $0.append("\(verb.rawValue) \(id): \(request.reason)")
      return $0.count
    }
    return API.Written(decision: "tick \(count)", text: "\(id): \(verb.rawValue)")
  }

  func metrics() async throws(APIProblem) -> String { String(repeating: "twind_up 1\n", count: metricsLines) }
  func events(since id: UInt64?, _ filter: EventFilter) async throws(APIProblem) -> AsyncStream<API.Event> {
    try hub.subscribe(since: id, filter)
  }
}

/// A clock that stands until it is moved; sleeping returns at once.
final class HandClock: SiteClock {
  private let now = Mutex<Int64>(1_000_000_000_000)

  var instant: Instant { Instant(nanoseconds: 1_800_000_000_000_000_000 + now.withLock { $0 }) }
  var uptime: Uptime { Uptime(nanoseconds: now.withLock { $0 }) }
  var isTrusted: Bool { true }
  func sleep(until deadline: Uptime) async {}
  func advance(seconds: Int64) { now.withLock { $0 += seconds * 1_000_000_000 } }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
