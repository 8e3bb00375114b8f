// Renewal of a site's certificate for TLS, over the listener for enrolment: the site may have none that counts.
//
// Request, site to foundation on `tw/1/enrol/renew-<nonce>/csr`, in an envelope signed by the site's key:
//
//     {0: site text, 1: nonce bytes(16), 2: certificate request PEM text, 3? challenge bytes(40)}
//
// Reply, on `tw/1/enrol/renew-<nonce>/cert`, with exactly one of 1, 2 and 3:
//
//     {0: nonce bytes(16), 1? challenge bytes(40), 2? certificate PEM text, 3? refusal (see RenewalRefusal)}
//
// `<nonce>` is the nonce in 32 lower-case hexadecimal digits. The first request has no challenge and is answered by
// one; the second echoes it, and so was signed after it was made: no clock of the site's is asked. The challenge:
//
//     0 .. 8    milliseconds since 1970 by the foundation, big-endian
//     8 .. 40   BLAKE2b-256 over "twind-renew-challenge", site, 0x00, nonce and bytes 0 to 8, keyed
//
// The reply is not signed. A certificate proves itself: it is for a key that the site has just made, by the authority
// that the site was enrolled with. A challenge and a refusal decide nothing; who forges one could as well be silent.

public import Provenance
import Sodium
import TwinCore

/// What a site asks a new certificate with: signed by its own key, for a TLS key that was made for it.
public struct RenewalRequest: Equatable, Sendable {
  public static let type = WireType.name("renew.v1")
  public static let bytesMax = 8 << 10
  public static let nonceBytes = 16
  private static let prefix = "renew-"

  public let site: SiteName
  /// Fresh for every renewal; it names the exchange.
  public let nonce: [UInt8]
  /// PKCS #10, PEM.
  public let certificateRequest: String
  public var challenge: [UInt8]?

  public init(site: SiteName, nonce: [UInt8], certificateRequest: String, challenge: [UInt8]? = nil) {
    precondition(nonce.count == Self.nonceBytes, "a nonce of \(nonce.count) bytes")
    (self.site, self.nonce, self.certificateRequest, self.challenge) = (site, nonce, certificateRequest, challenge)
  }

  /// In the topics, where a token's name stands for an enrolment.
  public var exchange: String { Self.prefix + EnrolmentToken.name(of: nonce) }

  /// Whether a name in the topics is a renewal's; no token is called so.
  public static func isExchange(_ name: String) -> Bool { name.hasPrefix(prefix) }

  public func sealed(by seal: Seal) -> [UInt8] { seal(Self.type, payload) }

  var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .bytes(nonce)), (2, .text(certificateRequest)),
      (3, challenge.map { .bytes($0) })
    ).encoded
  }

  /// Read, and not believed yet: `envelope` is still to be verified by a key of the site. Faults:
  /// `provenance.message_malformed`.
  public init(unverified envelope: SignedEnvelope) throws(ProvenanceFault) {
    guard envelope.type == Self.type else { throw .wire("renewal", "a message of type \(envelope.type)") }
    var fields = try CBORItem.decode(envelope.payload).fields("renewal")
    site = try fields.siteName(0)
    nonce = try fields.bytes(1, count: Self.nonceBytes)
    certificateRequest = try fields.text(2, max: 4 << 10)
    challenge = try fields.bytesIfPresent(3, count: RenewalChallenge.bytesCount)
    try fields.finish()
  }
}

/// Why a foundation gives no certificate to a site that it knows.
public enum RenewalRefusal: UInt8, Sendable, CaseIterable {
  case revoked = 1
  /// The request is signed by a key that was replaced, and whose overlap is over.
  case keyEnded = 2
  case tooOften = 3
  /// The certificate request is not one for this site.
  case requestMalformed = 4
  /// The foundation's authority or its ledger fails it.
  case unable = 5
}

/// What a foundation says to a request.
public struct RenewalReply: Equatable, Sendable {
  public static let bytesMax = 16 << 10

  public enum Answer: Equatable, Sendable {
    /// Ask again with it.
    case challenge([UInt8])
    /// PEM, with what stands between it and the authority.
    case certificate(String)
    case refused(RenewalRefusal)
  }

  public let nonce: [UInt8]
  public let answer: Answer

  public init(nonce: [UInt8], _ answer: Answer) { (self.nonce, self.answer) = (nonce, answer) }

  public var bytes: [UInt8] {
    let said: (UInt64, CBORItem?) =
      switch answer {
      case .challenge(let bytes): (1, .bytes(bytes))
      case .certificate(let text): (2, .text(text))
      case .refused(let why): (3, .number(why.rawValue))
      }
    return CBORItem.map((0, .bytes(nonce)), said).encoded
  }

  /// Faults: `provenance.enrolment_foreign` for an answer to another request, `message_malformed`.
  public init(_ bytes: [UInt8], nonce wanted: [UInt8]) throws(ProvenanceFault) {
    guard bytes.count <= Self.bytesMax else { throw .wire("renewal reply", "\(bytes.count) bytes") }
    var fields = try CBORItem.decode(bytes).fields("renewal reply")
    nonce = try fields.bytes(0, count: RenewalRequest.nonceBytes)
    guard nonce == wanted else { throw .enrolmentForeign("the reply answers another request") }
    if let challenge = try fields.bytesIfPresent(1, count: RenewalChallenge.bytesCount) {
      answer = .challenge(challenge)
    } else if let text = try fields.textIfPresent(2, max: 12 << 10) {
      answer = .certificate(text)
    } else {
      let number = try fields.number(3, as: UInt8.self)
      guard let why = RenewalRefusal(rawValue: number) else {
        throw .wire("renewal reply.3", "\(number) is no refusal that this release knows")
      }
      answer = .refused(why)
    }
    try fields.finish()
  }
}

/// A question that nobody has to remember: it proves that what echoes it was signed after it was made.
enum RenewalChallenge {
  static let bytesCount = 40
  static let lifeMs: Int64 = 120_000
  private static let label = Array("twind-renew-challenge".utf8)

  static func make(for site: SiteName, nonce: [UInt8], key: [UInt8], atMs: Int64) -> [UInt8] {
    let time = (0..<8).map { UInt8(truncatingIfNeeded: UInt64(bitPattern: atMs) >> (56 - 8 * UInt64($0))) }
    return time + Sodium.blake2b256(label + Array(site.description.utf8) + [0] + nonce + time, key: key).bytes
  }

  /// Whether it was made with `key` for that site and nonce, within its life.
  static func holds(_ bytes: [UInt8], for site: SiteName, nonce: [UInt8], key: [UInt8], atMs now: Int64) -> Bool {
    guard bytes.count == bytesCount else { return false }
    let atMs = Int64(bitPattern: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
    let (age, overflow) = now.subtractingReportingOverflow(atMs)
    guard !overflow, age >= 0, age <= lifeMs else { return false }
    let wanted = make(for: site, nonce: nonce, key: key, atMs: atMs)
    // In a time that does not tell where they differ.
    return zip(wanted, bytes).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
