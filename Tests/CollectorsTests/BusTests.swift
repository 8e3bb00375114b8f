import Collectors
import Modbus
import Seams
import Testing
import TwinCore

@Suite("A bus on a fake link")
struct BusTests {
  /// Runs the bus for virtual seconds.
  private func play(
    _ devices: [Device], _ fake: FakeDevice, facts: [String: [UInt8]] = [:], policy: WritePolicy = .allowed
  ) async -> (frames: Frames, bus: Bus) {
    let frames = Frames()
    let bus = makeBus(devices, link: fake.link(), clock: fake.clock, policy: policy, frames: frames, facts: facts)
    let clock = fake.clock
    await run(bus) { clock.isOver }
    return (frames, bus)
  }

  @Test(
    "an illegal register in the middle of a block: neighbours good, two requests a cycle, no reconnect, kept over a restart"
  )
  func holes() async throws {
    let fake = FakeDevice(JumpingClock(seconds: 10))
    fake.change { $0.holes = Set(50..<60) }
    fake.change { for index in 0..<100 { $0.holding[index] = UInt16(index) } }
    let (frames, bus) = await play([device(registers(0..<100))], fake)
    for frame in frames.list {
      #expect(frame.qualities.enumerated().allSatisfy { $1 == ((50..<60).contains($0) ? .absent : .good) })
    }
    #expect(frames.list[0].values[99] == 99 && frames.list[0].values[49] == 49)
    let second = Int64(1_500_000_000)
    #expect(fake.requests.filter { $0.at.nanoseconds > second }.count <= 2 * (frames.list.count - 1))
    #expect(fake.opened.count == 1)
    #expect(try #require(bus.status(of: "meter")).holes.count == 10)

    let again = FakeDevice(JumpingClock(seconds: 3))
    again.change { $0.holes = Set(50..<60) }
    let (later, _) = await play([device(registers(0..<100))], again, facts: frames.learned)
    #expect(again.requests.count == 2 * later.list.count, "nothing has to be learned again")
    let other = FakeDevice(JumpingClock(seconds: 1))
    _ = await play([device(unit: 2, registers(0..<100))], other, facts: frames.learned)
    #expect(other.requests[0].pdu[4] == 100, "facts of another unit count for nothing")
  }

  @Test("an illegal register in a gap: the gap is no longer read along")
  func gapHole() async {
    let fake = FakeDevice(JumpingClock(seconds: 5))
    fake.change { $0.holes = [15] }
    let (frames, _) = await play([device(registers(0..<10) + registers(20..<30))], fake)
    #expect(frames.list.allSatisfy { $0.qualities.allSatisfy { $0 == .good } })
    #expect(fake.requests.count == 1 + 2 * frames.list.count)
  }

  @Test("a device that moves on between two requests: a step's count never stands beside older values")
  func counterFirst() async {
    let fake = FakeDevice(JumpingClock(seconds: 10))
    fake.change { $0.counting = [0, 200] }
    let frames = Frames()
    let points = registers(0..<1) + registers(200..<201)
    let bus = makeBus(
      [device(points)], link: fake.link(), clock: fake.clock, frames: frames, counter: "meter.r200")
    let clock = fake.clock
    await run(bus) { clock.isOver }
    #expect(fake.requests.count == 2 * frames.list.count, "two requests a poll, or nothing is shown")
    #expect(frames.list.count >= 9 && frames.list.allSatisfy { $0.values[0] > $0.values[1] })
  }

  @Test("a hole is tried again after an hour and found filled")
  func reprobe() async {
    let fake = FakeDevice(JumpingClock(seconds: 4000))
    fake.change { $0.holes = [5] }
    let frames = Frames()
    let bus = makeBus(
      [device(registers(0..<10, everyMs: 60_000))], link: fake.link(), clock: fake.clock, frames: frames)
    let clock = fake.clock
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        while clock.uptime.nanoseconds < 1_000_000_000_000 { await Task.yield() }
        fake.change { $0.holes = [] }
      }
      group.addTask { await run(bus) { clock.isOver } }
    }
    #expect(frames.list.first?.qualities[5] == .absent)
    #expect(frames.list.last?.qualities[5] == .good)
  }

  @Test("a device that takes only 40 registers at once: halved and remembered")
  func limit() async throws {
    let fake = FakeDevice(JumpingClock(seconds: 12))
    fake.change { $0.registersMax = 40 }
    let (frames, bus) = await play([device(registers(0..<120))], fake)
    #expect(frames.list.last?.qualities.allSatisfy { $0 == .good } == true)
    #expect(frames.list.allSatisfy { !$0.qualities.contains(.absent) })
    #expect(try #require(bus.status(of: "meter")).registersPerRequestMax == 30)
    let last = fake.requests.suffix(4).map { $0.pdu[4] }
    #expect(last == [30, 30, 30, 30])
  }

  @Test("device failure and busy: no value, no zero, no reconnect", arguments: [4, 6] as [UInt8])
  func refusals(_ code: UInt8) async throws {
    let fake = FakeDevice(JumpingClock(seconds: 5))
    fake.change { $0.exceptions = [1: code] }
    let (frames, bus) = await play([device(registers(0..<10))], fake)
    #expect(frames.list.count >= 5 && frames.list.allSatisfy { $0.qualities.allSatisfy { $0 == .failed } })
    #expect(fake.opened.count == 1)
    let status = try #require(bus.status(of: "meter"))
    #expect(status.holes.isEmpty && status.lastFault?.kind == .exception(code))
    #expect(fake.requests.count <= frames.list.count)
  }

  @Test(
    "a dead unit beside a live one: the live one keeps every period, the dead one a tenth", arguments: [true, false])
  func deadUnit(_ bySilence: Bool) async throws {
    let fake = FakeDevice(JumpingClock(seconds: 200))
    if bySilence { fake.change { $0.silentUnits = [2] } } else { fake.change { $0.exceptions = [2: 11] } }
    let devices = [
      device("live", registers(0..<10)), device("dead", unit: 2, registers(0..<500)),
    ]
    let (frames, bus) = await play(devices, fake)
    let live = frames.list.filter { $0.group == 0 }
    let dead = frames.list.filter { $0.group == 1 }
    #expect(live.allSatisfy { $0.qualities.allSatisfy { $0 == .good } })
    #expect(dead.count > 100 && dead.allSatisfy { $0.qualities.allSatisfy { $0 == .failed } })
    let askedDead = fake.requests.filter { $0.unit == 2 }
    #expect(askedDead.count <= (bySilence ? 21 : 14))
    #expect(askedDead.dropFirst(3).allSatisfy { $0.pdu[4] == 1 }, "after the first three only probes")
    if bySilence { #expect(live.count >= 175) } else { #expect(live.count >= 199) }
    guard case .silent = try #require(bus.status(of: "dead")).unit else {
      Issue.record("the dead unit is not shown as silent")
      return
    }
  }

  @Test("no connection: frames say failed, retries back off to half a minute")
  func unreachable() async throws {
    let fake = FakeDevice(JumpingClock(seconds: 300))
    fake.change { $0.refusesConnections = true }
    let (frames, bus) = await play([device(registers(0..<10))], fake)
    #expect(frames.list.count >= 299 && frames.list.allSatisfy { $0.qualities.allSatisfy { $0 == .failed } })
    let opened = fake.opened
    #expect((12...22).contains(opened.count), "\(opened.count) attempts")
    guard case .waiting = try #require(bus.status(of: "meter")).link else { return }
  }

  @Test("missed periods are skipped and counted, never piled up")
  func slow() async throws {
    let fake = FakeDevice(JumpingClock(seconds: 20), transactionNanoseconds: 300_000_000)
    let (frames, bus) = await play([device(registers(0..<10, everyMs: 100))], fake)
    let status = try #require(bus.status(of: "meter"))
    #expect(frames.list.count == fake.requests.count)
    // A poll takes three periods: two are skipped for each.
    let polls = frames.list.count
    #expect(polls >= 60)
    #expect((2 * polls - 4...2 * polls + 4).contains(status.pollsSkipped), "\(status.pollsSkipped) of \(polls)")
  }

  @Test("a frame's time is the middle of its requests")
  func times() async {
    let fake = FakeDevice(JumpingClock(seconds: 0.5), transactionNanoseconds: 10_000_000)
    let (frames, _) = await play([device(registers(0..<250))], fake)
    let frame = frames.list[0]
    #expect(frame.effective == JumpingClock.start.advanced(byNanoseconds: 10_000_000))
    #expect(frame.uptime == Uptime(nanoseconds: 20_000_000))
  }

  @Test("a power of ten read in the same request scales; one read apart makes the value suspect")
  func powers() async {
    let fake = FakeDevice(JumpingClock(seconds: 0.5))
    fake.change {
      ($0.holding[0], $0.holding[100], $0.holding[300], $0.holding[101]) = (1234, 0xFFFF, 5, 0x8000)
    }
    func value(_ name: String, _ address: Int, _ from: String) -> RegisterPoint {
      RegisterPoint(name: name, table: .holding, address: address, type: .int16, scaleFrom: from)
    }
    let points = [
      value("near", 0, "sf"), value("far", 300, "sf"), value("none", 1, "unset"),
      RegisterPoint(name: "sf", table: .holding, address: 100, type: .scaleFactor, everyMs: 60_000),
      RegisterPoint(name: "unset", table: .holding, address: 101, type: .scaleFactor, everyMs: 60_000),
    ]
    let (frames, _) = await play([device(points)], fake)
    let frame = frames.list.first { $0.group == 0 }
    #expect(frame?.qualities == [.good, .suspect, .absent])
    #expect(frame?.values == [123.4, 0.5, 0])
  }

  @Test("texts go to the status, not into frames")
  func texts() async throws {
    let fake = FakeDevice(JumpingClock(seconds: 0.5))
    fake.change { ($0.holding[30], $0.holding[31]) = (0x534E, 0x3721) }
    let serial = RegisterPoint(
      name: "serial", table: .holding, address: 30, type: .text(registers: 2, bytes: .both), everyMs: 9)
    let (frames, bus) = await play([device(registers(0..<2) + [serial])], fake)
    #expect(frames.list[0].values.count == 2)
    #expect(try #require(bus.status(of: "meter")).texts == ["serial": "SN7!"])
  }

  @Test("a fast group is not held up by a long one, nor the long one starved")
  func urgency() async {
    let fake = FakeDevice(JumpingClock(seconds: 20), transactionNanoseconds: 20_000_000)
    let devices = [
      device("long", unit: 2, registers(0..<10_000, everyMs: 10_000)), device("fast", registers(0..<1, everyMs: 100)),
    ]
    let (frames, bus) = await play(devices, fake)
    #expect(frames.list.filter { $0.group == 1 }.count >= 180)
    #expect(frames.list.contains { $0.group == 0 })
    #expect(bus.status(of: "fast")?.pollsSkipped == 0)
  }

  @Test("points at addresses that no request can name are absent, and harm nobody")
  func impossible() async {
    let fake = FakeDevice(JumpingClock(seconds: 2))
    let points =
      registers(0..<2) + registers(-1..<0) + registers(65_536..<65_537)
      + [RegisterPoint(name: "end", table: .holding, address: 65_535, type: .uint32)]
    let (frames, _) = await play([device(points)], fake)
    #expect(frames.list.allSatisfy { $0.qualities == [.good, .good, .absent, .absent, .absent] })
  }

  @Test("a table that the device does not have: absent, and not asked again")
  func noTable() async {
    let fake = FakeDevice(JumpingClock(seconds: 5))
    let input = RegisterPoint(name: "input", table: .input, address: 7, type: .uint16)
    let (frames, _) = await play([device(registers(0..<2) + [input])], fake)
    #expect(frames.list.allSatisfy { $0.qualities == [.good, .good, .absent] })
    #expect(fake.requests.filter { $0.pdu[0] == 4 }.count == 1)
  }
}

@Suite("Writes")
struct WriteTests {
  private static func setpoint(_ sequence: [RegisterStep], function: UInt8 = 6) -> RegisterPoint {
    RegisterPoint(
      name: "setpoint", table: .holding, address: 10, type: .int16, scale: 0.1,
      write: WriteProfile(function: function, sequence: sequence, tolerance: 0.05, readbackMs: 300))
  }

  private func write(
    _ value: Double, sequence: [RegisterStep] = [RegisterStep(address: 10, value: nil)], policy: WritePolicy = .allowed,
    _ prepare: (inout FakeDevice.State) -> Void = { _ in }
  ) async -> (WriteResult, FakeDevice) {
    let fake = FakeDevice(JumpingClock(seconds: 100))
    fake.change(prepare)
    let bus = makeBus(
      [device([Self.setpoint(sequence)])], link: fake.link(), clock: fake.clock, policy: policy, frames: Frames())
    return (
      await bus.claimWritePort()!.perform(WriteTransaction(device: "meter", point: "setpoint", value: value)), fake
    )
  }

  @Test("a sequence is written in order, and verified by reading back")
  func sequence() async {
    let steps = [
      RegisterStep(address: 5, value: 1), RegisterStep(address: 10, value: nil), RegisterStep(address: 5, value: 7),
    ]
    let (result, fake) = await write(12.34, sequence: steps)
    #expect(result.outcome == .verified && result.stepsConfirmed == 3)
    #expect(result.written == 12.3 && result.reading?.registers == [123])
    #expect(fake.requests.map(\.pdu) == [[6, 0, 5, 0, 1], [6, 0, 10, 0, 123], [6, 0, 5, 0, 7], [3, 0, 10, 0, 1]])
  }

  @Test("confirmed but without effect is a mismatch, known only after the profile's time")
  func stubborn() async {
    let (result, fake) = await write(5) { $0.isStubborn = true }
    #expect(result.outcome == .mismatch && result.reading?.value == 0)
    #expect(fake.clock.uptime.nanoseconds >= 300_000_000)
    #expect(fake.requests.filter { $0.pdu[0] == 6 }.count == 1, "a write is not repeated")
  }

  @Test("a refusal ends the sequence")
  func refused() async {
    let (result, fake) = await write(5) { $0.exceptions = [1: 3] }
    #expect(result.outcome == .refused(3) && result.stepsConfirmed == 0 && fake.requests.count == 1)
  }

  @Test("no answer to a write is neither success nor failure")
  func unknown() async {
    let (result, fake) = await write(5) { $0.silentUnits = [1] }
    guard case .unknown(let fault) = result.outcome else {
      Issue.record("\(result)")
      return
    }
    #expect(fault.kind == .link(.timeout))
    #expect(fake.requests.filter { $0.pdu[0] == 6 }.count == 1)
  }

  @Test("what does not fit is not sent")
  func unfit() async {
    let (result, fake) = await write(1e6)
    guard case .unsent(let fault) = result.outcome else {
      Issue.record("\(result)")
      return
    }
    #expect(fault.kind == .unfit && fake.requests.isEmpty)
  }

  @Test("a bus that only reads sends no write, by either door")
  func observe() async {
    let (result, fake) = await write(5, policy: .never)
    guard case .unsent(let fault) = result.outcome else {
      Issue.record("\(result)")
      return
    }
    #expect(fault.kind == .writesForbidden)
    let bus = makeBus(
      [device(registers(0..<1))], link: fake.link(), clock: fake.clock, policy: .never, frames: Frames())
    let port = bus.claimWritePort()!
    #expect(bus.claimWritePort() == nil, "there is one right to write")
    for function: UInt8 in [5, 6, 15, 16] {
      let fault = await #expect(throws: BusFault.self) {
        try await port.writeRegisters(device: "meter", function: function, address: 1, [1])
      }
      #expect(fault?.kind == .writesForbidden)
    }
    #expect(fake.requests.isEmpty)
  }

  @Test("a write waits for at most one request of a long poll")
  func priority() async throws {
    let clock = JumpingClock(seconds: 2000)
    let fake = FakeDevice(clock, transactionNanoseconds: 5_000_000, blocksMicroseconds: 200)
    let frames = Frames()
    let points = registers(100..<10_100, everyMs: 1000) + [Self.setpoint([RegisterStep(address: 10, value: nil)])]
    let bus = makeBus([device(points)], link: fake.link(), clock: clock, frames: frames)
    let waits = Tally()
    let port = bus.claimWritePort()!
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await run(bus) { waits.sorted.count >= 50 }
      }
      for index in 0..<50 {
        while fake.requests.isEmpty { await Task.yield() }
        let asked = fake.requests.count
        let result = await port.perform(WriteTransaction(device: "meter", point: "setpoint", value: Double(index)))
        let place = fake.requests.lastIndex { $0.pdu[0] == 6 } ?? 0
        #expect(result.outcome == .verified)
        waits.add(place - asked)
      }
    }
    // `asked` is read before the call, so one more request may start and one finish before the ticket stands.
    #expect(waits.sorted[25] <= 2, "\(waits.sorted)")
  }

  @Test("a write goes before read-backs and technicians who came earlier")
  func overtaking() async {
    let fake = FakeDevice(JumpingClock(seconds: 100), blocksMicroseconds: 3000)
    let points = registers(100..<130) + [Self.setpoint([RegisterStep(address: 10, value: nil)])]
    let bus = makeBus([device(points)], link: fake.link(), clock: fake.clock, frames: Frames())
    let port = bus.claimWritePort()!
    await withTaskGroup(of: Void.self) { group in
      group.addTask { _ = await bus.diagnose(device: "meter") }
      for address in 100..<130 {
        group.addTask { _ = try? await bus.readPoint(device: "meter", point: "r\(address)") }
      }
      while fake.requests.count < 3 { await Task.yield() }
      let asked = fake.requests.count
      let result = await port.perform(WriteTransaction(device: "meter", point: "setpoint", value: 4))
      let place = fake.requests.firstIndex { $0.pdu[0] == 6 } ?? .max
      #expect(result.outcome == .verified)
      #expect(place - asked <= 2, "request \(place), \(asked) were out when it came")
    }
    #expect(fake.requests.count > 60)
  }
}
