/// The public half of a key, as SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
public struct PublicKey: Hashable, Sendable {
  public let der: [UInt8]
}

/// A P-256 key for TLS. It cannot be copied, hence not printed, and is zeroed when it goes.
public struct PrivateKey: ~Copyable, Sendable {
  private static let label = "PRIVATE KEY"

  private let secret: Secret
  public let publicKey: PublicKey

  /// A fresh key.
  public init() throws(X509Fault) {
    try self.init(der: LibCrypto.makeKey())
  }

  /// Reads PKCS #8 without a passphrase; refuses every other curve.
  public init(pem: [UInt8]) throws(X509Fault) {
    try self.init(der: LibCrypto.decodePEM(pem, label: Self.label))
  }

  private init(der: [UInt8]) throws(X509Fault) {
    publicKey = PublicKey(der: try LibCrypto.publicKey(of: der))
    secret = Secret(der)
  }

  var der: [UInt8] { secret.bytes }

  /// PKCS #8 in the clear, for a file that only its owner reads (mode 0600).
  public borrowing func pem() throws(X509Fault) -> [UInt8] {
    try LibCrypto.encodePEM(der, label: Self.label)
  }

  /// A class, because only the one owner of an array can wipe it in place.
  private final class Secret: @unchecked Sendable {
    // @unchecked: written in `init` and `deinit` alone.
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    deinit { LibCrypto.wipe(&bytes) }
  }
}
