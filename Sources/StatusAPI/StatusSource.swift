public import TwinCore

/// Where the server's answers come from: the live daemon, or a canned site in tests.
///
/// Called from many requests at once, off the event loop. An implementation answers from memory, never waits for a
/// device except in `collectTest`, and returns soon after its task is cancelled. Writes have already passed the
/// permission check; whether the plant allows them is the source's business (`APIProblem.refused`).
public protocol StatusSource: Sendable {
  var header: API.Header { get }

  func meta() async throws(APIProblem) -> API.Meta
  func status() async throws(APIProblem) -> API.Status
  func devices() async throws(APIProblem) -> API.Devices
  func device(_ id: String) async throws(APIProblem) -> API.Device
  /// All points when `pattern` is nil.
  func points(_ pattern: PointPattern?) async throws(APIProblem) -> API.Points
  func point(_ id: String) async throws(APIProblem) -> API.Point
  /// Up to `limit` samples, the newest ones, from `since` on.
  func history(_ point: String, since: Instant?, limit: Int) async throws(APIProblem) -> API.History
  /// Changes what is recorded of a point's past; the plant hears nothing of it.
  func correct(_ point: String, _ request: API.CorrectionRequest, by peer: Peer) async throws(APIProblem)
    -> API.Corrected
  func decisions(limit: Int, point: String?) async throws(APIProblem) -> API.Decisions
  func decision(_ id: String) async throws(APIProblem) -> API.Decision
  /// The newest decision about the point.
  func why(_ point: String) async throws(APIProblem) -> API.Decision

  func envelopes() async throws(APIProblem) -> API.Envelopes
  func envelope(_ id: String) async throws(APIProblem) -> API.Envelope
  /// Asks the guard; nothing is written.
  func testEnvelope(_ request: API.EnvelopeTestRequest) async throws(APIProblem) -> API.EnvelopeTest

  func overrides() async throws(APIProblem) -> API.Overrides
  func setOverride(_ point: String, _ request: API.OverrideRequest, by peer: Peer) async throws(APIProblem)
    -> API.Written
  func clearOverride(_ point: String, by peer: Peer) async throws(APIProblem) -> API.Written
  func mode() async throws(APIProblem) -> API.ModeState
  func sync() async throws(APIProblem) -> API.SyncState
  func setMode(_ request: API.ModeRequest, by peer: Peer) async throws(APIProblem) -> API.Written
  func alarms() async throws(APIProblem) -> API.Alarms
  func acknowledge(_ alarm: String, by peer: Peer) async throws(APIProblem) -> API.Written
  func shelve(_ alarm: String, _ request: API.ShelveRequest, by peer: Peer) async throws(APIProblem) -> API.Written
  func collectTest(_ device: String, by peer: Peer) async throws(APIProblem) -> API.CollectTest

  func models() async throws(APIProblem) -> API.Models
  func model(_ id: String) async throws(APIProblem) -> API.Model
  func modelHistory(_ id: String) async throws(APIProblem) -> API.ModelHistory
  func change(model id: String, _ verb: API.ModelVerb, _ request: API.ModelRequest, by peer: Peer)
    async throws(APIProblem) -> API.Written

  /// Prometheus text exposition format 0.0.4.
  func metrics() async throws(APIProblem) -> String
  /// Ends when its reader goes; `EventHub.subscribe` makes such a stream.
  func events(since id: UInt64?, _ filter: EventFilter) async throws(APIProblem) -> AsyncStream<API.Event>
}
