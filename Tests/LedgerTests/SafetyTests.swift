import Ledger
import Provenance
import Sync
import Testing
import TwinCore

@Suite("What is safe survives the loss of the store") struct SafetyTests {
  let site = SiteName(number: 1)

  @Test("a single copy is safe with its checkpoint, and not before", arguments: Backend.allCases)
  func onCommit(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open(.onCommit)
    var log = SiteLog(site, try ledger.enrol(site))
    log.grow(100)
    _ = try ledger.apply(log.batch(0..<80))
    #expect(try ledger.stored(log.name)?.safe == 0)
    try ledger.keep([log.checkpoint(64)])
    #expect(
      try ledger.stored(log.name)
        == StoredLog(head: log.heads[80], checkpointed: 64, safe: 64, receipt: "checkpoint of 64\n"))
    // Not newer; beyond the end; of another tree; of nothing.
    let other = KeptCheckpoint(log: log.name, size: 70, root: log.heads[69].root, note: "other")
    try ledger.keep([log.checkpoint(64), log.checkpoint(32), log.checkpoint(90), other])
    #expect(try ledger.stored(log.name)?.safe == 64)
    try ledger.keep([log.checkpoint(80), log.checkpoint(72)])
    #expect(try ledger.stored(log.name)?.safe == 80)
    _ = try ledger.apply(log.batch(80..<100))
    #expect(try ledger.stored(log.name)?.receipt == "checkpoint of 80\n")
    #expect(try ledger.checkpoints(of: log.name).map(\.size) == [64, 72, 80])
  }

  @Test(
    "the newest checkpoint of a log is a leaf of the foundation's own: hourly, or after 1,024 entries",
    arguments: Backend.allCases)
  func leaves(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open(.onCommit)
    var log = SiteLog(site, try ledger.enrol(site))
    log.grow(1200)
    _ = try ledger.apply(log.batch(0..<100))
    #expect(try ledger.leafSiteCheckpoints() == 0)
    try ledger.keep([log.checkpoint(64)])
    let first = try ledger.foundationHead().size
    #expect(try ledger.leafSiteCheckpoints() == 1)
    #expect(try ledger.leafSiteCheckpoints(age: .zero) == 0)
    try ledger.keep([log.checkpoint(100)])
    #expect(try ledger.leafSiteCheckpoints() == 0)
    for start in stride(from: 100 as UInt64, to: 1200, by: 100) {
      _ = try ledger.apply(log.batch(start..<start + 100))
    }
    try ledger.keep([log.checkpoint(1088)])
    #expect(try ledger.leafSiteCheckpoints() == 1)
    try ledger.keep([log.checkpoint(1100)])
    #expect(try ledger.leafSiteCheckpoints(age: .zero) == 1)
    let leaves = try ledger.foundationRecords(from: first).map(\.leaf)
    #expect(
      leaves.map { String(decoding: $0.bytes, as: UTF8.self) } == [64, 1088, 1100].map { "checkpoint of \($0)\n" })
    #expect(leaves.allSatisfy { $0.kind == .siteCheckpoint && $0.site == site })
    // Proofs as sites ask for them; beyond the end there is none.
    let size = try ledger.foundationHead().size
    let proof = try #require(try ledger.foundationProof(LogSpan(from: first, to: size)!))
    #expect(
      Merkle.verifyConsistency(
        from: first, root1: try #require(try ledger.foundationRoot(at: first)), to: size,
        root2: try #require(try ledger.foundationRoot(at: size)), proof: proof))
    #expect(try ledger.foundationProof(LogSpan(from: 0, to: size + 1)!) == nil)
    #expect(try ledger.foundationRoot(at: size + 1) == nil)
  }

  @Test("else it is safe when a backup was confirmed, as far as its checkpoints go", arguments: Backend.allCases)
  func onConfirmation(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open(.onConfirmation)
    let epoch = try ledger.enrol(site)
    var logs = [SiteLog(site, epoch), SiteLog(site, epoch, .features)]
    for index in logs.indices { logs[index].grow(100) }
    _ = try ledger.apply(logs.map { $0.batch(0..<50) })
    try ledger.keep([logs[0].checkpoint(40), logs[1].checkpoint(20)])
    #expect(try ledger.stored(logs[0].name)?.safe == 0)
    let first = try ledger.beginBackup()
    // What comes after the mark is not in the copy.
    _ = try ledger.apply(logs.map { $0.batch(50..<90) })
    try ledger.keep([logs[0].checkpoint(60)])
    try ledger.confirmBackup(upTo: first)
    #expect(try logs.map { try ledger.stored($0.name)?.safe } == [40, 20])
    #expect(try ledger.stored(logs[1].name)?.receipt == "checkpoint of 20\n")
    // A checkpoint of what is durable already needs no other backup.
    try ledger.keep([logs[1].checkpoint(45)])
    #expect(try ledger.stored(logs[1].name)?.safe == 45)
    expectFault("ledger.out_of_range") { try ledger.confirmBackup(upTo: first + 1) }
    let second = try ledger.beginBackup()
    let third = try ledger.beginBackup()
    expectFault("ledger.out_of_range") { try ledger.confirmBackup(upTo: second) }
    try ledger.confirmBackup(upTo: third)
    #expect(try logs.map { try ledger.stored($0.name)?.safe } == [60, 45])
  }

  @Test("a store that came from a backup has at least what was safe, and is known (rows 45, 63)")
  func restored() throws {
    let store = try TestStore(.file)
    let ledger = try store.open(.onConfirmation)
    var log = SiteLog(site, try ledger.enrol(site))
    log.grow(60)
    _ = try ledger.apply(log.batch(0..<30))
    try ledger.keep([log.checkpoint(25)])
    try ledger.backUp(to: store.directory + "/old.db")
    #expect(try ledger.stored(log.name)?.safe == 25)
    try ledger.appendFoundation([FoundationLeaf(.metadata, bytes: [1]), FoundationLeaf(.metadata, bytes: [2])])
    try ledger.takeLease("f-1", for: .seconds(60))
    try ledger.backUp(to: store.directory + "/new.db")
    let safe = try #require(try ledger.stored(log.name)?.safe)
    _ = try ledger.apply(log.batch(30..<60))
    let atNew = try ledger.witness()
    try ledger.appendFoundation([FoundationLeaf(.metadata, bytes: [3])])
    let seen = try ledger.witness()
    #expect(try ledger.rewinds(since: seen).isEmpty)

    // The newest backup: the head moved back, not below what was safe, and the site's resending repairs it.
    let fresh = try Ledger(.file(store.directory + "/new.db"), policy: .onConfirmation, clock: store.clock)
    let head = try #require(try fresh.stored(log.name))
    #expect(head.next == 30 && head.next >= safe)
    #expect(try fresh.rewinds(since: seen) == [.foundationShorter(now: 3, seen: 4)])
    #expect(try fresh.rewinds(since: atNew).isEmpty)
    try fresh.takeLease("f-1", for: .seconds(60))
    #expect(
      try fresh.apply(log.batch(20..<60))
        == .appended(StoredLog(head: log.heads[60], checkpointed: 25, safe: 25, receipt: "checkpoint of 25\n")))
    // Other leaves in place of the lost ones are found too.
    try fresh.appendFoundation([FoundationLeaf(.metadata, bytes: [9])])
    #expect(try fresh.rewinds(since: seen) == [.foundationDiffers(at: 4)])

    // An older one than was confirmed: sites may have deleted what it lacks.
    let stale = try Ledger(.file(store.directory + "/old.db"), policy: .onConfirmation, clock: store.clock)
    #expect(
      try stale.rewinds(since: seen) == [
        .foundationShorter(now: 1, seen: 4), .backupOlder(now: 1, seen: 2), .termLower(now: 0, seen: 1),
      ])
    // It writes under a term that no site has seen yet.
    #expect(try stale.takeLease("f-2", for: .seconds(60), above: seen.term) == 2)
  }

  @Test("of two foundations one writes (row 51)", arguments: Backend.allCases)
  func lease(backend: Backend) throws {
    let store = try TestStore(backend)
    let first = try store.open()
    // A file is one process's own; what a second foundation would do is done by the same ledger in turn.
    let second = backend == .file ? first : try store.open()
    #expect(first.term == 0)
    #expect(try first.takeLease("f-1", for: .seconds(30)) == 1)
    #expect(try first.takeLease("f-1", for: .seconds(30)) == 1 && first.term == 1)
    expectFault("ledger.lease_held") { try second.takeLease("f-2", for: .seconds(30)) }
    try first.enrol(site)
    store.clock.advance(.seconds(31))
    #expect(try second.takeLease("f-2", for: .seconds(30)) == 2)
    #expect(try second.lease().holder == "f-2")
    guard backend == .server else { return }
    #expect(first.term == 1)
    expectFault("ledger.lease_lost") { try first.note(directedTo: site) }
    expectFault("ledger.lease_lost") { _ = try first.apply([]) + first.apply([SiteLog.one(site)]) }
    expectFault("ledger.lease_lost") { try first.renewLease(for: .seconds(30)) }
    try second.renewLease(for: .seconds(60))
    #expect(try second.lease().until == store.clock.instant.advanced(byNanoseconds: 60_000_000_000))
    // A worker of the foundation that has it joins in; one that never asked writes nothing.
    #expect(try store.open().takeLease("f-2", for: .seconds(30)) == 2)
    expectFault("ledger.lease_lost") { try store.open().note(directedTo: site) }
  }

  @Test("two foundations that take the lease at once get one term each, and one of them has it")
  func leaseRace() throws {
    let store = try TestStore(.server)
    let ledgers = try (0..<4).map { _ in try store.open() }
    try onThreads(
      ledgers.enumerated().map { number, ledger in { _ = try? ledger.takeLease("f-\(number)", for: .seconds(30)) } })
    #expect(ledgers.map(\.term).sorted() == [0, 0, 0, 1])
  }
}

extension Ledger {
  fileprivate func note(directedTo site: SiteName) throws { try noteDirected(to: site, next: 0) }
}

extension SiteLog {
  fileprivate static func one(_ site: SiteName) -> AdmittedBatch {
    var log = SiteLog(site, LogEpoch())
    log.grow(1)
    return log.batch(0..<1)
  }
}
