/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41 reflected, RFC 3720 appendix B.4), sixteen bytes at a time.
public enum Checksum {
  /// `tables[256 * n + b]` is the sum of byte `b` followed by `n` zero bytes.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 16 * 256)
    for byte in 0..<256 {
      tables[byte] = (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
    }
    for index in 256..<tables.count {
      let shorter = tables[index - 256]
      tables[index] = tables[Int(shorter & 0xFF)] ^ shorter >> 8
    }
    return tables
  }()

  /// The sum of what `previous` is the sum of, followed by `bytes`.
  public static func crc32c(_ bytes: RawSpan, continuing previous: UInt32 = 0) -> UInt32 {
    let tables = Self.tables.span
    var sum = ~previous
    var offset = 0
    /// Eight bytes through the tables from `base` on.
    @inline(__always) func eight(_ word: UInt64, _ base: Int) -> UInt32 {
      let (low, high) = (UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32))
      var sum = unsafe tables[unchecked: base | 0x700 | Int(low & 0xFF)]
      sum = unsafe sum ^ tables[unchecked: base | 0x600 | Int(low >> 8 & 0xFF)]
      sum = unsafe sum ^ tables[unchecked: base | 0x500 | Int(low >> 16 & 0xFF)]
      sum = unsafe sum ^ tables[unchecked: base | 0x400 | Int(low >> 24)]
      sum = unsafe sum ^ tables[unchecked: base | 0x300 | Int(high & 0xFF)]
      sum = unsafe sum ^ tables[unchecked: base | 0x200 | Int(high >> 8 & 0xFF)]
      sum = unsafe sum ^ tables[unchecked: base | 0x100 | Int(high >> 16 & 0xFF)]
      return unsafe sum ^ tables[unchecked: base | Int(high >> 24)]
    }
    // In bounds in what follows: offsets below the count, and a byte in each of the sixteen tables of 256.
    while offset &+ 16 <= bytes.byteCount {
      let first = UInt64(
        littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
      let second = UInt64(
        littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 8, as: UInt64.self))
      // The second half does not wait for the sum.
      let late = eight(second, 0)
      sum = late ^ eight(first ^ UInt64(sum), 0x800)
      offset &+= 16
    }
    if offset &+ 8 <= bytes.byteCount {
      let word = UInt64(
        littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
      sum = eight(word ^ UInt64(sum), 0)
      offset &+= 8
    }
    while offset < bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
      sum = unsafe tables[unchecked: Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8
      offset &+= 1
    }
    return ~sum
  }

  public static func crc32c(_ bytes: [UInt8], continuing previous: UInt32 = 0) -> UInt32 {
    unsafe crc32c(bytes.span.bytes, continuing: previous)
  }

  public static func crc32c(_ bytes: ArraySlice<UInt8>, continuing previous: UInt32 = 0) -> UInt32 {
    unsafe crc32c(bytes.span.bytes, continuing: previous)
  }

  /// The sum over the text's UTF-8.
  public static func crc32c(_ text: String, continuing previous: UInt32 = 0) -> UInt32 {
    crc32c(Array(text.utf8), continuing: previous)
  }
}
