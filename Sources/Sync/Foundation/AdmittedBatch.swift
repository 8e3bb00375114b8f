public import Provenance
public import TwinCore

/// A batch whose signature, site, bodies and own chain have been checked: what a ledger may apply.
public struct AdmittedBatch: Sendable {
  public struct Entry: Sendable {
    public let sequence: UInt64
    public let kind: LogKind
    /// The leaf, as received.
    public let bytes: [UInt8]
    public let leafHash: Digest
    /// Checked against the leaf's digest; nil where the site no longer has it.
    public let body: [UInt8]?

    public init(sequence: UInt64, kind: LogKind, bytes: [UInt8], leafHash: Digest, body: [UInt8]?) {
      (self.sequence, self.kind, self.bytes) = (sequence, kind, bytes)
      (self.leafHash, self.body) = (leafHash, body)
    }
  }

  public let log: LogName
  public let first: UInt64
  /// Contiguous from `first`, never empty.
  public let entries: [Entry]
  public let chainBefore: Digest
  /// Follows from `chainBefore` and the entries.
  public let chainAfter: Digest
  /// Of the tree of `end` leaves, as the site signed it.
  public let root: Digest
  /// The signed message as received: evidence.
  public let envelope: [UInt8]

  public init(
    log: LogName, entries: [Entry], chainBefore: Digest, chainAfter: Digest, root: Digest, envelope: [UInt8]
  ) {
    precondition(!entries.isEmpty, "a batch has entries")
    (self.log, self.first, self.entries) = (log, entries[0].sequence, entries)
    (self.chainBefore, self.chainAfter, self.root, self.envelope) = (chainBefore, chainAfter, root, envelope)
  }

  /// The sequence after the last entry.
  public var end: UInt64 { first + UInt64(entries.count) }
}

/// What the store holds of one log.
public struct StoredLog: Equatable, Sendable {
  /// Committed.
  public var head: LogHead
  /// The size of the newest kept checkpoint.
  public var checkpointed: UInt64
  /// The size of the newest kept checkpoint up to which everything is replicated or backed up; never moves back.
  public var safe: UInt64
  /// The cosigned note of size `safe`; nil while `safe` is 0.
  public var receipt: String?

  public init(head: LogHead, checkpointed: UInt64 = 0, safe: UInt64 = 0, receipt: String? = nil) {
    (self.head, self.checkpointed, self.safe, self.receipt) = (head, checkpointed, safe, receipt)
  }

  public var next: UInt64 { head.next }
}

/// What one transaction did with a batch.
public enum ApplyResult: Equatable, Sendable {
  /// Entries from the old head on were appended; those below it were equal to the stored ones.
  case appended(StoredLog)
  /// Every entry was there already, equal.
  case duplicate(StoredLog)
  /// The batch begins past the head; nothing was written.
  case gap(next: UInt64)
  /// A stored entry has other bytes. Both are kept as evidence and the site is quarantined, in the same transaction.
  case equivocation(sequence: UInt64)
  /// The entries follow, but the chain before them or the root after them is another: the site's history is not the
  /// stored one. Kept as evidence and the site is quarantined, in the same transaction.
  case fork(next: UInt64)
  /// The site or the epoch may not append (anymore); nothing was written.
  case refused(reason: String)
}

/// A range that the site declared lost under its signature, and where its log goes on.
public struct DeclaredGap: Equatable, Sendable {
  public let log: LogName
  /// The first lost entry, where the stored log ends.
  public let from: UInt64
  /// The first entry that the site still has, with the chain and the tree before it.
  public let resume: LogHead
  /// The signed birth that says so.
  public let evidence: [UInt8]

  public init(log: LogName, from: UInt64, resume: LogHead, evidence: [UInt8]) {
    (self.log, self.from, self.resume, self.evidence) = (log, from, resume, evidence)
  }
}

/// A checkpoint of a stored log with the foundation's cosignature: the site's receipt.
public struct KeptCheckpoint: Equatable, Sendable {
  public let log: LogName
  public let size: UInt64
  public let root: Digest
  /// The signed note.
  public let note: String

  public init(log: LogName, size: UInt64, root: Digest, note: String) {
    (self.log, self.size, self.root, self.note) = (log, size, root, note)
  }
}

/// A validly signed message that this release cannot read.
public struct HeldMessage: Equatable, Sendable {
  public let site: SiteName
  public let topic: String
  public let type: String
  public let reason: String
  public let envelope: [UInt8]

  public init(site: SiteName, topic: String, type: String, reason: String, envelope: [UInt8]) {
    (self.site, self.topic, self.type, self.reason, self.envelope) = (site, topic, type, reason, envelope)
  }
}
