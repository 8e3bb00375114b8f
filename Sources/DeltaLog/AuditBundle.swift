// An audit bundle, version 1: a site's log in one file, for verifying away from the site. Integers of the frame are
// big-endian.
//
//     magic     14 bytes: "twind audit 1\n"
//     record    4 bytes: length of what follows, 1 to 1,048,576; then one item of strict CBOR
//               (Provenance/CBORItem.swift) of exactly that length, a map whose field 0 says which it is:
//
//     header      {0: 1, 1: tenant.site, 2: made, ms since 1970}
//     trust       {0: 2, 1: bytes}: what proves the site's keys, as it was handed in
//     epoch       {0: 3, 1: id, 2: id of the epoch before, 3: opened, ms since 1970, 4: bytes of the `EpochLink` that
//                 closed it}; 2 and 4 may be missing
//     stream      {0: 4, 1: stream, 2: first, 3: chain before it, 4: [roots of the complete subtrees of the `first`
//                 entries before it, the largest first], 5: next}; `first` is a multiple of 256
//     entry       {0: 5, 1: entry, 2: chain after it, 3: body}; 3 is missing where the body is kept no more
//     checkpoint  {0: 6, 1: signed note}
//     end         {0: 7, 1: number of records before this one, 2: BLAKE2b-256 of all bytes before this record's length}
//
// They come as: header, trust…, then for each epoch, the oldest first: epoch, and for each of its streams that has any
// entry, in ascending order: stream, and its entries from `first` to `next`, contiguous. A checkpoint stands where its
// size is the next sequence; those of `first` and less stand right after the stream. Nothing follows the end.
//
// The end's digest finds any accident. Against a forger stand the checkpoints: what lies beyond the last one of a
// stream is proven by nothing, and a report says how far each stream is.

public import Provenance
public import Seams
public import Sodium
public import TwinCore

/// The log of a site as a file for auditors.
public enum AuditBundle {
  static let magic = Array("twind audit 1\n".utf8)
  static let recordBytesMax = 1 << 20
  static let limits = CBORLimits(bytes: recordBytesMax, depth: 2, items: 256)

  /// Keys that what is handed in as trust proves.
  public struct Trust: Sendable {
    public var site: SiteName
    /// All that the site ever signed with and that were not revoked.
    public var siteKeys: [Ed25519.PublicKey]
    /// Cosigners by the names in their lines.
    public var cosigners: [(name: String, key: Ed25519.PublicKey)]

    public init(
      site: SiteName, siteKeys: [Ed25519.PublicKey], cosigners: [(name: String, key: Ed25519.PublicKey)] = []
    ) {
      (self.site, self.siteKeys, self.cosigners) = (site, siteKeys, cosigners)
    }
  }

  enum Tag: UInt64 {
    case header = 1
    case trust = 2
    case epoch = 3
    case stream = 4
    case entry = 5
    case checkpoint = 6
    case end = 7
  }
}

/// A bundle that is made away from the site, from entries that a foundation holds: record after record, in the order
/// that the layout wants. Whoever reads it checks it.
public struct AuditBundleWriter: ~Copyable {
  private var writer: BundleWriter

  /// Replaces what was in `file`.
  public init(
    _ file: any OpenFile, site: SiteName, madeAt instant: Instant, trust: [[UInt8]]
  ) throws(DeltaLogFault) {
    var made = try BundleWriter(file)
    try made.write(.header, (1, .text(site.description)), (2, .integer(instant.milliseconds)))
    for bytes in trust { try made.write(.trust, (1, .bytes(bytes))) }
    writer = made
  }

  /// `closed` is the body of the `EpochLink` that closed it; nil for the open one.
  public mutating func epoch(
    _ epoch: LogEpoch, previous: LogEpoch?, openedAt instant: Instant, closed: [UInt8]?
  ) throws(DeltaLogFault) {
    try writer.write(
      .epoch, (1, .bytes(epoch.bytes)), (2, previous.map { .bytes($0.bytes) }), (3, .integer(instant.milliseconds)),
      (4, closed.map { .bytes($0) }))
  }

  /// A stream from its beginning; `next` entries follow.
  public mutating func stream(_ stream: LogStream, next: UInt64) throws(DeltaLogFault) {
    try writer.write(
      .stream, (1, .unsigned(UInt64(stream.rawValue))), (2, .unsigned(0)), (3, .digest(.zero)), (4, .array([])),
      (5, .unsigned(next)))
  }

  public mutating func entry(_ bytes: [UInt8], chain: Digest, body: [UInt8]?) throws(DeltaLogFault) {
    try writer.write(.entry, (1, .bytes(bytes)), (2, .digest(chain)), (3, body.map { .bytes($0) }))
  }

  /// Stands where its size is the next sequence.
  public mutating func checkpoint(_ note: String) throws(DeltaLogFault) {
    try writer.write(.checkpoint, (1, .text(note)))
  }

  /// Durable on return.
  public consuming func finish() throws(DeltaLogFault) { try writer.finish() }
}

/// Writes records one after the other.
struct BundleWriter: ~Copyable {
  private let file: any OpenFile
  private var offset: Int64 = 0
  private var buffer: [UInt8] = []
  private var digest = Blake2b()
  private var count: UInt64 = 0

  init(_ file: any OpenFile) throws(DeltaLogFault) {
    self.file = file
    try mapping { () throws(FileFault) in try file.truncate(to: 0) }
    buffer = AuditBundle.magic
  }

  mutating func write(_ tag: AuditBundle.Tag, _ fields: (UInt64, CBORItem?)...) throws(DeltaLogFault) {
    var entries = [CBORMapEntry(key: 0, value: .unsigned(tag.rawValue))]
    for (key, value) in fields { if let value { entries.append(CBORMapEntry(key: key, value: value)) } }
    let bytes = CBORItem.map(entries).encoded
    guard bytes.count <= AuditBundle.recordBytesMax else {
      throw DeltaLogFault(
        .tooBig, "a record of \(bytes.count) bytes in a bundle, wanted at most \(AuditBundle.recordBytesMax)")
    }
    let length = UInt32(bytes.count)
    buffer += (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * $0)) } + bytes
    count += 1
    if buffer.count >= 256 << 10 { try flush() }
  }

  consuming func finish() throws(DeltaLogFault) {
    try flush()
    var hash = Blake2b()
    swap(&hash, &digest)
    try write(.end, (1, .unsigned(count)), (2, .digest(hash.finish())))
    try flush()
    try mapping { () throws(FileFault) in try file.sync() }
  }

  private mutating func flush() throws(DeltaLogFault) {
    digest.update(buffer)
    try mapping { () throws(FileFault) in try file.write(buffer, at: offset) }
    offset += Int64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }
}

private func mapping(_ body: () throws(FileFault) -> Void) throws(DeltaLogFault) {
  do throws(FileFault) { try body() } catch { throw DeltaLogFault(error) }
}
