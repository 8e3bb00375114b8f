import Broker
import Glibc
import MQTT
import Seams
import Synchronization
import Testing
import TwinCore

/// The events of one link in their order, for tests that wait for one; and the link itself.
final class Client: Sendable {
  private static let waitsMax = 3_000
  private static let waitUs: UInt32 = 10_000

  let link: BrokerLink
  private let events: EventLog

  init(_ settings: BrokerSettings, inside: @escaping @Sendable (MessageEvent) -> Void = { _ in }) {
    let events = EventLog()
    self.events = events
    link = BrokerLink(settings) { event in
      inside(event)
      events.append(event)
    }
  }

  deinit { link.close() }

  var seen: [MessageEvent] { events.all }

  /// The first thing that `pick` finds among the events from `start` on, and the place behind it.
  func wait<T>(
    from start: Int = 0, for what: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ pick: (MessageEvent) -> T?
  ) throws -> (found: T, next: Int) {
    for _ in 0..<Self.waitsMax {
      let all = events.all
      for index in all.indices.dropFirst(start) {
        if let found = pick(all[index]) { return (found, index + 1) }
      }
      _ = usleep(Self.waitUs)
    }
    Issue.record("no \(what); seen from \(start): \(seen.dropFirst(start))", sourceLocation: sourceLocation)
    throw BrokerFault("no \(what)")
  }

  @discardableResult
  func connect(will: OutgoingMessage? = nil) throws -> MessageLimits {
    let start = seen.count
    try link.connect(will: will)
    return try wait(from: start, for: "session") { if case .connected(let limits) = $0 { limits } else { nil } }.found
  }

  func end(from start: Int = 0) throws -> MessageFault {
    try wait(from: start, for: "end") { if case .disconnected(let fault) = $0 { fault } else { nil } }.found
  }

  /// What one attempt that must fail ends with.
  func failedConnect() throws -> MessageFault {
    let start = seen.count
    try link.connect(will: nil)
    return try end(from: start)
  }

  func publish(
    _ topic: String, _ payload: [UInt8] = [], delivery: OutgoingMessage.Delivery = .atLeastOnce
  ) throws -> MessageReason {
    let id = try link.publish(OutgoingMessage(topic: topic, payload: payload, delivery: delivery))
    return try wait(for: "answer to \(id)") {
      if case .published(id, let reason) = $0 { reason } else { nil }
    }.found
  }

  func subscribe(_ filter: String) throws -> [MessageReason] {
    let id = try link.subscribe(filter)
    return try wait(for: "answer to \(id)") {
      if case .subscribed(id, let reasons) = $0 { reasons } else { nil }
    }.found
  }

  func message(on topic: String, from start: Int = 0) throws -> IncomingMessage {
    try wait(from: start, for: "message on \(topic)") {
      if case .received(let message) = $0, message.topic == topic { message } else { nil }
    }.found
  }

  var received: [IncomingMessage] {
    seen.compactMap { if case .received(let message) = $0 { message } else { nil } }
  }

  private final class EventLog: Sendable {
    private let events = Mutex<[MessageEvent]>([])

    var all: [MessageEvent] { events.withLock { $0 } }
    func append(_ event: MessageEvent) { events.withLock { $0.append(event) } }
  }
}

extension Broker {
  /// Settings of a client whose certificate is made out to `name`.
  func settings(_ name: String, port: UInt16? = nil) throws -> BrokerSettings {
    let client = try files.client(name)
    var settings = BrokerSettings(
      address: BrokerAddress(host: "127.0.0.1", port: port ?? self.port),
      credentials: BrokerCredentials(
        authorities: client.authorities, certificate: client.certificate, key: client.key),
      clientID: name)
    // What a test waits for comes soon or not at all; the machine may be slow.
    settings.connectTimeoutMs = 20_000
    return settings
  }

  func worker() throws -> Client { Client(try settings("w-1.foundation")) }
}

/// Looks until `isSo`, a bounded number of times.
func eventually(_ isSo: () -> Bool) -> Bool {
  for _ in 0..<3_000 {
    if isSo() { return true }
    _ = usleep(10_000)
  }
  return isSo()
}

/// splitmix64, so that a failing seed is enough to see the failure again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
