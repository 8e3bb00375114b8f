// The numbers inside packed bodies:
//
//   varint   unsigned, 7 bits a byte, least significant first, top bit set on all but the last byte; 1 to 10 bytes
//   zigzag   signed as varint: 0, -1, 1, -2, … become 0, 1, 2, 3, …
//   word     4 bytes, little endian
//   raw      8 bytes, little endian

public import TwinCore

/// Packed bytes that cannot be read, and why.
public struct CodecFault: Fault, Equatable {
  public let reason: String
  public init(_ reason: String) { self.reason = reason }

  public var code: String { "series.damaged" }
  public var message: String { "a packed body cannot be read: \(reason)" }
  public var remedy: String { "restore the body from a replica or a backup; what else the file holds stays readable" }
}

/// Packs numbers one behind the other.
public struct ByteWriter: Sendable {
  public var bytes: [UInt8] = []

  public init() {}
  public init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

  public mutating func byte(_ value: UInt8) { bytes.append(value) }

  public mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  public mutating func zigzag(_ value: Int64) { varint(Self.zigzag(value)) }

  public mutating func word(_ bits: UInt32) {
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }

  public mutating func raw(_ bits: UInt64) {
    for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }

  public mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  @inlinable public static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }
}

/// Reads what a `ByteWriter` packed; every read says when the bytes do not suffice.
public struct ByteReader: Sendable {
  private let bytes: [UInt8]
  /// Of the next byte, in the whole array.
  public private(set) var offset: Int
  private let end: Int

  public init(_ bytes: [UInt8]) { (self.bytes, offset, end) = (bytes, 0, bytes.count) }

  /// Only the bytes in `range`, which must lie in the array.
  public init(_ bytes: [UInt8], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a reader's range lies in its bytes")
    (self.bytes, offset, end) = (bytes, range.lowerBound, range.upperBound)
  }

  public var remaining: Int { end - offset }

  public mutating func byte() throws(CodecFault) -> UInt8 {
    guard offset < end else { throw CodecFault("ends early") }
    defer { offset += 1 }
    return bytes[offset]
  }

  public mutating func varint() throws(CodecFault) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      guard shift < 63 || next <= 1 else { throw CodecFault("number of more than 64 bits") }
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  /// A number that must not be above `max`, so that a damaged one cannot ask for memory.
  public mutating func count(max: Int) throws(CodecFault) -> Int {
    let value = try varint()
    guard value <= UInt64(max) else { throw CodecFault("count \(value) where at most \(max) may be") }
    return Int(value)
  }

  public mutating func zigzag() throws(CodecFault) -> Int64 { Self.signed(try varint()) }

  public mutating func word() throws(CodecFault) -> UInt32 {
    guard remaining >= 4 else { throw CodecFault("ends early") }
    var bits: UInt32 = 0
    for index in 0..<4 { bits |= UInt32(bytes[offset + index]) << UInt32(8 * index) }
    offset += 4
    return bits
  }

  public mutating func raw() throws(CodecFault) -> UInt64 {
    guard remaining >= 8 else { throw CodecFault("ends early") }
    var bits: UInt64 = 0
    for index in 0..<8 { bits |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
    offset += 8
    return bits
  }

  public mutating func bytes(_ count: Int) throws(CodecFault) -> [UInt8] {
    Array(try slice(count))
  }

  /// The next `count` bytes, not copied.
  public mutating func slice(_ count: Int) throws(CodecFault) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else { throw CodecFault("ends early") }
    defer { offset += count }
    return bytes[offset..<offset + count]
  }

  @inlinable public static func signed(_ value: UInt64) -> Int64 {
    Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
  }
}
