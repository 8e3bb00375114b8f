import Modbus
import Seams
import Testing

/// Waits for what must come; long, since the machine may be busy.
let patientMs = 10_000
/// Waits for what never comes.
let briefMs = 150

func expectFault(_ wanted: LinkFault.Kind, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void)
{
  do {
    try body()
    Issue.record("no fault, \(wanted) wanted", sourceLocation: sourceLocation)
  } catch {
    let fault = error as? LinkFault
    #expect(fault?.kind == wanted, "\(error)", sourceLocation: sourceLocation)
  }
}

extension DeviceLink {
  func ask(_ request: ModbusRequest, unit: UInt8 = 1, ms: Int = patientMs) throws -> ModbusReply {
    try request.decode(transact(unit: unit, pdu: request.pdu, timeoutMs: ms))
  }

  func holding(_ address: UInt16, _ count: UInt16 = 1, unit: UInt8 = 1, ms: Int = patientMs) throws -> ModbusReply {
    try ask(.read(.holdingRegisters, address: address, count: count), unit: unit, ms: ms)
  }
}

/// What unit 1 of the fault server holds.
func expected(_ address: UInt16, _ count: UInt16 = 1, unit: UInt16 = 1) -> ModbusReply {
  .registers((0..<count).map { 1000 * unit + address + $0 })
}

@Suite("Each fault of a device ends in its own class and never in a value", .serialized)
struct LinkFaultTests {
  enum Framing: String, CaseIterable, Sendable { case tcp, rtu }

  struct Rig {
    let server: FaultServer
    let link: any DeviceLink

    init(_ framing: Framing, _ faults: [String], units: String = "1", honest: Bool = false) throws {
      let arguments = ["--framing", framing.rawValue, "--units", units] + (honest ? ["--honest"] : [])
      server = try FaultServer(arguments, faults: faults)
      link =
        switch framing {
        case .tcp: TCPLink(host: "127.0.0.1", port: server.port)
        case .rtu: RTUOverTCPLink(host: "127.0.0.1", port: server.port)
        }
      try link.open(timeoutMs: patientMs)
    }
  }

  @Test(arguments: Framing.allCases, [true, false])
  func anHonestDeviceIsReadAndWritten(_ framing: Framing, _ honest: Bool) throws {
    let rig = try Rig(framing, [], units: "1,2", honest: honest)
    let link = rig.link
    #expect(try link.holding(5, 125) == expected(5, 125))
    #expect(try link.holding(5, 2, unit: 2) == expected(5, 2, unit: 2))
    #expect(try link.ask(.read(.inputRegisters, address: 3, count: 1)) == .registers([1003 + 0x4000]))
    #expect(try link.ask(.read(.coils, address: 0, count: 10)) == .bits((0..<10).map { ($0 + 1) % 3 == 0 }))
    #expect(try link.ask(.read(.discreteInputs, address: 1, count: 9)) == .bits((1..<10).map { ($0 + 1) % 2 == 0 }))
    #expect(try link.ask(.writeRegister(address: 7, value: 0xBEEF)) == .written)
    #expect(try link.ask(.writeRegisters(address: 8, values: [1, 2])) == .written)
    #expect(try link.ask(.writeCoil(address: 0, value: true)) == .written)
    #expect(try link.ask(.writeCoils(address: 1, values: [true, true, false])) == .written)
    #expect(try link.holding(7, 3) == .registers([0xBEEF, 1, 2]))
    #expect(try link.ask(.read(.coils, address: 0, count: 4)) == .bits([true, true, true, false]))
    #expect(try link.ask(.maskWrite(address: 7, and: 0xFF00, or: 0x0012)) == .written)
    #expect(try link.holding(7) == .registers([0xBE12]))
    let both = ModbusRequest.readWrite(readAddress: 20, readCount: 2, writeAddress: 20, values: [77])
    #expect(try link.ask(both) == .registers([77, 1021]))
    #expect(try link.holding(999, 2) == .exception(.illegalDataAddress))
    #expect(link.counters.connects == 1 && link.counters.disconnects == 0)
    #expect(link.counters.requests == 15 && link.counters.replies == 15)
    if !honest { #expect(try rig.server.stat("requests") == 15) }
  }

  @Test(
    arguments: Framing.allCases,
    [("hole:at=50-59", 2), ("exception:code=4", 4), ("exception:code=6", 6), ("exception:code=11", 11)])
  func exceptionsAreAnswersAndKeepTheConnection(_ framing: Framing, _ fault: (String, Int)) throws {
    let rig = try Rig(framing, [fault.0])
    for _ in 0..<3 { #expect(try rig.link.holding(45, 10) == .exception(ModbusException(code: UInt8(fault.1)))) }
    try rig.server.say("clear")
    #expect(try rig.link.holding(45, 10) == expected(45, 10))
    #expect(try rig.server.stat("connections") == 1)
  }

  @Test(arguments: Framing.allCases)
  func delayedReplyThatComesWhileWaitingIsSkipped(_ framing: Framing) throws {
    // Another function for the second question: RTU keeps its connection only if it can tell the two apart.
    let rig = try Rig(framing, ["delay:ms=500,fc=3", "delay:ms=1200,fc=4"])
    expectFault(.timeout) { _ = try rig.link.holding(0, ms: briefMs) }
    #expect(try rig.link.ask(.read(.inputRegisters, address: 10, count: 1)) == .registers([1010 + 0x4000]))
    #expect(rig.link.counters.lateReplies == 1)
    #expect(rig.link.counters.connects == 1)
  }

  @Test(arguments: Framing.allCases)
  func delayedReplyThatCameBeforeTheNextQuestionIsDrained(_ framing: Framing) throws {
    let rig = try Rig(framing, ["delay:ms=300,first=1"])
    expectFault(.timeout) { _ = try rig.link.holding(0, ms: briefMs) }
    pause(ms: 1500)
    #expect(try rig.link.holding(10) == expected(10))
    #expect(rig.link.counters.lateReplies == 1)
    #expect(rig.link.counters.connects == 1)
  }

  @Test func delayedReplyWithoutTransactionIdNeverAnswersALikeQuestion() throws {
    let rig = try Rig(.rtu, ["delay:ms=500,first=1", "delay:ms=1200"])
    expectFault(.timeout) { _ = try rig.link.holding(0, ms: briefMs) }
    #expect(try rig.link.holding(10) == expected(10))
    #expect(rig.link.counters.connects == 2 && rig.link.counters.disconnects == 1)
  }

  @Test(arguments: Framing.allCases)
  func silenceTwiceClosesTheConnection(_ framing: Framing) throws {
    let rig = try Rig(framing, ["silent"], units: "1,2")
    expectFault(.timeout) { _ = try rig.link.holding(0, ms: briefMs) }
    #expect(rig.link.isOpen)
    expectFault(.timeout) { _ = try rig.link.holding(0, unit: 2, ms: briefMs) }
    #expect(!rig.link.isOpen)
    expectFault(.closed) { _ = try rig.link.holding(0, ms: briefMs) }
    #expect(rig.link.counters.timeouts == 2 && rig.link.counters.disconnects == 1)
    try rig.server.say("clear")
    try rig.link.open(timeoutMs: patientMs)
    #expect(try rig.link.holding(0) == expected(0))
  }

  @Test func deadUnitBesideALiveOneCostsNoConnection() throws {
    let rig = try Rig(.tcp, ["silent:unit=9"], units: "1,9")
    for address: UInt16 in 0..<4 {
      expectFault(.timeout) { _ = try rig.link.holding(address, unit: 9, ms: briefMs) }
      #expect(try rig.link.holding(address) == expected(address))
    }
    #expect(try rig.server.stat("connections") == 1)
  }

  @Test func wrongTransactionIdIsMismatched() throws {
    let rig = try Rig(.tcp, ["wrong-tid:first=1"])
    expectFault(.mismatched) { _ = try rig.link.holding(0) }
    #expect(rig.link.counters.mismatched == 1)
    #expect(try rig.link.holding(1) == expected(1))
    #expect(rig.link.counters.connects == 1)
  }

  @Test func repliesAlwaysOneQuestionBehindNeverBecomeValues() throws {
    let rig = try Rig(.tcp, ["stale:after=1"])
    #expect(try rig.link.holding(0) == expected(0))
    expectFault(.timeout) { _ = try rig.link.holding(1, ms: briefMs) }
    #expect(rig.link.counters.lateReplies == 1)
  }

  @Test(arguments: Framing.allCases)
  func wrongUnitIsMismatched(_ framing: Framing) throws {
    let rig = try Rig(framing, ["wrong-unit:to=9,first=1"])
    expectFault(.mismatched) { _ = try rig.link.holding(0) }
    #expect(try rig.link.holding(1) == expected(1))
  }

  @Test(arguments: Framing.allCases)
  func wrongFunctionIsRefused(_ framing: Framing) throws {
    let rig = try Rig(framing, ["wrong-function:to=4,first=1"])
    expectFault(.mismatched) { _ = try rig.link.holding(0) }
    #expect(try rig.link.holding(1) == expected(1))
  }

  @Test func shortReplyIsOfWrongLength() throws {
    let rig = try Rig(.tcp, ["short:by=2"])
    expectFault(.wrongLength) { _ = try rig.link.holding(0, 4) }
    #expect(!rig.link.isOpen)
  }

  @Test func shortReplyWithoutLengthFieldTimesOutAndCloses() throws {
    let rig = try Rig(.rtu, ["short:by=2"])
    expectFault(.timeout) { _ = try rig.link.holding(0, 4, ms: briefMs) }
    #expect(!rig.link.isOpen)
  }

  @Test func longReplyIsOfWrongLength() throws {
    let rig = try Rig(.tcp, ["long:by=2"])
    expectFault(.wrongLength) { _ = try rig.link.holding(0, 4) }
    #expect(!rig.link.isOpen)
  }

  @Test func wrongByteCountIsOfWrongLength() throws {
    let rig = try Rig(.tcp, ["byte-count:by=-2"])
    expectFault(.wrongLength) { _ = try rig.link.holding(0, 4) }
  }

  @Test func wrongByteCountBreaksTheChecksum() throws {
    let rig = try Rig(.rtu, ["byte-count:by=-2"])
    expectFault(.malformed) { _ = try rig.link.holding(0, 4) }
    #expect(!rig.link.isOpen)
  }

  @Test func wrongChecksumIsMalformed() throws {
    let rig = try Rig(.rtu, ["bad-crc"])
    expectFault(.malformed) { _ = try rig.link.holding(0) }
    #expect(!rig.link.isOpen && rig.link.counters.malformed == 1)
  }

  @Test(arguments: [
    "bad-protocol", "bad-length:to=0", "bad-length:to=1", "bad-length:to=255", "bad-length:to=65535", "garbage",
  ])
  func badHeaderIsMalformedAndCloses(_ fault: String) throws {
    let rig = try Rig(.tcp, [fault])
    expectFault(.malformed) { _ = try rig.link.holding(0) }
    #expect(!rig.link.isOpen)
    #expect(rig.link.counters.malformed == 1 && rig.link.counters.disconnects == 1)
  }

  @Test(arguments: Framing.allCases)
  func replyTornIntoSegmentsIsPutTogether(_ framing: Framing) throws {
    let rig = try Rig(framing, ["torn:size=3,ms=15"])
    #expect(try rig.link.holding(0, 8) == expected(0, 8))
  }

  @Test(arguments: Framing.allCases)
  func replyCutOffTimesOutAndCloses(_ framing: Framing) throws {
    let rig = try Rig(framing, ["cut:size=5"])
    expectFault(.timeout) { _ = try rig.link.holding(0, 8, ms: briefMs) }
    #expect(!rig.link.isOpen)
  }

  @Test(arguments: Framing.allCases)
  func slowDribbleEndsAtTheDeadline(_ framing: Framing) throws {
    // Whole it would take 259 x 100 ms, with a byte always on its way; the server's sentence comes first only if we
    // gave up.
    let rig = try Rig(framing, ["dribble:ms=100"])
    expectFault(.timeout) { _ = try rig.link.holding(0, 125, ms: 450) }
    #expect(!rig.link.isOpen)
  }

  @Test(arguments: Framing.allCases, ["reset:size=5", "close:size=5", "close:size=0"])
  func connectionLostInMidReplyIsClosed(_ framing: Framing, _ fault: String) throws {
    let rig = try Rig(framing, [fault + ",first=1"])
    expectFault(.closed) { _ = try rig.link.holding(0, 8) }
    #expect(!rig.link.isOpen && rig.link.counters.disconnects == 1)
    try rig.link.open(timeoutMs: patientMs)
    #expect(try rig.link.holding(0, 8) == expected(0, 8))
  }

  @Test func connectionLostBetweenQuestionsIsClosed() throws {
    let rig = try Rig(.tcp, [])
    #expect(try rig.link.holding(0) == expected(0))
    try rig.server.say("drop")
    pause(ms: 100)
    expectFault(.closed) { _ = try rig.link.holding(0) }
    #expect(!rig.link.isOpen)
  }

  @Test func oneSocketLimitClosesTheSecondConnection() throws {
    let rig = try Rig(.tcp, ["one-socket"])
    #expect(try rig.link.holding(0) == expected(0))
    let second = TCPLink(host: "127.0.0.1", port: rig.server.port)
    expectFault(.closed) {
      try second.open(timeoutMs: patientMs)
      _ = try second.holding(0)
    }
    #expect(try rig.link.holding(0) == expected(0))
  }

  @Test func ackWithoutEffectShowsWhenReadAgain() throws {
    let rig = try Rig(.tcp, ["ack-only"])
    #expect(try rig.link.ask(.writeRegister(address: 3, value: 5)) == .written)
    #expect(try rig.link.holding(3) == expected(3))
    #expect(try rig.server.say("stats").contains("\"writes\": {\"1\": 1}"))
  }

  @Test func doubledReplyIsDrained() throws {
    let rig = try Rig(.tcp, ["double"])
    #expect(try rig.link.holding(0) == expected(0))
    pause(ms: 100)
    #expect(try rig.link.holding(1) == expected(1))
    #expect(rig.link.counters.lateReplies == 1)
  }

  @Test func floodOfOldRepliesIsCutOff() throws {
    let rig = try Rig(.tcp, ["flood:count=500,after=1"])
    #expect(try rig.link.holding(0) == expected(0))
    expectFault(.malformed) { _ = try rig.link.holding(1) }
    #expect(!rig.link.isOpen)
  }

  @Test func firstRequestIgnoredIsATimeoutAndNoMore() throws {
    let rig = try Rig(.tcp, ["silent:opening=1"])
    expectFault(.timeout) { _ = try rig.link.holding(0, ms: briefMs) }
    #expect(try rig.link.holding(0) == expected(0))
  }

  @Test func nobodyListeningIsUnreachable() throws {
    let port = try FaultServer().port
    expectFault(.unreachable) { try TCPLink(host: "127.0.0.1", port: port).open(timeoutMs: patientMs) }
    expectFault(.unreachable) { try TCPLink(host: "no host", port: 502).open(timeoutMs: patientMs) }
  }

  @Test func aServerThatDoesNotAcceptIsUnreachableByTheDeadline() throws {
    // A backlog of one that is full drops further handshakes, as a dead address does.
    let deaf = try DeafListener()
    let links = (0..<4).map { _ in TCPLink(host: "127.0.0.1", port: deaf.port) }
    let opened = links.filter { (try? $0.open(timeoutMs: briefMs)) != nil }
    #expect(opened.count < links.count)
  }

  @Test func namesAndIPv6Addresses() throws {
    let server = try FaultServer()
    let byName = TCPLink(host: "localhost", port: server.port)
    try byName.open(timeoutMs: patientMs)
    #expect(try byName.holding(0) == expected(0))
  }
}
