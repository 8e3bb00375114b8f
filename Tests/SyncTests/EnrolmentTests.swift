import Provenance
import Sodium
import Sync
import Testing
import TwinCore

/// What an administrator and a site exchange to enrol, over a broker or as files.
struct EnrolmentTests {
  private static let secret = [UInt8](repeating: 7, count: EnrolmentToken.secretBytes)
  private static let root = Array("the first root".utf8)
  private static let roots = [SignedEnvelope.seal(type: "root", payload: root, by: Ed25519.SecretKey())]

  private func token(secret: [UInt8] = Self.secret) -> EnrolmentToken {
    EnrolmentToken(
      id: Array(1...8), secret: secret, site: SiteName("acme.lyon-01")!, expiresAt: 1_790_000_000_000,
      host: "broker.example", port: 8884, authority: "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
      root: RootMetadata.fingerprint(payload: Self.root))
  }

  private func request(_ key: borrowing Ed25519.SecretKey) -> EnrolmentRequest {
    EnrolmentRequest(
      tokenID: Array(1...8), site: SiteName("acme.lyon-01")!, signing: key.publicKey,
      sealing: [UInt8](repeating: 3, count: 32), certificateRequest: "csr", nonce: [UInt8](repeating: 9, count: 16),
      hardware: "gateway 7", epoch: LogEpoch(bytes: [UInt8](repeating: 5, count: 16))!)
  }

  private func reply(nonce: [UInt8] = [UInt8](repeating: 9, count: 16)) -> EnrolmentReply {
    EnrolmentReply(
      nonce: nonce, site: SiteName("acme.lyon-01")!, foundation: "f1", certificate: "crt", authority: "ca",
      host: "broker.example", port: 8883, at: 1, roots: Self.roots, ingest: [])
  }

  @Test("a token survives a terminal that breaks its line")
  func wrapped() throws {
    var text = token().text
    text.insert("\n", at: text.index(text.startIndex, offsetBy: 60))
    #expect(try EnrolmentToken(text: " \(text)\r\n") == token())
  }

  @Test("a token with a part missing is refused", arguments: [0, 4, 5, 40, 100])
  func cut(kept: Int) {
    #expect(throws: ProvenanceFault.self) { try EnrolmentToken(text: String(token().text.prefix(kept))) }
  }

  @Test("a token does not print its secret")
  func silent() {
    #expect("\(token())" == "token 0102030405060708 for acme.lyon-01")
  }

  @Test("a request is read by who knows the secret")
  func requested() throws {
    let key = Ed25519.SecretKey()
    let bytes = request(key).sealed(secret: Self.secret, by: key)
    #expect(try EnrolmentRequest.tokenID(of: bytes) == Array(1...8))
    #expect(try EnrolmentRequest(bytes, secret: Self.secret) == request(key))
  }

  @Test("a request made with another secret is refused")
  func foreignRequest() {
    let key = Ed25519.SecretKey()
    let bytes = request(key).sealed(secret: [UInt8](repeating: 8, count: 16), by: key)
    #expect { try EnrolmentRequest(bytes, secret: Self.secret) } throws: {
      ($0 as? ProvenanceFault)?.kind == .codeWrong
    }
  }

  @Test("a request for keys that its sender does not hold is refused")
  func stolenKey() {
    let key = Ed25519.SecretKey()
    let other = Ed25519.SecretKey()
    let bytes = request(key).sealed(secret: Self.secret, by: other)
    #expect(throws: ProvenanceFault.self) { try EnrolmentRequest(bytes, secret: Self.secret) }
  }

  @Test("no flipped bit of a request or a reply is accepted")
  func flipped() {
    let key = Ed25519.SecretKey()
    let sent = request(key).sealed(secret: Self.secret, by: key)
    let answered = reply().sealed(secret: Self.secret)
    for index in sent.indices {
      var bent = sent
      bent[index] ^= 1
      // The key id is a hint for finding the key; who verifies has the key.
      guard let read = try? EnrolmentRequest(bent, secret: Self.secret) else { continue }
      #expect(read == request(key))
    }
    for index in answered.indices {
      var bent = answered
      bent[index] ^= 1
      #expect(throws: ProvenanceFault.self) {
        try EnrolmentReply(bent, token: token(), nonce: [UInt8](repeating: 9, count: 16))
      }
    }
  }

  @Test("a reply brings the site what it needs")
  func replied() throws {
    let read = try EnrolmentReply(
      reply().sealed(secret: Self.secret), token: token(), nonce: [UInt8](repeating: 9, count: 16))
    #expect(read == reply())
    #expect(try EnrolmentReply(body: read.body) == read)
  }

  @Test("a reply to another request is refused")
  func replayed() {
    let bytes = reply(nonce: [UInt8](repeating: 1, count: 16)).sealed(secret: Self.secret)
    #expect {
      try EnrolmentReply(bytes, token: token(), nonce: [UInt8](repeating: 9, count: 16))
    } throws: { ($0 as? ProvenanceFault)?.kind == .enrolmentForeign }
  }

  @Test("a reply with another root than the token's is refused")
  func otherRoot() {
    let bytes = EnrolmentReply(
      nonce: [UInt8](repeating: 9, count: 16), site: SiteName("acme.lyon-01")!, foundation: "f1", certificate: "crt",
      authority: "ca", host: "h", port: 1, at: 1,
      roots: [SignedEnvelope.seal(type: "root", payload: [1, 2, 3], by: Ed25519.SecretKey())], ingest: []
    ).sealed(secret: Self.secret)
    #expect {
      try EnrolmentReply(bytes, token: token(), nonce: [UInt8](repeating: 9, count: 16))
    } throws: { ($0 as? ProvenanceFault)?.kind == .enrolmentForeign }
  }
}
