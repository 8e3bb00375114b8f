// Bits are packed into bytes from the least significant bit up; a field's least significant bit comes first.

/// Packs fields of 0 to 64 bits one behind the other.
public struct BitWriter: Sendable {
  public private(set) var bytes: [UInt8]
  private var pending: UInt64 = 0
  private var pendingBits: UInt64 = 0

  public init(reserving capacity: Int = 0) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Packs the low `width` bits of `value`.
  public mutating func put(_ value: UInt64, width: Int) {
    precondition((0...64).contains(width), "a field has 0 to 64 bits")
    if width > 32 {
      put(value & 0xFFFF_FFFF, width: 32)
      return put(value >> 32, width: width - 32)
    }
    pending |= (value & ((1 << UInt64(width)) - 1)) << pendingBits
    pendingBits += UInt64(width)
    while pendingBits >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      pendingBits -= 8
    }
  }

  /// Fills the last byte with zero bits.
  public mutating func finish() -> [UInt8] {
    if pendingBits > 0 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      (pending, pendingBits) = (0, 0)
    }
    return bytes
  }
}

/// Reads what a `BitWriter` packed.
public struct BitReader: Sendable {
  private let bytes: [UInt8]
  private var bit: Int
  private let end: Int

  public init(_ bytes: [UInt8]) { (self.bytes, bit, end) = (bytes, 0, 8 * bytes.count) }

  public init(_ bytes: [UInt8], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a reader's range lies in its bytes")
    (self.bytes, bit, end) = (bytes, 8 * range.lowerBound, 8 * range.upperBound)
  }

  /// Bits left, the filling of the last byte included.
  public var remaining: Int { end - bit }

  public mutating func take(_ width: Int) throws(CodecFault) -> UInt64 {
    precondition((0...64).contains(width), "a field has 0 to 64 bits")
    guard width <= remaining else { throw CodecFault("ends early") }
    var value: UInt64 = 0
    var done = 0
    while done < width {
      let part = min(8 - bit & 7, width - done)
      let piece = UInt64(bytes[bit >> 3] >> UInt8(bit & 7)) & ((1 << UInt64(part)) - 1)
      value |= piece << UInt64(done)
      done += part
      bit += part
    }
    return value
  }
}
