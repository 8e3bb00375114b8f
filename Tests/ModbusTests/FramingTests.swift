import Modbus
import Seams
import Testing

@Suite("A framer cuts the stream anywhere and never takes a wrong frame for the answer")
struct FramingTests {
  static let question: [UInt8] = [3, 0, 10, 0, 2]
  static let answer: [UInt8] = [3, 4, 1, 2, 3, 4]
  static let seeds: [UInt64] = [11, 12, 13]

  static func mbap(_ transaction: UInt16, _ unit: UInt8, _ pdu: [UInt8], protocolID: UInt8 = 0) -> [UInt8] {
    [UInt8(transaction >> 8), UInt8(transaction & 255), 0, protocolID, 0, UInt8(1 + pdu.count), unit] + pdu
  }

  static func rtu(_ unit: UInt8, _ pdu: [UInt8]) -> [UInt8] {
    let bytes = [unit] + pdu
    let crc = CRC16.of(bytes.span)
    return bytes + [UInt8(crc & 255), UInt8(crc >> 8)]
  }

  /// Feeds `stream` as a link would, never more than asked for.
  private func feed(_ framing: inout some ReplyFraming, _ stream: [UInt8]) throws -> (
    reply: [UInt8]?, late: Int, used: Int
  ) {
    var bytes: [UInt8] = []
    var used = 0
    var late = 0
    while true {
      switch try framing.scan(bytes) {
      case .needs(let count):
        try #require(count >= 1 && bytes.count + count <= 260)
        guard used + count <= stream.count else { return (nil, late, used) }
        bytes += stream[used..<(used + count)]
        used += count
      case .late(let length):
        bytes.removeFirst(length)
        late += 1
      case .reply(let pdu):
        return (pdu, late, used)
      }
    }
  }

  private func kind(_ body: () throws -> Void) -> LinkFault.Kind? {
    do {
      try body()
      return nil
    } catch { return (error as? LinkFault)?.kind }
  }

  @Test func checksumIsThatOfTheStandard() {
    // "123456789" gives 0x4B37 for CRC-16/MODBUS; the second is a known request, sent as C5 CD.
    let digits = Array("123456789".utf8)
    #expect(CRC16.of(digits.span) == 0x4B37)
    let request: [UInt8] = [1, 3, 0, 0, 0, 10]
    #expect(CRC16.of(request.span) == 0xCDC5)
  }

  @Test func requestsAreFramed() {
    var tcp = MBAPFraming()
    #expect(tcp.frame(unit: 7, pdu: Self.question) == Self.mbap(1, 7, Self.question))
    #expect(tcp.frame(unit: 7, pdu: Self.question) == Self.mbap(2, 7, Self.question))
    var serial = RTUFraming()
    #expect(serial.frame(unit: 7, pdu: Self.question) == Self.rtu(7, Self.question))
  }

  @Test func theAnswerIsTakenAndNothingBehindIt() throws {
    var tcp = MBAPFraming()
    _ = tcp.frame(unit: 7, pdu: Self.question)
    let wrapped = Self.mbap(1, 7, Self.answer)
    #expect(try feed(&tcp, wrapped + [9, 9, 9]) == (Self.answer, 0, wrapped.count))
    var serial = RTUFraming()
    _ = serial.frame(unit: 7, pdu: Self.question)
    let checked = Self.rtu(7, Self.answer)
    #expect(try feed(&serial, checked + [9, 9, 9]) == (Self.answer, 0, checked.count))
  }

  @Test func anExceptionIsTaken() throws {
    var tcp = MBAPFraming()
    _ = tcp.frame(unit: 7, pdu: Self.question)
    #expect(try feed(&tcp, Self.mbap(1, 7, [0x83, 2])).reply == [0x83, 2])
    var serial = RTUFraming()
    _ = serial.frame(unit: 7, pdu: Self.question)
    #expect(try feed(&serial, Self.rtu(7, [0x83, 2])).reply == [0x83, 2])
  }

  @Test func anOlderTransactionIsLateAndAFutureOneIsMismatched() throws {
    var tcp = MBAPFraming()
    _ = tcp.frame(unit: 7, pdu: Self.question)
    _ = tcp.frame(unit: 7, pdu: Self.question)
    let late = Self.mbap(1, 7, [3, 4, 9, 9, 9, 9])
    #expect(try feed(&tcp, late + Self.mbap(2, 7, Self.answer)).reply == Self.answer)
    #expect(try feed(&tcp, late).late == 1)
    for id: UInt16 in [0, 3, 0xFFFF] {
      #expect(kind { _ = try feed(&tcp, Self.mbap(id, 7, Self.answer)) } == .mismatched, "id \(id)")
    }
  }

  @Test func transactionIdsWrapAround() throws {
    var tcp = MBAPFraming()
    for _ in 0..<70_000 { _ = tcp.frame(unit: 1, pdu: Self.question) }
    let id = UInt16(70_000 % 65_536)
    #expect(try feed(&tcp, Self.mbap(id &- 5000, 1, Self.answer)).late == 1)
    #expect(try feed(&tcp, Self.mbap(id, 1, Self.answer)).reply == Self.answer)
  }

  @Test func badHeadersAreMalformedBeforeTheirDataIsWaitedFor() {
    for header: [UInt8] in [
      [0, 1, 0x12, 0x34], [0, 1, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 255, 255],
    ] {
      var tcp = MBAPFraming()
      _ = tcp.frame(unit: 7, pdu: Self.question)
      #expect(kind { _ = try tcp.scan(header) } == .malformed, "\(header)")
    }
    var serial = RTUFraming()
    _ = serial.frame(unit: 7, pdu: Self.question)
    #expect(kind { _ = try serial.scan([7, 0x2B, 0, 0, 0]) } == .malformed)
  }

  @Test func aLateReplyWithoutTransactionIdIsKnownByWhatWasAsked() throws {
    var serial = RTUFraming()
    _ = serial.frame(unit: 7, pdu: Self.question)
    let canGoOn = serial.abandon()
    #expect(canGoOn)
    #expect(serial.isAmbiguous(unit: 7, pdu: [3, 0, 99, 0, 1]))
    #expect(!serial.isAmbiguous(unit: 8, pdu: Self.question))
    #expect(!serial.isAmbiguous(unit: 7, pdu: [4, 0, 10, 0, 2]))
    _ = serial.frame(unit: 8, pdu: Self.question)
    #expect(try feed(&serial, Self.rtu(7, Self.answer) + Self.rtu(8, [0x83, 4])) == ([0x83, 4], 1, 14))
    #expect(!serial.isAmbiguous(unit: 7, pdu: Self.question))
  }

  @Test func twoUnansweredQuestionsWithoutTransactionIdAreTooMany() {
    var serial = RTUFraming()
    _ = serial.frame(unit: 7, pdu: Self.question)
    let first = serial.abandon()
    _ = serial.frame(unit: 8, pdu: Self.question)
    let second = serial.abandon()
    #expect(first && !second)
  }

  @Test func lateFramesAreStruckOut() throws {
    let frame = Self.mbap(1, 7, Self.answer)
    var tcp = MBAPFraming()
    var bytes = frame + frame + frame.prefix(5)
    #expect(try tcp.discardLate(&bytes) == 2)
    #expect(bytes == Array(frame.prefix(5)))
    var serial = RTUFraming()
    var whole = Self.rtu(7, Self.answer) + Self.rtu(7, [0x83, 2])
    #expect(try serial.discardLate(&whole) == 2)
    #expect(whole.isEmpty)
    var torn = Array(Self.rtu(7, Self.answer).dropLast())
    #expect(kind { _ = try serial.discardLate(&torn) } == .malformed)
  }

  @Test(arguments: seeds)
  func everyValidReplyComesBack(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var tcp = MBAPFraming()
    for _ in 0..<500 {
      let unit = UInt8.random(in: 1...247, using: &random)
      let table = RegisterTable.allCases.randomElement(using: &random)!
      let count = UInt16.random(in: 1...UInt16(table.readCountMax), using: &random)
      let request = ModbusRequest.read(table, address: 0, count: count)
      let size = table.isBits ? (Int(count) + 7) / 8 : 2 * Int(count)
      let reply = [table.rawValue, UInt8(size)] + random.bytes(size)
      let id = tcp.frame(unit: unit, pdu: request.pdu)
      #expect(try feed(&tcp, Self.mbap(UInt16(id[0]) << 8 | UInt16(id[1]), unit, reply)).reply == reply, "seed \(seed)")
      var serial = RTUFraming()
      _ = serial.frame(unit: unit, pdu: request.pdu)
      #expect(try feed(&serial, Self.rtu(unit, reply)).reply == reply, "seed \(seed)")
    }
  }

  /// One to four bytes changed, dropped or added in a stream of a late reply and the right one: never a wrong value.
  @Test(arguments: seeds)
  func mutatedStreamsNeverGiveAnotherReply(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var taken = 0
    for _ in 0..<5000 {
      var serial = RTUFraming()
      _ = serial.frame(unit: 7, pdu: Self.question)
      var stream = Self.rtu(7, Self.answer)
      mutate(&stream, &random)
      if let got = try? feed(&serial, stream), let reply = got.reply {
        taken += 1
        #expect(reply == Self.answer || reply.count == 2, "seed \(seed): \(stream)")
      }
    }
    #expect(taken < 2500)
  }

  @Test(arguments: seeds)
  func anyBytesEndWithoutHarm(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      var tcp = MBAPFraming()
      var stream = Self.mbap(0, 7, Self.answer) + Self.mbap(1, 7, Self.answer)
      _ = tcp.frame(unit: 7, pdu: Self.question)
      mutate(&stream, &random)
      if let reply = (try? feed(&tcp, stream))?.reply { #expect(reply.count == 2 || reply.count == Self.answer.count) }
      var rest = random.bytes(Int.random(in: 0...600, using: &random))
      _ = try? tcp.discardLate(&rest)
      var serial = RTUFraming()
      _ = serial.frame(unit: 7, pdu: Self.question)
      _ = try? feed(&serial, random.bytes(300))
      _ = try? serial.discardLate(&rest)
    }
  }

  private func mutate(_ stream: inout [UInt8], _ random: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 1...4, using: &random) where !stream.isEmpty {
      let index = Int.random(in: stream.indices, using: &random)
      switch Int.random(in: 0...2, using: &random) {
      case 0: stream[index] = UInt8.random(in: 0...255, using: &random)
      case 1: stream.remove(at: index)
      default: stream.insert(UInt8.random(in: 0...255, using: &random), at: index)
      }
    }
  }
}
