import FeatureStore
import Seams
import Simulation
import Testing
import TwinCore

/// Lives of a site on a disk that breaks, generation after generation: each ends at any step, and the next one must
/// find everything that was acknowledged, nothing that nobody wrote, and no damage.
struct SiteLife {
  enum End: Sendable {
    /// The machine loses power.
    case cut
    /// Either that, or the process alone ends at once, or in good order.
    case any
  }

  /// What was wrong, with what is needed to see it again.
  struct Tale: Error, CustomStringConvertible {
    let description: String
  }

  private static let operationsMax = 200
  let end: End
  let hasFaults: Bool
  /// Paths whose syncs do nothing.
  private let lies: (@Sendable (String) -> Bool)?
  private var random: SeededRandom
  private var site: SiteWorkload
  private var disk: SimulatedDisk
  private var log: [String] = []
  private(set) var cuts = 0

  init(
    seed: UInt64, end: End, hasFaults: Bool, hasBackfill: Bool = false, lies: (@Sendable (String) -> Bool)? = nil
  ) {
    (self.end, self.hasFaults, self.lies) = (end, hasFaults, lies)
    random = SeededRandom(seed: seed)
    site = SiteWorkload(seed: random.next(), hasBackfill: hasBackfill)
    disk = SimulatedDisk(seed: random.next(), capacity: 16 << 20)
    try? disk.makeDirectory(SiteWorkload.directory)
    try? disk.syncDirectory("/")
  }

  var commits: Int { site.commits }
  var lapses: Int { site.lapses }
  var folds: Int { site.folds }
  private var files: any FileStore { lies.map { LyingStore(disk, about: $0) } ?? disk }

  mutating func run(generations: Int) throws(Tale) {
    for generation in 0..<generations {
      log = ["generation \(generation)"]
      disk.losePower(afterSteps: random.below(random.chance(0.25) ? 40 : 500))
      if let defect = live() { throw tale(defect) }
      stop()
      if let defect = inspect() { throw tale(defect) }
    }
  }

  private func tale(_ defect: String) -> Tale {
    Tale(description: ([defect] + log.suffix(12)).joined(separator: "\n  "))
  }

  /// Until the power goes, or it has done enough.
  private mutating func live() -> String? {
    do throws(StoreError) {
      let store = try SiteWorkload.open(files, seed: random.next())
      // The disk refuses every call before the store goes, so that it cannot put its house in order.
      defer { if end == .cut || disk.isPowerLost { _ = disk.powerCut(seed: 0) } }
      try site.begin(store)
      for _ in 0..<Self.operationsMax where !disk.isPowerLost {
        do throws(StoreError) {
          try site.step(store, disk, hasFaults: hasFaults)
        } catch {
          log.append("\(error)")
          if disk.isPowerLost { break }
          guard hasFaults, error.kind == .io || error.kind == .diskFull else { return "refused: \(error)" }
        }
      }
      log.append("after \(disk.counts.steps) steps, \(site.commits) commits")
      if end == .any, !disk.isPowerLost {
        disk.failNoMore()
        if random.chance(0.5) { try store.close() } else { disk = disk.kill() }
      }
      return nil
    } catch {
      log.append("\(error)")
      return disk.isPowerLost ? nil : "no start or end: \(error)"
    }
  }

  /// A rollup whose day is gone.
  private var orphan: String? {
    let names = disk.contents.keys
    return names.first { name in
      guard name.hasSuffix(".twr") else { return false }
      return !["tws", "twc"].contains { names.contains(name.dropLast(3) + $0) }
    }
  }

  private mutating func stop() {
    let seed = random.next()
    let isKill = end == .any && !site.hasSyncFailed && random.chance(0.4)
    log.append(isKill ? "killed" : "cut")
    disk = isKill ? disk.kill() : disk.powerCut(seed: seed)
    if !isKill { site.machineStarts() }
    cuts += 1
  }

  /// Starts, now and then with the power going during the start, and looks at what is there.
  private mutating func inspect() -> String? {
    while random.chance(0.3) {
      disk.losePower(afterSteps: random.below(50))
      do throws(StoreError) {
        let store = try SiteWorkload.open(files, seed: random.next())
        disk = disk.powerCut(seed: random.next())
        _ = store
      } catch {
        guard disk.isPowerLost else { return "no start: \(error)" }
        disk = disk.powerCut(seed: random.next())
      }
      log.append("cut while it started")
      cuts += 1
    }
    do throws(StoreError) {
      let store = try SiteWorkload.open(files, seed: random.next())
      // The next generation recovers again, from this one's page cache.
      defer { disk = disk.kill() }
      if let defect = try site.adopt(store) { return defect }
      if let orphan { return "a rollup of no day: \(orphan)" }
      let stats = try store.stats()
      return stats.badBodyCount == 0 || hasFaults ? nil : "damage: \(stats.badBodies)"
    } catch {
      return "no start: \(error)"
    }
  }
}

@Suite("A site's store on a disk that breaks") struct SiteCutTests {
  private static func lives(
    _ seeds: [UInt64], end: SiteLife.End, hasFaults: Bool, hasBackfill: Bool = false
  ) -> (cuts: Int, commits: Int, lapses: Int, folds: Int) {
    var sum = (cuts: 0, commits: 0, lapses: 0, folds: 0)
    for seed in seeds {
      var life = SiteLife(seed: seed, end: end, hasFaults: hasFaults, hasBackfill: hasBackfill)
      do throws(SiteLife.Tale) { try life.run(generations: 4) } catch {
        Issue.record("TWIND_SEED=\(seed): \(error)")
      }
      sum = (
        sum.cuts + life.cuts, sum.commits + life.commits, sum.lapses + life.lapses, sum.folds + life.folds
      )
    }
    if Seeds.isLong {
      print(
        "\(seeds.count) lives from seed \(seeds[0]), end \(end), faults \(hasFaults), backfill \(hasBackfill): \(sum)")
    }
    return sum
  }

  @Test("starts after power cuts at any step, with all that was acknowledged and nothing else", arguments: 0..<2)
  func cuts(part: Int) {
    let sum = Self.lives(Seeds.list(short: 15, long: 600), end: .cut, hasFaults: false)
    // A single life may end early.
    #expect(sum.cuts > 3 && sum.commits > 10 || Seeds.isReplay, "\(sum)")
  }

  @Test("starts after its process was killed, or ended, between cuts")
  func kills() { _ = Self.lives(Seeds.list(short: 12, long: 600), end: .any, hasFaults: false) }

  @Test("starts where the disk was full, refused reads and writes, and failed to flush")
  func faults() { _ = Self.lives(Seeds.list(short: 15, long: 800), end: .any, hasFaults: true) }

  @Test("gives frames that came days late in the order in which they came")
  func backfill() { _ = Self.lives(Seeds.list(short: 12, long: 400), end: .any, hasFaults: false, hasBackfill: true) }

  @Test(
    "is found broken where the disk lies about flushing what it must",
    arguments: [".twl", ".tws", "/log", "/data", "-wal", ".db"])
  func lies(path: String) throws {
    var broken = 0
    for seed in 0..<40 as Range<UInt64> {
      var life = SiteLife(seed: seed, end: .cut, hasFaults: false) { $0.hasSuffix(path) }
      do throws(SiteLife.Tale) { try life.run(generations: 4) } catch { broken += 1 }
      if broken > 0 { break }
    }
    #expect(broken > 0, "\(path): \(broken) of 40")
  }
}
