import Provenance
import TwinCore

/// One stream of the present epoch in memory: everything that an append or a head needs, nothing of it per entry.
struct Lane: Sendable {
  let stream: LogStream
  var next: UInt64 = 0
  var chain = Digest.zero
  var edge = TreeEdge()
  /// Bytes of all bodies that ever were.
  var total: UInt64 = 0
  var received: UInt64 = 0
  var receivedTotal: UInt64 = 0
  var safe: UInt64 = 0
  var first: UInt64 = 0
  var firstChain = Digest.zero
  /// The ladder has dropped up to here, with `total` before.
  var dropped: UInt64 = 0
  var droppedTotal: UInt64 = 0
  /// Of the model stream: the newest base, once it was looked for.
  var base: UInt64?
  var isBaseKnown = false
  /// The last checkpoint: its size, and when it was made by this process's clock.
  var checkpointSize: UInt64 = 0
  var checkpointAt = Uptime(nanoseconds: 0)

  init(_ stream: LogStream) { self.stream = stream }

  var state: StreamState {
    StreamState(
      firstKept: first, next: next, chain: chain, root: edge.root, safe: safe,
      bytesWaiting: total - receivedTotal)
  }

  var point: LogPoint { LogPoint(size: next, chain: chain, root: edge.root) }
}

/// The right edge of an RFC 6962 tree in base 256: what is left of each level that fills no tile yet. Those hashes,
/// from the highest level down, are the tree's frontier.
struct TreeEdge: Sendable {
  static let width: UInt64 = 256
  static let levelMost = 4

  /// A subtree of 256^level entries, complete.
  struct Tile: Sendable, Equatable {
    var level: Int
    var index: UInt64
    var hash: Digest
  }

  /// `levels[n]` holds hashes of 256^n entries each, less than 256 of them; the last level takes any number.
  private(set) var levels = [MerkleFrontier](repeating: MerkleFrontier(), count: levelMost + 1)
  private(set) var size: UInt64 = 0

  init() {}

  /// Gives the tiles that this leaf completes, the lowest level first.
  mutating func append(_ leafHash: Digest) -> [Tile] {
    size += 1
    var tiles: [Tile] = []
    var hash = leafHash
    for level in 0...Self.levelMost {
      levels[level].append(hash)
      guard level < Self.levelMost, levels[level].size == Self.width else { break }
      hash = levels[level].root
      levels[level] = MerkleFrontier()
      tiles.append(Tile(level: level + 1, index: (size >> UInt64(8 * (level + 1))) - 1, hash: hash))
    }
    return tiles
  }

  /// The edge of a tree of that size, from its stored tiles and the leaf hashes after the last complete one.
  init<Failure: Error>(
    size: UInt64, leaf: (UInt64) throws(Failure) -> Digest, tile: (Int, UInt64) throws(Failure) -> Digest
  ) throws(Failure) {
    self.size = size
    for level in 0...Self.levelMost {
      let count = size >> UInt64(8 * level)
      let from = level == Self.levelMost ? 0 : count - count % Self.width
      for index in from..<count {
        levels[level].append(level == 0 ? try leaf(index) : try tile(level, index))
      }
    }
  }

  var nodes: [Digest] { levels.reversed().flatMap(\.nodes) }

  var frontier: MerkleFrontier {
    guard let frontier = MerkleFrontier(size: size, nodes: nodes) else {
      preconditionFailure("a frontier of \(size) entries with \(nodes.count) hashes")
    }
    return frontier
  }

  var root: Digest { frontier.root }
}
