import Collectors
import Glibc
import Modbus
import Seams
import Synchronization
import Testing
import TwinCore

/// Chance from a seed; tests print the seed (SplitMix64).
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Time that jumps to whatever is waited for, and stands still at its end.
final class JumpingClock: SiteClock {
  private let now = Mutex(Int64(0))
  private let end: Int64

  init(seconds: Double) { end = Int64(seconds * 1e9) }

  static let start = Instant(nanoseconds: 1_768_288_500_000_000_000)
  var uptime: Uptime { Uptime(nanoseconds: now.withLock { $0 }) }
  var instant: Instant { Self.start.advanced(byNanoseconds: uptime.nanoseconds) }
  var isTrusted: Bool { true }
  var isOver: Bool { uptime.nanoseconds >= end }

  func spend(_ nanoseconds: Int64) { now.withLock { $0 += nanoseconds } }

  func sleep(until deadline: Uptime) async {
    now.withLock { $0 = max($0, min(deadline.nanoseconds, end)) }
    if deadline.nanoseconds > end {
      while !Task.isCancelled { try? await Task.sleep(nanoseconds: 1_000_000) }
    } else {
      await Task.yield()
    }
  }
}

/// A device behind a fake link: memory, holes, and what was asked.
final class FakeDevice: Sendable {
  struct State {
    var holding = [UInt16](repeating: 0, count: 20_000)
    var holes: Set<Int> = []
    /// Count up after every request.
    var counting: [Int] = []
    var registersMax = 125
    var silentUnits: Set<UInt8> = []
    /// Answers with this exception instead, per unit.
    var exceptions: [UInt8: UInt8] = [:]
    /// Forgets writes.
    var isStubborn = false
    var refusesConnections = false
    var requests: [(unit: UInt8, pdu: [UInt8], at: Uptime)] = []
    var opened: [Uptime] = []
  }

  let state = Mutex(State())
  let clock: JumpingClock
  let transactionNanoseconds: Int64
  /// How long a transaction really blocks its thread.
  let blocksMicroseconds: UInt32

  init(_ clock: JumpingClock, transactionNanoseconds: Int64 = 1_000_000, blocksMicroseconds: UInt32 = 0) {
    (self.clock, self.transactionNanoseconds) = (clock, transactionNanoseconds)
    self.blocksMicroseconds = blocksMicroseconds
  }

  func link() -> sending FakeLink { FakeLink(self) }
  func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
  var opened: [Uptime] { state.withLock { $0.opened } }
  var requests: [(unit: UInt8, pdu: [UInt8], at: Uptime)] { state.withLock { $0.requests } }

  func answer(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    clock.spend(transactionNanoseconds)
    if blocksMicroseconds > 0 { usleep(blocksMicroseconds) }
    let answer: [UInt8]? = state.withLock { state in
      defer { for register in state.counting { state.holding[register] += 1 } }
      state.requests.append((unit, pdu, clock.uptime))
      if state.silentUnits.contains(unit) { return nil }
      let (start, count) = (Int(pdu[1]) << 8 | Int(pdu[2]), pdu[0] == 6 ? 1 : Int(pdu[3]) << 8 | Int(pdu[4]))
      if let code = state.exceptions[unit] { return [pdu[0] | 0x80, code] }
      if count > state.registersMax { return [pdu[0] | 0x80, 3] }
      if (start..<start + count).contains(where: { state.holes.contains($0) }) { return [pdu[0] | 0x80, 2] }
      switch pdu[0] {
      case 3:
        return [3, UInt8(2 * count)]
          + state.holding[start..<start + count].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
      case 6:
        if !state.isStubborn { state.holding[start] = UInt16(pdu[3]) << 8 | UInt16(pdu[4]) }
        return pdu
      case 16:
        for index in 0..<count where !state.isStubborn {
          state.holding[start + index] = UInt16(pdu[6 + 2 * index]) << 8 | UInt16(pdu[7 + 2 * index])
        }
        return Array(pdu.prefix(5))
      default: return [pdu[0] | 0x80, 1]
      }
    }
    if let answer { return answer }
    clock.spend(Int64(timeoutMs) * 1_000_000)
    throw LinkFault(.timeout, "no answer", remedy: "none")
  }
}

final class FakeLink: DeviceLink {
  private let device: FakeDevice
  private(set) var isOpen = false
  private(set) var counters = LinkCounters()

  init(_ device: FakeDevice) { self.device = device }

  func open(timeoutMs: Int) throws(LinkFault) {
    let refuses = device.state.withLock { state in
      state.opened.append(device.clock.uptime)
      return state.refusesConnections
    }
    if refuses { throw LinkFault(.unreachable, "refused", remedy: "none") }
    counters.connects += 1
    isOpen = true
  }

  func transact(unit: UInt8, pdu: [UInt8], timeoutMs: Int) throws(LinkFault) -> [UInt8] {
    try device.answer(unit: unit, pdu: pdu, timeoutMs: timeoutMs)
  }

  func close() { isOpen = false }
}

/// Collects what a bus delivers.
final class Frames: Sendable {
  private let all = Mutex<[Frame]>([])
  private let facts = Mutex<[String: [UInt8]]>([:])

  func add(_ frame: Frame) { all.withLock { $0.append(frame) } }
  func remember(_ device: String, _ bytes: [UInt8]) { facts.withLock { $0[device] = bytes } }
  var list: [Frame] { all.withLock { $0 } }
  var learned: [String: [UInt8]] { facts.withLock { $0 } }
}

/// Numbers from several tasks.
final class Tally: Sendable {
  private let numbers = Mutex<[Int]>([])

  func add(_ number: Int) { numbers.withLock { $0.append(number) } }
  var sorted: [Int] { numbers.withLock { $0.sorted() } }
}

/// Runs the bus until `isDone`, or gives up after half a minute.
func run(_ bus: Bus, until isDone: @escaping @Sendable () async -> Bool) async {
  await withTaskGroup(of: Void.self) { group in
    group.addTask { await bus.run() }
    group.addTask {
      for _ in 0..<15_000 {
        if await isDone() { return }
        try? await Task.sleep(nanoseconds: 2_000_000)
      }
      Issue.record("the bus did not get there")
    }
    await group.next()
    group.cancelAll()
  }
}

func registers(_ range: Range<Int>, everyMs: Int = 1000, prefix: String = "r") -> [RegisterPoint] {
  range.map { RegisterPoint(name: "\(prefix)\($0)", table: .holding, address: $0, type: .uint16, everyMs: everyMs) }
}

func device(
  unit: UInt8 = 1, _ points: [RegisterPoint], port: UInt16 = 502, timeoutMs: Int = 1000
) -> Device {
  device("meter", unit: unit, points, port: port, timeoutMs: timeoutMs)
}

func device(
  _ id: String, unit: UInt8 = 1, _ points: [RegisterPoint], port: UInt16 = 502, timeoutMs: Int = 1000,
  gapMergeMax: Int? = nil
) -> Device {
  Device(
    id: id, profile: "test", link: .tcp(host: "127.0.0.1", port: port), unit: unit, points: points,
    timeoutMs: timeoutMs,
    gapMergeMax: gapMergeMax)
}

func makeBus(
  _ devices: [Device], link: sending any DeviceLink, clock: any SiteClock = SystemClock(),
  policy: WritePolicy = .allowed,
  frames: Frames, facts: [String: [UInt8]] = [:], counter: String? = nil
) -> Bus {
  Bus(
    address: devices[0].link, devices: devices, groups: CollectorConfiguration(devices, counter: counter).groups,
    link: link,
    clock: clock,
    policy: policy, seed: 7, facts: facts, remember: { frames.remember($0, $1) }, deliver: { frames.add($0) })
}
