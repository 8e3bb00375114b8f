import TwinCore

/// Reads one HTTP/1.1 response off a socket: status line, headers, then a body by length, in chunks or up to the end.
struct ResponseReader {
  static let headBytesMax = 64 * 1024
  static let bodyBytesMax = 64 * 1024 * 1024

  struct Head: Equatable {
    var status: Int
    var length: Int?
    var isChunked: Bool
  }

  private var buffer: [UInt8] = []
  private var at = 0
  private var chunkLeft = 0
  private var isFirstChunk = true

  /// Throws `api.skew` for what is no HTTP, `api.crashed` when the daemon hangs up before it answers.
  mutating func head(from socket: borrowing ClientSocket) throws(APIProblem) -> Head {
    guard let status = try line(from: socket) else { throw Self.hungUp }
    let parts = status.split(separator: " ")
    guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let code = Int(parts[1]) else { throw Self.foreign(status) }
    var head = Head(status: code, length: nil, isChunked: false)
    var read = status.utf8.count
    while let header = try line(from: socket), !header.isEmpty {
      read += header.utf8.count
      guard read <= Self.headBytesMax else { throw Self.foreign("a head without end") }
      let pair = header.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { throw Self.foreign(header) }
      let value = pair[1].drop { $0 == " " }
      switch pair[0].lowercased() {
      case "content-length": head.length = Int(value)
      case "transfer-encoding": head.isChunked = value.lowercased() == "chunked"
      default: break
      }
    }
    return head
  }

  mutating func body(_ head: Head, from socket: borrowing ClientSocket) throws(APIProblem) -> [UInt8] {
    var body: [UInt8] = []
    while body.count < head.length ?? .max, let bytes = try some(head, from: socket, silenceMs: nil) {
      body += bytes
      guard body.count <= Self.bodyBytesMax else { throw Self.foreign("a body without end") }
    }
    guard body.count >= head.length ?? 0 else { throw Self.hungUp }
    return head.length.map { Array(body.prefix($0)) } ?? body
  }

  /// The next piece of the body; nil at its end.
  mutating func some(
    _ head: Head, from socket: borrowing ClientSocket, silenceMs: Int?
  ) throws(APIProblem) -> [UInt8]? {
    if head.isChunked, chunkLeft == 0 {
      if !isFirstChunk { _ = try line(from: socket, silenceMs: silenceMs) }
      isFirstChunk = false
      guard let text = try line(from: socket, silenceMs: silenceMs) else { return nil }
      guard let size = Int(text.prefix { $0 != ";" }, radix: 16), size >= 0 else { throw Self.foreign(text) }
      guard size > 0 else { return nil }
      chunkLeft = size
    }
    if at == buffer.count, try !fill(from: socket, silenceMs: silenceMs) { return nil }
    let end = head.isChunked ? min(buffer.count, at + chunkLeft) : buffer.count
    defer {
      chunkLeft -= head.isChunked ? end - at : 0
      at = end
    }
    return Array(buffer[at..<end])
  }

  /// Without its line end; nil when nothing more comes.
  private mutating func line(
    from socket: borrowing ClientSocket, silenceMs: Int? = nil
  ) throws(APIProblem) -> String? {
    while true {
      if let end = buffer[at...].firstIndex(of: UInt8(ascii: "\n")) {
        let text = String(decoding: buffer[at..<end], as: UTF8.self)
        at = end + 1
        return text.last == "\r" ? String(text.dropLast()) : text
      }
      guard buffer.count - at <= Self.headBytesMax else { throw Self.foreign("a line without end") }
      guard try fill(from: socket, silenceMs: silenceMs) else { return nil }
    }
  }

  /// False at the end of the connection.
  private mutating func fill(from socket: borrowing ClientSocket, silenceMs: Int?) throws(APIProblem) -> Bool {
    let bytes = try socket.receive(silenceMs: silenceMs)
    buffer.removeFirst(at)
    at = 0
    buffer += bytes
    return !bytes.isEmpty
  }

  private static var hungUp: APIProblem {
    APIProblem(
      status: 0, code: "api.crashed", title: "twind hung up before it had answered",
      cause: "the connection ended early", next: "journalctl -u twind -n 50")
  }

  private static func foreign(_ text: String) -> APIProblem {
    APIProblem(
      status: 0, code: "api.skew", title: "what answers on the socket is not twind",
      cause: "it sent \"\(text.prefix(80))\"", next: "see which process holds the socket: ss -xlp")
  }
}

/// Takes a text/event-stream apart (HTML Living Standard §9.2.6): events are given back decoded, a comment as nil.
struct EventParser {
  static let eventBytesMax = 1024 * 1024

  private var line: [UInt8] = []
  private var data: [UInt8] = []

  /// Throws `api.skew` when an event is longer than `eventBytesMax`, `api.body` when its data is no event.
  mutating func feed(_ bytes: [UInt8]) throws(APIProblem) -> [API.Event?] {
    var found: [API.Event?] = []
    for byte in bytes {
      guard byte == UInt8(ascii: "\n") else {
        line.append(byte)
        guard line.count + data.count <= Self.eventBytesMax else {
          throw APIProblem(
            status: 0, code: "api.skew", title: "an event is longer than \(Self.eventBytesMax) bytes",
            next: "compare the versions of both: twinctl version")
        }
        continue
      }
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      defer { line.removeAll(keepingCapacity: true) }
      if line.isEmpty {
        guard !data.isEmpty else { continue }
        defer { data.removeAll(keepingCapacity: true) }
        found.append(try APIJSON.decode(API.Event.self, from: data))
      } else if line[0] == UInt8(ascii: ":") {
        found.append(nil)
      } else if line.starts(with: "data:".utf8) {
        if !data.isEmpty { data.append(UInt8(ascii: "\n")) }
        data += line.dropFirst(line.count > 5 && line[5] == UInt8(ascii: " ") ? 6 : 5)
      }
    }
    return found
  }
}
