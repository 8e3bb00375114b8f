import Glibc
import Seams

/// One connection from its CONNECT to its end, turned over by the link's thread.
///
/// Until the broker has answered, it is looked after every `handshakePollMs` instead of by readiness for writing: while
/// TLS shakes hands, the library keeps asking to write what it then does not write.
final class LinkSession {
  private enum Stage { case greeting, online, leaving }

  private static let handshakePollMs: Int32 = 50
  private static let leaveMs = 1_000
  /// Sent bytes that nobody acknowledges end the connection after this long, whatever the keep-alive.
  private static let deadPeerMs: Int32 = 120_000
  private static let ordersPerTurnMax = 32
  /// Acknowledgements, pings and TLS records around a packet of the largest size.
  private static let framingBytesMax = 65_536

  private let library: LibMosquitto
  private let settings: BrokerSettings
  private let desk: OrderDesk
  private let onEvent: (MessageEvent) -> Void
  private var stage = Stage.greeting
  private var deadline: ContinuousClock.Instant
  private var waiting: [Int32: (id: MessageID, slot: OrderDesk.Slot)] = [:]
  private var end: MessageFault?
  private var hasMore = false
  private var packetsSeen = 0
  private var bytesAtLastPacket: UInt64 = 0

  init(
    _ library: LibMosquitto, _ settings: BrokerSettings, _ desk: OrderDesk, deadline: ContinuousClock.Instant,
    onEvent: @escaping (MessageEvent) -> Void
  ) {
    (self.library, self.settings, self.desk) = (library, settings, desk)
    (self.deadline, self.onEvent) = (deadline, onEvent)
    var limit = Self.deadPeerMs
    _ = unsafe setsockopt(
      library.descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &limit, socklen_t(MemoryLayout<Int32>.size))
    library.adopt { [unowned self] in hear($0) }
  }

  /// One wait and what it brought; the fault once the session is over.
  func turn() -> MessageFault? {
    if stage == .online { giveOrders() }
    if end == nil { look() }
    if end == nil { settle(library.misc()) }
    if end == nil, stage != .online, deadline <= .now { end = overdue }
    return end
  }

  /// Says good-bye to the broker, which forgets the will. `turn` tells when it is done.
  func leave() {
    guard stage != .leaving else { return }
    let wasOnline = stage == .online
    stage = .leaving
    deadline = .now + .milliseconds(Self.leaveMs)
    guard wasOnline, library.disconnect() == 0 else { return end = Self.requested }
    settle(library.write())
  }

  static let requested = MessageFault(
    .requested, "the session was ended by this side", remedy: "connect again when wanted")

  private var overdue: MessageFault {
    stage == .leaving
      ? Self.requested
      : MessageFault(
        .timeout, "\(settings.address.host):\(settings.address.port): no answer within \(settings.connectTimeoutMs) ms",
        remedy: "check that a broker with TLS listens there")
  }

  private func giveOrders() {
    for _ in 0..<Self.ordersPerTurnMax where end == nil && !library.wantsToWrite {
      guard let order = desk.takeOrder() else { return }
      let (status, id): (Int32, Int32)
      let slot: OrderDesk.Slot
      switch order.kind {
      case .publish(let message):
        (status, id) = library.publish(message)
        slot = message.delivery == .atLeastOnce ? .window : .unwritten
      case .subscribe(let filter):
        (status, id) = library.subscribe(filter)
        slot = .subscription
      }
      guard status == 0 else {
        return end = MessageFault(
          .malformed, "libmosquitto \(LibMosquitto.version) refused an order: \(LibMosquitto.words(status))",
          remedy: "report it; twind is tested with libmosquitto 2.0.11")
      }
      waiting[id] = (order.id, slot)
      settle(library.write())
    }
  }

  private func look() {
    let wantsToWrite = stage != .greeting && library.wantsToWrite
    var watched = [
      pollfd(fd: library.descriptor, events: Int16(POLLIN) | (wantsToWrite ? Int16(POLLOUT) : 0), revents: 0),
      pollfd(fd: desk.wake.readEnd, events: Int16(POLLIN), revents: 0),
    ]
    let count = unsafe poll(&watched, 2, waitMs)
    if count > 0, watched[1].revents != 0 { desk.wake.drain() }
    let seen = count > 0 ? Int32(watched[0].revents) : 0
    if stage == .greeting { return greet(seen) }
    if seen & (POLLIN | POLLHUP | POLLERR | POLLNVAL) != 0 || hasMore { read() }
    if end == nil, library.wantsToWrite { settle(library.write()) }
    // A socket that stays ready without being read would make this loop spin.
    if end == nil, seen & (POLLERR | POLLNVAL) != 0 { end = closed("the connection broke") }
  }

  private func greet(_ seen: Int32) {
    let isOver = seen & (POLLIN | POLLHUP | POLLERR | POLLNVAL) != 0 && peerIsGone
    read()
    if end == nil { settle(library.write()) }
    // The library takes the end of a handshake for a reason to try again, at once and for ever.
    if end == nil, isOver, stage == .greeting { end = closed("the other side closed during the greeting") }
  }

  private var peerIsGone: Bool {
    var byte: UInt8 = 0
    let count = unsafe recv(library.descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
    let code = errno
    return count == 0 || count < 0 && code != EAGAIN && code != EINTR
  }

  private func read() {
    let (status, more) = library.read()
    hasMore = more
    settle(status)
    if end == nil { boundPacket() }
  }

  /// The library has no limit for what a broker sends, and asks for the memory of a whole packet before it has come.
  private func boundPacket() {
    guard let received = receivedBytes else { return }
    if library.packetsReceived != packetsSeen {
      (packetsSeen, bytesAtLastPacket) = (library.packetsReceived, received)
    } else if received - bytesAtLastPacket > UInt64(settings.packetBytesMax + Self.framingBytesMax) {
      end = MessageFault(
        .tooLarge, "the broker sent more than \(settings.packetBytesMax) bytes in one packet",
        remedy: "check which broker this is: ours was told the limit")
    }
  }

  /// TCP_INFO's tcpi_bytes_received, 128 bytes into what the kernel fills (linux/tcp.h; since Linux 4.1).
  private var receivedBytes: UInt64? {
    var info = [UInt8](repeating: 0, count: 136)
    var size = socklen_t(info.count)
    let status = unsafe getsockopt(library.descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &size)
    guard status == 0, size == 136 else { return nil }
    return unsafe info.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: 128, as: UInt64.self) }
  }

  private var waitMs: Int32 {
    if hasMore { return 0 }
    switch stage {
    case .greeting: return Self.handshakePollMs
    case .leaving: return Self.handshakePollMs
    // The keep-alive counts whole seconds; an eighth of it is late by little.
    case .online: return min(max(Int32(settings.keepAliveS) * 1000 / 8, 250), 5_000)
    }
  }
}

extension LinkSession {
  /// Called inside the library's callbacks.
  private func hear(_ notice: LibMosquitto.Notice) {
    switch notice {
    case .answered(let reason, let limits): greeted(MessageReason(rawValue: reason), limits)
    case .received(let message):
      if stage == .online { onEvent(.received(message)) }
    case .published(let id, let reason):
      if let known = answered(id) { onEvent(.published(known, MessageReason(rawValue: reason))) }
    case .subscribed(let id, let reasons):
      if let known = answered(id) { onEvent(.subscribed(known, reasons.map { MessageReason(rawValue: $0) })) }
    case .ended(let status): settle(status, isEnd: true)
    }
  }

  private func greeted(_ reason: MessageReason, _ server: LibMosquitto.ServerLimits) {
    guard stage == .greeting, end == nil else { return }
    guard !reason.isFailure, reason == .success else { return end = refused(reason) }
    guard server.deliveryMax != 0, server.isRetainAvailable != false else {
      return end = MessageFault(
        .malformed, "the broker offers no QoS 1 or keeps no messages", remedy: "allow both in the broker's settings")
    }
    let limits = MessageLimits(
      packetBytesMax: min(Int(server.packetBytesMax ?? .max), PublishPacket.remainingBytesMax),
      windowMax: min(Int(settings.windowMax), Int(server.receiveMaximum ?? .max)), clientID: server.clientID)
    stage = .online
    desk.sessionBegan(limits)
    onEvent(.connected(limits))
  }

  private func answered(_ id: Int32) -> MessageID? {
    guard let known = waiting.removeValue(forKey: id) else { return nil }
    desk.answered(known.slot)
    return known.id
  }

  /// Turns the library's codes, and the broker's reasons from 0x80 on, into the end of the session.
  private func settle(_ status: Int32, isEnd: Bool = false) {
    guard end == nil, status != 0 || isEnd || library.descriptor < 0 else { return }
    if stage == .leaving { return end = Self.requested }
    if status >= 0x80 { return end = refused(MessageReason(rawValue: UInt8(truncatingIfNeeded: status))) }
    let name = "\(settings.address.host):\(settings.address.port)"
    switch LibMosquitto.Ending(status) {
    case .tls:
      end = tlsFailed(name)
    case .silent:
      end = MessageFault(
        .silent, "\(name): no answer to the keep-alive of \(settings.keepAliveS) s", remedy: "check the network")
    case .malformed:
      end = MessageFault(
        .malformed, "\(name): \(LibMosquitto.words(status))", remedy: "check that this is an MQTT 5 broker")
    case .lost where stage == .greeting && library.complaint != nil:
      // In TLS 1.3 a refused client certificate shows only when the first answer is read.
      end = tlsFailed(name)
    case .lost where stage == .greeting:
      // And not even then when its alert was overtaken by the reset of a connection that still had bytes of ours.
      end = closed("closed before the broker answered; a certificate that it refuses looks like this")
    case .lost:
      end = closed(LibMosquitto.words(status))
    }
  }

  private func tlsFailed(_ name: String) -> MessageFault {
    MessageFault(
      .tlsFailed, "\(name): \(library.complaint ?? "no TLS session")",
      remedy: "check both sides' certificates, the host name in the broker's, and the clocks")
  }

  private func refused(_ reason: MessageReason) -> MessageFault {
    MessageFault(
      .refused, "the broker ended the session: \(LibMosquitto.words(reason)) (\(reason.rawValue))",
      remedy: "check the broker's log and what the site's certificate is allowed", reason: reason)
  }

  private func closed(_ why: String) -> MessageFault {
    MessageFault(
      .closed, "\(settings.address.host):\(settings.address.port): \(why)",
      remedy: "nothing at first; if it recurs, look for a second client with the same certificate")
  }
}
