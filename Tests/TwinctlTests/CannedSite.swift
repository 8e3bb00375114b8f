import FoundationEssentials
import StatusAPI
import TwinCore

/// A site whose answers are the inputs of the golden screens.
struct CannedSite: StatusSource {
  var header: API.Header { API.Header(site: "lyon-01", utcOffsetS: 3600) }

  private func canned<Content: Codable & Sendable & Equatable>(
    _ name: String, _ type: Content.Type = Content.self
  ) throws(APIProblem) -> Content {
    guard let data = try? Data(contentsOf: URL(filePath: "\(GoldenTests.folder)/\(name)/input.json")) else {
      throw APIProblem(status: 500, code: "test.missing", title: "no golden case \(name)", next: "add it")
    }
    return try APIJSON.decode(API.Document<Content>.self, from: [UInt8](data)).data
  }

  func meta() async throws(APIProblem) -> API.Meta { API.Meta(version: "0.1.0", site: "lyon-01") }
  func status() async throws(APIProblem) -> API.Status { try canned("status-well") }
  func devices() async throws(APIProblem) -> API.Devices { try canned("devices") }
  func device(_ id: String) async throws(APIProblem) -> API.Device {
    guard id == "chiller-1" else { throw .notFound("device", id, known: ["chiller-1"], list: "twinctl devices") }
    return try canned("device-silent")
  }
  func points(_ pattern: PointPattern?) async throws(APIProblem) -> API.Points { try canned("points") }
  func point(_ id: String) async throws(APIProblem) -> API.Point { try canned("point") }
  func history(_ point: String, since: Instant?, limit: Int) async throws(APIProblem) -> API.History {
    try canned("history")
  }
  func correct(
    _ point: String, _ request: API.CorrectionRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Corrected {
    API.Corrected(point: point, tick: 8, samples: 3, text: "\(point): \(request.kind.rawValue), 3 samples")
  }

  func decisions(limit: Int, point: String?) async throws(APIProblem) -> API.Decisions { try canned("decisions") }
  func decision(_ id: String) async throws(APIProblem) -> API.Decision { try canned("why") }
  func why(_ point: String) async throws(APIProblem) -> API.Decision { try canned("why-clamped") }
  func envelopes() async throws(APIProblem) -> API.Envelopes { try canned("envelopes") }
  func envelope(_ id: String) async throws(APIProblem) -> API.Envelope { try canned("envelope") }
  func testEnvelope(_ request: API.EnvelopeTestRequest) async throws(APIProblem) -> API.EnvelopeTest {
    try canned("envelope-test-clamp")
  }
  func overrides() async throws(APIProblem) -> API.Overrides { try canned("overrides") }
  func setOverride(_ point: String, _ request: API.OverrideRequest, by peer: Peer) async throws(APIProblem)
    -> API.Written
  {
    guard request.value >= 5.5 else { throw try canned("problem-refused", APIProblem.self) }
    return try canned("written")
  }
  func clearOverride(_ point: String, by peer: Peer) async throws(APIProblem) -> API.Written { try canned("written") }
  func sync() async throws(APIProblem) -> API.SyncState { try canned("sync") }
  func mode() async throws(APIProblem) -> API.ModeState { try canned("mode") }
  func setMode(_ request: API.ModeRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    try canned("written")
  }
  func alarms() async throws(APIProblem) -> API.Alarms { try canned("alarms") }
  func acknowledge(_ alarm: String, by peer: Peer) async throws(APIProblem) -> API.Written { try canned("written") }
  func shelve(_ alarm: String, _ request: API.ShelveRequest, by peer: Peer) async throws(APIProblem) -> API.Written {
    try canned("written")
  }
  func collectTest(_ device: String, by peer: Peer) async throws(APIProblem) -> API.CollectTest {
    try canned("collect-fail")
  }
  func models() async throws(APIProblem) -> API.Models { try canned("models") }
  func model(_ id: String) async throws(APIProblem) -> API.Model {
    guard id == "hall-a" else { throw .notFound("model", id, known: ["hall-a"], list: "twinctl model list") }
    return try canned("model")
  }
  func modelHistory(_ id: String) async throws(APIProblem) -> API.ModelHistory { try canned("model-history") }
  func change(
    model id: String, _ verb: API.ModelVerb, _ request: API.ModelRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Written {
    guard verb != .train else {
      throw .refused(
        code: "model.no_learner", title: "nobody trains models here", cause: "no learner", next: "start twind-learn")
    }
    return API.Written(decision: "tick 7", text: "\(id): \(verb.rawValue): \(request.reason)")
  }
  func metrics() async throws(APIProblem) -> String { "" }
  /// Three events for a new reader, none for one that comes back.
  func events(since id: UInt64?, _ filter: EventFilter) async throws(APIProblem) -> AsyncStream<API.Event> {
    AsyncStream { stream in
      defer { stream.finish() }
      guard id == nil else { return }
      let at = Timestamp(Instant(rfc3339: "2026-11-22T13:03:20Z")!)
      for (number, value) in [6.5, nil, 6.7].enumerated() {
        let value = API.Quantity(value, unit: "Cel", quality: value == nil ? .failed : .good, at: at)
        stream.yield(
          API.Event(id: UInt64(number + 1), kind: "value", at: at, point: "chiller-1.chw_supply_t", value: value))
      }
    }
  }
}
