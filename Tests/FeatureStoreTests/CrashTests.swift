import Glibc
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
  static func check(_ store: SiteStore, _ where: Comment) throws -> Int64 {
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
    #expect(try store.latestCheckpoint()?.tick == (last >= 50 ? last / 50 * 50 : nil), `where`)
    #expect(try store.stats().badBodyCount == 0, `where`)
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
    for _ in 0..<60 { _ = try Self.advance(store) }
    let (file, log) = (try contents(site.path + "/site.db"), try contents(site.path + "/site.db-wal"))
    var lasts: [(length: Int, tick: Int64)] = []
    for _ in 0..<(isLong ? 500 : 25) {
      let length = Int.random(in: 0...log.count, using: &random)
      let copy = Site()
      let spoiled = (0..<Int.random(in: 0...3000, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try write(file, to: copy.path + "/site.db")
      try write(Array(log.prefix(length)) + spoiled, to: copy.path + "/site.db-wal")
      lasts.append((length, try Self.check(copy.open(), "seed \(seed), log cut at \(length)")))
    }
    let ticks = lasts.sorted { $0.length < $1.length }.map(\.tick)
    #expect(ticks == ticks.sorted(), "seed \(seed)")
    #expect(Set(ticks).count > 5, "seed \(seed)")
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = unsafe fopen(path, "w")
    try #require(unsafe file != nil, "\(path) cannot be made")
    defer { unsafe fclose(file) }
    let count = unsafe bytes.withUnsafeBytes { unsafe fwrite($0.baseAddress, 1, $0.count, file) }
    try #require(count == bytes.count)
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
