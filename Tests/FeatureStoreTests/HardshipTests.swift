import Glibc
import Seams
import Testing
import TwinCore

@testable import FeatureStore
@testable import SQLite

@Suite("Under hardship a store") struct HardshipTests {
  let site = Site()

  @Test("on a full disk keeps what waits, and writes it when there is space")
  func diskFull() throws {
    let files = FaultyFiles()
    var store: SiteStore? = try site.open(files: files)
    try store?.register(.test(scales: [0]), at: .second(0))
    files.set { $0.space = 20_000 }
    var number: Int64 = 0
    var failure: StoreError?
    while failure == nil {
      number += 1
      try store?.add(number, [Double(number)])
      try store?.append(decision: .test(number))
      failure = fault { () throws(StoreError) in try store?.commit() }
    }
    #expect(failure?.code == "store.disk_full" && failure?.isRetriable == true && number > 5)
    #expect(try log(store!).map(\.0.number) == Array(1...number - 1))
    files.set { $0.space = 0 }
    #expect(
      fault { () throws(StoreError) in try store?.openLease(LeaseEntry(point: "a", bytes: [1])) }?.kind == .diskFull)
    try store?.append(tick: .test(number + 1))
    #expect(fault { () throws(StoreError) in try store?.commit() }?.kind == .diskFull)
    #expect(try store?.stats().bufferedTicks == 2)
    files.set { $0.space = nil }
    let receipt = try store?.commit()
    #expect(receipt?.ticks == 2 && receipt?.frames == 1 && receipt?.decisions == ["d\(number)"])
    #expect(try store?.openLeases().isEmpty == true)
    store = nil
    let again = try site.open()
    let found = try log(again)
    #expect(found.map(\.0.number) == Array(1...number + 1))
    #expect(found.prefix(Int(number)).allSatisfy { $0.1.map(\.values) == [[Double($0.0.number)]] })
    #expect(try again.openLeases().isEmpty && again.decisions(limit: 999).count == Int(number))
  }

  @Test("takes no more than one commit that site.db has no room for, and loses none")
  func recordsFull() throws {
    var limits = StoreLimits()
    limits.pagesMax = 200
    var store: SiteStore? = try site.open(limits)
    var acknowledged: [String] = []
    var (number, failure): (Int64, StoreError?) = (0, nil)
    while failure == nil {
      number += 1
      var decision = DecisionEntry.test(number)
      decision.bytes = Array(repeating: 7, count: 3000)
      try store?.append(decision: decision)
      failure = fault { () throws(StoreError) in acknowledged += try store!.commit().decisions }
    }
    #expect(failure?.kind == .diskFull && acknowledged.count == number - 1)
    #expect(fault { () throws(StoreError) in try store?.append(decision: .test(number - 1)) }?.kind == .duplicate)
    #expect(
      fault { () throws(StoreError) in try store?.openLease(LeaseEntry(point: "a", bytes: [1])) }?.kind == .diskFull)
    try store?.database.execute("PRAGMA max_page_count = 100000")
    #expect(try store?.commit().decisions == ["d\(number)"])
    store = nil
    #expect(try site.open().decisions(limit: 999).count == Int(number))
  }

  @Test("does not believe a flush that failed, and writes again", arguments: 1...4)
  func syncFails(count: Int) throws {
    let files = FaultyFiles()
    var store: SiteStore? = try site.open(files: files)
    try store?.register(.test(scales: [1]), at: .second(0))
    for number in 1...60 as ClosedRange<Int64> {
      try store?.add(tick: number, at: .second(number * 60), [.test(at: number * 60, values: [Double(number)])])
      if number % 20 == 0 { files.set { $0.failingSyncs = count } }
      var attempts = 0
      while let error = fault({ () throws(StoreError) in try store?.commit() }) {
        #expect(error.code == "store.io" && error.isRetriable)
        attempts += 1
        try #require(attempts <= count)
      }
    }
    store = nil
    let found = try log(site.open())
    #expect(
      found.map(\.0.number) == Array(1...60) && found.allSatisfy { $0.1.map(\.values) == [[Double($0.0.number)]] })
  }

  @Test("drops the oldest ticks with their frames, and what must be kept never")
  func buffers() throws {
    var limits = StoreLimits()
    limits.bufferedFrameBytes = 10 * (64 + 9)
    limits.bufferedTickBytes = 100 * (96 + 2)
    limits.bufferedEvents = 5
    limits.bufferedDecisions = 7
    let store = try site.open(limits)
    try store.register(.test(scales: [1]), at: .second(0))
    for second in 1...25 as ClosedRange<Int64> { try store.add(second, [Double(second)]) }
    #expect(store.dropped == DroppedCounts(frames: 15, ticks: 15, events: 0))
    for number in 26...150 as ClosedRange<Int64> {
      try store.append(tick: .test(number, mustBeKept: number % 10 == 0, bytes: [1, 2]))
    }
    for number in 1...7 as ClosedRange<Int64> { try store.append(decision: .test(number)) }
    #expect(fault { () throws(StoreError) in try store.append(decision: .test(8)) }?.code == "store.backlog_full")
    let event = EventEntry(tick: 1, instant: .second(1), kind: "k", subject: "", bytes: [])
    try store.append(events: Array(repeating: event, count: 8))
    let waiting = try store.stats()
    #expect(waiting.dropped.events == 3 && waiting.bufferedTicks == 100)
    #expect(waiting.dropped.ticks + waiting.bufferedTicks == 150)
    let receipt = try store.commit()
    #expect(receipt.decisions.count == 7 && receipt.ticks == 100)
    let kept = Set(try log(store).map(\.0.number))
    #expect(kept.isSuperset(of: stride(from: 30, through: 150, by: 10)) && kept.contains(149))
    for number in 151...250 as ClosedRange<Int64> {
      try store.append(tick: .test(number, mustBeKept: true, bytes: [1, 2]))
    }
    #expect(
      fault { () throws(StoreError) in try store.append(tick: .test(251, mustBeKept: true)) }?.kind == .backlogFull)
    #expect(store.lastTickNumber == 250)
  }

  @Test("never gives a dropped frame's sequence to another frame")
  func sequences() throws {
    var limits = StoreLimits()
    limits.bufferedFrameBytes = 64 + 9
    var store: SiteStore? = try site.open(limits)
    try store?.register(.test(scales: [1]), at: .second(0))
    for number in 1...3 as ClosedRange<Int64> { try store?.add(number, [Double(number)]) }
    #expect(try store?.commit().frames == 1)
    #expect(try log(store!).map(\.0.frames) == [3..<4])
    store = nil
    #expect(try site.open().nextFrameSequence == 4)
  }

  @Test("drops a tick whose frames went before it came, and refuses frames out of order of their group")
  func lost() throws {
    var limits = StoreLimits()
    limits.bufferedFrameBytes = 2 * (64 + 9)
    let store = try site.open(limits)
    for group: Int32 in 0..<3 { try store.register(.test(group: group, scales: [1]), at: .second(0)) }
    for group: Int32 in 0..<3 { try store.append(.test(group: group, at: 1, values: [1])) }
    try store.append(tick: .test(1, frames: 1..<4))
    #expect(store.dropped == DroppedCounts(frames: 3, ticks: 1, events: 0))
    for group: Int32 in [1, 0] { try store.append(.test(group: group, at: 2, values: [1])) }
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(2, frames: 4..<6)) }?.kind == .outOfOrder)
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(2, frames: 4..<7)) }?.kind == .outOfOrder)
    try store.append(tick: .test(2, frames: 5..<6))
    #expect(try store.commit().frames == 1)
    #expect(try log(store).map(\.1.count) == [1])
  }

  @Test("lets nobody else in, and says who has it")
  func locked() throws {
    let store = try site.open()
    let error = fault { () throws(StoreError) in _ = try site.open() }
    #expect(error?.code == "store.locked" && error?.message.contains("process \(getpid())") == true)
    withExtendedLifetime(store) {}
  }

  @Test(
    "leaves a file of a newer version, or of another kind, as it is", arguments: ["newer", "older", "foreign", "text"])
  func newer(kind: String) throws {
    let path = site.path + "/site.db"
    if kind == "text" {
      let file = unsafe fopen(path, "w")
      _ = unsafe fputs(String(repeating: "not a database, ", count: 100), file)
      unsafe fclose(file)
    } else {
      let database = try Database(path: path, access: .create)
      try database.execute(
        "CREATE TABLE t(a); PRAGMA application_id = \(kind == "foreign" ? 77 : Schema.applicationID)")
      try database.setUserVersion(kind == "older" ? 1 : Schema.version + 1)
    }
    let before = try contents(path)
    let error = fault { () throws(StoreError) in _ = try site.open() }
    let codes = ["newer": "store.newer_version", "older": "store.older_version"]
    #expect(error?.code == codes[kind] ?? "store.not_a_store")
    #expect(fault { () throws(StoreError) in _ = try StoreReader(directory: site.path) }?.kind == error?.kind)
    #expect(try contents(path) == before)
    #expect(unsafe access(path + "-wal", F_OK) != 0)
    #expect(site.names("").sorted() == ["site.db", "site.lock"])
  }

  @Test("refuses a newer version that only the write-ahead log knows")
  func newerInLog() throws {
    _ = try site.open()
    let other = try Database(path: site.path + "/site.db", access: .readWrite)
    try other.useDurableLog()
    try other.setUserVersion(Schema.version + 1)
    #expect(fault { () throws(StoreError) in _ = try site.open() }?.code == "store.newer_version")
  }

  @Test("takes up a file whose making was cut short")
  func halfMade() throws {
    let database = try Database(path: site.path + "/site.db", access: .create)
    try database.useDurableLog()
    #expect(try site.open().commit().lastTick == 0)
  }

  @Test("skips, counts and names a damaged row, and reads every other")
  func damage() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    for number in 1...9 as ClosedRange<Int64> {
      try store.add(number, [Double(number)])
      try store.append(decision: .test(number))
      try store.setFact("f\(number)", [1])
      try store.commit()
    }
    // A row that says what it should not.
    try store.database.execute("UPDATE decisions SET kind = 'else' WHERE id = 'd7'")
    try store.database.execute("UPDATE facts SET body = (SELECT body FROM facts WHERE key = 'f1') WHERE key = 'f2'")
    #expect(try store.decisions(limit: 99).map(\.id) == ["d9", "d8", "d6", "d5", "d4", "d3", "d2", "d1"])
    #expect(fault { () throws(StoreError) in _ = try store.decision(id: "d7") }?.code == "store.corrupt")
    #expect(fault { () throws(StoreError) in _ = try store.fact("f2") }?.kind == .corrupt)
    #expect(try store.facts(prefix: "f").count == 8)
    let stats = try store.stats()
    #expect(stats.badBodyCount == 2)
    #expect(Set(stats.badBodies.map(\.row)) == ["decisions 7", "facts f2"])
  }

  @Test("passes over a damaged body, names it, and reads every other", arguments: ["open", "closed"])
  func damagedBodies(kind: String) throws {
    var store = try site.open()
    for group: Int32 in 0..<2 { try store.register(.test(group: group, scales: [1]), at: .second(0)) }
    for number in 1...60 as ClosedRange<Int64> {
      try store.add(
        tick: number, at: .second(number * 60),
        (0..<2).map { .test(group: $0, at: number * 60, values: [Double(number)]) })
      try store.commit()
    }
    try store.close()
    store = try site.open()
    if kind == "closed" { try store.closeDays(before: .second(86_400)) }
    let units = try store.units(day: "1970-01-01")
    let hurt = try #require(units.first { $0.kind == .frames && $0.group == 1 })
    try site.damage(try #require(hurt.file), at: hurt.offset + Int64(hurt.length) / 2)
    for store in [store, nil] {
      let all = Instant.second(0)..<Instant.second(9999)
      let reader = try store?.reader ?? StoreReader(directory: site.path)
      #expect(try reader.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == (1...60).map(Double.init))
      let left = try reader.read(points: ["g1.0"], effective: all)[0].samples.map(\.value)
      let lost = (hurt.ticks.lowerBound...hurt.ticks.upperBound).map(Double.init)
      #expect(left == (1...60).map(Double.init).filter { !lost.contains($0) })
      let cursor = try reader.ticks(from: 1)
      var ticks: [(TickRecord, [Frame])] = []
      while let next = try cursor.next() { ticks.append(next) }
      #expect(ticks.count == 60)
      for (tick, frames) in ticks {
        let isHurt = hurt.ticks.contains(tick.number)
        #expect(frames.map(\.group) == (isHurt ? [0] : [0, 1]) && frames.allSatisfy { ($0.sequence == 0) == isHurt })
      }
      #expect(reader.badBodies.map(\.row) == ["\(hurt.file!) \(hurt.offset)"])
    }
  }

  @Test("lives through steps of the clock, an hour either way and to 1970")
  func clock() throws {
    var store: SiteStore? = try site.open()
    try store?.register(.test(scales: [1]), at: .second(0))
    var (now, expected): (Int64, [(TickRecord, [Frame])]) = (1_760_000_000, [])
    for number in 1...200 as ClosedRange<Int64> {
      now += 60
      if number == 50 { now -= 3600 }
      if number == 90 { now += 3600 }
      let at = (120..<140).contains(number) ? number : now
      expected.append(try store!.add(tick: number, at: .second(at), [.test(at: at, values: [Double(number)])]))
      try store?.commit()
      if number % 70 == 0 {
        store = nil
        store = try site.open()
        try store?.register(.test(scales: [1]), at: .second(0))
      }
    }
    #expect(site.names("data").contains("1970-01-01.tws"))
    let found = try log(store!)
    #expect(found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1))
    let early = try store!.read(points: ["g0.0"], effective: .second(0)..<Instant.second(1000))[0].samples
    #expect(early.map(\.value) == (120..<140).map(Double.init))
    // What came after a step back counts as known when the latest that came before it was.
    let known = expected.prefix(89).flatMap(\.1).map(\.effective)
    let before = try store!.read(
      points: ["g0.0"], effective: .distantPast ..< .distantFuture, asOf: expected[48].0.instant)[0].samples
    #expect(before.map(\.effective) == Set(known).sorted())
  }

  @Test("goes on beside a damaged layout, under a version of its own")
  func damagedLayout() throws {
    var store: SiteStore? = try site.open()
    for (second, scale) in [(1, 0.1), (2, 0.2)] as [(Int64, Double)] {
      try store?.register(.test(scales: [scale]), at: .second(second))
      try store?.add(second, [scale])
      try store?.commit()
    }
    try store?.database.execute("UPDATE layouts SET body = zeroblob(20) WHERE version = 2")
    store = nil
    let again = try site.open()
    #expect(try again.register(.test(scales: [0.2]), at: .second(3)) == 3)
    try again.add(3, [3])
    try again.commit()
    let all = Instant.second(0)..<Instant.second(9)
    #expect(try again.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == [0.1, 3])
    #expect(try again.latest(points: ["g0.0"])[0]?.value == 3)
    #expect(try again.stats().badBodies.first?.row == "layouts 2")
  }

  @Test("falls back to the newest checkpoint that is whole, and keeps a bounded number")
  func checkpoints() throws {
    var limits = StoreLimits()
    limits.checkpointsKept = 4
    limits.checkpointBytesKept = 3500
    let store = try site.open(limits)
    func point(_ tick: Int64, _ size: Int = 1000) -> Checkpoint {
      Checkpoint(
        tick: tick, instant: .second(tick), reason: "schedule", bytes: Array(repeating: UInt8(tick), count: size))
    }
    #expect(try store.latestCheckpoint() == nil)
    try store.append(tick: .test(10))
    #expect(try store.save(point(10)).lastTick == 10)
    for tick in [20, 30, 40] as [Int64] { try store.save(point(tick)) }
    #expect(try store.checkpoint(atOrBefore: 39) == point(30))
    #expect(try store.checkpoint(atOrBefore: 19) == nil)
    try store.database.execute("UPDATE checkpoints SET body = zeroblob(1004) WHERE tick = 40")
    #expect(try store.latestCheckpoint() == point(30))
    #expect(try store.stats().badBodies.map(\.row) == ["checkpoints 40"])
    for tick in [50, 60, 70, 80, 90] as [Int64] { try store.save(point(tick, 10)) }
    #expect(try store.stats().checkpoints == 4)
    try store.save(point(100, 5000))
    #expect(try store.stats().checkpoints == 1)
    #expect(try store.latestCheckpoint() == point(100, 5000))
  }

  @Test("has room for a million points", .timeLimit(.minutes(5)))
  func manyPoints() throws {
    var store: SiteStore? = try site.open()
    var last: [Double] = []
    for group: Int32 in 0..<250 {
      let layout = FrameLayout.test(group: group, scales: Array(repeating: 1, count: 4000))
      try store?.register(layout, at: .second(0))
      last = layout.points.indices.map { Double($0) }
    }
    for number in 1...2 as ClosedRange<Int64> {
      try store?.add(tick: number, at: .second(number), (0..<250).map { .test(group: $0, at: number, values: last) })
      #expect(try store?.commit().frames == 250)
    }
    #expect(store!.archive.windowBytes <= StoreLimits().windowBytes)
    store = nil
    let again = try site.open()
    #expect(again.layouts.count == 250)
    #expect(
      try again.read(points: ["g249.3999"], effective: .second(0)..<Instant.second(9))[0].samples.map(\.value) == [
        3999, 3999,
      ])
    #expect(try again.latest(points: ["g7.12"])[0]?.value == 12)
  }

  @Test("has room for ten thousand groups", .timeLimit(.minutes(5)))
  func manyGroups() throws {
    var store: SiteStore? = try site.open()
    for group: Int32 in 0..<10_000 { try store?.register(.test(group: group, scales: [1]), at: .second(0)) }
    for number in 1...12 as ClosedRange<Int64> {
      try store?.add(
        tick: number, at: .second(number * 60),
        (0..<10_000).map { .test(group: $0, at: number * 60, values: [Double(number)]) })
      try store?.commit()
    }
    store = nil
    let again = try site.open()
    #expect(
      try again.read(points: ["g9999.0"], effective: .second(0)..<Instant.second(999))[0].samples.map(\.value)
        == (1...12).map(Double.init))
    var seen = 0
    try again.ticks(from: 12) { (_, frames) throws(StoreError) in
      seen = frames.count
      return false
    }
    #expect(seen == 10_000)
  }

  @Test("tells when the volume runs short")
  func shortage() throws {
    let store = try site.open()
    #expect(store.shortage(floor: 0) == nil)
    #expect(store.shortage(floor: .max)?.code == "store.disk_full")
  }
}

/// A whole file.
func contents(_ path: String) throws -> [UInt8] {
  let file = unsafe fopen(path, "r")
  try #require(unsafe file != nil, "\(path) is not there")
  defer { unsafe fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 22)
  let count = unsafe bytes.withUnsafeMutableBytes { unsafe fread($0.baseAddress, 1, $0.count, file) }
  return Array(bytes.prefix(count))
}
