import Seams
import Simulation
import Synchronization
import Testing

@Suite("A simulated disk") struct DiskTests {
  private static func pattern(_ count: Int, _ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: count) }

  /// A disk with a directory `/d` and in it a durable file `f`.
  private static func disk(seed: UInt64, _ bytes: [UInt8], capacity: Int = 1 << 20) throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: seed, capacity: capacity)
    try disk.makeDirectory("/d")
    try disk.syncDirectory("/")
    let file = try disk.open("/d/f", .create)
    try file.write(bytes, at: 0)
    try file.sync()
    try disk.syncDirectory("/d")
    return disk
  }

  private static func bytes(_ disk: SimulatedDisk, _ path: String) throws -> [UInt8] {
    let file = try disk.open(path, .read)
    return try file.read(Int(file.size), at: 0)
  }

  private func kind(_ body: () throws -> Void) -> FileFault.Kind? {
    do { try body() } catch { return (error as? FileFault)?.kind }
    return nil
  }

  @Test("shows at once what was written, and keeps what was synced")
  func synced() throws {
    for seed in 0..<50 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, Self.pattern(9000, 1))
      let file = try disk.open("/d/f", .write)
      try file.write([7, 8], at: 20_000)
      #expect(try file.size == 20_002)
      #expect(try file.read(5, at: 19_998) == [0, 0, 7, 8])
      try file.sync()
      let next = disk.powerCut()
      #expect(try Self.bytes(next, "/d/f") == Self.pattern(9000, 1) + Self.pattern(11_000, 0) + [7, 8])
      #expect(try next.names(in: "/d") == ["f"] && next.names(in: "/none") == [])
    }
  }

  @Test("leaves of unsynced bytes the old, the new and torn mixtures, and never spoils what stood beside")
  func torn() throws {
    var outcomes: Set<String> = []
    for seed in 0..<400 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, Self.pattern(5000, 1))
      let file = try disk.open("/d/f", .write)
      try file.write(Self.pattern(8000, 2), at: 5000)
      try file.write(Self.pattern(600, 3), at: 100)
      let found = try Self.bytes(disk.powerCut(), "/d/f")
      try #require(found.prefix(100) == Self.pattern(100, 1)[...] && found[700..<5000].allSatisfy { $0 == 1 })
      // The system may have written a page back before.
      try #require([5000, 8192, 12_288, 13_000].contains(found.count))
      let (low, high) = (Set(found[100..<700]), Set(found[5000...]))
      try #require(low.isSubset(of: [1, 3]) && high.isSubset(of: [0, 2]))
      outcomes.insert("\(low.sorted()) \(high.sorted())")
    }
    // Overwritten: old, new, both; appended: not there, zeros, new, both.
    #expect(outcomes.count > 8, "\(outcomes.sorted())")
  }

  @Test("may give zeros for a page that was being overwritten, where it is told to")
  func zeroed() throws {
    var zeros = 0
    for seed in 0..<100 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, Self.pattern(8192, 1))
      disk.zeroOverwritten(true)
      try disk.open("/d/f", .write).write([9], at: 10)
      let found = try Self.bytes(disk.powerCut(), "/d/f")
      #expect(found[4096...].allSatisfy { $0 == 1 })
      if found.prefix(4096).allSatisfy({ $0 == 0 }) { zeros += 1 }
    }
    #expect(zeros > 0)
  }

  @Test("keeps or loses an unsynced truncation whole")
  func truncated() throws {
    var sizes: [Int: Int] = [:]
    for seed in 0..<100 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, Self.pattern(5000, 1))
      let file = try disk.open("/d/f", .write)
      try file.truncate(to: 100)
      try file.write(Self.pattern(200, 2), at: 100)
      let found = try Self.bytes(disk.powerCut(), "/d/f")
      sizes[found.count, default: 0] += 1
      #expect(found.prefix(100).allSatisfy { $0 == 1 })
      #expect(found.count == 5000 ? Set(found) == [1] : Set(found.dropFirst(100)).isSubset(of: [0, 2]))
    }
    #expect(Set(sizes.keys) == [100, 300, 5000])
  }

  @Test("replaces a file by a rename whole or not at all, and surely once the directory is synced")
  func renamed() throws {
    var outcomes: Set<[String]> = []
    for seed in 0..<200 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, [1])
      let file = try disk.open("/d/f.tmp", .create)
      try file.write(Self.pattern(9000, 2), at: 0)
      try file.sync()
      try disk.rename("/d/f.tmp", to: "/d/f")
      let isSynced = seed % 4 == 0
      if isSynced { try disk.syncDirectory("/d") }
      let next = disk.powerCut()
      let found = try Self.bytes(next, "/d/f")
      #expect(found == Self.pattern(9000, 2) || (!isSynced && found == [1]))
      outcomes.insert(try next.names(in: "/d"))
    }
    #expect(outcomes == [["f"], ["f", "f.tmp"]])
  }

  @Test("loses names, and directories with all that they hold, until their directory is synced")
  func names() throws {
    var lost = (file: 0, directory: 0, removal: 0)
    for seed in 0..<100 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, [1])
      try disk.makeDirectory("/d/sub")
      let file = try disk.open("/d/sub/g", .create)
      try file.write([1, 2, 3], at: 0)
      try file.sync()
      try disk.syncDirectory("/d/sub")
      try disk.remove("/d/f")
      _ = try disk.open("/d/h", .create)
      let next = disk.powerCut()
      let names = try next.names(in: "/d")
      if !names.contains("sub") {
        lost.directory += 1
        #expect(kind { _ = try next.open("/d/sub/g", .read) } == .notFound)
      } else {
        #expect(try Self.bytes(next, "/d/sub/g") == [1, 2, 3])
      }
      if !names.contains("h") { lost.file += 1 }
      if names.contains("f") { lost.removal += 1 }
    }
    #expect(lost.file > 10 && lost.directory > 10 && lost.removal > 10, "\(lost)")
  }

  @Test("forgets what a failed sync could not write, though the next one succeeds")
  func failedSync() throws {
    var lost = 0
    for seed in 0..<100 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, [1])
      let file = try disk.open("/d/f", .write)
      try file.write(Self.pattern(8192, 2), at: 0)
      disk.fail(.sync)
      #expect(kind { try file.sync() } == .io)
      try file.sync()
      if try Self.bytes(disk.powerCut(), "/d/f") != Self.pattern(8192, 2) { lost += 1 }
    }
    #expect((20..<100).contains(lost), "\(lost) of 100")
  }

  @Test("is full at its capacity, has then a part of the write, and has room again after a removal")
  func full() throws {
    let disk = try Self.disk(seed: 1, Self.pattern(4096, 1), capacity: 12_288)
    let file = try disk.open("/d/g", .create)
    #expect(kind { try file.write(Self.pattern(8193, 2), at: 0) } == .full)
    #expect(try disk.freeBytes(at: "/d") == 0 && file.size == 8192 && disk.usedBytes == 12_288)
    #expect(kind { try file.truncate(to: 8193) } == .full)
    try disk.remove("/d/f")
    try file.write(Self.pattern(4096, 3), at: 8192)
    #expect(try disk.freeBytes(at: "/d") == 0)
    // An open file keeps its space when its name goes.
    try disk.remove("/d/g")
    #expect(try disk.freeBytes(at: "/d") == 0 && file.read(1, at: 8192) == [3])
  }

  @Test("fails as it is told, call by call")
  func faults() throws {
    let disk = try Self.disk(seed: 1, [1])
    let file = try disk.open("/d/f", .write)
    disk.fail(.write, .full, skip: 1, times: 2)
    try file.write([1], at: 0)
    #expect(kind { try file.write([1], at: 0) } == .full)
    #expect(kind { try file.write([1], at: 0) } == .full)
    try file.write([1], at: 0)
    for (call, body) in [
      (.read, { _ = try file.read(1, at: 0) }), (.size, { _ = try file.size }),
      (.list, { _ = try disk.names(in: "/") }),
      (.truncate, { try file.truncate(to: 1) }), (.open, { _ = try disk.open("/d/f", .read) }),
      (.rename, { try disk.rename("/d/f", to: "/d/f") }), (.remove, { try disk.remove("/d/none") }),
      (.makeDirectory, { try disk.makeDirectory("/d") }), (.syncDirectory, { try disk.syncDirectory("/d") }),
      (.sync, { try file.sync() }),
    ] as [(DiskCall, () throws -> Void)] {
      disk.fail(call)
      #expect(kind(body) == .io, "\(call)")
      #expect(kind(body) == nil, "\(call)")
    }
    disk.odds.readFails = 1
    #expect(kind { _ = try file.read(1, at: 0) } == .io)
    #expect(disk.counts.faults == 13)
  }

  @Test("refuses what no disk allows")
  func refusals() throws {
    let disk = try Self.disk(seed: 1, [1])
    #expect(kind { _ = try disk.open("/d/none", .write) } == .notFound)
    #expect(kind { _ = try disk.open("/none/f", .create) } == .notFound)
    #expect(kind { _ = try disk.open("/d", .read) } == .failed)
    #expect(kind { try disk.makeDirectory("/none/x") } == .notFound)
    #expect(kind { try disk.makeDirectory("/d/f") } == .failed)
    #expect(kind { try disk.rename("/d/none", to: "/d/x") } == .notFound)
    #expect(kind { try disk.rename("/d", to: "/e") } == .failed)
    #expect(kind { try disk.remove("/d") } == .failed)
    #expect(kind { try disk.syncDirectory("/none") } == .notFound)
    let file = try disk.open("/d/f", .read)
    #expect(kind { try file.write([1], at: 0) } == .notPermitted)
    #expect(kind { try file.truncate(to: 0) } == .notPermitted)
    #expect(kind { _ = try file.read(1, at: -1) } == .failed)
    try disk.remove("/d/none")
    #expect(try Self.bytes(disk, "/d//./f/") == [1])
  }

  @Test("loses power in the middle of the step that it was told, and answers nothing after")
  func powerLost() throws {
    for steps in 0..<5 {
      let disk = try Self.disk(seed: UInt64(steps), [])
      let file = try disk.open("/d/f", .write)
      disk.losePower(afterSteps: steps)
      var written = 0
      while kind({ try file.write([1], at: Int64(written)) }) == nil { written += 1 }
      #expect(written == steps && disk.isPowerLost)
      #expect(kind { _ = try file.read(1, at: 0) } == .io)
      #expect(kind { _ = try disk.names(in: "/") } == .io)
      #expect(try !disk.powerCut().names(in: "/").isEmpty)
    }
  }

  @Test("keeps its page cache when only the process ends, and is no safer by that")
  func killed() throws {
    var lost = 0
    for seed in 0..<50 as Range<UInt64> {
      let disk = try Self.disk(seed: seed, [1])
      try disk.open("/d/f", .write).write([2, 3], at: 0)
      let alive = disk.kill()
      #expect(kind { _ = try disk.names(in: "/") } == .io)
      #expect(try Self.bytes(alive, "/d/f") == [2, 3])
      if try Self.bytes(alive.powerCut(), "/d/f") != [2, 3] { lost += 1 }
    }
    #expect((10..<45).contains(lost), "\(lost) of 50")
  }

  @Test("stalls the file that is synced and no other")
  func stalled() throws {
    let disk = try Self.disk(seed: 1, [1])
    let paths = Mutex<[String]>([])
    disk.onSync { [disk] path in
      // The lock is free here, or this would never come back.
      _ = try? disk.open("/d/other", .create).write([1], at: 0)
      paths.withLock { $0.append(path) }
    }
    try disk.open("/d/f", .write).sync()
    try disk.syncDirectory("/d")
    #expect(paths.withLock { $0 } == ["/d/f", "/d"])
    #expect(try Self.bytes(disk, "/d/other") == [1])
  }

  @Test("does the same for the same seed")
  func repeatable() throws {
    func run(_ seed: UInt64) throws -> [String: [UInt8]] {
      let disk = try Self.disk(seed: seed, Self.pattern(30_000, 1))
      disk.odds.writeFails = 0.1
      disk.odds.syncFails = 0.1
      disk.odds.nameFails = 0.1
      var random = SeededRandom(seed: seed)
      for step in 0..<300 {
        let name = "/d/\(random.below(5))"
        let file = try? disk.open(name, .create)
        let bytes = Self.pattern(1 + random.below(6000), UInt8(truncatingIfNeeded: step))
        try? file?.write(bytes, at: Int64(random.below(20_000)))
        if random.chance(0.1) { try? file?.truncate(to: Int64(random.below(9000))) }
        if random.chance(0.3) { try? file?.sync() }
        if random.chance(0.1) { try? disk.rename(name, to: "/d/\(random.below(5))") }
        if random.chance(0.1) { try? disk.remove(name) }
        if random.chance(0.2) { try? disk.syncDirectory("/d") }
      }
      return disk.powerCut().contents
    }
    for seed in 0..<5 as Range<UInt64> { #expect(try run(seed) == run(seed)) }
    #expect(try run(1) != run(2))
  }
}
