import FeatureStore
import Glibc
import Seams
import Synchronization
import Testing
import TwinCore

@testable import EdgeService

/// Numbers from several threads.
private final class Tally: Sendable {
  private let numbers = Mutex<[Int64]>([])

  func add(_ number: Int64) { numbers.withLock { $0.append(number) } }
  var list: [Int64] { numbers.withLock { $0 } }
}

@Suite("The way of records to the disk")
struct JournalTests {
  /// A journal over a store in a folder of its own, and a hand on the store's thread.
  private final class Bench: Sendable {
    let path: String
    let keeper: StoreKeeper
    let journal: Journal
    let health = HealthRegistry()
    private let gate = Mutex(false)

    init() throws {
      var template = Array("/tmp/twind-journal-XXXXXX".utf8CString)
      path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
      keeper = try StoreKeeper(directory: path, limits: StoreLimits())
      journal = Journal(keeper: keeper, clock: SystemClock(), health: health, commitNanoseconds: 1)
    }

    deinit { unsafe _ = system("rm -rf \(path)") }

    /// Holds the store's thread, as a disk that does not answer does, until `release`.
    func stall() async {
      let gate = self
      try? await keeper.with { (_) throws(StoreError) in gate.wait() }
    }

    private let held = Mutex(false)
    /// Whether the store's thread is in our hands.
    var isHeld: Bool { held.withLock { $0 } }

    private func wait() {
      held.withLock { $0 = true }
      while !gate.withLock({ $0 }) { usleep(1000) }
    }

    func release() { gate.withLock { $0 = true } }

    func entry(_ number: Int64, mustBeKept: Bool = false) -> JournalEntry {
      JournalEntry(
        frames: [],
        tick: TickRecord(
          number: number, instant: Instant(nanoseconds: number), uptime: Uptime(nanoseconds: number), boot: 1,
          frames: 1..<1, mustBeKept: mustBeKept, bytes: []))
    }

    /// One that tells whether it became durable.
    func decision(_ number: Int64, _ tell: @escaping @Sendable (Bool) -> Void) -> JournalEntry {
      var entry = entry(number, mustBeKept: true)
      entry.whenDurable = { result in
        switch result {
        case .success: tell(true)
        case .failure: tell(false)
        }
      }
      return entry
    }
  }

  @Test("a disk that does not answer: nobody waits, the oldest ticks go, decisions stay, and it is told")
  func stalled() async throws {
    let bench = try Bench()
    let durable = Tally()
    await withTaskGroup { group in
      group.addTask { await bench.stall() }
      while !bench.isHeld { await Task.yield() }
      group.addTask { await bench.journal.run() }
      // The first entry is taken by the commit that hangs.
      bench.journal.submit(bench.entry(1))
      while bench.journal.stalledNanoseconds == 0 { await Task.yield() }
      bench.journal.submit(bench.decision(2) { isDurable in if isDurable { durable.add(2) } })
      let more = Int64(Journal.waitingMax + 500)
      for number in 3..<3 + more { bench.journal.submit(bench.entry(number)) }
      #expect(bench.journal.dropped > 0 && bench.journal.dropped <= 502)
      #expect(bench.journal.stalledNanoseconds > 0)
      bench.release()
      bench.journal.finish()
      await group.waitForAll()
    }
    #expect(durable.list == [2], "what must be kept is kept")
    #expect(bench.journal.stalledNanoseconds == 0)
    let kept = try await bench.keeper.with { (store) throws(StoreError) in store.lastTickNumber }
    #expect(kept == Int64(Journal.waitingMax + 502), "the newest are there")
  }

  @Test("a queue full of decisions refuses the next one at once")
  func full() async throws {
    let bench = try Bench()
    let refused = Tally()
    await withTaskGroup { group in
      group.addTask { await bench.stall() }
      while !bench.isHeld { await Task.yield() }
      group.addTask { await bench.journal.run() }
      bench.journal.submit(bench.entry(1))
      while bench.journal.stalledNanoseconds == 0 { await Task.yield() }
      for number in 2..<Int64(Journal.waitingMax + 12) {
        bench.journal.submit(
          bench.decision(number) { isDurable in if !isDurable { refused.add(number) } })
      }
      #expect(refused.list.count >= 9)
      bench.release()
      bench.journal.finish()
      await group.waitForAll()
    }
  }
}
