import Glibc
import Testing
import TwinCore

@testable import FeatureStore
@testable import SQLite

@Suite("Under hardship a store") struct HardshipTests {
  let site = Site()

  private static var small: StoreLimits {
    var limits = StoreLimits()
    limits.pagesMax = 200
    return limits
  }

  /// Fills the file until a commit fails; gives the number of the last tick that was acknowledged.
  private func fill(_ store: SiteStore) throws -> Int64 {
    try store.register(.test(scales: [0]), at: .second(0))
    var number = store.lastTickNumber
    while true {
      number += 1
      let sequence = try store.append(.test(at: number, values: [Double(number)]))
      try store.append(
        tick: .test(number, frames: sequence..<sequence + 1, bytes: Array(repeating: UInt8(number & 255), count: 2000)))
      try store.append(decision: .test(number))
      if let error = fault({ () throws(StoreError) in try store.commit() }) {
        #expect(error.code == "store.disk_full" && error.isRetriable)
        return number - 1
      }
    }
  }

  @Test("on a full disk keeps what waits, and writes it when there is space")
  func diskFull() throws {
    var store: SiteStore? = try site.open(Self.small)
    let acknowledged = try fill(store!)
    #expect(acknowledged > 5)
    #expect(try log(store!).map(\.0.number) == Array(1...acknowledged))
    try store?.append(tick: .test(acknowledged + 2))
    #expect(fault { () throws(StoreError) in try store?.commit() }?.kind == .diskFull)
    #expect(try store?.stats().bufferedTicks == 2)
    try store?.database.execute("PRAGMA max_page_count = 100000")
    let receipt = try store?.commit()
    #expect(receipt?.ticks == 2 && receipt?.frames == 1 && receipt?.decisions == ["d\(acknowledged + 1)"])
    store = nil
    let found = try log(site.open())
    #expect(found.map(\.0.number) == Array(1...acknowledged + 2))
    #expect(found.prefix(Int(acknowledged) + 1).allSatisfy { $0.1.map(\.values) == [[Double($0.0.number)]] })
  }

  @Test("on a full disk opens no lease, now or later, and prunes its way out")
  func pruneWhenFull() throws {
    let store = try site.open(Self.small)
    let last = try fill(store)
    let big = LeaseEntry(point: "a", bytes: Array(repeating: 1, count: 4000))
    #expect(fault { () throws(StoreError) in try store.openLease(big) }?.kind == .diskFull)
    let retention = Retention(keep: .seconds(1_000_000), keepDecisions: .seconds(1_000_000), bytesMax: 100 * 1024)
    while try !store.prune(retention, now: .second(last), rowsMax: 10).isDone {}
    #expect(try store.commit().ticks == 1)
    #expect(try store.openLeases().isEmpty)
    #expect(try store.stats().usedBytes <= 110 * 1024)
  }

  @Test("drops the oldest frames first, ticks that may go after, and what must be kept never")
  func buffers() throws {
    var limits = StoreLimits()
    limits.bufferedFrameBytes = 10 * (64 + 9)
    limits.bufferedTickBytes = 100 * (96 + 3)
    limits.bufferedEvents = 5
    limits.bufferedDecisions = 7
    let store = try site.open(limits)
    try store.register(.test(scales: [1]), at: .second(0))
    for second in 1...25 as ClosedRange<Int64> { try store.append(.test(at: second, values: [Double(second)])) }
    for number in 1...150 as ClosedRange<Int64> { try store.append(tick: .test(number, mustBeKept: number % 10 == 0)) }
    for number in 1...7 as ClosedRange<Int64> { try store.append(decision: .test(number)) }
    #expect(fault { () throws(StoreError) in try store.append(decision: .test(8)) }?.code == "store.backlog_full")
    let event = EventEntry(tick: 1, instant: .second(1), kind: "k", subject: "", bytes: [])
    try store.append(events: Array(repeating: event, count: 8))
    let waiting = try store.stats()
    #expect(waiting.dropped.frames == 15 && waiting.bufferedFrames == 10 && waiting.dropped.events == 3)
    #expect(waiting.dropped.ticks > 0 && waiting.dropped.ticks + waiting.bufferedTicks == 150)
    let receipt = try store.commit()
    #expect(receipt.frames == 10 && receipt.decisions.count == 7)
    let kept = Set(try log(store).map(\.0.number))
    #expect(kept.isSuperset(of: stride(from: 10, through: 150, by: 10)) && kept.contains(149))
    let everything = Instant.second(0)..<Instant.second(99)
    #expect(
      try store.read(points: ["g0.0"], effective: everything)[0].samples.map(\.value) == (16...25).map(Double.init))
    for number in 151...250 as ClosedRange<Int64> { try store.append(tick: .test(number, mustBeKept: true)) }
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(251)) }?.kind == .backlogFull)
    #expect(store.lastTickNumber == 250)
  }

  @Test("never gives a dropped frame's sequence to another frame")
  func sequences() throws {
    var limits = StoreLimits()
    limits.bufferedFrameBytes = 64 + 9
    var store: SiteStore? = try site.open(limits)
    try store?.register(.test(scales: [1]), at: .second(0))
    try store?.append(.test(at: 1, values: [1]))
    try store?.append(.test(at: 2, values: [2]))
    limits.bufferedFrameBytes = 0
    store?.limits = limits
    try store?.append(.test(at: 3, values: [3]))
    try store?.append(tick: .test(1, frames: 1..<4))
    #expect(try store?.commit().frames == 0)
    store = nil
    #expect(try site.open().nextFrameSequence == 4)
  }

  @Test("lets nobody else in, and says who has it")
  func locked() throws {
    let store = try site.open()
    let error = fault { () throws(StoreError) in _ = try site.open() }
    #expect(error?.code == "store.locked" && error?.message.contains("process \(getpid())") == true)
    withExtendedLifetime(store) {}
  }

  @Test("leaves a file of a newer version, or of another kind, as it is", arguments: ["newer", "foreign", "text"])
  func newer(kind: String) throws {
    let path = site.path + "/site.db"
    if kind == "text" {
      let file = unsafe fopen(path, "w")
      _ = unsafe fputs(String(repeating: "not a database, ", count: 100), file)
      unsafe fclose(file)
    } else {
      let database = try Database(path: path, access: .create)
      try database.execute("CREATE TABLE t(a); PRAGMA application_id = \(kind == "newer" ? Schema.applicationID : 77)")
      try database.setUserVersion(Schema.version + 1)
    }
    let before = try contents(path)
    let error = fault { () throws(StoreError) in _ = try site.open() }
    #expect(error?.code == (kind == "newer" ? "store.newer_version" : "store.not_a_store"))
    #expect(fault { () throws(StoreError) in _ = try StoreReader(directory: site.path) }?.kind == error?.kind)
    #expect(try contents(path) == before)
    #expect(unsafe access(path + "-wal", F_OK) != 0)
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
      let sequence = try store.append(.test(at: number, values: [Double(number)]))
      try store.append(tick: .test(number, frames: sequence..<sequence + 1))
      try store.append(decision: .test(number))
      try store.setFact("f\(number)", [1])
      try store.commit()
    }
    // A bit in the middle of one body, a body cut short, a row that says what it should not.
    try store.database.execute(
      "UPDATE frames SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE first_sequence = 3")
    try store.database.execute("UPDATE ticks SET body = substr(body, 1, 3) WHERE first_tick = 5")
    try store.database.execute("UPDATE decisions SET kind = 'else' WHERE id = 'd7'")
    try store.database.execute("UPDATE facts SET body = (SELECT body FROM facts WHERE key = 'f1') WHERE key = 'f2'")
    let all = Instant.second(0)..<Instant.second(99)
    #expect(try store.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == [1, 2, 4, 5, 6, 7, 8, 9])
    let found = try log(store)
    #expect(found.map(\.0.number) == [1, 2, 3, 4, 6, 7, 8, 9])
    #expect(found.map(\.1.count) == [1, 1, 0, 1, 1, 1, 1, 1])
    #expect(try store.decisions(limit: 99).map(\.id) == ["d9", "d8", "d6", "d5", "d4", "d3", "d2", "d1"])
    #expect(fault { () throws(StoreError) in _ = try store.decision(id: "d7") }?.code == "store.corrupt")
    #expect(fault { () throws(StoreError) in _ = try store.fact("f2") }?.kind == .corrupt)
    #expect(try store.facts(prefix: "f").count == 8)
    let stats = try store.stats()
    #expect(stats.badBodyCount == 4)
    #expect(Set(stats.badBodies.map(\.row)) == ["frames 3", "ticks 5", "decisions 7", "facts f2"])
  }

  @Test("goes on beside a damaged layout, under a version of its own")
  func damagedLayout() throws {
    var store: SiteStore? = try site.open()
    for (second, scale) in [(1, 0.1), (2, 0.2)] as [(Int64, Double)] {
      try store?.register(.test(scales: [scale]), at: .second(second))
      try store?.append(.test(at: second, values: [scale]))
      try store?.commit()
    }
    try store?.database.execute("UPDATE layouts SET body = zeroblob(20) WHERE version = 2")
    store = nil
    let again = try site.open()
    #expect(try again.register(.test(scales: [0.2]), at: .second(3)) == 3)
    try again.append(.test(at: 3, values: [3]))
    try again.commit()
    let all = Instant.second(0)..<Instant.second(9)
    #expect(try again.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == [0.1, 3])
    #expect(try again.latest(points: ["g0.0"])[0]?.value == 3)
    #expect(try again.stats().badBodies.map(\.row) == ["layouts 2"])
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

  @Test("prunes by age in steps, decisions later, and never uses a number twice")
  func retention() throws {
    var store: SiteStore? = try site.open()
    try store?.register(.test(scales: [1]), at: .second(0))
    for number in 1...100 as ClosedRange<Int64> {
      let sequence = try store!.append(.test(at: number, values: [1]))
      try store?.append(tick: .test(number, frames: sequence..<sequence + 1))
      try store?.append(decision: .test(number))
      try store?.commit()
    }
    let retention = Retention(keep: .seconds(40), keepDecisions: .seconds(70))
    var steps = 0
    while try !store!.prune(retention, now: .second(100), rowsMax: 25).isDone { steps += 1 }
    #expect(steps == 2)
    #expect(try log(store!).map(\.0.number) == Array(61...100))
    #expect(try store?.decisions(limit: 999).count == 70)
    let all = Instant.second(0)..<Instant.second(999)
    #expect(try store?.read(points: ["g0.0"], effective: all)[0].samples.count == 40)
    #expect(try store?.stats().oldest == .second(61) && store?.stats().newest == .second(100))
    while try !store!.prune(retention, now: .second(9999)).isDone {}
    #expect(try store?.stats().frames == 0 && store?.stats().decisions == 0)
    store = nil
    let again = try site.open()
    #expect(again.nextFrameSequence == 101 && again.lastTickNumber == 100)
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
