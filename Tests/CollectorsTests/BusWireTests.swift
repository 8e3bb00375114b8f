import Collectors
import Modbus
import Seams
import Testing
import TwinCore

/// Against Tests/Peers/fault_server.py, on its registers: unit u has 1000 u + address at address.
@Suite("A bus on a real connection", .serialized)
struct BusWireTests {
  private func start(
    _ peer: FaultPeer, _ points: [RegisterPoint], policy: WritePolicy = .never, timeoutMs: Int = 300,
    more: [Device] = []
  ) -> (Bus, Frames) {
    let frames = Frames()
    let devices = [device(points, port: peer.port, timeoutMs: timeoutMs)] + more
    return (makeBus(devices, link: devices[0].link.makeLink(), policy: policy, frames: frames), frames)
  }

  @Test("illegal registers in the middle of a block: 90 of 100 good, two requests a cycle, one connection, no write")
  func holes() async throws {
    let peer = try FaultPeer("--fault", "hole:at=50-59")
    let (bus, frames) = start(peer, registers(0..<100, everyMs: 50))
    await run(bus) { frames.list.count >= 12 }
    let list = frames.list
    for frame in list.dropFirst(2) {
      #expect(frame.qualities.filter { $0 == .good }.count == 90)
      #expect(frame.values[99] == 1099 && frame.qualities[55] == .absent)
    }
    #expect(try peer.count("connections") == 1)
    #expect(try peer.count("requests") <= 2 * list.count + 40)
    #expect(try #require(bus.status(of: "meter")).requestsPerCycle == 2)
    #expect(try peer.writeRequests() == 0)
  }

  @Test("observe mode: whatever is asked, no write request reaches the wire")
  func observe() async throws {
    let peer = try FaultPeer()
    var setpoint = registers(0..<1, everyMs: 20)[0]
    setpoint.write = WriteProfile(
      function: 16, sequence: [RegisterStep(address: 0, value: nil)], tolerance: 0, readbackMs: 100)
    let (bus, frames) = start(peer, [setpoint])
    let port = try #require(bus.claimWritePort())
    await run(bus) {
      let result = await port.perform(WriteTransaction(device: "meter", point: "r0", value: 7))
      if case .unsent = result.outcome {} else { Issue.record("\(result)") }
      try? await port.writeRegisters(device: "meter", function: 6, address: 0, [7])
      _ = await bus.diagnose(device: "meter")
      return frames.list.count >= 3
    }
    #expect(try peer.writeRequests() == 0)
    #expect(try peer.count("requests") > 3)
  }

  @Test("a write is verified on the wire; one without effect is found out")
  func write() async throws {
    let peer = try FaultPeer()
    var setpoint = RegisterPoint(name: "r4", table: .holding, address: 4, type: .float32)
    setpoint.write = WriteProfile(
      function: 16, sequence: [RegisterStep(address: 4, value: nil)], tolerance: 0, readbackMs: 60)
    let (bus, _) = start(peer, [setpoint], policy: .allowed)
    let port = try #require(bus.claimWritePort())
    let good = await port.perform(WriteTransaction(device: "meter", point: "r4", value: -1.5))
    #expect(good.outcome == .verified && good.reading?.registers == [0xBFC0, 0])
    #expect(try peer.writeRequests() == 1)
    try peer.say("fault ack-only")
    let bad = await port.perform(WriteTransaction(device: "meter", point: "r4", value: 3))
    #expect(bad.outcome == .mismatch && bad.reading?.value == -1.5)
  }

  /// The fault strikes now and then; every value that is called good must be right, and good ones must come again.
  @Test(
    "a fault of the wire never becomes a value, and passes",
    arguments: [
      "delay:ms=700,every=4", "wrong-tid:by=1,every=4", "reset:size=5,every=4", "stale:every=4", "short:by=2,every=4",
      "garbage:size=40,every=4", "wrong-unit:to=9,every=4", "wrong-function:to=4,every=4", "double:every=3",
      "torn:size=3,ms=5", "close:size=0,every=3", "byte-count:by=-2,every=4", "exception:code=6,every=3",
    ])
  func noise(_ fault: String) async throws {
    let peer = try FaultPeer("--fault", fault)
    let points = registers(0..<10, everyMs: 40) + registers(300..<310, everyMs: 40)
    let (bus, frames) = start(peer, points, timeoutMs: 250)
    await run(bus) {
      frames.list.count >= 20 && frames.list.suffix(12).contains { $0.qualities.allSatisfy { $0 == .good } }
    }
    for frame in frames.list {
      for index in 0..<20 where frame.qualities[index] == .good {
        #expect(frame.values[index] == Double(1000 + (index < 10 ? index : 290 + index)), "\(fault)")
      }
      #expect(!frame.qualities.contains(.suspect))
    }
    #expect(try #require(bus.status(of: "meter")).holes.isEmpty, "\(fault)")
  }

  @Test("a device with one socket: the old connection is gone before the next")
  func oneSocket() async throws {
    let peer = try FaultPeer("--fault", "one-socket", "--fault", "reset:size=5,every=5")
    let (bus, frames) = start(peer, registers(0..<10, everyMs: 30))
    await run(bus) { frames.list.count >= 20 && frames.list.suffix(4).allSatisfy { $0.qualities[0] == .good } }
    #expect(try peer.count("open") <= 1)
  }

  @Test(
    "a dead unit beside a live one, and a unit behind a gateway that is silent",
    arguments: ["silent:unit=2", "exception:code=11,unit=2"])
  func dead(_ fault: String) async throws {
    let peer = try FaultPeer("--units", "1,2", "--fault", fault)
    let dead = device("dead", unit: 2, registers(0..<300, everyMs: 50), port: peer.port, timeoutMs: 60)
    let (bus, frames) = start(peer, registers(0..<10, everyMs: 50), more: [dead])
    await run(bus) { frames.list.filter { $0.group == 0 }.count >= 30 }
    let live = frames.list.filter { $0.group == 0 }
    #expect(live.filter { $0.qualities.allSatisfy { $0 == .good } }.count >= 29)
    #expect(frames.list.filter { $0.group == 1 }.allSatisfy { $0.qualities.allSatisfy { $0 == .failed } })
    guard case .silent = try #require(bus.status(of: "dead")).unit else {
      Issue.record("\(String(describing: bus.status(of: "dead")))")
      return
    }
    #expect(try #require(bus.status(of: "meter")).unit == .answering)
  }

  @Test("RTU frames over TCP")
  func rtu() async throws {
    let peer = try FaultPeer("--framing", "rtu")
    let frames = Frames()
    var one = device(registers(0..<10, everyMs: 30))
    one.link = .rtuOverTCP(host: "127.0.0.1", port: peer.port)
    let bus = makeBus([one], link: one.link.makeLink(), policy: .never, frames: frames)
    await run(bus) { frames.list.count >= 3 }
    #expect(frames.list[0].values == (1000..<1010).map(Double.init))
  }

  @Test("the technician's test finds the wrong order, the numbering off by one, and the right unit")
  func diagnose() async throws {
    let peer = try FaultPeer("--fault", "hole:at=20-20")
    try peer.say("poke 1 30 0")
    try peer.say("poke 1 31 17096")  // 0x42C8 behind 0x0000: 100.0 with the low register first
    let points = [
      RegisterPoint(name: "fine", table: .holding, address: 3, type: .uint16, range: 0...2000),
      RegisterPoint(name: "order", table: .holding, address: 30, type: .float32),
      RegisterPoint(name: "off", table: .holding, address: 20, type: .uint16),
      RegisterPoint(name: "out", table: .holding, address: 5, type: .uint16, range: 0...10),
    ]
    let (bus, _) = start(peer, points)
    let steps = await bus.diagnose(device: "meter")
    #expect(steps.map(\.name) == ["connection", "answer", "fine", "order", "off", "out"])
    #expect(steps.map(\.verdict) == [.good, .good, .good, .warning, .bad, .warning])
    #expect(steps[2].value == 1003)
    #expect(steps[3].hint?.contains("low register first it is 100.0") == true, "\(steps[3])")
    #expect(steps[4].hint?.contains("off by one") == true, "\(steps[4])")

    let gateway = try FaultPeer("--units", "255")
    let (other, _) = start(gateway, points)
    let found = await other.diagnose(device: "meter")
    #expect(
      found.last?.verdict == .bad && found.last?.hint?.contains("set the device's unit to 255") == true, "\(found)")

    let nobody = makeBus(
      [device(points, port: 1)], link: LinkAddress.tcp(host: "127.0.0.1", port: 1).makeLink(), frames: Frames())
    #expect(await nobody.diagnose(device: "meter").map(\.verdict) == [.bad])
  }
}
