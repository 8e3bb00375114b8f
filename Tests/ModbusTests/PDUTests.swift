import Modbus
import Seams
import Testing

@Suite("A request PDU has the bytes of the standard, and a reply is taken only if it answers it")
struct PDUTests {
  struct Example: Sendable, CustomTestStringConvertible {
    var request: ModbusRequest
    var pdu: [UInt8]
    var reply: [UInt8]
    var decoded: ModbusReply
    var testDescription: String { "function \(request.function)" }
  }

  /// Most from the examples in MODBUS Application Protocol V1.1b3 §6.
  static let examples = [
    Example(
      request: .read(.coils, address: 19, count: 19), pdu: [1, 0, 0x13, 0, 0x13], reply: [1, 3, 0xCD, 0x6B, 0x05],
      decoded: .bits([1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1].map { $0 == 1 })),
    Example(
      request: .read(.discreteInputs, address: 196, count: 8), pdu: [2, 0, 0xC4, 0, 8], reply: [2, 1, 0xAC],
      decoded: .bits([0, 0, 1, 1, 0, 1, 0, 1].map { $0 == 1 })),
    Example(
      request: .read(.holdingRegisters, address: 107, count: 3), pdu: [3, 0, 0x6B, 0, 3],
      reply: [3, 6, 0x02, 0x2B, 0, 0, 0, 0x64], decoded: .registers([555, 0, 100])),
    Example(
      request: .read(.inputRegisters, address: 8, count: 1), pdu: [4, 0, 8, 0, 1], reply: [4, 2, 0, 0x0A],
      decoded: .registers([10])),
    Example(
      request: .writeCoil(address: 172, value: true), pdu: [5, 0, 0xAC, 0xFF, 0], reply: [5, 0, 0xAC, 0xFF, 0],
      decoded: .written),
    Example(
      request: .writeRegister(address: 1, value: 3), pdu: [6, 0, 1, 0, 3], reply: [6, 0, 1, 0, 3], decoded: .written),
    Example(
      request: .writeCoils(address: 19, values: [1, 0, 1, 1, 0, 0, 1, 1, 1, 0].map { $0 == 1 }),
      pdu: [15, 0, 0x13, 0, 10, 2, 0xCD, 1], reply: [15, 0, 0x13, 0, 10], decoded: .written),
    Example(
      request: .writeRegisters(address: 1, values: [10, 258]), pdu: [16, 0, 1, 0, 2, 4, 0, 10, 1, 2],
      reply: [16, 0, 1, 0, 2], decoded: .written),
    Example(
      request: .maskWrite(address: 4, and: 0xF2, or: 0x25), pdu: [22, 0, 4, 0, 0xF2, 0, 0x25],
      reply: [22, 0, 4, 0, 0xF2, 0, 0x25], decoded: .written),
    Example(
      request: .readWrite(readAddress: 3, readCount: 2, writeAddress: 14, values: [0xFF]),
      pdu: [23, 0, 3, 0, 2, 0, 14, 0, 1, 2, 0, 0xFF], reply: [23, 4, 0, 0xFE, 0x0A, 0xCD],
      decoded: .registers([0xFE, 0x0ACD])),
  ]

  @Test(arguments: examples)
  func encodesParsesAndDecodes(_ example: Example) throws {
    #expect(example.request.pdu == example.pdu)
    #expect(ModbusRequest(pdu: example.pdu) == example.request)
    #expect(ReplyShape.length(answering: example.pdu) == example.reply.count)
    #expect(try example.request.decode(example.reply) == example.decoded)
  }

  @Test(arguments: examples)
  func aReplyOfAnotherLengthIsRefused(_ example: Example) {
    #expect(throws: LinkFault.self) { try example.request.decode([]) }
    for length in 1..<example.reply.count { expect(.wrongLength, example.request, Array(example.reply.prefix(length))) }
    expect(.wrongLength, example.request, example.reply + [0])
  }

  @Test(arguments: examples)
  func aReplyOfAnotherFunctionIsRefused(_ example: Example) {
    var reply = example.reply
    reply[0] = example.request.function == 6 ? 5 : 6
    expect(.mismatched, example.request, reply)
    expect(.mismatched, example.request, [reply[0] | 0x80, 2])
  }

  @Test(arguments: examples.filter { [1, 2, 3, 4, 23].contains($0.request.function) })
  func aWrongByteCountIsRefused(_ example: Example) {
    var reply = example.reply
    reply[1] -= 1
    expect(.wrongLength, example.request, reply)
  }

  @Test(arguments: examples.filter { $0.decoded == .written })
  func aWrongEchoIsRefused(_ example: Example) {
    for index in 1..<example.reply.count {
      var reply = example.reply
      reply[index] ^= 1
      expect(.mismatched, example.request, reply)
    }
  }

  @Test(arguments: examples)
  func anExceptionIsAnAnswer(_ example: Example) throws {
    let function = example.request.function | 0x80
    for code in UInt8.min...UInt8.max {
      #expect(try example.request.decode([function, code]) == .exception(ModbusException(code: code)))
    }
    expect(.wrongLength, example.request, [function])
    expect(.wrongLength, example.request, [function, 2, 0])
  }

  @Test func exceptionsHaveTheirNames() {
    let names = (1...12).map { ModbusException(code: $0).name }
    #expect(
      names == [
        "illegal function", "illegal data address", "illegal data value", "device failure", "acknowledge",
        "device busy",
        "negative acknowledge", "memory parity error", "undefined", "gateway path unavailable",
        "gateway target failed to respond", "undefined",
      ])
  }

  static let limits: [(ModbusRequest, isValid: Bool)] = [
    (.read(.holdingRegisters, address: 0, count: 125), true),
    (.read(.holdingRegisters, address: 0, count: 126), false),
    (.read(.inputRegisters, address: 0, count: 0), false),
    (.read(.coils, address: 0, count: 2000), true),
    (.read(.coils, address: 0, count: 2001), false),
    (.read(.holdingRegisters, address: 65535, count: 1), true),
    (.read(.holdingRegisters, address: 65535, count: 2), false),
    (.writeRegisters(address: 0, values: Array(repeating: 0, count: 123)), true),
    (.writeRegisters(address: 0, values: Array(repeating: 0, count: 124)), false),
    (.writeRegisters(address: 0, values: []), false),
    (.writeCoils(address: 0, values: Array(repeating: true, count: 1968)), true),
    (.writeCoils(address: 0, values: Array(repeating: true, count: 1969)), false),
    (.readWrite(readAddress: 0, readCount: 125, writeAddress: 0, values: Array(repeating: 0, count: 121)), true),
    (.readWrite(readAddress: 0, readCount: 125, writeAddress: 0, values: Array(repeating: 0, count: 122)), false),
  ]

  /// By index: a test run prints its arguments, and some of these are long.
  @Test(arguments: limits.indices)
  func limitsAreThoseOfTheProtocol(_ index: Int) {
    let (request, isValid) = Self.limits[index]
    #expect(request.isValid == isValid)
    if isValid {
      #expect(request.pdu.count <= ModbusRequest.pduLengthMax)
      #expect(ModbusRequest(pdu: request.pdu) == request)
    }
  }

  @Test(arguments: [UInt64(1), 2, 3])
  func anyBytesAreReadWithoutHarm(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<5000 {
      var bytes = random.bytes(Int.random(in: 0...20, using: &random))
      if !bytes.isEmpty, Bool.random(using: &random) { bytes[0] = UInt8.random(in: 1...23, using: &random) }
      if let request = ModbusRequest(pdu: bytes) { #expect(request.pdu == bytes, "seed \(seed)") }
      let asked = PDUTests.examples.randomElement(using: &random)!.request
      if let reply = try? asked.decode(bytes), case .registers(let words) = reply {
        #expect(2 + 2 * words.count == bytes.count, "seed \(seed)")
      }
    }
  }

  private func expect(_ kind: LinkFault.Kind, _ request: ModbusRequest, _ reply: [UInt8]) {
    do throws(LinkFault) {
      let decoded = try request.decode(reply)
      Issue.record("\(reply) was taken as \(decoded)")
    } catch {
      #expect(error.kind == kind, "\(reply)")
    }
  }
}
