import TwinCore

extension RegisterCodec {
  /// The registers that come nearest to `value`.
  ///
  /// Errors: `.unfit` for a value that is not finite, beyond the type's ends, or whose registers would mean "no value";
  /// `.unwritable` for text, scale factors and parts of a register, whose other bits belong to someone else.
  public func registers(for value: Double, power: Int = 0) throws(BusFault) -> [UInt16] {
    guard value.isFinite else { throw unfit(value, "is not a number") }
    let raw = try raw(for: value, power: power)
    guard !sentinels.contains(raw) else {
      throw unfit(value, "would be written as raw \(raw), which this point reserves for \"no value\"")
    }
    guard reading(raw: raw, power: power).quality.hasValue else { throw unfit(value, "lies beyond the type's ends") }
    return split(raw)
  }

  /// The value that writing `value` would really produce.
  public func representable(_ value: Double, power: Int = 0) throws(BusFault) -> Double {
    let registers = try registers(for: value, power: power)
    return reading(registers.span, power: power).value
  }

  private func raw(for value: Double, power: Int) throws(BusFault) -> UInt64 {
    let ten = Self.powers[min(abs(power), 10)]
    let unscaled = (value - offset) / scale
    let number = power > 0 ? unscaled / ten : unscaled * ten
    switch type {
    case .float16: return UInt64(Float16(number).bitPattern)
    case .float32: return UInt64(Float(number).bitPattern)
    case .float64: return number.bitPattern
    case .text, .scaleFactor: throw unwritable("of type \(type)")
    case .uint8, .int8: throw unwritable("half a register")
    case .bits(_, let width) where width < 16: throw unwritable("\(width) bits of a register")
    default: break
    }
    let count = number.rounded()
    switch type {
    case .bool: return try whole(count, 0...1, value)
    case .uint16, .bits: return try whole(count, 0...0xFFFF, value)
    case .uint32, .epoch32: return try whole(count, 0...0xFFFF_FFFF, value)
    case .int16: return try whole(count, -0x8000...0x7FFF, value) & 0xFFFF
    case .int32: return try whole(count, -0x8000_0000...0x7FFF_FFFF, value) & 0xFFFF_FFFF
    case .int64:
      guard let exact = Int64(exactly: count) else { throw unfit(value, "needs more than 64 bits") }
      return UInt64(bitPattern: exact)
    case .uint64:
      guard let exact = UInt64(exactly: count) else { throw unfit(value, "needs a sign, or more than 64 bits") }
      return exact
    case .bcd16: return Self.grouped(try whole(count, 0...9999, value), base: 10, bits: 4)
    case .bcd32: return Self.grouped(try whole(count, 0...99_999_999, value), base: 10, bits: 4)
    case .m10k(let registers):
      let most = (0..<min(registers, 4)).reduce(Int64(1)) { most, _ in most * 10_000 } - 1
      return Self.grouped(try whole(count, 0...most, value), base: 10_000, bits: 16)
    default: throw unwritable("of type \(type)")
    }
  }

  private func whole(_ count: Double, _ allowed: ClosedRange<Int64>, _ value: Double) throws(BusFault) -> UInt64 {
    guard let exact = Int64(exactly: count), allowed.contains(exact) else {
      throw unfit(value, "needs count \(count), \(allowed.lowerBound) to \(allowed.upperBound) fit")
    }
    return UInt64(bitPattern: exact)
  }

  private static func grouped(_ value: UInt64, base: UInt64, bits: UInt64) -> UInt64 {
    var (rest, raw, shift) = (value, UInt64(0), UInt64(0))
    while rest > 0 {
      raw |= (rest % base) << shift
      rest /= base
      shift += bits
    }
    return raw
  }

  private func split(_ raw: UInt64) -> [UInt16] {
    let count = isBits ? 1 : type.registers
    var registers = [UInt16](repeating: 0, count: count)
    for position in 0..<count {
      let word = UInt16(truncatingIfNeeded: raw >> UInt64(16 * (count - 1 - position)))
      registers[index(of: position, count: count)] = order.bytesLittle && !isBits ? word.byteSwapped : word
    }
    return registers
  }

  private func unfit(_ value: Double, _ why: String) -> BusFault {
    BusFault(.unfit, "\(value) \(why)", remedy: "ask for a value inside the point's range")
  }

  private func unwritable(_ what: String) -> BusFault {
    BusFault(
      .unwritable, "a point that is \(what) cannot be written alone", remedy: "write the whole register as a point")
  }
}

extension RegisterCodec {
  /// The ASCII text in the registers up to the first NUL, spaces at the end cut; bytes beyond ASCII become `?`.
  public func text(_ registers: [UInt16]) -> String {
    guard case .text(_, let which) = type else { return "" }
    var bytes: [UInt8] = []
    for register in registers {
      let word = order.bytesLittle ? register.byteSwapped : register
      if which != .low { bytes.append(UInt8(word >> 8)) }
      if which != .high { bytes.append(UInt8(word & 0xFF)) }
    }
    var text = bytes.prefix { $0 != 0 }
    while text.last == 0x20 { text.removeLast() }
    return String(decoding: text.map { (0x20..<0x7F).contains($0) ? $0 : 0x3F }, as: UTF8.self)
  }
}
