public import Provenance
import Seams
public import Sync
public import TwinCore

/// One leaf of the foundation's own log.
public struct FoundationLeaf: Equatable, Sendable {
  public enum Kind: Int64, Sendable, CaseIterable {
    case enrolment = 1
    case revocation = 2
    case keyRotation = 3
    case metadata = 4
    case rollout = 5
    case intent = 6
    case siteCheckpoint = 7
    /// The log goes on after a loss, by decision of the root's keys.
    case restart = 8
    /// What an operator did at the console.
    case operation = 9
    /// A certificate by which a site speaks to the broker.
    case certificate = 10
  }

  public static let bytesMax = 64 << 10

  public let kind: Kind
  /// Whom it is about, for looking it up; the bytes say it too.
  public let site: SiteName?
  /// Signed by whoever may decide what it says.
  public let bytes: [UInt8]

  public init(_ kind: Kind, site: SiteName? = nil, bytes: [UInt8]) {
    precondition(bytes.count <= Self.bytesMax, "a leaf of \(bytes.count) bytes")
    (self.kind, self.site, self.bytes) = (kind, site, bytes)
  }
}

/// A leaf as it is stored.
public struct FoundationRecord: Equatable, Sendable {
  public let sequence: UInt64
  public let leaf: FoundationLeaf
  public let notedAt: Instant
}

extension Ledger {
  /// Leaves that one call appends, at most.
  public static let leavesMax = 4096
  public static let pageMax = 1000

  /// Appends leaves in their order; answers the sequence of the first.
  @discardableResult
  public func appendFoundation(_ leaves: [FoundationLeaf]) throws(LedgerError) -> UInt64 {
    guard (1...Self.leavesMax).contains(leaves.count) else {
      throw LedgerError(.outOfRange, "\(leaves.count) leaves, wanted 1 to \(Self.leavesMax)")
    }
    return try write { (store) throws(LedgerError) in try FoundationTree(store).append(leaves, at: clock.instant) }
  }

  /// Makes leaves of sites' newest cosigned checkpoints, those of logs that grew by `entries` since their last leaf or
  /// whose last leaf is `age` old, at most `leavesMax` a call; answers how many. A site that rewrites what it signed,
  /// or a foundation that forgets what it cosigned, then contradicts a log that others have seen.
  @discardableResult
  public func leafSiteCheckpoints(
    entries: UInt64 = 1024, age: Duration = .seconds(3600)
  ) throws(LedgerError) -> Int {
    try write { (store) throws(LedgerError) in
      let now = clock.instant
      let due = try store.list(
        """
        SELECT l.id, l.checkpointed, s.name, c.note FROM logs l JOIN sites s ON s.id = l.site
          JOIN checkpoints c ON c.place = (l.id << \(LedgerSchema.sequenceBits)) + l.checkpointed
        WHERE l.checkpointed > l.leafed AND (l.checkpointed - l.leafed >= ?1 OR l.leafed_ns <= ?2)
        ORDER BY l.id LIMIT ?3
        """, .integer(Int64(clamping: entries)),
        .integer(now.nanoseconds.saturatingSubtract(age.wholeNanoseconds)), .integer(Int64(Self.leavesMax))
      ) { (log: $0.integer(0), size: $0.integer(1), site: SiteName($0.text(2)), note: Array($0.text(3).utf8)) }
      guard !due.isEmpty else { return 0 }
      let leaves = due.map { FoundationLeaf(.siteCheckpoint, site: $0.site, bytes: $0.note) }
      _ = try FoundationTree(store).append(leaves, at: now)
      for row in due {
        try store.run(
          "UPDATE logs SET leafed = ?2, leafed_ns = ?3 WHERE id = ?1", .integer(row.log), .integer(row.size),
          .integer(now.nanoseconds))
      }
      return due.count
    }
  }

  /// Size and root.
  public func foundationHead() throws(LedgerError) -> MerkleFrontier {
    try read { (store) throws(LedgerError) in try FoundationTree(store).frontier() }
  }

  /// Leaves from a sequence on, those about one site where given.
  public func foundationRecords(
    from sequence: UInt64, of site: SiteName? = nil, limit: Int = pageMax
  ) throws(LedgerError) -> [FoundationRecord] {
    let filter = site == nil ? "?3 = ''" : "site = ?3"
    return try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT sequence, kind, site, leaf, noted_ns FROM foundation WHERE sequence >= ?1 AND \(filter)
        ORDER BY sequence LIMIT ?2
        """, .integer(Int64(clamping: sequence)), .integer(Int64(min(limit, Self.pageMax))),
        .text(site?.description ?? ""), read: Self.foundationRecord)
    }
  }

  private static func foundationRecord(_ row: any LedgerRow) -> FoundationRecord {
    FoundationRecord(
      sequence: UInt64(row.integer(0)),
      leaf: FoundationLeaf(
        FoundationLeaf.Kind(rawValue: row.integer(1)) ?? .operation, site: SiteName(row.text(2)),
        bytes: row.bytes(3)), notedAt: Instant(nanoseconds: row.integer(4)))
  }

  /// Leaves of one kind about the sites that are revoked, from a sequence on.
  public func leavesOfRevokedSites(
    _ kind: FoundationLeaf.Kind, from sequence: UInt64, limit: Int = pageMax
  ) throws(LedgerError) -> [FoundationRecord] {
    try read { (store) throws(LedgerError) in
      try store.list(
        """
        SELECT f.sequence, f.kind, f.site, f.leaf, f.noted_ns FROM sites s JOIN foundation f ON f.site = s.name
        WHERE s.standing = ?1 AND f.kind = ?2 AND f.sequence >= ?3 ORDER BY f.sequence LIMIT ?4
        """, .integer(SiteRow.SiteStandingCode.revoked.rawValue), .integer(kind.rawValue),
        .integer(Int64(clamping: sequence)), .integer(Int64(min(limit, Self.pageMax))), read: Self.foundationRecord)
    }
  }

  /// For `Merkle.verifyInclusion`. Throws `ledger.out_of_range` beyond the log's end.
  public func inclusionProof(of sequence: UInt64, size: UInt64) throws(LedgerError) -> [Digest] {
    try proof(size) { (tree) throws(LedgerError) in
      guard sequence < size else { throw LedgerError(.outOfRange, "leaf \(sequence) of \(size)") }
      return try Merkle.inclusionProof(index: sequence, size: size) { (level, index) throws(LedgerError) in
        try tree.node(level, index)
      }
    }
  }

  /// For `Merkle.verifyConsistency`.
  public func consistencyProof(from old: UInt64, to size: UInt64) throws(LedgerError) -> [Digest] {
    try proof(size) { (tree) throws(LedgerError) in
      guard old <= size else { throw LedgerError(.outOfRange, "from \(old) to \(size)") }
      return try Merkle.consistencyProof(from: old, to: size) { (level, index) throws(LedgerError) in
        try tree.node(level, index)
      }
    }
  }

  public func foundationRoot(at size: UInt64) throws(LedgerFault) -> Digest? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        let tree = FoundationTree(store)
        return try size <= tree.size() ? tree.frontier(at: size).root : nil
      }
    }
  }

  public func foundationProof(_ sizes: LogSpan) throws(LedgerFault) -> [Digest]? {
    try answering { () throws(LedgerError) in
      do throws(LedgerError) {
        return try consistencyProof(from: sizes.from, to: sizes.to)
      } catch {
        guard error.kind == .outOfRange else { throw error }
        return nil
      }
    }
  }

  private func proof(
    _ size: UInt64, _ body: (FoundationTree) throws(LedgerError) -> [Digest]
  ) throws(LedgerError) -> [Digest] {
    try read { (store) throws(LedgerError) in
      let tree = FoundationTree(store)
      let there = try tree.size()
      guard size <= there else { throw LedgerError(.outOfRange, "a tree of \(size) leaves, there are \(there)") }
      return try body(tree)
    }
  }

  /// Keeps the foundation's checkpoint of a size, or one with more cosignatures in place of it. Throws
  /// `ledger.out_of_range` where its root is not the log's.
  public func keepFoundationCheckpoint(size: UInt64, root: Digest, note: String) throws(LedgerError) {
    guard note.utf8.count <= SignedNote.bytesMax else {
      throw LedgerError(.outOfRange, "a note of \(note.utf8.count) bytes, at most \(SignedNote.bytesMax)")
    }
    try write { (store) throws(LedgerError) in
      let tree = FoundationTree(store)
      guard try size <= tree.size(), try tree.frontier(at: size).root == root else {
        throw LedgerError(.outOfRange, "a checkpoint of size \(size) that is not of this log")
      }
      try store.run(
        """
        INSERT INTO foundation_checkpoints(size, root, note) VALUES(?1, ?2, ?3)
        ON CONFLICT (size) DO UPDATE SET note = excluded.note
        """, .integer(Int64(size)), .bytes(root.bytes), .text(note))
    }
  }

  /// The newest kept checkpoint of at most that size.
  public func foundationCheckpoint(
    atMost size: UInt64 = .max
  ) throws(LedgerError) -> (size: UInt64, root: Digest, note: String)? {
    try read { (store) throws(LedgerError) in
      try store.first(
        "SELECT size, root, note FROM foundation_checkpoints WHERE size <= ?1 ORDER BY size DESC LIMIT 1",
        .integer(Int64(clamping: size))
      ) { (UInt64($0.integer(0)), Digest(bytes: $0.bytes(1)) ?? .zero, $0.text(2)) }
    }
  }
}
