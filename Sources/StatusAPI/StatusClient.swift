import Glibc
import TwinCore

/// Asks the daemon over its socket: one connection for each request, blocking, made for a command line.
public struct StatusClient: Sendable {
  public let socketPath: String
  /// For the whole of one request and its answer.
  public var timeoutMs: Int

  public static let timeoutMsDefault = 10_000
  /// Longer than three heartbeats: a stream that is silent for so long is dead.
  public static let silenceMsMax = 16_000

  public init(socketPath: String = StatusServer.socketDefault, timeoutMs: Int = StatusClient.timeoutMsDefault) {
    (self.socketPath, self.timeoutMs) = (socketPath, timeoutMs)
  }

  /// An answer as it was read, beside its bytes: a newer daemon may say more than this client knows.
  public struct Answer<Content: Codable & Sendable & Equatable>: Sendable {
    public var document: API.Document<Content>
    public var bytes: [UInt8]
    public var data: Content { document.data }
  }

  /// Reads. Throws the daemon's problem, or `api.not_running`, `api.crashed`, `api.socket_denied`, `api.timeout`.
  public func get<Content>(_ path: String, as type: Content.Type) throws(APIProblem) -> Answer<Content> {
    try answer(exchange("GET", path, body: nil, key: nil))
  }

  /// The metrics page as it stands: Prometheus text.
  public func metrics() throws(APIProblem) -> String {
    String(decoding: try exchange("GET", "/metrics", body: nil, key: nil), as: UTF8.self)
  }

  /// What stands at `path` as it is: for what is no JSON.
  public func bytes(_ path: String) throws(APIProblem) -> [UInt8] {
    try exchange("GET", path, body: nil, key: nil)
  }

  /// Writes, or asks with a body. A `key` makes a repeated write harmless.
  public func send<Content>(
    _ method: String, _ path: String, body: (some Encodable)?, key: String? = nil, as type: Content.Type
  ) throws(APIProblem) -> Answer<Content> {
    var bytes: [UInt8]?
    if let body { bytes = try APIJSON.encode(body) }
    return try answer(exchange(method, path, body: bytes, key: key))
  }

  /// A write without a body.
  public func send<Content>(
    _ method: String, _ path: String, key: String? = nil, as type: Content.Type
  ) throws(APIProblem) -> Answer<Content> {
    try answer(exchange(method, path, body: nil, key: key))
  }

  /// Hands every event to `each` until it returns false or the stream ends; a heartbeat comes as nil.
  public func events(
    points: [String], kinds: [String], since: UInt64?, _ each: (API.Event?) throws(APIProblem) -> Bool
  ) throws(APIProblem) {
    var target = "/v1/events?points=" + points.map(Self.escaped).joined(separator: ",")
    target += "&kinds=" + kinds.map(Self.escaped).joined(separator: ",")
    let socket = try ClientSocket(socketPath, timeoutMs: timeoutMs)
    var headers = ["Accept: text/event-stream"]
    if let since { headers.append("Last-Event-ID: \(since)") }
    try socket.send(Self.head("GET", target, headers))
    var reader = ResponseReader()
    let head = try reader.head(from: socket)
    guard head.status == 200 else { throw Self.problem(head.status, try reader.body(head, from: socket)) }
    var parser = EventParser()
    while let bytes = try reader.some(head, from: socket, silenceMs: Self.silenceMsMax) {
      for item in try parser.feed(bytes) {
        guard try each(item) else { return }
      }
    }
  }

  /// One segment of a path or one value of a query, percent-encoded (RFC 3986 unreserved characters stay).
  public static func escaped(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF")
    return text.utf8.reduce(into: "") { result, byte in
      let scalar = Unicode.Scalar(byte)
      if byte < 128,
        scalar.properties.isAlphabetic || (48...57).contains(byte) || "-._~*".unicodeScalars.contains(scalar)
      {
        result.unicodeScalars.append(scalar)
      } else {
        result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
      }
    }
  }

  private func answer<Content>(_ bytes: [UInt8]) throws(APIProblem) -> Answer<Content> {
    do throws(APIProblem) {
      return Answer(document: try APIJSON.decode(API.Document<Content>.self, from: bytes), bytes: bytes)
    } catch {
      throw APIProblem(
        status: 0, code: "api.skew", title: "the daemon's answer is not understood", cause: error.cause,
        next: "compare the versions of both: twinctl version")
    }
  }

  private func exchange(
    _ method: String, _ path: String, body: [UInt8]?, key: String?
  ) throws(APIProblem) -> [UInt8] {
    let socket = try ClientSocket(socketPath, timeoutMs: timeoutMs)
    var headers: [String] = ["Connection: close"]
    if let key { headers.append("Idempotency-Key: \(key)") }
    if let body { headers += ["Content-Type: application/json", "Content-Length: \(body.count)"] }
    try socket.send(Self.head(method, path, headers) + (body ?? []))
    var reader = ResponseReader()
    let head = try reader.head(from: socket)
    let bytes = try reader.body(head, from: socket)
    guard head.status < 400 else { throw Self.problem(head.status, bytes) }
    return bytes
  }

  private static func head(_ method: String, _ target: String, _ headers: [String]) -> [UInt8] {
    let lines = ["\(method) \(target) HTTP/1.1", "Host: twind"] + headers
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  private static func problem(_ status: Int, _ body: [UInt8]) -> APIProblem {
    if let problem = try? APIJSON.decode(APIProblem.self, from: body) { return problem }
    return APIProblem(
      status: status, code: "api.skew", title: "the daemon answered \(status) without a reason",
      next: "compare the versions of both: twinctl version")
  }
}
