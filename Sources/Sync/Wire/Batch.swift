// Batch, site to foundation on `log/<stream>`:
//
//     {0: site text, 1: epoch bytes(16), 2: stream, 3: first sequence, 4: count, 5: chain before bytes(32),
//      6: chain after bytes(32), 7: tree size after, 8: root after bytes(32), 9: codec, 10: raw length,
//      11: [entry bytes, …], 12: [body bytes or null, …]}
//
// Codec 0: 11 and 12 as they are. The raw length is the sum of the lengths of all entries and bodies; a codec that
// packs them would say here how much they unpack to, so that the bounds hold before anything is unpacked.

public import Provenance
public import TwinCore

/// A contiguous piece of one log, signed once as a whole.
public struct Batch: WireMessage {
  public static let type = WireType.name("batch.v1")
  /// What a fault names when a batch is packed in a way that only later releases know.
  static let codecPlace = "batch.9"

  public let log: LogName
  public let first: UInt64
  public let chainBefore: Digest
  public let chainAfter: Digest
  /// Of the tree of `end` leaves.
  public let root: Digest
  public let entries: [[UInt8]]
  /// One for each entry; nil where the site no longer has it.
  public let bodies: [[UInt8]?]

  public init(
    log: LogName, first: UInt64, chainBefore: Digest, chainAfter: Digest, root: Digest, entries: [[UInt8]],
    bodies: [[UInt8]?]
  ) {
    precondition((1...SyncLimits.batchEntriesMax).contains(entries.count), "a batch of \(entries.count) entries")
    precondition(entries.count == bodies.count, "\(bodies.count) bodies of \(entries.count) entries")
    (self.log, self.first, self.entries, self.bodies) = (log, first, entries, bodies)
    (self.chainBefore, self.chainAfter, self.root) = (chainBefore, chainAfter, root)
  }

  public var end: UInt64 { first + UInt64(entries.count) }
  public var rawBytes: Int { Self.rawBytes(entries, bodies) }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(log.site.description)), (1, .bytes(log.epoch.bytes)), (2, .number(log.stream.rawValue)),
      (3, .unsigned(first)), (4, .number(entries.count)), (5, .digest(chainBefore)), (6, .digest(chainAfter)),
      (7, .unsigned(end)), (8, .digest(root)), (9, .unsigned(0)), (10, .number(rawBytes)),
      (11, .array(entries.map { .bytes($0) })), (12, .array(bodies.map { $0.map { .bytes($0) } ?? .null }))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("batch")
    log = LogName(site: try fields.siteName(0), epoch: try fields.epoch(1), stream: try fields.stream(2))
    first = try fields.unsigned(3)
    let count = try fields.unsigned(4)
    (chainBefore, chainAfter) = (try fields.digest(5), try fields.digest(6))
    let size = try fields.unsigned(7)
    root = try fields.digest(8)
    let codec = try fields.unsigned(9)
    guard codec == 0 else { throw .wire(Self.codecPlace, "codec \(codec) is not known here, only 0") }
    let raw = try fields.unsigned(10)
    try Self.check(raw: raw, packed: payload.count)
    guard (1...UInt64(SyncLimits.batchEntriesMax)).contains(count) else {
      throw .wire("batch.4", "\(count) entries, wanted 1 to \(SyncLimits.batchEntriesMax)")
    }
    guard !first.addingReportingOverflow(count).overflow, size == first + count else {
      throw .wire("batch.7", "tree size \(size) after \(count) entries from \(first)")
    }
    entries = try Self.read(try fields.array(11, max: SyncLimits.batchEntriesMax)) { item throws(ProvenanceFault) in
      try item.asBytes(max: LogEntry.bytesMax, "batch.11")
    }
    bodies = try Self.read(try fields.array(12, max: SyncLimits.batchEntriesMax)) { item throws(ProvenanceFault) in
      item == .null ? nil : try item.asBytes("batch.12")
    }
    guard entries.count == Int(count), bodies.count == Int(count) else {
      throw .wire("batch.11", "\(entries.count) entries and \(bodies.count) bodies, wanted \(count) of each")
    }
    guard raw == UInt64(rawBytes) else { throw .wire("batch.10", "raw length \(raw), found \(rawBytes)") }
  }

  /// The bounds on unpacking, whatever the codec: known before one byte of it is done.
  static func check(raw: UInt64, packed: Int) throws(ProvenanceFault) {
    guard raw <= UInt64(SyncLimits.batchRawBytesMax) else {
      throw .wire("batch.10", "raw length \(raw), wanted at most \(SyncLimits.batchRawBytesMax)")
    }
    guard raw <= UInt64(packed * SyncLimits.batchRatioMax) else {
      throw .wire("batch.10", "\(packed) bytes for \(raw), wanted at most 1 for \(SyncLimits.batchRatioMax)")
    }
  }

  private static func read<Value>(
    _ items: [CBORItem], _ one: (CBORItem) throws(ProvenanceFault) -> Value
  ) throws(ProvenanceFault) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(items.count)
    for item in items { values.append(try one(item)) }
    return values
  }

  private static func rawBytes(_ entries: [[UInt8]], _ bodies: [[UInt8]?]) -> Int {
    entries.reduce(0) { $0 + $1.count } + bodies.reduce(0) { $0 + ($1?.count ?? 0) }
  }
}
