public import TwinCore

/// Why a key, a certificate or a list could not be made or was not believed.
public struct X509Fault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// Bytes that are not the structure they should be.
    case malformed
    /// A key that is not on the curve P-256.
    case wrongCurve = "wrong_curve"
    /// A signature that the key does not confirm.
    case badSignature = "bad_signature"
    /// A subject without exactly one usable common name.
    case badName = "bad_name"
    /// A signing request under another name than the one it was expected under.
    case otherName = "other_name"
    /// A key that is not the certificate's.
    case otherKey = "other_key"
    /// A certificate that this authority did not sign.
    case otherIssuer = "other_issuer"
    /// Dates that are no span, or that outlast the authority.
    case badValidity = "bad_validity"
    /// A certificate that may not do what is asked of it.
    case notAuthority = "not_authority"
    /// A chain that does not hold at the moment asked about.
    case untrusted
    /// libcrypto failed without the input being at fault.
    case libraryFailed = "library_failed"
  }

  public let kind: Kind
  public let message: String
  public let remedy: String

  init(_ kind: Kind, _ message: String, remedy: String) {
    (self.kind, self.message, self.remedy) = (kind, message, remedy)
  }

  public var code: String { "x509.\(kind.rawValue)" }
}
