// Manifest, in a signed target, a directed entry or a log entry of kind artefact:
//
//     {0: digest bytes(32), 1: size, 2: chunk bytes, 3: root bytes(32), 4: kind, 5: codec, 6: raw length}
//
// The digest is BLAKE2b-256 over the whole; the root is that of the tree (see Merkle.swift) whose leaves are the
// chunks.
//
// Request, site to foundation on `req`, foundation to site on `cmd`:
//
//     {0: site text, 1: digest bytes(32), 2: [[first chunk, count], …]}
//
// Chunk, on `art/<digest>` of either direction:
//
//     {0: site text, 1: digest bytes(32), 2: index, 3: bytes, 4: [proof node bytes(32), …]}

public import Provenance
public import TwinCore

/// What an artefact is and how each of its chunks is known before it is written.
public struct ArtefactManifest: WireMessage {
  public static let type = WireType.name("manifest.v1")
  /// 2^20 chunks.
  public static let sizeMax: UInt64 = UInt64(SyncLimits.chunkBytes) << 20

  public let digest: Digest
  public let size: UInt64
  public let root: Digest
  /// What is in it, by the register of whoever made it.
  public let kind: UInt16
  /// 0: as it is.
  public let codec: UInt16
  /// Bytes that it unpacks to, at most; `size` for codec 0.
  public let rawLength: UInt64

  public init(digest: Digest, size: UInt64, root: Digest, kind: UInt16, codec: UInt16 = 0, rawLength: UInt64? = nil) {
    precondition((1...Self.sizeMax).contains(size), "an artefact of \(size) bytes")
    (self.digest, self.size, self.root, self.kind, self.codec) = (digest, size, root, kind, codec)
    self.rawLength = rawLength ?? size
  }

  public var chunkCount: UInt32 { UInt32((size + UInt64(SyncLimits.chunkBytes) - 1) / UInt64(SyncLimits.chunkBytes)) }

  /// Bytes of one chunk: full but for the last.
  public func length(of index: UInt32) -> Int {
    precondition(index < chunkCount, "chunk \(index) of \(chunkCount)")
    return Int(min(UInt64(SyncLimits.chunkBytes), size - UInt64(index) * UInt64(SyncLimits.chunkBytes)))
  }

  /// Whether a chunk belongs here, at its place.
  public func admits(_ chunk: ArtefactChunk) -> Bool {
    chunk.digest == digest && chunk.index < chunkCount && chunk.bytes.count == length(of: chunk.index)
      && Merkle.verifyInclusion(
        index: UInt64(chunk.index), size: UInt64(chunkCount), leaf: Merkle.leafHash(chunk.bytes), proof: chunk.proof,
        root: root)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .digest(digest)), (1, .unsigned(size)), (2, .number(SyncLimits.chunkBytes)), (3, .digest(root)),
      (4, .number(kind)), (5, .number(codec)), (6, .unsigned(rawLength))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("manifest")
    digest = try fields.digest(0)
    size = try fields.unsigned(1)
    guard (1...Self.sizeMax).contains(size) else { throw .wire("manifest.1", "\(size) bytes") }
    let chunk = try fields.unsigned(2)
    guard chunk == UInt64(SyncLimits.chunkBytes) else {
      throw .wire("manifest.2", "chunks of \(chunk), wanted \(SyncLimits.chunkBytes)")
    }
    root = try fields.digest(3)
    (kind, codec) = (try fields.number(4), try fields.number(5))
    rawLength = try fields.unsigned(6)
    try fields.finish()
    guard codec != 0 || rawLength == size else { throw .wire("manifest.6", "raw length \(rawLength) of \(size)") }
  }
}

/// Asks for chunks.
public struct ArtefactRequest: WireMessage {
  public static let type = WireType.name("request.v1")

  public let site: SiteName
  public let digest: Digest
  /// Of chunk indices; none is empty.
  public let ranges: [Range<UInt32>]

  public init(site: SiteName, digest: Digest, ranges: [Range<UInt32>]) {
    precondition((1...SyncLimits.requestRangesMax).contains(ranges.count), "\(ranges.count) ranges")
    precondition(ranges.allSatisfy { !$0.isEmpty }, "an empty range")
    (self.site, self.digest, self.ranges) = (site, digest, ranges)
  }

  public var payload: [UInt8] {
    let rows = ranges.map { CBORItem.array([.number($0.lowerBound), .number($0.count)]) }
    return CBORItem.map((0, .text(site.description)), (1, .digest(digest)), (2, .array(rows))).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("request")
    site = try fields.siteName(0)
    digest = try fields.digest(1)
    var ranges: [Range<UInt32>] = []
    for row in try fields.array(2, max: SyncLimits.requestRangesMax) {
      let pair = try row.asArray(max: 2, "request.2")
      guard pair.count == 2 else { throw .wire("request.2", "not a first chunk and a count") }
      let (first, count) = (try pair[0].asUnsigned("request.2"), try pair[1].asUnsigned("request.2"))
      guard count > 0, first < 1 << 20, count <= 1 << 20 else { throw .wire("request.2", "\(count) from \(first)") }
      ranges.append(UInt32(first)..<UInt32(first + count))
    }
    try fields.finish()
    guard !ranges.isEmpty else { throw .wire("request.2", "no range") }
    self.ranges = ranges
  }
}

/// One chunk with the proof that it belongs to its artefact.
public struct ArtefactChunk: WireMessage {
  public static let type = WireType.name("chunk.v1")

  /// The site that sends it or is to get it.
  public let site: SiteName
  public let digest: Digest
  public let index: UInt32
  public let bytes: [UInt8]
  public let proof: [Digest]

  public init(site: SiteName, digest: Digest, index: UInt32, bytes: [UInt8], proof: [Digest]) {
    (self.site, self.digest, self.index, self.bytes, self.proof) = (site, digest, index, bytes, proof)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .digest(digest)), (2, .number(index)), (3, .bytes(bytes)),
      (4, .array(proof.map { .digest($0) }))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("chunk")
    site = try fields.siteName(0)
    digest = try fields.digest(1)
    index = try fields.number(2)
    bytes = try fields.bytes(3, max: SyncLimits.chunkBytes)
    var proof: [Digest] = []
    for node in try fields.array(4, max: SyncLimits.chunkProofMax) { proof.append(try node.asDigest("chunk.4")) }
    self.proof = proof
    try fields.finish()
  }
}
