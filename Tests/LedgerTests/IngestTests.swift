import Glibc
import Ledger
import Provenance
import Sync
import Testing
import TwinCore

@Suite("Ingest", .serialized) struct IngestTests {
  /// Prints the rate; the bench holds the goal.
  @Test("takes 100,000 entries of 100 sites, ten sites to a transaction", arguments: Backend.allCases)
  func rate(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    var logs: [SiteLog] = []
    for number in 0..<100 {
      var log = SiteLog(SiteName(number: number), try ledger.enrol(SiteName(number: number)))
      log.grow(1000, bodyBytes: 200)
      logs.append(log)
    }
    let (cpu, wall) = (Self.seconds(CLOCK_PROCESS_CPUTIME_ID), Self.seconds(CLOCK_MONOTONIC))
    for first in stride(from: 0 as UInt64, to: 1000, by: 50) {
      for group in stride(from: 0, to: logs.count, by: 10) {
        let results = try ledger.apply(logs[group..<group + 10].map { $0.batch(first..<first + 50) })
        #expect(results.allSatisfy { if case .appended = $0 { true } else { false } })
      }
    }
    let spent = Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
    print(
      "ingest on \(backend): \(Int(100_000 / spent)) entries per CPU second of this process, "
        + "\(Int(100_000 / (Self.seconds(CLOCK_MONOTONIC) - wall))) per second")
    #expect(try ledger.sites(limit: 1000).count == 100)
    #expect(try logs.allSatisfy { try ledger.stored($0.name)?.head == $0.heads[1000] })
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
