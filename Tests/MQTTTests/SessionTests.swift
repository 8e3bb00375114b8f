import Broker
import Glibc
import MQTT
import Seams
import Synchronization
import Testing

@Suite("A session carries messages both ways, within its bounds")
struct SessionTests {
  @Test("QoS 1 goes up and down, QoS 0 down, and a shared subscription gets what a plain one would")
  func roundTrip() throws {
    let broker = try Broker()
    let (site, worker) = (Client(try broker.settings("acme.site1")), try broker.worker())
    let limits = try site.connect()
    #expect(limits.packetBytesMax == 327_680 && limits.windowMax == 32)
    try worker.connect()
    #expect(try site.publish("tw/1/up/acme.site1/log/audit", [1]) == .noMatchingSubscribers)
    #expect(try worker.subscribe("$share/ingest/tw/1/up/+/log/+").map(\.isFailure) == [false])
    #expect(try site.subscribe("tw/1/dn/acme.site1/#").map(\.isFailure) == [false])
    let payload = (0..<40_000).map { UInt8(truncatingIfNeeded: $0) }
    #expect(try site.publish("tw/1/up/acme.site1/log/audit", payload) == .success)
    #expect(try worker.message(on: "tw/1/up/acme.site1/log/audit").payload == payload)
    #expect(try worker.publish("tw/1/dn/acme.site1/ack/audit", [2], delivery: .atMostOnce) == .success)
    #expect(try site.message(on: "tw/1/dn/acme.site1/ack/audit").payload == [2])
    site.link.disconnect()
    #expect(try site.end().kind == .requested)
  }

  @Test("a thousand messages arrive once each and in order, the window never wider than agreed")
  func manyMessages() throws {
    let broker = try Broker()
    let (site, worker) = (Client(try broker.settings("acme.site1")), try broker.worker())
    try site.connect()
    try worker.connect()
    _ = try worker.subscribe("tw/1/up/+/log/+")
    var refused = 0
    for number in 0..<1_000 {
      let payload = [UInt8(number & 255), UInt8(number >> 8)]
      let message = OutgoingMessage(topic: "tw/1/up/acme.site1/log/audit", payload: payload)
      while true {
        do {
          _ = try site.link.publish(message)
          break
        } catch {
          try #require(error.kind == .windowFull)
          refused += 1
          _ = usleep(500)
        }
      }
    }
    #expect(eventually { worker.received.count >= 1_000 })
    #expect(worker.received.map { Int($0.payload[0]) | Int($0.payload[1]) << 8 } == Array(0..<1_000))
    #expect(refused > 0)
  }

  @Test("row 19: a packet beyond the broker's limit is refused before it is sent, and the session goes on")
  func overLimit() throws {
    let broker = try Broker()
    let site = Client(try broker.settings("acme.site1"))
    let limits = try site.connect()
    let topic = "tw/1/up/acme.site1/log/audit"
    // Header 1 + 3, topic 2 + 28, identifier 2, properties 1.
    let most = limits.packetBytesMax - 37
    for extra in [1, 1_000_000] {
      #expect(throws: MessageFault.self) {
        _ = try site.link.publish(OutgoingMessage(topic: topic, payload: [UInt8](repeating: 0, count: most + extra)))
      }
    }
    do throws(MessageFault) {
      _ = try site.link.publish(OutgoingMessage(topic: topic, payload: [UInt8](repeating: 0, count: most + 1)))
    } catch {
      #expect(error.kind == .tooLarge && error.message.contains("327681") && !error.isRetriable)
    }
    #expect(try site.publish(topic, [UInt8](repeating: 0, count: most)) == .noMatchingSubscribers)
    #expect(site.seen.allSatisfy { if case .disconnected = $0 { false } else { true } })
  }

  @Test("what the broker drops for its size comes back as 0x95")
  func droppedForSize() throws {
    let broker = try Broker(changes: ["message_size_limit 100"])
    let site = Client(try broker.settings("acme.site1"))
    try site.connect()
    let reason = try site.publish("tw/1/up/acme.site1/log/audit", [UInt8](repeating: 0, count: 200))
    #expect(reason == .packetTooLarge)
    #expect(try site.publish("tw/1/up/acme.site1/log/audit", [1]) == .noMatchingSubscribers)
  }

  @Test("a stalled broker fills the window, and nothing is queued beyond it or sent after the end")
  func boundedWindow() throws {
    let broker = try Broker()
    let site = Client(try broker.settings("acme.site1"))
    try site.connect()
    broker.freeze()
    let message = OutgoingMessage(topic: "tw/1/up/acme.site1/log/audit", payload: [1])
    for _ in 0..<32 { _ = try site.link.publish(message) }
    #expect(throws: MessageFault.self) { _ = try site.link.publish(message) }
    var unwritten = message
    unwritten.delivery = .atMostOnce
    unwritten.payload = [UInt8](repeating: 0, count: 300_000)
    var count = 0
    while count < 1_000, (try? site.link.publish(unwritten)) != nil { count += 1 }
    #expect(count >= 64 && count < 1_000)
    broker.kill()
    broker.thaw()
    _ = try site.end()
    #expect(throws: MessageFault.self) { _ = try site.link.publish(message) }
    try broker.start()
    let worker = try broker.worker()
    try worker.connect()
    _ = try worker.subscribe("tw/1/up/#")
    try site.connect()
    #expect(try site.publish("tw/1/up/acme.site1/log/control", [2]) == .success)
    _ = try worker.message(on: "tw/1/up/acme.site1/log/control")
    #expect(worker.received.map(\.topic) == ["tw/1/up/acme.site1/log/control"])
  }

  @Test("the will comes when a site dies, and not when it says good-bye")
  func will() throws {
    let broker = try Broker()
    let worker = try broker.worker()
    try worker.connect()
    _ = try worker.subscribe("tw/1/up/#")
    let will = OutgoingMessage(topic: "tw/1/up/acme.site1/death", payload: [9])
    let relay = try Relay(to: broker.port)
    let site = Client(try broker.settings("acme.site1", port: relay.port))
    try site.connect(will: will)
    site.link.disconnect()
    _ = try site.end()
    try site.connect(will: will)
    _ = try site.publish("tw/1/up/acme.site1/hb", [1])
    #expect(worker.received.map(\.topic) == ["tw/1/up/acme.site1/hb"])
    relay.cut()
    #expect(try worker.message(on: "tw/1/up/acme.site1/death").payload == [9])
    #expect(try site.end(from: site.seen.count - 1).kind == .closed)
  }

  @Test("a message is acknowledged only after the callback that took it: dying inside loses nothing")
  func commitBeforeAcknowledgement() throws {
    let broker = try Broker()
    let worker = try broker.worker()
    try worker.connect()
    let held = Hold()
    let site = Client(try broker.settings("acme.site1")) { event in
      guard case .received = event else { return }
      while held.isOn { _ = usleep(5_000) }
    }
    try site.connect()
    _ = try site.subscribe("tw/1/dn/acme.site1/#")
    for number in 0..<40 {
      #expect(try worker.publish("tw/1/dn/acme.site1/log", [UInt8(number)]) == .success)
    }
    // The broker has 32 under way and none acknowledged: the window is the witness.
    #expect(eventually { broker.log.contains("Sending PUBLISH to acme.site1") })
    #expect(!broker.log.contains("Received PUBACK from acme.site1"))
    held.release()
    #expect(eventually { site.received.count == 40 })
    #expect(eventually { broker.log.contains("Received PUBACK from acme.site1") })
  }

  @Test("calls at the wrong time and with wrong topics are refused with a reason")
  func misuse() throws {
    let broker = try Broker()
    let site = Client(try broker.settings("acme.site1"))
    func kind(_ body: () throws(MessageFault) -> Void) -> MessageFault.Kind? {
      do throws(MessageFault) {
        try body()
        return nil
      } catch {
        return error.kind
      }
    }
    func publish(_ topic: String) -> MessageFault.Kind? {
      kind { () throws(MessageFault) in _ = try site.link.publish(OutgoingMessage(topic: topic, payload: [])) }
    }
    #expect(publish("a") == .notConnected)
    #expect(kind { () throws(MessageFault) in _ = try site.link.subscribe("a") } == .notConnected)
    site.link.disconnect()
    try site.connect()
    #expect(kind { () throws(MessageFault) in try site.link.connect(will: nil) } == .busy)
    for topic in ["", "a/+", "#", "a\u{0}b", String(repeating: "a", count: 65_536)] {
      #expect(publish(topic) == .badTopic, "\(topic.prefix(9))")
    }
    for filter in ["", "a+", "a/#/b", "#a", "a\u{0}"] {
      #expect(kind { () throws(MessageFault) in _ = try site.link.subscribe(filter) } == .badTopic, "\(filter)")
    }
    site.link.close()
    #expect(publish("a") == .notConnected)
    #expect(kind { () throws(MessageFault) in try site.link.connect(will: nil) } == .busy)
  }

  /// Holds a callback until released.
  private final class Hold: Sendable {
    private let state = Mutex(true)
    var isOn: Bool { state.withLock { $0 } }
    func release() { state.withLock { $0 = false } }
  }
}
