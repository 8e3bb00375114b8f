/// Where a foundation's answers come from; the rules of `StatusSource` hold.
public protocol FleetSource: Sendable {
  var header: API.Header { get }

  func meta() async throws(APIProblem) -> API.Meta
  func fleet() async throws(APIProblem) -> API.Fleet
  func sites() async throws(APIProblem) -> API.FleetSites
  func site(_ name: String) async throws(APIProblem) -> API.FleetSite
  /// All keys when `owner` is nil.
  func keys(owner: String?) async throws(APIProblem) -> API.FleetKeys
  func enrolments() async throws(APIProblem) -> API.Enrolments
  /// The token is in this answer alone.
  func enrol(_ request: API.EnrolmentRequest, by peer: Peer) async throws(APIProblem) -> API.Enrolment
  /// Answers a request that came as a file.
  func answer(_ request: API.EnrolmentFile, by peer: Peer) async throws(APIProblem) -> API.EnrolmentFile
  func withdrawEnrolment(_ id: String, by peer: Peer) async throws(APIProblem) -> API.Enrolment
  /// What a site told, or without `site` what the foundation itself did; oldest first, from where a page ended.
  func audit(site: String?, after: String?, limit: Int) async throws(APIProblem) -> API.AuditEntries
  /// Everything that proves what one site did: the bytes of an audit bundle.
  func bundle(site: String) async throws(APIProblem) -> [UInt8]
  /// The newest checkpoint of the foundation's own log, with the proof that it continues the first `from` entries.
  func log(from: UInt64) async throws(APIProblem) -> API.FleetLog
  /// Takes what a witness signed over a checkpoint.
  func cosign(_ request: API.FleetCosignature, by peer: Peer) async throws(APIProblem) -> API.FleetLog
  func metadata() async throws(APIProblem) -> API.FleetMetadata
  /// Hands a signed pack to a site.
  func publish(_ request: API.PublishRequest, by peer: Peer) async throws(APIProblem) -> API.Published
  func setQuarantine(
    _ site: String, _ request: API.FleetActRequest, isOn: Bool, by peer: Peer
  ) async throws(APIProblem) -> API.FleetSite
  /// No entry of the key beyond what is cosigned counts any more.
  func revokeKey(_ id: String, _ request: API.FleetActRequest, by peer: Peer) async throws(APIProblem) -> API.FleetKey
  /// Has the site make new keys; the old ones are believed for thirty days more.
  func rekey(_ site: String, _ request: API.FleetActRequest, by peer: Peer) async throws(APIProblem) -> API.FleetSite
  func metrics() async throws(APIProblem) -> String
}
