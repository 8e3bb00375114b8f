import SQLite

/// A prepared statement whose faults are the graph's.
struct Query {
  private let statement: Statement

  init(_ database: Database, _ sql: String) throws(GraphStoreError) {
    do throws(SQLiteFault) { statement = try database.prepare(sql) } catch { throw GraphStoreError(error) }
  }

  func bind(_ index: Int32, _ value: Int64) throws(GraphStoreError) {
    do throws(SQLiteFault) { try statement.bind(index, value) } catch { throw GraphStoreError(error) }
  }

  func bind(_ index: Int32, _ text: String) throws(GraphStoreError) {
    do throws(SQLiteFault) { try statement.bind(index, text) } catch { throw GraphStoreError(error) }
  }

  func bind(_ index: Int32, _ bytes: [UInt8]) throws(GraphStoreError) {
    do throws(SQLiteFault) { try statement.bind(index, bytes) } catch { throw GraphStoreError(error) }
  }

  /// As `Statement.step`.
  func step() throws(GraphStoreError) -> Bool {
    do throws(SQLiteFault) { return try statement.step() } catch { throw GraphStoreError(error) }
  }

  func run() throws(GraphStoreError) {
    while try step() {}
  }

  func reset() { statement.reset() }
  func integer(_ column: Int32) -> Int64 { statement.integer(column) }
  func text(_ column: Int32) -> String { statement.text(column) }
  func bytes(_ column: Int32) -> [UInt8] { statement.bytes(column) }
}
