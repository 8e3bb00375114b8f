import NIOCore
import NIOHTTP1

/// Puts the parts of a request together within its limits of size and time. One for each connection, on its event
/// loop.
///
/// A connection waits at most `headSeconds` for its first request, `bodySeconds` for a body, `idleSeconds` between
/// two requests and `stallSeconds` for a peer that does not read. While a request is being answered no clock runs
/// here.
final class RequestAssembler: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = Incoming
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  private let limits: StatusServer.Limits
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var unanswered = 0
  private var isRejected = false
  private var timer: Scheduled<Void>?
  private var stall: Scheduled<Void>?

  init(limits: StatusServer.Limits) { self.limits = limits }

  func channelActive(context: ChannelHandlerContext) {
    wait(limits.headSeconds, for: "its head", context)
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    stall?.cancel()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isRejected else { return }
    switch unwrapInboundIn(data) {
    case .head(let received):
      wait(limits.bodySeconds, for: "its body", context)
      head = received
      body = []
      if let length = received.headers.first(name: "content-length").flatMap(Int.init), length > limits.bodyBytes {
        reject(tooLarge, context)
      }
    case .body(let bytes):
      guard body.count + bytes.readableBytes <= limits.bodyBytes else { return reject(tooLarge, context) }
      body.append(contentsOf: bytes.readableBytesView)
    case .end:
      timer?.cancel()
      guard let head, let request = Request(head, body: body) else {
        return reject(
          APIProblem(
            status: 400, code: "api.malformed", title: "the target of the request cannot be read",
            cause: "it must be a path, percent-encoded UTF-8", next: "ask for /v1/status"), context)
      }
      (self.head, body) = (nil, [])
      unanswered += 1
      context.fireChannelRead(wrapInboundOut(.request(request)))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
    guard error != .invalidEOFState else { return }
    if error == .headerOverflow {
      reject(
        APIProblem(
          status: 431, code: "api.too_large", title: "the head of the request is larger than \(limits.headBytes) bytes",
          next: "send fewer or shorter headers"), context)
    } else {
      reject(
        APIProblem(
          status: 400, code: "api.malformed", title: "the request is not HTTP/1.1", cause: "\(error)",
          next: "use twinctl, or curl --unix-socket"), context)
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    if case .end = unwrapOutboundIn(data) {
      unanswered -= 1
      if unanswered == 0, head == nil { waitIdle(context) }
    }
    context.write(data, promise: promise)
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    stall?.cancel()
    stall = nil
    if !context.channel.isWritable {
      let channel = context.channel
      stall = context.eventLoop.scheduleTask(in: .seconds(limits.stallSeconds)) { channel.close(promise: nil) }
    }
    context.fireChannelWritabilityChanged()
  }

  private var tooLarge: APIProblem {
    APIProblem(
      status: 413, code: "api.too_large", title: "the body is larger than \(limits.bodyBytes) bytes",
      next: "send less at once")
  }

  private func reject(_ problem: APIProblem, _ context: ChannelHandlerContext) {
    guard !isRejected else { return }
    isRejected = true
    timer?.cancel()
    (head, body) = (nil, [])
    unanswered += 1
    context.fireChannelRead(wrapInboundOut(.rejected(problem)))
    context.fireChannelReadComplete()
  }

  private func wait(_ seconds: Int64, for what: String, _ context: ChannelHandlerContext) {
    timer?.cancel()
    let here = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: .seconds(seconds)) {
      let (assembler, context) = here.value
      assembler.reject(
        APIProblem(
          status: 408, code: "api.request_timeout", title: "the request did not come within \(seconds) s",
          cause: "still waiting for \(what)", next: "send it whole, at once"), context)
    }
  }

  /// A connection that is kept open for nothing ends without a word.
  private func waitIdle(_ context: ChannelHandlerContext) {
    timer?.cancel()
    let channel = context.channel
    timer = context.eventLoop.scheduleTask(in: .seconds(limits.idleSeconds)) { channel.close(promise: nil) }
  }
}

/// Swallows errors of accept(2), such as too many open files: the loop goes on accepting after NIO's own pause.
final class AcceptErrorSink: ChannelInboundHandler, Sendable {
  typealias InboundIn = Channel
  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
