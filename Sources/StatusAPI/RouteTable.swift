import NIOHTTP1
import Seams
import TwinCore

/// What a route is asked with.
struct Call: Sendable {
  var request: Request
  /// What stood in the places of the path's parameters, in order.
  var arguments: [String]
  var peer: Peer
  var now: Instant
  /// What every answer says beside its data.
  var header: @Sendable () -> API.Header

  /// The body as `type`; throws `api.body`.
  func body<Value: Decodable>(_ type: Value.Type) throws(APIProblem) -> Value {
    try APIJSON.decode(type, from: request.body)
  }

  /// A whole number in the query; throws `api.invalid`.
  func count(_ name: String, default value: Int, max: Int) throws(APIProblem) -> Int {
    guard let text = request.parameter(name) else { return value }
    guard let number = Int(text), (1...max).contains(number) else {
      throw .invalid("\(name)=\(text) is out of range", cause: "wanted 1 to \(max)", next: "ask for \(name)=\(value)")
    }
    return number
  }

  func pattern(_ name: String) throws(APIProblem) -> PointPattern? {
    guard let text = request.parameter(name) else { return nil }
    guard let pattern = PointPattern(text) else {
      throw .invalid(
        "\(name) is no pattern", cause: "wanted 1 to \(PointPattern.lengthMax) bytes",
        next: "ask for \(name)=chiller-1.*")
    }
    return pattern
  }
}

enum Reply: Sendable {
  case response(Response)
  case events(AsyncStream<API.Event>)
}

/// One method on one path; `*` in the path is a parameter.
struct Route: Sendable {
  enum Permit: Sendable { case read, write }

  var method: String
  var path: [String]
  var permit: Permit
  /// The request is answered within this time, or by 504.
  var seconds: Int64
  var handle: @Sendable (Call) async throws(APIProblem) -> Reply

  /// What stands in the parameters, or nil when the path is another.
  func arguments(_ segments: [String]) -> [String]? {
    guard segments.count == path.count else { return nil }
    var found: [String] = []
    for (part, segment) in zip(path, segments) {
      if part == "*" { found.append(segment) } else if part != segment { return nil }
    }
    return found
  }
}

/// The paths of one server.
struct RouteTable: Sendable {
  let routes: [Route]
  let header: @Sendable () -> API.Header

  static let historyMax = 10_000
  static let decisionsMax = 500
  static let answerSeconds: Int64 = 30
  /// A device test waits for time-outs on the wire.
  static let probeSeconds: Int64 = 120

  /// The paths of a site's daemon.
  static func site(_ source: any StatusSource) -> RouteTable {
    RouteTable(routes: reads(source) + writes(source) + models(source), header: { source.header })
  }

  /// The route and its arguments, or the problem (404 with the nearest path, 405 with what is allowed).
  func find(_ request: Request) -> Result<(route: Route, arguments: [String]), Rejection> {
    var allowed: [String] = []
    for route in routes {
      guard let arguments = route.arguments(request.segments) else { continue }
      if route.method == request.method { return .success((route, arguments)) }
      allowed.append(route.method)
    }
    guard allowed.isEmpty else {
      let allow = allowed.joined(separator: ", ")
      return .failure(
        Rejection(
          problem: APIProblem(
            status: 405, code: "api.method", title: "\(request.method) is not possible on \(request.path)",
            next: "use \(allow)"), allow: allow))
    }
    let paths = routes.map { "/" + $0.path.joined(separator: "/") }
    let nearest = NearestName.of(request.path, among: paths.filter { !$0.contains("*") })
    return .failure(
      Rejection(
        problem: APIProblem(
          status: 404, code: "api.path", title: "there is nothing at \(request.path)",
          next: nearest.map { "did you mean \($0)?" } ?? "begin at /v1/meta", nearest: nearest), allow: nil))
  }

  struct Rejection: Error {
    var problem: APIProblem
    var allow: String?
  }

  private static func reads(_ source: any StatusSource) -> [Route] {
    [
      get("v1/meta") { call throws(APIProblem) in try call.document(try await source.meta()) },
      get("v1/status") { call throws(APIProblem) in try call.document(try await source.status()) },
      get("v1/devices") { call throws(APIProblem) in try call.document(try await source.devices()) },
      get("v1/devices/*") { call throws(APIProblem) in
        try call.document(try await source.device(call.arguments[0]))
      },
      get("v1/points") { call throws(APIProblem) in
        try call.document(try await source.points(try call.pattern("match")))
      },
      get("v1/points/*") { call throws(APIProblem) in try call.document(try await source.point(call.arguments[0])) },
      get("v1/points/*/history") { call throws(APIProblem) in
        let limit = try call.count("limit", default: 500, max: historyMax)
        return try call.document(try await source.history(call.arguments[0], since: try call.since(), limit: limit))
      },
      get("v1/points/*/why") { call throws(APIProblem) in try call.document(try await source.why(call.arguments[0]))
      },
      get("v1/decisions") { call throws(APIProblem) in
        let limit = try call.count("limit", default: 50, max: decisionsMax)
        return try call.document(try await source.decisions(limit: limit, point: call.request.parameter("point")))
      },
      get("v1/decisions/*") { call throws(APIProblem) in
        try call.document(try await source.decision(call.arguments[0]))
      },
      get("v1/envelopes") { call throws(APIProblem) in try call.document(try await source.envelopes()) },
      get("v1/envelopes/*") { call throws(APIProblem) in
        try call.document(try await source.envelope(call.arguments[0]))
      },
      get("v1/overrides") { call throws(APIProblem) in try call.document(try await source.overrides()) },
      get("v1/mode") { call throws(APIProblem) in try call.document(try await source.mode()) },
      get("v1/sync") { call throws(APIProblem) in try call.document(try await source.sync()) },
      get("v1/alarms") { call throws(APIProblem) in try call.document(try await source.alarms()) },
      get("v1/events") { call throws(APIProblem) in
        .events(try await source.events(since: try call.lastEventID(), try call.filter()))
      },
      get("metrics") { call throws(APIProblem) in
        .response(Response(contentType: Response.text, body: Array(try await source.metrics().utf8)))
      },
      Route(method: "POST", path: split("v1/envelopes/test"), permit: .read, seconds: answerSeconds) {
        call throws(APIProblem) in
        try call.document(try await source.testEnvelope(try call.body(API.EnvelopeTestRequest.self)))
      },
    ]
  }

  private static func writes(_ source: any StatusSource) -> [Route] {
    [
      write("PUT", "v1/overrides/*") { call throws(APIProblem) in
        let request = try call.body(API.OverrideRequest.self)
        try call.demand(reason: request.reason, forS: request.forS)
        return try call.document(try await source.setOverride(call.arguments[0], request, by: call.peer))
      },
      write("DELETE", "v1/overrides/*") { call throws(APIProblem) in
        try call.document(try await source.clearOverride(call.arguments[0], by: call.peer))
      },
      write("POST", "v1/points/*/corrections") { call throws(APIProblem) in
        let request = try call.body(API.CorrectionRequest.self)
        try call.demand(reason: request.reason)
        return try call.document(try await source.correct(call.arguments[0], request, by: call.peer))
      },
      write("PUT", "v1/mode") { call throws(APIProblem) in
        let request = try call.body(API.ModeRequest.self)
        try call.demand(reason: request.reason)
        return try call.document(try await source.setMode(request, by: call.peer))
      },
      write("POST", "v1/alarms/*/ack") { call throws(APIProblem) in
        try call.document(try await source.acknowledge(call.arguments[0], by: call.peer))
      },
      write("POST", "v1/alarms/*/shelve") { call throws(APIProblem) in
        let request = try call.body(API.ShelveRequest.self)
        try call.demand(reason: request.reason, forS: request.forS)
        return try call.document(try await source.shelve(call.arguments[0], request, by: call.peer))
      },
      Route(method: "POST", path: split("v1/collect/test"), permit: .write, seconds: probeSeconds) {
        call throws(APIProblem) in
        let request = try call.body(API.CollectTestRequest.self)
        return try call.document(try await source.collectTest(request.device, by: call.peer))
      },
    ]
  }

  typealias Handler = @Sendable (Call) async throws(APIProblem) -> Reply

  static func get(_ path: String, _ handle: @escaping Handler) -> Route {
    Route(method: "GET", path: split(path), permit: .read, seconds: answerSeconds, handle: handle)
  }

  static func write(_ method: String, _ path: String, _ handle: @escaping Handler) -> Route {
    Route(method: method, path: split(path), permit: .write, seconds: answerSeconds, handle: handle)
  }

  static func split(_ path: String) -> [String] { path.split(separator: "/").map(String.init) }
}

extension Call {
  static let reasonBytesMax = 500
  static let overrideSecondsMax: Double = 7 * 86_400

  func document<Content: Codable & Sendable & Equatable>(_ data: Content) throws(APIProblem) -> Reply {
    .response(Response(body: try APIJSON.encode(API.Document(data, header: header(), at: now))))
  }

  /// A person's write says why, and for how long: 1 s to a week.
  func demand(reason: String, forS: Double? = nil) throws(APIProblem) {
    guard !reason.allSatisfy(\.isWhitespace), reason.utf8.count <= Self.reasonBytesMax else {
      throw .invalid("a reason is needed", cause: "1 to \(Self.reasonBytesMax) bytes", next: "say in a few words why")
    }
    guard let forS else { return }
    guard forS >= 1, forS <= Self.overrideSecondsMax else {
      throw .invalid("for_s is out of range", cause: "\(forS) s; wanted 1 s to 7 d", next: "choose a time up to a week")
    }
  }

  func since() throws(APIProblem) -> Instant? {
    guard let text = request.parameter("since") else { return nil }
    guard let instant = Instant(rfc3339: text) else {
      throw .invalid("since=\(text) is no time", cause: "wanted RFC 3339", next: "write it like \(now.rfc3339)")
    }
    return instant
  }

  func lastEventID() throws(APIProblem) -> UInt64? {
    guard let text = request.headers.first(name: "last-event-id"), !text.isEmpty else { return nil }
    guard let id = UInt64(text) else {
      throw .invalid("Last-Event-ID is no number", cause: text, next: "leave it out to begin now")
    }
    return id
  }

  func filter() throws(APIProblem) -> EventFilter {
    var points: [PointPattern] = []
    for text in (request.parameter("points") ?? "").split(separator: ",") {
      guard let pattern = PointPattern(String(text)), points.count < Self.patternsMax else {
        throw .invalid(
          "points cannot be read", cause: "wanted at most \(Self.patternsMax) patterns",
          next: "ask for points=chiller-1.*")
      }
      points.append(pattern)
    }
    let kinds = (request.parameter("kinds") ?? "").split(separator: ",").prefix(Self.patternsMax).map(String.init)
    return EventFilter(points: points, kinds: Set(kinds))
  }

  static let patternsMax = 32
}
