import PostgreSQL

/// The server without a ledger.
enum RawServer {
  static func run(_ sql: String, _ connectionString: String) throws {
    try PostgreSQLConnection(connectionString).execute(sql)
  }
}
