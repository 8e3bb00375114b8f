import Glibc
import Testing

@testable import SQLite

/// A directory that goes with the test.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/twind-sqlite-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for suffix in ["", "-wal", "-shm", "-journal"] { _ = unsafe unlink("\(path)/a.db\(suffix)") }
    _ = unsafe rmdir(path)
  }

  func open(_ access: Database.Access = .create, busyTimeoutMs: Int32 = 0) throws -> Database {
    try Database(path: path + "/a.db", access: access, busyTimeoutMs: busyTimeoutMs)
  }
}

@Suite("A database") struct DatabaseTests {
  let scratch = Scratch()

  @Test("gives every value back as it was bound")
  func values() throws {
    let database = try scratch.open()
    try database.execute("CREATE TABLE t(a ANY) STRICT")
    let insert = try database.prepare("INSERT INTO t VALUES (?1) RETURNING a")
    for number in [Int64.min, -1, 0, 1, .max] {
      try insert.bind(1, number)
      #expect(try insert.step() && insert.integer(0) == number)
      insert.reset()
    }
    for number in [-Double.greatestFiniteMagnitude, -0.0, .leastNonzeroMagnitude, .infinity] {
      try insert.bind(1, number)
      #expect(try insert.step())
      #expect(insert.double(0).bitPattern == number.bitPattern)
      insert.reset()
    }
    for text in ["", "a\0b", "Zürich ❄️"] {
      try insert.bind(1, text)
      #expect(try insert.step() && !insert.isNull(0) && insert.text(0) == text)
      insert.reset()
    }
    for bytes in [[], [0], Array(repeating: 0xFF, count: 100_000)] as [[UInt8]] {
      try insert.bind(1, bytes)
      #expect(try insert.step() && !insert.isNull(0) && insert.bytes(0) == bytes)
      insert.reset()
    }
    try insert.bindNull(1)
    #expect(try insert.step() && insert.isNull(0) && insert.text(0).isEmpty && insert.bytes(0).isEmpty)
  }

  @Test("does all of a transaction or nothing")
  func transaction() throws {
    let database = try scratch.open()
    try database.execute("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    #expect(throws: SQLiteFault.self) {
      try database.transaction { () throws(SQLiteFault) in
        try database.execute("INSERT INTO t VALUES (1)")
        try database.execute("INSERT INTO t VALUES (1)")
      }
    }
    #expect(!database.isInTransaction)
    #expect(try database.integer("SELECT count(*) FROM t") == 0)
    try database.transaction { () throws(SQLiteFault) in try database.execute("INSERT INTO t VALUES (7)") }
    #expect(database.rowidLast == 7 && database.changes == 1)
  }

  @Test("shows a snapshot the same rows to its end")
  func snapshot() throws {
    let writer = try scratch.open()
    try writer.useDurableLog()
    try writer.execute("CREATE TABLE t(a INTEGER)")
    let reader = try scratch.open(.readOnly)
    let counts = try reader.snapshot { () throws(SQLiteFault) in
      let before = try reader.integer("SELECT count(*) FROM t")
      try writer.execute("INSERT INTO t VALUES (1)")
      return [before, try reader.integer("SELECT count(*) FROM t")]
    }
    #expect(counts == [0, 0])
    #expect(try reader.integer("SELECT count(*) FROM t") == 1)
  }

  @Test("flushes every commit of its write-ahead log")
  func durable() throws {
    let database = try scratch.open()
    try database.useDurableLog()
    #expect(try database.text("PRAGMA journal_mode") == "wal")
    #expect(try database.integer("PRAGMA synchronous") == 2)
    try database.setUserVersion(9)
    #expect(try scratch.open(.readOnly).userVersion == 9)
  }
}

@Suite("A fault of SQLite") struct SQLiteFaultTests {
  let scratch = Scratch()

  private func kind(_ body: () throws(SQLiteFault) -> Void) -> SQLiteFault.Kind? {
    do throws(SQLiteFault) { try body() } catch { return error.kind }
    return nil
  }

  @Test("tells what happened by its kind")
  func kinds() throws {
    #expect(
      kind { () throws(SQLiteFault) in _ = try Database(path: scratch.path + "/no/a.db", access: .create) }
        == .cannotOpen)
    let database = try scratch.open()
    try database.execute("CREATE TABLE t(a BLOB); INSERT INTO t VALUES (zeroblob(100))")
    #expect(kind { () throws(SQLiteFault) in try database.execute("SELEC") } == .failed)
    try database.execute("CREATE UNIQUE INDEX i ON t(a)")
    #expect(
      kind { () throws(SQLiteFault) in try database.execute("INSERT INTO t VALUES (zeroblob(100))") } == .constraint)
    let reader = try scratch.open(.readOnly)
    #expect(kind { () throws(SQLiteFault) in try reader.execute("DELETE FROM t") } == .readOnly)
    try database.execute("BEGIN IMMEDIATE")
    let other = try scratch.open(.readWrite)
    #expect(kind { () throws(SQLiteFault) in try other.execute("DELETE FROM t") } == .busy)
    try database.execute("ROLLBACK; PRAGMA max_page_count = 5")
    #expect(
      kind { () throws(SQLiteFault) in try database.execute("INSERT INTO t VALUES (zeroblob(100000))") } == .full)
  }

  @Test("calls a file that is no database corrupt")
  func corrupt() throws {
    let file = unsafe fopen(scratch.path + "/a.db", "w")
    _ = unsafe fputs(String(repeating: "no database ", count: 100), file)
    unsafe fclose(file)
    let database = try scratch.open()
    #expect(kind { () throws(SQLiteFault) in try database.execute("CREATE TABLE t(a)") } == .corrupt)
  }

  @Test(
    "maps extended codes",
    arguments: [
      (13, 0, "sqlite.full"), (778, 28, "sqlite.full"), (778, 122, "sqlite.full"), (778, 5, "sqlite.io"),
      (267, 0, "sqlite.corrupt"), (26, 0, "sqlite.corrupt"), (261, 0, "sqlite.busy"), (6, 0, "sqlite.busy"),
      (1032, 0, "sqlite.readonly"), (526, 2, "sqlite.cantopen"), (2067, 0, "sqlite.constraint"),
      (1, 0, "sqlite.failed"),
    ] as [(Int32, Int32, String)])
  func mapping(code: Int32, errno: Int32, slug: String) {
    let fault = SQLiteFault(extendedCode: code, systemErrno: errno, doing: "write", because: "so")
    #expect(fault.code == slug)
    #expect(fault.message.hasPrefix("write: so (SQLite code \(code)"))
    #expect(!fault.remedy.isEmpty)
  }

  @Test(
    "knows which libraries can corrupt a log that two connections checkpoint",
    arguments: [
      (3_006_023, false), (3_007_000, true), (3_040_001, true), (3_044_005, true), (3_044_006, false),
      (3_045_000, true),
      (3_050_006, true), (3_050_007, false), (3_051_002, true), (3_051_003, false), (3_052_000, false),
    ])
  func walReset(version: Int, isExposed: Bool) {
    #expect(Database.hasWalResetDefect(version) == isExposed)
  }

  @Test("shows versions as people write them")
  func versions() {
    #expect(Database.versionText(3_040_001) == "3.40.1")
    #expect(Database.libraryVersion >= Database.libraryVersionMin)
  }
}
