public import Provenance
public import TwinCore

/// What an operator of a site should know about its connection to the foundation. Each is raised once and stands until
/// it is cleared.
public struct SyncAlarm: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The foundation's history of a stream is not this site's.
    case fork
    /// The foundation holds more than this site ever wrote, by this site's own signature: a disk was restored.
    case foundationAhead = "foundation_ahead"
    /// The foundation fell back behind what it had called safe.
    case foundationLost = "foundation_lost"
    /// Entries that the foundation asks for are not kept any longer.
    case gap
    /// Something waits to be acknowledged for too long.
    case ackAge = "ack_age"
    /// The broker has nobody to hand messages to.
    case noWorker = "no_worker"
    /// The broker's access rules refuse this site.
    case accessRefused = "access_refused"
    /// A body that fits no packet went up without it.
    case bodyWithheld = "body_withheld"
    /// A receipt that does not prove what it should.
    case receiptRefused = "receipt_refused"
    /// Messages under this site's topics that the foundation did not sign.
    case forged
    /// The site's own log cannot be read.
    case logUnreadable = "log_unreadable"
  }

  public let kind: Kind
  public let stream: LogStream?
  public let message: String

  public init(_ kind: Kind, _ stream: LogStream? = nil, _ message: String) {
    (self.kind, self.stream, self.message) = (kind, stream, message)
  }

  public var code: String { "sync.\(kind.rawValue)" }

  public var remedy: String {
    switch kind {
    case .fork: "look for a second device that runs with a copy of this one's disk"
    case .foundationAhead: "nothing, if this disk was restored: the foundation orders a new epoch"
    case .foundationLost: "ask the foundation's operator which backup was restored there"
    case .gap: "read the declared gap in the audit stream; enlarge the log's budget if it comes again"
    case .ackAge: "check that the foundation's workers run and reach the broker"
    case .noWorker: "start the foundation's ingest workers"
    case .accessRefused: "compare the broker's access list with the site's name"
    case .bodyWithheld: "send bodies of this size as artefacts"
    case .receiptRefused: "compare the cosigner's keys with the foundation's"
    case .forged: "take the broker for hostile until it is explained; nothing was obeyed"
    case .logUnreadable: "look for the log's own alarm and follow it"
    }
  }
}
