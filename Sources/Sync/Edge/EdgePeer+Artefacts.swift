import Provenance
public import TwinCore

/// Chunks that the foundation asked for, one on the way at a time: they are the last in every order.
struct UploadQueue {
  private var ranges: [(digest: Digest, range: Range<UInt32>)] = []
  /// Asked of the owner, or published and not answered by the broker.
  private enum Stage: Equatable {
    case idle
    case reading(Digest, UInt32)
    case sending(UInt64)
  }
  private var stage = Stage.idle

  /// A newer request for an artefact takes the place of the older one, and frees a chunk whose answer never came.
  mutating func add(_ request: ArtefactRequest) {
    restart()
    ranges.removeAll { $0.digest == request.digest }
    guard ranges.count + request.ranges.count <= 4 * SyncLimits.requestRangesMax else { return }
    ranges += request.ranges.map { (request.digest, $0) }
  }

  mutating func next() -> (Digest, UInt32)? {
    guard stage == .idle, let first = ranges.first else { return nil }
    let index = first.range.lowerBound
    if first.range.count == 1 { ranges.removeFirst() } else { ranges[0].range = index + 1..<first.range.upperBound }
    stage = .reading(first.digest, index)
    return (first.digest, index)
  }

  /// Whether that chunk was waited for.
  mutating func noteRead(_ digest: Digest, _ index: UInt32) -> Bool {
    guard stage == .reading(digest, index) else { return false }
    stage = .idle
    return true
  }

  mutating func noteSent(_ id: UInt64) { stage = .sending(id) }
  mutating func notePublished(_ id: UInt64) { if stage == .sending(id) { stage = .idle } }

  /// The connection is another: what was on the way will be asked for again.
  mutating func restart() { if case .sending = stage { stage = .idle } }

  var isIdle: Bool { stage == .idle && ranges.isEmpty }
}

extension EdgePeer {
  /// Artefacts that one site fetches at a time.
  static let downloadsMax = 4

  /// Begins or resumes an artefact; `have` is what an earlier run kept. False where too many are under way.
  public mutating func fetch(_ manifest: ArtefactManifest, have: ChunkMap? = nil) -> Bool {
    guard downloads[manifest.digest] == nil, downloads.count < Self.downloadsMax else { return false }
    downloads[manifest.digest] = ChunkDownload(manifest, have: have)
    return true
  }

  /// Stops; what is kept stays with the owner.
  public mutating func abandon(_ digest: Digest) { downloads[digest] = nil }

  /// What is kept of an artefact that is under way.
  public func progress(of digest: Digest) -> ChunkMap? { downloads[digest]?.have }

  mutating func pumpArtefacts(_ now: Uptime) {
    for digest in downloads.keys.sorted(by: { $0.hex < $1.hex }) {
      if downloads[digest]?.have.isComplete == true {
        downloads[digest] = nil
        actions.append(.artefactComplete(digest))
        continue
      }
      guard let ranges = downloads[digest]?.ask(at: now), !ranges.isEmpty else { continue }
      let request = ArtefactRequest(site: site, digest: digest, ranges: ranges)
      _ = publish(.request(site), request.sealed(by: seal), qos: 1)
    }
    if let (digest, index) = upload.next() { actions.append(.readChunk(digest, index: index)) }
  }

  mutating func take(_ request: ArtefactRequest) {
    guard request.site == site else { return counters.refused += 1 }
    upload.add(request)
  }

  mutating func take(_ chunk: ArtefactChunk, _ digest: Digest) {
    guard chunk.site == site, chunk.digest == digest, downloads[digest]?.admit(chunk) == true else {
      return counters.refused += 1
    }
    actions.append(.keepChunk(chunk))
  }

  mutating func noteKept(_ digest: Digest, _ index: UInt32, _ isKept: Bool) {
    downloads[digest]?.noteKept(index, isKept: isKept)
  }

  mutating func send(_ chunk: ArtefactChunk?, _ digest: Digest, _ index: UInt32) {
    guard upload.noteRead(digest, index), let link, let chunk, chunk.digest == digest, chunk.index == index else {
      return
    }
    let packet = chunk.sealed(by: seal)
    let limit = min(SyncLimits.chunkPacketBytesMax, link.packetBytesMax)
    guard Publication.packetBytes(.upload(site, digest), packet.count) <= limit else {
      raise(.accessRefused, "the broker takes packets of \(limit) bytes, too few for a chunk")
      return
    }
    upload.noteSent(publish(.upload(site, digest), packet, qos: 1))
  }
}
