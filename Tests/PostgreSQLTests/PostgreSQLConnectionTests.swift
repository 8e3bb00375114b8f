import Glibc
import PostgreSQLServer
import Synchronization
import Testing

@testable import PostgreSQL

@Suite("A connection to PostgreSQL") struct PostgreSQLConnectionTests {
  let server: PostgreSQLServer

  init() throws { server = try PostgreSQLServer.shared.get() }

  private func open(timeoutMs: Int32 = 20_000) throws -> PostgreSQLConnection {
    try PostgreSQLConnection(server.connectionString, callTimeoutMs: timeoutMs)
  }

  private func fault(_ body: () throws(PostgreSQLFault) -> Void) -> PostgreSQLFault? {
    do throws(PostgreSQLFault) { try body() } catch { return error }
    return nil
  }

  @Test("gives every value back as it was sent")
  func values() throws {
    let connection = try open()
    let query = try connection.prepare("SELECT $1::int8, $2::text, $3::bytea, $4::int8")
    for number in [Int64.min, -1, 0, 1, 255, 256, .max] {
      for text in ["", "Zürich ❄️"] {
        for bytes in [[], [0], Array(repeating: 0xFF, count: 100_000)] as [[UInt8]] {
          let rows = try connection.run(query, [.integer(number), .text(text), .bytes(bytes), .null])
          #expect(rows.count == 1 && rows.integer(0, 0) == number && rows.text(0, 1) == text)
          #expect(rows.bytes(0, 2) == bytes && !rows.isNull(0, 2) && rows.isNull(0, 3))
        }
      }
    }
    let small = try connection.run(connection.prepare("SELECT true, (-2)::int2, (-3)::int4"))
    #expect((0..<3).map { small.integer(0, $0) } == [1, -2, -3])
  }

  @Test("sends arrays for many rows at once", arguments: [0, 1, 512])
  func arrays(count: Int) throws {
    let connection = try open()
    let query = try connection.prepare(
      "SELECT n, b FROM unnest($1::int8[], $2::bytea[]) WITH ORDINALITY u(n, b, place) ORDER BY place")
    let numbers = (0..<count).map { Int64($0) * -7_000_000_000 }
    let blobs = (0..<count).map { $0 % 3 == 1 ? nil : [UInt8](repeating: UInt8($0 % 256), count: $0) }
    let rows = try connection.run(query, [.integers(numbers), .blobs(blobs)])
    #expect(rows.count == count)
    for row in 0..<rows.count {
      #expect(rows.integer(row, 0) == numbers[row] && rows.isNull(row, 1) == (blobs[row] == nil))
      #expect(rows.bytes(row, 1) == blobs[row] ?? [])
    }
  }

  @Test("tells what happened by its kind and SQLSTATE")
  func kinds() throws {
    let connection = try open()
    try connection.execute("CREATE TEMP TABLE t(a int8 PRIMARY KEY); INSERT INTO t VALUES (1)")
    let said = [
      fault { () throws(PostgreSQLFault) in try connection.execute("SELEC") },
      fault { () throws(PostgreSQLFault) in try connection.execute("INSERT INTO t VALUES (1)") },
      fault { () throws(PostgreSQLFault) in _ = try connection.prepare("SELECT * FROM nowhere") },
      fault { () throws(PostgreSQLFault) in
        try connection.execute("SET statement_timeout = 20; SELECT pg_sleep(5)")
      },
      fault { () throws(PostgreSQLFault) in
        try connection.execute("BEGIN READ ONLY; CREATE TABLE never(a int)")
      },
    ]
    #expect(said.map { $0?.kind } == [.failed, .constraint, .failed, .timedOut, .readOnly])
    #expect(said.map { $0?.sqlState } == ["42601", "23505", "42P01", "57014", "25006"])
    connection.rollback()
    #expect(connection.isOpen && !connection.isInTransaction)
    #expect(try connection.execute("SELECT a FROM t").text(0, 0) == "1")
  }

  @Test(
    "classifies by SQLSTATE",
    arguments: [
      ("40001", .conflict, true), ("40P01", .conflict, true), ("53100", .full, true), ("53300", .exhausted, true),
      ("08006", .disconnected, true), ("57P01", .disconnected, true), ("25006", .readOnly, true),
      ("28P01", .refused, false), ("3D000", .refused, false), ("42501", .notPermitted, false),
      ("XX001", .corrupt, false), ("XX000", .failed, false), ("23505", .constraint, false), ("42601", .failed, false),
      ("55P03", .timedOut, true),
    ] as [(String, PostgreSQLFault.Kind, Bool)])
  func mapping(state: String, kind: PostgreSQLFault.Kind, isRetriable: Bool) {
    let fault = PostgreSQLFault(sqlState: state, doing: "write", because: "so")
    #expect(fault.kind == kind && fault.isRetriable == isRetriable)
    #expect(fault.message == "write: so (SQLSTATE \(state))" && !fault.remedy.isEmpty)
  }

  @Test("does all of a transaction or nothing, and takes no ROLLBACK for a COMMIT")
  func transaction() throws {
    let connection = try open()
    try connection.execute("CREATE TEMP TABLE t(a int8 PRIMARY KEY)")
    let first = fault { () throws(PostgreSQLFault) in
      try connection.transaction { () throws(PostgreSQLFault) in
        try connection.execute("INSERT INTO t VALUES (1)")
        try connection.execute("INSERT INTO t VALUES (1)")
      }
    }
    #expect(first?.kind == .constraint && !connection.isInTransaction)
    let hidden = fault { () throws(PostgreSQLFault) in
      try connection.transaction { () throws(PostgreSQLFault) in
        try connection.execute("INSERT INTO t VALUES (2)")
        // Whoever swallows a fault must still not be told that the rest was committed.
        do { try connection.execute("SELEC") } catch {}
      }
    }
    #expect(hidden?.message == "COMMIT: the server answered ROLLBACK")
    _ = try connection.transaction { () throws(PostgreSQLFault) in try connection.execute("INSERT INTO t VALUES (3)") }
    #expect(try connection.execute("SELECT a FROM t").text(0, 0) == "3")
  }

  @Test("says which transaction to run again")
  func conflict() throws {
    let (one, two) = (try open(), try open())
    try one.execute(
      "CREATE TABLE IF NOT EXISTS conflict(a int8); DELETE FROM conflict; INSERT INTO conflict VALUES (0)")
    for connection in [one, two] {
      try connection.execute("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM conflict")
    }
    try one.execute("UPDATE conflict SET a = 1")
    try one.commit()
    let second = fault { () throws(PostgreSQLFault) in try two.execute("UPDATE conflict SET a = 2") }
    #expect(second?.kind == .conflict && second?.sqlState == "40001" && second?.isRetriable == true)
  }

  @Test("gives up a server that does not answer in time")
  func timeout() throws {
    let connection = try open(timeoutMs: 50)
    let first = fault { () throws(PostgreSQLFault) in try connection.execute("SELECT pg_sleep(5)") }
    #expect(first?.kind == .timedOut && !connection.isOpen)
    #expect(fault { () throws(PostgreSQLFault) in try connection.execute("SELECT 1") }?.kind == .disconnected)
  }

  @Test("tells when the server ends it")
  func ended() throws {
    let (victim, other) = (try open(), try open())
    let number = try victim.execute("SELECT pg_backend_pid()").text(0, 0)
    try other.execute("SELECT pg_terminate_backend(\(number))")
    let said = fault { () throws(PostgreSQLFault) in try victim.execute("SELECT 1") }
    #expect(said?.kind == .disconnected && !victim.isOpen && other.isOpen)
  }

  @Test("hands over what the server says beside its answers")
  func notices() throws {
    let said = Mutex<[String]>([])
    let connection = try PostgreSQLConnection(server.connectionString) { text in said.withLock { $0.append(text) } }
    try connection.execute("DO $$ BEGIN RAISE NOTICE 'cold'; END $$")
    #expect(said.withLock { $0 } == ["NOTICE:  cold"])
  }

  @Test(
    "tells a server that is not there from one that refuses",
    arguments: [
      ("host=/tmp/twind-nowhere", .unreachable), ("host=127.0.0.1 port=1", .unreachable),
      ("host=DIR dbname=nowhere user=twind", .refused), ("host=DIR dbname=postgres user=nobody-known", .refused),
      ("no equals sign", .unreachable),
    ] as [(String, PostgreSQLFault.Kind)])
  func opening(text: String, kind: PostgreSQLFault.Kind) {
    let string = text.split(separator: "DIR", omittingEmptySubsequences: false).joined(separator: server.directory)
    #expect(fault { () throws(PostgreSQLFault) in _ = try PostgreSQLConnection(string) }?.kind == kind)
  }

  @Test("goes to the host of a list that takes writes")
  func hosts() throws {
    let list = "host=/tmp/twind-nowhere,\(server.directory) dbname=postgres user=twind target_session_attrs=read-write"
    let connection = try PostgreSQLConnection(list)
    #expect(connection.isOpen && connection.serverVersion >= 130_000)
  }
}
