import ArgumentParser
import StatusAPI
import TwinCore

/// What somebody who helps from elsewhere needs to know, and nothing that may not leave the site.
struct SupportCommand: Verb {
  static let configuration = CommandConfiguration(
    commandName: "support", abstract: "One JSON file for whoever helps from elsewhere.",
    discussion: """
      Versions, state, problems, devices with their faults, points, metrics, and which decisions there were. Values \
      are in it only of points whose samples may leave (data: {export: raw} in the pack); of the others, and of what \
      people hold by hand and why, there is none. It can be read before it is sent.
      """)
  @Argument(help: "The file to make.") var file: String
  @OptionGroup var options: Options

  func perform(_ session: Session) throws(APIProblem) -> Outcome {
    let bundle = try SupportBundle(
      meta: session.client.get("/v1/meta", as: API.Meta.self).data,
      status: session.client.get("/v1/status", as: API.Status.self).data,
      devices: session.client.get("/v1/devices", as: API.Devices.self).data.devices,
      points: session.client.get("/v1/points", as: API.Points.self).data.points,
      decisions: session.client.get("/v1/decisions?limit=100", as: API.Decisions.self).data.decisions)
    let json = try APIJSON.encode(bundle)
    try WholeFile.write(file, json)
    let shown = bundle.points.count { $0.value != nil }
    let made = API.SupportMade(file: file, bytes: json.count, points: bundle.points.count, withValues: shown)
    let screen = Screen(style: session.style, now: Stream.now)
    let text = "\(file): \(json.count / 1000 + 1) kB, \(bundle.points.count) points, \(shown) with their values"
    let document = API.Document(made, header: API.Header(site: bundle.site), at: Stream.now)
    return Outcome(screen.finish([text]), json: (try? APIJSON.encode(document)) ?? [], exit: .well)
  }
}

extension API {
  struct SupportMade: Codable, Sendable, Equatable {
    var file: String
    var bytes: Int
    var points: Int
    var withValues: Int
  }
}

/// The bundle's content. What is not named here is not in it: texts that people wrote, and those that may tell a value,
/// are left behind.
struct SupportBundle: Codable, Equatable {
  var format = 1
  var site: String
  var version: String
  var features: [String]
  var startedAt: Timestamp?
  var state: String
  var mode: String
  var modeCeiling: String?
  var pack: API.Pack
  var clock: API.Clock
  var process: API.Process?
  var store: API.Store?
  var leasesOpen: Int
  var pointCounts: API.PointCounts
  var alarmCounts: API.AlarmCounts
  var problems: [Problem]
  var devices: [API.Device]
  var points: [Point]
  var decisions: [Decision]

  struct Problem: Codable, Equatable {
    var id: String
    var code: String
    var severity: String
    var title: String
    var cause: String?
    var since: Timestamp
    var children: Int
  }

  struct Point: Codable, Equatable {
    var id: String
    var device: String
    var quality: String
    /// Absent unless its samples may leave.
    var value: Double?
    var unit: String
    var ref: Int?
    var writable: Bool
    var export: String
  }

  struct Decision: Codable, Equatable {
    var id: String
    var at: Timestamp
    var point: String
    var mode: String
    var disposition: String
    var outcome: String
    var binding: String?
  }

  init(
    meta: API.Meta, status: API.Status, devices: [API.Device], points: [API.Point], decisions: [API.Decision]
  ) {
    (site, version, features, startedAt) = (meta.site, meta.version, meta.features, meta.startedAt)
    (state, mode, modeCeiling, pack, clock) = (
      status.state, status.mode, status.modeCeiling, status.pack, status.clock
    )
    (process, store, leasesOpen) = (status.process, status.store, status.leasesOpen)
    (pointCounts, alarmCounts) = (status.points, status.alarms)
    problems = status.problems.map {
      Problem(
        id: $0.id, code: $0.code, severity: $0.severity, title: $0.title, cause: $0.cause, since: $0.since,
        children: $0.children)
    }
    self.devices = devices
    self.points = points.map { point in
      let mayLeave = point.export == DataPolicy.Export.raw.name
      return Point(
        id: point.id, device: point.device, quality: point.value.quality, value: mayLeave ? point.value.value : nil,
        unit: point.value.unit, ref: point.ref, writable: point.writable, export: point.export ?? "never")
    }
    self.decisions = decisions.map {
      Decision(
        id: $0.id, at: $0.at, point: $0.point, mode: $0.mode, disposition: $0.disposition, outcome: $0.outcome,
        binding: $0.binding)
    }
  }
}
