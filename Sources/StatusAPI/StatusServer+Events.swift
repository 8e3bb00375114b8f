import NIOCore
import NIOHTTP1
import Seams
import Synchronization
import TwinCore

extension StatusServer {
  /// Server-sent events (HTML Living Standard §9.2): each with its number, a comment as heartbeat, ends with either
  /// side.
  ///
  /// A reader that does not read holds up only this task; the hub drops its oldest events meanwhile.
  func stream(
    _ events: AsyncStream<API.Event>, over channel: any Channel,
    to outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
  ) async throws {
    let headers = HTTPHeaders([
      ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"), ("Connection", "close"),
    ])
    try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)))
    try await outbound.write(.body(.byteBuffer(ByteBuffer(string: "retry: 2000\n\n"))))
    let (clock, pause) = (clock, limits.heartbeatSeconds * 1_000_000_000)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await event in events {
          try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: try Self.frame(event)))))
        }
      }
      group.addTask {
        while !Task.isCancelled {
          await clock.sleep(until: clock.uptime.advanced(byNanoseconds: pause))
          try await outbound.write(.body(.byteBuffer(ByteBuffer(string: ": \n\n"))))
        }
      }
      group.addTask { try await Self.closed(channel) }
      defer { group.cancelAll() }
      try await group.next()
    }
    try await outbound.write(.end(nil))
  }

  /// `id:`, `event:` and one line of JSON.
  static func frame(_ event: API.Event) throws(APIProblem) -> [UInt8] {
    var text = event.id.map { "id: \($0)\n" } ?? ""
    text += "event: \(event.kind.filter { $0 != "\n" && $0 != "\r" })\ndata: "
    return Array(text.utf8) + (try APIJSON.encode(event)) + Array("\n\n".utf8)
  }

  /// Returns when the peer has gone or the task is cancelled: an event-loop future alone would not hear of the
  /// latter.
  private static func closed(_ channel: any Channel) async throws {
    let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
    channel.closeFuture.whenComplete { _ in continuation.finish() }
    for await _ in stream {}
  }
}
