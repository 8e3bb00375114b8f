// A record of the hot log, little endian, at an offset that is a multiple of 8:
//
//   offset  bytes  content
//   0       4      magic "twlr"
//   4       4      length of the body, n
//   8       8      commit number
//   16      1      1: a key record, which needs no record before it; else 0
//   17      7      0
//   24      4      CRC-32C of the body
//   28      4      CRC-32C of bytes 0..<28, then of the record's offset in the file as 8 bytes
//   32      n      body
//   32 + n  0…7    zero bytes, to a multiple of 8
//
// The body is sections in rising order of their kinds, none twice, empty ones left out:
//
//   byte     kind
//   varint   length in bytes
//   bytes    content
//
//   kind  content
//   1     layouts: varint count, then zigzag version, zigzag registered ns, bytes of the canonical FrameLayout
//   2     ticks: varint count, then zigzag number − the one before, zigzag instant ns − the one before, zigzag uptime
//         ns − the one before, zigzag boot − the one before, zigzag first frame − the end of the frames before,
//         varint frames carried, byte 1 (must be kept) or 0, bytes of the tick's own canonical form
//   3     frames: HotLogFrames.swift
//   4     decisions: varint count, then text id, zigzag tick, zigzag instant ns, text kind, text point, bytes
//   5     events: varint count, then zigzag tick, zigzag instant ns, text kind, text subject, bytes
//   6     facts: varint count, then text key, byte 1 and bytes, or byte 0: removed
//   7     leases: varint count, then text point, byte 1 and bytes, or byte 0: closed
//   8     versions: varint count, then text family, text subject, zigzag effective from ns, varint until − from
//         (modulo 2^64), zigzag tick, bytes
//
// "bytes" and "text" (UTF-8) are a varint length and as many bytes. What stands before the first is 0; differences wrap
// at 64 bits. Only frames need the records before; what else a record tells is whole in itself.

import SeriesCodec
import TwinCore

/// The fixed part in front of a record.
struct LogRecordHeader {
  static let size = 32
  static let alignment = 8
  private static let magic: UInt32 = 0x726C_7774
  static let magicFirst = UInt8(truncatingIfNeeded: magic)

  var length: Int
  var commit: Int64
  var isKey: Bool
  var checksum: UInt32

  /// With the padding.
  var recordSize: Int { Self.size + (length + Self.alignment - 1) / Self.alignment * Self.alignment }

  func bytes(at offset: Int64) -> [UInt8] {
    var writer = ByteWriter(reserving: Self.size)
    writer.word(Self.magic)
    writer.word(UInt32(length))
    writer.raw(UInt64(bitPattern: commit))
    writer.raw(isKey ? 1 : 0)
    writer.word(checksum)
    writer.word(Checksum.crc32c(writer.bytes[...], at: offset))
    return writer.bytes
  }

  /// The header that begins at `start`; nil unless all of it is as it must be at this offset of a file.
  init?(_ bytes: [UInt8], at start: Int, offset: Int64) {
    guard start + Self.size <= bytes.count, bytes[start] == Self.magicFirst else { return nil }
    var reader = ByteReader(bytes, in: start..<start + Self.size)
    guard (try? reader.word()) == Self.magic, let length = try? reader.word(), let commit = try? reader.raw(),
      let form = try? reader.raw(), let checksum = try? reader.word(), length <= UInt32(HotLog.recordBytesMax),
      form <= 1, (try? reader.word()) == Checksum.crc32c(bytes[start..<start + Self.size - 4], at: offset)
    else { return nil }
    self.init(length: Int(length), commit: Int64(bitPattern: commit), isKey: form == 1, checksum: checksum)
  }

  init(length: Int, commit: Int64, isKey: Bool, checksum: UInt32) {
    (self.length, self.commit, self.isKey, self.checksum) = (length, commit, isKey, checksum)
  }
}

/// The sections of a record's body.
enum LogSection: UInt8, CaseIterable {
  case layouts = 1
  case ticks = 2
  case frames = 3
  case decisions = 4
  case events = 5
  case facts = 6
  case leases = 7
  case versions = 8

  /// Entries of one section, so that a small record cannot ask for much memory.
  static let entriesMax = 1 << 18
}

/// Packs bodies; keeps the histories of frames from record to record.
struct LogBodyWriter {
  private var frames = FrameSectionWriter()

  mutating func reset() { frames.reset() }

  /// Appends the body to `bytes`.
  mutating func write(
    _ record: LogRecord, layouts: [Int64: FrameLayout], into bytes: inout [UInt8]
  ) throws(StoreError) {
    let batch = record.records
    try Self.section(.layouts, batch.layouts, into: &bytes) { writer, entry in
      writer.zigzag(entry.version)
      writer.zigzag(entry.registered.nanoseconds)
      writer.counted(entry.layout.canonicalBytes)
    }
    try Self.ticks(record.ticks, into: &bytes)
    if !record.frames.isEmpty {
      var writer = ByteWriter(reserving: 64 + record.frames.count * 32)
      try frames.write(record.frames, ticks: record.ticks, layouts: layouts, into: &writer)
      Self.close(.frames, writer, into: &bytes)
    }
    try Self.section(.decisions, batch.decisions, into: &bytes) { writer, entry in
      writer.counted(entry.id)
      writer.zigzag(entry.tick)
      writer.zigzag(entry.instant.nanoseconds)
      writer.counted(entry.kind)
      writer.counted(entry.point)
      writer.counted(entry.bytes)
    }
    try Self.section(.events, batch.events, into: &bytes) { writer, entry in
      writer.zigzag(entry.tick)
      writer.zigzag(entry.instant.nanoseconds)
      writer.counted(entry.kind)
      writer.counted(entry.subject)
      writer.counted(entry.bytes)
    }
    try Self.section(.facts, batch.facts, into: &bytes) { $0.named($1) }
    try Self.section(.leases, batch.leases, into: &bytes) { $0.named($1) }
    try Self.section(.versions, batch.versions, into: &bytes) { writer, entry in
      let (from, until) = (entry.effective.lowerBound.nanoseconds, entry.effective.upperBound.nanoseconds)
      writer.counted(entry.family)
      writer.counted(entry.subject)
      writer.zigzag(from)
      writer.varint(UInt64(bitPattern: until &- from))
      writer.zigzag(entry.tick)
      writer.counted(entry.bytes)
    }
  }

  private static func section<Entry>(
    _ kind: LogSection, _ entries: [Entry], into bytes: inout [UInt8],
    _ write: (inout ByteWriter, Entry) -> Void
  ) throws(StoreError) {
    guard !entries.isEmpty else { return }
    guard entries.count <= LogSection.entriesMax else {
      throw StoreError(
        .tooBig, "a commit of \(entries.count) \(kind) where \(LogSection.entriesMax) may be")
    }
    var writer = ByteWriter()
    writer.varint(UInt64(entries.count))
    for entry in entries {
      write(&writer, entry)
      guard writer.bytes.count <= HotLog.recordBytesMax else {
        throw StoreError(.tooBig, "a commit whose \(kind) take more than \(HotLog.recordBytesMax) bytes")
      }
    }
    close(kind, writer, into: &bytes)
  }

  private static func close(_ kind: LogSection, _ writer: ByteWriter, into bytes: inout [UInt8]) {
    var head = ByteWriter()
    head.byte(kind.rawValue)
    head.varint(UInt64(writer.bytes.count))
    bytes += head.bytes
    bytes += writer.bytes
  }

  private static func ticks(_ ticks: [TickRecord], into bytes: inout [UInt8]) throws(StoreError) {
    var (number, instant, uptime, boot, end): (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    try section(.ticks, ticks, into: &bytes) { writer, tick in
      writer.zigzag(tick.number &- number)
      writer.zigzag(tick.instant.nanoseconds &- instant)
      writer.zigzag(tick.uptime.nanoseconds &- uptime)
      writer.zigzag(tick.boot &- boot)
      writer.zigzag(tick.frames.lowerBound &- end)
      writer.varint(UInt64(bitPattern: tick.frames.upperBound &- tick.frames.lowerBound))
      writer.byte(tick.mustBeKept ? 1 : 0)
      writer.counted(tick.bytes)
      (number, instant, uptime) = (tick.number, tick.instant.nanoseconds, tick.uptime.nanoseconds)
      (boot, end) = (tick.boot, tick.frames.upperBound)
    }
  }
}

extension ByteWriter {
  fileprivate mutating func counted(_ content: [UInt8]) {
    varint(UInt64(content.count))
    append(content)
  }

  fileprivate mutating func counted(_ text: String) { counted(Array(text.utf8)) }

  fileprivate mutating func named(_ entry: NamedBytes) {
    counted(entry.name)
    byte(entry.bytes == nil ? 0 : 1)
    if let content = entry.bytes { counted(content) }
  }
}
