// Canonical bytes: what is signed, fingerprinted, or kept in a checkpoint.
//
// A subset of deterministic CBOR (RFC 8949 §4.2.1), and no other encoding of the same value exists:
//   unsigned and negative integers in their shortest form; byte strings and text (UTF-8) with definite lengths; arrays
//   with definite lengths; false, true, null; every Double as nine bytes (0xFB and the bit pattern, big endian, so that
//   NaN payloads and -0 survive). No maps, tags, half or single floats, indefinite lengths. A structure is an array
//   whose first item is its version.

/// Writes canonical bytes.
public struct CanonicalWriter: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init(reservingBytes capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// Forgets the content, keeps the memory.
  public mutating func reset() { bytes.removeAll(keepingCapacity: true) }

  public mutating func array(_ count: Int) { head(0x80, UInt64(count)) }
  public mutating func integer(_ value: Int64) {
    value < 0 ? head(0x20, UInt64(bitPattern: ~value)) : head(0x00, UInt64(value))
  }
  public mutating func integer(_ value: Int) { integer(Int64(value)) }
  public mutating func unsigned(_ value: UInt64) { head(0x00, value) }
  public mutating func bool(_ value: Bool) { bytes.append(value ? 0xF5 : 0xF4) }
  public mutating func null() { bytes.append(0xF6) }

  public mutating func double(_ value: Double) {
    bytes.append(0xFB)
    // All eight at once: fingerprints are made of doubles.
    unsafe withUnsafeBytes(of: value.bitPattern.bigEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  public mutating func bytes(_ value: [UInt8]) {
    head(0x40, UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  public mutating func text(_ value: String) {
    var value = value
    value.withUTF8 { utf8 in
      head(0x60, UInt64(utf8.count))
      unsafe bytes.append(contentsOf: utf8)
    }
  }

  public mutating func digest(_ value: Digest) { bytes(value.bytes) }
  public mutating func instant(_ value: Instant) { integer(value.nanoseconds) }
  public mutating func uptime(_ value: Uptime) { integer(value.nanoseconds) }

  /// Doubles as one byte string of little-endian bit patterns: for long columns.
  public mutating func doubles(_ values: [Double]) {
    head(0x40, UInt64(values.count * 8))
    #if _endian(little)
      unsafe values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    #else
      for value in values { append(littleEndian: value.bitPattern) }
    #endif
  }

  private mutating func head(_ major: UInt8, _ value: UInt64) {
    switch value {
    case 0..<24: bytes.append(major | UInt8(value))
    case 24..<0x100:
      bytes.append(major | 24)
      bytes.append(UInt8(value))
    case 0x100..<0x1_0000:
      bytes.append(major | 25)
      append(bigEndian: value, bytes: 2)
    case 0x1_0000..<0x1_0000_0000:
      bytes.append(major | 26)
      append(bigEndian: value, bytes: 4)
    default:
      bytes.append(major | 27)
      append(bigEndian: value, bytes: 8)
    }
  }

  private mutating func append(bigEndian value: UInt64, bytes count: Int) {
    for shift in stride(from: (count - 1) * 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }

  #if !_endian(little)
    private mutating func append(littleEndian value: UInt64) {
      for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }
  #endif
}

/// What was wrong with bytes that should have been canonical.
public struct CanonicalFault: Fault, Equatable {
  public let message: String
  public var code: String { "canonical.malformed" }
  public var remedy: String { "the bytes are damaged or from another version; take an older copy" }

  public init(_ message: String) { self.message = message }
}

/// Reads canonical bytes, strictly: any other encoding of the same value is refused.
public struct CanonicalReader: Sendable {
  private let bytes: [UInt8]
  public private(set) var offset = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var isAtEnd: Bool { offset == bytes.count }

  /// The number of items, which must not exceed `limit`.
  public mutating func array(limit: Int = 1 << 20) throws(CanonicalFault) -> Int {
    let count = try head(0x80)
    guard count <= UInt64(limit) else { throw CanonicalFault("array of \(count) items where at most \(limit) may be") }
    return Int(count)
  }

  /// An array of exactly `count` items.
  public mutating func structure(_ count: Int, version: Int64) throws(CanonicalFault) {
    let found = try array()
    guard found == count + 1 else { throw CanonicalFault("structure of \(found) items where \(count + 1) should be") }
    let seen = try integer()
    guard seen == version else { throw CanonicalFault("structure version \(seen) where \(version) should be") }
  }

  public mutating func integer() throws(CanonicalFault) -> Int64 {
    guard offset < bytes.count else { throw CanonicalFault("bytes end at \(offset)") }
    let major = bytes[offset] & 0xE0
    let value = try head(major == 0x20 ? 0x20 : 0x00)
    guard value <= UInt64(Int64.max) else { throw CanonicalFault("integer does not fit 64 bits") }
    return major == 0x20 ? ~Int64(value) : Int64(value)
  }

  public mutating func int() throws(CanonicalFault) -> Int { Int(try integer()) }
  public mutating func unsigned() throws(CanonicalFault) -> UInt64 { try head(0x00) }

  public mutating func bool() throws(CanonicalFault) -> Bool {
    switch try next() {
    case 0xF5: return true
    case 0xF4: return false
    case let other: throw CanonicalFault("byte \(other) where true or false should be")
    }
  }

  /// Whether the next item is null; takes it if so.
  public mutating func takeNull() throws(CanonicalFault) -> Bool {
    guard offset < bytes.count else { throw CanonicalFault("bytes end at \(offset)") }
    guard bytes[offset] == 0xF6 else { return false }
    offset += 1
    return true
  }

  public mutating func double() throws(CanonicalFault) -> Double {
    let mark = try next()
    guard mark == 0xFB else { throw CanonicalFault("byte \(mark) where a double should be") }
    return Double(bitPattern: try bigEndian(8))
  }

  public mutating func bytes(limit: Int = 1 << 26) throws(CanonicalFault) -> [UInt8] {
    let count = try head(0x40)
    guard count <= UInt64(min(limit, bytes.count - offset)) else {
      throw CanonicalFault("byte string of \(count) where \(bytes.count - offset) are left and \(limit) may be")
    }
    defer { offset += Int(count) }
    return Array(bytes[offset..<offset + Int(count)])
  }

  public mutating func text(limit: Int = 1 << 16) throws(CanonicalFault) -> String {
    let count = try head(0x60)
    guard count <= UInt64(min(limit, bytes.count - offset)) else {
      throw CanonicalFault("text of \(count) bytes where \(bytes.count - offset) are left and \(limit) may be")
    }
    defer { offset += Int(count) }
    guard let text = String(validating: bytes[offset..<offset + Int(count)], as: UTF8.self) else {
      throw CanonicalFault("text that is not UTF-8")
    }
    return text
  }

  public mutating func digest() throws(CanonicalFault) -> Digest {
    guard let digest = Digest(bytes: try bytes(limit: 32)) else { throw CanonicalFault("digest is not 32 bytes") }
    return digest
  }

  public mutating func instant() throws(CanonicalFault) -> Instant { Instant(nanoseconds: try integer()) }
  public mutating func uptime() throws(CanonicalFault) -> Uptime { Uptime(nanoseconds: try integer()) }

  public mutating func doubles(limit: Int = 1 << 20) throws(CanonicalFault) -> [Double] {
    let raw = try bytes(limit: limit * 8)
    guard raw.count % 8 == 0 else { throw CanonicalFault("column of \(raw.count) bytes is not whole doubles") }
    return stride(from: 0, to: raw.count, by: 8).map { start in
      var bits: UInt64 = 0
      for index in 0..<8 { bits |= UInt64(raw[start + index]) << UInt64(8 * index) }
      return Double(bitPattern: bits)
    }
  }

  private mutating func next() throws(CanonicalFault) -> UInt8 {
    guard offset < bytes.count else { throw CanonicalFault("bytes end at \(offset)") }
    defer { offset += 1 }
    return bytes[offset]
  }

  private mutating func head(_ major: UInt8) throws(CanonicalFault) -> UInt64 {
    let first = try next()
    guard first & 0xE0 == major else { throw CanonicalFault("byte \(first) at \(offset - 1) is of another kind") }
    let small = first & 0x1F
    switch small {
    case 0..<24: return UInt64(small)
    case 24: return try shortest(1, above: 23)
    case 25: return try shortest(2, above: 0xFF)
    case 26: return try shortest(4, above: 0xFFFF)
    case 27: return try shortest(8, above: 0xFFFF_FFFF)
    default: throw CanonicalFault("indefinite or reserved length at \(offset - 1)")
    }
  }

  private mutating func shortest(_ count: Int, above floor: UInt64) throws(CanonicalFault) -> UInt64 {
    let value = try bigEndian(count)
    guard value > floor else { throw CanonicalFault("length not in its shortest form at \(offset)") }
    return value
  }

  private mutating func bigEndian(_ count: Int) throws(CanonicalFault) -> UInt64 {
    guard bytes.count - offset >= count else { throw CanonicalFault("bytes end inside a number") }
    var value: UInt64 = 0
    for _ in 0..<count {
      value = value << 8 | UInt64(bytes[offset])
      offset += 1
    }
    return value
  }
}
