import Ledger
import Provenance
import Seams
import Sodium
import Sync
import Testing
import TwinCore

@Suite("The register of sites") struct RegisterTests {
  let site = SiteName(number: 1)

  @Test("spends a token once, for its site, in time (row 49)", arguments: Backend.allCases)
  func tokens(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    func grant(_ name: String, site: String?, days: Int = 1) -> EnrolmentGrant {
      EnrolmentGrant(
        name: name, key: [1, 2, 3], tenant: "acme", site: site,
        expires: store.clock.instant.advanced(byNanoseconds: Int64(days) * 86_400_000_000_000))
    }
    try ledger.add(grant("a", site: "site-1"))
    try ledger.add(grant("any", site: nil))
    expectFault("ledger.exists") { try ledger.add(grant("a", site: "site-2")) }
    expectFault("ledger.out_of_range") { try ledger.add(grant("b", site: nil, days: 8)) }
    expectFault("ledger.out_of_range") { try ledger.add(grant("b", site: "No Name")) }
    expectFault("ledger.token_other") { _ = try ledger.enrol(.test(SiteName(number: 2)), token: "a") }
    expectFault("ledger.token_unknown") { _ = try ledger.enrol(.test(site), token: "z") }
    #expect(try ledger.token("a")?.spentAt == nil && ledger.token("a")?.grant.key == [1, 2, 3])
    #expect(try ledger.foundationHead().size == 0)
    #expect(try ledger.enrol(.test(site), token: "a") == 0)
    #expect(try ledger.token("a")?.spentBy == "acme.site-1" && ledger.token("a")?.grant.key == [])
    expectFault("ledger.token_spent") { _ = try ledger.enrol(.test(site), token: "a") }
    // A second site of the same name leaves its token as it was.
    expectFault("ledger.exists") { _ = try ledger.enrol(.test(site), token: "any") }
    #expect(try ledger.token("any")?.spentAt == nil && ledger.foundationHead().size == 1)
    store.clock.advance(.seconds(86_400))
    expectFault("ledger.token_expired") { _ = try ledger.enrol(.test(SiteName(number: 3)), token: "any") }
    try ledger.withdrawToken("any")
    expectFault("ledger.not_found") { try ledger.withdrawToken("a") }
    #expect(try ledger.tokens().map(\.grant.name) == ["a"])
    let record = try #require(try ledger.site(site))
    #expect(record.standing == .active && record.keys.count == 1 && record.epochs.count == 1)
    #expect(try ledger.site(SiteName(number: 2)) == nil)
  }

  @Test("one token enrols one of many that come at once", arguments: Backend.allCases)
  func race(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    try ledger.add(
      EnrolmentGrant(
        name: "one", key: [1], tenant: "acme", site: nil,
        expires: store.clock.instant.advanced(byNanoseconds: 3_600_000_000_000)))
    let workers = try store.workers(6, first: ledger)
    try onThreads(
      workers.enumerated().map { number, worker in
        { _ = try? worker.enrol(.test(SiteName(number: number)), token: "one") }
      })
    #expect(try ledger.sites().count == 1 && ledger.foundationHead().size == 1)
  }

  @Test("rotates keys with an overlap", arguments: Backend.allCases)
  func rotation(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    try ledger.enrol(site)
    let fresh = SiteKey(
      keyEpoch: 2, signing: Ed25519.PublicKey(bytes: Array(repeating: 8, count: 32))!,
      sealing: Array(repeating: 3, count: 32))
    let end = store.clock.instant.advanced(byNanoseconds: 30 * 86_400_000_000_000)
    let leaf = FoundationLeaf(.keyRotation, site: site, bytes: [2])
    try ledger.rotate(site, to: fresh, overlapEnd: end, leaf: leaf)
    let record = try #require(try ledger.site(site))
    #expect(record.keys.map(\.keyEpoch) == [2, 1] && record.keys.map(\.validUntil) == [nil, end])
    #expect(record.signingKeys(at: end).count == 2)
    #expect(record.signingKeys(at: end.advanced(byNanoseconds: 1)) == [fresh.signing])
    expectFault("ledger.exists") { try ledger.rotate(site, to: fresh, overlapEnd: end, leaf: leaf) }
    #expect(try ledger.foundationRecords(from: 0, of: site).map(\.leaf.kind) == [.enrolment, .keyRotation])
  }

  @Test("finds the certificates of revoked sites, those of others not (row 50)", arguments: Backend.allCases)
  func certificatesOfRevoked(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    let (bad, good) = (SiteName(number: 1), SiteName(number: 2))
    for site in [bad, good] {
      try ledger.enrol(site)
      try ledger.appendFoundation((1...3).map { FoundationLeaf(.certificate, site: site, bytes: [$0]) })
    }
    #expect(try ledger.leavesOfRevokedSites(.certificate, from: 0).isEmpty)
    try ledger.revoke(bad, reason: "stolen", leaf: FoundationLeaf(.revocation, site: bad, bytes: [9]))
    let found = try ledger.leavesOfRevokedSites(.certificate, from: 0, limit: 2)
    #expect(found.map(\.leaf) == [1, 2].map { FoundationLeaf(.certificate, site: bad, bytes: [$0]) })
    let rest = try ledger.leavesOfRevokedSites(.certificate, from: found[1].sequence + 1, limit: 2)
    #expect(rest.map(\.leaf.bytes) == [[3]])
  }

  @Test("keeps an enrolment's certificate with it, or neither", arguments: Backend.allCases)
  func certificateOfEnrolment(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    let plain = SiteEnrolment.test(site)
    let enrolment = SiteEnrolment(
      site: site, key: plain.key, epoch: plain.epoch, evidence: plain.evidence, leaf: plain.leaf,
      certificate: FoundationLeaf(.certificate, site: site, bytes: [7]))
    expectFault("ledger.token_unknown") { _ = try ledger.enrol(enrolment, token: "none") }
    #expect(try ledger.foundationHead().size == 0)
    try ledger.add(
      EnrolmentGrant(
        name: "one", key: [1], tenant: site.tenant, site: site.site,
        expires: store.clock.instant.advanced(byNanoseconds: 3_600_000_000_000)))
    #expect(try ledger.enrol(enrolment, token: "one") == 0)
    #expect(try ledger.foundationRecords(from: 0, of: site).map(\.leaf.kind) == [.enrolment, .certificate])
  }

  @Test("holds what it cannot read, once each and up to the site's share (row 67)", arguments: Backend.allCases)
  func held(backend: Backend) throws {
    let store = try TestStore(backend)
    var ledger = try store.open()
    try ledger.enrol(site)
    func message(_ number: Int) -> HeldMessage {
      HeldMessage(
        site: site, topic: "tw/1/up/acme.site-1/log/audit", type: "batch.v2", reason: "schema 2",
        envelope: Array("message \(number)".utf8))
    }
    for number in 0..<SyncLimits.heldMessagesMax {
      #expect(try ledger.hold(message(number)))
      store.clock.advance(.seconds(1))
    }
    #expect(try ledger.hold(message(3)))
    #expect(try !ledger.hold(message(9999)))
    expectFault("ledger.site_unknown") {
      _ = try ledger.hold(
        HeldMessage(site: SiteName(number: 9), topic: "", type: "", reason: "", envelope: []))
    }
    if backend == .server { ledger = try store.open() }
    let held = try ledger.held(of: site)
    #expect(held.count == SyncLimits.heldMessagesMax && held[5] == message(5))
    #expect(try ledger.unhold(message(0)) && !ledger.unhold(message(0)))
    #expect(try ledger.hold(message(9999)))
    #expect(try ledger.alarms().map(\.kind) == [.held])
    #expect(try ledger.sites().first?.heldCount == SyncLimits.heldMessagesMax)
  }

  @Test("notes births, claims and signs of life", arguments: Backend.allCases)
  func presence(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    let epoch = try ledger.enrol(site)
    var log = SiteLog(site, epoch)
    log.grow(12)
    _ = try ledger.apply(log.batch(0..<5))
    #expect(try ledger.presence(of: site) == nil && ledger.birth(of: site) == nil)
    let mark = SitePresence.Mark(epoch: epoch, session: .max, serial: 7)
    var presence = SitePresence(
      site: site, state: .online, heardAt: store.clock.instant, intervalMs: 60_000, mark: mark)
    try ledger.note(presence)
    #expect(try ledger.presence(of: site) == presence)
    let due = presence.dueAt
    #expect(try ledger.presences(dueBefore: due, limit: 10).isEmpty)
    #expect(try ledger.presences(dueBefore: due.advanced(byNanoseconds: 1), limit: 10) == [presence])
    presence.state = .offline
    try ledger.note(presence)
    #expect(try ledger.presences(dueBefore: .distantFuture, limit: 10).isEmpty)
    try ledger.noteClaims([.audit: 12, .features: 3], of: site, epoch: epoch)
    let line = try #require(try ledger.sites().first)
    #expect(line.entriesBehind == 7 && line.presence == presence && line.standing == .active)
    #expect(try ledger.streams(of: site).map(\.claimed) == [12])
    expectFault("ledger.site_unknown") {
      try ledger.note(
        SitePresence(site: SiteName(number: 5), state: .online, heardAt: presence.heardAt, intervalMs: 1, mark: mark))
    }
  }

  @Test("numbers what is directed to a site without holes", arguments: Backend.allCases)
  func directed(backend: Backend) throws {
    let store = try TestStore(backend)
    let ledger = try store.open()
    try ledger.enrol(site)
    try ledger.enrol(SiteName(number: 2))
    let workers = try store.workers(4, first: ledger)
    let (to, at) = (site, store.clock.instant)
    try onThreads(
      workers.enumerated().map { number, worker in
        {
          for turn in 0..<10 {
            _ = try worker.appendDirected(to: to, kind: .rolloutState, body: [UInt8(number), UInt8(turn)], at: at)
          }
        }
      })
    #expect(try ledger.appendDirected(to: SiteName(number: 2), kind: .command, body: [], at: at) == 0)
    let entries = try ledger.directed(to: site, from: 0, limit: 100)
    #expect(entries.map(\.sequence) == Array(0..<40))
    for number in 0..<4 {
      #expect(entries.filter { $0.body[0] == number }.map { $0.body[1] } == Array(0..<10))
    }
    #expect(try ledger.directed(to: site, from: 38, limit: 1).map(\.sequence) == [38])
    try ledger.noteDirected(to: site, next: 30)
    try ledger.noteDirected(to: site, next: 20)
    try ledger.noteDirected(to: site, next: 41)
    #expect(try ledger.sites().first?.directedWaiting == 10)
    expectFault("ledger.site_unknown") {
      _ = try ledger.appendDirected(to: SiteName(number: 9), kind: .command, body: [], at: at)
    }
    expectFault("ledger.refused") {
      _ = try ledger.appendDirected(
        to: site, kind: .command, body: Array(repeating: 0, count: SyncLimits.directedBodyBytesMax + 1), at: at)
    }
  }

  @Test("keeps artefacts by chunks, and asks again for what it lost (row 68)", arguments: Backend.allCases)
  func artefacts(backend: Backend) throws {
    let store = try TestStore(backend)
    var ledger = try store.open()
    try ledger.enrol(site)
    let bytes = (0..<(3 * SyncLimits.chunkBytes + 100)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 14) }
    let chunks = stride(from: 0, to: bytes.count, by: SyncLimits.chunkBytes).map {
      Array(bytes[$0..<min(bytes.count, $0 + SyncLimits.chunkBytes)])
    }
    let leaves = chunks.map(Merkle.leafHash)
    var tree = MerkleFrontier()
    for leaf in leaves { tree.append(leaf) }
    func manifest(_ digest: Digest) -> ArtefactManifest {
      ArtefactManifest(digest: digest, size: UInt64(bytes.count), root: tree.root, kind: 1)
    }
    func chunk(_ index: Int, _ digest: Digest) -> ArtefactChunk {
      ArtefactChunk(
        site: site, digest: digest, index: UInt32(index), bytes: chunks[index],
        proof: Merkle.inclusionProof(index: UInt64(index), size: UInt64(chunks.count)) { leaves[Int($0)] })
    }
    let digest = Sodium.blake2b256(bytes)
    #expect(try ledger.kept(digest) == nil && ledger.manifest(digest, with: site) == nil)
    expectFault("ledger.refused") { _ = try ledger.keep(chunk(0, digest)) }
    try ledger.admit(manifest(digest), with: site)
    #expect(try ledger.manifest(digest, with: site)?.digest == digest)
    #expect(try ledger.manifest(digest, with: SiteName(number: 2)) == nil)
    #expect(try ledger.keep(chunk(2, digest)).present == 1)
    // The service started again: what is there is known.
    if backend == .server { ledger = try store.open() }
    #expect(try ledger.kept(digest)?.contains(2) == true && ledger.kept(digest)?.contains(1) == false)
    var wrong = chunk(1, digest)
    wrong = ArtefactChunk(site: site, digest: digest, index: 0, bytes: wrong.bytes, proof: wrong.proof)
    expectFault("ledger.refused") { _ = try ledger.keep(wrong) }
    for index in [0, 1] { #expect(try !ledger.keep(chunk(index, digest)).isComplete) }
    #expect(try ledger.chunk(digest, 0) == nil && ledger.storedAt(digest) == nil)
    #expect(try ledger.keep(chunk(3, digest)).isComplete)
    #expect(try ledger.storedAt(digest) == store.clock.instant)
    let served = try #require(try ledger.chunk(digest, 3))
    #expect(served.bytes == chunks[3] && served.proof == chunk(3, digest).proof)
    // Chunks that all belong to the tree but are not the whole that was promised.
    let other = Digest.zero
    try ledger.admit(manifest(other), with: site)
    for index in 0..<3 { _ = try ledger.keep(chunk(index, other)) }
    #expect(try ledger.keep(chunk(3, other)).present == 0)
    #expect(try ledger.kept(other)?.present == 0 && ledger.storedAt(other) == nil)
    store.clock.advance(.seconds(60))
    #expect(try ledger.dropUploads(begunBefore: store.clock.instant) == 1)
    #expect(try ledger.kept(other) == nil && ledger.kept(digest)?.isComplete == true)
    try ledger.vouch(for: digest, signer: [1], message: [7])
    try ledger.vouch(for: digest, signer: [1], message: [7])
    #expect(try ledger.statements(about: digest).map(\.message) == [[7]])
    try ledger.noteUse(digest, by: site, slot: "model")
    #expect(try ledger.users(of: digest) == [site] && ledger.uses(by: site).map(\.slot) == ["model"])
    try ledger.noteUse(nil, by: site, slot: "model")
    #expect(try ledger.users(of: digest).isEmpty)
  }
}
