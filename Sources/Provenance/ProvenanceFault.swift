public import TwinCore

/// Why keys, a pack's files or its signatures cannot be used. Texts name files and key ids, never secrets.
public struct ProvenanceFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The system refused to read or write.
    case io
    case keyExists = "key_exists"
    case keyMissing = "key_missing"
    /// A secret key file that others may read.
    case keyExposed = "key_exposed"
    case keyMalformed = "key_malformed"
    /// `keys.pub` is not what `KeySet.initialise` writes.
    case ringMalformed = "ring_malformed"
    case pathRefused = "path_refused"
    /// A symbolic link, a device, a pipe: anything but a file or a directory.
    case notAFile = "not_a_file"
    case fileTooLarge = "file_too_large"
    case tooManyFiles = "too_many_files"
    case siteRefused = "site_refused"
    case envelopesMissing = "envelopes_missing"
    /// `pack.sig` or `envelopes.sig` cannot be read.
    case sealMalformed = "seal_malformed"
    /// No signature in the file is by a key that may sign it.
    case signerUnknown = "signer_unknown"
    case signatureWrong = "signature_wrong"
    case otherSite = "other_site"
    case envelopesNewer = "envelopes_newer"
    case fileChanged = "file_changed"
    case fileMissing = "file_missing"
    case fileExtra = "file_extra"
  }

  public let kind: Kind
  /// The file in question, as a path inside the pack or as given.
  public let path: String
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, path: String, _ message: String, remedy: String) {
    (self.kind, self.path, self.message, self.remedy) = (kind, path, message, remedy)
  }

  public var code: String { "provenance.\(kind.rawValue)" }
}
