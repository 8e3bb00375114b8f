import Seams
import Synchronization
import Testing

@testable import SQLite

@Suite("SQLite over a file store") struct VFSTests {
  let scratch = Scratch()
  private var path: String { scratch.path + "/a.db" }

  private func open(
    _ access: Database.Access = .create, _ files: any FileStore = SystemFileStore()
  ) throws(SQLiteFault) -> Database {
    try Database(path: path, access: access, busyTimeoutMs: 1, vfs: FileStoreVFS(files: files))
  }

  private static func fill(_ database: Database, rows: Int = 300) throws(SQLiteFault) {
    try database.transaction { () throws(SQLiteFault) in
      try database.execute("CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b BLOB)")
      let insert = try database.prepare("INSERT INTO t(b) VALUES (zeroblob(?1))")
      for row in 0..<rows {
        try insert.bind(1, Int64(row))
        try insert.run()
      }
    }
  }

  private func kind(_ body: () throws(SQLiteFault) -> Void) -> SQLiteFault.Kind? {
    do throws(SQLiteFault) { try body() } catch { return error.kind }
    return nil
  }

  @Test("writes the very files that SQLite's own VFS writes", arguments: ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
  func interchange(mode: String) throws {
    do {
      let database = try open()
      #expect(try database.text("PRAGMA journal_mode = \(mode)") == mode.lowercased())
      try Self.fill(database)
      try database.execute("DELETE FROM t WHERE a % 3 = 0")
      #expect(try database.text("PRAGMA integrity_check") == "ok")
    }
    let own = try scratch.open()
    #expect(try own.text("PRAGMA integrity_check") == "ok")
    #expect(try own.integer("SELECT count(*) FROM t") == 200)
    try own.execute("INSERT INTO t(b) VALUES (x'01')")
    #expect(try own.text("PRAGMA journal_mode = DELETE") == "delete")
  }

  @Test("keeps a write-ahead log to one connection, and readers out while it writes")
  func locks() throws {
    let vfs = FileStoreVFS(files: SystemFileStore())
    func open() throws(SQLiteFault) -> Database {
      try Database(path: path, access: .create, busyTimeoutMs: 1, vfs: vfs)
    }
    do {
      let (one, other) = (try open(), try open())
      try one.useDurableLog()
      try Self.fill(one, rows: 3)
      #expect(kind { () throws(SQLiteFault) in _ = try other.integer("SELECT count(*) FROM t") } == .busy)
    }
    #expect(try open().integer("SELECT count(*) FROM t") == 3)
  }

  @Test("lets readers in together and a writer alone where the log rolls back")
  func levels() {
    var locks = FileLocks()
    let objects = [Scratch(), Scratch(), Scratch()]
    let (a, b, c) = (ObjectIdentifier(objects[0]), ObjectIdentifier(objects[1]), ObjectIdentifier(objects[2]))
    let (none, shared, reserved, exclusive): (Int32, Int32, Int32, Int32) = (0, 1, 2, 4)
    let steps: [(level: Int32, owner: ObjectIdentifier, isGiven: Bool)] = [
      (shared, a, true), (shared, b, true), (reserved, a, true), (reserved, b, false),
      // The writer waits for readers, and new ones for the writer.
      (exclusive, a, false), (shared, c, false), (none, b, true), (exclusive, a, true), (shared, b, false),
      (none, a, true), (shared, b, true),
    ]
    for (index, step) in steps.enumerated() {
      let isGiven = locks.set(step.level, of: "/f", owner: step.owner)
      #expect(isGiven == step.isGiven, "step \(index)")
      #expect(locks.isReserved("/f") == (2..<9).contains(index), "step \(index)")
    }
    let isApart = locks.set(exclusive, of: "/g", owner: a)
    #expect(isApart && locks.isReserved("/g") && !locks.isReserved("/f"))
  }

  @Test("tells each fault of a file by its kind")
  func faults() throws {
    for (call, fault, wanted) in [
      (.write, .full, .full), (.write, .io, .io), (.sync, .io, .io), (.sync, .full, .full), (.syncDirectory, .io, .io),
      (.size, .io, .io), (.remove, .io, .io),
    ] as [(BrokenStore.Call, FileFault.Kind, SQLiteFault.Kind)] {
      let scratch = Scratch()
      let files = BrokenStore(call, fault)
      let database = try Database(path: scratch.path + "/a.db", access: .create, vfs: FileStoreVFS(files: files))
      try database.execute("PRAGMA locking_mode = NORMAL")
      files.isBroken.withLock { $0 = true }
      #expect(kind { () throws(SQLiteFault) in try Self.fill(database) } == wanted, "\(call) \(fault)")
    }
    #expect(kind { () throws(SQLiteFault) in _ = try open(.readWrite) } == .cannotOpen)
    #expect(
      kind { () throws(SQLiteFault) in
        _ = try Database(path: "a.db", access: .create, vfs: FileStoreVFS(files: SystemFileStore()))
      } == .cannotOpen)
  }

  @Test("tells a read that failed")
  func reads() throws {
    try Self.fill(scratch.open())
    let files = BrokenStore(.read, .io)
    let database = try open(.readOnly, files)
    files.isBroken.withLock { $0 = true }
    #expect(kind { () throws(SQLiteFault) in _ = try database.integer("SELECT count(*) FROM t") } == .io)
    files.isBroken.withLock { $0 = false }
    #expect(try database.integer("SELECT count(*) FROM t") == 300)
    #expect(kind { () throws(SQLiteFault) in try database.execute("DELETE FROM t") } == .readOnly)
  }

  @Test("goes when its last connection goes, and takes its clock from nobody")
  func lifetime() throws {
    weak var held: FileStoreVFS?
    do {
      let database = try open()
      held = database.vfs
      #expect(held != nil)
      #expect(try database.text("SELECT strftime('%Y-%m-%d', 'now')") == "2026-01-01")
    }
    #expect(held == nil)
  }
}

/// The system's files, of which one sort of call can be made to fail.
private final class BrokenStore: FileStore {
  enum Call { case read, write, sync, size, syncDirectory, remove }

  let call: Call
  let kind: FileFault.Kind
  let isBroken = Mutex(false)
  private let files = SystemFileStore()

  init(_ call: Call, _ kind: FileFault.Kind) { (self.call, self.kind) = (call, kind) }

  func check(_ call: Call) throws(FileFault) {
    if call == self.call, isBroken.withLock({ $0 }) { throw FileFault(kind, path: "", "broken") }
  }

  func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    BrokenFile(try files.open(path, access), of: self)
  }
  func names(in directory: String) throws(FileFault) -> [String] { try files.names(in: directory) }
  func makeDirectory(_ path: String) throws(FileFault) { try files.makeDirectory(path) }
  func rename(_ path: String, to target: String) throws(FileFault) { try files.rename(path, to: target) }
  func remove(_ path: String) throws(FileFault) {
    try check(.remove)
    try files.remove(path)
  }
  func syncDirectory(_ path: String) throws(FileFault) {
    try check(.syncDirectory)
    try files.syncDirectory(path)
  }
  func freeBytes(at path: String) throws(FileFault) -> Int64 { try files.freeBytes(at: path) }
}

private final class BrokenFile: OpenFile {
  private let file: any OpenFile
  private let store: BrokenStore

  init(_ file: any OpenFile, of store: BrokenStore) { (self.file, self.store) = (file, store) }

  var size: Int64 {
    get throws(FileFault) {
      try store.check(.size)
      return try file.size
    }
  }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    try store.check(.read)
    return try unsafe file.read(into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    try store.check(.write)
    try unsafe file.write(bytes, at: offset)
  }
  func truncate(to size: Int64) throws(FileFault) { try file.truncate(to: size) }
  func sync() throws(FileFault) {
    try store.check(.sync)
    try file.sync()
  }
}
