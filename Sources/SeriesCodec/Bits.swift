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
  @usableFromInline let bytes: [UInt8]
  @usableFromInline var bit: Int
  @usableFromInline let end: Int

  public init(_ bytes: [UInt8]) { (self.bytes, bit, end) = (bytes, 0, 8 * bytes.count) }

  public init(_ bytes: [UInt8], in range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a reader's range lies in its bytes")
    (self.bytes, bit, end) = (bytes, 8 * range.lowerBound, 8 * range.upperBound)
  }

  /// Bits left, the filling of the last byte included.
  @inlinable public var remaining: Int { end - bit }

  public mutating func take(_ width: Int) throws(CodecFault) -> UInt64 {
    precondition((0...64).contains(width), "a field has 0 to 64 bits")
    guard width <= remaining else { throw CodecFault("ends early") }
    if width > 32 {
      let low = next & 0xFFFF_FFFF
      bit += 32
      return low | (try take(width - 32)) << 32
    }
    defer { bit += width }
    return next & ((1 << UInt64(width)) - 1)
  }

  /// Takes `count` numbers z, each as z >> `parameter` ones, a zero, and the low bits; or as `escape` ones, 56 at most,
  /// and then all 64 bits.
  @inlinable public mutating func takeRice(
    _ count: Int, parameter: Int, escape: Int, _ body: (UInt64) -> Void
  ) throws(CodecFault) {
    precondition((0...62).contains(parameter) && (0...56).contains(escape), "codes of so many bits")
    let bytes = bytes
    let raw = unsafe bytes.span.bytes
    let mask: UInt64 = 1 << UInt64(parameter) - 1
    for _ in 0..<count {
      let offset = bit &>> 3
      if offset &+ 8 <= raw.byteCount {
        // In bounds: checked the line above.
        let loaded = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        let word = UInt64(littleEndian: loaded) &>> UInt64(bit & 7)
        let ones = (~word).trailingZeroBitCount
        let width = ones &+ 1 &+ parameter
        if ones < escape, width <= min(57, end &- bit) {
          body(UInt64(ones) &<< UInt64(parameter) | (word &>> UInt64(ones &+ 1)) & mask)
          bit &+= width
          continue
        }
      }
      let ones = try takeOnes(max: escape)
      body(ones < escape ? UInt64(ones) << UInt64(parameter) | (try take(parameter)) : try take(64))
    }
  }

  /// Counts ones up to a zero, which is taken too, or up to `max` of them, with no zero behind.
  @usableFromInline mutating func takeOnes(max: Int) throws(CodecFault) -> Int {
    let ones = min((~next).trailingZeroBitCount, max)
    let width = ones < max ? ones + 1 : max
    guard width <= remaining else { throw CodecFault("ends early") }
    bit += width
    return ones
  }

  /// The next 57 bits at least, zeros behind the last one.
  private var next: UInt64 {
    let offset = bit >> 3
    if offset + 8 <= bytes.count {
      let word = unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
      return UInt64(littleEndian: word) >> UInt64(bit & 7)
    }
    var word: UInt64 = 0
    for index in offset..<max(offset, bytes.count) { word |= UInt64(bytes[index]) << UInt64(8 * (index - offset)) }
    return word >> UInt64(bit & 7)
  }
}
