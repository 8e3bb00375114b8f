import DeltaLog
import Provenance
import Sodium
import Sync
import Testing
import TwinCore

/// The keys of a fleet and what they sign about the foundation's log.
private struct SigningFleet {
  let keys: [TrustRole: KeyBox]
  var root: RootMetadata
  private(set) var rootBytes: [UInt8]
  private var version: UInt64 = 0

  init() throws {
    var keys: [TrustRole: KeyBox] = [:]
    for (index, role) in OperatorKeys.roles.enumerated() { keys[role] = KeyBox(200 + UInt8(index)) }
    self.keys = keys
    root = try RootMetadata(
      header: DocumentHeader(fleet: "acme", version: 1, expires: Self.end),
      keys: keys.map { TrustKey($0.key, $0.value.publicKey) },
      thresholds: Dictionary(uniqueKeysWithValues: keys.keys.map { ($0, 1) }))
    rootBytes = root.sealed(by: keys[.root]!.secret)
  }

  static let end = Instant(nanoseconds: 1_900_000_000_000_000_000)

  func store() throws -> TrustStore {
    let payload = try RootMetadata.envelope(rootBytes).payload
    return try TrustStore(
      root: rootBytes, fingerprint: RootMetadata.fingerprint(payload: payload), build: SimulatedNetwork.start,
      enrolledAt: SimulatedNetwork.start)
  }

  /// A timestamp that says where the log of these leaves stands.
  mutating func bundle(_ leaves: [[UInt8]], at now: Instant, roots: [[UInt8]] = []) throws -> [UInt8] {
    version += 1
    let header = DocumentHeader(fleet: "acme", version: version, expires: Self.end)
    let snapshot = try SnapshotMetadata(header: header, listings: [], revocations: RevocationList())
      .sealed(by: keys[.snapshot]!.secret)
    let checkpoint = FoundationCheckpoint(
      origin: Checkpoint.origin(fleet: "acme"), size: UInt64(leaves.count), root: MemoryLedger.root(leaves))
    let timestamp = try TimestampMetadata(
      header: header, snapshot: snapshot, version: version, time: now, checkpoint: checkpoint
    ).sealed(by: keys[.timestamp]!.secret)
    return TrustBundle(roots: roots, timestamp: timestamp, snapshot: snapshot).bytes
  }

  /// The next root, by which the log goes on with these leaves.
  mutating func restart(_ leaves: [[UInt8]]) throws -> [UInt8] {
    let change = RootChange(
      expires: Self.end,
      logRestart: LogRestart(number: 1, size: UInt64(leaves.count), root: MemoryLedger.root(leaves)))
    root = try root.successor(change)
    rootBytes = root.sealed(by: keys[.root]!.secret)
    return rootBytes
  }
}

@Suite("A foundation cannot have two logs without a site that notices")
struct SplitViewTests {
  private static func leaves(_ count: Int, _ salt: UInt8 = 0) -> [[UInt8]] { (0..<count).map { [UInt8($0), salt] } }

  private static func network(seed: UInt64, sites: Int = 2) throws -> (SimulatedNetwork, SigningFleet) {
    let (network, fleet) = (SimulatedNetwork(seed: seed, sites: sites, workers: 2), try SigningFleet())
    for site in network.sites { site.store = try fleet.store() }
    network.ledger.leaves = leaves(8)
    network.run(seconds: 5)
    return (network, fleet)
  }

  /// Every site still tells all it has.
  private static func expectRunning(_ network: SimulatedNetwork) {
    for index in network.sites.indices { network.append(.audit, [1], site: index) }
    #expect(network.runUntilConverged(seconds: 120))
    network.expectEqualLogs()
  }

  @Test(
    "row 21: two sites that were shown two logs: the proof fails for one, which freezes and runs on", arguments: 1...5)
  func splitView(seed: UInt64) throws {
    var (network, fleet) = try Self.network(seed: seed)
    network.faults = .init(drop: 10, duplicate: 10, jitterNs: 200_000_000)
    let forked = Self.leaves(5) + Self.leaves(3, 9)
    network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(8), at: network.wall), site: 0)
    network.inject(.metadata(.timestamp), try fleet.bundle(forked, at: network.wall), site: 1)
    #expect(network.sites.allSatisfy { $0.store?.checkpoint?.size == 8 })
    network.ledger.leaves = Self.leaves(13)
    let next = try fleet.bundle(network.ledger.leaves, at: network.wall)
    for index in 0..<2 { network.inject(.metadata(.timestamp), next, site: index) }
    // Neither has the proof yet; each asks for its own.
    #expect(network.sites.allSatisfy { $0.store?.checkpoint?.size == 8 && $0.store?.frozen == nil })
    network.run(seconds: 400)
    #expect(network.sites[0].store?.checkpoint?.size == 13 && network.sites[0].store?.frozen == nil, "seed \(seed)")
    #expect(network.sites[1].store?.checkpoint?.size == 8 && network.sites[1].store?.frozen != nil, "seed \(seed)")
    // It takes in nothing more, whatever is proven.
    network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(13), at: network.wall), site: 1)
    network.run(seconds: 60)
    #expect(network.sites[1].store?.timestamp?.version == 2)
    network.faults = .init()
    Self.expectRunning(network)
  }

  @Test("row 21: the next birth of a site that was shown another log tells the foundation")
  func gossip() throws {
    var (network, fleet) = try Self.network(seed: 1)
    network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(8), at: network.wall), site: 0)
    network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(9, 4), at: network.wall), site: 1)
    for index in 0..<2 { network.disconnect(site: index, forSeconds: 1) }
    network.run(seconds: 10)
    #expect(network.noticed(.split).allSatisfy { $0.site == .b && $0.evidence != nil })
    #expect(!network.noticed(.split).isEmpty)
  }

  @Test("row 21: an answer to an older question, or nobody's, freezes nothing")
  func recordedAnswer() throws {
    var (network, fleet) = try Self.network(seed: 1, sites: 1)
    network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(8), at: network.wall), site: 0)
    network.ledger.leaves = Self.leaves(13)
    let sizes = LogSpan(from: 8, to: 13)!
    let wrong = ConsistencyAnswer(site: .a, sizes: sizes, nonce: 1, proof: [.zero])
    network.inject(.command(.a), network.ingest.seal(ConsistencyAnswer.type, wrong.payload), site: 0)
    network.inject(.metadata(.timestamp), try fleet.bundle(network.ledger.leaves, at: network.wall), site: 0)
    network.inject(.command(.a), network.ingest.seal(ConsistencyAnswer.type, wrong.payload), site: 0)
    network.inject(.command(.a), KeyBox(66).seal(ConsistencyAnswer.type, wrong.payload), site: 0)
    #expect(network.sites[0].store?.frozen == nil)
    network.run(seconds: 60)
    #expect(network.sites[0].store?.checkpoint?.size == 13)
  }

  @Test("row 45: a foundation whose log went back is not followed until its root keys say where the log goes on")
  func rewound() throws {
    var (network, fleet) = try Self.network(seed: 2)
    network.ledger.leaves = Self.leaves(12)
    for index in 0..<2 {
      network.inject(.metadata(.timestamp), try fleet.bundle(Self.leaves(12), at: network.wall), site: index)
    }
    // A backup was restored: the newest leaves are gone, and others come in their place.
    network.ledger.leaves = Self.leaves(6)
    let short = try fleet.bundle(network.ledger.leaves, at: network.wall)
    for index in 0..<2 { network.inject(.metadata(.timestamp), short, site: index) }
    #expect(network.sites.allSatisfy { $0.store?.frozen != nil && $0.store?.checkpoint?.size == 12 })
    network.disconnect(site: 0, forSeconds: 1)
    network.run(seconds: 10)
    #expect(network.noticed(.split).contains { $0.site == .a })
    Self.expectRunning(network)
    let root = try fleet.restart(network.ledger.leaves)
    network.ledger.leaves += Self.leaves(4, 7)
    let restarted = try fleet.bundle(network.ledger.leaves, at: network.wall, roots: [root])
    for index in 0..<2 { network.inject(.metadata(.timestamp), restarted, site: index) }
    network.run(seconds: 60)
    #expect(network.sites.allSatisfy { $0.store?.frozen == nil && $0.store?.checkpoint?.size == 10 })
    Self.expectRunning(network)
  }
}

@Suite("Heads that the site signed come back cosigned")
struct SignedHeadTests {
  @Test("row 35: a receipt has the site's signature beside the foundation's")
  func receipts() throws {
    let network = SimulatedNetwork(seed: 1)
    network.run(seconds: 2)
    for number in 0..<10 { network.append(.audit, [UInt8(number)]) }
    network.run(seconds: 70)
    let note = try SignedNote(parse: #require(network.stored(0, .audit)?.checkpoints.last?.note))
    let origin = network.name(0, .audit).description
    try note.verify(name: origin, key: network.sites[0].key.publicKey)
    try Checkpoint.verifyCosignature(of: note.encode(), name: "f1", key: network.ingest.publicKey)
    #expect(network.sites[0].log.streams[0].safe == 10)
  }

  @Test("row 25: a head of another history than the stored one bars the site, with the head as evidence")
  func rewritten() {
    let network = SimulatedNetwork(seed: 1)
    network.run(seconds: 2)
    network.append(.audit, [1])
    network.run(seconds: 2)
    let site = network.sites[0]
    beat(network, head: Checkpoint(origin: network.name(0, .audit).description, size: 1, root: .zero), by: site.key)
    #expect(network.ledger.sites[.a]?.standing != .active)
    #expect(network.noticed(.fork).last?.evidence != nil)
  }

  @Test("row 42: a head that another key signed, or of another log, is not cosigned")
  func foreign() {
    let network = SimulatedNetwork(seed: 1, sites: 2)
    network.run(seconds: 2)
    network.append(.audit, [1])
    network.run(seconds: 2)
    let root = network.sites[0].log.head(.audit).root
    let own = Checkpoint(origin: network.name(0, .audit).description, size: 1, root: root)
    beat(network, head: own, by: KeyBox(66))
    beat(network, head: Checkpoint(origin: network.name(1, .audit).description, size: 1, root: root), by: nil)
    beat(network, head: Checkpoint(origin: own.origin, size: 2, root: root), by: nil)
    #expect(network.stored(0, .audit)?.checkpoints.isEmpty == true)
    #expect(network.ledger.sites[.a]?.standing == .active)
    beat(network, head: own, by: nil)
    #expect(network.stored(0, .audit)?.checkpoints.count == 1)
  }

  @Test("a thousand entries are signed without waiting for the beat")
  func hurried() {
    let network = SimulatedNetwork(seed: 1)
    network.run(seconds: 2)
    for number in 0..<1100 { network.append(.audit, [UInt8(truncatingIfNeeded: number)]) }
    network.run(seconds: 15)
    #expect((network.stored(0, .audit)?.stored.safe ?? 0) >= 1024)
  }

  /// A heartbeat of site a with this head, signed by the site itself.
  private func beat(_ network: SimulatedNetwork, head: Checkpoint, by key: KeyBox?) {
    let site = network.sites[0]
    site.session += 1
    let heartbeat = Heartbeat(
      site: site.name, mark: .init(epoch: site.log.epoch, session: site.session, serial: 0),
      boot: site.status.boot, progress: LogStream.allCases.map { _ in .init(next: 1, sent: 0, acked: 0, safe: 0) },
      mode: 0, isClockTrusted: true, directedNext: 0, intervalMs: 60_000, wallMs: 0,
      heads: [(key ?? site.key).sign(head)])
    network.inject(.heartbeat(.a), site.key.seal(Heartbeat.type, heartbeat.payload))
  }
}

@Suite("Orders wait for their site")
struct WaitingOrderTests {
  @Test("an order to a site that is away comes when it is back, at whichever worker")
  func away() throws {
    let network = SimulatedNetwork(seed: 4, workers: 3)
    network.run(seconds: 5)
    network.disconnect(site: 0, forSeconds: 600)
    let order = KeyOrder(keyEpoch: 0)
    _ = try network.ledger.appendDirected(to: .a, kind: .keysOrdered, body: order.body, at: network.wall)
    network.step(worker: 0, .directedAppended(.a))
    network.run(seconds: 500)
    #expect(network.sites[0].directed.isEmpty)
    for worker in 0..<3 { network.kill(worker: worker, forSeconds: 1) }
    network.run(seconds: 110)
    #expect(network.sites[0].directed.map(\.kind) == [.keysOrdered])
    #expect(network.sites[0].directed.first.map { try? KeyOrder(body: $0.body) } == order)
    network.run(seconds: 300)
    #expect(network.sites[0].directed.count == 1)
  }

  @Test("a worker that has not heard the site hands an entry out at once")
  func unheard() throws {
    let network = SimulatedNetwork(seed: 4)
    network.run(seconds: 5)
    for number in 0..<3 {
      _ = try network.ledger.appendDirected(to: .a, kind: .rolloutState, body: [UInt8(number)], at: network.wall)
      network.step(worker: 0, .directedAppended(.a))
      network.run(seconds: 2)
      // What the site said of it is known to the store alone.
      network.kill(worker: 0, forSeconds: 0.1)
      network.run(seconds: 1)
      #expect(network.sites[0].directed.count == number + 1)
    }
  }
}
