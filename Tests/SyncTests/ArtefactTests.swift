import Provenance
import Sodium
import Sync
import Testing
import TwinCore

@Suite("Artefacts arrive whole or not at all")
struct ArtefactTests {
  private static func artefact(_ bytes: Int, seed: UInt64 = 1) -> [UInt8] { SeededGenerator(seed).bytes(bytes) }

  @Test("a proof holds for its chunk at its place and for no other", arguments: [1, 2, 3, 7, 8, 13])
  func proofs(_ count: Int) {
    let bytes = Self.artefact((count - 1) * SyncLimits.chunkBytes + 10)
    let (manifest, tree) = (MemoryShelf.manifest(of: bytes), ArtefactTree(bytes))
    let chunks = ArtefactTree.chunks(of: bytes)
    #expect(manifest.chunkCount == UInt32(count))
    var head = MerkleFrontier()
    for chunk in chunks { head.append(Merkle.leafHash(chunk)) }
    #expect(head.root == tree.root)
    for index in chunks.indices {
      func chunk(_ at: Int, _ bytes: [UInt8]) -> ArtefactChunk {
        ArtefactChunk(
          site: .a, digest: manifest.digest, index: UInt32(at), bytes: bytes, proof: tree.proof(UInt32(index)))
      }
      #expect(manifest.admits(chunk(index, chunks[index])))
      if count > 1 { #expect(!manifest.admits(chunk((index + 1) % count, chunks[index]))) }
      var wrong = chunks[index]
      wrong[0] ^= 1
      #expect(!manifest.admits(chunk(index, wrong)))
      #expect(!manifest.admits(chunk(index, chunks[index] + [0])))
      #expect(!manifest.admits(chunk(count, chunks[index])))
    }
  }

  @Test("a map of chunks is read back, and refused where it does not fit")
  func maps() {
    var map = ChunkMap(count: 11)
    for index in [0, 3, 10] as [UInt32] { map.insert(index) }
    #expect(ChunkMap(count: 11, bytes: map.bytes) == map)
    #expect(map.present == 3 && !map.isComplete)
    #expect(ChunkMap(count: 11, bytes: [0xFF]) == nil)
    #expect(ChunkMap(count: 11, bytes: [0xFF, 0xFF]) == nil)
    #expect(ChunkMap(count: 11, bytes: [0xFF, 0x07])?.isComplete == true)
  }

  @Test("row 68: a download goes on after a restart with what is kept, over loss, and never writes a wrong chunk")
  func download() {
    let network = SimulatedNetwork(seed: 5)
    let bytes = Self.artefact(20 * SyncLimits.chunkBytes + 99)
    let manifest = network.shelf.put(bytes)
    let site = network.sites[0]
    site.shelf.expect(manifest)
    network.run(seconds: 2)
    var count = 0
    network.tapDown = { topic, payload in
      guard case .download = topic else { return true }
      count += 1
      if count % 4 == 0 { return false }
      return true
    }
    #expect(site.fetch(manifest))
    #expect(!site.fetch(manifest))
    network.step(site: 0, .tick)
    network.run(seconds: 5)
    let before = site.shelf.written.count
    #expect(before > 0 && site.completed.isEmpty)
    network.kill(site: 0, forSeconds: 1)
    network.run(seconds: 2)
    #expect(site.fetch(manifest, have: try? site.shelf.kept(manifest.digest)))
    network.step(site: 0, .tick)
    network.run(seconds: 1200)
    #expect(site.completed == [manifest.digest])
    #expect(Sodium.blake2b256(site.shelf.bytes(manifest.digest)) == manifest.digest)
    #expect(site.shelf.written.count == Int(manifest.chunkCount))
  }

  @Test("row 68: an upload goes on after reboots of both ends; a lost map costs chunks again and nothing else")
  func upload() {
    let network = SimulatedNetwork(seed: 5, workers: 2)
    let bytes = Self.artefact(12 * SyncLimits.chunkBytes)
    let site = network.sites[0]
    let manifest = site.shelf.put(bytes)
    network.shelf.expect(manifest)
    network.faults.drop = 10
    network.run(seconds: 2)
    network.step(worker: 0, .collect(.a, manifest))
    network.run(seconds: 1)
    network.kill(site: 0, forSeconds: 2)
    network.run(seconds: 40)
    // The server loses what it had, and the worker its memory.
    network.shelf.expect(manifest)
    network.kill(worker: 0, forSeconds: 1)
    network.run(seconds: 2)
    network.step(worker: 0, .collect(.a, manifest))
    network.run(seconds: 1200)
    #expect(Sodium.blake2b256(network.shelf.bytes(manifest.digest)) == manifest.digest)
    #expect(!network.noticed(.artefactComplete).isEmpty)
  }

  @Test("a chunk that is not the artefact's is not kept, at either end")
  func wrongChunks() {
    let network = SimulatedNetwork(seed: 5)
    let bytes = Self.artefact(3 * SyncLimits.chunkBytes)
    let site = network.sites[0]
    let manifest = MemoryShelf.manifest(of: bytes)
    let tree = ArtefactTree(bytes)
    site.shelf.expect(manifest)
    network.shelf.expect(manifest)
    network.run(seconds: 2)
    #expect(site.fetch(manifest))
    let wrong = ArtefactChunk(
      site: .a, digest: manifest.digest, index: 1, bytes: ArtefactTree.chunks(of: bytes)[0], proof: tree.proof(1))
    network.inject(.download(.a, manifest.digest), network.ingest.seal(ArtefactChunk.type, wrong.payload), site: 0)
    network.inject(.upload(.a, manifest.digest), site.key.seal(ArtefactChunk.type, wrong.payload))
    let right = ArtefactChunk(
      site: .a, digest: manifest.digest, index: 1, bytes: ArtefactTree.chunks(of: bytes)[1], proof: tree.proof(1))
    network.inject(.download(.a, manifest.digest), KeyBox(66).seal(ArtefactChunk.type, right.payload), site: 0)
    network.inject(.upload(.a, .zero), site.key.seal(ArtefactChunk.type, right.payload))
    #expect(site.shelf.written.isEmpty && network.shelf.written.isEmpty)
    #expect(network.noticed(.malformed).count == 1 && network.noticed(.foreign).count == 1)
    network.inject(.upload(.a, manifest.digest), site.key.seal(ArtefactChunk.type, right.payload))
    #expect(network.shelf.written.count == 1)
  }

  @Test("what is not a site's is not served to it")
  func unknown() {
    let network = SimulatedNetwork(seed: 5)
    network.run(seconds: 2)
    var chunks = 0
    network.tapDown = { topic, _ in
      if case .download = topic { chunks += 1 }
      return true
    }
    let request = ArtefactRequest(site: .a, digest: .zero, ranges: [0..<1 << 20])
    network.inject(.request(.a), network.sites[0].key.seal(ArtefactRequest.type, request.payload))
    #expect(chunks == 0)
    // And one request costs a bounded number of chunks.
    let manifest = network.shelf.put(Self.artefact(40 * SyncLimits.chunkBytes))
    let all = ArtefactRequest(site: .a, digest: manifest.digest, ranges: [0..<1 << 20])
    network.inject(.request(.a), network.sites[0].key.seal(ArtefactRequest.type, all.payload))
    #expect(chunks == SyncLimits.chunksAskedMax)
  }
}
