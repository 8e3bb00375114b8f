// A bundle of metadata, as a stick or a retained message carries it; strict CBOR:
//
//     {0: array of root envelopes, ascending by version, 1: timestamp, 2: snapshot,
//      3: array of [name, envelope], ascending by name, 4: array of consistency hashes, 5: checkpoint note}
//
// 1, 2 and 5 may be absent. Nothing of it is believed but by the signatures inside.

public import TwinCore

/// What a site was given for one update; any part may be missing when it has not changed.
public struct TrustBundle: Equatable, Sendable {
  public static let bytesMax = 8 << 20
  /// A site that was away for longer takes the rest in its next update.
  public static let rootsMax = 64
  /// Of a proof between any two sizes (C2SP tlog-witness).
  public static let proofMax = 63

  public var roots: [[UInt8]]
  public var timestamp: [UInt8]?
  public var snapshot: [UInt8]?
  public var documents: [DocumentName: [UInt8]]
  /// From the checkpoint that the site has seen to the timestamp's.
  public var consistency: [Digest]
  /// The timestamp's checkpoint with its cosignatures (C2SP tlog-cosignature).
  public var note: String?

  public init(
    roots: [[UInt8]] = [], timestamp: [UInt8]? = nil, snapshot: [UInt8]? = nil,
    documents: [DocumentName: [UInt8]] = [:], consistency: [Digest] = [], note: String? = nil
  ) {
    (self.roots, self.timestamp, self.snapshot) = (roots, timestamp, snapshot)
    (self.documents, self.consistency, self.note) = (documents, consistency, note)
  }

  /// Fault: `provenance.message_malformed`, `message_too_large`.
  public init(_ bytes: [UInt8]) throws(ProvenanceFault) {
    let limits = CBORLimits(bytes: Self.bytesMax, depth: 4, items: 512)
    var fields = try CBORItem.decode(bytes, limits: limits).fields("bundle")
    var roots: [[UInt8]] = []
    for item in try fields.array(0, max: Self.rootsMax) { roots.append(try item.asBytes(max: RootMetadata.bytesMax)) }
    self.roots = roots
    timestamp = try fields.bytesIfPresent(1, max: TimestampMetadata.bytesMax)
    snapshot = try fields.bytesIfPresent(2, max: SnapshotMetadata.bytesMax)
    var documents: [DocumentName: [UInt8]] = [:]
    var last: DocumentName?
    for item in try fields.array(3, max: DocumentName.allCases.count) {
      let pair = try item.asArray(max: 2)
      guard pair.count == 2 else { throw .document("bundle", "a document is a name and an envelope") }
      let name = try DocumentName(pair[0])
      if let last, name <= last { throw .document("bundle", "documents are out of order") }
      last = name
      documents[name] = try pair[1].asBytes(max: TargetsMetadata.bytesMax)
    }
    self.documents = documents
    var consistency: [Digest] = []
    for item in try fields.array(4, max: Self.proofMax) { consistency.append(try item.asDigest()) }
    self.consistency = consistency
    note = try fields.textIfPresent(5, max: SignedNote.bytesMax)
    try fields.finish()
  }

  public var bytes: [UInt8] {
    let rows = documents.sorted { $0.key < $1.key }.map { CBORItem.array([$0.key.item, .bytes($0.value)]) }
    return CBORItem.map(
      (0, .array(roots.map { .bytes($0) })), (1, timestamp.map { .bytes($0) }), (2, snapshot.map { .bytes($0) }),
      (3, .array(rows)), (4, .array(consistency.map { .digest($0) })), (5, note.map { .text($0) })
    ).encoded
  }
}
