import SQLite
import Seams
import Simulation
import Testing
import TwinCore

/// SQLite as a witness: it is known to survive power cuts on a disk that keeps what it promises, so what breaks here is
/// the disk's or the VFS's.
@Suite("SQLite on a simulated disk") struct DatabaseCutTests {
  struct Way: Sendable, CustomStringConvertible {
    var journal: String
    var isPowersafe: Bool
    var description: String { "\(journal), \(isPowersafe ? "powersafe" : "zeroing")" }
  }

  /// Only a rollback journal saves what stands beside the bytes written: a checkpoint of the write-ahead log does not,
  /// nor does the first commit after a recovery that found the padding of the last one torn.
  static let ways = ["DELETE", "TRUNCATE", "PERSIST", "WAL"].flatMap {
    [Way(journal: $0, isPowersafe: true)] + ($0 == "WAL" ? [] : [Way(journal: $0, isPowersafe: false)])
  }

  typealias Rows = [Int64: [UInt8]]

  private static func open(_ files: any FileStore, _ way: Way, seed: UInt64) throws(SQLiteFault) -> Database {
    let vfs = FileStoreVFS(files: files, seed: seed, isPowersafe: way.isPowersafe)
    let database = try Database(path: "/d/a.db", access: .create, pageSize: 1024, vfs: vfs)
    let mode = try database.text("PRAGMA journal_mode = \(way.journal)")
    #expect(mode == way.journal.lowercased())
    try database.execute(
      """
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 20;
      CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v BLOB NOT NULL) STRICT;
      CREATE INDEX IF NOT EXISTS t_v ON t(substr(v, 1, 8));
      """)
    return database
  }

  private static func rows(_ database: Database) throws(SQLiteFault) -> Rows {
    let statement = try database.prepare("SELECT k, v FROM t")
    var rows: Rows = [:]
    while try statement.step() { rows[statement.integer(0)] = statement.bytes(1) }
    return rows
  }

  /// One transaction of random changes; gives the rows that it leaves.
  private static func change(
    _ database: Database, _ rows: Rows, _ random: inout SeededRandom, _ attempt: (Rows) -> Void
  ) throws(SQLiteFault) -> Rows {
    var next = rows
    let put = try database.prepare("INSERT OR REPLACE INTO t VALUES (?1, ?2)")
    let drop = try database.prepare("DELETE FROM t WHERE k = ?1")
    var changes: [(Int64, [UInt8]?)] = []
    for _ in 0..<1 + random.below(5) {
      let key = Int64(random.below(40))
      let bytes = (0..<random.below(random.chance(0.1) ? 6000 : 300)).map { _ in
        UInt8(truncatingIfNeeded: random.next())
      }
      changes.append((key, random.chance(0.3) ? nil : bytes))
      next[key] = changes.last?.1
    }
    attempt(next)
    try database.transaction { () throws(SQLiteFault) in
      for (key, bytes) in changes {
        let statement = bytes == nil ? drop : put
        try statement.bind(1, key)
        if let bytes { try statement.bind(2, bytes) }
        try statement.run()
      }
    }
    return next
  }

  /// Runs until the power goes; adds every state in which the next start may find the rows.
  private static func run(
    _ files: any FileStore, _ way: Way, from allowed: [Rows], _ random: inout SeededRandom
  ) -> [Rows] {
    var allowed = allowed
    do throws(SQLiteFault) {
      let database = try open(files, way, seed: random.next())
      var rows = try rows(database)
      guard allowed.contains(rows) else { return [] }
      allowed = [rows]
      while true {
        rows = try change(database, rows, &random) { allowed = [rows, $0] }
        allowed = [rows]
      }
    } catch {
      return allowed
    }
  }

  /// What is wrong after a cut; nil when nothing is.
  private static func defect(_ disk: SimulatedDisk, _ way: Way, _ allowed: [Rows]) -> String? {
    do throws(SQLiteFault) {
      let database = try open(disk, way, seed: 0)
      let verdict = try database.text("PRAGMA integrity_check")
      guard verdict == "ok" else { return verdict }
      let found = try rows(database)
      return allowed.contains(found) ? nil : "rows of no commit: \(found.keys.sorted())"
    } catch {
      return error.description
    }
  }

  /// Some generations of one disk, each ended by a cut, also in the middle of a recovery.
  private static func fails(_ seed: UInt64, _ way: Way, wrap: (SimulatedDisk) -> any FileStore) throws -> String? {
    var random = SeededRandom(seed: seed)
    var disk = SimulatedDisk(seed: random.next(), capacity: 1 << 20)
    try disk.makeDirectory("/d")
    try disk.syncDirectory("/")
    disk.zeroOverwritten(!way.isPowersafe)
    var allowed: [Rows] = [[:]]
    for generation in 0..<5 {
      disk.losePower(afterSteps: random.below(random.chance(0.3) ? 20 : 250))
      allowed = Self.run(wrap(disk), way, from: allowed, &random)
      disk = disk.powerCut(seed: random.next())
      // Looked at on a copy, so that the next generation recovers by itself.
      let look = disk.powerCut(seed: 0)
      disk = disk.powerCut(seed: 0)
      if let defect = Self.defect(look, way, allowed) { return "seed \(seed), generation \(generation): \(defect)" }
    }
    return nil
  }

  @Test("keeps committed transactions and stays whole over power cuts at any step", arguments: ways)
  func cuts(_ way: Way) throws {
    for seed in Seeds.list(short: 12, long: 500) {
      let failure = try Self.fails(seed, way) { $0 }
      try #require(failure == nil, "\(way)")
    }
  }

  @Test("is found broken where the disk lies about its syncs", arguments: ways.filter { $0.isPowersafe })
  func lies(_ way: Way) throws {
    let failures = try (0..<30 as Range<UInt64>).filter {
      try Self.fails($0, way, wrap: { LyingStore($0) { _ in true } }) != nil
    }
    #expect(failures.count > 5, "\(failures.count) of 30")
  }

  @Test("survives refused and failing writes, and tells a full disk as such", arguments: ways.filter { $0.isPowersafe })
  func faults(_ way: Way) throws {
    for seed in Seeds.list(short: 8, long: 300) {
      var random = SeededRandom(seed: seed)
      let disk = SimulatedDisk(seed: random.next(), capacity: 120_000)
      try disk.makeDirectory("/d")
      try disk.syncDirectory("/")
      let database = try Self.open(disk, way, seed: seed)
      var (rows, attempted): (Rows, Rows) = ([:], [:])
      disk.odds.writeFails = random.chance(0.5) ? 0.01 : 0
      disk.odds.readFails = random.chance(0.5) ? 0.005 : 0
      for _ in 0..<150 {
        do throws(SQLiteFault) {
          rows = try Self.change(database, rows, &random) { attempted = $0 }
          attempted = rows
        } catch {
          #expect([.full, .io, .busy].contains(error.kind), "seed \(seed): \(error)")
          // The commit may have been refused after it was done; the file tells.
          break
        }
      }
      let next = disk.powerCut(seed: random.next())
      let defect = Self.defect(next, way, [rows, attempted])
      try #require(defect == nil, "seed \(seed), \(way)")
    }
  }
}
