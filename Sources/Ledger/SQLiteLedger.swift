import SQLite

/// The ledger's file: WAL, a flush at every commit, and one connection that keeps the file for itself.
///
/// Alone, because older SQLite can lose a log that two connections write back at once, and because a second foundation
/// over the same file would be a mistake in any case.
final class SQLiteLedger: LedgerConnection {
  /// "twfl" in `application_id`.
  private static let applicationID: Int64 = 0x7477_666C
  /// Pages of the write-ahead log between two checkpoints: few, large flushes under a stream of batches.
  private static let checkpointPages = 4096
  private static let cacheKiB = 65_536

  private let database: Database
  private var statements: [String: Statement] = [:]

  init(path: String) throws(LedgerError) {
    database = try storing { () throws(SQLiteFault) in
      let database = try Database(path: path, access: .create)
      // Said before the file is first read: then its lock is never given back, and there is no shared memory.
      try database.execute("PRAGMA locking_mode = EXCLUSIVE")
      let application = try database.integer("PRAGMA application_id") ?? 0
      let tables = try database.integer("SELECT count(*) FROM sqlite_master") ?? 0
      guard application == Self.applicationID || (application == 0 && tables == 0) else { return database }
      try database.useDurableLog()
      try database.execute(
        "PRAGMA wal_autocheckpoint = \(Self.checkpointPages); PRAGMA cache_size = -\(Self.cacheKiB)")
      if application == 0 { try database.execute("PRAGMA application_id = \(Self.applicationID)") }
      return database
    }
    let application = try storing { () throws(SQLiteFault) in try database.integer("PRAGMA application_id") ?? 0 }
    guard application == Self.applicationID else {
      throw LedgerError(.notALedger, "\(path) has application id \(application), a ledger's is \(Self.applicationID)")
    }
  }

  var isOpen: Bool { true }
  var transactionName: String? { nil }
  func isCommitted(_ name: String) -> Bool? { false }

  func execute(_ script: String) throws(LedgerError) {
    try storing { () throws(SQLiteFault) in try database.execute(script) }
  }

  @discardableResult
  func query(
    _ sql: String, _ values: [LedgerValue], _ take: (any LedgerRow) -> Void
  ) throws(LedgerError) -> Int {
    try storing { () throws(SQLiteFault) in
      let statement = try statement(sql)
      defer { statement.reset() }
      for (index, value) in values.enumerated() {
        let place = Int32(index + 1)
        switch value {
        case .null: try statement.bindNull(place)
        case .integer(let number): try statement.bind(place, number)
        case .text(let text): try statement.bind(place, text)
        case .bytes(let bytes): try statement.bind(place, bytes)
        }
      }
      let row = SQLiteRow(statement: statement)
      while try statement.step() { take(row) }
      return database.changes
    }
  }

  func insert(into table: LedgerTable, _ columns: [LedgerColumn]) throws(LedgerError) {
    try storing { () throws(SQLiteFault) in
      let places = (1...columns.count).map { "?\($0)" }.joined(separator: ", ")
      let names = table.columns.joined(separator: ", ")
      let statement = try statement("INSERT INTO \(table.name)(\(names)) VALUES(\(places))")
      for row in 0..<columns[0].count {
        for (index, column) in columns.enumerated() {
          switch column {
          case .integers(let numbers): try statement.bind(Int32(index + 1), numbers[row])
          case .blobs(let blobs):
            if let bytes = blobs[row] {
              try statement.bind(Int32(index + 1), bytes)
            } else {
              try statement.bindNull(Int32(index + 1))
            }
          }
        }
        try statement.run()
      }
    }
  }

  func begin(_ kind: LedgerTransaction) throws(LedgerError) {
    try storing { () throws(SQLiteFault) in
      try statement(kind == .read ? "BEGIN" : "BEGIN IMMEDIATE").run()
    }
  }

  func commit() throws(LedgerError) {
    try storing { () throws(SQLiteFault) in try statement("COMMIT").run() }
  }

  func rollback() {
    // SQLite has already rolled back after some errors (full, I/O); a refusal otherwise leaves nothing to do.
    if database.isInTransaction { try? database.execute("ROLLBACK") }
  }

  func hasTable(_ name: String) throws(LedgerError) -> Bool {
    try first("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", .text(name)) { _ in true } ?? false
  }

  /// Writes a whole copy, as it is now, to a file that is not there.
  func copy(to path: String) throws(LedgerError) {
    try query("VACUUM INTO ?1", [.text(path)]) { _ in }
  }

  private func statement(_ sql: String) throws(SQLiteFault) -> Statement {
    if let known = statements[sql] { return known }
    let made = try database.prepare(LedgerDialect.sqlite(sql))
    statements[sql] = made
    return made
  }
}

private struct SQLiteRow: LedgerRow {
  let statement: Statement

  func isNull(_ column: Int) -> Bool { statement.isNull(Int32(column)) }
  func integer(_ column: Int) -> Int64 { statement.integer(Int32(column)) }
  func text(_ column: Int) -> String { statement.text(Int32(column)) }
  func bytes(_ column: Int) -> [UInt8] { statement.bytes(Int32(column)) }
}

extension LedgerColumn {
  var count: Int {
    switch self {
    case .integers(let numbers): numbers.count
    case .blobs(let blobs): blobs.count
    }
  }
}

/// Runs calls into SQLite, with their faults told as the ledger's.
private func storing<Result>(_ body: () throws(SQLiteFault) -> Result) throws(LedgerError) -> Result {
  do throws(SQLiteFault) { return try body() } catch { throw LedgerError(error) }
}
