// The manifest of an artefact (model, policy, delta), strict CBOR (see CBORItem.swift) in a `SignedEnvelope`:
//
//     0: name  1: version  2: kind  3: digest, BLAKE2b-256  4: SHA-256, for other tools  5: size, bytes
//     6: chunk, 65,536  7: root of the Merkle tree (see Merkle.swift) whose leaves are the chunks, the last one shorter
//     8: codec, 0 none  9: raw length, bytes after decoding
//     10: made by, a name  11: array of data windows {0: source, 1: from ns, 2: to ns, 3: digest}
//     12: code version  13: array of [hyperparameter, value], ascending by name  14: seed
//     15: array of [score, 8 bytes of a big-endian IEEE 754 double], ascending by name
//     16: array of [predicate type, digest of the attestation], ascending
//     17: base digest, of the artefact that a delta is for; absent otherwise
//
// Names and texts have at most 256 bytes.

public import Sodium
public import TwinCore

/// Data that went into training.
public struct DataWindow: Equatable, Sendable {
  /// As in the site's or the portfolio's own words.
  public let source: String
  public let from: Instant
  public let to: Instant
  /// BLAKE2b-256 over the window's bytes as they were read.
  public let digest: Digest

  public init(source: String, from: Instant, to: Instant, digest: Digest) {
    (self.source, self.from, self.to, self.digest) = (source, from, to, digest)
  }
}

/// A statement by someone about an artefact, kept elsewhere.
public struct Attestation: Equatable, Sendable {
  /// As in-toto's `predicateType`, a URI.
  public let predicateType: String
  public let digest: Digest

  public init(predicateType: String, digest: Digest) { (self.predicateType, self.digest) = (predicateType, digest) }
}

public struct NamedText: Equatable, Sendable {
  public let name: String
  public let value: String

  public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

public struct NamedScore: Equatable, Sendable {
  public let name: String
  /// Finite.
  public let value: Double

  public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
}

/// How an artefact was made.
public struct ArtefactOrigin: Equatable, Sendable {
  public var madeBy: String
  public var trainedOn: [DataWindow]
  public var codeVersion: String
  public var hyperparameters: [NamedText]
  public var seed: UInt64
  public var scores: [NamedScore]
  public var attestations: [Attestation]
  /// Of the artefact that this one is a delta to.
  public var base: Digest?

  public init(
    madeBy: String, trainedOn: [DataWindow] = [], codeVersion: String, hyperparameters: [NamedText] = [],
    seed: UInt64 = 0, scores: [NamedScore] = [], attestations: [Attestation] = [], base: Digest? = nil
  ) {
    (self.madeBy, self.trainedOn, self.codeVersion) = (madeBy, trainedOn, codeVersion)
    self.hyperparameters = hyperparameters.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    self.scores = scores.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    self.attestations = attestations.sorted {
      $0.predicateType.utf8.lexicographicallyPrecedes($1.predicateType.utf8)
    }
    (self.seed, self.base) = (seed, base)
  }
}

/// What an artefact is, how it is checked chunk by chunk, and where it came from.
public struct ReleaseManifest: Equatable, Sendable {
  public static let type = "application/vnd.twind.artefact.v1+cbor"
  public static let bytesMax = 256 << 10
  public static let chunkBytes = 65_536
  /// 16 GiB: 2^18 chunks.
  public static let sizeMax: UInt64 = 16 << 30
  static let textMax = 256
  static let listMax = 256

  public let name: String
  public let version: UInt64
  public let kind: String
  public let digest: Digest
  public let sha256: Digest
  public let size: UInt64
  public let merkleRoot: Digest
  /// Of the bytes: 0 as they are; others are the receiver's to know.
  public let codec: UInt64
  /// Bytes after decoding: a decoder stops there.
  public let rawLength: UInt64
  public let origin: ArtefactOrigin

  public var chunks: UInt64 { (size + UInt64(Self.chunkBytes) - 1) / UInt64(Self.chunkBytes) }
  public var attestations: [Attestation] { origin.attestations }

  /// Of `bytes`, which are not empty. Fault: `provenance.artefact_refused`.
  public init(
    name: String, version: UInt64, kind: String, bytes: [UInt8], codec: UInt64 = 0, rawLength: UInt64? = nil,
    origin: ArtefactOrigin
  ) throws(ProvenanceFault) {
    (self.name, self.version, self.kind) = (name, version, kind)
    (digest, sha256, size) = (Sodium.blake2b256(bytes), Sodium.sha256(bytes), UInt64(bytes.count))
    merkleRoot = Self.frontier(bytes).root
    (self.codec, self.rawLength, self.origin) = (codec, rawLength ?? UInt64(bytes.count), origin)
    try check()
  }

  /// The envelope's structure and type; its signature is for the reader to check where the listing's digest is not
  /// enough.
  public static func envelope(_ bytes: [UInt8]) throws(ProvenanceFault) -> SignedEnvelope {
    let envelope = try SignedEnvelope(bytes, max: bytesMax)
    guard envelope.type == type else { throw .artefact("manifest", "the envelope holds \(envelope.type.prefix(80))") }
    return envelope
  }

  public func sealed(by key: borrowing Ed25519.SecretKey) -> [UInt8] {
    SignedEnvelope.seal(type: Self.type, payload: payload, by: key)
  }

  /// Whether a received chunk is the one at `index`; to be asked before a byte of it is written.
  public func holds(chunk: [UInt8], at index: UInt64, proof: [Digest]) -> Bool {
    guard index < chunks, proof.count <= 64 else { return false }
    let length = index == chunks - 1 ? size - index * UInt64(Self.chunkBytes) : UInt64(Self.chunkBytes)
    return UInt64(chunk.count) == length
      && Merkle.verifyInclusion(
        index: index, size: chunks, leaf: Merkle.leafHash(chunk), proof: proof, root: merkleRoot)
  }

  /// Whether these are the whole artefact's bytes, by length and both digests.
  public func describes(_ bytes: [UInt8]) -> Bool {
    UInt64(bytes.count) == size && Sodium.blake2b256(bytes) == digest && Sodium.sha256(bytes) == sha256
  }

  /// The proof for `holds` from the artefact's bytes.
  public static func proof(chunk index: UInt64, of bytes: [UInt8]) -> [Digest] {
    let count = UInt64((bytes.count + chunkBytes - 1) / chunkBytes)
    return Merkle.inclusionProof(index: index, size: count) { leaf in Merkle.leafHash(chunk(Int(leaf), of: bytes)) }
  }

  public static func chunk(_ index: Int, of bytes: [UInt8]) -> [UInt8] {
    Array(bytes[index * chunkBytes..<min((index + 1) * chunkBytes, bytes.count)])
  }

  private static func frontier(_ bytes: [UInt8]) -> MerkleFrontier {
    var frontier = MerkleFrontier()
    for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
      frontier.append(Merkle.leafHash(Array(bytes[start..<min(start + chunkBytes, bytes.count)])))
    }
    return frontier
  }

  private func check() throws(ProvenanceFault) {
    func require(_ condition: Bool, _ problem: String) throws(ProvenanceFault) {
      guard condition else { throw .artefact(name, problem) }
    }
    func ascends(_ names: [String]) -> Bool {
      zip(names, names.dropFirst()).allSatisfy { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
    try require(!name.isEmpty && name.utf8.count <= Artefact.nameBytesMax, "the name is empty or too long")
    try require(Identifier.isName(kind), "its kind is \(kind.debugDescription)")
    try require(version >= 1 && version <= DocumentHeader.versionMax, "version \(version) cannot be")
    try require(size >= 1 && size <= Self.sizeMax && rawLength <= Self.sizeMax, "a size out of range")
    try require(codec != 0 || rawLength == size, "bytes as they are, but of another raw length")
    let texts =
      [origin.madeBy, origin.codeVersion] + origin.trainedOn.map(\.source) + origin.scores.map(\.name)
      + origin.hyperparameters.flatMap { [$0.name, $0.value] } + origin.attestations.map(\.predicateType)
    try require(texts.allSatisfy { $0.utf8.count <= Self.textMax }, "a text of more than \(Self.textMax) bytes")
    let counts = [origin.trainedOn.count, origin.hyperparameters.count, origin.scores.count, attestations.count]
    try require(counts.allSatisfy { $0 <= Self.listMax }, "a list of more than \(Self.listMax)")
    try require(
      ascends(origin.hyperparameters.map(\.name)) && ascends(origin.scores.map(\.name))
        && ascends(attestations.map(\.predicateType)), "a list out of order, or a name twice")
    try require(origin.scores.allSatisfy(\.value.isFinite), "a score that is not finite")
    try require(origin.trainedOn.allSatisfy { $0.from <= $0.to }, "a data window that ends before it begins")
  }
}

extension ReleaseManifest {
  public var payload: [UInt8] {
    let windows = origin.trainedOn.map { window in
      CBORItem.map(
        (0, .text(window.source)), (1, .integer(window.from.nanoseconds)), (2, .integer(window.to.nanoseconds)),
        (3, .digest(window.digest)))
    }
    return CBORItem.map(
      (0, .text(name)), (1, .unsigned(version)), (2, .text(kind)), (3, .digest(digest)), (4, .digest(sha256)),
      (5, .unsigned(size)), (6, .unsigned(UInt64(Self.chunkBytes))), (7, .digest(merkleRoot)), (8, .unsigned(codec)),
      (9, .unsigned(rawLength)), (10, .text(origin.madeBy)), (11, .array(windows)), (12, .text(origin.codeVersion)),
      (13, .array(origin.hyperparameters.map { .array([.text($0.name), .text($0.value)]) })),
      (14, .unsigned(origin.seed)),
      (15, .array(origin.scores.map { .array([.text($0.name), .bytes($0.value.bitPattern.bigEndianBytes)]) })),
      (16, .array(attestations.map { .array([.text($0.predicateType), .digest($0.digest)]) })),
      (17, origin.base.map { .digest($0) })
    ).encoded
  }

  /// Faults: `provenance.message_malformed`, `provenance.artefact_refused`.
  public init(payload: [UInt8]) throws(ProvenanceFault) {
    let limits = CBORLimits(bytes: Self.bytesMax, depth: 4, items: 8_192)
    var fields = try CBORItem.decode(payload, limits: limits).fields("manifest")
    name = try fields.text(0, max: Artefact.nameBytesMax)
    version = try fields.unsigned(1)
    kind = try fields.text(2, max: 64)
    (digest, sha256) = (try fields.digest(3), try fields.digest(4))
    size = try fields.unsigned(5)
    let chunk = try fields.unsigned(6)
    guard chunk == UInt64(Self.chunkBytes) else { throw .artefact(name, "chunks of \(chunk) bytes") }
    merkleRoot = try fields.digest(7)
    (codec, rawLength) = (try fields.unsigned(8), try fields.unsigned(9))
    let madeBy = try fields.text(10, max: Self.textMax)
    var origin = ArtefactOrigin(madeBy: madeBy, codeVersion: "")
    for item in try fields.array(11, max: Self.listMax) {
      var row = try item.fields("data window")
      origin.trainedOn.append(
        DataWindow(
          source: try row.text(0, max: Self.textMax), from: try row.instant(1), to: try row.instant(2),
          digest: try row.digest(3)))
      try row.finish()
    }
    origin.codeVersion = try fields.text(12, max: Self.textMax)
    for pair in try Self.pairs(fields.array(13, max: Self.listMax)) {
      origin.hyperparameters.append(NamedText(pair.name, try pair.value.asText(max: Self.textMax)))
    }
    origin.seed = try fields.unsigned(14)
    for pair in try Self.pairs(fields.array(15, max: Self.listMax)) {
      let bits = try pair.value.asBytes(count: 8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      origin.scores.append(NamedScore(pair.name, Double(bitPattern: bits)))
    }
    for pair in try Self.pairs(fields.array(16, max: Self.listMax)) {
      origin.attestations.append(Attestation(predicateType: pair.name, digest: try pair.value.asDigest()))
    }
    origin.base = try fields.digestIfPresent(17)
    self.origin = origin
    try fields.finish()
    try check()
  }

  private static func pairs(_ items: [CBORItem]) throws(ProvenanceFault) -> [(name: String, value: CBORItem)] {
    var pairs: [(name: String, value: CBORItem)] = []
    for item in items {
      let parts = try item.asArray(max: 2)
      guard parts.count == 2 else { throw .artefact("manifest", "a pair of \(parts.count) items") }
      pairs.append((try parts[0].asText(max: textMax), parts[1]))
    }
    return pairs
  }
}
