public import TwinCore

/// Why keys, a pack's files, a message or its signatures cannot be used. Texts name files, places and key ids, never
/// secrets.
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
    /// Bytes of a peer that are no message of the protocol.
    case messageMalformed = "message_malformed"
    case messageTooLarge = "message_too_large"
    /// Right signatures, but by fewer keys than must agree.
    case thresholdMissed = "threshold_missed"
    /// A signed note, a checkpoint or a note's key that cannot be read.
    case noteMalformed = "note_malformed"
    /// A signed document of the fleet that says something impossible.
    case documentMalformed = "document_malformed"
    /// Not the first root that the site was told.
    case rootUnknown = "root_unknown"
    /// A root on the way from the known one is not there.
    case rootSkipped = "root_skipped"
    case metadataExpired = "metadata_expired"
    case metadataMissing = "metadata_missing"
    /// Not the document that another one promises by length, digest and version.
    case metadataMismatch = "metadata_mismatch"
    /// Below a version that was seen.
    case versionOld = "version_old"
    /// Two different contents under one version.
    case versionChanged = "version_changed"
    case nameVanished = "name_vanished"
    case otherFleet = "other_fleet"
    /// A signed time further ahead than is believed.
    case timeStep = "time_step"
    case checkpointUnproven = "checkpoint_unproven"
    case witnessMissing = "witness_missing"
    /// The foundation's log contradicts itself: no metadata but a root is taken in.
    case intakeFrozen = "intake_frozen"
    /// The age of the metadata forbids new installs.
    case installsOff = "installs_off"
    case notListed = "not_listed"
    case notAssigned = "not_assigned"
    case artefactRefused = "artefact_refused"
    /// An envelope that the safety keys signed before the one that runs.
    case envelopeOlder = "envelope_older"
    case stateMalformed = "state_malformed"
    /// A JSON statement about an artefact that cannot be read.
    case statementMalformed = "statement_malformed"
    case tokenMalformed = "token_malformed"
    /// A message that was not made with the secret of its token.
    case codeWrong = "code_wrong"
    /// A reply to somebody else, or by somebody else.
    case enrolmentForeign = "enrolment_foreign"
    /// Asked for a second time.
    case enrolled
  }

  public let kind: Kind
  /// The file in question, as a path inside the pack or as given; for messages the place, as `batch.3`.
  public let path: String
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, path: String, _ message: String, remedy: String) {
    (self.kind, self.path, self.message, self.remedy) = (kind, path, message, remedy)
  }

  public var code: String { "provenance.\(kind.rawValue)" }
}
