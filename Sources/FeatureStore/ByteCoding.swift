// The numbers inside packed bodies:
//
//   varint   unsigned, 7 bits a byte, least significant first, top bit set on all but the last byte; 1 to 10 bytes
//   zigzag   signed as varint: 0, -1, 1, -2, … become 0, 1, 2, 3, …
//   raw      8 bytes, little endian

/// A packed body that cannot be read, and why.
struct BodyFault: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

struct ByteWriter {
  var bytes: [UInt8] = []

  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func zigzag(_ value: Int64) { varint(Self.zigzag(value)) }

  mutating func raw(_ bits: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }

  static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }
}

struct ByteReader {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var remaining: Int { bytes.count - offset }

  mutating func byte() throws(BodyFault) -> UInt8 {
    guard offset < bytes.count else { throw BodyFault("ends early") }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func varint() throws(BodyFault) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      guard shift < 63 || next <= 1 else { throw BodyFault("number of more than 64 bits") }
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  /// A count of things that take at least one byte each, so that a damaged one cannot ask for memory.
  mutating func count(max: Int) throws(BodyFault) -> Int {
    let value = try varint()
    guard value <= UInt64(max) else { throw BodyFault("count \(value) where at most \(max) may be") }
    return Int(value)
  }

  mutating func zigzag() throws(BodyFault) -> Int64 { Self.signed(try varint()) }

  mutating func raw() throws(BodyFault) -> UInt64 {
    guard remaining >= 8 else { throw BodyFault("ends early") }
    var bits: UInt64 = 0
    for index in 0..<8 { bits |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
    offset += 8
    return bits
  }

  mutating func bytes(_ count: Int) throws(BodyFault) -> [UInt8] {
    guard count <= remaining else { throw BodyFault("ends early") }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  static func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}
