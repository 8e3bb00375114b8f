import Actuation
import Collectors
import Seams
import Testing
import TwinCore

/// A link that answers from a table of registers, or fails as told.
private final class ScriptedLink: DeviceLink {
  var registers: [Int: UInt16] = [:]
  var requests: [[UInt8]] = []
  var refuses = false
  var fails: LinkFault.Kind?
  /// Acknowledges writes and changes nothing.
  var isDeaf = false
  private(set) var isOpen = false
  let counters = LinkCounters()

  func open(timeoutMs: Int) throws(LinkFault) {
    if fails == .unreachable { throw LinkFault(.unreachable, "no route", remedy: "wait") }
    isOpen = true
  }

  func close() { isOpen = false }

  func transact(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    requests.append(pdu)
    if let fails { throw LinkFault(fails, "scripted", remedy: "none") }
    let address = Int(pdu[1]) << 8 | Int(pdu[2])
    if refuses, pdu[0] >= 5 { return [pdu[0] | 0x80, 2] }
    switch pdu[0] {
    case 6:
      if !isDeaf { registers[address] = UInt16(pdu[3]) << 8 | UInt16(pdu[4]) }
      return pdu
    case 16:
      for index in 0..<Int(pdu[4]) where !isDeaf {
        registers[address + index] = UInt16(pdu[6 + 2 * index]) << 8 | UInt16(pdu[7 + 2 * index])
      }
      return Array(pdu[0..<5])
    default:
      let count = Int(pdu[4])
      let values = (0..<count).map { registers[address + $0] ?? 0 }
      return [pdu[0], UInt8(2 * count)] + values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    }
  }
}

@Suite struct `A point is given back from its order alone` {
  static func device(_ link: LinkAddress = .tcp(host: "10.0.0.9", port: 502)) -> Device {
    let write = WriteProfile(
      function: 16,
      sequence: [
        RegisterStep(address: 40, value: 1), RegisterStep(address: 30, value: nil), RegisterStep(address: 41, value: 7),
      ], tolerance: 0.05, readbackMs: 500)
    let point = RegisterPoint(
      name: "sp", table: .holding, address: 30, type: .float32, unit: "Cel", range: 0...20, write: write)
    return Device(id: "chiller-1", profile: "p", link: link, unit: 3, points: [point])
  }

  static func order(_ link: LinkAddress = .tcp(host: "10.0.0.9", port: 502)) throws -> RevertOrder {
    let device = device(link)
    return try RevertOrder(value: 6.5, of: device.points[0], in: device)
  }

  @Test(arguments: [
    LinkAddress.tcp(host: "gw-1", port: 502), .rtuOverTCP(host: "::1", port: 4001),
    .serial(path: "/dev/ttyUSB0", baud: 9600, parity: .even, stopBits: 1),
  ])
  func `its bytes come back whole`(link: LinkAddress) throws {
    let order = try Self.order(link)
    #expect(try RevertOrder(decoding: order.encoded()) == order)
  }

  @Test func `damaged bytes are refused, never trapped on`() throws {
    let bytes = try Self.order().encoded()
    var generator = SystemRandomNumberGenerator()
    for length in 0..<bytes.count {
      #expect(throws: CanonicalFault.self) { try RevertOrder(decoding: Array(bytes[..<length])) }
    }
    for _ in 0..<20_000 {
      var bent = bytes
      bent[Int.random(in: 0..<bent.count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
      _ = try? RevertOrder(decoding: bent)
    }
  }

  @Test func `the whole sequence is written and read back`() throws {
    let link = ScriptedLink()
    #expect(try Self.order().carryOut(over: link) == .confirmed)
    #expect(link.requests.map { $0[0] } == [16, 16, 16, 3])
    #expect(link.registers[30] == 0x40D0 && link.registers[40] == 1 && link.registers[41] == 7)
  }

  @Test func `an acknowledgement without effect is a mismatch`() throws {
    let link = ScriptedLink()
    link.isDeaf = true
    #expect(try Self.order().carryOut(over: link) == .mismatched)
  }

  @Test func `a device that refuses is said to refuse`() throws {
    let link = ScriptedLink()
    link.refuses = true
    #expect(try Self.order().carryOut(over: link) == .refusedByDevice)
  }

  @Test func `a device out of reach was not written`() throws {
    let link = ScriptedLink()
    link.fails = .unreachable
    #expect(try Self.order().carryOut(over: link) == .notSent)
  }

  @Test func `a lost reply leaves the outcome open, and every attempt is made`() throws {
    let link = ScriptedLink()
    link.fails = .timeout
    #expect(try Self.order().carryOut(over: link, attempts: 3) == .unknown)
    #expect(link.requests.count == 3)
  }

  @Test func `a read-only point has no order`() throws {
    let point = RegisterPoint(name: "t", table: .input, address: 1, type: .int16)
    let device = Device(
      id: "d", profile: "p", link: .tcp(host: "h", port: 1), unit: 1, points: [point])
    #expect(throws: BusFault.self) { try RevertOrder(value: 1, of: point, in: device) }
  }
}
