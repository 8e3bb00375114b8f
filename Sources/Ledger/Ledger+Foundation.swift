public import Provenance
import Seams
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
        .text(site?.description ?? "")
      ) { row in
        FoundationRecord(
          sequence: UInt64(row.integer(0)),
          leaf: FoundationLeaf(
            FoundationLeaf.Kind(rawValue: row.integer(1)) ?? .operation, site: SiteName(row.text(2)),
            bytes: row.bytes(3)), notedAt: Instant(nanoseconds: row.integer(4)))
      }
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
