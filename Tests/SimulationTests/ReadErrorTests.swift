import FeatureStore
import Seams
import Simulation
import Testing
import TwinCore

@Suite("A start on a disk that does not give what it has") struct ReadErrorTests {
  /// A disk with days of a site, one that is open, and a log; and what the site must have.
  private static func disk(seed: UInt64, isKill: Bool) throws -> (disk: SimulatedDisk, site: SiteWorkload) {
    var random = SeededRandom(seed: seed)
    var site = SiteWorkload(seed: random.next(), hasBackfill: false)
    let disk = SimulatedDisk(seed: random.next(), capacity: 32 << 20)
    try disk.makeDirectory(SiteWorkload.directory)
    try disk.syncDirectory("/")
    let store = try SiteWorkload.open(disk, seed: random.next())
    try site.begin(store)
    for _ in 0..<120 { try site.step(store, disk, hasFaults: false) }
    let next = isKill ? disk.kill() : disk.powerCut(seed: random.next())
    _ = disk.powerCut(seed: 0)
    return (next, site)
  }

  /// At every place of the start, an error that stays or passes: the start says so, and the next one finds everything.
  @Test("says so, and the next one is whole", arguments: [false, true])
  func everywhere(isKill: Bool) throws {
    var (refused, started) = (0, 0)
    for seed in Seeds.list(short: 2, long: 40) {
      for call in [DiskCall.read, .list, .size, .open] {
        for times in [1, 2, 1000] {
          var place = 0
          while place < 400 {
            var (disk, site) = try Self.disk(seed: seed, isKill: isKill)
            let before = disk.counts.faults
            disk.fail(call, skip: place, times: times)
            var wasHit = false
            var first: String?
            do throws(StoreError) {
              let store = try SiteWorkload.open(disk, seed: seed)
              wasHit = disk.counts.faults > before
              disk.failNoMore()
              started += wasHit ? 1 : 0
              // What it could not read it must have named.
              if let defect = try site.adopt(store), store.condition.badCount == 0 { first = defect }
            } catch {
              (wasHit, refused) = (true, refused + 1)
              if ![.io, .cannotOpen, .failed, .busy].contains(error.kind) { first = "\(error)" }
              disk.failNoMore()
            }
            try #require(first == nil, "TWIND_SEED=\(seed), \(call) \(place) × \(times)")
            disk = disk.kill()
            guard wasHit else { break }
            let again = try SiteWorkload.open(disk, seed: seed)
            let defect = try site.adopt(again)
            let stats = try again.stats()
            let bad = stats.badBodies.map { "\($0.row): \($0.reason)" }
            try #require(
              defect == nil && bad == [], "TWIND_SEED=\(seed), \(call) \(place) × \(times): \(defect ?? "") \(bad)")
            place += place < 40 ? 1 : 7
          }
        }
      }
    }
    #expect(refused > 20 && started > 0, "\(refused) refused, \(started) started")
  }

  @Test("goes on with what it can read when a start was refused twice")
  func lasting() throws {
    var (disk, site) = try Self.disk(seed: 7, isKill: false)
    var faults: [StoreError] = []
    for _ in 0..<3 {
      disk.fail(.read, times: 100_000, path: ".twl")
      do throws(StoreError) {
        let store = try SiteWorkload.open(disk, seed: 7)
        disk.failNoMore()
        #expect(store.condition.badCount > 0)
      } catch { faults.append(error) }
      disk.failNoMore()
      disk = disk.kill()
    }
    #expect(faults.map(\.kind) == [.io, .io])
    #expect(faults.allSatisfy { $0.message.contains(".twl") })
    _ = try? site.adopt(try SiteWorkload.open(disk, seed: 7))
  }
}
