import TwinCore

/// A small certificate authority: a certificate and its key.
///
/// A fleet has an offline root, which signs the brokers' certificates and the device authority, and the online device
/// authority, which can sign sites' client certificates and nothing else. Serial numbers are 128 random bits.
public struct Authority: ~Copyable, Sendable {
  /// Where a server is found: names and addresses, without ports.
  public enum ServerName: Hashable, Sendable {
    case dns(String)
    /// 4 or 16 bytes, in network order.
    case address([UInt8])
  }

  public let certificate: Certificate
  private let key: PrivateKey

  /// Throws `other_key` when the key is not the certificate's, `not_authority` when it may not sign.
  public init(certificate: Certificate, key: consuming PrivateKey) throws(X509Fault) {
    guard certificate.isAuthority else {
      throw X509Fault(
        .notAuthority, "certificate of \"\(certificate.subject)\" is no authority's", remedy: "give the authority's own"
      )
    }
    guard certificate.publicKey == key.publicKey else {
      throw X509Fault(
        .otherKey, "the private key is not the one of the certificate of \"\(certificate.subject)\"",
        remedy: "give the key it was made with")
    }
    self.certificate = certificate
    self.key = key
  }

  /// A new self-signed root.
  public static func root(named commonName: String, validity: Validity) throws(X509Fault) -> Authority {
    let key = try PrivateKey()
    try Self.checkSpan(validity)
    let plan = LibCrypto.CertificatePlan(
      kind: .root, issuerKey: key.der, publicKey: key.publicKey.der, commonName: commonName,
      serial: try freshSerial(), validity: validity)
    return try Authority(certificate: Certificate(der: LibCrypto.makeCertificate(plan)), key: key)
  }

  /// A new authority below this one that can sign client certificates and revocation lists, and no more.
  public borrowing func deviceAuthority(
    named commonName: String, validity: Validity
  ) throws(X509Fault) -> Authority {
    let key = try PrivateKey()
    let certificate = try sign(.deviceAuthority, key.publicKey, commonName, validity)
    return try Authority(certificate: certificate, key: key)
  }

  /// A certificate for a broker; at least one name.
  public borrowing func issueServer(
    _ commonName: String, publicKey: PublicKey, names: [ServerName], validity: Validity
  ) throws(X509Fault) -> Certificate {
    try sign(.server, publicKey, commonName, validity, names: try Self.packed(names))
  }

  /// A client certificate for the key of `request`, whose name must be `commonName`; nothing else of it is taken over.
  public borrowing func issueClient(
    _ request: SigningRequest, expecting commonName: String, validity: Validity
  ) throws(X509Fault) -> Certificate {
    guard request.commonName == commonName else {
      throw X509Fault(
        .otherName, "the signing request is of \"\(request.commonName)\", wanted \"\(commonName)\"",
        remedy: "make the request on the site that the token is for")
    }
    return try sign(.client, request.publicKey, commonName, validity)
  }

  /// A client certificate that follows `old`, which may have expired but must be this authority's and of the same name.
  /// Whether `old` was revoked is the caller's question.
  public borrowing func renew(
    _ old: Certificate, with request: SigningRequest, validity: Validity
  ) throws(X509Fault) -> Certificate {
    guard try old.isSigned(by: certificate) else {
      throw X509Fault(
        .otherIssuer, "certificate of \"\(old.subject)\" is by \"\(old.issuer)\", not by \"\(certificate.subject)\"",
        remedy: "enrol the site again")
    }
    return try issueClient(request, expecting: old.subject, validity: validity)
  }

  /// The list that follows number `number` − 1. Give every revocation whose certificate has not expired.
  public borrowing func revocationList(
    _ revoked: [Revocation], number: UInt64, validity: Validity
  ) throws(X509Fault) -> RevocationList {
    try Self.checkSpan(validity)
    precondition(revoked.count <= RevocationList.countMax, "more revocations than one list holds")
    let der = try LibCrypto.makeList(
      issuer: certificate.der, issuerKey: key.der, number: number, validity: validity, revoked: revoked)
    return try RevocationList(der: der, issuer: certificate)
  }

  /// PKCS #8 in the clear, for a file that only its owner reads (mode 0600).
  public borrowing func keyPEM() throws(X509Fault) -> [UInt8] { try key.pem() }

  private borrowing func sign(
    _ kind: LibCrypto.Kind, _ publicKey: PublicKey, _ commonName: String, _ validity: Validity, names: [UInt8] = []
  ) throws(X509Fault) -> Certificate {
    try Self.checkSpan(validity)
    guard validity.notAfter <= certificate.validity.notAfter else {
      throw X509Fault(
        .badValidity, "the certificate of \"\(commonName)\" would outlast its authority \"\(certificate.subject)\"",
        remedy: "ask for a shorter time, or renew the authority first")
    }
    let plan = LibCrypto.CertificatePlan(
      kind: kind, issuer: certificate.der, issuerKey: key.der, publicKey: publicKey.der, commonName: commonName,
      serial: try Self.freshSerial(), validity: validity, alternativeNames: names)
    return try Certificate(der: LibCrypto.makeCertificate(plan))
  }

  private static func checkSpan(_ validity: Validity) throws(X509Fault) {
    guard validity.notBefore < validity.notAfter else {
      throw X509Fault(
        .badValidity, "the end is not after the beginning", remedy: "check the clock and the time asked for")
    }
  }

  /// Positive, and never shorter than 16 bytes, so that its DER form is at most 17.
  private static func freshSerial() throws(X509Fault) -> [UInt8] {
    var bytes = try LibCrypto.randomBytes(16)
    bytes[0] = bytes[0] & 0x7F | 0x40
    return bytes
  }

  /// As `ccrypto_template.alternative_names` wants them.
  private static func packed(_ names: [ServerName]) throws(X509Fault) -> [UInt8] {
    var packed: [UInt8] = []
    for name in names {
      switch name {
      case .dns(let name):
        let bytes = Array(name.utf8)
        guard (1...253).contains(bytes.count), bytes.allSatisfy({ isDNS($0) }) else {
          throw badServerName("\"\(name)\"")
        }
        packed += [UInt8(ascii: "D"), UInt8(bytes.count)] + bytes
      case .address(let bytes):
        guard bytes.count == 4 || bytes.count == 16 else { throw badServerName("an address of \(bytes.count) bytes") }
        packed += [UInt8(ascii: "I"), UInt8(bytes.count)] + bytes
      }
    }
    guard !packed.isEmpty else { throw badServerName("no name") }
    return packed
  }

  /// Letters, digits, hyphens and dots; no wildcards, which a pinned broker does not need.
  private static func isDNS(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."): true
    default: false
    }
  }

  private static func badServerName(_ seen: String) -> X509Fault {
    X509Fault(
      .badName, "\(seen) is no name of a server", remedy: "give its DNS names, or its addresses of 4 or 16 bytes")
  }
}
