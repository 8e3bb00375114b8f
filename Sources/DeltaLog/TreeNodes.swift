import Provenance
import TwinCore

/// Any node of an RFC 6962 tree out of its stored tiles: at most 255 reads for a node, so that a root or a proof
/// takes a few thousand rows at any size, and never one per entry.
struct TreeNodes<Failure: Error> {
  let leaf: (UInt64) throws(Failure) -> Digest
  /// Hash of the subtree over 256^level entries.
  let tile: (Int, UInt64) throws(Failure) -> Digest

  /// The subtree over entries from `index << level` to `(index + 1) << level`.
  func node(_ level: Int, _ index: UInt64) throws(Failure) -> Digest {
    if level == 0 { return try leaf(index) }
    if level % 8 == 0, level / 8 <= TreeEdge.levelMost { return try tile(level / 8, index) }
    return Merkle.nodeHash(try node(level - 1, 2 * index), try node(level - 1, 2 * index + 1))
  }

  func root(size: UInt64) throws(Failure) -> Digest {
    try frontier(size: size).root
  }

  func frontier(size: UInt64) throws(Failure) -> MerkleFrontier {
    var nodes: [Digest] = []
    var from: UInt64 = 0
    for level in (0..<UInt64.bitWidth).reversed() where size >> UInt64(level) & 1 == 1 {
      nodes.append(try node(level, from >> UInt64(level)))
      from += 1 << UInt64(level)
    }
    guard let frontier = MerkleFrontier(size: size, nodes: nodes) else {
      preconditionFailure("a frontier of \(size) entries with \(nodes.count) nodes")
    }
    return frontier
  }
}
