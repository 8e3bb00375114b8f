import Glibc
import Provenance
import Seams
import Sodium
import Testing
import TwinCore

@testable import Sync

@Suite("A site's certificate is renewed for whoever holds its key, and for nobody else")
struct RenewalTests {
  private static let site = SiteName("acme.lyon-01")!
  private static let secret = [UInt8](repeating: 4, count: 32)
  private static let wall = Instant(nanoseconds: 1_790_000_000_000_000_000)

  /// A gate, the site's key and its record; time is what the test says.
  private struct Bench {
    var gate = RenewalGate(challengeKey: RenewalTests.secret)
    var record: SiteRecord
    var now = Uptime(nanoseconds: 0)
    var wall = RenewalTests.wall
    let key: Ed25519Box

    init() {
      key = Ed25519Box()
      record = SiteRecord(
        name: RenewalTests.site,
        keys: [SiteKey(keyEpoch: 1, signing: key.secret.publicKey, sealing: [UInt8](repeating: 0, count: 32))])
    }

    func request(_ nonce: UInt8, challenge: [UInt8]? = nil, site: SiteName = RenewalTests.site) -> RenewalRequest {
      RenewalRequest(
        site: site, nonce: [UInt8](repeating: nonce, count: 16), certificateRequest: "csr", challenge: challenge)
    }

    func sealed(_ request: RenewalRequest, by other: Ed25519Box? = nil) -> [UInt8] {
      let key = other ?? key
      return request.sealed { SignedEnvelope.seal(type: $0, payload: $1, by: key.secret) }
    }

    mutating func judge(_ request: RenewalRequest, by other: Ed25519Box? = nil) -> RenewalGate.Verdict {
      gate.judge(sealed(request, by: other), by: record, at: now, wall: wall)
    }

    /// Asks twice, as a site does; the verdict on the second request.
    mutating func ask(_ nonce: UInt8) throws -> RenewalGate.Verdict {
      guard case .reply(let bytes) = judge(request(nonce)),
        case .challenge(let challenge) = try RenewalReply(bytes, nonce: [UInt8](repeating: nonce, count: 16)).answer
      else { return judge(request(nonce)) }
      return judge(request(nonce, challenge: challenge))
    }
  }

  final class Ed25519Box: Sendable {
    let secret = Ed25519.SecretKey()
  }

  @Test("asked, challenged, asked again: a certificate; and the same one for who did not hear it")
  func renewed() throws {
    var bench = Bench()
    let asked = bench.request(1)
    #expect(bench.gate.open(bench.sealed(asked), exchange: asked.exchange, at: bench.now) == Self.site)
    guard case .issue(let request) = try bench.ask(1) else {
      Issue.record("no certificate")
      return
    }
    let reply = bench.gate.issued("crt", to: request, at: bench.now)
    #expect(try RenewalReply(reply, nonce: request.nonce).answer == .certificate("crt"))
    #expect(bench.judge(request) == .reply(reply))
  }

  @Test("a request that was recorded is too old after two minutes, and a challenge is good for its own request alone")
  func replayed() throws {
    var bench = Bench()
    guard case .reply(let bytes) = bench.judge(bench.request(1)),
      case .challenge(let challenge) = try RenewalReply(bytes, nonce: bench.request(1).nonce).answer
    else {
      Issue.record("no challenge")
      return
    }
    for (other, seconds) in [(2, 0), (1, 121), (1, -1)] as [(UInt8, Int64)] {
      var late = bench
      late.wall = Self.wall.advanced(byNanoseconds: seconds * 1_000_000_000)
      guard case .reply(let again) = late.judge(bench.request(other, challenge: challenge)) else {
        Issue.record("nonce \(other) after \(seconds) s was taken")
        continue
      }
      #expect(try RenewalReply(again, nonce: bench.request(other).nonce).answer != .challenge(challenge))
    }
    var bent = challenge
    bent[20] ^= 1
    guard case .reply = bench.judge(bench.request(1, challenge: bent)) else {
      Issue.record("a forged challenge was taken")
      return
    }
  }

  @Test("no key of the site: no answer. A revoked site and one with an ended key hear why")
  func refused() throws {
    var bench = Bench()
    guard case .silence = bench.judge(bench.request(1), by: Ed25519Box()) else {
      Issue.record("a stranger was answered")
      return
    }
    guard case .silence = bench.judge(bench.request(1, site: SiteName("acme.lyon-02")!)) else {
      Issue.record("a site was answered in another one's name")
      return
    }
    bench.record.standing = .revoked
    #expect(try bench.ask(1) == .refuse(bench.request(1), .revoked))
    bench.record.standing = .quarantined(reason: "looked at")
    if case .issue = try bench.ask(1) {} else { Issue.record("a quarantined site may not even reach the broker") }
    let old = bench.record.keys[0]
    bench.record = SiteRecord(
      name: Self.site,
      keys: [
        SiteKey(
          keyEpoch: 1, signing: old.signing, sealing: old.sealing, validUntil: Self.wall.advanced(byNanoseconds: -1))
      ])
    #expect(try bench.ask(2) == .refuse(bench.request(2), .keyEnded))
  }

  @Test("three certificates an hour, then none until one of them is an hour old")
  func rate() throws {
    var bench = Bench()
    for nonce in 1...3 as ClosedRange<UInt8> {
      guard case .issue(let request) = try bench.ask(nonce) else {
        Issue.record("certificate \(nonce) was refused")
        return
      }
      _ = bench.gate.issued("crt", to: request, at: bench.now)
    }
    guard case .refuse(_, .tooOften) = try bench.ask(4) else {
      Issue.record("a fourth certificate")
      return
    }
    bench.now = bench.now.after(.seconds(3601))
    if case .issue = try bench.ask(5) {} else { Issue.record("refused after an hour") }
  }

  @Test("strangers together are looked at twenty times a second, not more")
  func flood() {
    var bench = Bench()
    let request = bench.request(1)
    let bytes = bench.sealed(request)
    var seen = 0
    for _ in 0..<1000 where bench.gate.open(bytes, exchange: request.exchange, at: bench.now) != nil { seen += 1 }
    #expect(seen == 100)
    bench.now = bench.now.after(.seconds(1))
    for _ in 0..<1000 where bench.gate.open(bytes, exchange: request.exchange, at: bench.now) != nil { seen += 1 }
    #expect(seen == 120)
  }

  @Test("a request in another exchange's topic, and no flipped bit of one, counts")
  func bent() {
    var bench = Bench()
    let request = bench.request(1)
    let bytes = bench.sealed(request)
    #expect(bench.gate.open(bytes, exchange: bench.request(2).exchange, at: bench.now) == nil)
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1
      if case .silence = bench.gate.judge(changed, by: bench.record, at: bench.now, wall: bench.wall) { continue }
      Issue.record("byte \(index) does not matter")
    }
  }

  @Test("a reply is one of three things, and answers one request")
  func replies() throws {
    let nonce = [UInt8](repeating: 9, count: 16)
    let answers: [RenewalReply.Answer] =
      [.challenge([UInt8](repeating: 1, count: 40)), .certificate("crt")] + RenewalRefusal.allCases.map { .refused($0) }
    for answer in answers {
      let reply = RenewalReply(nonce: nonce, answer)
      #expect(try RenewalReply(reply.bytes, nonce: nonce) == reply)
      #expect(throws: ProvenanceFault.self) {
        try RenewalReply(reply.bytes, nonce: [UInt8](repeating: 8, count: 16))
      }
    }
    let both = CBORItem.map((0, .bytes(nonce)), (2, .text("crt")), (3, .unsigned(1))).encoded
    #expect(throws: ProvenanceFault.self) { try RenewalReply(both, nonce: nonce) }
    let unknown = CBORItem.map((0, .bytes(nonce)), (3, .unsigned(77))).encoded
    #expect(throws: ProvenanceFault.self) { try RenewalReply(unknown, nonce: nonce) }
  }

  @Test("an exchange of a renewal is a topic of the enrolment, and no token's")
  func topics() {
    let exchange = Bench().request(255).exchange
    #expect(exchange == "renew-" + String(repeating: "f", count: 32))
    #expect(SyncTopic("tw/1/enrol/\(exchange)/csr") == .enrolRequest(token: exchange))
    #expect(RenewalRequest.isExchange(exchange))
    #expect(!RenewalRequest.isExchange(EnrolmentToken.name(of: [UInt8](repeating: 255, count: 8))))
  }
}

/// `docs/vectors/renewal.json`: the messages of one renewal, byte for byte.
///
/// `TWIND_UPDATE_GOLDEN=1` writes what the code gives now; read the difference before it is committed.
@Suite("The published vectors of a renewal are what the code gives")
struct RenewalVectorTests {
  @Test func file() throws {
    let site = SiteName("acme.lyon-01")!
    let seed = [UInt8](repeating: 1, count: 32)
    let challengeKey = [UInt8](repeating: 2, count: 32)
    let publicKey = Ed25519.SecretKey(seed: seed)!.publicKey
    let seal: Seal = { SignedEnvelope.seal(type: $0, payload: $1, by: Ed25519.SecretKey(seed: seed)!) }
    var request = RenewalRequest(
      site: site, nonce: Array(0..<16), certificateRequest: "-----BEGIN CERTIFICATE REQUEST-----\n")
    let first = request.sealed(by: seal)
    let atMs: Int64 = 1_790_000_000_000
    let challenge = RenewalChallenge.make(for: site, nonce: request.nonce, key: challengeKey, atMs: atMs)
    request.challenge = challenge
    let lines: [(String, String)] = [
      ("about", "A renewal of a site's certificate: both requests and the three kinds of reply."),
      ("site", "\(site)"), ("exchange", request.exchange), ("seed", hex(seed)), ("public", hex(publicKey.bytes)),
      ("certificate_request", "-----BEGIN CERTIFICATE REQUEST-----\\n"), ("request", hex(first)),
      ("challenge_key", hex(challengeKey)), ("challenge_at_ms", "\(atMs)"), ("challenge", hex(challenge)),
      ("reply_challenge", hex(RenewalReply(nonce: request.nonce, .challenge(challenge)).bytes)),
      ("request_challenged", hex(request.sealed(by: seal))),
      ("reply_certificate", hex(RenewalReply(nonce: request.nonce, .certificate("PEM")).bytes)),
      ("reply_revoked", hex(RenewalReply(nonce: request.nonce, .refused(.revoked)).bytes)),
    ]
    let text = "{\n" + lines.map { "  \"\($0.0)\": \"\($0.1)\"" }.joined(separator: ",\n") + "\n}\n"
    let directory = "\(#filePath)".split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/docs/vectors"
    if unsafe getenv("TWIND_UPDATE_GOLDEN") != nil {
      try PrivateFile.write(Array(text.utf8), directory: directory, name: "renewal.json", mode: 0o644)
    }
    let kept = try #require(SystemFiles.bytes("\(directory)/renewal.json", max: 1 << 16))
    #expect(String(decoding: kept, as: UTF8.self) == text)
  }

  private func hex(_ bytes: [UInt8]) -> String { EnrolmentToken.name(of: bytes) }
}
