/// One decision after another, coded or decoded: the model runs the same code over both.
protocol DecisionCoder {
  /// Codes `known`, 0 or 1, where a one has `probability` in 65,536ths (1…65,535), and gives it back.
  /// A decoder ignores `known` and gives what was coded.
  mutating func bit(_ known: UInt32, one probability: UInt32) -> UInt32
  /// The same for `count` (0…64) even bits at once, the upper bits of `known` being zero.
  mutating func even(_ known: UInt64, count: Int) -> UInt64
}

/// Narrows an interval of 48 bits; a carry runs back into the bytes that are out.
struct RangeEncoder: DecisionCoder {
  private var bytes: [UInt8]
  private let start: Int
  private var low: UInt64 = 0
  private var range: UInt64 = 1 << 48

  init(behind header: [UInt8]) { (bytes, start) = (header, header.count) }

  @inline(__always)
  mutating func bit(_ known: UInt32, one probability: UInt32) -> UInt32 {
    let bound = (range >> 16) &* UInt64(probability)
    if known != 0 {
      range = bound
    } else {
      low &+= bound
      range &-= bound
    }
    if range < 1 << 32 { shift() }
    return known
  }

  mutating func even(_ known: UInt64, count: Int) -> UInt64 {
    var left = count
    while left > 0 {
      let part = min(left, 16)
      left &-= part
      range >>= UInt64(part)
      low &+= range &* ((known >> UInt64(left)) & ((1 << UInt64(part)) &- 1))
      if range < 1 << 32 { shift() }
    }
    return known
  }

  private mutating func shift() {
    carry()
    bytes.append(UInt8(truncatingIfNeeded: low >> 40))
    bytes.append(UInt8(truncatingIfNeeded: low >> 32))
    low = (low & 0xFFFF_FFFF) << 16
    range <<= 16
  }

  private mutating func carry() {
    guard low >> 48 != 0 else { return }
    low &= 1 << 48 - 1
    var index = bytes.count - 1
    while bytes[index] == 0xFF {
      bytes[index] = 0
      index -= 1
    }
    bytes[index] += 1
  }

  /// All bytes: the header's, then the shortest that name the last interval, a reader putting zeros behind them.
  consuming func finish() -> [UInt8] {
    for kept: UInt64 in stride(from: 0, through: 48, by: 8) {
      let mask: UInt64 = 1 << (48 - kept) - 1
      let rounded = (low + mask) & ~mask
      guard rounded - low < range else { continue }
      low = rounded
      break
    }
    carry()
    for byte: UInt64 in 0..<6 { bytes.append(UInt8(truncatingIfNeeded: low >> (40 - 8 * byte))) }
    while bytes.count > start, bytes.last == 0 { bytes.removeLast() }
    return bytes
  }
}

/// The other way; whatever the bytes are, it gives bits and never fails.
struct RangeDecoder: DecisionCoder {
  private let bytes: [UInt8]
  private var next: Int
  private let end: Int
  /// Where the coded number lies above the interval's lower end.
  private var code: UInt64 = 0
  private var range: UInt64 = 1 << 48

  init(_ bytes: [UInt8], in range: Range<Int>) {
    (self.bytes, next, end) = (bytes, range.lowerBound, range.upperBound)
    for _ in 0..<6 { code = code << 8 | byte() }
  }

  @inline(__always)
  mutating func bit(_ known: UInt32, one probability: UInt32) -> UInt32 {
    let bound = (range >> 16) &* UInt64(probability)
    let isOne = code < bound
    if isOne {
      range = bound
    } else {
      code &-= bound
      range &-= bound
    }
    if range < 1 << 32 { shift() }
    return isOne ? 1 : 0
  }

  mutating func even(_ known: UInt64, count: Int) -> UInt64 {
    var left = count
    var value: UInt64 = 0
    while left > 0 {
      let part = min(left, 16)
      left &-= part
      range >>= UInt64(part)
      // Only bytes that no encoder wrote lie beyond the last of the equal parts.
      let digit = min(code / range, (1 << UInt64(part)) &- 1)
      code = min(code &- digit &* range, range &- 1)
      value = value << UInt64(part) | digit
      if range < 1 << 32 { shift() }
    }
    return value
  }

  private mutating func shift() {
    range <<= 16
    code = code << 16 | byte() << 8
    code |= byte()
  }

  @inline(__always)
  private mutating func byte() -> UInt64 {
    guard next < end else { return 0 }
    defer { next &+= 1 }
    return UInt64(bytes[next])
  }
}
