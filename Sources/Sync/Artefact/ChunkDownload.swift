import TwinCore

/// One artefact on its way in: asks for what is missing, lets in what is proven.
public struct ChunkDownload: Sendable {
  static let timeoutMin = Duration.seconds(30)
  static let timeoutMax = Duration.seconds(600)

  public let manifest: ArtefactManifest
  /// What is on the disk.
  public private(set) var have: ChunkMap
  /// Asked for, and when it may be asked for again.
  private var asked: [UInt32: Uptime] = [:]
  /// Proven and handed over to be written.
  private var handed: Set<UInt32> = []
  private var window = 2
  private var failures = 0

  /// `have` is what an earlier run kept.
  public init(_ manifest: ArtefactManifest, have: ChunkMap? = nil) {
    precondition(have.map { $0.count == manifest.chunkCount } ?? true, "a map of another artefact")
    (self.manifest, self.have) = (manifest, have ?? ChunkMap(count: manifest.chunkCount))
  }

  /// Chunks to ask for now, empty where enough are asked for.
  mutating func ask(at now: Uptime) -> [Range<UInt32>] {
    let overdue = asked.filter { now >= $0.value }
    if !overdue.isEmpty {
      for index in overdue.keys { asked[index] = nil }
      window = 1
      failures += 1
    }
    let room = window - asked.count - handed.count
    guard room > 0 else { return [] }
    let ranges = have.missing(limit: room, ranges: SyncLimits.requestRangesMax) {
      asked[$0] == nil && !handed.contains($0)
    }
    let pause = min(Self.timeoutMax.wholeNanoseconds, Self.timeoutMin.wholeNanoseconds << Int64(min(failures, 6)))
    for range in ranges {
      for index in range { asked[index] = now.advanced(byNanoseconds: pause) }
    }
    return ranges
  }

  /// Whether the chunk is news and proven: only then may it be written.
  mutating func admit(_ chunk: ArtefactChunk) -> Bool {
    guard !have.contains(chunk.index), !handed.contains(chunk.index), manifest.admits(chunk) else { return false }
    asked[chunk.index] = nil
    handed.insert(chunk.index)
    window = min(SyncLimits.chunksAskedMax, window + 1)
    failures = 0
    return true
  }

  mutating func noteKept(_ index: UInt32, isKept: Bool) {
    guard handed.remove(index) != nil, isKept else { return }
    have.insert(index)
  }

  /// What is kept, by the word of whoever keeps it: others may have written chunks too, or lost them.
  mutating func note(have map: ChunkMap) {
    precondition(map.count == manifest.chunkCount, "a map of another artefact")
    have = map
    for index in Array(asked.keys) where map.contains(index) { asked[index] = nil }
    handed = []
  }

  var deadline: Uptime? { asked.values.min() }
}
