import StatusAPI
import TwinCore

/// The fleet as the console's socket shows it.
struct FleetView: FleetSource {
  let desk: FleetDesk
  let name: String
  let startedAt: Instant

  var header: API.Header { API.Header(site: name) }

  func meta() async throws(APIProblem) -> API.Meta {
    API.Meta(version: API.release, site: name, features: ["fleet"], startedAt: Timestamp(startedAt))
  }

  func fleet() async throws(APIProblem) -> API.Fleet { try await desk.fleet() }
  func sites() async throws(APIProblem) -> API.FleetSites { API.FleetSites(sites: try await desk.sites()) }
  func site(_ name: String) async throws(APIProblem) -> API.FleetSite { try await desk.site(name) }

  func keys(owner: String?) async throws(APIProblem) -> API.FleetKeys {
    API.FleetKeys(keys: try await desk.keys(owner: owner))
  }

  func enrolments() async throws(APIProblem) -> API.Enrolments {
    API.Enrolments(enrolments: try await desk.enrolments())
  }

  func enrol(_ request: API.EnrolmentRequest, by peer: Peer) async throws(APIProblem) -> API.Enrolment {
    try await desk.enrol(request, by: peer.name)
  }

  func answer(_ request: API.EnrolmentFile, by peer: Peer) async throws(APIProblem) -> API.EnrolmentFile {
    try await desk.answer(request, by: peer.name)
  }

  func withdrawEnrolment(_ id: String, by peer: Peer) async throws(APIProblem) -> API.Enrolment {
    try await desk.withdraw(id, by: peer.name)
  }

  func audit(site: String?, after: String?, limit: Int) async throws(APIProblem) -> API.AuditEntries {
    try await desk.audit(site: site, after: after, limit: limit)
  }

  func bundle(site: String) async throws(APIProblem) -> [UInt8] { try await desk.bundle(of: site) }
  func log(from: UInt64) async throws(APIProblem) -> API.FleetLog { try await desk.log(from: from) }

  func cosign(_ request: API.FleetCosignature, by peer: Peer) async throws(APIProblem) -> API.FleetLog {
    try await desk.cosign(request)
  }

  func metadata() async throws(APIProblem) -> API.FleetMetadata { await desk.publishedMetadata }

  func publish(_ request: API.PublishRequest, by peer: Peer) async throws(APIProblem) -> API.Published {
    try await desk.publish(request, by: peer.name)
  }

  func setQuarantine(
    _ site: String, _ request: API.FleetActRequest, isOn: Bool, by peer: Peer
  ) async throws(APIProblem) -> API.FleetSite {
    try await desk.setQuarantine(site, request, isOn: isOn, by: peer.name)
  }

  func revokeKey(
    _ id: String, _ request: API.FleetActRequest, by peer: Peer
  ) async throws(APIProblem) -> API.FleetKey {
    try await desk.revokeKey(id, request, by: peer.name)
  }

  func rekey(
    _ site: String, _ request: API.FleetActRequest, by peer: Peer
  ) async throws(APIProblem) -> API.FleetSite {
    try await desk.rekey(site, request, by: peer.name)
  }

  func metrics() async throws(APIProblem) -> String { try await desk.metrics() }
}
