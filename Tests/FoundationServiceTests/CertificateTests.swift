import Glibc
import Ledger
import Logging
import Provenance
import Seams
import Sodium
import StatusAPI
import Sync
import Synchronization
import Testing
import TwinCore
import X509

@testable import FoundationService

@Suite("A foundation keeps certificates over their life")
struct CertificateTests {
  private static let day: Int64 = 86_400_000_000_000
  private static let name = "acme.lyon-01"

  private final class Clock: SiteClock {
    private let now = Mutex(Instant(nanoseconds: 1_793_500_000_000_000_000))

    var instant: Instant { now.withLock { $0 } }
    var uptime: Uptime { Uptime(nanoseconds: instant.nanoseconds) }
    var isTrusted: Bool { true }
    func sleep(until deadline: Uptime) async {}

    func pass(days: Int64) { now.withLock { $0 = $0.advanced(byNanoseconds: days * CertificateTests.day) } }
  }

  /// A foundation's folder as `init` makes it, and its desk; no broker and no workers.
  private final class Bench: Sendable {
    let directory: String
    let clock = Clock()
    let settings: FoundationSettings
    let ledger: Ledger
    let desk: FleetDesk
    let signing = Ed25519.SecretKey()

    init() throws {
      var template = Array("/tmp/twind-foundation-XXXXXX".utf8CString)
      directory = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
      settings = FoundationSettings(name: "hq", fleet: "acme", state: directory + "/state")
      _ = try FoundationInit(
        settings, operatorKeys: directory + "/keys", brokerNames: ["localhost"], now: clock.instant
      ).run()
      ledger = try Ledger(settings.place, policy: .onCommit, clock: clock)
      try ledger.takeLease("hq", for: .seconds(3600))
      desk = try FleetDesk(
        settings, folder: FoundationFolder(path: settings.state), ledger: ledger, clock: clock,
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    deinit { unsafe _ = system("rm -rf \(directory)") }

    var listPath: String { settings.state + "/broker/crl.pem" }
    func certificate(_ path: String) throws -> Certificate {
      try Certificate(pem: try #require(SystemFiles.bytes("\(settings.state)/\(path)", max: 1 << 16)))
    }

    func list() throws -> X509.RevocationList {
      let text = try #require(SystemFiles.bytes(listPath, max: 1 << 20))
      return try #require(try X509.RevocationList.find(in: text, by: certificate("authority/device.crt")))
    }

    /// The site's first certificate.
    func enrol() async throws -> Certificate {
      let site = try #require(SiteName(CertificateTests.name))
      let (token, _) = try await desk.makeToken(site, forSeconds: 3600)
      let request = EnrolmentRequest(
        tokenID: token.id, site: site, signing: signing.publicKey, sealing: Sodium.randomBytes(32),
        certificateRequest: try Self.asked(), nonce: Sodium.randomBytes(16), hardware: "",
        epoch: try #require(LogEpoch(bytes: Sodium.randomBytes(16))))
      let reply = try await desk.admit(request.sealed(secret: token.secret, by: signing), token: token.idText)
      let read = try EnrolmentReply(reply, token: token, nonce: request.nonce)
      #expect(read.enrolmentPort == settings.enrolmentPort)
      return try Certificate(pem: Array(read.certificate.utf8))
    }

    static func asked(_ name: String = CertificateTests.name) throws -> String {
      String(decoding: try SigningRequest(commonName: name, key: PrivateKey()).pem(), as: UTF8.self)
    }

    func renew(csr: String? = nil) async throws -> RenewalReply.Answer {
      var request = RenewalRequest(
        site: try #require(SiteName(CertificateTests.name)), nonce: Sodium.randomBytes(16),
        certificateRequest: try csr ?? Self.asked())
      for _ in 0..<2 {
        let bytes = request.sealed { SignedEnvelope.seal(type: $0, payload: $1, by: signing) }
        let reply = try #require(await desk.enrol(bytes, token: request.exchange))
        let answer = try RenewalReply(reply, nonce: request.nonce).answer
        guard case .challenge(let challenge) = answer else { return answer }
        request.challenge = challenge
      }
      Issue.record("challenged twice")
      return .refused(.unable)
    }

    func revoke() async throws {
      _ = try await desk.revokeKey(CertificateTests.name, API.FleetActRequest(reason: "stolen"), by: "anna")
    }
  }

  @Test("a renewed certificate is the authority's, for the site, and in the foundation's own log")
  func renewed() async throws {
    let bench = try Bench()
    let first = try await bench.enrol()
    bench.clock.pass(days: 200)
    guard case .certificate(let text) = try await bench.renew() else {
      Issue.record("no certificate")
      return
    }
    let chain = try Certificate.chain(pem: Array(text.utf8))
    #expect(chain[0].subject == Self.name && chain[0].publicKey != first.publicKey)
    try chain[0].verify(
      through: [chain[1]], to: [bench.certificate("authority/root.crt")], for: .client, at: bench.clock.instant)
    let leaves = try bench.ledger.foundationRecords(from: 0, of: SiteName(Self.name)).map(\.leaf)
    #expect(
      leaves.filter { $0.kind == .certificate }.compactMap { IssuedCertificate.read($0)?.serial }
        == [first.serial, chain[0].serial])
  }

  @Test("a request for another name, or for none, is refused and leaves no trace")
  func otherName() async throws {
    let bench = try Bench()
    _ = try await bench.enrol()
    for csr in [try Bench.asked("acme.lyon-02"), "nothing"] {
      #expect(try await bench.renew(csr: csr) == .refused(.requestMalformed))
    }
    let leaves = try bench.ledger.foundationRecords(from: 0, of: SiteName(Self.name)).map(\.leaf.kind)
    #expect(leaves.filter { $0 == .certificate }.count == 1)
  }

  @Test("row 50: every certificate of a revoked site is on the broker's list at once, and it gets no other")
  func revoked() async throws {
    let bench = try Bench()
    let first = try await bench.enrol()
    guard case .certificate(let text) = try await bench.renew() else {
      Issue.record("no certificate")
      return
    }
    let second = try Certificate(pem: Array(text.utf8))
    let before = try bench.list()
    #expect(before.revoked.isEmpty)
    try await bench.revoke()
    let after = try bench.list()
    #expect(Set(after.revoked.map(\.serial)) == [first.serial, second.serial])
    #expect(after.number > before.number)
    #expect(try await bench.renew() == .refused(.revoked))
    #expect(throws: X509Fault.self) {
      try second.verify(
        through: [bench.certificate("authority/device.crt")], to: [bench.certificate("authority/root.crt")],
        for: .client, at: bench.clock.instant, lists: [after])
    }
    // Both lists stay in the file: a broker may look at the whole chain.
    let file = try #require(SystemFiles.bytes(bench.listPath, max: 1 << 20))
    #expect(try X509.RevocationList.find(in: file, by: bench.certificate("authority/root.crt")) != nil)
  }

  @Test("a list that is lost, or that a restored ledger does not know, is made whole again")
  func listLost() async throws {
    let bench = try Bench()
    let first = try await bench.enrol()
    try await bench.revoke()
    unsafe unlink(bench.listPath)
    let again = try FleetDesk(
      bench.settings, folder: FoundationFolder(path: bench.settings.state), ledger: bench.ledger, clock: bench.clock,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    await again.keepCertificates()
    #expect(try bench.list().revoked.map(\.serial) == [first.serial])
    let file = try #require(SystemFiles.bytes(bench.listPath, max: 1 << 20))
    #expect(try X509.RevocationList.find(in: file, by: bench.certificate("authority/root.crt")) != nil)
    // Somebody else's entry stays on the next list.
    let devices = try DeviceDesk(folder: FoundationFolder(path: bench.settings.state))
    var list = BrokerList(folder: FoundationFolder(path: bench.settings.state), devices: devices)
    let foreign = X509.Revocation(serial: try #require(SerialNumber([1, 2, 3])), at: bench.clock.instant)
    #expect(try list.bring([foreign], at: bench.clock.instant))
    #expect(try Set(bench.list().revoked.map(\.serial)) == [first.serial, foreign.serial])
    #expect(try !list.bring([foreign], at: bench.clock.instant), "written without need: each list costs a start")
  }

  @Test("the list is made anew long before its next update, and lets go of what has ended by itself")
  func listRenewed() async throws {
    let bench = try Bench()
    _ = try await bench.enrol()
    try await bench.revoke()
    let first = try bench.list()
    bench.clock.pass(days: 100)
    await bench.desk.keepCertificates()
    #expect(try bench.list() == first)
    bench.clock.pass(days: 90)
    await bench.desk.keepCertificates()
    let second = try bench.list()
    #expect(second.validity.notAfter > first.validity.notAfter && second.number > first.number)
    #expect(second.revoked == first.revoked)
    bench.clock.pass(days: 800)
    await bench.desk.keepCertificates()
    #expect(try bench.list().revoked.isEmpty)
  }

  @Test("a worker's certificate is renewed with a third of its life left; the broker's is announced and made by init")
  func servers() async throws {
    let bench = try Bench()
    await bench.desk.keepCertificates()
    let worker = try bench.certificate("tls/w-1.crt")
    bench.clock.pass(days: 480)
    await bench.desk.keepCertificates()
    #expect(try bench.certificate("tls/w-1.crt") == worker)
    bench.clock.pass(days: 10)
    await bench.desk.keepCertificates()
    let next = try bench.certificate("tls/w-1.crt")
    #expect(next.subject == worker.subject && next.publicKey == worker.publicKey)
    #expect(next.validity.notAfter > worker.validity.notAfter)
    #expect(await bench.desk.certificateProblems.isEmpty)
    bench.clock.pass(days: 140)
    await bench.desk.keepCertificates()
    #expect(await bench.desk.certificateProblems.map(\.code) == ["fleet.broker_certificate"])
    let made = try FoundationInit(
      bench.settings, operatorKeys: bench.directory + "/keys", brokerNames: ["localhost"], now: bench.clock.instant
    ).run()
    #expect(made.contains { $0.contains("the broker's certificate") })
    bench.clock.pass(days: 1)
    await bench.desk.keepCertificates()
    #expect(await bench.desk.certificateProblems.isEmpty)
  }
}
