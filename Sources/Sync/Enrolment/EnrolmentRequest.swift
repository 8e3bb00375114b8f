// Request, site to foundation on `tw/1/enrol/<token>/csr`, or as a file; in an envelope signed by the new signing key:
//
//     {0: body bytes, 1: code bytes(32)}
//
//     body  {0: token id bytes(8), 1: site text, 2: signing key bytes(32), 3: sealing key bytes(32), 4: certificate
//            request PEM text, 5: nonce bytes(16), 6: hardware text, 7: epoch bytes(16)}
//     code  BLAKE2b-256 over "twind-enrol-request" and body, keyed with the token's secret
//
// Reply, on `tw/1/enrol/<token>/cert`, or as a file; not signed, for the site knows no key yet:
//
//     {0: body bytes, 1: code bytes(32)}
//
//     body  {0: nonce bytes(16), 1: site text, 2: foundation text, 3: certificate PEM text, 4: authority PEM text,
//            5: broker host text, 6: broker port, 7: foundation's time ms, 8: [root envelope bytes, …],
//            9: [ingest key bytes(32), …], 10? port of the listener for enrolment}
//     code  BLAKE2b-256 over "twind-enrol-reply" and body, keyed with the token's secret

public import Provenance
public import Sodium
import TwinCore

/// What a site asks to be enrolled with: its keys, made on it, and the proof that it holds them and the token.
public struct EnrolmentRequest: Equatable, Sendable {
  public static let type = WireType.name("enrol.v1")
  public static let bytesMax = 16 << 10
  public static let nonceBytes = 16
  private static let label = Array("twind-enrol-request".utf8)

  public let tokenID: [UInt8]
  public let site: SiteName
  public let signing: Ed25519.PublicKey
  /// X25519.
  public let sealing: [UInt8]
  /// PKCS #10, PEM.
  public let certificateRequest: String
  public let nonce: [UInt8]
  /// What the site says of its machine, for people.
  public let hardware: String
  /// Of its first log.
  public let epoch: LogEpoch

  public init(
    tokenID: [UInt8], site: SiteName, signing: Ed25519.PublicKey, sealing: [UInt8], certificateRequest: String,
    nonce: [UInt8], hardware: String, epoch: LogEpoch
  ) {
    (self.tokenID, self.site, self.signing, self.sealing) = (tokenID, site, signing, sealing)
    (self.certificateRequest, self.nonce, self.hardware, self.epoch) = (certificateRequest, nonce, hardware, epoch)
  }

  /// The bytes to send.
  public func sealed(secret: [UInt8], by key: borrowing Ed25519.SecretKey) -> [UInt8] {
    SignedEnvelope.seal(
      type: Self.type, payload: EnrolmentCode.wrap(body, label: Self.label, secret: secret), by: key)
  }

  private var body: [UInt8] {
    CBORItem.map(
      (0, .bytes(tokenID)), (1, .text(site.description)), (2, .bytes(signing.bytes)), (3, .bytes(sealing)),
      (4, .text(certificateRequest)), (5, .bytes(nonce)), (6, .text(hardware)), (7, .bytes(epoch.bytes))
    ).encoded
  }

  /// The token that a request names, before anything of it is believed.
  public static func tokenID(of bytes: [UInt8]) throws(ProvenanceFault) -> [UInt8] {
    let (body, _) = try EnrolmentCode.open(SignedEnvelope(bytes, max: bytesMax).payload)
    return try EnrolmentRequest(body: body).tokenID
  }

  /// A request that was made with the secret, by the holder of the key that it names. Faults:
  /// `provenance.code_wrong`, `signature_wrong`, `message_malformed`.
  public init(_ bytes: [UInt8], secret: [UInt8]) throws(ProvenanceFault) {
    let envelope = try SignedEnvelope(bytes, max: Self.bytesMax)
    guard envelope.type == Self.type else { throw .wire("enrolment", "a message of type \(envelope.type)") }
    let body = try EnrolmentCode.unwrap(envelope.payload, label: Self.label, secret: secret)
    self = try EnrolmentRequest(body: body)
    try envelope.verify(by: [signing])
  }

  private init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("enrolment")
    tokenID = try fields.bytes(0, count: EnrolmentToken.idBytes)
    site = try fields.siteName(1)
    signing = Ed25519.PublicKey(bytes: try fields.bytes(2, count: 32))!
    sealing = try fields.bytes(3, count: 32)
    certificateRequest = try fields.text(4, max: 4 << 10)
    nonce = try fields.bytes(5, count: Self.nonceBytes)
    hardware = try fields.text(6, max: 256)
    epoch = try fields.epoch(7)
    try fields.finish()
  }
}

/// What a site is enrolled with: whom it may trust, and how it reaches them.
public struct EnrolmentReply: Equatable, Sendable {
  public static let bytesMax = 60 << 10
  private static let label = Array("twind-enrol-reply".utf8)

  public let nonce: [UInt8]
  public let site: SiteName
  public let foundation: String
  /// The site's for TLS, PEM; with what stands between it and the authority.
  public let certificate: String
  public let authority: String
  public let host: String
  public let port: UInt16
  /// Milliseconds since 1970 by the foundation's clock.
  public let at: Int64
  /// Envelopes of the root metadata, the first one first.
  public let roots: [[UInt8]]
  /// Keys that sign acks until trust metadata says others.
  public let ingest: [Ed25519.PublicKey]
  /// Of the broker's listener for enrolment, over which certificates are renewed.
  public let enrolmentPort: UInt16

  /// Where a reply does not say it.
  public static let enrolmentPortDefault: UInt16 = 8884

  public init(
    nonce: [UInt8], site: SiteName, foundation: String, certificate: String, authority: String, host: String,
    port: UInt16, at: Int64, roots: [[UInt8]], ingest: [Ed25519.PublicKey],
    enrolmentPort: UInt16 = enrolmentPortDefault
  ) {
    (self.nonce, self.site, self.foundation, self.certificate) = (nonce, site, foundation, certificate)
    (self.authority, self.host, self.port, self.at) = (authority, host, port, at)
    (self.roots, self.ingest, self.enrolmentPort) = (roots, ingest, enrolmentPort)
  }

  public func sealed(secret: [UInt8]) -> [UInt8] { EnrolmentCode.wrap(body, label: Self.label, secret: secret) }

  /// Without the code: what a site keeps in its state.
  public var body: [UInt8] {
    CBORItem.map(
      (0, .bytes(nonce)), (1, .text(site.description)), (2, .text(foundation)), (3, .text(certificate)),
      (4, .text(authority)), (5, .text(host)), (6, .number(port)), (7, .integer(at)),
      (8, .array(roots.map { .bytes($0) })), (9, .array(ingest.map { .bytes($0.bytes) })),
      (10, .number(enrolmentPort))
    ).encoded
  }

  /// A reply by whoever made the token, to this request, with the root that the token names. Faults:
  /// `provenance.code_wrong`, `enrolment_foreign`, `message_malformed`.
  public init(_ bytes: [UInt8], token: EnrolmentToken, nonce: [UInt8]) throws(ProvenanceFault) {
    guard bytes.count <= Self.bytesMax else { throw .wire("enrolment", "\(bytes.count) bytes") }
    self = try EnrolmentReply(body: EnrolmentCode.unwrap(bytes, label: Self.label, secret: token.secret))
    guard self.nonce == nonce, site == token.site else {
      throw .enrolmentForeign("the reply is for \(site), or answers an older request")
    }
    guard let first = roots.first,
      RootMetadata.fingerprint(payload: try SignedEnvelope(first, max: RootMetadata.bytesMax).payload) == token.root
    else {
      throw .enrolmentForeign("the root in the reply is not the one that the token names")
    }
  }

  public init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("enrolment reply")
    nonce = try fields.bytes(0, count: EnrolmentRequest.nonceBytes)
    site = try fields.siteName(1)
    foundation = try fields.text(2, max: 64)
    certificate = try fields.text(3, max: 12 << 10)
    authority = try fields.text(4, max: EnrolmentToken.authorityBytesMax)
    host = try fields.text(5, max: 253)
    port = try fields.number(6)
    at = try fields.integer(7)
    var roots: [[UInt8]] = []
    for item in try fields.array(8, max: 16) { roots.append(try item.asBytes(max: 32 << 10, "enrolment reply.8")) }
    self.roots = roots
    var ingest: [Ed25519.PublicKey] = []
    for item in try fields.array(9, max: 8) {
      ingest.append(Ed25519.PublicKey(bytes: try item.asBytes(count: 32, "enrolment reply.9"))!)
    }
    self.ingest = ingest
    let port = try fields.unsignedIfPresent(10)
    guard let port = UInt16(exactly: port ?? UInt64(Self.enrolmentPortDefault)) else {
      throw .wire("enrolment reply.10", "\(port ?? 0) is no port")
    }
    enrolmentPort = port
    try fields.finish()
  }
}

/// Proof of knowing a token's secret, over one text.
enum EnrolmentCode {
  static func wrap(_ body: [UInt8], label: [UInt8], secret: [UInt8]) -> [UInt8] {
    CBORItem.map((0, .bytes(body)), (1, .digest(Sodium.blake2b256(label + body, key: secret)))).encoded
  }

  static func open(_ bytes: [UInt8]) throws(ProvenanceFault) -> (body: [UInt8], code: [UInt8]) {
    var fields = try CBORItem.decode(bytes).fields("enrolment")
    let (body, code) = (try fields.bytes(0, max: EnrolmentReply.bytesMax), try fields.bytes(1, count: 32))
    try fields.finish()
    return (body, code)
  }

  static func unwrap(_ bytes: [UInt8], label: [UInt8], secret: [UInt8]) throws(ProvenanceFault) -> [UInt8] {
    let (body, code) = try open(bytes)
    // In constant time: whoever guesses must not learn how near they are.
    let wanted = Sodium.blake2b256(label + body, key: secret).bytes
    var difference: UInt8 = 0
    for index in 0..<32 { difference |= wanted[index] ^ code[index] }
    guard difference == 0 else {
      throw ProvenanceFault(
        .codeWrong, path: "enrolment", "the message was not made with this token's secret",
        remedy: "make a new token with `twinctl fleet enrol new`, and use it on both ends")
    }
    return body
  }
}

extension ProvenanceFault {
  static func enrolmentForeign(_ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .enrolmentForeign, path: "enrolment", problem,
      remedy: "ask who runs the foundation; do not enrol until the reply and the token agree")
  }
}
