extension [UInt8] {
  /// Little-endian, all bytes of the type.
  mutating func append<Word: FixedWidthInteger>(littleEndian word: Word) {
    unsafe Swift.withUnsafeBytes(of: word.littleEndian) { unsafe append(contentsOf: $0) }
  }

  /// Seven bits a byte, least significant first, the top bit set on all but the last (ULEB128).
  mutating func appendVarint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  /// Small magnitudes of either sign become small varints.
  mutating func appendZigzag(_ value: Int64) { appendVarint(UInt64(bitPattern: value << 1 ^ value >> 63)) }
}

/// Bits laid down from the least significant of the first byte on: what every packed encoding of Parquet shares.
struct BitPacker {
  private var word: UInt64 = 0
  private var used = 0

  /// The low `width` bits of `value`, of which the others are 0; 0 to 64.
  @inline(__always)
  mutating func append(_ value: UInt64, width: Int, to bytes: inout [UInt8]) {
    word |= value << UInt64(used)
    used += width
    guard used >= 64 else { return }
    bytes.append(littleEndian: word)
    used -= 64
    word = used == 0 ? 0 : value >> UInt64(width - used)
  }

  /// The bits that are left, in as few bytes as hold them.
  mutating func flush(to bytes: inout [UInt8]) {
    while used > 0 {
      bytes.append(UInt8(truncatingIfNeeded: word))
      word >>= 8
      used -= 8
    }
    (word, used) = (0, 0)
  }
}

/// CRC-32 of a page (parquet-format README, "Checksumming": the polynomial of GZip, 0xEDB88320 reflected).
enum PageChecksum {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
  }

  static func crc32(_ bytes: [UInt8]) -> UInt32 {
    let table = Self.table
    var sum = UInt32.max
    for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8 }
    return ~sum
  }
}
