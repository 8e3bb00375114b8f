import Glibc
import Ledger
import Provenance
import SQLite
import Sync
import Testing
import TwinCore

@Suite("The foundation's own log") struct FoundationTests {
  @Test("proves every leaf and every earlier state", arguments: Backend.allCases)
  func proofs(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    var roots = [Merkle.emptyRoot]
    var tree = MerkleFrontier()
    var leaves: [[UInt8]] = []
    for size in [1, 2, 4, 1, 9, 16, 3] {
      let added = (0..<size).map { FoundationLeaf(.siteCheckpoint, bytes: [UInt8(leaves.count + $0)]) }
      #expect(try ledger.appendFoundation(added) == UInt64(leaves.count))
      for leaf in added {
        leaves.append(leaf.bytes)
        tree.append(Merkle.leafHash(leaf.bytes))
        roots.append(tree.root)
      }
      #expect(try ledger.foundationHead() == tree)
    }
    let size = UInt64(leaves.count)
    for total in stride(from: 1, through: size, by: 5) {
      for index in 0..<total {
        let proof = try ledger.inclusionProof(of: index, size: total)
        #expect(
          Merkle.verifyInclusion(
            index: index, size: total, leaf: Merkle.leafHash(leaves[Int(index)]), proof: proof, root: roots[Int(total)])
        )
      }
      for old in 0...total {
        let proof = try ledger.consistencyProof(from: old, to: total)
        #expect(
          Merkle.verifyConsistency(
            from: old, root1: roots[Int(old)], to: total, root2: roots[Int(total)], proof: proof))
      }
    }
    expectFault("ledger.out_of_range") { _ = try ledger.inclusionProof(of: size, size: size) }
    expectFault("ledger.out_of_range") { _ = try ledger.consistencyProof(from: 0, to: size + 1) }
    expectFault("ledger.out_of_range") { try ledger.appendFoundation([]) }
    let records = try ledger.foundationRecords(from: 30, limit: 4)
    #expect(records.map(\.sequence) == [30, 31, 32, 33] && records[0].leaf.bytes == leaves[30])
  }

  @Test("workers append without holes", arguments: Backend.allCases)
  func concurrent(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    let workers = try store.workers(4, first: ledger)
    try onThreads(
      workers.enumerated().map { number, worker in
        {
          for turn in 0..<12 {
            try worker.appendFoundation([FoundationLeaf(.intent, bytes: [UInt8(number), UInt8(turn)])])
          }
        }
      })
    var tree = MerkleFrontier()
    let records = try ledger.foundationRecords(from: 0)
    for record in records { tree.append(Merkle.leafHash(record.leaf.bytes)) }
    #expect(try records.count == 48 && ledger.foundationHead() == tree)
  }

  @Test("keeps its checkpoints, with more cosignatures as they come", arguments: Backend.allCases)
  func checkpoints(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    try ledger.appendFoundation((0..<5).map { FoundationLeaf(.metadata, bytes: [$0]) })
    let head = try ledger.foundationHead()
    #expect(try ledger.foundationCheckpoint() == nil)
    try ledger.keepFoundationCheckpoint(size: 5, root: head.root, note: "signed")
    try ledger.keepFoundationCheckpoint(size: 5, root: head.root, note: "signed and cosigned")
    expectFault("ledger.out_of_range") {
      try ledger.keepFoundationCheckpoint(size: 4, root: head.root, note: "of another tree")
    }
    expectFault("ledger.out_of_range") { try ledger.keepFoundationCheckpoint(size: 6, root: head.root, note: "") }
    let kept = try #require(try ledger.foundationCheckpoint())
    #expect(kept.size == 5 && kept.root == head.root && kept.note == "signed and cosigned")
    #expect(try ledger.foundationCheckpoint(atMost: 4) == nil)
  }
}

@Suite("Auditors and the console") struct AuditTests {
  @Test("a search goes page by page over all that its filter lets through", arguments: Backend.allCases)
  func search(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    var logs: [SiteLog] = []
    for number in 0..<3 {
      let site = SiteName(number: number)
      let epoch = try ledger.enrol(site)
      for stream in [LogStream.audit, .control] {
        var log = SiteLog(site, epoch, stream)
        log.grow(50)
        _ = try ledger.apply(log.batch(0..<50))
        logs.append(log)
      }
    }
    func search(_ filter: AuditFilter, limit: Int = 7) throws -> [StoredEntry] {
      var found: [StoredEntry] = []
      var cursor: AuditCursor?
      for _ in 0..<1000 {
        let page = try ledger.audit(filter, from: cursor, limit: limit)
        #expect(page.entries.count <= limit)
        found += page.entries
        guard let next = page.next else { return found }
        cursor = next
      }
      Issue.record("the search does not end")
      return found
    }
    #expect(try search(AuditFilter()).count == 150)
    #expect(try search(AuditFilter(streams: [.audit, .control]), limit: 1).count == 300)
    let one = AuditFilter(site: SiteName(number: 1), streams: [.control])
    #expect(try search(one).map(\.entry) == logs[3].entries.map(\.bytes))
    var newest = one
    newest.isNewestFirst = true
    #expect(try search(newest).map(\.sequence) == Array((0..<50).reversed()))
    var narrow = AuditFilter(kinds: [.decision], wallMs: 1_790_000_000_010..<1_790_000_000_020)
    #expect(try search(narrow).map(\.sequence) == [12, 15, 18, 12, 15, 18, 12, 15, 18])
    narrow.site = SiteName(number: 7)
    #expect(try search(narrow).isEmpty)
    #expect(try ledger.sites(after: SiteName(number: 0)).map(\.name) == [SiteName(number: 1), SiteName(number: 2)])
    #expect(try ledger.sites(limit: 1).count == 1)
  }

  @Test("a trail holds all of a site in the order of a bundle", arguments: Backend.allCases)
  func trail(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    let site = SiteName(number: 1)
    var audit = SiteLog(site, try ledger.enrol(site))
    audit.grow(2500)
    for first in stride(from: 0 as UInt64, to: 2500, by: 500) { _ = try ledger.apply(audit.batch(first..<first + 500)) }
    try ledger.keep([1, 1000, 1001, 2500].map(audit.checkpoint))
    var control = SiteLog(site, audit.name.epoch, .control)
    control.grow(5)
    _ = try ledger.apply(control.batch(0..<5))
    var trail = try ledger.trail(of: site)
    var (entries, seen): ([LogName: UInt64], [String]) = ([:], [])
    var present: LogName?
    while let row = try trail.next() {
      switch row {
      case .epoch(let epoch): seen.append("epoch \(epoch.epoch == audit.name.epoch)")
      case .stream(let log, let next):
        present = log
        seen.append("\(log.stream) to \(next)")
      case .gap: seen.append("gap")
      case .checkpoint(let kept):
        #expect(kept.size == entries[try #require(present)])
        seen.append("checkpoint \(kept.size)")
      case .entry(let entry):
        #expect(entry.log == present && entry.sequence == entries[entry.log] ?? 0)
        entries[entry.log] = entry.sequence + 1
      }
    }
    #expect(entries == [audit.name: 2500, control.name: 5])
    #expect(
      seen == [
        "epoch true", "audit to 2500", "checkpoint 1", "checkpoint 1000", "checkpoint 1001", "checkpoint 2500",
        "control to 5",
      ])
    expectFault("ledger.site_unknown") { _ = try ledger.trail(of: SiteName(number: 2)) }
  }
}

@Suite("A ledger opens what is its own") struct OpeningTests {
  @Test("refuses a newer version without touching it", arguments: Backend.allCases)
  func newer(backend: Backend) throws {
    let store = try TestStore(backend)
    try raw(store, "UPDATE ledger SET version = 99", after: { _ = try store.open() })
    expectFault("ledger.newer_version") { _ = try store.open() }
    try raw(store, "UPDATE ledger SET version = 2")
    #expect(try store.open().sites().isEmpty)
  }

  @Test("refuses another database", arguments: Backend.allCases)
  func foreign(backend: Backend) throws {
    let store = try TestStore(backend)
    try raw(store, "CREATE TABLE sites(a INTEGER)")
    expectFault("ledger.not_a_ledger") { _ = try store.open() }
  }

  @Test("one process has a file for itself")
  func alone() throws {
    let store = try TestStore(.file)
    let ledger = try store.open()
    expectFault("ledger.unavailable") { _ = try store.open() }
    withExtendedLifetime(ledger) {}
  }

  @Test("workers that start at once make one schema")
  func together() throws {
    let store = try TestStore(.server)
    try onThreads((0..<6).map { _ in { _ = try store.open().sites() } })
  }

  private func raw(_ store: TestStore, _ sql: String, after prepare: () throws -> Void = {}) throws {
    try prepare()
    switch store.place {
    case .file(let path):
      let database = try Database(path: path, access: .create)
      try database.execute(sql)
    case .server(let text): try RawServer.run(sql, text)
    }
  }
}
