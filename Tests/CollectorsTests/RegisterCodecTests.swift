import Collectors
import Testing
import TwinCore

@Suite("A point's registers and its value are the same thing")
struct RegisterCodecTests {
  static let orders = (0..<8).map {
    RegisterOrder(bytesLittle: $0 & 1 != 0, wordsLittle: $0 & 2 != 0, halvesSwapped: $0 & 4 != 0)
  }
  static let types: [RegisterType] = [
    .bool, .uint16, .int16, .uint32, .int32, .uint64, .int64, .float16, .float32, .float64, .bcd16, .bcd32,
    .m10k(registers: 2), .m10k(registers: 3), .m10k(registers: 4), .epoch32, .bits(lowest: 0, width: 16),
  ]

  @Test("reads and writes as Python's struct does", arguments: CodecVector.all)
  func vectors(_ vector: CodecVector) throws {
    let codec = RegisterCodec(type: vector.type, order: vector.order)
    #expect(codec.reading(vector.registers) == Reading(vector.value, .good))
    // A 64-bit count beyond 2^53 has no Double of its own; its registers come back rounded.
    if abs(vector.value) < 0x1p53 { #expect(try codec.registers(for: vector.value) == vector.registers) }
  }

  @Test("what was written reads back as what `representable` said", arguments: types)
  func roundTrip(_ type: RegisterType) throws {
    let seed: UInt64 = 42
    var dice = Dice(seed)
    for order in Self.orders {
      let isShort = type.isInteger && type.registers < 4
      for (scale, offset) in isShort ? [(1.0, 0.0), (0.1, 0.0), (0.01, -40.0), (-2.5, 3.0)] : [(1.0, 0.0)] {
        let codec = RegisterCodec(type: type, order: order, scale: scale, offset: offset)
        for _ in 0..<40 {
          let registers = (0..<type.registers).map { _ in UInt16.random(in: 0...0xFFFF, using: &dice) }
          let reading = codec.reading(registers)
          guard reading.quality == .good else { continue }
          let value = try codec.representable(reading.value)
          let again = try codec.registers(for: value)
          #expect(codec.reading(again).value == value, "seed \(seed), \(type), \(order), \(registers)")
          if isShort, type != .bool {
            #expect(again == registers, "seed \(seed), \(type), \(order)")
          }
        }
      }
    }
  }

  @Test("halves of a register, bits and texts")
  func parts() {
    func value(_ type: RegisterType, _ register: UInt16) -> Double {
      RegisterCodec(type: type).reading([register]).value
    }
    #expect(value(.uint8(.high), 0x12F0) == 0x12)
    #expect(value(.uint8(.low), 0x12F0) == 0xF0)
    #expect(value(.int8(.low), 0x12F0) == -16)
    #expect(value(.bits(lowest: 4, width: 3), 0x00D0) == 5)
    #expect(RegisterCodec(type: .text(registers: 3, bytes: .both)).text([0x4142, 0x4320, 0x0000]) == "ABC")
    #expect(RegisterCodec(type: .text(registers: 3, bytes: .low)).text([0x0041, 0x0042, 0x00FF]) == "AB?")
    let swapped = RegisterCodec(type: .text(registers: 1, bytes: .both), order: RegisterOrder(bytesLittle: true))
    #expect(swapped.text([0x4241]) == "AB")
  }

  @Test("what is no number is absent, what is out of range is suspect")
  func qualities() {
    #expect(RegisterCodec(type: .bcd16).reading([0x12A4]).quality == .absent)
    #expect(RegisterCodec(type: .bcd16).reading([0x1294]) == Reading(1294, .good))
    #expect(RegisterCodec(type: .m10k(registers: 2)).reading([3, 10_000]).quality == .absent)
    #expect(RegisterCodec(type: .m10k(registers: 2)).reading([3, 21]) == Reading(30_021, .good))
    #expect(RegisterCodec(type: .float32).reading([0x7FC0, 0]).quality == .absent)
    #expect(RegisterCodec(type: .float32).reading([0x7F80, 0]).quality == .absent)
    #expect(RegisterCodec(type: .float64, scale: 1e300).reading([0x7FE0, 0, 0, 0]).quality == .absent)
    #expect(RegisterCodec(type: .int16, sentinels: [0x8000]).reading([0x8000]).quality == .absent)
    #expect(RegisterCodec(type: .scaleFactor).reading([11]).quality == .absent)
    let ranged = RegisterCodec(type: .int16, scale: 0.1, range: -10...60)
    #expect(ranged.reading([601]).quality == .suspect)
    #expect(ranged.reading([599]).quality == .good)
  }

  @Test("a power of ten divides exactly")
  func powers() {
    let codec = RegisterCodec(type: .int16)
    #expect(codec.reading([3], power: -1).value == 0.3)
    #expect(codec.reading([12_345], power: -4).value == 1.2345)
    #expect(codec.reading([7], power: 10).value == 7e10)
    #expect(RegisterCodec(type: .scaleFactor).power(raw: 0xFFFE) == -2)
    #expect(RegisterCodec(type: .scaleFactor).power(raw: 0x8000) == nil)
    #expect(RegisterCodec(type: .int16).power(raw: 0x8000) == nil)
  }

  @Test(
    "a value without registers is refused",
    arguments: [
      (.uint16, -1), (.uint16, 65_536), (.int16, 32_768), (.uint16, .nan), (.float32, .infinity), (.float32, 1e39),
      (.float16, 70_000), (.bcd16, 10_000), (.uint64, -1), (.uint64, 0x1p64), (.int64, 0x1p63), (.bool, 2),
      (.m10k(registers: 2), 1e8), (.uint32, 0x1p32), (.uint16, 65_535),
    ] as [(RegisterType, Double)])
  func refusals(_ type: RegisterType, _ value: Double) {
    let codec = RegisterCodec(type: type, sentinels: [0xFFFF])
    let fault = #expect(throws: BusFault.self) { _ = try codec.registers(for: value) }
    #expect(fault?.kind == .unfit)
  }

  @Test(
    "parts of a register and texts are not written",
    arguments: [.uint8(.low), .bits(lowest: 3, width: 1), .scaleFactor] as [RegisterType])
  func unwritable(_ type: RegisterType) {
    let fault = #expect(throws: BusFault.self) { _ = try RegisterCodec(type: type).registers(for: 1) }
    #expect(fault?.kind == .unwritable)
  }

  @Test("a setpoint is rounded to what the register can say")
  func rounding() throws {
    let codec = RegisterCodec(type: .int16, scale: 0.5, offset: 10)
    #expect(try codec.registers(for: 12.7) == [5])
    #expect(try codec.representable(12.7) == 12.5)
    #expect(try RegisterCodec(type: .int16).registers(for: 23.46, power: -1) == [235])
  }
}
