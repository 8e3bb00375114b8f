import Testing
import TwinCore

@testable import Ledger

@Suite("What the ledger asks of a database") struct ConnectionTests {
  @Test("a COMMIT whose answer was lost is known by its transaction's name")
  func outcome() throws {
    let store = try TestStore(.server)
    withExtendedLifetime(try store.open()) {}
    guard case .server(let text) = store.place else { return }
    let (one, two) = (try PostgreSQLLedger(text) { _ in }, try PostgreSQLLedger(text) { _ in })
    try one.begin(.write)
    try one.run("UPDATE ledger SET holder = 'x'")
    let name = try #require(one.transactionName)
    #expect(try two.isCommitted(name) == nil)
    try one.commit()
    #expect(try two.isCommitted(name) == true)
    try one.begin(.write)
    let other = try #require(one.transactionName)
    one.rollback()
    #expect(try two.isCommitted(other) == false)
    // Of a server's other history nothing can be said.
    #expect(try two.isCommitted("000000FF " + name.split(separator: " ")[1]) == nil)
  }

  @Test("both databases give values back as they were put in", arguments: Backend.allCases)
  func values(backend: Backend) throws {
    let store = try TestStore(backend)
    let connection: any LedgerConnection =
      switch store.place {
      case .file(let path): try SQLiteLedger(path: path)
      case .server(let text): try PostgreSQLLedger(text) { _ in }
      }
    try connection.begin(.exclusive)
    try connection.execute("CREATE TABLE v(id INTEGER PRIMARY KEY, n INTEGER, t TEXT, b BLOB) STRICT")
    for (number, text, bytes) in [(Int64.min, "", [] as [UInt8]), (.max, "Zürich ❄️", [0, 255]), (0, "a''b?", [1])] {
      let id = try connection.first(
        "INSERT INTO v(n, t, b) VALUES(?1, ?2, ?3) RETURNING id", .integer(number), .text(text), .bytes(bytes)
      ) { $0.integer(0) }
      let found = try connection.first("SELECT n, t, b FROM v WHERE id = ?1 FOR UPDATE", LedgerValue(id)) {
        ($0.integer(0), $0.text(1), $0.bytes(2))
      }
      #expect(found?.0 == number && found?.1 == text && found?.2 == bytes)
    }
    let table = LedgerTable(name: "v", columns: ["n", "b"])
    try connection.insert(into: table, [.integers([7, 8]), .blobs([nil, [9]])])
    try connection.insert(into: table, [.integers([]), .blobs([])])
    #expect(
      try connection.list("SELECT b FROM v WHERE n >= 7 AND n < 9 ORDER BY n") { $0.optionalBytes(0) } == [nil, [9]])
    #expect(try connection.run("UPDATE v SET t = NULL WHERE n IN (7, 8)") == 2)
    try connection.commit()
    #expect(try connection.hasTable("v") && !connection.hasTable("w"))
  }

  @Test("every fault says what to do, in words of its own", arguments: LedgerError.Kind.allCases)
  func faults(kind: LedgerError.Kind) {
    let error = LedgerError(kind, "so it was")
    #expect(error.code == "ledger.\(kind.rawValue)" && !error.remedy.isEmpty)
    #expect(error.description == "so it was [\(error.code)]; next: \(error.remedy)")
  }
}
