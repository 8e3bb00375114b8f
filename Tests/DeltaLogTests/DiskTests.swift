import DeltaLog
import Provenance
import SQLite
import Seams
import Simulation
import Sodium
import Testing
import TwinCore

@Suite struct `A log on a disk that breaks` {
  private static func open(
    _ disk: SimulatedDisk, seed: UInt64 = 0, bytesMax: Int64 = 1 << 20
  ) throws(DeltaLogFault) -> DeltaLog {
    try DeltaLog(
      file: "/state/sync.db", site: testSite, boot: testBoot, keyEpoch: 1, clock: HandClock(),
      limits: DeltaLogLimits(bytesMax: bytesMax), files: disk, vfs: FileStoreVFS(files: disk, seed: seed))
  }

  private static func disk(seed: UInt64, capacity: Int = 8 << 20) throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: seed, capacity: capacity)
    try disk.makeDirectory("/state")
    try disk.syncDirectory("/")
    return disk
  }

  private struct Memory: Equatable {
    var naive = NaiveLog()
    var safe: UInt64 = 0
    var epoch: LogEpoch?
  }

  /// Until the power goes; gives what was acknowledged last, and what was being written.
  private static func live(
    _ disk: SimulatedDisk, _ durable: Memory, _ random: inout SeededRandom
  ) -> (acknowledged: Memory, attempt: Memory) {
    var (memory, attempt) = (durable, durable)
    do throws(DeltaLogFault) {
      let log = try open(disk, seed: random.next())
      defer { _ = disk.powerCut(seed: 0) }
      memory = Memory(naive: try NaiveLog.of(log), safe: log.head(.audit).safe, epoch: log.epoch)
      while true {
        attempt = memory
        if random.chance(0.15) {
          attempt.safe = UInt64(random.below(Int(log.head(.audit).next) + 1))
          attempt.safe = max(memory.safe, attempt.safe)
          try log.acknowledge(.audit, safe: attempt.safe)
        } else {
          let drafts = (0..<1 + random.below(random.chance(0.05) ? 200 : 4)).map { _ in
            LogDraft(LogStream(rawValue: UInt8(random.below(4)))!, .audit, random.bytes(random.below(200)))
          }
          for draft in drafts {
            guard case .bytes(let body) = draft.body else { continue }
            attempt.naive.rows[Int(draft.stream.rawValue)].append(NaiveLog.Row(entry: [], body: body))
          }
          try log.add(drafts)
        }
        memory = attempt
      }
    } catch {
      #expect(disk.isPowerLost, "\(error)")
      return (memory, attempt)
    }
  }

  /// Rows 59 of the attack matrix. Entries are compared by their bodies, which are random.
  private static func allows(_ found: Memory, _ memory: Memory) -> Bool {
    (memory.epoch == nil || found.epoch == memory.epoch) && found.safe == memory.safe
      && zip(found.naive.rows, memory.naive.rows).allSatisfy { $0.map(\.body) == $1.map(\.body) }
  }

  @Test func `has every entry that it acknowledged and no half of a call, whenever the power goes`() throws {
    for seed in Seeds.list(short: 25, long: 1000) {
      var random = SeededRandom(seed: seed)
      var disk = try Self.disk(seed: random.next())
      var durable = Memory()
      for generation in 0..<4 {
        let isFirst = durable.epoch == nil
        disk.losePower(afterSteps: random.below(random.chance(0.3) ? 40 : 300))
        let (acknowledged, attempt) = Self.live(disk, durable, &random)
        disk = disk.powerCut(seed: random.next())
        do {
          let log = try Self.open(disk)
          let found = Memory(naive: try NaiveLog.of(log), safe: log.head(.audit).safe, epoch: log.epoch)
          // Before the first epoch was durable there was nothing to lose.
          let isNew = isFirst && acknowledged.epoch == nil
          let isAllowed = isNew || Self.allows(found, acknowledged) || Self.allows(found, attempt)
          try #require(isAllowed, "TWIND_SEED=\(seed), generation \(generation)")
          // Heads are those of the entries.
          for stream in LogStream.allCases {
            let rows = found.naive.rows[Int(stream.rawValue)]
            let point = found.naive.point(stream, rows.count)
            let state = log.head(stream)
            #expect(
              state.next == point.size && state.chain == point.chain && state.root == point.root, "TWIND_SEED=\(seed)")
          }
          #expect(try log.verify() == nil, "TWIND_SEED=\(seed)")
          durable = found
        }
        disk = disk.powerCut(seed: random.next())
      }
    }
  }

  /// Row 61.
  @Test func `acknowledges nothing that the device refused, and goes on when it works again`() throws {
    for (call, kind, code) in [
      (DiskCall.sync, FileFault.Kind.io, "delta_log.io"), (.write, .io, "delta_log.io"),
      (.write, .full, "delta_log.disk_full"),
    ] {
      let disk = try Self.disk(seed: 4)
      let log = try Self.open(disk)
      try log.add(.model, 3)
      let state = log.head(.model)
      disk.fail(call, kind, times: 1, path: "-wal")
      let fault = #expect(throws: DeltaLogFault.self) { try log.add(.model, 1, seed: 2) }
      #expect(fault?.code == code)
      #expect(log.head(.model) == state)
      #expect(try log.add(.model, 2, seed: 3) == [3, 4])
      #expect(try log.verify() == nil)
      let next = disk.powerCut(seed: 9)
      let again = try Self.open(next)
      #expect(again.head(.model).next == 5)
      #expect(try again.records(.model, from: 0, maxCount: 9, maxBytes: 9999).map(\.sequence) == [0, 1, 2, 3, 4])
      #expect(try again.verify() == nil)
    }
  }

  @Test func `loses nothing over many faults`() throws {
    for seed in Seeds.list(short: 10, long: 400) {
      var random = SeededRandom(seed: seed)
      let disk = try Self.disk(seed: random.next())
      let log = try Self.open(disk, seed: seed)
      disk.odds.writeFails = random.chance(0.7) ? 0.02 : 0
      disk.odds.syncFails = random.chance(0.7) ? 0.03 : 0
      disk.odds.readFails = random.chance(0.3) ? 0.01 : 0
      var acknowledged: [[UInt8]] = []
      for _ in 0..<150 {
        let body = random.bytes(60)
        do throws(DeltaLogFault) {
          try log.add([LogDraft(.control, .audit, body)])
          acknowledged.append(body)
        } catch {
          #expect([.io, .corrupt].contains(error.kind), "TWIND_SEED=\(seed): \(error)")
        }
      }
      let again = try Self.open(disk.powerCut(seed: random.next()))
      let bodies = try NaiveLog.of(again).rows[1].compactMap(\.body)
      // One whose commit failed may be there all the same; none that was acknowledged may be missing or out of order.
      var place = bodies[...]
      for body in acknowledged {
        guard let index = place.firstIndex(of: body) else {
          Issue.record("TWIND_SEED=\(seed): an acknowledged entry is missing")
          break
        }
        place = place[(index + 1)...]
      }
      #expect(try again.verify() == nil, "TWIND_SEED=\(seed)")
    }
  }

  /// What flash wears out by: bytes that reach the device, and flushes.
  @Test func `writes about a page for an entry that comes alone, and much less for many`() throws {
    let disk = try Self.disk(seed: 5, capacity: 64 << 20)
    let log = try Self.open(disk, bytesMax: 40 << 20)
    func bytesEach(_ group: Int) throws -> Int {
      let before = disk.counts
      for _ in 0..<4000 / group {
        try log.add((0..<group).map { _ in LogDraft(.audit, .decision, Sodium.randomBytes(100)) })
      }
      let after = disk.counts
      #expect(after.syncs - before.syncs < 4000 / group + 60)
      return (after.writtenBytes - before.writtenBytes) / 4000
    }
    let (alone, tens, hundreds) = (try bytesEach(1), try bytesEach(10), try bytesEach(100))
    #expect(alone < 5200 && tens < 1300 && hundreds < 700, "\(alone), \(tens), \(hundreds) bytes written per entry")
  }

  /// Row 60.
  @Test func `keeps room for audit when others fill the volume, and takes it back when they leave`() throws {
    let disk = try Self.disk(seed: 3, capacity: 32 << 20)
    let log = try Self.open(disk, bytesMax: 20 << 20)
    #expect(log.reservedBytes == 1 << 20)
    try log.add(.model, 20)
    // Somebody else takes all that is left.
    let hog = try disk.open("/state/hog", .create)
    var size: Int64 = 0
    while (try? hog.write([UInt8](repeating: 1, count: 4096), at: size)) != nil { size += 4096 }
    var refused: DeltaLogFault?
    for _ in 0..<2000 where refused == nil {
      do throws(DeltaLogFault) { try log.add(.model, 1, bytes: 3000) } catch { refused = error }
    }
    #expect(refused?.kind == .diskFull && log.problem != nil)
    var audits = 0
    var controls = 0
    for _ in 0..<60 {
      try log.add(.audit, 1, bytes: 3000)
      audits += 1
      if (try? log.add(.control, 1, bytes: 3000)) != nil { controls += 1 }
    }
    #expect(audits == 60 && controls > 0)
    #expect(log.reservedBytes < 1 << 20)
    let second = #expect(throws: DeltaLogFault.self) { try log.add(.model, 1) }
    #expect(second?.kind == .budget)
    // Even the reserve has an end.
    var last: DeltaLogFault?
    for _ in 0..<3000 where last == nil {
      do throws(DeltaLogFault) { try log.add(.audit, 1, bytes: 3000) } catch { last = error }
    }
    #expect(last?.code == "delta_log.disk_full")
    try hog.truncate(to: 0)
    try log.add(.audit, 1)
    try log.add(.model, 1)
    #expect(log.reservedBytes == 1 << 20)
    try log.add(.model, 1)
    #expect(log.problem == nil)
    #expect(try log.verify() == nil)
  }
}
