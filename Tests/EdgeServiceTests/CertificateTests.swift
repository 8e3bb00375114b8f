import Glibc
import MQTT
import Provenance
import Seams
import Sync
import Testing
import TwinCore
import X509

@testable import EdgeService

@Suite("A site's certificate, from its renewal to its first useful session")
struct CertificateTests {
  private static let now = Instant(nanoseconds: 1_793_500_000_000_000_000)
  private static let day: Int64 = 86_400_000_000_000

  /// A peer's folder, and an authority for it.
  private final class Bench {
    let directory: String
    let folder: PeerFolder
    let authority: Authority

    init() throws {
      var template = Array("/tmp/twind-peer-XXXXXX".utf8CString)
      directory = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
      folder = PeerFolder(state: directory)
      try PrivateFile.makeDirectory(folder.path)
      authority = try Authority.root(named: "root", validity: CertificateTests.days(-1, 3000))
    }

    deinit { unsafe _ = system("rm -rf \(directory)") }

    func make(_ validity: Validity = CertificateTests.days(0, 90)) throws -> (pem: [UInt8], text: String) {
      let key = try PrivateKey()
      let made = try authority.issueClient(
        SigningRequest(commonName: "acme.lyon-01", key: key), expecting: "acme.lyon-01", validity: validity)
      return (try key.pem(), String(decoding: try made.pem(), as: UTF8.self))
    }

    func write(_ pair: (pem: [UInt8], text: String), key: String, certificate: String) throws {
      try folder.write(pair.pem, key)
      try folder.write(Array(pair.text.utf8), certificate)
    }
  }

  private static func days(_ from: Int64, _ to: Int64) -> Validity {
    Validity(notBefore: now.advanced(byNanoseconds: from * day), notAfter: now.advanced(byNanoseconds: to * day))
  }

  @Test("each site renews at its own moment, between a third and three tenths of the life left")
  func moments() throws {
    let bench = try Bench()
    var seen: Set<Instant> = []
    for _ in 0..<20 {
      let certificate = try Certificate(pem: Array(bench.make().text.utf8))
      let at = CertificateUpkeep.renewalAt(certificate)
      let left = certificate.validity.notAfter.nanoseconds(since: at)
      #expect((27 * Self.day...30 * Self.day).contains(left))
      seen.insert(at)
    }
    #expect(seen.count > 15)
  }

  @Test("due when its time has come, when there is none, and when the broker refuses it again and again")
  func due() throws {
    let bench = try Bench()
    let certificate = try Certificate(pem: Array(bench.make().text.utf8))
    func due(_ days: Int64, _ certificate: Certificate?, refused: Int = 0) -> Bool {
      var upkeep = CertificateUpkeep(RenewalNote(), inUse: certificate, at: Uptime(nanoseconds: 0))
      for _ in 0..<refused {
        upkeep.noteRefused(MessageFault(.tlsFailed, "certificate expired", remedy: ""))
        upkeep.noteRefused(MessageFault(.unreachable, "no route", remedy: ""))
      }
      return upkeep.isDue(at: Self.now.advanced(byNanoseconds: days * Self.day), Uptime(nanoseconds: 0))
    }
    #expect(!due(59, certificate))
    #expect(due(64, certificate))
    #expect(due(400, certificate))
    // A clock that went back to before the certificate: nothing is known to be wrong.
    #expect(!due(-9000, certificate))
    #expect(due(0, nil))
    #expect(!due(0, certificate, refused: 4))
    #expect(due(0, certificate, refused: 5))
  }

  @Test("failures are tried again later and later, within the hour; what failed last is kept over a start")
  func failures() {
    var upkeep = CertificateUpkeep(RenewalNote(), inUse: nil, at: Uptime(nanoseconds: 0))
    var now = Uptime(nanoseconds: 0)
    var waits: [Int64] = []
    for _ in 0..<12 {
      let isDue = upkeep.isDue(at: Self.now, now)
      #expect(isDue)
      upkeep.failed(EdgeFault("renewal_unanswered", "silence", remedy: "wait"), at: Self.now, now, spread: 0.999)
      let begin = now
      repeat {
        now = now.advanced(byNanoseconds: 1_000_000_000)
      } while !upkeep.isDue(at: Self.now, now)
      waits.append(now.nanoseconds(since: begin) / 1_000_000_000)
      // Looking is not trying.
      now = now.advanced(byNanoseconds: CertificateUpkeep.lookNanoseconds)
    }
    #expect(waits[0] <= 35 && waits[3] > 200 && waits.allSatisfy { $0 <= 3605 })
    let kept = RenewalNote(upkeep.note.bytes)
    #expect(kept == upkeep.note && kept.fault?.code == "edge.renewal_unanswered")
    #expect(RenewalNote([1, 2, 3]) == RenewalNote() && RenewalNote(nil) == RenewalNote())
  }

  @Test("a request is repeated within its attempt, with the last challenge, and not without end")
  func repeated() throws {
    let key = try PrivateKey()
    let request = RenewalRequest(
      site: try #require(SiteName("acme.lyon-01")), nonce: [UInt8](repeating: 1, count: 16), certificateRequest: "csr")
    let link = BrokerLink(
      BrokerSettings(address: BrokerAddress(host: "localhost", port: 1), credentials: .init(authoritiesOnly: "/none"))
    ) { _ in }
    defer { link.close() }
    var upkeep = CertificateUpkeep(RenewalNote(), inUse: nil, at: Uptime(nanoseconds: 0))
    #expect(upkeep.askAt == nil)
    upkeep.begin(.init(1, key, request, link, until: Uptime(nanoseconds: 60_000_000_000)))
    let first = upkeep.ask(at: Uptime(nanoseconds: 0))
    #expect(first == request && upkeep.askAt == Uptime(nanoseconds: CertificateUpkeep.askAgainNanoseconds))
    upkeep.challenge = [UInt8](repeating: 2, count: 40)
    var sent = 1
    while let next = upkeep.ask(at: Uptime(nanoseconds: 0)), sent < 1000 {
      #expect(next.challenge == upkeep.challenge)
      sent += 1
    }
    #expect(sent == CertificateUpkeep.asksMax)
  }

  @Test("whenever the power goes while a pair is put in place, one whole pair is there")
  func powerCut() throws {
    // What stage and promote have written by then, as site.key, site.crt, next.key, next.crt: O the old, N the renewed.
    for (state, wanted) in [
      ("OO--", "O-"), ("OON-", "O-"), ("OONN", "ON"), ("NONN", "-N"), ("NNNN", "NN"), ("NNN-", "N-"), ("NN--", "N-"),
      // A second renewal before the first one was proven.
      ("OOMN", "O-"), ("OOMM", "OM"),
    ] {
      let bench = try Bench()
      let pairs = ["O": try bench.make(), "N": try bench.make(), "M": try bench.make()]
      for (letter, name) in zip(state, ["site.key", "site.crt", "next.key", "next.crt"]) {
        guard let pair = pairs[String(letter)] else { continue }
        try bench.folder.write(name.hasSuffix("key") ? pair.pem : Array(pair.text.utf8), name)
      }
      for (letter, pair) in zip(wanted, [PeerFolder.Pair.current, .next]) {
        let expected = try pairs[String(letter)].map { try Certificate(pem: Array($0.text.utf8)) }
        #expect(bench.folder.certificate(pair) == expected, "\(state): \(pair)")
      }
    }
  }

  @Test("a renewed pair stands beside the old one until it is promoted, which may be repeated")
  func promoted() throws {
    let bench = try Bench()
    let old = try bench.make()
    try bench.write(old, key: PeerFolder.keyName, certificate: PeerFolder.certificateName)
    let next = try bench.make()
    try bench.folder.stage(next.text, PrivateKey(pem: next.pem))
    #expect(bench.folder.certificate(.current) == (try Certificate(pem: Array(old.text.utf8))))
    for _ in 0..<2 {
      try bench.folder.promote()
      #expect(bench.folder.certificate(.current) == (try Certificate(pem: Array(next.text.utf8))))
      #expect(bench.folder.certificate(.next) == nil)
    }
  }
}
