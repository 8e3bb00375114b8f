// A day file holds sealed bodies of one UTC day: `data/<YYYY-MM-DD>.tws` while the day is open, `.twc` once it is
// closed, `.twr` for rollups. Little endian:
//
//   offset  bytes  content
//   0       8      magic "twindday"
//   8       4      version, 1
//   12      4      CRC-32C of bytes 0..<12, then of 16..<32
//   16      8      day, days since 1970-01-01
//   24      1      form: 1 open, bodies are added behind the last; 2 closed, complete
//   25      7      0
//   32      …      bodies, one behind the other
//
// The first 32 bytes are the same in every version. Each body:
//
//   0       4      magic "twbd"
//   4       1      k
//   5       k      the key (BodyKey.swift), then varint: bytes of the file in front of this header that were not
//                  flushed when it was written (0 in a closed file)
//   5 + k   4      CRC-32C of the body
//   9 + k   4      CRC-32C of bytes 0..<9 + k, then of the header's offset in the file as 8 bytes
//   13 + k  n      the body, n as in its key
//
// A closed file ends with an index and a trailer of 32 bytes:
//
//   index, for each body in order
//     key, then varint: the body's offset minus the end of the body before (32 before the first), then 4 bytes CRC-32C
//   trailer
//     0     8      magic "twindend"
//     8     8      offset of the index
//     16    4      length of the index in bytes
//     20    4      bodies
//     24    4      CRC-32C of the index
//     28    4      CRC-32C of bytes 0..<28
//
// Whoever opens an open file hops from header to header; of a closed one he reads trailer and index, and hops only
// where these are damaged. Where a header is damaged, the next one is looked for byte by byte. Invariant of an open
// file: what was flushed stays; so bodies in front of the last header's unflushed bytes are whole unless the device
// lost them, and those behind may be torn.

import SeriesCodec
import TwinCore

/// The first bytes of a day file.
struct DayFileHeader: Equatable {
  private static let magic = "twindday"

  var day: Int64
  var form: DayFile.Form

  var bytes: [UInt8] { FileHead.bytes(Self.magic, UInt64(bitPattern: day), UInt64(form.rawValue)) }

  init(day: Int64, form: DayFile.Form) { (self.day, self.form) = (day, form) }

  /// nil when it is not whole. Throws `store.newer_version`.
  init?(_ bytes: [UInt8], path: String) throws(StoreError) {
    guard let (day, code) = try FileHead.read(bytes, Self.magic, path: path),
      let form = UInt8(exactly: code).flatMap(DayFile.Form.init(rawValue:))
    else { return nil }
    self.init(day: Int64(bitPattern: day), form: form)
  }
}

/// What stands in front of a body.
struct BodyHeader {
  static let magic: [UInt8] = Array("twbd".utf8)
  /// Magic, k and both checksums.
  private static let fixedSize = 13
  /// k is a byte.
  static let sizeMax = fixedSize + 255

  var key: BodyKey
  var unflushed: Int64
  var checksum: UInt32

  func bytes(at offset: Int64) -> [UInt8] {
    var content = ByteWriter()
    key.write(into: &content)
    content.varint(UInt64(unflushed))
    var writer = ByteWriter(reserving: Self.fixedSize + content.bytes.count)
    writer.append(Self.magic)
    writer.byte(UInt8(content.bytes.count))
    writer.append(content.bytes)
    writer.word(checksum)
    writer.word(Checksum.crc32c(writer.bytes[...], at: offset))
    return writer.bytes
  }

  /// The header that begins at `start`, and its size; nil when there is none for this offset of a file.
  static func read(_ bytes: [UInt8], at start: Int, offset: Int64) -> (header: BodyHeader, size: Int)? {
    guard start + fixedSize <= bytes.count, bytes[start..<start + 4].elementsEqual(magic) else { return nil }
    let size = fixedSize + Int(bytes[start + 4])
    guard start + size <= bytes.count else { return nil }
    var content = ByteReader(bytes, in: start + 5..<start + size - 8)
    var sums = ByteReader(bytes, in: start + size - 8..<start + size)
    guard let sum = try? sums.word(),
      (try? sums.word()) == Checksum.crc32c(bytes[start..<start + size - 4], at: offset),
      let key = try? BodyKey(from: &content), let unflushed = try? content.varint(), content.remaining == 0,
      unflushed <= UInt64(offset)
    else { return nil }
    return (BodyHeader(key: key, unflushed: Int64(unflushed), checksum: sum), size)
  }
}

/// The end of a closed file.
struct DayFileTrailer {
  static let size = 32
  private static let magic = Array("twindend".utf8)

  var indexOffset: Int64
  var indexLength: Int
  var count: Int
  var checksum: UInt32

  init(of index: [UInt8], count: Int, at offset: Int64) {
    (indexOffset, indexLength, self.count, checksum) = (offset, index.count, count, Checksum.crc32c(index))
  }

  var bytes: [UInt8] {
    var writer = ByteWriter(reserving: Self.size)
    writer.append(Self.magic)
    writer.raw(UInt64(bitPattern: indexOffset))
    writer.word(UInt32(indexLength))
    writer.word(UInt32(count))
    writer.word(checksum)
    writer.word(Checksum.crc32c(writer.bytes))
    return writer.bytes
  }

  /// nil when it is not whole, or not that of a file of `fileSize` bytes.
  init?(_ bytes: [UInt8], fileSize: Int64) {
    guard bytes.count == Self.size, bytes.starts(with: Self.magic) else { return nil }
    var reader = ByteReader(bytes, in: Self.magic.count..<bytes.count)
    guard let offset = try? reader.raw(), let length = try? reader.word(), let count = try? reader.word(),
      let checksum = try? reader.word(), (try? reader.word()) == Checksum.crc32c(bytes[..<28]),
      let indexOffset = Int64(exactly: offset), indexOffset >= FileHead.size, indexOffset <= fileSize,
      fileSize - indexOffset == Int64(length) + Int64(Self.size)
    else { return nil }
    (self.indexOffset, indexLength, self.count) = (indexOffset, Int(length), Int(count))
    self.checksum = checksum
  }
}

/// The index of a closed file.
enum DayFileIndexBlock {
  static func bytes(_ entries: [DayFile.Entry]) -> [UInt8] {
    var writer = ByteWriter(reserving: entries.count * 80)
    var end = Int64(FileHead.size)
    for entry in entries {
      entry.key.write(into: &writer)
      writer.varint(UInt64(entry.offset - end))
      writer.word(entry.checksum)
      end = entry.offset + Int64(entry.key.length)
    }
    return writer.bytes
  }

  /// Entries whose bodies all lie in front of the index.
  static func read(_ bytes: [UInt8], _ trailer: DayFileTrailer) throws(CodecFault) -> [DayFile.Entry] {
    var reader = ByteReader(bytes)
    var entries: [DayFile.Entry] = []
    entries.reserveCapacity(min(trailer.count, bytes.count / BodyKey.encodedMin))
    var end = Int64(FileHead.size)
    for _ in 0..<trailer.count {
      let key = try BodyKey(from: &reader)
      let gap = try reader.varint()
      let checksum = try reader.word()
      guard gap <= UInt64(trailer.indexOffset - end), Int64(key.length) <= trailer.indexOffset - end - Int64(gap) else {
        throw CodecFault("a body behind the index")
      }
      let offset = end + Int64(gap)
      entries.append(DayFile.Entry(key: key, offset: offset, checksum: checksum))
      end = offset + Int64(key.length)
    }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    return entries
  }
}
