import Glibc
import Ledger
import PostgreSQLServer
import Provenance
import Sync
import Synchronization
import Testing
import TwinCore

@Suite("Workers on one ledger lose nothing and double nothing", .serialized) struct WorkerTests {
  /// Sends one site's log as a site does, over whichever worker comes: from what was acknowledged, with repetitions and
  /// batches out of order.
  private static func drain(_ log: SiteLog, over workers: [Ledger], seed: UInt64) throws -> Int {
    var random = Seeded(seed)
    var acknowledged: UInt64 = 0
    var turns = 0
    while acknowledged < log.next {
      turns += 1
      let first = UInt64.random(in: acknowledged.subtracting(7)...min(log.next - 1, acknowledged + 3), using: &random)
      let end = min(log.next, first + UInt64.random(in: 1...20, using: &random))
      // Row 62: a worker that dies between COMMIT and acknowledgement is one whose answer is dropped.
      let isLost = Int.random(in: 0..<5, using: &random) == 0
      let result = try workers.randomElement(using: &random)!.apply(log.batch(first..<end))
      guard !isLost else { continue }
      switch result {
      case .appended(let stored), .duplicate(let stored): acknowledged = max(acknowledged, stored.next)
      case .gap(let next): acknowledged = max(acknowledged, next)
      case .equivocation, .fork, .refused: throw Unexpected(result: "\(result)")
      }
    }
    return turns
  }

  private struct Unexpected: Error { let result: String }

  @Test("one worker, then eight, then one, each with any site's batches (rows 62, 65)", arguments: Backend.allCases)
  func scaled(backend: Backend) throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    let store = try TestStore(backend)
    let ledger = try store.open()
    var logs: [SiteLog] = []
    for number in 0..<6 {
      let epoch = try ledger.enrol(SiteName(number: number))
      logs.append(SiteLog(SiteName(number: number), epoch))
    }
    let eight = try store.workers(8, first: ledger)
    for (round, workers) in [[ledger], eight, [ledger]].enumerated() {
      for index in logs.indices { logs[index].grow(60) }
      try onThreads(
        logs.enumerated().map { number, log in
          { _ = try Self.drain(log, over: workers, seed: seed &+ UInt64(round * 100 + number)) }
        })
    }
    for log in logs {
      #expect(try ledger.stored(log.name)?.head == log.heads[180], "seed \(seed)")
      #expect(try ledger.all(log.name).map(\.entry) == log.entries.map(\.bytes), "seed \(seed)")
    }
  }

  @Test("workers that write the same many logs at once, in any order, all come through", arguments: Backend.allCases)
  func crossed(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open(.onConfirmation)
    var logs: [SiteLog] = []
    for number in 0..<8 {
      var log = SiteLog(SiteName(number: number), try ledger.enrol(SiteName(number: number)))
      log.grow(100)
      logs.append(log)
    }
    let sent = logs
    let workers = try store.workers(4, first: ledger)
    try onThreads(
      workers.enumerated().map { number, worker in
        {
          var random = Seeded(UInt64(number))
          for first in stride(from: 0 as UInt64, to: 100, by: 10) {
            _ = try worker.apply(sent.shuffled(using: &random).map { $0.batch(first..<first + 10) })
            if number == 0, first % 20 == 0 {
              try worker.keep(sent.shuffled(using: &random).map { $0.checkpoint(first + 10) })
              try worker.confirmBackup(upTo: worker.beginBackup())
            }
          }
        }
      })
    for log in logs {
      #expect(try ledger.stored(log.name)?.head == log.heads[100])
      #expect(try ledger.stored(log.name)?.safe == 90)
      #expect(try ledger.all(log.name).count == 100)
    }
  }

  @Test("a process killed at any moment has every acknowledged batch, whole", .timeLimit(.minutes(20)))
  func killed() async throws {
    let store = try TestStore(.file)
    let directory = store.directory
    let epoch = try store.open().enrol(SiteName(number: 1))
    var random = SystemRandomNumberGenerator()
    var (acknowledged, present): (UInt64, UInt64) = (0, 0)
    var log = SiteLog(SiteName(number: 1), epoch)
    log.grow(20_000, bodyBytes: 300)
    for round in 0..<12 {
      let delayUs = UInt32.random(in: 1...80_000, using: &random)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [directory = directory as String, epoch = epoch.bytes as [UInt8], delayUs = delayUs as UInt32] in
        try KilledWorker.run(directory, epoch, delayUs: delayUs)
      }
      acknowledged = max(acknowledged, try KilledWorker.acknowledged(directory))
      let ledger = try store.open()
      let head = try ledger.stored(log.name)?.head
      let next = head?.next ?? 0
      #expect(next >= max(acknowledged, present), "round \(round), killed after \(delayUs) µs")
      #expect(head == nil || head == log.heads[Int(next)], "round \(round)")
      let stored = try ledger.all(log.name)
      #expect(stored.map(\.entry) == log.entries.prefix(Int(next)).map(\.bytes), "round \(round)")
      present = next
    }
    #expect(acknowledged > 0, "the child got nowhere")
  }
}

/// The process that is killed.
enum KilledWorker {
  static func run(_ directory: String, _ epoch: [UInt8], delayUs: UInt32) throws {
    var log = SiteLog(SiteName(number: 1), LogEpoch(bytes: epoch)!)
    let ledger = try Ledger(.file(directory + "/ledger.db"), policy: .onCommit, clock: TestClock())
    var next = try ledger.stored(log.name)?.next ?? 0
    log.grow(Int(next) + 2000, bodyBytes: 300)
    let file = unsafe open(directory + "/acknowledged", O_WRONLY | O_CREAT, 0o600)
    try killSoon(afterUs: delayUs)
    while true {
      if next + 25 > log.next { log.grow(2000, bodyBytes: 300) }
      guard case .appended(let stored) = try ledger.apply(log.batch(next..<next + 25)) else { exit(3) }
      next = stored.next
      var written = next
      unsafe _ = pwrite(file, &written, 8, 0)
    }
  }

  static func acknowledged(_ directory: String) throws -> UInt64 {
    let file = unsafe open(directory + "/acknowledged", O_RDONLY)
    guard file >= 0 else { return 0 }
    defer { _ = close(file) }
    var found: UInt64 = 0
    return unsafe pread(file, &found, 8, 0) == 8 ? found : 0
  }

  private static func killSoon(afterUs delayUs: UInt32) throws {
    var thread = pthread_t()
    let box = unsafe UnsafeMutableRawPointer(bitPattern: UInt(delayUs))
    let code = unsafe pthread_create(
      &thread, nil,
      { raw in
        usleep(UInt32(UInt(bitPattern: raw)))
        kill(getpid(), SIGKILL)
        return nil
      }, box)
    try #require(code == 0)
  }
}

extension UInt64 {
  fileprivate func subtracting(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
