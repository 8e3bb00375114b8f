import Glibc
import MQTT
import Provenance
import Seams
import Sodium
import Sync
import TwinCore
import X509

/// When a site's certificate is renewed, and what became of the last attempts. A value without I/O.
///
/// It is renewed when a third of its life is left, each site at its own moment within a thirtieth of that life; and
/// again and again until it is, ended or not. A broker that refuses the site although its certificate looks good is a
/// reason too: then this clock, or the file, is wrong.
struct CertificateUpkeep {
  static let lookNanoseconds: Int64 = 5_000_000_000
  /// For the whole exchange.
  static let patienceNanoseconds: Int64 = 60_000_000_000
  static let retryMinNanoseconds: Int64 = 30_000_000_000
  static let retryMaxNanoseconds: Int64 = 3_600_000_000_000
  static let pauseNanoseconds: Int64 = 86_400_000_000_000
  /// Refused sessions in a row that ask for a renewal.
  static let refusalsMax = 5
  /// A request meets nobody while the foundation comes back from an outage of the broker.
  static let askAgainNanoseconds: Int64 = 4_000_000_000
  /// Requests of one exchange: those of its whole time, and one for each challenge.
  static let asksMax = 32

  /// One exchange with the foundation.
  final class Attempt: Sendable {
    let number: Int
    let key: PrivateKey
    let request: RenewalRequest
    let link: BrokerLink
    let deadline: Uptime

    init(_ number: Int, _ key: consuming PrivateKey, _ request: RenewalRequest, _ link: BrokerLink, until: Uptime) {
      (self.number, self.request, self.link, deadline) = (number, request, link, until)
      self.key = key
    }
  }

  var attempt: Attempt?
  /// What the next request echoes.
  var challenge: [UInt8]?
  /// When the request is sent again; nil before the first one.
  private(set) var askAt: Uptime?
  private var asks = 0
  private(set) var attempts = 0
  private(set) var note: RenewalNote
  /// Of the session that runs or ran last.
  var inUse: Certificate?
  private var nextLook: Uptime
  private var nextTry: Uptime
  private var failures = 0
  private var refusals = 0

  init(_ note: RenewalNote, inUse: Certificate?, at now: Uptime) {
    (self.note, self.inUse, nextLook, nextTry) = (note, inUse, now, now)
  }

  /// From when on it is renewed. The moment follows from the certificate, so that a restart does not move it.
  static func renewalAt(_ certificate: Certificate) -> Instant {
    let validity = certificate.validity
    let life = validity.notAfter.nanoseconds(since: validity.notBefore)
    let part = Int64(certificate.fingerprint.bytes[0]) << 8 | Int64(certificate.fingerprint.bytes[1])
    return validity.notAfter.advanced(byNanoseconds: life / 30 / 65536 * part - life / 3)
  }

  /// Whether to begin an attempt now; looks every five seconds.
  mutating func isDue(at wall: Instant, _ now: Uptime) -> Bool {
    guard attempt == nil, now >= nextLook else { return false }
    nextLook = now.advanced(byNanoseconds: Self.lookNanoseconds)
    guard now >= nextTry else { return false }
    guard let inUse else { return true }
    return wall >= Self.renewalAt(inUse) || refusals >= Self.refusalsMax
  }

  mutating func begin(_ next: Attempt) {
    (attempt, attempts, challenge, asks, askAt) = (next, next.number, nil, 0, nil)
  }

  /// The request to send now, nil when it was sent often enough.
  mutating func ask(at now: Uptime) -> RenewalRequest? {
    guard asks < Self.asksMax, var request = attempt?.request else { return nil }
    asks += 1
    askAt = now.advanced(byNanoseconds: Self.askAgainNanoseconds)
    request.challenge = challenge
    return request
  }

  /// `spread` is random, from 0 to below 1.
  mutating func failed(_ fault: EdgeFault, at wall: Instant, _ now: Uptime, spread: Double) {
    attempt = nil
    let most = min(Self.retryMaxNanoseconds, Self.retryMinNanoseconds << min(failures, 8))
    failures += 1
    nextTry = now.advanced(byNanoseconds: most / 2 + Int64(Double(most / 2) * spread))
    (note.failedAt, note.fault) = (wall, fault)
  }

  /// A wrong clock calls the new certificate ended too, and a broken broker refuses it: not again before a day.
  mutating func renewed(at wall: Instant, _ now: Uptime) {
    (attempt, failures, refusals) = (nil, 0, 0)
    nextTry = now.advanced(byNanoseconds: Self.pauseNanoseconds)
    note = RenewalNote(renewedAt: wall)
  }

  /// A session ended before the broker had let the site in. Behind TLS 1.3 the alert may be lost to a plain close.
  mutating func noteRefused(_ fault: MessageFault) {
    if fault.kind == .tlsFailed || fault.kind == .closed { refusals += 1 }
  }

  /// True when an earlier failure is over with it, for the certificate that is in use lasts.
  mutating func noteUseful(at wall: Instant) -> Bool {
    refusals = 0
    guard note.fault != nil, let inUse, wall < Self.renewalAt(inUse) else { return false }
    (note.fault, note.failedAt) = (nil, nil)
    return true
  }
}

/// What became of the last renewal, kept over starts in `renewal`:
///
///     {0? renewed at ns, 1? failed at ns, 2? code text, 3? message text, 4? remedy text}
struct RenewalNote: Equatable {
  static let bytesMax = 4096

  var renewedAt: Instant?
  var failedAt: Instant?
  var fault: EdgeFault?

  init(renewedAt: Instant? = nil) { self.renewedAt = renewedAt }

  var bytes: [UInt8] {
    CBORItem.map(
      (0, renewedAt.map { .integer($0.nanoseconds) }), (1, failedAt.map { .integer($0.nanoseconds) }),
      (2, fault.map { .text($0.code) }), (3, fault.map { .text(String($0.message.prefix(500))) }),
      (4, fault.map { .text(String($0.remedy.prefix(500))) })
    ).encoded
  }

  /// Empty for bytes that are no note: it only informs.
  init(_ bytes: [UInt8]?) {
    guard let bytes, var fields = try? CBORItem.decode(bytes).fields("renewal note") else { return }
    renewedAt = (try? fields.instantIfPresent(0)) ?? nil
    failedAt = (try? fields.instantIfPresent(1)) ?? nil
    if let code = (try? fields.textIfPresent(2, max: 128)) ?? nil,
      let message = (try? fields.textIfPresent(3, max: 2048)) ?? nil,
      let remedy = (try? fields.textIfPresent(4, max: 2048)) ?? nil
    {
      fault = EdgeFault(code: code, message, remedy: remedy)
    }
  }
}

extension PeerFolder {
  static let nextKeyName = "next.key"
  static let nextCertificateName = "next.crt"
  static let renewalName = "renewal"

  /// The pair that proved itself, and the one that was renewed and has not yet.
  enum Pair {
    case current
    case next

    var names: (certificate: String, key: String) {
      switch self {
      case .current: (PeerFolder.certificateName, PeerFolder.keyName)
      case .next: (PeerFolder.nextCertificateName, PeerFolder.nextKeyName)
      }
    }
  }

  /// Nil unless certificate and key are there and belong together.
  func certificate(_ pair: Pair) -> Certificate? {
    guard let text = bytes(pair.names.certificate, max: 64 << 10), let certificate = try? Certificate(pem: text),
      var pem = bytes(pair.names.key, max: 4 << 10)
    else { return nil }
    defer { Sodium.wipe(&pem) }
    guard let key = try? PrivateKey(pem: pem), key.publicKey == certificate.publicKey else { return nil }
    return certificate
  }

  /// Puts a renewed pair beside the one in use. A stop in between leaves two files that do not belong together, which
  /// count as none.
  func stage(_ certificate: String, _ key: borrowing PrivateKey) throws(EdgeFault) {
    do {
      var pem = try key.pem()
      defer { Sodium.wipe(&pem) }
      try write(pem, Self.nextKeyName)
      try write(Array(certificate.utf8), Self.nextCertificateName, mode: 0o644)
    } catch let fault as ProvenanceFault {
      throw EdgeFault(fault)
    } catch let fault as X509Fault {
      throw EdgeFault(fault)
    } catch {
      throw EdgeFault("renewal_unwritten", "\(error)", remedy: "look at the disk of \(path)")
    }
  }

  /// Makes the renewed pair the one in use. Until its last step the renewed pair is whole, and a stop costs nothing.
  func promote() throws(ProvenanceFault) {
    guard var key = bytes(Self.nextKeyName, max: 4 << 10),
      let certificate = bytes(Self.nextCertificateName, max: 64 << 10)
    else { return }
    defer { Sodium.wipe(&key) }
    try write(key, Self.keyName)
    try write(certificate, Self.certificateName, mode: 0o644)
    dropNext()
  }

  func dropNext() {
    remove(Self.nextCertificateName)
    remove(Self.nextKeyName)
  }
}
