import Glibc
import Modbus
import Seams
import Synchronization
import Testing

/// Holding registers 0 to 99 that can be written; a coil is set when its address is even.
private final class SmallBank: RegisterBank {
  private let words = Mutex([UInt16](repeating: 0, count: 100))

  func answer(_ request: ModbusRequest, unit: UInt8) -> ModbusReply? {
    guard unit != 9 else { return nil }
    return words.withLock { words in
      switch request {
      case .read(.holdingRegisters, let from, let count) where Int(from) + Int(count) <= 100:
        return .registers(Array(words[Int(from)..<(Int(from) + Int(count))]))
      case .read(.inputRegisters, let from, let count):
        return .registers((0..<count).map { from &+ $0 })
      case .read(.coils, let from, let count), .read(.discreteInputs, let from, let count):
        return .bits((0..<count).map { (from + $0) % 2 == 0 })
      case .writeRegister(let to, let value) where to < 100:
        words[Int(to)] = value
        return .written
      case .writeRegisters(let to, let values) where Int(to) + values.count <= 100:
        words.replaceSubrange(Int(to)..<(Int(to) + values.count), with: values)
        return .written
      case .readWrite(let from, let count, let to, let values)
      where Int(from) + Int(count) <= 100 && Int(to) + values.count <= 100:
        words.replaceSubrange(Int(to)..<(Int(to) + values.count), with: values)
        return .registers(Array(words[Int(from)..<(Int(from) + Int(count))]))
      case .writeCoil(let to, _) where to == 13:
        return .exception(.deviceBusy)
      case .writeCoil, .writeCoils, .maskWrite:
        return .written
      default:
        return .exception(.illegalDataAddress)
      }
    }
  }
}

/// A server on a thread of its own; ends with this object.
private final class Plant {
  let server: ModbusServer
  private let worker: Worker

  init(connectionsMax: Int = 16, address: String = "127.0.0.1") throws {
    let server = try ModbusServer(bank: SmallBank(), address: address, connectionsMax: connectionsMax)
    self.server = server
    worker = Worker { server.run() }
  }

  deinit {
    server.stop()
    worker.join()
  }

  func link() throws -> TCPLink {
    let link = TCPLink(host: server.address, port: server.port)
    try link.open(timeoutMs: patientMs)
    return link
  }
}

/// Asks until it works, for as long as a busy machine may need.
private func eventually(_ what: Comment, _ body: () throws -> Bool) {
  let end = ContinuousClock.now + .seconds(30)
  while .now < end {
    if (try? body()) == true { return }
    pause(ms: 10)
  }
  Issue.record(what)
}

@Suite("A simulated plant serves several clients and can be unplugged", .serialized)
struct ModbusServerTests {
  @Test(arguments: ["127.0.0.1", "::1"])
  func everyFunctionIsServed(_ address: String) throws {
    let plant = try Plant(address: address)
    let link = try plant.link()
    #expect(try link.ask(.writeRegister(address: 7, value: 0xBEEF)) == .written)
    #expect(try link.ask(.writeRegisters(address: 8, values: [1, 2])) == .written)
    #expect(try link.holding(7, 3) == .registers([0xBEEF, 1, 2]))
    #expect(try link.ask(.read(.inputRegisters, address: 65535, count: 1)) == .registers([65535]))
    #expect(try link.ask(.read(.coils, address: 1, count: 11)) == .bits((1..<12).map { $0 % 2 == 0 }))
    #expect(try link.ask(.read(.discreteInputs, address: 0, count: 2000)) == .bits((0..<2000).map { $0 % 2 == 0 }))
    #expect(try link.ask(.writeCoil(address: 2, value: true)) == .written)
    #expect(try link.ask(.writeCoils(address: 2, values: [true, false, true])) == .written)
    #expect(try link.ask(.maskWrite(address: 65535, and: 1, or: 2)) == .written)
    let both = ModbusRequest.readWrite(readAddress: 7, readCount: 3, writeAddress: 8, values: [50])
    #expect(try link.ask(both) == .registers([0xBEEF, 50, 2]))
    #expect(plant.server.counts.requests == 10)
  }

  @Test func aThirdPartyClientIsServed() throws {
    let plant = try Plant()
    let program = """
      import sys
      from pymodbus.client import ModbusTcpClient
      client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]))
      client.connect()
      client.write_registers(3, [7, 8])
      client.write_register(5, 65535)
      print(client.read_holding_registers(3, count=3).registers, client.read_coils(1, count=3).bits[:3],
            client.write_coil(13, True).exception_code, client.read_input_registers(5, count=2).registers,
            client.readwrite_registers(read_address=3, read_count=2, write_address=4, values=[9]).registers)
      """
    let line = try FaultServer.firstLine(ofProgram: program, [String(plant.server.port)])
    #expect(line == "[7, 8, 65535] [False, True, False] 6 [5, 6] [7, 9]\n")
  }

  @Test func exceptionsAreTheBanks() throws {
    let plant = try Plant()
    let link = try plant.link()
    #expect(try link.holding(95, 10) == .exception(.illegalDataAddress))
    #expect(try link.ask(.writeCoil(address: 13, value: true)) == .exception(.deviceBusy))
    #expect(link.counters.connects == 1 && link.counters.disconnects == 0)
  }

  @Test func requestsOutsideTheStandardAreRefused() throws {
    let plant = try Plant()
    let link = try plant.link()
    #expect(try link.transact(unit: 1, pdu: [3, 0, 0, 0, 126], timeoutMs: patientMs) == [0x83, 3])
    #expect(try link.transact(unit: 1, pdu: [5, 0, 0, 1, 1], timeoutMs: patientMs) == [0x85, 3])
    #expect(try link.transact(unit: 1, pdu: [0x2B, 0x0E, 1, 0], timeoutMs: patientMs) == [0xAB, 1])
    #expect(try link.transact(unit: 1, pdu: [0x41], timeoutMs: patientMs) == [0xC1, 1])
    #expect(try link.transact(unit: 1, pdu: [3, 0, 0], timeoutMs: patientMs) == [0x83, 3])
    #expect(try link.transact(unit: 1, pdu: [16, 0, 0, 0, 1, 200, 0], timeoutMs: patientMs) == [0x90, 3])
    #expect(try link.holding(0) == .registers([0]))
  }

  @Test func aDeadUnitStaysSilentBesideALiveOne() throws {
    let plant = try Plant()
    let link = try plant.link()
    expectFault(.timeout) { _ = try link.holding(0, unit: 9, ms: briefMs) }
    #expect(try link.holding(0, unit: 8) == .registers([0]))
  }

  @Test func aClientThatStopsHalfwayHoldsUpNobody() throws {
    let plant = try Plant()
    let rude = try RawClient(port: plant.server.port)
    rude.send([0, 1, 0, 0, 0, 6, 1, 3, 0])
    let link = try plant.link()
    for _ in 0..<5 { #expect(try link.holding(0) == .registers([0])) }
    rude.send([0, 0, 1])
    #expect(rude.receive(11) == [0, 1, 0, 0, 0, 5, 1, 3, 2, 0, 0])
  }

  @Test(arguments: [
    [UInt8]([0, 1, 9, 9, 0, 6, 1, 3, 0, 0, 0, 1]), [0, 1, 0, 0, 0, 1, 1, 1], [0, 1, 0, 0, 255, 255, 1, 1],
  ])
  func nonsenseEndsItsOwnConnectionOnly(_ bytes: [UInt8]) throws {
    let plant = try Plant()
    let link = try plant.link()
    let rude = try RawClient(port: plant.server.port)
    rude.send(bytes)
    #expect(rude.receive(1) == [])
    #expect(try link.holding(0) == .registers([0]))
  }

  @Test(arguments: [UInt64(21), 22])
  func mutatedRequestsDoNoHarm(seed: UInt64) throws {
    let plant = try Plant(connectionsMax: 4)
    var random = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      let rude = try RawClient(port: plant.server.port)
      for _ in 0..<5 {
        let request = PDUTests.examples.randomElement(using: &random)!.pdu
        var frame = FramingTests.mbap(1, 1, request)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        rude.send(frame)
      }
    }
    eventually("seed \(seed): the server no longer answers") {
      let link = try plant.link()
      return try link.ask(.read(.inputRegisters, address: 3, count: 1)) == .registers([3])
    }
  }

  @Test func connectionsBeyondTheLimitAreClosed() throws {
    let plant = try Plant(connectionsMax: 2)
    let links = [try plant.link(), try plant.link()]
    for link in links { #expect(try link.holding(0) == .registers([0])) }
    expectFault(.closed) { _ = try plant.link().holding(0) }
    links[0].close()
    eventually("a place that was freed is not given") { try plant.link().holding(0) == .registers([0]) }
    #expect(plant.server.counts.refused >= 1)
  }

  @Test func unpluggedItDropsAndRefusesAndComesBack() throws {
    let plant = try Plant()
    let link = try plant.link()
    #expect(try link.holding(0) == .registers([0]))
    plant.server.unplug()
    #expect(throws: LinkFault.self) { try link.holding(0) }
    eventually("connections are still taken") {
      do throws(LinkFault) {
        try link.open(timeoutMs: patientMs)
        return false
      } catch { return error.kind == .unreachable && error.message.contains("refused") }
    }
    plant.server.replug()
    eventually("it does not come back") {
      try link.open(timeoutMs: patientMs)
      return try link.holding(0) == .registers([0])
    }
  }

  @Test func aTakenPortIsAFault() throws {
    let plant = try Plant()
    #expect(throws: ModbusFault.self) { try ModbusServer(bank: SmallBank(), port: plant.server.port) }
    #expect(throws: ModbusFault.self) { try ModbusServer(bank: SmallBank(), address: "no address") }
  }
}

/// A client that sends what it likes.
private final class RawClient {
  private let descriptor: Int32

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let own = descriptor
    let status = unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(own, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(status == 0)
  }

  deinit { _ = close(descriptor) }

  /// A server that hung up already is no error here.
  func send(_ bytes: [UInt8]) { _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

  /// So many bytes, or fewer when the server closes or says nothing for long.
  func receive(_ count: Int) -> [UInt8] {
    var all: [UInt8] = []
    while all.count < count {
      var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      var byte: UInt8 = 0
      guard unsafe poll(&watched, 1, Int32(patientMs)) == 1, unsafe read(descriptor, &byte, 1) == 1 else { break }
      all.append(byte)
    }
    return all
  }
}
