import Seams
import Synchronization

/// What other threads ask of a link, checked and bounded here, so that the link's thread only carries it out.
final class OrderDesk: Sendable {
  /// Messages of QoS 0 handed over and not yet written, and subscriptions not yet answered; each.
  static let waitingMax = 64

  struct Order {
    enum Kind {
      case publish(OutgoingMessage)
      case subscribe(String)
    }

    let id: MessageID
    let kind: Kind

    fileprivate var slot: Slot {
      switch kind {
      case .publish(let message): message.delivery == .atLeastOnce ? .window : .unwritten
      case .subscribe: .subscription
      }
    }
  }

  /// Which bound an order counts against until it is answered.
  enum Slot { case window, unwritten, subscription }

  /// What the link's thread finds on the desk.
  enum Call {
    case none
    case connect(will: OutgoingMessage?)
    case disconnect
    case stop
  }

  private struct State {
    var limits: MessageLimits?
    var isBusy = false
    var isStopped = false
    var isLeaving = false
    var connect: OutgoingMessage??
    var orders: [Order] = []
    var next: UInt64 = 1
    var window = 0
    var unwritten = 0
    var subscriptions = 0

    subscript(slot: Slot) -> Int {
      get {
        switch slot {
        case .window: window
        case .unwritten: unwritten
        case .subscription: subscriptions
        }
      }
      set {
        switch slot {
        case .window: window = newValue
        case .unwritten: unwritten = newValue
        case .subscription: subscriptions = newValue
        }
      }
    }
  }

  let wake = WakePipe()
  private let state = Mutex(State())

  func connect(will: OutgoingMessage?) throws(MessageFault) {
    if let will { try Self.check(will, packetBytesMax: PublishPacket.topicBytesMax) }
    try state.withLock { (state) throws(MessageFault) in
      guard !state.isStopped, !state.isBusy else {
        throw MessageFault(
          .busy, state.isStopped ? "the link was closed" : "there is a session or an attempt already",
          remedy: "wait for its end")
      }
      state.isBusy = true
      state.connect = .some(will)
    }
    wake.ring()
  }

  func publish(_ message: OutgoingMessage) throws(MessageFault) -> MessageID {
    try place(.publish(message)) { (limits) throws(MessageFault) in
      try Self.check(message, packetBytesMax: limits.packetBytesMax)
      return message.delivery == .atLeastOnce ? limits.windowMax : Self.waitingMax
    }
  }

  func subscribe(_ filter: String) throws(MessageFault) -> MessageID {
    try place(.subscribe(filter)) { (_) throws(MessageFault) in
      guard PublishPacket.isFilter(filter) else {
        throw MessageFault(.badTopic, "\"\(filter)\" is no topic filter", remedy: "see MQTT 5 §4.7")
      }
      return Self.waitingMax
    }
  }

  func disconnect() {
    state.withLock { $0.isLeaving = $0.isBusy }
    wake.ring()
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    wake.ring()
  }

  /// For the link's thread. A call to connect is handed out once, the others stay.
  func takeCall() -> Call {
    state.withLock { state in
      if state.isStopped { return .stop }
      if state.isLeaving { return .disconnect }
      guard let will = state.connect else { return .none }
      state.connect = nil
      return .connect(will: will)
    }
  }

  func takeOrder() -> Order? {
    state.withLock { $0.orders.isEmpty ? nil : $0.orders.removeFirst() }
  }

  func sessionBegan(_ limits: MessageLimits) {
    state.withLock { $0.limits = limits }
  }

  func answered(_ slot: Slot) {
    state.withLock { $0[slot] -= 1 }
  }

  /// Forgets all that was under way; from here on `connect` is taken again.
  func sessionEnded() {
    state.withLock { state in
      state = State(isStopped: state.isStopped, next: state.next)
    }
  }

  private func place(
    _ kind: Order.Kind, _ most: (MessageLimits) throws(MessageFault) -> Int
  ) throws(MessageFault) -> MessageID {
    let id = try state.withLock { (state) throws(MessageFault) in
      guard let limits = state.limits, !state.isLeaving, !state.isStopped else {
        throw MessageFault(.notConnected, "no session with the broker", remedy: "connect, and wait for the event")
      }
      let order = Order(id: MessageID(number: state.next), kind: kind)
      let most = try most(limits)
      guard state[order.slot] < most else {
        throw MessageFault(
          .windowFull, "\(most) wait for an answer, as many as may", remedy: "go on when one has been published")
      }
      state[order.slot] += 1
      state.next += 1
      state.orders.append(order)
      return order.id
    }
    wake.ring()
    return id
  }

  private static func check(_ message: OutgoingMessage, packetBytesMax: Int) throws(MessageFault) {
    guard PublishPacket.isTopic(message.topic) else {
      throw MessageFault(
        .badTopic, "\"\(message.topic)\" is no topic", remedy: "see MQTT 5 §4.7; wildcards only subscribe")
    }
    let count = PublishPacket.byteCount(
      topicBytes: message.topic.utf8.count, payloadBytes: message.payload.count, delivery: message.delivery)
    guard count <= packetBytesMax else {
      throw MessageFault(
        .tooLarge, "a packet of \(count) bytes, at most \(packetBytesMax) are taken", remedy: "send it in parts")
    }
  }
}
