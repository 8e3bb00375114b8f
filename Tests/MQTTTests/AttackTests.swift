import Broker
import Glibc
import Seams
import Testing

@testable import MQTT

@Suite("The shipped broker lets in who it should, and no further")
struct AttackTests {
  /// In TLS 1.3 the client has finished when the broker refuses it; the alert can be lost to the reset behind it.
  private let refusals: [MessageFault.Kind] = [.tlsFailed, .closed]

  @Test("row 1: without a certificate, and with a foreign one, TLS ends before any MQTT")
  func foreignCertificate() throws {
    let broker = try Broker()
    let other = try Broker()
    var settings = try broker.settings("acme.site1")
    let own = settings.credentials
    settings.credentials = BrokerCredentials(authoritiesOnly: own.authorities)
    #expect(refusals.contains(try Client(settings).failedConnect().kind))
    let foreign = try other.settings("acme.site1").credentials
    settings.credentials = BrokerCredentials(
      authorities: own.authorities, certificate: try #require(foreign.certificate), key: try #require(foreign.key))
    #expect(refusals.contains(try Client(settings).failedConnect().kind))
    // The other way round: a broker that the site's authorities do not know.
    settings.credentials = foreign
    let fault = try Client(settings).failedConnect()
    #expect(fault.kind == .tlsFailed && fault.message.contains("certificate verify failed"))
    #expect(!broker.log.contains("CONNECT") && !broker.log.contains("as acme.site1"))
  }

  @Test("a broker under another name, and one with a site's certificate, is not believed")
  func falseBroker() throws {
    let broker = try Broker()
    var settings = try broker.settings("acme.site1")
    let listener = try TLSListener("-tls1_3", certificate: broker.folder + "/acme.site1", broker)
    settings.address = BrokerAddress(host: "127.0.0.1", port: listener.port)
    #expect(try Client(settings).failedConnect().kind == .tlsFailed)
    // Another name of the same address, which is not in the broker's certificate.
    settings.address = BrokerAddress(host: "127.1", port: broker.port)
    let fault = try Client(settings).failedConnect()
    #expect(fault.kind == .tlsFailed && fault.message.contains("host name"))
    settings.address = BrokerAddress(host: "localhost", port: broker.port)
    try Client(settings).connect()
  }

  @Test("row 2: TLS 1.2 and below is refused by both ends", arguments: ["-tls1", "-tls1_1", "-tls1_2"])
  func downgrade(_ version: String) throws {
    let broker = try Broker()
    let settings = try broker.settings("acme.site1")
    let files = "-cert acme.site1.crt -key acme.site1.key -CAfile ca.crt -cipher DEFAULT@SECLEVEL=0"
    let client = "cd '\(broker.folder)' && openssl s_client -connect 127.0.0.1:\(broker.port) \(files)"
    #expect(Shell.run("\(client) -tls1_3 -verify_return_error < /dev/null") == 0)
    #expect(Shell.run("\(client) \(version) < /dev/null") != 0)
    let old = try TLSListener("\(version) -cipher DEFAULT@SECLEVEL=0", certificate: "\(broker.folder)/broker", broker)
    var ours = settings
    ours.address = BrokerAddress(host: "127.0.0.1", port: old.port)
    #expect(try Client(ours).failedConnect().kind == .tlsFailed)
  }

  @Test("row 2: plaintext is refused by both ends, and costs no turns of the thread")
  func plaintext() throws {
    let broker = try Broker()
    let settings = try broker.settings("acme.site1")
    let connect = [0x10, 0x0D, 0x00, 0x04, 0x4D, 0x51, 0x54, 0x54, 0x05, 0x02, 0x00, 0x3C, 0x00, 0x00, 0x00] as [UInt8]
    let socket = LoopbackSocket()
    #expect(socket.connect(port: broker.port))
    _ = unsafe send(socket.descriptor, connect, connect.count, Int32(MSG_NOSIGNAL))
    var answer = [UInt8](repeating: 0, count: 64)
    let count = unsafe recv(socket.descriptor, &answer, answer.count, 0)
    #expect(count <= 0 || answer[0] != 0x20, "a CONNACK in the clear")
    let deaf = LoopbackSocket()
    var ours = settings
    ours.connectTimeoutMs = 1_500
    ours.address = BrokerAddress(host: "127.0.0.1", port: try deaf.listen())
    let client = Client(ours)
    #expect(try client.failedConnect().kind == .timeout)
    #expect(client.link.turns < 300)
  }

  @Test("a plain listener that closes, that answers with rubbish, and none at all: an end each, and no spinning")
  func brokenListeners() throws {
    let broker = try Broker()
    let settings = try broker.settings("acme.site1")
    for (answer, kinds) in [
      ([], [.closed, .tlsFailed]), (Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [.tlsFailed]),
      ([0x20, 0x03, 0x00, 0x00, 0x00], [.tlsFailed, .closed]),
    ] as [([UInt8], [MessageFault.Kind])] {
      let listener = try Answerer(answer)
      var ours = settings
      ours.address = BrokerAddress(host: "127.0.0.1", port: listener.port)
      let client = Client(ours)
      let kind = try client.failedConnect().kind
      #expect(kinds.contains(kind), "\(answer): \(kind)")
      #expect(client.link.turns < 300)
      // The thread is alive: it takes the next attempt.
      #expect(kinds.contains(try client.failedConnect().kind))
    }
    broker.kill()
    let client = Client(settings)
    for _ in 0..<3 { #expect(try client.failedConnect().kind == .unreachable) }
    #expect(client.link.turns < 300)
    try broker.start()
    try client.connect()
  }

  @Test("files that are missing, mixed up or locked by a passphrase are named as the cause")
  func badFiles() throws {
    let broker = try Broker()
    let settings = try broker.settings("acme.site1")
    let (ca, site) = (settings.credentials.authorities, "\(broker.folder)/acme.site1")
    _ = try broker.settings("acme.site2")
    #expect(Shell.run("openssl pkey -in \(site).key -aes256 -passout pass:x -out \(site).locked") == 0)
    for credentials in [
      BrokerCredentials(authorities: "/nowhere", certificate: "\(site).crt", key: "\(site).key"),
      BrokerCredentials(authorities: ca, certificate: "\(site).crt", key: "\(broker.folder)/acme.site2.key"),
      BrokerCredentials(authorities: ca, certificate: "\(site).crt", key: "\(site).locked"),
      BrokerCredentials(authorities: ca, certificate: "\(site).key", key: "\(site).key"),
      BrokerCredentials(authoritiesOnly: "\(site).key"),
    ] {
      var ours = settings
      ours.credentials = credentials
      let fault = try Client(ours).failedConnect()
      #expect(fault.kind == .badCredentials, "\(credentials): \(fault)")
    }
  }

  @Test("row 22: a topic of another site is refused with 0x87, and a subscription to one brings nothing")
  func foreignTopics() throws {
    let broker = try Broker()
    let (one, two) = (Client(try broker.settings("acme.site1")), Client(try broker.settings("acme.site2")))
    let worker = try broker.worker()
    for client in [one, two, worker] { try client.connect() }
    for topic in [
      "tw/1/up/acme.site2/hb", "tw/1/up/acme.site2", "tw/1/dn/acme.site1/cmd", "tw/1/all/meta/root", "tw/2/a", "a",
      "spBv1.0/g/NDATA/acme.site1", "tw/1/up/acme.site1x/hb",
    ] { #expect(try one.publish(topic, [1]) == .notAuthorized, "\(topic)") }
    for filter in ["#", "tw/1/dn/acme.site2/#", "tw/1/up/#", "tw/1/dn/+/#"] { _ = try one.subscribe(filter) }
    _ = try two.subscribe("tw/1/dn/acme.site2/#")
    #expect(try worker.publish("tw/1/dn/acme.site2/cmd", [2]) == .success)
    #expect(try two.publish("tw/1/up/acme.site2/hb", [3]).isFailure == false)
    #expect(try worker.publish("tw/1/dn/acme.site1/cmd", [4]) == .success)
    #expect(try two.message(on: "tw/1/dn/acme.site2/cmd").payload == [2])
    _ = try one.message(on: "tw/1/dn/acme.site1/cmd")
    #expect(one.received.allSatisfy { $0.topic == "tw/1/dn/acme.site1/cmd" })
    #expect(try worker.publish("tw/1/up/acme.site1/hb", [5]) == .notAuthorized)
  }

  @Test("row 23: a client id is forced to the certificate's name, so another site is not thrown out")
  func foreignClientID() throws {
    let broker = try Broker()
    let two = Client(try broker.settings("acme.site2"))
    try two.connect()
    var settings = try broker.settings("acme.site1")
    settings.clientID = "acme.site2"
    let one = Client(settings)
    try one.connect()
    #expect(try one.publish("tw/1/up/acme.site1/hb") == .noMatchingSubscribers)
    #expect(try one.publish("tw/1/up/acme.site2/hb") == .notAuthorized)
    #expect(try two.publish("tw/1/up/acme.site2/hb") == .noMatchingSubscribers)
    #expect(two.seen.allSatisfy { if case .disconnected = $0 { false } else { true } })
    #expect(broker.log.contains("as acme.site1") && broker.log.contains("as acme.site2"))
  }

  @Test("row 50: a revoked certificate gets no new session, and a live one goes on until it is ended")
  func revocation() throws {
    let broker = try Broker()
    let settings = try broker.settings("acme.site1")
    let (live, other) = (Client(settings), Client(try broker.settings("acme.site2")))
    try live.connect()
    try broker.files.revoke("acme.site1")
    try broker.reload()
    #expect(refusals.contains(try Client(settings).failedConnect().kind))
    // The fact that makes the foundation end such sessions itself.
    #expect(try live.publish("tw/1/up/acme.site1/hb") == .noMatchingSubscribers)
    try other.connect()
    live.link.disconnect()
    _ = try live.end()
    #expect(refusals.contains(try live.failedConnect().kind))
  }
}
