import Provenance
import Sodium
import Sync
import TwinCore

/// Artefacts in memory, at either end.
final class MemoryShelf: ArtefactShelf {
  struct Artefact {
    let manifest: ArtefactManifest
    var chunks: [UInt32: [UInt8]] = [:]
    var tree: ArtefactTree?
  }

  var artefacts: [Digest: Artefact] = [:]
  var written: [(Digest, UInt32)] = []

  static func manifest(of bytes: [UInt8], kind: UInt16 = 1) -> ArtefactManifest {
    ArtefactManifest(
      digest: Sodium.blake2b256(bytes), size: UInt64(bytes.count), root: ArtefactTree(bytes).root, kind: kind)
  }

  func put(_ bytes: [UInt8]) -> ArtefactManifest {
    let manifest = Self.manifest(of: bytes)
    var artefact = Artefact(manifest: manifest, tree: ArtefactTree(bytes))
    for (index, chunk) in ArtefactTree.chunks(of: bytes).enumerated() { artefact.chunks[UInt32(index)] = chunk }
    artefacts[manifest.digest] = artefact
    return manifest
  }

  func expect(_ manifest: ArtefactManifest) { artefacts[manifest.digest] = Artefact(manifest: manifest) }

  func bytes(_ digest: Digest) -> [UInt8] {
    guard let artefact = artefacts[digest] else { return [] }
    return (0..<artefact.manifest.chunkCount).flatMap { artefact.chunks[$0] ?? [] }
  }

  func manifest(_ digest: Digest, with site: SiteName) throws(LedgerFault) -> ArtefactManifest? {
    artefacts[digest]?.manifest
  }

  func kept(_ digest: Digest) throws(LedgerFault) -> ChunkMap? {
    guard let artefact = artefacts[digest] else { return nil }
    var map = ChunkMap(count: artefact.manifest.chunkCount)
    for index in artefact.chunks.keys { map.insert(index) }
    return map
  }

  func chunk(_ digest: Digest, _ index: UInt32) throws(LedgerFault) -> (bytes: [UInt8], proof: [Digest])? {
    guard let artefact = artefacts[digest], let bytes = artefact.chunks[index], let tree = artefact.tree else {
      return nil
    }
    return (bytes, tree.proof(index))
  }

  func keep(_ chunk: ArtefactChunk) throws(LedgerFault) -> ChunkMap {
    written.append((chunk.digest, chunk.index))
    artefacts[chunk.digest]?.chunks[chunk.index] = chunk.bytes
    return try kept(chunk.digest)!
  }
}
