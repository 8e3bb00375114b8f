import Provenance
import TwinCore

extension FoundationPeer {
  static let collectionsMax = 1024

  /// Sends the chunks asked for, as far as the site's share of this worker allows; the site asks again for the rest.
  mutating func serve(_ request: ArtefactRequest, _ now: Uptime) throws(LedgerFault) {
    guard let manifest = try shelf.manifest(request.digest, with: request.site) else {
      counters.refused += 1
      return
    }
    var served = 0
    for range in request.ranges {
      for index in range {
        guard index < manifest.chunkCount, served < SyncLimits.chunksAskedMax,
          credits.serve(request.site, bytes: manifest.length(of: index), at: now)
        else { return }
        guard let (bytes, proof) = try shelf.chunk(request.digest, index) else { continue }
        let chunk = ArtefactChunk(
          site: request.site, digest: request.digest, index: index, bytes: bytes, proof: proof)
        publish(.download(request.site, request.digest), chunk.sealed(by: configuration.seal), qos: 1)
        served += 1
      }
    }
  }

  /// Keeps a chunk that belongs where it says; others, and those of artefacts nobody expects, leave no trace.
  mutating func keep(_ chunk: ArtefactChunk) throws(LedgerFault) {
    guard let manifest = try shelf.manifest(chunk.digest, with: chunk.site) else {
      counters.refused += 1
      return
    }
    let before = try shelf.kept(chunk.digest)
    guard before?.contains(chunk.index) != true else { return }
    guard manifest.admits(chunk) else {
      counters.refused += 1
      notice(.malformed, chunk.site, message: "chunk \(chunk.index) of \(chunk.digest.short) is not of that artefact")
      return
    }
    let kept = try shelf.keep(chunk)
    collectNow = collectNow || collections[chunk.digest] != nil
    if kept.isComplete { notice(.artefactComplete, chunk.site, message: "\(chunk.digest.hex) is whole") }
  }

  mutating func collect(_ site: SiteName, _ manifest: ArtefactManifest) throws(LedgerFault) {
    guard collections[manifest.digest] == nil, collections.count < Self.collectionsMax else { return }
    let have = try shelf.kept(manifest.digest) ?? ChunkMap(count: manifest.chunkCount)
    collections[manifest.digest] = Collection(site: site, download: ChunkDownload(manifest, have: have))
    collectNow = true
  }

  mutating func pumpCollections(_ now: Uptime) throws(LedgerFault) {
    let due = collections.values.compactMap(\.download.deadline).min()
    guard collectNow || due.map({ now >= $0 }) ?? false else { return }
    collectNow = false
    for digest in collections.keys.sorted(by: { $0.hex < $1.hex }) {
      guard var collection = collections[digest] else { continue }
      // Other workers keep chunks too, and a shelf may have lost some.
      let kept = try shelf.kept(digest) ?? ChunkMap(count: collection.download.manifest.chunkCount)
      collection.download.note(have: kept)
      guard !kept.isComplete else {
        collections[digest] = nil
        continue
      }
      let ranges = collection.download.ask(at: now)
      collections[digest] = collection
      guard !ranges.isEmpty else { continue }
      let request = ArtefactRequest(site: collection.site, digest: digest, ranges: ranges)
      publish(.command(collection.site), request.sealed(by: configuration.seal), qos: 1)
    }
  }
}
