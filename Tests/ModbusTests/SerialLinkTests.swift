import Glibc
import Modbus
import Seams
import Synchronization
import Testing

/// Bytes, and how long to wait before they are sent.
private struct Piece {
  var bytes: [UInt8]
  var ms: UInt32

  init(_ bytes: [UInt8], afterMs ms: UInt32 = 0) { (self.bytes, self.ms) = (bytes, ms) }
}

/// A serial line inside the process: a link opens `path`, a thread answers at the other end.
private final class Line {
  /// What comes back for the nth request.
  typealias Device = @Sendable (_ request: [UInt8], _ nth: Int) -> [Piece]

  let path: String
  private let stop = Flag()
  private var worker: Worker?

  init(_ device: @escaping Device) throws {
    var ends: (Int32, Int32) = (-1, -1)
    var name = [CChar](repeating: 0, count: 128)
    try #require(unsafe openpty(&ends.0, &ends.1, &name, nil, nil) == 0)
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    worker = Worker { [ends, stop] in
      Self.answer(ends.0, device, until: stop)
      _ = close(ends.0)
      // Held open until here: without a second end reads at the first one fail.
      _ = close(ends.1)
    }
  }

  deinit { hangUp() }

  func hangUp() {
    stop.isSet.store(true, ordering: .relaxed)
    worker?.join()
    worker = nil
  }

  private static func answer(_ end: Int32, _ device: Device, until stop: Flag) {
    var frame: [UInt8] = []
    var count = 0
    while !stop.isSet.load(ordering: .relaxed) {
      var watched = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&watched, 1, 20) > 0 else { continue }
      var byte: UInt8 = 0
      guard unsafe read(end, &byte, 1) == 1 else { return }
      frame.append(byte)
      guard frame.count >= 8, frame[1] != 16 || frame.count >= 9 + Int(frame[6]) else { continue }
      for piece in device(Array(frame.dropLast(2)), count) where !stop.isSet.load(ordering: .relaxed) {
        pause(ms: piece.ms)
        _ = unsafe write(end, piece.bytes, piece.bytes.count)
      }
      count += 1
      frame.removeAll()
    }
  }

  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }
}

@Suite("A serial line gives values with a right checksum of the unit that was asked", .serialized)
struct SerialLinkTests {
  /// An honest unit: register a holds 1000 + a.
  @Sendable static func honest(_ request: [UInt8]) -> [UInt8] {
    guard request[1] == 3 || request[1] == 4 else { return FramingTests.rtu(request[0], Array(request[1..<6])) }
    let address = UInt16(request[2]) << 8 | UInt16(request[3])
    let count = UInt16(request[4]) << 8 | UInt16(request[5])
    let words = (0..<count).map { 1000 + address + $0 }
    return FramingTests.rtu(
      request[0], [request[1], UInt8(2 * count)] + words.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
  }

  private func open(_ device: @escaping Line.Device) throws -> (Line, SerialLink) {
    let line = try Line(device)
    let link = SerialLink(path: line.path, settings: SerialSettings(baud: 115_200, parity: .none))
    try link.open(timeoutMs: patientMs)
    return (line, link)
  }

  @Test(arguments: SerialSettings.Parity.allCases, [9600, 19200, 115_200])
  func anHonestUnitIsReadAndWritten(_ parity: SerialSettings.Parity, _ baud: Int) throws {
    let line = try Line { request, _ in [Piece(Self.honest(request))] }
    let link = SerialLink(path: line.path, settings: SerialSettings(baud: baud, parity: parity))
    try link.open(timeoutMs: patientMs)
    for address: UInt16 in 0..<5 { #expect(try link.holding(address, 125, unit: 7) == expected(address, 125)) }
    #expect(try link.ask(.writeRegister(address: 3, value: 9)) == .written)
    #expect(try link.ask(.writeRegisters(address: 3, values: [9, 8, 7])) == .written)
    #expect(link.counters.requests == 7 && link.counters.replies == 7 && link.counters.lateReplies == 0)
  }

  @Test func anExceptionIsAnAnswer() throws {
    let (line, link) = try open { request, _ in [Piece(FramingTests.rtu(request[0], [request[1] | 0x80, 2]))] }
    for _ in 0..<3 { #expect(try link.holding(0) == .exception(.illegalDataAddress)) }
    withExtendedLifetime(line) {}
  }

  @Test func tornReplyIsPutTogether() throws {
    let (line, link) = try open { request, _ in Self.honest(request).map { Piece([$0], afterMs: 15) } }
    #expect(try link.holding(0, 4) == expected(0, 4))
    withExtendedLifetime(line) {}
  }

  @Test func slowDribbleEndsAtTheDeadline() throws {
    // Whole it would take 2.5 s, with a byte always on its way.
    let (line, link) = try open { request, _ in Self.honest(request).map { Piece([$0], afterMs: 10) } }
    expectFault(.timeout) { _ = try link.holding(0, 125, ms: 300) }
    withExtendedLifetime(line) {}
  }

  @Test func wrongChecksumIsMalformedAndTheLineStaysOpen() throws {
    let (line, link) = try open { request, nth in
      var reply = Self.honest(request)
      if nth == 0 { reply[4] ^= 1 }
      return [Piece(reply)]
    }
    expectFault(.malformed) { _ = try link.holding(0) }
    #expect(link.isOpen && link.counters.malformed == 1)
    #expect(try link.holding(0) == expected(0))
    withExtendedLifetime(line) {}
  }

  @Test func noiseBeforeTheReplyIsNoValue() throws {
    let (line, link) = try open { request, nth in [Piece((nth == 0 ? [0xFF, 0x00, 0x55] : []) + Self.honest(request))] }
    #expect(throws: LinkFault.self) { try link.holding(0, ms: briefMs) }
    #expect(try link.holding(0) == expected(0))
    withExtendedLifetime(line) {}
  }

  @Test func wrongUnitIsMismatched() throws {
    let (line, link) = try open { request, nth in [Piece(Self.honest(nth == 0 ? [9] + request.dropFirst() : request))] }
    expectFault(.mismatched) { _ = try link.holding(0) }
    #expect(try link.holding(1) == expected(1))
    withExtendedLifetime(line) {}
  }

  @Test func shortReplyTimesOut() throws {
    let (line, link) = try open { request, nth in
      let reply = Self.honest(request)
      return [Piece(nth == 0 ? Array(reply.prefix(6)) : reply)]
    }
    expectFault(.timeout) { _ = try link.holding(0, 4, ms: briefMs) }
    #expect(try link.holding(0, 4) == expected(0, 4))
    withExtendedLifetime(line) {}
  }

  @Test func replyToFewerRegistersIsOfWrongLength() throws {
    let (line, link) = try open { request, _ in [Piece(Self.honest(request.dropLast() + [1]))] }
    expectFault(.wrongLength) { _ = try link.holding(0, 4) }
    withExtendedLifetime(line) {}
  }

  @Test func lateReplyOfTheSameQuestionIsDrained() throws {
    let (line, link) = try open { request, nth in [Piece(Self.honest(request), afterMs: nth == 0 ? 250 : 0)] }
    expectFault(.timeout) { _ = try link.holding(0, ms: briefMs) }
    #expect(try link.holding(10) == expected(10))
    #expect(link.counters.lateReplies == 1)
    withExtendedLifetime(line) {}
  }

  @Test func lateReplyOfAnotherUnitIsSkipped() throws {
    let (line, link) = try open { request, nth in [Piece(Self.honest(request), afterMs: nth == 0 ? 800 : 100)] }
    expectFault(.timeout) { _ = try link.holding(0, unit: 9, ms: briefMs) }
    #expect(try link.holding(10) == expected(10))
    #expect(link.counters.lateReplies == 1)
    withExtendedLifetime(line) {}
  }

  @Test func deadUnitIsATimeoutAndTheLineStaysOpen() throws {
    let (line, link) = try open { request, _ in request[0] == 9 ? [] : [Piece(Self.honest(request))] }
    for _ in 0..<3 {
      expectFault(.timeout) { _ = try link.holding(0, unit: 9, ms: briefMs) }
      #expect(try link.holding(1) == expected(1))
    }
    #expect(link.isOpen && link.counters.timeouts == 3)
    withExtendedLifetime(line) {}
  }

  @Test func adapterPulledOutIsClosed() throws {
    let (line, link) = try open { request, _ in [Piece(Self.honest(request))] }
    #expect(try link.holding(0) == expected(0))
    line.hangUp()
    expectFault(.closed) { _ = try link.holding(0) }
    #expect(!link.isOpen && link.counters.disconnects == 1)
  }

  @Test func wrongPortsAndFormatsAreUnreachable() throws {
    expectFault(.unreachable) { try SerialLink(path: "/dev/no-such-port").open(timeoutMs: briefMs) }
    expectFault(.unreachable) { try SerialLink(path: "").open(timeoutMs: briefMs) }
    let line = try Line { _, _ in [] }
    let odd = SerialSettings(baud: 12_345)
    expectFault(.unreachable) { try SerialLink(path: line.path, settings: odd).open(timeoutMs: briefMs) }
  }

  @Test(arguments: [UInt8(0), 248, 255])
  func unitsOutsideTheBusAreRefused(_ unit: UInt8) throws {
    let (line, link) = try open { request, _ in [Piece(Self.honest(request))] }
    expectFault(.unreachable) { _ = try link.holding(0, unit: unit) }
    #expect(link.counters.requests == 0)
    withExtendedLifetime(line) {}
  }
}
