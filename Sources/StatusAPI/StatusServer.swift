import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
public import Seams
import Synchronization
import TwinCore

/// Serves a `StatusSource`, or a foundation's `FleetSource`, as HTTP/1.1 on a unix socket: the only way in for people
/// and tools.
///
/// Whoever can open the socket reads; root, the daemon's own user and the operator group write. One event-loop thread
/// moves bytes; requests are answered on the cooperative pool, each connection's in order. Nothing here can delay the
/// control loop.
public final class StatusServer: Sendable {
  public static let socketDefault = "/run/twind/status.sock"

  /// How much a client may ask of the daemon.
  public struct Limits: Sendable {
    public var connections = 64
    public var headBytes = 16 * 1024
    public var bodyBytes = 1024 * 1024
    public var headSeconds: Int64 = 10
    public var bodySeconds: Int64 = 30
    public var idleSeconds: Int64 = 60
    /// A peer that reads nothing for so long is let go.
    public var stallSeconds: Int64 = 60
    public var heartbeatSeconds: Int64 = 5

    public init() {}
  }

  let table: RouteTable
  let clock: any SiteClock
  let limits: Limits
  let operatorGroup: UInt32?
  let idempotency = IdempotencyCache()
  private let socketPath: String
  private let connections = Atomic<Int>(0)

  /// `operatorGroup` is the number of the group that may write; nil for root and the daemon's own user alone.
  public init(
    socketPath: String = StatusServer.socketDefault, operatorGroup: UInt32?, source: any StatusSource,
    clock: any SiteClock, limits: Limits = Limits()
  ) {
    (self.socketPath, self.operatorGroup, table) = (socketPath, operatorGroup, .site(source))
    (self.clock, self.limits) = (clock, limits)
  }

  /// The same server for a foundation's console.
  public init(
    socketPath: String, operatorGroup: UInt32?, fleet: any FleetSource, clock: any SiteClock, limits: Limits = Limits()
  ) {
    (self.socketPath, self.operatorGroup, table) = (socketPath, operatorGroup, .fleet(fleet))
    (self.clock, self.limits) = (clock, limits)
  }

  /// Serves until its task is cancelled, then returns normally. `onListening` is called once clients can connect.
  /// Throws `api.socket…` when it cannot begin.
  public func run(onListening: @Sendable () -> Void = {}) async throws(APIProblem) {
    let bound = try BoundSocket.open(socketPath)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var failure: (any Error)?
    do {
      let listener = try await listen(bound.socket, group)
      onListening()
      try await accept(listener)
    } catch {
      failure = error
    }
    bound.release()
    try? await group.shutdownGracefully()
    if let failure, !(failure is CancellationError), !Task.isCancelled {
      throw APIProblem(
        status: 0, code: "api.socket", title: "the status socket stopped", cause: "\(failure)",
        next: "restart the daemon; if it comes again, report it")
    }
  }

  /// Not an async channel yet: one that is never served, because the server ends first, would trap when it goes.
  private struct Connection: Sendable {
    var channel: any Channel
    var peer: Peer?
  }

  private func listen(
    _ socket: Int32, _ group: MultiThreadedEventLoopGroup
  ) async throws -> NIOAsyncChannel<Connection, Never> {
    let limits = limits
    return try await ServerBootstrap(group: group)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(AcceptErrorSink()) }
      }
      // Nothing is read before somebody is there to take it.
      .childChannelOption(.autoRead, value: false)
      .bind(socket) { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          var limit = NIOHTTPDecoderLimitConfiguration()
          limit.maxHeaderFieldSize = limits.headBytes
          limit.maxHeaderListSize = limits.headBytes
          limit.maxHeaderFieldCount = 100
          try pipeline.addHandler(HTTPResponseEncoder())
          try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limit)))
          try pipeline.addHandler(RequestAssembler(limits: limits))
          let peer = try pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { Peer(socket: $0) }
          return Connection(channel: channel, peer: peer ?? nil)
        }
      }
  }

  private func accept(_ listener: NIOAsyncChannel<Connection, Never>) async throws {
    try await listener.executeThenClose { inbound in
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in inbound {
          let isFull = connections.add(1, ordering: .relaxed).newValue > limits.connections
          group.addTask {
            // A connection that breaks concerns nobody else.
            try? await self.serve(connection, isFull: isFull)
            self.connections.subtract(1, ordering: .relaxed)
          }
        }
        group.cancelAll()
      }
    }
  }

  private func serve(_ connection: Connection, isFull: Bool) async throws {
    let wrapped = try await wrap(connection.channel)
    try await wrapped.executeThenClose { inbound, outbound in
      if isFull {
        let problem = APIProblem(
          status: 503, code: "api.busy", title: "\(limits.connections) connections are open already",
          next: "close one (a forgotten watch?), then try again")
        return try await write(Response(problem), keepAlive: false, to: outbound, over: connection.channel)
      }
      for try await incoming in inbound {
        switch incoming {
        case .rejected(let problem):
          return try await write(Response(problem), keepAlive: false, to: outbound, over: connection.channel)
        case .request(let request):
          switch await answer(request, from: connection.peer) {
          case .response(let response):
            try await write(response, keepAlive: request.keepAlive, to: outbound, over: connection.channel)
            if !request.keepAlive { return }
          case .events(let events):
            return try await stream(events, over: connection.channel, to: outbound)
          }
        }
      }
    }
  }

  /// A channel is handed over before the loop has made it active, and may be gone again before anyone serves it.
  private func wrap(
    _ channel: any Channel
  ) async throws -> NIOAsyncChannel<Incoming, HTTPServerResponsePart> {
    for _ in 0..<Self.activationTries {
      let wrapped = try await channel.eventLoop.submit { () -> NIOAsyncChannel<Incoming, HTTPServerResponsePart>? in
        guard channel.isActive else { return nil }
        let wrapped = try NIOAsyncChannel<Incoming, HTTPServerResponsePart>(wrappingChannelSynchronously: channel)
        try channel.syncOptions?.setOption(.autoRead, value: true)
        return wrapped
      }.get()
      if let wrapped { return wrapped }
      try await channel.eventLoop.scheduleTask(in: .milliseconds(5)) {}.futureResult.get()
    }
    channel.close(promise: nil)
    throw ChannelError.ioOnClosedChannel
  }

  private static let activationTries = 20

  /// Returns when all of it is with the kernel: closing the channel drops what still waits in it.
  private func write(
    _ response: Response, keepAlive: Bool, to outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>,
    over channel: any Channel
  ) async throws {
    var headers = HTTPHeaders([
      ("Content-Type", response.contentType), ("Content-Length", "\(response.body.count)"),
      ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
    ])
    if let allow = response.allow { headers.add(name: "Allow", value: allow) }
    if !keepAlive { headers.add(name: "Connection", value: "close") }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: response.status), headers: headers)
    try await outbound.write(contentsOf: [.head(head), .body(.byteBuffer(ByteBuffer(bytes: response.body)))])
    try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
  }
}
