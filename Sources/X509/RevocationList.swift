public import TwinCore

/// One certificate taken back.
public struct Revocation: Hashable, Sendable {
  public let serial: SerialNumber
  public let at: Instant

  public init(serial: SerialNumber, at: Instant) { (self.serial, self.at) = (serial, at) }
}

/// A signed list of the certificates that an authority took back (RFC 5280 §5).
///
/// A broker with a list whose `validity` is over lets nobody in: make the next one well before.
public struct RevocationList: Hashable, Sendable {
  /// Larger fleets split into several authorities.
  public static let countMax = 100_000
  private static let label = "X509 CRL"

  public let der: [UInt8]
  /// Grows with every list of an authority.
  public let number: UInt64
  /// From this update to the next.
  public let validity: Validity
  public let revoked: [Revocation]

  /// Throws `bad_signature` unless `issuer` signed it.
  public init(pem: [UInt8], issuer: Certificate) throws(X509Fault) {
    try self.init(der: LibCrypto.decodePEM(pem, label: Self.label), issuer: issuer)
  }

  public init(der: [UInt8], issuer: Certificate) throws(X509Fault) {
    (number, validity, revoked) = try LibCrypto.readList(der, issuer: issuer.der)
    self.der = der
  }

  /// The first list of `issuer` among all in `pem`; nil where there is none.
  public static func find(in pem: [UInt8], by issuer: Certificate) throws(X509Fault) -> RevocationList? {
    for index in 0..<Certificate.chainCountMax {
      guard let der = try? LibCrypto.decodePEM(pem, label: label, index: index) else { return nil }
      do throws(X509Fault) {
        return try RevocationList(der: der, issuer: issuer)
      } catch {
        guard error.kind == .badSignature else { throw error }
      }
    }
    return nil
  }

  public func pem() throws(X509Fault) -> [UInt8] { try LibCrypto.encodePEM(der, label: Self.label) }
}
