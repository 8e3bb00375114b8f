// A sealed body, as every BLOB of site.db is kept:
//
//   offset     bytes  content
//   0          n      the content
//   n          4      CRC-32C of the content followed by the UTF-8 of the row's key text, little endian
//
// The key text is empty where the content says itself which row it belongs to.

import SeriesCodec

enum Seal {
  /// `content` with its checksum behind it.
  static func close(_ content: [UInt8], key: String = "") -> [UInt8] {
    let sum = Checksum.crc32c(key, continuing: Checksum.crc32c(content))
    var sealed = content
    sealed.reserveCapacity(content.count + 4)
    for shift: UInt32 in [0, 8, 16, 24] { sealed.append(UInt8(truncatingIfNeeded: sum >> shift)) }
    return sealed
  }

  /// The content of a sealed body; nil when it does not match its checksum.
  static func open(_ sealed: [UInt8], key: String = "") -> [UInt8]? {
    guard sealed.count >= 4 else { return nil }
    let length = sealed.count - 4
    let sum = Checksum.crc32c(key, continuing: Checksum.crc32c(sealed[..<length]))
    for index in 0..<4 where sealed[length + index] != UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) {
      return nil
    }
    return Array(sealed[..<length])
  }
}
