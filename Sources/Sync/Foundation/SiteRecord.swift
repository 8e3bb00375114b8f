public import Provenance
public import Sodium
public import TwinCore

/// One log of one site: the unit of order, of acknowledgement and of storage.
public struct LogName: Hashable, Sendable, CustomStringConvertible {
  public let site: SiteName
  public let epoch: LogEpoch
  public let stream: LogStream

  public init(site: SiteName, epoch: LogEpoch, stream: LogStream) {
    (self.site, self.epoch, self.stream) = (site, epoch, stream)
  }

  /// The origin of its checkpoints.
  public var description: String { Checkpoint.origin(site: site, stream: stream, epoch: epoch) }
}

/// A signing key of a site, as enrolled or rotated.
public struct SiteKey: Equatable, Sendable {
  /// Counts rotations; entries name it.
  public let keyEpoch: UInt32
  public let signing: Ed25519.PublicKey
  /// X25519, 32 bytes: what artefacts for this site alone are sealed to.
  public let sealing: [UInt8]
  /// Nil for the newest key; the end of the overlap for the one before it.
  public let validUntil: Instant?

  public init(keyEpoch: UInt32, signing: Ed25519.PublicKey, sealing: [UInt8], validUntil: Instant? = nil) {
    (self.keyEpoch, self.signing, self.sealing, self.validUntil) = (keyEpoch, signing, sealing, validUntil)
  }
}

/// What the foundation decided about a site.
public enum SiteStanding: Equatable, Sendable {
  case active
  /// Its messages are kept as evidence; nothing is appended until an operator decides.
  case quarantined(reason: String)
  case revoked
}

/// What became of one epoch of a site's logs.
public enum EpochStanding: UInt8, Sendable {
  case open = 0
  /// Its heads stay as they are for ever.
  case closed = 1
  /// Opened by the site without a link the foundation can follow: an operator decides.
  case awaitingApproval = 2
}

public struct SiteEpoch: Equatable, Sendable {
  public let epoch: LogEpoch
  public var standing: EpochStanding
  /// The epoch before it, as the site said under its signature; nil for the first.
  public let previous: LogEpoch?

  public init(epoch: LogEpoch, standing: EpochStanding, previous: LogEpoch?) {
    (self.epoch, self.standing, self.previous) = (epoch, standing, previous)
  }
}

/// A site in the foundation's register.
public struct SiteRecord: Equatable, Sendable {
  public let name: SiteName
  public var standing: SiteStanding
  /// Newest first; at most two are valid at a time.
  public var keys: [SiteKey]
  /// Oldest first.
  public var epochs: [SiteEpoch]

  public init(name: SiteName, standing: SiteStanding = .active, keys: [SiteKey], epochs: [SiteEpoch] = []) {
    (self.name, self.standing, self.keys, self.epochs) = (name, standing, keys, epochs)
  }

  /// The keys whose signatures count at `instant`.
  public func signingKeys(at instant: Instant) -> [Ed25519.PublicKey] {
    keys.filter { $0.validUntil.map { instant <= $0 } ?? true }.map(\.signing)
  }

  public func epoch(_ epoch: LogEpoch) -> SiteEpoch? { epochs.first { $0.epoch == epoch } }
  public var openEpoch: SiteEpoch? { epochs.last { $0.standing == .open } }
}
