import CSQLite

/// One connection to one SQLite file.
///
/// Threading: a connection and its statements belong to one thread at a time; SQLite's own mutexes are off.
@safe public final class Database {
  public enum Access: Sendable {
    /// Cannot write, and cannot checkpoint.
    case readOnly
    case readWrite
    /// As `readWrite`; makes the file if it is not there.
    case create
  }

  /// STRICT tables came with 3.37.0.
  public static let libraryVersionMin = 3_037_000

  public let path: String
  private let handle: OpaquePointer
  /// Held for as long as SQLite may call it.
  let vfs: FileStoreVFS?

  /// Opens `path`: in the system's files, or in those of `vfs`, where it must be absolute and where no other connection
  /// has it open. `pageSize` in bytes takes effect on a new file only.
  public init(
    path: String, access: Access, pageSize: Int = 4096, busyTimeoutMs: Int32 = 2000, vfs: FileStoreVFS? = nil
  ) throws(SQLiteFault) {
    guard Self.libraryVersion >= Self.libraryVersionMin else {
      throw SQLiteFault(
        .tooOld,
        "SQLite \(Self.versionText(Self.libraryVersion)) is linked, "
          + "\(Self.versionText(Self.libraryVersionMin)) is the oldest that works")
    }
    var flags = SQLITE_OPEN_NOMUTEX
    switch access {
    case .readOnly: flags |= SQLITE_OPEN_READONLY
    case .readWrite: flags |= SQLITE_OPEN_READWRITE
    case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    }
    var opened: OpaquePointer?
    let code = unsafe sqlite3_open_v2(path, &opened, flags, vfs?.name)
    guard let connection = unsafe opened else {
      throw SQLiteFault(.failed, extendedCode: code, "open \(path): no memory for a connection")
    }
    unsafe handle = connection
    (self.path, self.vfs) = (path, vfs)
    guard code == SQLITE_OK else { throw fault("open \(path)") }
    unsafe sqlite3_extended_result_codes(handle, 1)
    unsafe sqlite3_busy_timeout(handle, busyTimeoutMs)
    // Without shared memory a write-ahead log is one connection's own; said before the file is first read.
    if vfs != nil { try execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY") }
    if case .create = access { try execute("PRAGMA page_size = \(pageSize)") }
  }

  deinit {
    // Statements keep their connection alive, so none is left here and this cannot be refused.
    unsafe sqlite3_close_v2(handle)
  }

  /// Runs statements that give no rows, or whose rows do not matter.
  public func execute(_ sql: String) throws(SQLiteFault) {
    let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw fault(sql) }
  }

  /// Compiles one statement, kept for many uses.
  public func prepare(_ sql: String) throws(SQLiteFault) -> Statement {
    var compiled: OpaquePointer?
    let code = unsafe sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &compiled, nil)
    guard code == SQLITE_OK else { throw fault(sql) }
    guard let statement = unsafe compiled else { preconditionFailure("no statement in \"\(sql)\"") }
    return unsafe Statement(statement, of: self)
  }

  /// The first column of the first row as an integer; nil when there is no row or it is NULL.
  public func integer(_ sql: String) throws(SQLiteFault) -> Int64? {
    let statement = try prepare(sql)
    return try statement.step() && !statement.isNull(0) ? statement.integer(0) : nil
  }

  /// The first column of the first row as text; nil when there is no row or it is NULL.
  public func text(_ sql: String) throws(SQLiteFault) -> String? {
    let statement = try prepare(sql)
    return try statement.step() && !statement.isNull(0) ? statement.text(0) : nil
  }

  /// Runs `body` in one writing transaction: all of it is durable on return, or nothing happened.
  public func transaction<Result>(_ body: () throws(SQLiteFault) -> Result) throws(SQLiteFault) -> Result {
    try execute("BEGIN IMMEDIATE")
    do throws(SQLiteFault) {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      rollback()
      throw error
    }
  }

  /// Runs `body` against one unchanging image of the file.
  public func snapshot<Result>(_ body: () throws(SQLiteFault) -> Result) throws(SQLiteFault) -> Result {
    guard !isInTransaction else { return try body() }
    try execute("BEGIN")
    defer { rollback() }
    return try body()
  }

  public var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }
  /// Rows changed by the last INSERT, UPDATE or DELETE.
  public var changes: Int { Int(unsafe sqlite3_changes64(handle)) }
  public var rowidLast: Int64 { unsafe sqlite3_last_insert_rowid(handle) }

  /// The schema's version, as its owner counts; 0 in a new file.
  public var userVersion: Int64 {
    get throws(SQLiteFault) { try integer("PRAGMA user_version") ?? 0 }
  }

  public func setUserVersion(_ version: Int32) throws(SQLiteFault) {
    try execute("PRAGMA user_version = \(version)")
  }

  /// Turns the write-ahead log on, with a flush to the device at every commit.
  public func useDurableLog() throws(SQLiteFault) {
    let mode = try text("PRAGMA journal_mode = WAL")
    guard mode == "wal" else {
      throw SQLiteFault(
        .cannotOpen, "\(path): journal mode is \(mode ?? "unknown"), wanted wal (is it a network volume?)")
    }
    try execute("PRAGMA synchronous = FULL")
  }

  /// Moves what it can from the write-ahead log into the file without waiting for readers.
  public func checkpointPassive() throws(SQLiteFault) {
    let code = unsafe sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    guard code == SQLITE_OK else { throw fault("checkpoint of \(path)") }
  }

  private func rollback() {
    // SQLite has already rolled back after some errors (full, I/O); a refusal otherwise leaves nothing to do.
    if isInTransaction { unsafe sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
  }

  fileprivate func fault(_ what: String) -> SQLiteFault {
    let reason = unsafe sqlite3_errmsg(handle).map { unsafe String(cString: $0) } ?? "no reason given"
    return SQLiteFault(
      extendedCode: unsafe sqlite3_extended_errcode(handle), systemErrno: unsafe sqlite3_system_errno(handle),
      doing: what, because: reason)
  }
}

extension Database {
  /// As `sqlite3_libversion_number`: 3_040_001 is 3.40.1.
  public static var libraryVersion: Int { Int(sqlite3_libversion_number()) }

  public static func versionText(_ number: Int) -> String {
    "\(number / 1_000_000).\(number / 1000 % 1000).\(number % 1000)"
  }

  /// Whether `version` can corrupt a file that two connections write and checkpoint at the same instant.
  ///
  /// The WAL-reset defect: 3.7.0 to 3.51.2, repaired in 3.51.3 and in the branches 3.44.6 and 3.50.7. A file with one
  /// writing connection is not exposed.
  public static func hasWalResetDefect(_ version: Int = libraryVersion) -> Bool {
    switch version {
    case ..<3_007_000, 3_051_003...: false
    case 3_044_006..<3_045_000, 3_050_007..<3_051_000: false
    default: true
    }
  }
}

/// A compiled statement. Parameters count from 1, as in `?1`; columns from 0.
///
/// A statement that has given a row holds a read transaction, which keeps the write-ahead log from being reused: call
/// `reset` as soon as its rows are read.
@safe public final class Statement {
  private let database: Database
  private let handle: OpaquePointer

  fileprivate init(_ handle: OpaquePointer, of database: Database) {
    unsafe (self.handle, self.database) = (handle, database)
  }

  deinit { unsafe sqlite3_finalize(handle) }

  public func bind(_ index: Int32, _ value: Int64) throws(SQLiteFault) {
    try check(unsafe sqlite3_bind_int64(handle, index, value))
  }

  public func bind(_ index: Int32, _ value: Double) throws(SQLiteFault) {
    try check(unsafe sqlite3_bind_double(handle, index, value))
  }

  public func bind(_ index: Int32, _ text: String) throws(SQLiteFault) {
    var text = text
    let code = text.withUTF8 { bytes in
      // A null pointer would bind NULL: the empty string needs an address.
      guard let base = bytes.baseAddress else { return unsafe sqlite3_bind_text(handle, index, "", 0, Self.copied) }
      return unsafe base.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
        unsafe sqlite3_bind_text64(handle, index, $0, UInt64(bytes.count), Self.copied, UInt8(SQLITE_UTF8))
      }
    }
    try check(code)
  }

  public func bind(_ index: Int32, _ bytes: [UInt8]) throws(SQLiteFault) {
    let code = unsafe bytes.withUnsafeBytes { raw in
      guard let base = raw.baseAddress, !bytes.isEmpty else {
        return unsafe sqlite3_bind_zeroblob(handle, index, 0)
      }
      return unsafe sqlite3_bind_blob64(handle, index, base, UInt64(bytes.count), Self.copied)
    }
    try check(code)
  }

  public func bindNull(_ index: Int32) throws(SQLiteFault) {
    try check(unsafe sqlite3_bind_null(handle, index))
  }

  /// Goes to the next row; false when there is none (the statement is then reset).
  public func step() throws(SQLiteFault) -> Bool {
    let code = unsafe sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    guard code == SQLITE_DONE else {
      let fault = database.fault(sql)
      reset()
      throw fault
    }
    reset()
    return false
  }

  /// Runs to the end, rows ignored.
  public func run() throws(SQLiteFault) {
    while try step() {}
  }

  /// Ends the statement's read; bound values stay.
  public func reset() {
    // Its result repeats the error of the last step, which was thrown then.
    unsafe sqlite3_reset(handle)
  }

  public func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(handle, column) == SQLITE_NULL }
  public func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }
  public func double(_ column: Int32) -> Double { unsafe sqlite3_column_double(handle, column) }

  /// A copy of the text; empty for NULL. Bytes that are no UTF-8 become U+FFFD.
  public func text(_ column: Int32) -> String {
    guard let start = unsafe sqlite3_column_text(handle, column) else { return "" }
    let count = Int(unsafe sqlite3_column_bytes(handle, column))
    return unsafe String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }

  /// A copy of the blob; empty for NULL.
  public func bytes(_ column: Int32) -> [UInt8] {
    guard let start = unsafe sqlite3_column_blob(handle, column) else { return [] }
    let count = Int(unsafe sqlite3_column_bytes(handle, column))
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }

  private var sql: String { unsafe sqlite3_sql(handle).map { unsafe String(cString: $0) } ?? "statement" }

  private func check(_ code: Int32) throws(SQLiteFault) {
    precondition(code != SQLITE_RANGE, "parameter out of range in \(sql)")
    precondition(code != SQLITE_MISUSE, "bound while running: \(sql)")
    guard code == SQLITE_OK else { throw database.fault(sql) }
  }

  /// `SQLITE_TRANSIENT`, a cast that C macros do not carry into Swift: SQLite copies the bytes before it returns.
  private static var copied: sqlite3_destructor_type {
    unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
  }
}
