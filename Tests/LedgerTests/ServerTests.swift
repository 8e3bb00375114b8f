import Ledger
import PostgreSQLServer
import Provenance
import Sync
import Testing
import TwinCore

@Suite("A ledger on a server that fails", .serialized) struct ServerTests {
  let site = SiteName(number: 1)

  @Test("goes on after its server was killed, with all that was acknowledged")
  func killed() throws {
    let server = try PostgreSQLServer()
    let store = try TestStore(.server, server: server)
    let ledger = try store.open()
    var log = SiteLog(site, try ledger.enrol(site))
    log.grow(200)
    var acknowledged: UInt64 = 0
    for first in stride(from: 0 as UInt64, to: 100, by: 10) {
      _ = try ledger.apply(log.batch(first..<first + 10))
      acknowledged = first + 10
    }
    try server.kill()
    #expect(try server.isGone(for: ledger, log.name))
    expectFault("ledger.unavailable") { _ = try ledger.apply(log.batch(100..<120)) }
    try server.start()
    // The same ledger, by itself.
    let head = try #require(try ledger.stored(log.name)?.head)
    #expect(head.next >= acknowledged && head == log.heads[Int(head.next)])
    guard case .appended(let stored) = try ledger.apply(log.batch(90..<200)) else {
      Issue.record("the site's resending was not taken")
      return
    }
    #expect(stored.head == log.heads[200])
    #expect(try ledger.all(log.name).map(\.entry) == log.entries.map(\.bytes))
  }

  @Test("after a fail-over heads may have moved back, never below safe (row 63)")
  func failover() throws {
    let primary = try PostgreSQLServer(settings: ["wal_level = replica", "max_wal_senders = 4"])
    let schema = "failover"
    _ = try primary.schema(schema)
    let standby = try PostgreSQLServer(standbyOf: primary)
    let hosts =
      "host=\(primary.directory),\(standby.directory) port=5432,5432 user=twind dbname=postgres "
      + "target_session_attrs=read-write options='-c search_path=\(schema)'"
    let clock = TestClock()
    let ledger = try Ledger(.server(hosts), policy: .onConfirmation, clock: clock)
    #expect(try ledger.takeLease("f-1", for: .seconds(60)) == 1)
    var log = SiteLog(site, try ledger.enrol(site))
    log.grow(100)
    _ = try ledger.apply(log.batch(0..<40))
    try ledger.keep([log.checkpoint(30)])
    let mark = try ledger.beginReplication()
    #expect(try primary.waits { try ledger.confirmReplicas(mark) })
    #expect(try ledger.confirmReplicas(try ledger.beginReplication(), standbys: 2) == false)
    let safe = try #require(try ledger.stored(log.name)?.safe)
    #expect(safe == 30)
    // From here the standby hears nothing more: what is committed dies with the primary.
    try standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    try standby.sql("SELECT pg_reload_conf()")
    #expect(try primary.waits { try primary.sql("SELECT count(*) FROM pg_stat_replication").hasPrefix("0") })
    guard case .appended(let seen) = try ledger.apply(log.batch(40..<70)) else {
      Issue.record("not appended")
      return
    }
    #expect(seen.next == 70)
    try primary.kill()
    #expect(try primary.isGone(for: ledger, log.name))
    try standby.promote()
    // The same ledger finds the server that takes writes.
    let stored = try #require(try ledger.stored(log.name))
    #expect(stored.next < seen.next && stored.next >= safe && stored.safe <= safe)
    #expect(stored.head == log.heads[Int(stored.next)])
    #expect(try ledger.apply(log.batch(70..<100)) == .gap(next: stored.next))
    guard case .appended(let last) = try ledger.apply(log.batch(safe..<100)) else {
      Issue.record("the site's resending was not taken")
      return
    }
    #expect(last.head == log.heads[100])
  }
}

extension PostgreSQLServer {
  /// Waits until a ledger feels that its server was killed: the process that served it lives a moment longer.
  fileprivate func isGone(for ledger: Ledger, _ log: LogName) throws -> Bool {
    try waits {
      do throws(LedgerFault) { _ = try ledger.stored(log) } catch {
        #expect(error.code == "ledger.unavailable", "\(error)")
        return true
      }
      return false
    }
  }

  /// Whether something becomes true within 20 s.
  fileprivate func waits(_ isTrue: () throws -> Bool) throws -> Bool {
    for _ in 0..<200 {
      if try isTrue() { return true }
      Pause.tenthOfSecond()
    }
    return false
  }
}
