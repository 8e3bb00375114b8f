public import Provenance
import Seams
import Sodium
public import Sync
public import TwinCore

// Artefacts are stored by their digest, in the chunks in which they travel: one row each, with its leaf hash. The map
// of them, which is kept beside, is made anew from the rows where it does not fit.

extension Ledger: ArtefactShelf {
  /// Artefacts that are not whole yet, at most: each is a promise of room.
  static let uploadsMax: Int64 = 1024

  /// Lets an artefact be exchanged with a site, in either direction. Another manifest of a known digest is refused.
  public func admit(_ manifest: ArtefactManifest, with site: SiteName) throws(LedgerError) {
    try write { (store) throws(LedgerError) in
      let site = try SiteRow.existing(site, in: store)
      let digest = LedgerValue.bytes(manifest.digest.bytes)
      if let known = try ArtefactRow.find(manifest.digest, " FOR UPDATE", in: store) {
        guard known.manifest.payload == manifest.payload else {
          throw LedgerError(.exists, "artefact \(manifest.digest.short) is known with another manifest")
        }
      } else {
        let open = try store.first("SELECT count(*) FROM artefacts WHERE stored_ns IS NULL") { $0.integer(0) } ?? 0
        guard open < Self.uploadsMax else {
          throw LedgerError(.outOfRange, "\(open) artefacts are under way, at most \(Self.uploadsMax)")
        }
        try store.run(
          "INSERT INTO artefacts(digest, manifest, map, begun_ns) VALUES(?1, ?2, ?3, ?4)", digest,
          .bytes(manifest.payload), .bytes(ChunkMap(count: manifest.chunkCount).bytes),
          .integer(clock.instant.nanoseconds))
      }
      try store.run(
        """
        INSERT INTO artefact_sites(artefact, site) SELECT a.id, ?2 FROM artefacts a WHERE a.digest = ?1
        ON CONFLICT (artefact, site) DO NOTHING
        """, digest, .integer(site))
    }
  }

  public func manifest(_ digest: Digest, with site: SiteName) throws(LedgerFault) -> ArtefactManifest? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        let isAdmitted = try store.first(
          """
          SELECT 1 FROM artefacts a JOIN artefact_sites x ON x.artefact = a.id JOIN sites s ON s.id = x.site
          WHERE a.digest = ?1 AND s.name = ?2
          """, .bytes(digest.bytes), .text(site.description)
        ) { _ in true }
        return isAdmitted == true ? try ArtefactRow.find(digest, in: store)?.manifest : nil
      }
    }
  }

  public func kept(_ digest: Digest) throws(LedgerFault) -> ChunkMap? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        try ArtefactRow.find(digest, in: store).map { (row) throws(LedgerError) in try row.map(in: store) }
      }
    }
  }

  /// When the whole was verified; nil before.
  public func storedAt(_ digest: Digest) throws(LedgerError) -> Instant? {
    try read { (store) throws(LedgerError) in try ArtefactRow.find(digest, in: store)?.storedAt }
  }

  /// Nil too as long as not all of the artefact is there.
  public func chunk(_ digest: Digest, _ index: UInt32) throws(LedgerFault) -> (bytes: [UInt8], proof: [Digest])? {
    try answering { () throws(LedgerError) in
      try read { (store) throws(LedgerError) in
        guard let row = try ArtefactRow.find(digest, in: store), row.storedAt != nil, index < row.manifest.chunkCount
        else { return nil }
        let hashes = try store.list(
          "SELECT hash FROM chunks WHERE place >= ?1 AND place <= ?2 ORDER BY place", .integer(row.place(0)),
          .integer(row.place(.max))
        ) { Digest(bytes: $0.bytes(0)) ?? .zero }
        let found = try store.first("SELECT bytes FROM chunks WHERE place = ?1", .integer(row.place(index))) {
          $0.bytes(0)
        }
        guard hashes.count == row.manifest.chunkCount, let found else {
          throw LedgerError(.corrupt, "artefact \(digest.short) has \(hashes.count) of its chunks")
        }
        let proof = Merkle.inclusionProof(index: UInt64(index), size: UInt64(hashes.count)) { hashes[Int($0)] }
        return (found, proof)
      }
    }
  }

  /// With the last chunk the whole is verified. Chunks that do not make the digest, each proven though it was, are all
  /// thrown away and asked for again: the map is empty then.
  public func keep(_ chunk: ArtefactChunk) throws(LedgerFault) -> ChunkMap {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        guard let row = try ArtefactRow.find(chunk.digest, " FOR UPDATE", in: store) else {
          throw LedgerError(.notFound, "artefact \(chunk.digest.short) was not announced")
        }
        var map = try row.map(in: store)
        guard row.manifest.admits(chunk) else {
          throw LedgerError(.refused, "chunk \(chunk.index) does not belong to artefact \(chunk.digest.short)")
        }
        guard row.storedAt == nil, !map.contains(chunk.index) || !map.isComplete else { return map }
        map.insert(chunk.index)
        try store.run(
          "INSERT INTO chunks(place, hash, bytes) VALUES(?1, ?2, ?3) ON CONFLICT (place) DO NOTHING",
          .integer(row.place(chunk.index)), .bytes(Merkle.leafHash(chunk.bytes).bytes), .bytes(chunk.bytes))
        if map.isComplete { map = try finish(row, map, in: store) }
        try store.run("UPDATE artefacts SET map = ?2 WHERE id = ?1", .integer(row.id), .bytes(map.bytes))
        return map
      }
    }
  }

  private func finish(
    _ row: ArtefactRow, _ map: ChunkMap, in store: any LedgerConnection
  ) throws(LedgerError) -> ChunkMap {
    guard let digest = try row.digest(in: store) else {
      // The map told of more than there is.
      return try row.mapOfRows(in: store)
    }
    guard digest == row.manifest.digest else {
      try row.removeChunks(in: store)
      return ChunkMap(count: row.manifest.chunkCount)
    }
    try store.run(
      "UPDATE artefacts SET stored_ns = ?2 WHERE id = ?1", .integer(row.id), .integer(clock.instant.nanoseconds))
    return map
  }

  /// Removes artefacts that were announced before `instant` and never became whole; answers how many.
  @discardableResult
  public func dropUploads(begunBefore instant: Instant) throws(LedgerError) -> Int {
    try write { (store) throws(LedgerError) in
      let stale = try store.list(
        "SELECT digest FROM artefacts WHERE stored_ns IS NULL AND begun_ns < ?1 ORDER BY id LIMIT ?2",
        .integer(instant.nanoseconds), .integer(Self.uploadsMax)
      ) { Digest(bytes: $0.bytes(0)) }.compactMap(\.self)
      for digest in stale {
        guard let row = try ArtefactRow.find(digest, " FOR UPDATE", in: store) else { continue }
        try row.removeChunks(in: store)
        for table in ["artefact_statements", "artefact_sites"] {
          try store.run("DELETE FROM \(table) WHERE artefact = ?1", .integer(row.id))
        }
        try store.run("DELETE FROM artefacts WHERE id = ?1", .integer(row.id))
      }
      return stale.count
    }
  }
}

/// A row of `artefacts`.
struct ArtefactRow {
  let id: Int64
  let manifest: ArtefactManifest
  let storedAt: Instant?
  private let mapBytes: [UInt8]

  static func find(
    _ digest: Digest, _ lock: String = "", in store: any LedgerConnection
  ) throws(LedgerError) -> ArtefactRow? {
    let found = try store.first(
      "SELECT id, manifest, stored_ns, map FROM artefacts WHERE digest = ?1\(lock)", .bytes(digest.bytes)
    ) { (id: $0.integer(0), manifest: $0.bytes(1), stored: $0.optionalInteger(2), map: $0.bytes(3)) }
    guard let found else { return nil }
    do throws(ProvenanceFault) {
      return ArtefactRow(
        id: found.id, manifest: try ArtefactManifest(payload: found.manifest),
        storedAt: found.stored.map(Instant.init(nanoseconds:)), mapBytes: found.map)
    } catch {
      throw LedgerError(.corrupt, "the manifest of artefact \(digest.short): \(error.message)")
    }
  }

  func place(_ index: UInt32) -> Int64 { LedgerSchema.places(of: id, from: Int64(index)) }

  func map(in store: any LedgerConnection) throws(LedgerError) -> ChunkMap {
    if let map = ChunkMap(count: manifest.chunkCount, bytes: mapBytes) { return map }
    return try mapOfRows(in: store)
  }

  func mapOfRows(in store: any LedgerConnection) throws(LedgerError) -> ChunkMap {
    var map = ChunkMap(count: manifest.chunkCount)
    let there = try store.list(
      "SELECT place FROM chunks WHERE place >= ?1 AND place <= ?2", .integer(place(0)), .integer(place(.max))
    ) { UInt32($0.integer(0) & LedgerSchema.sequenceMax) }
    for index in there where index < map.count { map.insert(index) }
    return map
  }

  /// Of all chunks together; nil where one is missing.
  func digest(in store: any LedgerConnection) throws(LedgerError) -> Digest? {
    var hash = Blake2b()
    for index in 0..<manifest.chunkCount {
      let bytes = try store.first("SELECT bytes FROM chunks WHERE place = ?1", .integer(place(index))) { $0.bytes(0) }
      guard let bytes else { return nil }
      hash.update(bytes)
    }
    return hash.finish()
  }

  func removeChunks(in store: any LedgerConnection) throws(LedgerError) {
    try store.run(
      "DELETE FROM chunks WHERE place >= ?1 AND place <= ?2", .integer(place(0)), .integer(place(.max)))
  }
}
