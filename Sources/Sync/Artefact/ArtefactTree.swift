import Provenance
public import TwinCore

/// The tree over an artefact's chunks, whole: for whoever serves it. 64 bytes of memory a chunk.
public struct ArtefactTree: Sendable {
  /// From the leaves up; a last node without a sibling rises as it is.
  private let levels: [[Digest]]

  /// `leaves` are `Merkle.leafHash` of each chunk, at least one.
  public init(leaves: [Digest]) {
    precondition(!leaves.isEmpty, "an artefact has a chunk")
    var levels = [leaves]
    while let last = levels.last, last.count > 1 {
      var above: [Digest] = []
      above.reserveCapacity((last.count + 1) / 2)
      for index in stride(from: 0, to: last.count, by: 2) {
        above.append(index + 1 < last.count ? Merkle.nodeHash(last[index], last[index + 1]) : last[index])
      }
      levels.append(above)
    }
    self.levels = levels
  }

  /// Of bytes that are all there.
  public init(_ bytes: [UInt8]) { self.init(leaves: Self.chunks(of: bytes).map { Merkle.leafHash($0) }) }

  public var root: Digest { levels[levels.count - 1][0] }

  public func proof(_ index: UInt32) -> [Digest] {
    var (proof, index) = ([] as [Digest], Int(index))
    precondition(index < levels[0].count, "chunk \(index) of \(levels[0].count)")
    for level in levels.dropLast() {
      let sibling = index ^ 1
      if sibling < level.count { proof.append(level[sibling]) }
      index /= 2
    }
    return proof
  }

  public static func chunks(of bytes: [UInt8]) -> [[UInt8]] {
    stride(from: 0, to: bytes.count, by: SyncLimits.chunkBytes).map {
      Array(bytes[$0..<min($0 + SyncLimits.chunkBytes, bytes.count)])
    }
  }
}
