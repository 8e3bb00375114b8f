// Request PDUs, big endian throughout (MODBUS Application Protocol V1.1b3 §6):
//
//   01 02 03 04   function, address u16, count u16
//   05            function, address u16, 0xFF00 or 0x0000
//   06            function, address u16, value u16
//   0F            function, address u16, count u16, byte count u8, bits, first bit lowest, spare bits 0
//   10            function, address u16, count u16, byte count u8 = 2 x count, values
//   16            function, address u16, and mask u16, or mask u16
//   17            function, read address u16, read count u16, write address u16, write count u16, byte count u8, values
//
// A PDU has 1 to 253 bytes.

/// The four address spaces of a device; the raw value is the function that reads one.
public enum RegisterTable: UInt8, Sendable, CaseIterable {
  case coils = 1
  case discreteInputs = 2
  case holdingRegisters = 3
  case inputRegisters = 4

  /// Single bits rather than 16-bit registers.
  public var isBits: Bool { self == .coils || self == .discreteInputs }
  /// Most values one read may ask for (§6.1 to §6.4).
  public var readCountMax: Int { isBits ? 2000 : 125 }
}

/// One question to a device. Addresses count from 0, as on the wire.
public enum ModbusRequest: Equatable, Sendable {
  case read(RegisterTable, address: UInt16, count: UInt16)
  case writeCoil(address: UInt16, value: Bool)
  case writeRegister(address: UInt16, value: UInt16)
  case writeCoils(address: UInt16, values: [Bool])
  case writeRegisters(address: UInt16, values: [UInt16])
  /// The device computes (old AND `and`) OR (`or` AND NOT `and`).
  case maskWrite(address: UInt16, and: UInt16, or: UInt16)
  /// Writes first, then reads.
  case readWrite(readAddress: UInt16, readCount: UInt16, writeAddress: UInt16, values: [UInt16])

  public static let pduLengthMax = 253
  public static let writeCoilsMax = 1968
  public static let writeRegistersMax = 123
  public static let readWriteRegistersMax = 121

  public var function: UInt8 {
    switch self {
    case .read(let table, _, _): table.rawValue
    case .writeCoil: 0x05
    case .writeRegister: 0x06
    case .writeCoils: 0x0F
    case .writeRegisters: 0x10
    case .maskWrite: 0x16
    case .readWrite: 0x17
    }
  }

  public var isWrite: Bool {
    if case .read = self { false } else { true }
  }

  /// Whether the counts are those the protocol allows and no range runs past address 65535.
  public var isValid: Bool {
    func fits(_ address: UInt16, _ count: Int, _ most: Int) -> Bool {
      count >= 1 && count <= most && Int(address) + count <= 65536
    }
    return switch self {
    case .read(let table, let address, let count): fits(address, Int(count), table.readCountMax)
    case .writeCoil, .writeRegister, .maskWrite: true
    case .writeCoils(let address, let values): fits(address, values.count, Self.writeCoilsMax)
    case .writeRegisters(let address, let values): fits(address, values.count, Self.writeRegistersMax)
    case .readWrite(let from, let count, let to, let values):
      fits(from, Int(count), RegisterTable.holdingRegisters.readCountMax)
        && fits(to, values.count, Self.readWriteRegistersMax)
    }
  }

  /// The bytes to send. The request must be valid.
  public var pdu: [UInt8] {
    precondition(isValid, "a request outside the protocol's limits: \(self)")
    var bytes: [UInt8] = [function]
    switch self {
    case .read(_, let address, let count):
      bytes.append(words: [address, count])
    case .writeCoil(let address, let value):
      bytes.append(words: [address, value ? 0xFF00 : 0])
    case .writeRegister(let address, let value):
      bytes.append(words: [address, value])
    case .writeCoils(let address, let values):
      bytes.append(words: [address, UInt16(values.count)])
      bytes.append(UInt8((values.count + 7) / 8))
      bytes.append(bits: values)
    case .writeRegisters(let address, let values):
      bytes.append(words: [address, UInt16(values.count)])
      bytes.append(UInt8(2 * values.count))
      bytes.append(words: values)
    case .maskWrite(let address, let and, let or):
      bytes.append(words: [address, and, or])
    case .readWrite(let from, let count, let to, let values):
      bytes.append(words: [from, count, to, UInt16(values.count)])
      bytes.append(UInt8(2 * values.count))
      bytes.append(words: values)
    }
    return bytes
  }

  /// Reads a request PDU strictly: nil unless every byte is what `pdu` of a valid request would give.
  public init?(pdu: [UInt8]) {
    guard pdu.count >= 5, let request = Self.parse(pdu), request.isValid, request.pdu == pdu else { return nil }
    self = request
  }

  /// `pdu` has at least five bytes; the caller compares the result with the bytes, so lengths are checked only to stay
  /// in.
  private static func parse(_ pdu: [UInt8]) -> ModbusRequest? {
    let address = pdu.word(at: 1)
    let second = pdu.word(at: 3)
    switch pdu[0] {
    case 0x01...0x04:
      return RegisterTable(rawValue: pdu[0]).map { .read($0, address: address, count: second) }
    case 0x05:
      return .writeCoil(address: address, value: second == 0xFF00)
    case 0x06:
      return .writeRegister(address: address, value: second)
    case 0x0F where pdu.count >= 6 && pdu.count - 6 == (Int(second) + 7) / 8:
      return .writeCoils(address: address, values: pdu.bits(from: 6, count: Int(second)))
    case 0x10 where pdu.count >= 6 && pdu.count - 6 == 2 * Int(second):
      return .writeRegisters(address: address, values: pdu.words(from: 6))
    case 0x16 where pdu.count == 7:
      return .maskWrite(address: address, and: second, or: pdu.word(at: 5))
    case 0x17 where pdu.count >= 10 && pdu.count % 2 == 0:
      return .readWrite(
        readAddress: address, readCount: second, writeAddress: pdu.word(at: 5), values: pdu.words(from: 10))
    default:
      return nil
    }
  }
}

extension [UInt8] {
  mutating func append(words: [UInt16]) {
    for word in words {
      append(UInt8(word >> 8))
      append(UInt8(word & 0xFF))
    }
  }

  mutating func append(bits: [Bool]) {
    for start in stride(from: 0, to: bits.count, by: 8) {
      var byte: UInt8 = 0
      for index in start..<Swift.min(start + 8, bits.count) where bits[index] { byte |= 1 << UInt8(index - start) }
      append(byte)
    }
  }

  func word(at index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }

  /// Every whole word from `start` to the end.
  func words(from start: Int) -> [UInt16] {
    Swift.stride(from: start, to: count - 1, by: 2).map { word(at: $0) }
  }

  func bits(from start: Int, count: Int) -> [Bool] {
    (0..<count).map { self[start + $0 / 8] >> UInt8($0 % 8) & 1 == 1 }
  }
}
