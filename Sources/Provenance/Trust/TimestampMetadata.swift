// The timestamp, after the first three fields of every document (see TrustDocument.swift):
//
//     3: snapshot version   4: snapshot length   5: snapshot digest (of the whole envelope)
//     6: time               nanoseconds since 1970, when it was signed
//     7: checkpoint         {0: origin, 1: size, 2: root hash} of the foundation's log; may be absent
//
// A time statement, signed by the targets threshold, lifts a site's time floor over more than 400 days:
//
//     {0: fleet, 1: time}

public import TwinCore

/// Where the foundation's own log stands.
public struct FoundationCheckpoint: Equatable, Sendable {
  static let originBytesMax = 128

  /// As in the checkpoint's note (C2SP tlog-checkpoint).
  public let origin: String
  public let size: UInt64
  public let root: Digest

  public init(origin: String, size: UInt64, root: Digest) {
    (self.origin, self.size, self.root) = (origin, size, root)
  }

  public init(_ checkpoint: Checkpoint) {
    self.init(origin: checkpoint.origin, size: checkpoint.size, root: checkpoint.root)
  }

  /// As the body of its note: what a birth says and a witness signs.
  public var text: String { Checkpoint(origin: origin, size: size, root: root).body }

  init(_ item: CBORItem) throws(ProvenanceFault) {
    var fields = try item.fields("checkpoint")
    origin = try fields.text(0, max: Self.originBytesMax)
    size = try fields.unsigned(1)
    root = try fields.digest(2)
    try fields.finish()
    guard isWellFormed else { throw .document("checkpoint", "the origin is \(origin.debugDescription)") }
  }

  var item: CBORItem { .map((0, .text(origin)), (1, .unsigned(size)), (2, .digest(root))) }

  /// One line of a note.
  var isWellFormed: Bool {
    (1...Self.originBytesMax).contains(origin.utf8.count) && origin.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }
}

/// The newest snapshot, said again every day.
public struct TimestampMetadata: TrustDocument {
  public static let type = "application/vnd.twind.timestamp.v1+cbor"
  public static let title = "timestamp"
  public static let bytesMax = 4 << 10

  public let header: DocumentHeader
  public let snapshotVersion: UInt64
  public let snapshotLength: UInt64
  public let snapshotDigest: Digest
  public let time: Instant
  public let checkpoint: FoundationCheckpoint?

  /// About the snapshot of `envelope`. Fault: `provenance.document_malformed`.
  public init(
    header: DocumentHeader, snapshot envelope: [UInt8], version: UInt64, time: Instant,
    checkpoint: FoundationCheckpoint? = nil
  ) throws(ProvenanceFault) {
    self.header = header
    (snapshotVersion, snapshotLength) = (version, UInt64(envelope.count))
    snapshotDigest = TrustStore.digest(envelope)
    (self.time, self.checkpoint) = (time, checkpoint)
    try check()
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload, limits: .document).fields(Self.title)
    header = try DocumentHeader(&fields)
    snapshotVersion = try fields.unsigned(3)
    snapshotLength = try fields.unsigned(4)
    snapshotDigest = try fields.digest(5)
    time = try fields.instant(6)
    checkpoint = try fields.itemIfPresent(7).map(FoundationCheckpoint.init)
    try fields.finish()
    try check()
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(fleet)), (1, .unsigned(version)), (2, .integer(expires.nanoseconds)),
      (3, .unsigned(snapshotVersion)), (4, .unsigned(snapshotLength)), (5, .digest(snapshotDigest)),
      (6, .integer(time.nanoseconds)), (7, checkpoint?.item)
    ).encoded
  }

  private func check() throws(ProvenanceFault) {
    try header.check(Self.title)
    guard snapshotVersion >= 1, snapshotVersion <= DocumentHeader.versionMax else {
      throw .document(Self.title, "snapshot version \(snapshotVersion)")
    }
    guard snapshotLength >= 1, snapshotLength <= UInt64(SnapshotMetadata.bytesMax) else {
      throw .document(
        Self.title, "a snapshot of \(snapshotLength) bytes, at most \(SnapshotMetadata.bytesMax) are read")
    }
    guard time.nanoseconds >= 0, time < expires else { throw .document(Self.title, "its time is not before its end") }
    guard checkpoint?.isWellFormed ?? true else { throw .document(Self.title, "its checkpoint has no origin") }
  }
}

/// A time that the targets threshold vouches for.
public struct TimeStatement: Equatable, Sendable {
  public static let type = "application/vnd.twind.time.v1+cbor"
  static let bytesMax = 4 << 10

  public let fleet: String
  public let time: Instant

  public init(fleet: String, time: Instant) { (self.fleet, self.time) = (fleet, time) }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("time statement")
    (fleet, time) = (try fields.text(0, max: 64), try fields.instant(1))
    try fields.finish()
  }

  public var payload: [UInt8] {
    CBORItem.map((0, .text(fleet)), (1, .integer(time.nanoseconds))).encoded
  }
}
