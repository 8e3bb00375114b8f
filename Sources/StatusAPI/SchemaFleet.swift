extension API {
  /// A foundation in one answer.
  public struct Fleet: Codable, Sendable, Equatable {
    public var foundation: String
    /// `well`, `attention` or `alarm`; anything else is read as unknown.
    public var state: String
    public var sites: FleetCounts
    /// `sqlite` or `postgresql`.
    public var ledger: String
    /// The fencing term of this foundation's lease on the ledger.
    public var term: Int64
    public var broker: BrokerState
    public var workers: Int
    public var version: String
    public var uptimeS: Double
    /// Of the foundation's own log.
    public var log: FleetCheckpoint?
    public var problems: [Problem]

    public init(
      foundation: String, state: String, sites: FleetCounts, ledger: String, term: Int64, broker: BrokerState,
      workers: Int, version: String, uptimeS: Double, log: FleetCheckpoint? = nil, problems: [Problem] = []
    ) {
      (self.foundation, self.state, self.sites, self.ledger, self.term) = (foundation, state, sites, ledger, term)
      (self.broker, self.workers, self.version, self.uptimeS) = (broker, workers, version, uptimeS)
      (self.log, self.problems) = (log, problems)
    }
  }

  /// Sites by state; together all of them.
  public struct FleetCounts: Codable, Sendable, Equatable {
    public var current = 0
    public var behind = 0
    public var silent = 0
    public var quarantined = 0
    public var enrolling = 0

    public init() {}
  }

  public struct BrokerState: Codable, Sendable, Equatable {
    public var address: String
    /// `connected`, `connecting`, `refused` or `down`.
    public var state: String
    public var since: Timestamp?
    public var cause: String?

    public init(address: String, state: String, since: Timestamp? = nil, cause: String? = nil) {
      (self.address, self.state, self.since, self.cause) = (address, state, since, cause)
    }
  }

  public struct FleetCheckpoint: Codable, Sendable, Equatable {
    public var size: Int64
    /// Hexadecimal.
    public var root: String
    public var at: Timestamp

    public init(size: Int64, root: String, at: Timestamp) { (self.size, self.root, self.at) = (size, root, at) }
  }
}

extension API {
  public struct FleetSites: Codable, Sendable, Equatable {
    public var sites: [FleetSite]

    public init(sites: [FleetSite]) { self.sites = sites }
  }

  /// What a foundation knows of one site.
  public struct FleetSite: Codable, Sendable, Equatable {
    /// `tenant.site`.
    public var site: String
    /// `current`, `behind`, `silent`, `quarantined` or `enrolling`; anything else is read as unknown.
    public var state: String
    public var lastHeardAt: Timestamp?
    /// As the site last said.
    public var mode: String?
    public var packVersion: Int?
    public var envelopesVersion: Int?
    /// Entries that the site has and this foundation has not.
    public var waiting: Int64
    /// Messages of the site that were refused since it was last current.
    public var refused: Int64
    public var streams: [FleetStream]
    /// One line: why it is not current.
    public var problem: String?
    public var next: String?

    public init(
      site: String, state: String, lastHeardAt: Timestamp? = nil, mode: String? = nil, packVersion: Int? = nil,
      envelopesVersion: Int? = nil, waiting: Int64 = 0, refused: Int64 = 0, streams: [FleetStream] = [],
      problem: String? = nil, next: String? = nil
    ) {
      (self.site, self.state, self.lastHeardAt, self.mode) = (site, state, lastHeardAt, mode)
      (self.packVersion, self.envelopesVersion) = (packVersion, envelopesVersion)
      (self.waiting, self.refused, self.streams) = (waiting, refused, streams)
      (self.problem, self.next) = (problem, next)
    }
  }

  /// One stream of a site's log, as the foundation has it.
  public struct FleetStream: Codable, Sendable, Equatable {
    /// `audit`, `control`, `model`, `features` or `debug`.
    public var stream: String
    /// The first entry that the foundation does not have.
    public var next: Int64
    /// The first entry that the site does not have, as it last said.
    public var siteNext: Int64?
    /// Below this the site may let bodies go.
    public var safe: Int64
    /// Entries that the site declared lost.
    public var lost: Int64

    public init(stream: String, next: Int64, siteNext: Int64? = nil, safe: Int64, lost: Int64 = 0) {
      (self.stream, self.next, self.siteNext, self.safe, self.lost) = (stream, next, siteNext, safe, lost)
    }
  }

  public struct FleetKeys: Codable, Sendable, Equatable {
    public var keys: [FleetKey]

    public init(keys: [FleetKey]) { self.keys = keys }
  }

  public struct FleetKey: Codable, Sendable, Equatable {
    /// Hexadecimal.
    public var id: String
    /// A site, or a role of the foundation.
    public var owner: String
    /// `current`, `retired` or `revoked`.
    public var state: String
    public var since: Timestamp?
    public var until: Timestamp?

    public init(id: String, owner: String, state: String, since: Timestamp? = nil, until: Timestamp? = nil) {
      (self.id, self.owner, self.state, self.since, self.until) = (id, owner, state, since, until)
    }
  }
}

extension API {
  public struct EnrolmentRequest: Codable, Sendable, Equatable {
    /// `tenant.site`.
    public var site: String
    /// How long the token may be used; up to seven days.
    public var forS: Double

    public init(site: String, forS: Double) { (self.site, self.forS) = (site, forS) }
  }

  public struct Enrolments: Codable, Sendable, Equatable {
    public var enrolments: [Enrolment]

    public init(enrolments: [Enrolment]) { self.enrolments = enrolments }
  }

  public struct Enrolment: Codable, Sendable, Equatable {
    public var id: String
    public var site: String
    /// `open`, `used`, `expired` or `withdrawn`.
    public var state: String
    public var expiresAt: Timestamp
    /// In the answer that made it alone.
    public var token: String?

    public init(id: String, site: String, state: String, expiresAt: Timestamp, token: String? = nil) {
      (self.id, self.site, self.state, self.expiresAt, self.token) = (id, site, state, expiresAt, token)
    }
  }

  /// A request of a site without a network, or its answer: base 64 of the file (RFC 4648 §4).
  public struct EnrolmentFile: Codable, Sendable, Equatable {
    public var content: String

    public init(content: String) { self.content = content }
  }

  public struct AuditEntries: Codable, Sendable, Equatable {
    public var entries: [AuditEntry]
    /// Ask again `after` this; nil when there is no more. A page may be empty and not the last.
    public var next: String?

    public init(entries: [AuditEntry], next: String? = nil) { (self.entries, self.next) = (entries, next) }
  }

  public struct AuditEntry: Codable, Sendable, Equatable {
    public var number: Int64
    public var at: Timestamp
    /// Nil for what the foundation itself did.
    public var site: String?
    /// `audit`, `control`, …; nil for what the foundation itself did.
    public var stream: String?
    public var sequence: Int64?
    /// What kind of entry: `decision`, `enrolled`, `published`, …
    public var kind: String
    public var text: String
    /// BLAKE2b-256 of its body, hexadecimal.
    public var digest: String?

    public init(
      number: Int64, at: Timestamp, site: String? = nil, stream: String? = nil, sequence: Int64? = nil, kind: String,
      text: String, digest: String? = nil
    ) {
      (self.number, self.at, self.site, self.stream, self.sequence) = (number, at, site, stream, sequence)
      (self.kind, self.text, self.digest) = (kind, text, digest)
    }
  }

  /// A signed pack for one site, its files as they are, with the documents by which the offline keys let it be
  /// installed.
  public struct PublishRequest: Codable, Sendable, Equatable {
    public var site: String
    public var files: [PublishFile]
    /// Envelopes named `targets` and `packs`; each follows the version that the foundation has.
    public var documents: [PublishFile]
    public var reason: String

    public init(site: String, files: [PublishFile], documents: [PublishFile], reason: String) {
      (self.site, self.files, self.documents, self.reason) = (site, files, documents, reason)
    }
  }

  /// The foundation's own log at its newest checkpoint.
  public struct FleetLog: Codable, Sendable, Equatable {
    /// The checkpoint as a signed note, with all cosignatures.
    public var note: String
    public var size: Int64
    /// What the proof begins with.
    public var from: Int64
    /// Hashes, hexadecimal (RFC 9162 §2.1.4).
    public var proof: [String]
    /// Witnesses that have cosigned, of how many that sites demand.
    public var witnesses: Int
    public var witnessesNeeded: Int

    public init(note: String, size: Int64, from: Int64, proof: [String], witnesses: Int, witnessesNeeded: Int) {
      (self.note, self.size, self.from, self.proof) = (note, size, from, proof)
      (self.witnesses, self.witnessesNeeded) = (witnesses, witnessesNeeded)
    }
  }

  /// A checkpoint's note with the cosignature of a witness.
  public struct FleetCosignature: Codable, Sendable, Equatable {
    public var note: String

    public init(note: String) { self.note = note }
  }

  /// The fleet's signed metadata as the foundation has it: what the next versions follow.
  public struct FleetMetadata: Codable, Sendable, Equatable {
    public var fleet: String
    /// Envelopes named `root`, `targets`, `packs`, `rollout`, `snapshot` and `timestamp`; those that exist.
    public var documents: [PublishFile]

    public init(fleet: String, documents: [PublishFile]) { (self.fleet, self.documents) = (fleet, documents) }
  }

  public struct PublishFile: Codable, Sendable, Equatable {
    public var path: String
    /// Base 64 (RFC 4648 §4).
    public var content: String

    public init(path: String, content: String) { (self.path, self.content) = (path, content) }
  }

  public struct Published: Codable, Sendable, Equatable {
    public var site: String
    public var packVersion: Int
    public var envelopesVersion: Int
    /// Of the artefact that the site fetches, hexadecimal.
    public var digest: String
    /// Where it stands in the site's directed log.
    public var sequence: Int64

    public init(site: String, packVersion: Int, envelopesVersion: Int, digest: String, sequence: Int64) {
      (self.site, self.packVersion, self.envelopesVersion) = (site, packVersion, envelopesVersion)
      (self.digest, self.sequence) = (digest, sequence)
    }
  }

  /// Why an administrator does what the path says.
  public struct FleetActRequest: Codable, Sendable, Equatable {
    public var reason: String

    public init(reason: String) { self.reason = reason }
  }
}

extension API {
  /// How a site stands with its foundation.
  public struct SyncState: Codable, Sendable, Equatable {
    /// `alone` where the site has no foundation; `current`, `behind`, `offline` or `refused`.
    public var state: String
    public var foundation: String?
    public var broker: BrokerState?
    /// `fresh`, `stale`, `degraded` or `baseline`; nil alone.
    public var ladder: String?
    public var streams: [SyncStream]
    public var lastAckAt: Timestamp?
    public var bytesWaiting: Int64
    public var problem: String?
    public var next: String?
    public var certificate: CertificateState?

    public init(
      state: String, foundation: String? = nil, broker: BrokerState? = nil, ladder: String? = nil,
      streams: [SyncStream] = [], lastAckAt: Timestamp? = nil, bytesWaiting: Int64 = 0, problem: String? = nil,
      next: String? = nil, certificate: CertificateState? = nil
    ) {
      (self.state, self.foundation, self.broker, self.ladder) = (state, foundation, broker, ladder)
      (self.streams, self.lastAckAt, self.bytesWaiting) = (streams, lastAckAt, bytesWaiting)
      (self.problem, self.next, self.certificate) = (problem, next, certificate)
    }
  }

  /// By what the broker knows the site.
  public struct CertificateState: Codable, Sendable, Equatable {
    /// `good`; `ending` from when on it is renewed; `ended`; `missing`.
    public var state: String
    public var until: Timestamp?
    /// From then on the site renews it by itself.
    public var renewalAt: Timestamp?
    public var renewedAt: Timestamp?
    /// Why the last renewal failed.
    public var problem: String?
    public var next: String?

    public init(
      state: String, until: Timestamp? = nil, renewalAt: Timestamp? = nil, renewedAt: Timestamp? = nil,
      problem: String? = nil, next: String? = nil
    ) {
      (self.state, self.until, self.renewalAt, self.renewedAt) = (state, until, renewalAt, renewedAt)
      (self.problem, self.next) = (problem, next)
    }
  }

  public struct SyncStream: Codable, Sendable, Equatable {
    public var stream: String
    /// Entries written so far.
    public var next: Int64
    /// The foundation has what lies below.
    public var acknowledged: Int64
    /// The foundation keeps what lies below in more than one place.
    public var safe: Int64

    public init(stream: String, next: Int64, acknowledged: Int64, safe: Int64) {
      (self.stream, self.next, self.acknowledged, self.safe) = (stream, next, acknowledged, safe)
    }
  }
}
