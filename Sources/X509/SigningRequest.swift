/// A signing request (PKCS #10, RFC 2986) whose signature, curve and name have been checked.
public struct SigningRequest: Hashable, Sendable {
  private static let label = "CERTIFICATE REQUEST"

  public let der: [UInt8]
  public let commonName: String
  public let publicKey: PublicKey

  public init(commonName: String, key: borrowing PrivateKey) throws(X509Fault) {
    try self.init(der: LibCrypto.makeRequest(key: key.der, commonName: commonName))
  }

  public init(pem: [UInt8]) throws(X509Fault) {
    try self.init(der: LibCrypto.decodePEM(pem, label: Self.label))
  }

  public init(der: [UInt8]) throws(X509Fault) {
    guard der.count <= LibCrypto.derBytesMax else {
      throw X509Fault(
        .malformed, "a signing request of \(der.count) bytes, at most \(LibCrypto.derBytesMax) are read",
        remedy: "check what the file holds")
    }
    let (commonName, publicKey) = try LibCrypto.readRequest(der)
    self.der = der
    self.commonName = commonName
    self.publicKey = PublicKey(der: publicKey)
  }

  public func pem() throws(X509Fault) -> [UInt8] { try LibCrypto.encodePEM(der, label: Self.label) }
}
