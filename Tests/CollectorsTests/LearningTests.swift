import Collectors
import Testing
import TwinCore

@Suite("What a device refused is remembered")
struct HoleMapTests {
  static let hour: Int64 = 3_600_000_000_000

  @Test("ranges added in any order answer as a set of addresses", arguments: 1...30)
  func set(_ seed: Int) throws {
    var dice = Dice(UInt64(seed))
    var map = HoleMap(profile: "p", unit: 3)
    var model: Set<[Int]> = []
    for _ in 0..<40 {
      let table = RegisterTable.allCases.randomElement(using: &dice)!
      let start = Int.random(in: 0...200, using: &dice)
      let range = start..<start + Int.random(in: 1...9, using: &dice)
      map.add(table, range, at: Instant(nanoseconds: 5))
      for address in range { model.insert([RegisterTable.allCases.firstIndex(of: table)!, address]) }
    }
    for (index, table) in RegisterTable.allCases.enumerated() {
      for address in 0..<215 {
        #expect(map.isHole(table, address..<address + 1) == model.contains([index, address]), "seed \(seed)")
        let isNear = model.contains([index, address]) || model.contains([index, address + 1])
        #expect(map.isHole(table, address..<address + 2) == isNear, "seed \(seed)")
      }
    }
    #expect(try HoleMap(bytes: map.bytes) == map)
  }

  @Test("it is tried again after an hour, then weekly")
  func checks() throws {
    var map = HoleMap(profile: "p", unit: 1)
    map.add(.holding, 10..<12, at: Instant(nanoseconds: 0))
    let first = try #require(map.nextCheck)
    #expect(first.at == Instant(nanoseconds: Self.hour))
    map.confirm(first.hole, at: Instant(nanoseconds: Self.hour))
    let second = try #require(map.nextCheck)
    #expect(second.at == Instant(nanoseconds: Self.hour * (1 + 24 * 7)))
    map.fill(second.hole)
    #expect(map.holes.isEmpty)
  }

  @Test("damaged bytes are refused", arguments: 1...200)
  func damage(_ seed: Int) throws {
    var dice = Dice(UInt64(seed))
    var map = HoleMap(profile: "meter", unit: 9)
    map.add(.coil, 3..<4, at: Instant(nanoseconds: 1))
    map.add(.holding, 10..<30, at: Instant(nanoseconds: 2))
    map.limitRequests(to: 60, at: Instant(nanoseconds: 3))
    var bytes = map.bytes
    #expect(try HoleMap(bytes: bytes) == map)
    let place = Int.random(in: 0..<bytes.count, using: &dice)
    switch seed % 3 {
    case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &dice))
    case 1: bytes.append(0)
    default: bytes[place] ^= UInt8.random(in: 1...255, using: &dice)
    }
    // Either it is seen, or it is another whole map: never a trap, never a map that its own bytes do not give again.
    if let other = try? HoleMap(bytes: bytes) { #expect(other.bytes == bytes && other != map, "seed \(seed)") }
  }

  @Test("a learned limit only shrinks, and is forgotten after a week")
  func limit() {
    var map = HoleMap(profile: "p", unit: 1)
    map.limitRequests(to: 60, at: Instant(nanoseconds: 0))
    map.limitRequests(to: 90, at: Instant(nanoseconds: 0))
    #expect(map.registersMax == 60)
    let early = map.forgetLimit(at: Instant(nanoseconds: Self.hour))
    #expect(!early && map.registersMax == 60)
    let late = map.forgetLimit(at: Instant(nanoseconds: 24 * 7 * Self.hour))
    #expect(late && map.registersMax == nil)
  }
}

@Suite("A dead unit is left alone, and found again")
struct UnitBreakerTests {
  @Test("however slowly requests fail, a dead unit takes at most a tenth of the time", arguments: 1...40)
  func share(_ seed: Int) {
    var dice = Dice(UInt64(seed))
    var breaker = UnitBreaker(busShare: 0.1)
    var (now, spent) = (Uptime(nanoseconds: 0), Int64(0))
    let timeout = Int64.random(in: 1...3000, using: &dice) * 1_000_000
    for _ in 0..<200 {
      switch breaker.permission(at: now) {
      case .nothing(let until):
        #expect(until > now)
        now = until
        #expect(Double(spent) <= 0.1 * Double(now.nanoseconds) * 1.0001, "seed \(seed), timeout \(timeout)")
        continue
      case .probe: breaker.beginProbe()
      case .anything: break
      }
      now = now.advanced(byNanoseconds: timeout)
      spent += timeout
      breaker.failed(at: now, took: timeout, using: &dice)
    }
    #expect(spent > 3 * timeout)
  }

  @Test("it opens at the third failure, waits 2 s doubling to 5 minutes, and closes at the first answer")
  func waits() {
    var dice = Dice(1)
    var breaker = UnitBreaker(busShare: 1)
    var now = Uptime(nanoseconds: 0)
    for expected in [nil, nil, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] as [Double?] {
      if breaker.permission(at: now) == .probe {
        breaker.beginProbe()
        #expect(breaker.permission(at: now) == .nothing(until: now), "one probe at a time")
      }
      breaker.failed(at: now, took: 0, using: &dice)
      guard let expected else {
        #expect(breaker.state == .closed)
        continue
      }
      guard case .open(let until) = breaker.state else {
        Issue.record("still closed")
        return
      }
      let wait = Double(until.nanoseconds(since: now)) / 1e9
      #expect((expected...expected * 1.2).contains(wait))
      #expect(breaker.permission(at: until.advanced(byNanoseconds: -1)) == .nothing(until: until))
      now = until
    }
    breaker.beginProbe()
    breaker.answered()
    #expect(breaker == UnitBreaker(busShare: 1))
  }
}

@Suite("Devices become poll groups")
struct CollectorConfigurationTests {
  @Test("by device, then by period; texts have no column; the order is the profile's")
  func groups() {
    let slow = RegisterPoint(name: "slow", table: .holding, address: 9, type: .float32, unit: "W", everyMs: 5000)
    let serial = RegisterPoint(name: "serial", table: .holding, address: 20, type: .text(registers: 4, bytes: .both))
    let fast = RegisterPoint(
      name: "fast", table: .input, address: 1, type: .int16, scale: 0.1, unit: "Cel", accuracy: 0.5)
    let configuration = CollectorConfiguration([
      device("a", [slow, serial, fast]), device("b", unit: 2, registers(0..<2)),
    ])
    #expect(
      configuration.groups == [
        PollGroup(number: 0, device: "a", points: ["fast"], everyMs: 1000),
        PollGroup(number: 1, device: "a", points: ["slow"], everyMs: 5000),
        PollGroup(number: 2, device: "b", points: ["r0", "r1"], everyMs: 1000),
      ])
    let layout = configuration.layout(configuration.groups[0])
    #expect(
      layout.points == ["a.fast"] && layout.scales == [0.1] && layout.variances == [0.25] && layout.units == ["Cel"])
    #expect(layout.provenance == ["modbus-tcp 127.0.0.1:502 unit 1 input 30002+1"])
    #expect(configuration.layout(configuration.groups[1]).scales == [0])
    #expect(configuration.buses.map(\.devices.count) == [2])
  }
}
