public import Provenance
public import TwinCore

/// What happens to a worker of the foundation.
public enum FoundationEvent: Sendable {
  case connected(packetBytesMax: Int)
  case disconnected
  case received(topic: String, payload: [UInt8])
  /// An entry was appended to the foundation's log for the site.
  case directedAppended(SiteName)
  /// Fetch an artefact of the site; what is kept of it already is not fetched again.
  case collect(SiteName, ArtefactManifest)
  /// The time of `wake` has come, or any other.
  case tick
}

/// What the owner of a worker has to do, in this order.
public enum FoundationAction: Equatable, Sendable {
  case subscribe([String])
  case publish(Publication)
  case notice(FoundationNotice)
  /// Call again with `tick` then; each takes the place of the one before.
  case wake(at: Uptime)
  /// The lease is lost: close the connection, and acknowledge nothing more.
  case stop
}

/// Something that a foundation's operator or record should know.
public struct FoundationNotice: Equatable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    // About a site's honesty; each comes with evidence.
    case forged, foreign, malformed, equivocation, fork
    // About its logs.
    case restored, gap, missing, held
    case epochOpened = "epoch_opened"
    case epochPending = "epoch_pending"
    case epochClosed = "epoch_closed"
    /// Nothing of the site is taken, by its record.
    case refused
    // About its connection.
    case flood, online, late, offline
    case deathHint = "death_hint"
    case artefactComplete = "artefact_complete"
    // About the foundation.
    case storage, lagging
    /// A site was shown a log of this foundation that is not its own.
    case split
  }

  public let kind: Kind
  public let site: SiteName?
  public let stream: LogStream?
  public let message: String
  /// The signed message that shows it.
  public let evidence: [UInt8]?

  public init(
    _ kind: Kind, site: SiteName? = nil, stream: LogStream? = nil, _ message: String, evidence: [UInt8]? = nil
  ) {
    (self.kind, self.site, self.stream, self.message, self.evidence) = (kind, site, stream, message, evidence)
  }
}
