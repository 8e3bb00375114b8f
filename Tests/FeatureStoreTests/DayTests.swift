import Seams
import Testing
import TwinCore

@testable import FeatureStore

@Suite("The days of a site") struct DayTests {
  let site = Site()
  private static let noon: Int64 = 20_000 * 86_400 + 43_200
  private static let forever = Retention(keep: .seconds(1 << 40), keepDecisions: .seconds(1 << 40))

  /// Ticks every ten minutes for days; two groups.
  private func fill(_ store: SiteStore, hours: Int64, from first: Int64 = 1) throws {
    for group: Int32 in 0..<2 { try store.register(.test(group: group, scales: [0.1, 0]), at: .second(0)) }
    for number in first..<first + hours * 6 {
      let second = Self.noon + number * 600
      try store.add(
        tick: number, at: .second(second),
        (0..<2).map { .test(group: $0, at: second, values: [Double(number) * 0.1, 1 / Double(number)]) })
      var decision = DecisionEntry.test(number)
      decision.instant = .second(second)
      try store.append(decision: decision)
      try store.commit()
    }
  }

  /// Everything may leave.
  private func letGo(_ store: SiteStore) throws {
    var policies: [String: DataPolicy] = [:]
    for point in ["g0.0", "g0.1", "g1.0", "g1.1"] { policies[point] = DataPolicy(export: .raw) }
    try store.register(policies: policies)
    try store.commit()
  }

  @Test("are closed in bounded steps when they are over, and say the same afterwards")
  func closing() throws {
    let store = try site.open()
    try fill(store, hours: 72)
    let before = try log(store)
    let range = Instant.second(0)..<Instant.second(1 << 33)
    let samples = try store.read(points: ["g0.0", "g1.1"], effective: range)
    let now = Instant.second(Self.noon + 72 * 3600)
    #expect(site.names("data").filter { $0.hasSuffix(".twc") }.isEmpty)
    var steps = 0
    while try !store.prune(Self.forever, now: now).isDone { steps += 1 }
    #expect(steps > 3)
    let names = site.names("data")
    #expect(names.filter { $0.hasSuffix(".twc") }.count == 3 && names.filter { $0.hasSuffix(".tws") }.count == 1)
    #expect(names.filter { $0.hasSuffix(".twr") }.count == 3, "each closed day with its rollups")
    #expect(!names.contains { $0.hasSuffix(".tmp") })
    let after = try log(store)
    #expect(after.map(\.0) == before.map(\.0) && after.map(\.1) == before.map(\.1))
    #expect(try store.read(points: ["g0.0", "g1.1"], effective: range) == samples)
    let units = try store.units(day: Days.name(20_001))
    #expect(units.count == 3, "one body a group, and one of ticks")
  }

  @Test("are closed again when something late came to them")
  func late() throws {
    let store = try site.open()
    try fill(store, hours: 36)
    try store.closeDays(before: .second(20_001 * 86_400))
    let second = Self.noon + 36 * 3600
    try store.add(tick: 1000, at: .second(second), [.test(group: 1, at: Self.noon + 1, values: [7, 7])])
    try store.commit()
    try store.close()
    let again = try site.open()
    let name = Days.name(20_000)
    #expect(site.names("data").filter { $0.hasPrefix(name) } == ["\(name).twc", "\(name).tws"])
    let range = Instant.second(Self.noon)..<Instant.second(Self.noon + 900)
    let found = try again.read(points: ["g1.0"], effective: range)[0].samples
    #expect(found.map(\.value) == [7, 0.1])
    try again.closeDays(before: .second(20_001 * 86_400))
    #expect(site.names("data").filter { $0.hasPrefix(name) } == ["\(name).twc"])
    #expect(try again.read(points: ["g1.0"], effective: range)[0].samples == found)
    #expect(try log(again).last?.1.map(\.values) == [[7, 7]])
  }

  @Test("are read by another process while they are closed and removed under it")
  func beside() throws {
    let store = try site.open()
    try fill(store, hours: 72)
    let reader = try StoreReader(directory: site.path)
    let range = Instant.second(0)..<Instant.second(1 << 33)
    let expected = try store.read(points: ["g0.0"], effective: range)
    let cursor = try reader.ticks(from: 1)
    var seen: [Int64] = []
    let now = Instant.second(Self.noon + 72 * 3600)
    var isDone = false
    while !isDone {
      #expect(try reader.read(points: ["g0.0"], effective: range) == expected)
      for _ in 0..<9 { if let next = try cursor.next() { seen.append(next.tick.number) } }
      isDone = try store.prune(Self.forever, now: now).isDone
    }
    while let next = try cursor.next() {
      #expect(next.frames.count == 2)
      seen.append(next.tick.number)
    }
    #expect(seen == Array(1...432))
    #expect(try reader.read(points: ["g0.0"], effective: range) == expected)
    let keep = Retention(keep: .seconds(86_400), keepDecisions: .seconds(1 << 40))
    while try !store.prune(keep, now: now).isDone {}
    let left = try reader.read(points: ["g0.0"], effective: range)
    #expect(left == (try store.read(points: ["g0.0"], effective: range)) && left[0].samples.count < 300)
    #expect(reader.badBodies == [])
  }

  @Test("are seen from beside as they are committed, also before they are sealed")
  func tail() throws {
    let store = try site.open()
    let reader = try StoreReader(directory: site.path)
    try store.register(.test(scales: [1]), at: .second(0))
    for number in 1...45 as ClosedRange<Int64> {
      try store.add(tick: number, at: .second(number * 60), [.test(at: number * 60, values: [Double(number)])])
      #expect(
        try reader.read(points: ["g0.0"], effective: .second(0)..<Instant.second(9999))[0].samples.count == Int(number)
          - 1)
      try store.commit()
      let found = try reader.read(points: ["g0.0"], effective: .second(0)..<Instant.second(9999))[0].samples
      #expect(found.map(\.value) == (1...number).map(Double.init))
      #expect(found.last?.observed == .second(number * 60))
    }
  }

  @Test("go by age, whole, and no number is used twice")
  func retention() throws {
    var store: SiteStore? = try site.open()
    try fill(store!, hours: 96)
    let now = Instant.second(Self.noon + 96 * 3600)
    let keep = Retention(keep: .seconds(48 * 3600), keepDecisions: .seconds(72 * 3600))
    var days: [String] = []
    while true {
      let pruned = try store!.prune(keep, now: now, rowsMax: 40)
      days += pruned.days
      if pruned.isDone { break }
    }
    #expect(days == [20_000, 20_001].map { Days.name($0) })
    #expect(!site.names("data").contains { name in days.contains { name.hasPrefix($0) } })
    let ticks = try log(store!).map(\.0)
    #expect(ticks.first?.instant.nanoseconds == 20_002 * 86_400_000_000_000 && ticks.last?.number == 576)
    #expect(try store?.decisions(limit: 9999).count == 432)
    #expect(try store?.stats().oldest == ticks.first?.instant)
    let (next, last) = (store!.nextFrameSequence, store!.lastTickNumber)
    while try !store!.prune(Retention(keep: .zero, keepDecisions: .zero), now: .second(1 << 33)).isDone {}
    #expect(try store?.decisions(limit: 1).isEmpty == true)
    store = nil
    for name in site.names("data") { try SystemFileStore().remove("\(site.path)/data/\(name)") }
    let again = try site.open()
    #expect(again.nextFrameSequence == next && again.lastTickNumber == last)
  }

  @Test("go while the site takes too much; where somebody waits for them only after him, unless the volume is short")
  func crowded() throws {
    let store = try site.open()
    try fill(store, hours: 96)
    try letGo(store)
    let now = Instant.second(Self.noon + 96 * 3600)
    while try !store.prune(Self.forever, now: now).isDone {}
    var retention = Self.forever
    retention.bytesMax = try store.totalBytes() - 1
    retention.awaitsAcknowledgement = true
    #expect(try store.prune(retention, now: now) == Pruned())
    // The second day was fetched, whole; the third but for one body.
    for unit in try store.units(day: Days.name(20_001)) where unit.mayLeave { try store.acknowledge(unit) }
    for unit in try store.units(day: Days.name(20_002)).filter(\.mayLeave).dropFirst() { try store.acknowledge(unit) }
    let pruned = try store.prune(retention, now: now)
    #expect(pruned.days == [Days.name(20_001)] && pruned.unacknowledged.isEmpty && pruned.bytes > 0)
    retention.bytesMax = 1
    #expect(try store.prune(retention, now: now).days.isEmpty)
    retention.freeBytesMin = .max
    let forced = try store.prune(retention, now: now)
    #expect(forced.days == [Days.name(20_000)] && forced.unacknowledged == forced.days)
    retention.awaitsAcknowledgement = false
    #expect(try store.prune(retention, now: now).unacknowledged.isEmpty)
  }

  @Test("are made of units that can be sent as they are stored")
  func units() throws {
    let store = try site.open()
    try fill(store, hours: 30)
    try store.append(
      version: VersionEntry(
        family: "overlay", subject: "g0.0", effective: .second(Self.noon + 60)..<Instant.second(Self.noon + 90),
        bytes: [1]))
    try store.commit()
    try letGo(store)
    try store.closeDays(before: .second(20_001 * 86_400))
    #expect(store.unitDays.contains(Days.name(20_000)))
    let units = try store.units(day: Days.name(20_000))
    #expect(Set(units.map(\.kind)) == [.ticks, .frames, .overlay])
    #expect(units.filter { $0.kind == .frames }.map(\.group).sorted() == [0, 1])
    for unit in units {
      guard unit.mayLeave else {
        #expect(unit.kind == .ticks, "everything else may leave here")
        #expect(fault { () throws(StoreError) in _ = try store.bytes(of: unit) }?.kind == .notAllowed)
        continue
      }
      let bytes = try store.bytes(of: unit)
      #expect(bytes.count == unit.length)
      if let file = unit.file {
        let stored = try SystemFileStore().open("\(site.path)/\(file)", .read).read(unit.length, at: unit.offset)
        #expect(stored == bytes)
      }
    }
    var gone = units[0]
    gone.hash = .zero
    #expect(fault { () throws(StoreError) in _ = try store.bytes(of: gone) }?.kind == .notFound)
    #expect(try StoreReader(directory: site.path).units(day: Days.name(20_000)) == units)
  }

  @Test("leave no long log behind: what is sealed and flushed is let go")
  func log() throws {
    let store = try site.open()
    try fill(store, hours: 40)
    #expect(site.names("log").count <= 4)
    try store.close()
    #expect(site.names("log").isEmpty)
    #expect(try log(site.open()).count == 240)
  }

  private func log(_ store: SiteStore) throws -> [(TickRecord, [Frame])] { try FeatureStoreTests.log(store) }
}
