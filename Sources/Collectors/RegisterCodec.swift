public import TwinCore

/// What the registers of a point say.
public struct Reading: Sendable, Equatable {
  /// In the point's unit; 0 and without meaning unless `quality.hasValue`.
  public var value: Double
  public var quality: Quality

  public init(_ value: Double, _ quality: Quality) { (self.value, self.quality) = (value, quality) }

  static let absent = Reading(0, .absent)
  static let failed = Reading(0, .failed)
}

/// The one translation between a point's registers and its value, for reading and for writing.
///
/// A value is `Double(count) * scale + offset` wherever it is computed, so that equal registers give equal bits. A
/// power of ten that the device states multiplies or divides the count by an exact table before that.
public struct RegisterCodec: Sendable {
  public let type: RegisterType
  public let order: RegisterOrder
  public let scale: Double
  public let offset: Double
  public let range: ClosedRange<Double>?
  public let sentinels: [UInt64]
  /// One bit an element instead of 16.
  let isBits: Bool

  public init(_ point: RegisterPoint) {
    self.init(
      type: point.type, order: point.order, scale: point.scale, offset: point.offset, range: point.range,
      sentinels: point.sentinels, isBits: point.table.isBits)
  }

  public init(
    type: RegisterType, order: RegisterOrder = RegisterOrder(), scale: Double = 1, offset: Double = 0,
    range: ClosedRange<Double>? = nil, sentinels: [UInt64] = [], isBits: Bool = false
  ) {
    (self.type, self.order, self.scale, self.offset) = (type, order, scale, offset)
    (self.range, self.sentinels, self.isBits) = (range, sentinels, isBits)
  }

  /// Powers of ten that a Double holds exactly.
  static let powers: InlineArray<11, Double> = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]

  // MARK: reading

  /// The raw bits: registers brought into order, the part of the register taken that the type names. Not for text.
  public func raw(_ registers: Span<UInt16>) -> UInt64 {
    if isBits { return registers[0] == 0 ? 0 : 1 }
    if registers.count == 1 {
      let word = order.bytesLittle ? registers[0].byteSwapped : registers[0]
      switch type {
      case .uint8(let half), .int8(let half): return UInt64(half == .high ? word >> 8 : word & 0xFF)
      case .bits(let lowest, let width): return UInt64(word) >> UInt64(lowest) & Self.mask(width)
      default: return UInt64(word)
      }
    }
    var raw: UInt64 = 0
    for position in 0..<min(registers.count, 4) {
      let word = registers[index(of: position, count: registers.count)]
      raw = raw << 16 | UInt64(order.bytesLittle ? word.byteSwapped : word)
    }
    return raw
  }

  /// Value and quality of the registers; `power` is the device's power of ten, where the point has one.
  public func reading(_ registers: Span<UInt16>, power: Int = 0) -> Reading {
    reading(raw: raw(registers), power: power)
  }

  public func reading(_ registers: [UInt16], power: Int = 0) -> Reading {
    precondition(registers.count == type.registers, "\(registers.count) registers for \(type)")
    return reading(registers.span, power: power)
  }

  /// As `reading(_:power:)`, from raw bits.
  public func reading(raw: UInt64, power: Int = 0) -> Reading {
    if !sentinels.isEmpty, sentinels.contains(raw) { return .absent }
    guard let count = count(raw) else { return .absent }
    let value = scaled(count, power: power)
    guard value.isFinite else { return .absent }
    if let range, !range.contains(value) { return Reading(value, .suspect) }
    return Reading(value, .good)
  }

  /// A scale-factor register as the power of ten it states; nil where it states none (SunSpec: 0x8000, or beyond ±10).
  public func power(raw: UInt64) -> Int? {
    guard !sentinels.contains(raw), let count = count(raw), abs(count) <= 10 else { return nil }
    return Int(count)
  }

  @inline(__always)
  func scaled(_ count: Double, power: Int) -> Double {
    guard power != 0 else { return count * scale + offset }
    let ten = Self.powers[min(abs(power), 10)]
    return (power > 0 ? count * ten : count / ten) * scale + offset
  }

  /// The number before scaling; nil where the bits are none (NaN, infinity, a decimal digit above 9).
  func count(_ raw: UInt64) -> Double? {
    switch type {
    case .bool: return raw == 0 ? 0 : 1
    case .uint8, .uint16, .uint32, .bits, .epoch32, .uint64: return Double(raw)
    case .int8: return Double(Int8(truncatingIfNeeded: raw))
    case .int16: return Double(Int16(truncatingIfNeeded: raw))
    case .int32: return Double(Int32(truncatingIfNeeded: raw))
    case .int64: return Double(Int64(bitPattern: raw))
    case .float16: return finite(Double(Float16(bitPattern: UInt16(truncatingIfNeeded: raw))))
    case .float32: return finite(Double(Float(bitPattern: UInt32(truncatingIfNeeded: raw))))
    case .float64: return finite(Double(bitPattern: raw))
    case .bcd16: return Self.decimal(raw, digits: 4)
    case .bcd32: return Self.decimal(raw, digits: 8)
    case .m10k(let registers): return Self.groups(raw, count: registers)
    case .scaleFactor:
      let power = Int16(truncatingIfNeeded: raw)
      return abs(Int(power)) <= 10 ? Double(power) : nil
    case .text: return nil
    }
  }

  private func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }

  private static func decimal(_ raw: UInt64, digits: Int) -> Double? {
    var value = 0
    for digit in (0..<digits).reversed() {
      let nibble = Int(raw >> UInt64(4 * digit) & 0xF)
      guard nibble <= 9 else { return nil }
      value = value * 10 + nibble
    }
    return Double(value)
  }

  private static func groups(_ raw: UInt64, count: Int) -> Double? {
    var value: Int64 = 0
    for group in (0..<count).reversed() {
      let part = Int64(raw >> UInt64(16 * group) & 0xFFFF)
      guard part <= 9999 else { return nil }
      value = value * 10_000 + part
    }
    return Double(value)
  }

  static func mask(_ width: Int) -> UInt64 { width >= 64 ? .max : 1 << UInt64(width) - 1 }

  /// Which register holds the `position`-th most significant 16 bits.
  func index(of position: Int, count: Int) -> Int {
    var index = order.wordsLittle ? count - 1 - position : position
    if order.halvesSwapped, count == 4 { index ^= 2 }
    return index
  }
}
