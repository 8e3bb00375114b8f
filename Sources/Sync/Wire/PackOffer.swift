// The body of a directed entry of kind packOffered:
//
//     {0: manifest bytes, 1: pack version, 2: envelopes version}
//
// and of the log entry of kind packInstalled that answers it:
//
//     {0: digest bytes(32), 1: pack version, 2: envelopes version, 3: whether it was taken, 4: why text}

public import Provenance
public import TwinCore

/// A signed pack that a site is to fetch and judge by its own keys.
public struct PackOffer: Equatable, Sendable {
  public let manifest: ArtefactManifest
  public let version: UInt64
  public let envelopesVersion: UInt64

  public init(manifest: ArtefactManifest, version: UInt64, envelopesVersion: UInt64) {
    (self.manifest, self.version, self.envelopesVersion) = (manifest, version, envelopesVersion)
  }

  public var body: [UInt8] {
    CBORItem.map(
      (0, .bytes(manifest.payload)), (1, .unsigned(version)), (2, .unsigned(envelopesVersion))
    ).encoded
  }

  public init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("pack offer")
    manifest = try ArtefactManifest(payload: try fields.bytes(0, max: 1 << 10))
    (version, envelopesVersion) = (try fields.unsigned(1), try fields.unsigned(2))
    try fields.finish()
  }
}

/// What a site did with an offer.
public struct PackOutcome: Equatable, Sendable {
  public static let whyBytesMax = 1 << 10

  public let digest: Digest
  public let version: UInt64
  public let envelopesVersion: UInt64
  public let isTaken: Bool
  /// Why not; empty when it was taken.
  public let why: String

  public init(digest: Digest, version: UInt64, envelopesVersion: UInt64, isTaken: Bool, why: String = "") {
    (self.digest, self.version, self.envelopesVersion) = (digest, version, envelopesVersion)
    (self.isTaken, self.why) = (isTaken, String(why.prefix(Self.whyBytesMax / 4)))
  }

  public var body: [UInt8] {
    CBORItem.map(
      (0, .digest(digest)), (1, .unsigned(version)), (2, .unsigned(envelopesVersion)), (3, .bool(isTaken)),
      (4, .text(why))
    ).encoded
  }

  public init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("pack outcome")
    digest = try fields.digest(0)
    (version, envelopesVersion) = (try fields.unsigned(1), try fields.unsigned(2))
    isTaken = try fields.bool(3)
    why = try fields.text(4, max: Self.whyBytesMax)
    try fields.finish()
  }
}
