import Ledger
import Provenance
import Sync
import Testing
import TwinCore

@Suite("Batches are applied once, in order, and only where they follow") struct BatchTests {
  let site = SiteName(number: 1)

  private func start(_ backend: Backend) throws -> (Ledger, SiteLog, TestStore) {
    let store = try TestStore(backend)
    let ledger = try store.open()
    return (ledger, SiteLog(site, try ledger.enrol(site)), store)
  }

  @Test("appends, knows a repetition, and what overlaps", arguments: Backend.allCases)
  func appended(backend: Backend) throws {
    var (ledger, log, store) = try start(backend)
    log.grow(30)
    #expect(try ledger.stored(log.name) == nil)
    #expect(try ledger.apply(log.batch(0..<10)) == .appended(StoredLog(head: log.heads[10])))
    // The acknowledgement was lost: the same batch again, which changes nothing.
    #expect(try ledger.apply(log.batch(0..<10)) == .duplicate(StoredLog(head: log.heads[10])))
    #expect(try ledger.apply(log.batch(5..<20)) == .appended(StoredLog(head: log.heads[20])))
    #expect(try ledger.apply(log.batch(25..<30)) == .gap(next: 20))
    #expect(try ledger.apply(log.batch(20..<30)) == .appended(StoredLog(head: log.heads[30])))
    #expect(try ledger.head(site, log.name.epoch, .audit) == log.heads[30])
    let stored = try ledger.all(log.name)
    #expect(stored.map(\.sequence) == Array(0..<30))
    #expect(stored.map(\.entry) == log.entries.map(\.bytes) && stored.map(\.body) == log.entries.map(\.body))
    // Another process finds the same.
    if backend == .server { #expect(try store.open().stored(log.name)?.head == log.heads[30]) }
  }

  @Test("applies many batches of many sites in one transaction, each for itself", arguments: Backend.allCases)
  func group(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    var logs: [SiteLog] = []
    for number in 0..<5 {
      let epoch = try ledger.enrol(SiteName(number: number))
      for stream in [LogStream.audit, .features] {
        var log = SiteLog(SiteName(number: number), epoch, stream)
        log.grow(20)
        logs.append(log)
      }
    }
    var batches = logs.flatMap { [$0.batch(0..<7), $0.batch(7..<20)] }
    // One that waits for another, one that is there already, one of a site that nobody knows.
    batches.insert(logs[0].batch(7..<20), at: 0)
    batches.append(logs[1].batch(3..<9))
    var foreign = SiteLog(SiteName(number: 99), LogEpoch())
    foreign.grow(1)
    batches.append(foreign.batch(0..<1))
    let results = try ledger.apply(batches)
    #expect(results[0] == .gap(next: 0))
    #expect(results[1] == .appended(StoredLog(head: logs[0].heads[7])))
    #expect(results[21] == .duplicate(StoredLog(head: logs[1].heads[20])))
    #expect(results[22] == .refused(reason: "the site is not enrolled"))
    for log in logs {
      #expect(try ledger.stored(log.name)?.head == log.heads[20])
      #expect(try ledger.all(log.name).map(\.entry) == log.entries.map(\.bytes))
    }
    #expect(try ledger.apply([]) == [])
  }

  @Test("a second entry for one sequence quarantines its site and keeps both", arguments: Backend.allCases)
  func equivocation(backend: Backend) throws {
    var (ledger, log, _) = try start(backend)
    log.grow(10)
    var other = log.branch(at: 6)
    other.grow(6)
    var features = SiteLog(site, log.name.epoch, .features)
    features.grow(2)
    // Within one transaction, so that the stored half is not in the tables yet.
    let results = try ledger.apply([log.batch(0..<10), other.batch(4..<12), features.batch(0..<2)])
    #expect(results[1] == .equivocation(sequence: 6))
    #expect(results[2] == .refused(reason: "the site is quarantined: two entries 6 in \(log.name)"))
    guard case .quarantined = try ledger.site(site)?.standing else {
      Issue.record("the site is not quarantined")
      return
    }
    #expect(try ledger.stored(log.name)?.head == log.heads[10])
    #expect(try ledger.alarms().map(\.kind).contains(.quarantined))
    // An operator lifts it; then against the tables.
    try ledger.release(site)
    #expect(try ledger.apply(other.batch(8..<9)) == .equivocation(sequence: 8))
    try ledger.release(site)
    log.grow(2)
    #expect(try ledger.apply(log.batch(10..<12)) == .appended(StoredLog(head: log.heads[12])))
    #expect(try ledger.alarms().filter { $0.kind == .evidence }.map(\.text) == ["equivocation", "equivocation"])
  }

  @Test("another history before the head is a fork", arguments: Backend.allCases)
  func fork(backend: Backend) throws {
    var (ledger, log, _) = try start(backend)
    log.grow(10)
    _ = try ledger.apply(log.batch(0..<10))
    var other = log.branch(at: 3)
    other.grow(10)
    #expect(try ledger.apply(other.batch(10..<12)) == .fork(next: 10))
    #expect(try ledger.stored(log.name)?.head == log.heads[10])
    log.grow(1)
    guard case .refused = try ledger.apply(log.batch(10..<11)) else {
      Issue.record("a forked site may append")
      return
    }
  }

  @Test("nothing enters a closed, an unknown or an unapproved epoch, nor a revoked site", arguments: Backend.allCases)
  func barred(backend: Backend) throws {
    var (ledger, log, _) = try start(backend)
    log.grow(4)
    _ = try ledger.apply(log.batch(0..<2))
    var second = SiteLog(site, LogEpoch())
    second.grow(2)
    #expect(try ledger.apply(second.batch(0..<1)) == .refused(reason: "the epoch is not known"))
    let asked = SiteEpoch(epoch: second.name.epoch, standing: .awaitingApproval, previous: log.name.epoch)
    #expect(try ledger.open(asked, of: site, evidence: [1]) == asked)
    #expect(
      try ledger.open(SiteEpoch(epoch: asked.epoch, standing: .open, previous: nil), of: site, evidence: []) == asked)
    #expect(
      try ledger.apply(second.batch(0..<1)) == .refused(reason: "the epoch awaits an operator's approval"))
    #expect(try ledger.alarms().map(\.kind) == [.epochAwaiting])
    try ledger.approve(asked.epoch, of: site)
    #expect(try ledger.apply(second.batch(0..<2)) == .appended(StoredLog(head: second.heads[2])))
    // The head of the closed one stays as it is.
    #expect(try ledger.apply(log.batch(2..<4)) == .refused(reason: "the epoch is closed"))
    #expect(try ledger.stored(log.name)?.head == log.heads[2])
    let record = try #require(try ledger.site(site))
    #expect(record.epochs.map(\.standing) == [.closed, .open] && record.openEpoch?.previous == log.name.epoch)
    try ledger.close(second.name.epoch, of: site, reason: "disk lost")
    #expect(try ledger.apply(second.batch(0..<1)) == .refused(reason: "the epoch is closed"))
    expectFault("ledger.refused") { try ledger.close(LogEpoch(), of: site, reason: "") }
    try ledger.revoke(site, reason: "stolen", leaf: FoundationLeaf(.revocation, site: site, bytes: [1]))
    #expect(try ledger.site(site)?.standing == .revoked)
    #expect(try ledger.apply(log.batch(0..<1)) == .refused(reason: "the site is revoked: stolen"))
    expectFault("ledger.refused") { try ledger.release(site) }
    try ledger.quarantine(site, reason: "late", evidence: [])
    #expect(try ledger.site(site)?.standing == .revoked)
  }

  @Test("goes on behind a declared loss, and keeps the word for it", arguments: Backend.allCases)
  func declared(backend: Backend) throws {
    var (ledger, log, _) = try start(backend)
    log.grow(60)
    _ = try ledger.apply(log.batch(0..<10))
    let gap = DeclaredGap(log: log.name, from: 10, resume: log.heads[40], evidence: [8])
    #expect(try ledger.declare(gap).head == log.heads[40])
    // The same birth again.
    #expect(try ledger.declare(gap).head == log.heads[40])
    #expect(try ledger.apply(log.batch(40..<60)) == .appended(StoredLog(head: log.heads[60])))
    // A late batch from before the loss is compared as far as it can be.
    #expect(try ledger.apply(log.batch(5..<20)) == .duplicate(StoredLog(head: log.heads[60])))
    try ledger.keep([log.checkpoint(30), log.checkpoint(50)])
    let stored = try #require(try ledger.stored(log.name))
    #expect(stored.checkpointed == 50 && stored.safe == 50 && stored.receipt == "checkpoint of 50\n")
    #expect(try ledger.gaps(of: log.name).map(\.range) == [10..<40])
    #expect(try ledger.streams(of: site).first?.gapFirst == 10..<40)
    #expect(try ledger.alarms().map(\.kind) == [.gap])
    expectFault("ledger.refused") {
      let unknown = LogName(site: site, epoch: LogEpoch(), stream: .audit)
      _ = try ledger.declare(DeclaredGap(log: unknown, from: 0, resume: log.heads[40], evidence: []))
    }
  }

  @Test("keeps a body that is missing as missing", arguments: Backend.allCases)
  func bodies(backend: Backend) throws {
    let (ledger, log, _) = try start(backend)
    var grown = log
    grown.grow(3)
    var entries = grown.batch(0..<3).entries
    entries[1] = AdmittedBatch.Entry(
      sequence: 1, kind: entries[1].kind, bytes: entries[1].bytes, leafHash: entries[1].leafHash, body: nil)
    let batch = AdmittedBatch(
      log: log.name, entries: entries, chainBefore: .zero, chainAfter: grown.heads[3].chain,
      root: grown.heads[3].root, envelope: [])
    _ = try ledger.apply(batch)
    #expect(try ledger.all(log.name).map { $0.body == nil } == [false, true, false])
  }
}
