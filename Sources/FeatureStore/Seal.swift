// A sealed body, as every BLOB of site.db is kept:
//
//   offset     bytes  content
//   0          n      the content
//   n          4      CRC-32C of the content followed by the UTF-8 of the row's key text, little endian
//
// The key text is empty where the content says itself which row it belongs to.

/// CRC-32C (Castagnoli; polynomial 0x1EDC6F41 reflected, RFC 3720 appendix B.4).
enum Checksum {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
  }

  static func crc32c(_ bytes: some Sequence<UInt8>, continuing previous: UInt32 = 0) -> UInt32 {
    let table = Self.table
    var sum = ~previous
    for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8 }
    return ~sum
  }
}

enum Seal {
  /// `content` with its checksum behind it.
  static func close(_ content: [UInt8], key: String = "") -> [UInt8] {
    let sum = Checksum.crc32c(key.utf8, continuing: Checksum.crc32c(content))
    var sealed = content
    sealed.reserveCapacity(content.count + 4)
    for shift: UInt32 in [0, 8, 16, 24] { sealed.append(UInt8(truncatingIfNeeded: sum >> shift)) }
    return sealed
  }

  /// The content of a sealed body; nil when it does not match its checksum.
  static func open(_ sealed: [UInt8], key: String = "") -> [UInt8]? {
    guard sealed.count >= 4 else { return nil }
    let length = sealed.count - 4
    var content = sealed
    content.removeLast(4)
    let sum = Checksum.crc32c(key.utf8, continuing: Checksum.crc32c(content))
    for index in 0..<4 where sealed[length + index] != UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) {
      return nil
    }
    return content
  }
}
