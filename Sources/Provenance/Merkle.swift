// Hashes of a log's tree (RFC 6962 §2.1, RFC 9162 §2.1), SHA-256 throughout:
//
//     leaf      SHA-256(0x00 ‖ entry)
//     node      SHA-256(0x01 ‖ left ‖ right)
//     root      of n > 1 leaves: node(root of the first k, root of the rest), k the largest power of two below n
//     empty     SHA-256 of nothing

import Sodium
public import TwinCore

/// Hashes and proofs of an append-only log's tree.
public enum Merkle {
  public static let emptyRoot = Sodium.sha256([])

  public static func leafHash(_ leaf: [UInt8]) -> Digest { Sodium.sha256(domain: 0x00, leaf) }

  public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest { Sodium.sha256(domain: 0x01, left, right) }

  /// Whether `proof` shows that the tree of `size` leaves under `root` has `leaf` (its hash) at `index`
  /// (RFC 9162 §2.1.3.2).
  public static func verifyInclusion(
    index: UInt64, size: UInt64, leaf: Digest, proof: [Digest], root: Digest
  ) -> Bool {
    guard index < size else { return false }
    var (node, last, hash) = (index, size - 1, leaf)
    for sibling in proof {
      guard last > 0 else { return false }
      if node & 1 == 1 || node == last {
        hash = nodeHash(sibling, hash)
        // A last node without a sibling moves up unchanged until it is a right child.
        let levels = node.trailingZeroBitCount
        (node, last) = (node >> UInt64(levels), last >> UInt64(levels))
      } else {
        hash = nodeHash(hash, sibling)
      }
      (node, last) = (node >> 1, last >> 1)
    }
    return last == 0 && hash == root
  }

  /// Whether `proof` shows that the tree of `size2` leaves under `root2` begins with the one of `size1` under `root1`
  /// (RFC 9162 §2.1.4.2).
  ///
  /// Every tree begins with the empty one: `size1` 0 needs its root, `emptyRoot`, and an empty proof.
  public static func verifyConsistency(
    from size1: UInt64, root1: Digest, to size2: UInt64, root2: Digest, proof: [Digest]
  ) -> Bool {
    if size1 == 0 { return proof.isEmpty && root1 == emptyRoot && (size2 > 0 || root2 == emptyRoot) }
    guard size1 <= size2 else { return false }
    if size1 == size2 { return proof.isEmpty && root1 == root2 }
    // A first tree of a power of two is itself the node that the proof begins with.
    var rest = proof[...]
    let start: Digest
    if size1.nonzeroBitCount == 1 {
      start = root1
    } else {
      guard let first = rest.popFirst() else { return false }
      start = first
    }
    let levels = UInt64((size1 - 1).trailingOnes)
    var (node, last) = ((size1 - 1) >> levels, (size2 - 1) >> levels)
    var (hash1, hash2) = (start, start)
    for sibling in rest {
      guard last > 0 else { return false }
      if node & 1 == 1 || node == last {
        (hash1, hash2) = (nodeHash(sibling, hash1), nodeHash(sibling, hash2))
        let levels = UInt64(node.trailingZeroBitCount)
        (node, last) = (node >> levels, last >> levels)
      } else {
        hash2 = nodeHash(hash2, sibling)
      }
      (node, last) = (node >> 1, last >> 1)
    }
    return last == 0 && hash1 == root1 && hash2 == root2
  }

  /// The proof for `verifyInclusion`, asking for leaf hashes: all of `size`, so for short logs.
  public static func inclusionProof<Failure: Error>(
    index: UInt64, size: UInt64, leaf: (UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> [Digest] {
    try inclusionProof(index: index, size: size) { (level, index) throws(Failure) in
      try completeRoot(level: level, index: index, leaf: leaf)
    }
  }

  /// The proof for `verifyConsistency`, asking for leaf hashes: up to all of `to`, so for short logs.
  public static func consistencyProof<Failure: Error>(
    from size1: UInt64, to size2: UInt64, leaf: (UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> [Digest] {
    try consistencyProof(from: size1, to: size2) { (level, index) throws(Failure) in
      try completeRoot(level: level, index: index, leaf: leaf)
    }
  }

  /// The proof for `verifyInclusion`, asking for at most two nodes a level.
  ///
  /// `node(level, index)` is the root of the complete subtree over the leaves from `index << level` to, not with,
  /// `(index + 1) << level`; level 0 is a leaf's hash. A log that keeps the nodes of one level answers lower and higher
  /// ones by `completeRoot`.
  public static func inclusionProof<Failure: Error>(
    index: UInt64, size: UInt64, node: (_ level: Int, _ index: UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> [Digest] {
    precondition(index < size, "entry \(index) of \(size)")
    var (low, high) = (0 as UInt64, size)
    var proof: [Digest] = []
    while high - low > 1 {
      let middle = low + split(high - low)
      if index < middle {
        proof.append(try root(middle, high, node))
        high = middle
      } else {
        proof.append(try root(low, middle, node))
        low = middle
      }
    }
    return proof.reversed()
  }

  /// The proof for `verifyConsistency`, asking for few nodes; `node` as for `inclusionProof`.
  public static func consistencyProof<Failure: Error>(
    from size1: UInt64, to size2: UInt64, node: (_ level: Int, _ index: UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> [Digest] {
    precondition(size1 <= size2, "from \(size1) to \(size2)")
    guard size1 > 0 else { return [] }
    var (low, high) = (0 as UInt64, size2)
    var proof: [Digest] = []
    while high != size1 {
      let middle = low + split(high - low)
      if size1 <= middle {
        proof.append(try root(middle, high, node))
        high = middle
      } else {
        proof.append(try root(low, middle, node))
        low = middle
      }
    }
    // Where the first tree is a complete subtree of the second, its root is known to the reader.
    if low > 0 { proof.append(try root(low, high, node)) }
    return proof.reversed()
  }

  /// The root of a complete subtree from its leaves' hashes, `1 << level` of them.
  public static func completeRoot<Failure: Error>(
    level: Int, index: UInt64, leaf: (UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> Digest {
    var frontier = MerkleFrontier()
    let count: UInt64 = 1 << UInt64(level)
    for offset in 0..<count { frontier.append(try leaf(index * count + offset)) }
    return frontier.root
  }

  /// The root over the leaves from `low` to, not with, `high`: a subtree of the tree, so `low` is aligned.
  private static func root<Failure: Error>(
    _ low: UInt64, _ high: UInt64, _ node: (Int, UInt64) throws(Failure) -> Digest
  ) throws(Failure) -> Digest {
    let count = high - low
    if count.nonzeroBitCount == 1 {
      let level = count.trailingZeroBitCount
      return try node(level, low >> UInt64(level))
    }
    let middle = low + split(count)
    return nodeHash(try root(low, middle, node), try root(middle, high, node))
  }

  /// The largest power of two below `count`, which is above 1.
  private static func split(_ count: UInt64) -> UInt64 {
    1 << UInt64(63 - (count - 1).leadingZeroBitCount)
  }
}

/// A tree as far as appending and its root need it: the roots of its complete subtrees, one for each bit set in `size`.
public struct MerkleFrontier: Equatable, Sendable {
  public private(set) var size: UInt64
  /// Of the largest subtree first.
  public private(set) var nodes: [Digest]

  public init() { (size, nodes) = (0, []) }

  /// Nil when the number of nodes does not belong to the size.
  public init?(size: UInt64, nodes: [Digest]) {
    guard nodes.count == size.nonzeroBitCount else { return nil }
    (self.size, self.nodes) = (size, nodes)
  }

  public mutating func append(_ leafHash: Digest) {
    var hash = leafHash
    for _ in 0..<size.trailingOnes { hash = Merkle.nodeHash(nodes.removeLast(), hash) }
    nodes.append(hash)
    size += 1
  }

  public var root: Digest {
    guard var hash = nodes.last else { return Merkle.emptyRoot }
    for node in nodes.dropLast().reversed() { hash = Merkle.nodeHash(node, hash) }
    return hash
  }
}

extension UInt64 {
  fileprivate var trailingOnes: Int { (~self).trailingZeroBitCount }
}
