// A run of residuals z, unsigned 64-bit numbers, as bits from the least significant up (Bits.swift), in blocks of 128
// (the last one shorter). The last byte is filled with zero bits.
//
//   7 bits   mode m of the block
//   m 0…62   Rice with parameter m. A residual is q = z >> m zero bits, a one bit, and the low m bits of z; where q
//            would be 24 or more: 24 zero bits and then all 64 bits of z
//   m 63     every residual is 0: nothing follows
//   m 64…127 every residual in its low m − 63 bits

enum ResidualCodec {
  static let blockLength = 128
  static let escape: UInt64 = 24
  private static let modeBits = 7
  private static let allZero: UInt64 = 63

  /// Bits that `residuals` will take, good enough to choose between predictors.
  static func cost(_ residuals: Span<UInt64>) -> Int {
    var bits = 0
    var start = 0
    while start < residuals.count {
      let end = min(start + blockLength, residuals.count)
      var (sum, union): (UInt64, UInt64) = (0, 0)
      for index in start..<end {
        // In bounds: index < count.
        let residual = unsafe residuals[unchecked: index]
        sum &+= residual
        union |= residual
      }
      let count = end - start
      let packed = (64 - union.leadingZeroBitCount) * count
      if union >> 56 == 0 {
        let mean = sum / UInt64(count)
        let parameter = mean == 0 ? 0 : 63 - mean.leadingZeroBitCount
        let rice = count * (parameter + 1) + Int(sum >> UInt64(parameter)) - (count - count >> parameter) / 2
        bits += min(packed, rice)
      } else {
        bits += packed
      }
      bits += modeBits
      start = end
    }
    return bits
  }

  static func encode(_ residuals: Span<UInt64>, into writer: inout ByteWriter) {
    // Packing never takes more than 64 bits a residual, and no block is coded in more than packing takes.
    var room = [UInt8](repeating: 0, count: 8 * residuals.count + residuals.count / blockLength + 24)
    var span = room.mutableSpan
    var bytes = unsafe span.mutableBytes
    var sink = BitSink()
    var start = 0
    while start < residuals.count {
      let end = min(start + blockLength, residuals.count)
      let block = residuals.extracting(start..<end)
      let mode = Self.mode(of: block)
      sink.put(mode, width: modeBits, to: &bytes)
      if mode < allZero {
        rice(block, parameter: mode, into: &sink, &bytes)
      } else if mode > allZero {
        let width = Int(mode - allZero)
        for index in 0..<block.count { sink.putWide(unsafe block[unchecked: index], width: width, to: &bytes) }
      }
      start = end
    }
    room.removeLast(room.count - sink.byteCount)
    writer.append(room)
  }

  /// The mode that takes the fewest bits.
  private static func mode(of block: Span<UInt64>) -> UInt64 {
    var (sum, union): (UInt64, UInt64) = (0, 0)
    for index in 0..<block.count {
      let residual = unsafe block[unchecked: index]
      sum &+= min(residual, 1 << 48)
      union |= residual
    }
    guard union != 0 else { return allZero }
    let width = 64 - union.leadingZeroBitCount
    var best = (bits: width * block.count, mode: allZero + UInt64(width))
    let mean = sum / UInt64(block.count)
    let likely: UInt64 = mean == 0 ? 0 : 63 - UInt64(mean.leadingZeroBitCount)
    // Of residuals this long Rice saves too little to look for it.
    guard likely < 40 else { return best.mode }
    // Outliers lift the mean; where there are some, the best parameter may lie far below.
    let outliers = union >> likely >= escape
    let candidates = (outliers ? 0 : likely - min(likely, 1))...(likely + 1)
    for parameter in candidates {
      let bits =
        union >> parameter < escape
        ? shortBits(block, parameter: parameter) : escapingBits(block, parameter: parameter)
      if bits < best.bits { best = (bits, parameter) }
    }
    return best.mode
  }

  private static func shortBits(_ block: Span<UInt64>, parameter: UInt64) -> Int {
    var quotients: UInt64 = 0
    for index in 0..<block.count { quotients &+= unsafe block[unchecked: index] &>> parameter }
    return block.count * Int(parameter + 1) + Int(quotients)
  }

  private static func escapingBits(_ block: Span<UInt64>, parameter: UInt64) -> Int {
    var bits = 0
    for index in 0..<block.count {
      let quotient = unsafe block[unchecked: index] &>> parameter
      bits &+= quotient < escape ? Int(quotient &+ 1 &+ parameter) : Int(escape) + 64
    }
    return bits
  }

  private static func rice(
    _ block: Span<UInt64>, parameter: UInt64, into sink: inout BitSink, _ bytes: inout MutableRawSpan
  ) {
    let mask: UInt64 = 1 << parameter - 1
    for index in 0..<block.count {
      let residual = unsafe block[unchecked: index]
      let quotient = residual &>> parameter
      if quotient >= escape {
        sink.put(0, width: Int(escape), to: &bytes)
        sink.putWide(residual, width: 64, to: &bytes)
      } else if parameter <= 32 {
        let code = (residual & mask) &<< (quotient &+ 1) | 1 &<< quotient
        sink.put(code, width: Int(quotient &+ 1 &+ parameter), to: &bytes)
      } else {
        sink.put(1 << quotient, width: Int(quotient + 1), to: &bytes)
        sink.putWide(residual & mask, width: Int(parameter), to: &bytes)
      }
    }
  }

  /// Fills `residuals` from its element 1 on. Unless `isWhole`, more of them follow, which are not looked at.
  static func decode(
    _ bytes: RawSpan, into residuals: inout MutableSpan<Int64>, isWhole: Bool = true
  ) throws(CodecFault) {
    var source = BitSource()
    var start = 1
    while start < residuals.count {
      let end = min(start + blockLength, residuals.count)
      let mode = source.take(modeBits, of: bytes)
      if mode < allZero {
        unrice(bytes, parameter: mode, rows: start..<end, from: &source, into: &residuals)
      } else {
        let width = Int(mode - allZero)
        for index in start..<end {
          unsafe residuals[unchecked: index] = Int64(bitPattern: source.takeWide(width, of: bytes))
        }
      }
      guard source.bit <= 8 * bytes.byteCount else { throw CodecFault("ends early") }
      start = end
    }
    guard !isWhole || (source.bit + 7) / 8 == bytes.byteCount else {
      throw CodecFault("bytes behind the last residual")
    }
  }

  private static func unrice(
    _ bytes: RawSpan, parameter: UInt64, rows: Range<Int>, from source: inout BitSource,
    into residuals: inout MutableSpan<Int64>
  ) {
    let mask: UInt64 = 1 << parameter - 1
    for index in rows {
      let word = source.peek(bytes)
      let quotient = UInt64(word.trailingZeroBitCount)
      let residual: UInt64
      if quotient >= escape {
        source.skip(Int(escape))
        residual = source.takeWide(64, of: bytes)
      } else if parameter <= 32 {
        residual = quotient &<< parameter | (word &>> (quotient &+ 1)) & mask
        source.skip(Int(quotient &+ 1 &+ parameter))
      } else {
        source.skip(Int(quotient + 1))
        residual = quotient << parameter | source.takeWide(Int(parameter), of: bytes)
      }
      // In bounds: the caller's rows lie in the span.
      unsafe residuals[unchecked: index] = Int64(bitPattern: residual)
    }
  }
}

/// The inner loops' bit writer, into bytes that have room for all bits and a word more.
private struct BitSink {
  private var offset = 0
  private var pending: UInt64 = 0
  private var pendingBits = 0

  var byteCount: Int { offset + (pendingBits > 0 ? 1 : 0) }

  /// Takes at most 57 bits; those above `width` must be zero.
  @inline(__always)
  mutating func put(_ value: UInt64, width: Int, to bytes: inout MutableRawSpan) {
    pending |= value &<< UInt64(pendingBits)
    pendingBits &+= width
    // In bounds: the caller gave the room.
    unsafe bytes.storeBytes(of: pending.littleEndian, toUncheckedByteOffset: offset, as: UInt64.self)
    offset &+= pendingBits &>> 3
    pending = pending &>> UInt64(pendingBits & 56)
    pendingBits &= 7
  }

  @inline(__always)
  mutating func putWide(_ value: UInt64, width: Int, to bytes: inout MutableRawSpan) {
    guard width > 32 else { return put(value, width: width, to: &bytes) }
    put(value & 0xFFFF_FFFF, width: 32, to: &bytes)
    put(value >> 32, width: width - 32, to: &bytes)
  }
}

/// The inner loops' bit reader: beyond the end it reads zeros, and its owner compares `bit` after each block.
private struct BitSource {
  private(set) var bit = 0

  /// At least the next 57 bits.
  @inline(__always)
  func peek(_ bytes: RawSpan) -> UInt64 {
    let offset = bit &>> 3
    guard offset &+ 8 <= bytes.byteCount else { return peekNearEnd(bytes) }
    // In bounds: checked the line above.
    let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    return UInt64(littleEndian: word) &>> UInt64(bit & 7)
  }

  @inline(never)
  private func peekNearEnd(_ bytes: RawSpan) -> UInt64 {
    let offset = bit >> 3
    let beyond = offset &+ 8 &- bytes.byteCount
    if bytes.byteCount >= 8, beyond < 8 {
      // The last eight bytes, those before `offset` shifted out.
      let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: bytes.byteCount &- 8, as: UInt64.self)
      return UInt64(littleEndian: word) &>> UInt64(8 &* beyond &+ bit & 7)
    }
    var word: UInt64 = 0
    for index in stride(from: offset, to: bytes.byteCount, by: 1) {
      word |= UInt64(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) << UInt64(8 * (index - offset))
    }
    return word >> UInt64(bit & 7)
  }

  @inline(__always)
  mutating func skip(_ bits: Int) { bit &+= bits }

  @inline(__always)
  mutating func take(_ width: Int, of bytes: RawSpan) -> UInt64 {
    defer { bit &+= width }
    return peek(bytes) & (1 &<< UInt64(width) &- 1)
  }

  @inline(__always)
  mutating func takeWide(_ width: Int, of bytes: RawSpan) -> UInt64 {
    guard width > 32 else { return take(width, of: bytes) }
    let low = take(32, of: bytes)
    return low | take(width - 32, of: bytes) << 32
  }
}
