public import TwinCore

/// The number by which an authority names a certificate; 1 to 20 bytes, most significant first, without leading zeros.
public struct SerialNumber: Hashable, Sendable, CustomStringConvertible {
  public let bytes: [UInt8]

  /// nil for more than 20 bytes that count.
  public init?(_ bytes: [UInt8]) {
    let significant = Array(bytes.drop { $0 == 0 })
    guard significant.count <= 20 else { return nil }
    self.init(bytes: significant)
  }

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Hexadecimal, two digits a byte.
  public var description: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

/// An X.509 certificate (RFC 5280). Reading one checks its form only: whom to believe is `verify`'s question.
public struct Certificate: Hashable, Sendable {
  public enum Purpose: Sendable {
    case server
    case client
  }

  /// More than a leaf, an authority and a root, with room for one more.
  public static let chainCountMax = 8
  private static let label = "CERTIFICATE"

  struct Fields: Hashable {
    let subject: String
    let issuer: String
    let serial: SerialNumber
    let validity: Validity
    let isAuthority: Bool
    let publicKey: PublicKey
  }

  public let der: [UInt8]
  /// SHA-256 of the DER bytes.
  public let fingerprint: Digest
  private let fields: Fields

  /// Reads the first certificate of `pem`.
  public init(pem: [UInt8]) throws(X509Fault) {
    try self.init(der: LibCrypto.decodePEM(pem, label: Self.label))
  }

  public init(der: [UInt8]) throws(X509Fault) {
    fields = try LibCrypto.readCertificate(der)
    fingerprint = try LibCrypto.sha256(der)
    self.der = der
  }

  /// Reads every certificate of `pem`, in its order; at least one and at most `chainCountMax`.
  public static func chain(pem: [UInt8]) throws(X509Fault) -> [Certificate] {
    var found = [try Certificate(pem: pem)]
    while let der = try? LibCrypto.decodePEM(pem, label: label, index: found.count) {
      guard found.count < chainCountMax else {
        throw X509Fault(
          .malformed, "more than \(chainCountMax) certificates in one text", remedy: "keep the chain of one leaf only")
      }
      found.append(try Certificate(der: der))
    }
    return found
  }

  /// The common name of the subject.
  public var subject: String { fields.subject }
  /// The common name of the issuer.
  public var issuer: String { fields.issuer }
  public var serial: SerialNumber { fields.serial }
  public var validity: Validity { fields.validity }
  /// Whether it may sign other certificates.
  public var isAuthority: Bool { fields.isAuthority }
  public var publicKey: PublicKey { fields.publicKey }

  public func pem() throws(X509Fault) -> [UInt8] { try LibCrypto.encodePEM(der, label: Self.label) }

  /// Whether `issuer`'s key made the signature; dates and purposes are not looked at.
  public func isSigned(by issuer: Certificate) throws(X509Fault) -> Bool {
    do throws(X509Fault) {
      try LibCrypto.checkSignature(of: der, by: issuer.der)
      return true
    } catch {
      guard error.kind == .badSignature else { throw error }
      return false
    }
  }

  /// Throws `untrusted` unless a chain of `intermediates` leads to one of `roots`, all valid at `instant` and made for
  /// `purpose`. With `lists`, the one of the leaf's issuer must be among them, be in date and not name the leaf.
  public func verify(
    through intermediates: [Certificate], to roots: [Certificate], for purpose: Purpose, at instant: Instant,
    lists: [RevocationList] = []
  ) throws(X509Fault) {
    let why = try LibCrypto.verify(
      der, between: intermediates.flatMap(\.der), roots: roots.flatMap(\.der), lists: lists.flatMap(\.der),
      kind: purpose == .server ? .server : .client, at: instant)
    if let why {
      throw X509Fault(
        .untrusted, "certificate of \"\(subject)\", number \(serial): \(why)",
        remedy: "check the clock first, then renew the certificate or install the right authority")
    }
  }
}
