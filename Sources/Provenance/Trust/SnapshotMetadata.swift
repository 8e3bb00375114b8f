// The snapshot, after the first three fields of every document (see TrustDocument.swift):
//
//     3: documents    array, ascending by name, of {0: name, 1: version, 2: length, 3: digest}, digest and length of
//                     the whole envelope
//     4: revocations  see RevocationList.swift

public import TwinCore

/// One document as a snapshot or a timestamp promises it.
public struct DocumentListing: Equatable, Sendable {
  public let name: DocumentName
  public let version: UInt64
  /// Bytes of the envelope, exactly.
  public let length: UInt64
  /// BLAKE2b-256 over the envelope.
  public let digest: Digest

  public init(name: DocumentName, version: UInt64, length: UInt64, digest: Digest) {
    (self.name, self.version, self.length, self.digest) = (name, version, length, digest)
  }
}

/// Which documents belong together, and which site keys no longer count.
public struct SnapshotMetadata: TrustDocument {
  public static let type = "application/vnd.twind.snapshot.v1+cbor"
  public static let title = "snapshot"
  public static let bytesMax = 1 << 20

  public let header: DocumentHeader
  public let listings: [DocumentListing]
  public let revocations: RevocationList

  /// Fault: `provenance.document_malformed`.
  public init(
    header: DocumentHeader, listings: [DocumentListing], revocations: RevocationList = RevocationList()
  ) throws(ProvenanceFault) {
    self.header = header
    self.listings = listings.sorted { $0.name < $1.name }
    self.revocations = revocations
    try check()
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload, limits: .document).fields(Self.title)
    header = try DocumentHeader(&fields)
    var listings: [DocumentListing] = []
    for item in try fields.array(3, max: DocumentName.allCases.count) {
      var row = try item.fields("listing")
      listings.append(
        DocumentListing(
          name: try DocumentName(try row.item(0)), version: try row.unsigned(1), length: try row.unsigned(2),
          digest: try row.digest(3)))
      try row.finish()
    }
    self.listings = listings
    revocations = try RevocationList(try fields.item(4))
    try fields.finish()
    try check()
  }

  public var payload: [UInt8] {
    let rows = listings.map { listing in
      CBORItem.map(
        (0, listing.name.item), (1, .unsigned(listing.version)), (2, .unsigned(listing.length)),
        (3, .digest(listing.digest)))
    }
    return CBORItem.map(
      (0, .text(fleet)), (1, .unsigned(version)), (2, .integer(expires.nanoseconds)), (3, .array(rows)),
      (4, revocations.item)
    ).encoded
  }

  public func listing(_ name: DocumentName) -> DocumentListing? { listings.first { $0.name == name } }

  private func check() throws(ProvenanceFault) {
    try header.check(Self.title)
    guard zip(listings, listings.dropFirst()).allSatisfy({ $0.name < $1.name }) else {
      throw .document(Self.title, "documents are out of order or one appears twice")
    }
    for listing in listings {
      let max = listing.name == .rollout ? RolloutMetadata.bytesMax : TargetsMetadata.bytesMax
      guard listing.length >= 1, listing.length <= UInt64(max) else {
        throw .document(Self.title, "\(listing.name.name) has \(listing.length) bytes, at most \(max) are read")
      }
      guard listing.version >= 1, listing.version <= DocumentHeader.versionMax else {
        throw .document(Self.title, "\(listing.name.name) has version \(listing.version)")
      }
    }
    try revocations.check()
  }
}
