import Glibc
import SQLite
import Seams
import Testing
import TwinCore

@testable import FeatureStore

/// Which tier runs: `make test-long` sets TWIND_TEST_LONG.
private let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

@Suite("After a crash a store") struct CrashTests {
  /// What tick `number` of this suite holds, whoever writes it.
  static func bytes(_ number: Int64) -> [UInt8] {
    var random = Seeded(UInt64(number))
    return (0..<Int.random(in: 0...300, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
  }

  static func value(_ number: Int64, _ column: Int) -> Double { Double(number * 10 + Int64(column)) * 0.1 }

  /// One tick with a frame of each of two groups, and now and then a decision, a lease and a checkpoint.
  static func advance(_ store: SiteStore) throws(StoreError) -> CommitReceipt {
    let number = store.lastTickNumber + 1
    let first = store.nextFrameSequence
    for group: Int32 in 0..<2 {
      try store.append(.test(group: group, at: number, values: (0..<5).map { value(number, $0) }))
    }
    try store.append(
      tick: TickRecord(
        number: number, instant: .second(number), uptime: Uptime(nanoseconds: 0), boot: 0,
        frames: first..<store.nextFrameSequence, mustBeKept: false, bytes: bytes(number)))
    if number % 7 == 0 {
      try store.append(decision: .test(number))
      try store.append(lease: LeaseEntry(point: "p", bytes: bytes(number)))
    }
    guard number % 50 != 0 else {
      return try store.save(Checkpoint(tick: number, instant: .second(number), reason: "test", bytes: bytes(number)))
    }
    return try store.commit()
  }

  static func register(_ store: SiteStore) throws(StoreError) {
    for group: Int32 in 0..<2 {
      try store.register(.test(group: group, scales: Array(repeating: 0.1, count: 5)), at: .second(0))
    }
  }

  /// Everything from tick 1 on is there and right; gives the last tick.
  static func check(_ store: SiteStore, _ where: Comment, damagedMax: Int = 0) throws -> Int64 {
    let found = try log(store)
    let last = Int64(found.count)
    for (offset, (tick, frames)) in found.enumerated() {
      let number = Int64(offset + 1)
      try #require(tick.number == number && tick.bytes == bytes(number), `where`)
      try #require(frames.map(\.group) == [0, 1], `where`)
      try #require(frames.allSatisfy { $0.values == (0..<5).map { value(number, $0) } }, `where`)
    }
    #expect(
      try store.decisions(limit: .max).map(\.tick) == (1...max(1, last)).filter { $0 % 7 == 0 }.reversed(), `where`)
    let leased = last / 7 * 7
    #expect(try store.openLeases().map(\.bytes) == (leased > 0 ? [bytes(leased)] : []), `where`)
    // One that was under way when the process ended may be missing, though its commit is there.
    let checkpoint = try store.latestCheckpoint()?.tick ?? 0
    #expect(checkpoint % 50 == 0 && checkpoint <= last, `where`)
    #expect(try store.stats().badBodyCount <= damagedMax, `where`)
    return last
  }

  @Test("has every acknowledged row, killed at any moment", .timeLimit(.minutes(30)))
  func killed() async throws {
    let site = Site()
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    var random = Seeded(seed)
    var (acknowledged, present): (Int64, Int64) = (0, 0)
    for round in 0..<(isLong ? 200 : 20) {
      let delayUs = UInt32.random(in: 1...60_000, using: &random)
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = site.path as String, delayUs = delayUs as UInt32] in
        let store = try SiteStore(directory: path)
        try CrashTests.register(store)
        let acks = unsafe open(path + "/acks", O_WRONLY | O_CREAT, 0o600)
        try killSoon(afterUs: delayUs)
        while true {
          var last = try CrashTests.advance(store).lastTick
          _ = unsafe pwrite(acks, &last, 8, 0)
        }
      }
      let bytes = try contents(site.path + "/acks")
      if bytes.count == 8 {
        acknowledged = bytes.enumerated().reduce(0) { $0 | Int64($1.element) << Int64(8 * $1.offset) }
      }
      let last = try Self.check(site.open(), "seed \(seed), round \(round), killed after \(delayUs) µs")
      #expect(last >= max(acknowledged, present), "seed \(seed), round \(round)")
      // One commit at most was under way.
      #expect(last <= max(acknowledged, present) + 1, "seed \(seed), round \(round)")
      present = last
    }
    #expect(acknowledged > 20, "the child got nowhere")
  }

  @Test("has a whole beginning of the log, wherever the log was cut or spoiled", arguments: 0..<4 as Range<UInt64>)
  func torn(seed: UInt64) throws {
    var random = Seeded(seed)
    let site = Site()
    let store = try site.open()
    try Self.register(store)
    for _ in 0..<49 { _ = try Self.advance(store) }
    let name = try #require(site.names("log").last)
    let (file, log) = (try contents(site.path + "/site.db"), try contents("\(site.path)/log/\(name)"))
    var lasts: [(length: Int, tick: Int64)] = []
    for _ in 0..<(isLong ? 500 : 25) {
      let length = Int.random(in: 0...log.count, using: &random)
      let copy = Site()
      let spoiled = (0..<Int.random(in: 0...3000, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      // What site.db had not flushed yet is lost with it.
      try write(file, to: copy.path + "/site.db")
      try SystemFileStore().makeDirectory(copy.path + "/log")
      try write(Array(log.prefix(length)) + spoiled, to: "\(copy.path)/log/\(name)")
      // A file whose header is garbage may have held anything, and is told as damage; all else is a torn tail.
      let damagedMax = length < 32 && !spoiled.isEmpty ? 1 : 0
      let last = try Self.check(copy.open(), "seed \(seed), log cut at \(length)", damagedMax: damagedMax)
      lasts.append((length, last))
    }
    let ticks = lasts.sorted { $0.length < $1.length }.map(\.tick)
    #expect(ticks == ticks.sorted(), "seed \(seed)")
    #expect(Set(ticks).count > 5, "seed \(seed)")
    withExtendedLifetime(store) {}
  }

  @Test("brings into site.db what the log had first")
  func notApplied() throws {
    let site = Site()
    let store = try site.open()
    try Self.register(store)
    for _ in 0..<49 { _ = try Self.advance(store) }
    // As if the process had ended between the two, and what SQLite had not flushed were lost: an older file.
    try store.database.execute("DELETE FROM decisions WHERE tick > 20; DELETE FROM leases; DELETE FROM layouts")
    try store.database.execute("UPDATE marks SET value = 0 WHERE name = 'applied'; DELETE FROM decisions")
    let copy = Site()
    try store.reader.copy(to: copy.path + "/site.db")
    for folder in ["log", "data"] {
      try SystemFileStore().makeDirectory("\(copy.path)/\(folder)")
      for name in site.names(folder) {
        try write(contents("\(site.path)/\(folder)/\(name)"), to: "\(copy.path)/\(folder)/\(name)")
      }
    }
    // A reader sees them before anybody starts.
    let reader = try StoreReader(directory: copy.path)
    #expect(try reader.decisions(limit: 99).map(\.tick) == (1...49).filter { $0 % 7 == 0 }.reversed())
    #expect(try reader.openLeases().map(\.bytes) == [Self.bytes(49)])
    #expect(try reader.read(points: ["g1.4"], effective: .distantPast ..< .distantFuture)[0].samples.count == 49)
    let again = try SiteStore(directory: copy.path)
    #expect(try Self.check(again, "brought in") == 49)
    #expect(try reader.decisions(limit: 99).count == 7)
  }

  /// Frames of two groups over more than a day, sealed and closed on the way; gives what was acknowledged.
  private static func longHistory(_ store: SiteStore) -> (acknowledged: Int64, attempted: Int64) {
    var (acknowledged, attempted): (Int64, Int64) = (0, 0)
    do throws(StoreError) {
      for group: Int32 in 0..<2 { try store.register(.test(group: group, scales: [0.1, 0]), at: .second(0)) }
      for number in 1...70 as ClosedRange<Int64> {
        let second = number * 1800
        attempted = number
        try store.add(
          tick: number, at: .second(second),
          (0..<2).map { .test(group: $0, at: second, values: [Double(number) * 0.1, Double(number)]) })
        acknowledged = try store.commit().lastTick
        if number % 10 == 0 {
          _ = try store.prune(
            Retention(keep: .seconds(1 << 40), keepDecisions: .seconds(1 << 40)), now: .second(second))
        }
      }
      try store.closeDays(before: .second(70 * 1800))
      try store.close()
    } catch {}
    return (acknowledged, attempted)
  }

  @Test("has every acknowledged tick once, whichever change of a file was the last", .timeLimit(.minutes(20)))
  func everyStep() throws {
    let whole = FaultyFiles()
    do {
      let site = Site()
      #expect(Self.longHistory(try site.open(files: whole)).acknowledged == 70)
      #expect(site.names("data").filter { $0.hasSuffix(".twc") }.count == 1)
    }
    #expect(whole.steps > 300)
    for step in stride(from: 0, to: whole.steps, by: isLong ? 1 : 7) {
      let site = Site()
      let files = FaultyFiles()
      files.set { $0.stepsLeft = step }
      var told: (acknowledged: Int64, attempted: Int64) = (0, 0)
      if let store = try? site.open(files: files) { told = Self.longHistory(store) }
      let store = try site.open()
      let found = try log(store)
      #expect(found.map(\.0.number) == (0..<found.count).map { Int64($0 + 1) }, "step \(step)")
      #expect(Int64(found.count) >= told.acknowledged && Int64(found.count) <= told.attempted, "step \(step)")
      #expect(
        found.allSatisfy { tick, frames in
          frames.map(\.group) == [0, 1]
            && frames.allSatisfy { $0.values == [Double(tick.number) * 0.1, Double(tick.number)] }
        }, "step \(step)")
      let series = try store.read(points: ["g1.1"], effective: .distantPast ..< .distantFuture)[0].samples
      #expect(series.map(\.value) == (0..<found.count).map { Double($0 + 1) }, "step \(step)")
      #expect(try store.stats().badBodies == [], "step \(step)")
    }
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try SystemFileStore().open(path, .create)
    try file.truncate(to: 0)
    try file.write(bytes, at: 0)
  }
}

/// Kills this process, as `kill -9` would, from a thread of its own.
private func killSoon(afterUs delay: UInt32) throws {
  var thread = pthread_t()
  let code = unsafe pthread_create(
    &thread, nil,
    { delay in
      usleep(UInt32(UInt(bitPattern: delay)))
      kill(getpid(), SIGKILL)
      return nil
    }, UnsafeMutableRawPointer(bitPattern: UInt(delay)))
  try #require(code == 0)
}
