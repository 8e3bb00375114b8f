import NIOHTTP1

/// One whole request, its target taken apart.
struct Request: Sendable {
  var method: String
  /// As it was sent, for messages.
  var path: String
  /// Percent-decoded.
  var segments: [String]
  var query: [(name: String, value: String)]
  var headers: HTTPHeaders
  var body: [UInt8]
  var keepAlive: Bool

  /// Nil when the target is not `/…` or its escapes are no UTF-8.
  init?(_ head: HTTPRequestHead, body: [UInt8] = []) {
    let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let path = parts.first, path.hasPrefix("/") else { return nil }
    var segments: [String] = []
    for part in path.split(separator: "/") {
      guard let segment = Self.decoded(part) else { return nil }
      segments.append(segment)
    }
    var query: [(name: String, value: String)] = []
    for part in parts.count > 1 ? parts[1].split(separator: "&") : [] {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = Self.decoded(pair[0]), let value = Self.decoded(pair.count > 1 ? pair[1] : "") else {
        return nil
      }
      query.append((name, value))
    }
    (method, self.path, self.segments, self.query) = (head.method.rawValue, String(path), segments, query)
    (headers, self.body, keepAlive) = (head.headers, body, head.isKeepAlive)
  }

  /// The first of that name.
  func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// RFC 3986 §2.1; a `+` stays a plus.
  static func decoded(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(nibble), let low = rest.popFirst().flatMap(nibble) else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    Character(Unicode.Scalar(digit)).hexDigitValue.map(UInt8.init)
  }
}

/// What a connection brought: a request, or the reason why what came is none. Nothing follows a rejection.
enum Incoming: Sendable {
  case request(Request)
  case rejected(APIProblem)
}

/// One answer, whole.
struct Response: Sendable, Equatable {
  static let json = "application/json"
  static let problem = "application/problem+json"
  static let text = "text/plain; version=0.0.4; charset=utf-8"
  static let octets = "application/octet-stream"

  var status: Int
  var contentType: String
  var body: [UInt8]
  /// Of 405.
  var allow: String?

  init(status: Int = 200, contentType: String = Response.json, body: [UInt8]) {
    (self.status, self.contentType, self.body) = (status, contentType, body)
  }

  init(_ problem: APIProblem, allow: String? = nil) {
    status = problem.status == 0 ? 500 : problem.status
    contentType = Self.problem
    // Encoding cannot fail: a problem holds no floating-point number.
    body = (try? APIJSON.encode(problem)) ?? []
    self.allow = allow
  }
}
