import PostgreSQL

/// The ledger on a PostgreSQL server: rows of `logs` are locked in the order of their names, so that workers wait for
/// each other in one order only.
final class PostgreSQLLedger: LedgerConnection {
  /// Of `pg_advisory_xact_lock`: workers share it while they write, a change of lease or schema has it alone.
  private static let leaseLock = 0x7477_666C
  /// What a stuck worker holds is given back to the others after so long.
  private static let idleSecondsMax = 60
  private static let lockSecondsMax = 15
  /// Below what the connection waits, so that the server's own word comes first.
  private static let statementSecondsMax = 25

  /// Which of the histories that fail-overs make this server writes.
  private static let timeline = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"

  private let connection: PostgreSQLConnection
  private var statements: [String: PreparedQuery] = [:]
  private(set) var transactionName: String?

  init(_ connectionString: String, notice: @escaping (String) -> Void) throws(LedgerError) {
    connection = try serving { () throws(PostgreSQLFault) in
      let connection = try PostgreSQLConnection(connectionString, notice: notice)
      try connection.execute(
        """
        SET client_min_messages = warning; SET default_transaction_isolation = 'read committed';
        SET idle_in_transaction_session_timeout = '\(Self.idleSecondsMax)s';
        SET lock_timeout = '\(Self.lockSecondsMax)s'; SET statement_timeout = '\(Self.statementSecondsMax)s'
        """)
      // A server that is set to `off` would lose batches that were acknowledged.
      if try connection.execute("SHOW synchronous_commit").text(0, 0) == "off" {
        try connection.execute("SET synchronous_commit = on")
      }
      return connection
    }
  }

  var isOpen: Bool { connection.isOpen }

  func execute(_ script: String) throws(LedgerError) {
    try serving { () throws(PostgreSQLFault) in
      _ = try connection.execute(LedgerDialect.postgreSQLSchema(script))
    }
  }

  @discardableResult
  func query(
    _ sql: String, _ values: [LedgerValue], _ take: (any LedgerRow) -> Void
  ) throws(LedgerError) -> Int {
    try serving { () throws(PostgreSQLFault) in
      let rows = try connection.run(try statement(sql, LedgerDialect.postgreSQL(sql)), values.map(\.sent))
      for index in 0..<rows.count { take(PostgreSQLRow(rows: rows, index: index)) }
      return rows.changes
    }
  }

  func insert(into table: LedgerTable, _ columns: [LedgerColumn]) throws(LedgerError) {
    guard columns[0].count > 0 else { return }
    try serving { () throws(PostgreSQLFault) in
      let names = table.columns.joined(separator: ", ")
      let arrays = columns.enumerated().map { "$\($0 + 1)::\($1.arrayType)" }.joined(separator: ", ")
      let sql = "INSERT INTO \(table.name)(\(names)) SELECT * FROM unnest(\(arrays))"
      try connection.run(try statement(sql, sql), columns.map(\.sent))
    }
  }

  func begin(_ kind: LedgerTransaction) throws(LedgerError) {
    try serving { () throws(PostgreSQLFault) in
      transactionName = nil
      switch kind {
      case .read: try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
      case .write, .exclusive:
        let shared = kind == .write ? "_shared" : ""
        let rows = try connection.execute(
          """
          BEGIN; SELECT pg_advisory_xact_lock\(shared)(\(Self.leaseLock));
          SELECT pg_current_xact_id(), \(Self.timeline)
          """)
        transactionName = rows.text(0, 1) + " " + rows.text(0, 0)
      }
    }
  }

  func commit() throws(LedgerError) { try serving { () throws(PostgreSQLFault) in try connection.commit() } }
  func rollback() { connection.rollback() }

  func hasTable(_ name: String) throws(LedgerError) -> Bool {
    try first("SELECT to_regclass(?1::text) IS NOT NULL", .text(name)) { $0.integer(0) == 1 } ?? false
  }

  func isCommitted(_ name: String) throws(LedgerError) -> Bool? {
    let parts = name.split(separator: " ").map(String.init)
    // A server that was promoted meanwhile gives the numbers of lost transactions to others.
    guard parts.count == 2, try first("SELECT \(Self.timeline)", read: { $0.text(0) }) == parts[0] else { return nil }
    let status = try first("SELECT pg_xact_status(?1::text::xid8)", .text(parts[1])) { $0.text(0) } ?? ""
    return status == "in progress" ? nil : status == "committed"
  }

  /// The write position of this server, and the lowest one that so many standbys have flushed.
  func positions(standbys: Int) throws(LedgerError) -> (written: String, flushed: String?) {
    let written = try first("SELECT pg_current_wal_lsn()::text") { $0.text(0) } ?? ""
    let flushed = try list(
      "SELECT flush_lsn::text FROM pg_stat_replication WHERE flush_lsn IS NOT NULL ORDER BY flush_lsn DESC LIMIT ?1",
      .integer(Int64(standbys))
    ) { $0.text(0) }
    return (written, flushed.count == standbys ? flushed.last : nil)
  }

  func isReached(_ position: String, by other: String) throws(LedgerError) -> Bool {
    try first("SELECT ?1::text::pg_lsn <= ?2::text::pg_lsn", .text(position), .text(other)) { $0.integer(0) == 1 }
      ?? false
  }

  private func statement(_ key: String, _ sql: String) throws(PostgreSQLFault) -> PreparedQuery {
    if let known = statements[key] { return known }
    let made = try connection.prepare(sql)
    statements[key] = made
    return made
  }
}

private struct PostgreSQLRow: LedgerRow {
  let rows: PostgreSQLRows
  let index: Int

  func isNull(_ column: Int) -> Bool { rows.isNull(index, column) }
  func integer(_ column: Int) -> Int64 { rows.integer(index, column) }
  func text(_ column: Int) -> String { rows.text(index, column) }
  func bytes(_ column: Int) -> [UInt8] { rows.bytes(index, column) }
}

extension LedgerValue {
  fileprivate var sent: PostgreSQLValue {
    switch self {
    case .null: .null
    case .integer(let number): .integer(number)
    case .text(let text): .text(text)
    case .bytes(let bytes): .bytes(bytes)
    }
  }
}

extension LedgerColumn {
  fileprivate var sent: PostgreSQLValue {
    switch self {
    case .integers(let numbers): .integers(numbers)
    case .blobs(let blobs): .blobs(blobs)
    }
  }

  fileprivate var arrayType: String {
    switch self {
    case .integers: "int8[]"
    case .blobs: "bytea[]"
    }
  }
}

/// Runs calls to the server, with their faults told as the ledger's.
private func serving<Result>(_ body: () throws(PostgreSQLFault) -> Result) throws(LedgerError) -> Result {
  do throws(PostgreSQLFault) { return try body() } catch { throw LedgerError(error) }
}
