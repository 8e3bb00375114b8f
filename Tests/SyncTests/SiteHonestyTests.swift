import DeltaLog
import Provenance
import Sync
import Testing
import TwinCore

@Suite("A site that tells two stories is found out, and the others do not suffer")
struct SiteHonestyTests {
  private func settled(_ count: Int = 10, sites: Int = 1, isEnrolled: Bool = true) -> SimulatedNetwork {
    let network = SimulatedNetwork(seed: 2, sites: sites, isEnrolled: isEnrolled)
    network.run(seconds: 2)
    for number in 0..<count { network.append(.audit, [UInt8(number)]) }
    network.run(seconds: isEnrolled ? 3 : 40)
    return network
  }

  /// A batch over part of a log, as that log's site would make it.
  private func batch(_ log: MemoryLog, _ range: Range<Int>, stream: LogStream = .audit) -> Batch {
    let kept = log.streams[Int(stream.rawValue)]
    return Batch(
      log: LogName(site: log.site, epoch: log.epoch, stream: stream), first: UInt64(range.lowerBound),
      chainBefore: kept.points[range.lowerBound].chain, chainAfter: kept.points[range.upperBound].chain,
      root: kept.points[range.upperBound].frontier.root, entries: Array(kept.entries[range]),
      bodies: Array(kept.bodies[range]))
  }

  private func inject(_ batch: Batch, _ network: SimulatedNetwork, site: Int = 0) {
    let key = network.sites[site].key
    network.inject(.log(network.sites[site].name, batch.log.stream), key.seal(Batch.type, batch.payload))
    network.run(seconds: 0.3)
  }

  @Test("rows 24, 33: a second content of one entry bars the site and keeps both")
  func equivocation() throws {
    let network = settled()
    let first = network.stored(0, .audit)!.entries
    let copy = MemoryLog(site: .a, epoch: .test(1), boot: Array(repeating: 9, count: 16))
    for number in 0..<12 { copy.append(.audit, [UInt8(number)]) }
    inject(batch(copy, 4..<8), network)
    #expect(network.noticed(.equivocation).count == 1)
    #expect(network.ledger.sites[.a]?.standing != .active)
    #expect(network.stored(0, .audit)!.entries == first)
    let kept = try SignedEnvelope(network.ledger.evidence[0], max: 1 << 16)
    #expect(try Batch(payload: kept.payload).entries == Array(copy.streams[0].entries[4..<8]))
    // From then on nothing of the site is taken.
    network.append(.audit, [1])
    network.run(seconds: 5)
    #expect(network.next(0, .audit) == 10)
  }

  @Test("row 33: a copy that goes on where the original stands is found by its chain")
  func fork() {
    let network = settled()
    let copy = MemoryLog(site: .a, epoch: .test(1), boot: Array(repeating: 9, count: 16))
    for number in 0..<12 { copy.append(.audit, [UInt8(number)]) }
    inject(batch(copy, 10..<12), network)
    #expect(network.noticed(.fork).count == 1)
    #expect(network.next(0, .audit) == 10)
  }

  @Test("row 33: a birth with another history of the same length bars the site")
  func forkedBirth() {
    let network = settled()
    let copy = MemoryLog(site: .a, epoch: .test(1), boot: Array(repeating: 9, count: 16))
    for number in 0..<10 { copy.append(.audit, [UInt8(number)]) }
    let head = copy.head(.audit)
    let birth = Birth(
      site: .a, mark: .init(epoch: .test(1), session: 1, serial: 1),
      status: SiteStatus(boot: copy.boot, software: .zero),
      streams: [
        .init(stream: .audit, firstKept: 0, next: 10, chain: head.chain, root: head.root, resume: nil)
      ], directedNext: 0, intervalMs: 60_000, wallMs: 0, challenge: nil)
    network.inject(.birth(.a), network.sites[0].key.seal(Birth.type, birth.payload))
    #expect(network.noticed(.fork).count == 1)
    #expect(network.ledger.sites[.a]?.standing != .active)
  }

  @Test("a signed batch that contradicts itself is malformed, and leaves no trace")
  func selfContradiction() {
    let network = settled()
    let log = MemoryLog(site: .a, epoch: .test(1), boot: Array(repeating: 9, count: 16))
    for number in 0..<4 { log.append(.audit, [UInt8(number)]) }
    let good = batch(log, 0..<4)
    for (chain, entries, bodies) in [
      (Digest.zero, good.entries, good.bodies),
      (good.chainAfter, Array(good.entries.reversed()), good.bodies),
      (good.chainAfter, good.entries, Array(good.bodies.reversed())),
    ] {
      inject(
        Batch(
          log: good.log, first: 0, chainBefore: .zero, chainAfter: chain, root: good.root, entries: entries,
          bodies: bodies), network)
    }
    #expect(network.noticed(.malformed).count == 3)
    #expect(network.ledger.sites[.a]?.standing == .active && network.ledger.evidence.isEmpty)
  }

  @Test("row 25: a new epoch that follows no closed one waits for an operator; the old head stays")
  func rewrittenEpoch() {
    let network = settled()
    let (old, oldName) = (network.stored(0, .audit)!.stored, network.name(0, .audit))
    network.sites[0].log.newEpoch(.test(77))
    network.sites[0].status.previousEpoch = .test(1)
    network.kill(site: 0, forSeconds: 1)
    network.run(seconds: 2)
    network.append(.audit, [1])
    network.run(seconds: 90)
    #expect(network.ledger.sites[.a]?.epoch(.test(77))?.standing == .awaitingApproval)
    #expect(!network.noticed(.epochPending).isEmpty)
    #expect(network.next(0, .audit) == 0)
    #expect(network.ledger.logs[oldName]?.stored == old)
    // An operator closes the old one and opens the new.
    network.ledger.sites[.a]?.epochs = [
      SiteEpoch(epoch: .test(1), standing: .closed, previous: nil),
      SiteEpoch(epoch: .test(77), standing: .open, previous: .test(1)),
    ]
    #expect(network.runUntilConverged(seconds: 200))
    #expect(network.ledger.logs[oldName]?.stored == old)
  }

  @Test("a site's first epoch opens by a birth that answers a challenge, not by a recorded one")
  func firstEpoch() {
    let network = settled(isEnrolled: false)
    #expect(network.ledger.sites[.a]?.epochs.map(\.standing) == [.open])
    #expect(network.workers[0].peer.counters.rebirths >= 1)
    #expect(network.runUntilConverged(seconds: 60))
  }

  @Test("row 34: a restored disk is told from an old message, closes its epoch and goes on in a new one")
  func restored() {
    let network = settled(6)
    let site = network.sites[0]
    let image = site.log.copy()
    for number in 0..<6 { network.append(.audit, [UInt8(100 + number)]) }
    network.run(seconds: 3)
    let old = network.stored(0, .audit)!.stored
    let oldName = network.name(0, .audit)
    site.log = image
    network.kill(site: 0, forSeconds: 1)
    network.run(seconds: 2)
    for number in 0..<3 { network.append(.audit, [UInt8(200 + number)]) }
    network.run(seconds: 120)
    #expect(network.noticed(.restored).count == 1)
    #expect(site.log.epoch != .test(1))
    #expect(network.ledger.sites[.a]?.epoch(.test(1))?.standing == .closed)
    #expect(network.ledger.sites[.a]?.openEpoch?.epoch == site.log.epoch)
    #expect(network.ledger.logs[oldName]?.stored.head == old.head)
    #expect(network.noticed(.equivocation).isEmpty)
    network.append(.audit, [1])
    #expect(network.runUntilConverged(seconds: 60))
  }

  @Test("row 34: an old birth alone closes nothing")
  func oldBirth() {
    var births: [[UInt8]] = []
    let network = SimulatedNetwork(seed: 2)
    network.tapUp = { topic, payload in
      if case .birth = topic { births.append(payload) }
      return true
    }
    network.run(seconds: 2)
    for number in 0..<9 { network.append(.audit, [UInt8(number)]) }
    network.run(seconds: 2)
    for _ in 0..<20 {
      for birth in births { network.inject(.birth(.a), birth) }
      network.run(seconds: 20)
    }
    #expect(network.noticed(.restored).isEmpty)
    #expect(network.ledger.sites[.a]?.openEpoch?.epoch == .test(1))
    #expect(network.sites[0].log.epoch == .test(1))
  }

  @Test("a hole at the beginning is declared on both sides, and the log goes on behind it")
  func declaredGap() {
    let network = settled(5)
    network.tapUp = { _, _ in false }
    for number in 0..<10 { network.append(.control, [UInt8(number)]) }
    network.sites[0].log.drop(.control, below: 6)
    network.disconnect(site: 0, forSeconds: 1)
    network.tapUp = nil
    #expect(network.runUntilConverged(seconds: 60))
    #expect(network.sites[0].log.gaps.map(\.1) == [0..<6])
    #expect(network.ledger.gaps.count == 1 && network.ledger.gaps[0].from == 0)
    #expect(network.noticed(.gap).count == 1 && network.sites[0].standing.contains(.gap))
    let stored = network.stored(0, .control)!
    #expect(stored.stored.head.root == network.sites[0].log.head(.control).root)
    #expect(stored.entries.filter { $0 == nil }.count == 6)
  }

  @Test("row 30: a flood costs its site the credit, and the others nothing")
  func flood() {
    let network = settled(3, sites: 2)
    let flooder = network.sites[0]
    let junk = [UInt8](repeating: 1, count: 60_000)
    var acks: [Ack] = []
    network.tapDown = { topic, payload in
      if case .ack(.a, _) = topic, let envelope = try? SignedEnvelope(payload, max: 1 << 16),
        let ack = try? Ack(payload: envelope.payload)
      {
        acks.append(ack)
      }
      return true
    }
    for _ in 0..<1000 { network.inject(.log(.a, .features), flooder.key.seal(Batch.type, junk)) }
    #expect(network.noticed(.flood).count == 1)
    #expect(acks.last?.creditBytes == 0)
    #expect(network.workers[0].peer.counters.flooded > 500)
    network.append(.audit, [1], site: 1)
    network.run(seconds: 0.3)
    #expect(network.next(1, .audit) == 1)
    // The flood is over: the credit begins anew.
    network.run(seconds: 15)
    #expect(acks.last?.creditBytes == UInt32(SyncLimits.creditBytesStart))
    network.append(.audit, [1])
    #expect(network.runUntilConverged(seconds: 120))
  }

  @Test("row 67: a batch of a later release is held, not lost, and the rest goes on")
  func laterRelease() throws {
    let network = settled()
    let key = network.sites[0].key
    let later = key.seal("application/vnd.twind.batch.v2+cbor", [0xA1, 0x00, 0x01])
    for _ in 0..<3 { network.inject(.log(.a, .features), later) }
    guard case .map(var entries) = try CBORItem.decode(batch(network.sites[0].log.copy(), 0..<2).payload) else {
      return
    }
    entries[9].value = .unsigned(1)
    let packed = key.seal(Batch.type, CBORItem.map(entries).encoded)
    network.inject(.log(.a, .features), packed)
    #expect(network.ledger.held.map(\.envelope) == [later, packed])
    #expect(network.noticed(.held).count == 4)
    // Unsigned, it is nothing.
    network.inject(.log(.a, .features), KeyBox(66).seal("application/vnd.twind.batch.v2+cbor", [0xA0]))
    #expect(network.ledger.held.count == 2)
    network.append(.audit, [1])
    #expect(network.runUntilConverged(seconds: 10))
  }

  @Test("a revoked site is refused, an expired key with it")
  func revoked() {
    let network = settled()
    network.ledger.sites[.a]?.standing = .revoked
    network.append(.audit, [1])
    network.run(seconds: 20)
    #expect(network.next(0, .audit) == 10)
    network.ledger.sites[.a]?.standing = .active
    let old = network.ledger.sites[.a]!.keys[0]
    network.ledger.sites[.a]?.keys = [
      SiteKey(keyEpoch: 1, signing: KeyBox(66).publicKey, sealing: []),
      SiteKey(keyEpoch: 0, signing: old.signing, sealing: [], validUntil: network.wall),
    ]
    network.run(seconds: 100)
    #expect(network.next(0, .audit) == 10)
  }
}
