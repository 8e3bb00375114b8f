// The foundation's own log: leaves in `foundation`, and every complete subtree of at least two leaves in
// `foundation_nodes` (level, index), so that a root or a proof reads a few rows whatever the size (RFC 9162 §2.1).

import Provenance
import TwinCore

/// The foundation's tree as one transaction sees it.
struct FoundationTree {
  let store: any LedgerConnection

  init(_ store: any LedgerConnection) { self.store = store }

  func size() throws(LedgerError) -> UInt64 {
    try store.first("SELECT foundation_next FROM ledger") { UInt64($0.integer(0)) } ?? 0
  }

  func frontier() throws(LedgerError) -> MerkleFrontier { try frontier(at: size()) }

  /// `size` is at most that of the tree.
  func frontier(at size: UInt64) throws(LedgerError) -> MerkleFrontier {
    var nodes: [Digest] = []
    var start: UInt64 = 0
    for level in stride(from: 63, through: 0, by: -1) where size >> UInt64(level) & 1 == 1 {
      nodes.append(try node(level, start >> UInt64(level)))
      start += 1 << UInt64(level)
    }
    return MerkleFrontier(size: size, nodes: nodes)!
  }

  /// The root of a complete subtree.
  func node(_ level: Int, _ index: UInt64) throws(LedgerError) -> Digest {
    let found =
      level == 0
      ? try store.first("SELECT leaf FROM foundation WHERE sequence = ?1", .integer(Int64(index))) {
        Merkle.leafHash($0.bytes(0))
      }
      : try store.first(
        "SELECT hash FROM foundation_nodes WHERE level = ?1 AND place = ?2", .integer(Int64(level)),
        .integer(Int64(index))
      ) { Digest(bytes: $0.bytes(0)) } ?? nil
    guard let found else { throw LedgerError(.corrupt, "the foundation's log lacks node \(index) of level \(level)") }
    return found
  }

  /// Appends in the transaction; answers the sequence of the first leaf.
  func append(_ leaves: [FoundationLeaf], at now: Instant) throws(LedgerError) -> UInt64 {
    // Locks the row first: sequences have no holes and no doubles.
    let locked = "SELECT foundation_next FROM ledger FOR UPDATE"
    let first = try store.first(locked) { UInt64($0.integer(0)) } ?? 0
    var stack = try frontier(at: first).nodes
    var (levels, places, hashes): ([Int64], [Int64], [[UInt8]?]) = ([], [], [])
    for (offset, leaf) in leaves.enumerated() {
      let sequence = first + UInt64(offset)
      var (hash, index, level) = (Merkle.leafHash(leaf.bytes), sequence, 0 as Int64)
      while index & 1 == 1 {
        (hash, index, level) = (Merkle.nodeHash(stack.removeLast(), hash), index >> 1, level + 1)
        levels.append(level)
        places.append(Int64(index))
        hashes.append(hash.bytes)
      }
      stack.append(hash)
      try store.run(
        "INSERT INTO foundation(sequence, kind, site, leaf, noted_ns) VALUES(?1, ?2, ?3, ?4, ?5)",
        .integer(Int64(sequence)), .integer(leaf.kind.rawValue), .text(leaf.site?.description ?? ""),
        .bytes(leaf.bytes), .integer(now.nanoseconds))
    }
    try store.insert(into: LedgerSchema.nodes, [.integers(levels), .integers(places), .blobs(hashes)])
    try store.run("UPDATE ledger SET foundation_next = ?1", .integer(Int64(first) + Int64(leaves.count)))
    return first
  }
}
