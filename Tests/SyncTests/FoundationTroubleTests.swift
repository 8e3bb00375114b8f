import DeltaLog
import Provenance
import Sync
import Testing
import TwinCore

@Suite("Whatever becomes of the foundation, a site loses nothing and believes no impostor")
struct FoundationTroubleTests {
  private func settled(_ network: SimulatedNetwork = SimulatedNetwork(seed: 3), _ count: Int = 10) -> SimulatedNetwork {
    network.run(seconds: 2)
    for number in 0..<count { network.append(.audit, [UInt8(number)]) }
    network.run(seconds: 3)
    return network
  }

  @Test("row 42: the ingest key alone frees no body where a witness must have cosigned")
  func stolenIngestKey() {
    let network = settled()
    let (site, witness) = (network.sites[0], KeyBox(50))
    site.peer.trust.cosigners = [.init(name: "w1", key: witness.publicKey)]
    let head = site.log.head(.audit)
    let checkpoint = Checkpoint(origin: network.name(0, .audit).description, size: 10, root: head.root)
    func offer(_ receipt: String?, safe: UInt64 = 10, next: UInt64 = 10) {
      let ack = Ack(
        log: network.name(0, .audit), next: next, safe: safe, chainAtNext: site.log.streams[0].points[Int(next)].chain,
        creditBytes: 65536, term: 1, at: .max, receipt: receipt)
      network.inject(.ack(.a, .audit), network.ingest.seal(Ack.type, ack.payload), site: 0)
    }
    offer(nil)
    offer(network.ingest.cosign("f1")(site.key.sign(checkpoint), 5))
    offer(network.ingest.cosign("w1")(site.key.sign(checkpoint), 5))
    offer(witness.cosign("w1")(site.key.sign(Checkpoint(origin: checkpoint.origin, size: 9, root: checkpoint.root)), 5))
    offer(witness.cosign("w1")(site.key.sign(Checkpoint(origin: checkpoint.origin, size: 10, root: .zero)), 5))
    offer(
      witness.cosign("w1")(
        site.key.sign(Checkpoint(origin: "twind/acme.b/audit/00", size: 10, root: checkpoint.root)), 5))
    #expect(site.log.head(.audit).safe == 0)
    #expect(site.standing.contains(.receiptRefused))
    offer(witness.cosign("w1")(site.key.sign(checkpoint), 5))
    #expect(site.log.head(.audit).safe == 10)
    #expect(!site.standing.contains(.receiptRefused))
  }

  @Test("row 42: a body stays until the receipt over it comes, and goes then")
  func receipt() {
    let network = settled()
    #expect(network.sites[0].log.head(.audit).safe == 0)
    network.run(seconds: 70)
    #expect(network.sites[0].log.head(.audit).safe == 10)
    #expect(network.sites[0].log.receipts.count >= 1)
  }

  @Test("row 51: of two foundations, the one with the lower term is not heard")
  func lowerTerm() {
    let network = settled()
    let site = network.sites[0]
    network.ledger.term = 5
    network.append(.audit, [1])
    network.run(seconds: 2)
    #expect(site.log.streams[0].received == 11)
    network.tapUp = { topic, _ in if case .log = topic { false } else { true } }
    network.append(.audit, [2])
    let ack = Ack(
      log: network.name(0, .audit), next: 12, safe: 0, chainAtNext: site.log.head(.audit).chain, creditBytes: 65536,
      term: 4, at: .max, receipt: nil)
    network.inject(.ack(.a, .audit), network.ingest.seal(Ack.type, ack.payload), site: 0)
    #expect(site.log.streams[0].received == 11)
  }

  @Test("row 51: a worker whose lease is lost stops at once and acknowledges nothing")
  func leaseLost() {
    let network = settled()
    network.ledger.faults = [LedgerFault(.leaseLost, "term 1 is over", remedy: "stop")]
    let acks = network.workers[0].peer.counters.acks
    network.append(.audit, [1])
    network.run(seconds: 5)
    #expect(network.workers[0].isStopped)
    #expect(network.workers[0].peer.counters.acks == acks)
  }

  @Test("row 53: a step of the wall clock changes nothing that is sent or believed")
  func clockStep() {
    let network = settled()
    let site = network.sites[0]
    for offset in [-1_500_000_000_000_000_000, 86_400_000_000_000 * 3650] as [Int64] {
      let batches = site.peer.counters.batches
      let actions = site.peer.handle(.tick, now: network.now, wall: network.wall.advanced(byNanoseconds: offset))
      #expect(!actions.contains { if case .publish = $0 { true } else { false } })
      #expect(site.peer.counters.batches == batches)
    }
    network.append(.audit, [1])
    #expect(network.runUntilConverged(seconds: 5))
  }

  @Test("row 62: a worker that dies between commit and ack is not missed")
  func diesBeforeAck() {
    let network = settled()
    network.tapDown = { topic, _ in if case .ack = topic { false } else { true } }
    network.append(.audit, [1])
    network.run(seconds: 0.3)
    #expect(network.next(0, .audit) == 11)
    network.kill(worker: 0, forSeconds: 1)
    network.tapDown = nil
    network.run(seconds: 10)
    #expect(network.sites[0].log.streams[0].received == 11)
    #expect(network.workers[0].peer.counters.duplicates >= 1)
    network.expectEqualLogs()
  }

  @Test("row 63: after a fail-over that lost commits, the site sends them again")
  func failOver() {
    let network = SimulatedNetwork(seed: 3)
    network.ledger.replicatesAtOnce = false
    _ = settled(network)
    network.ledger.replicate()
    for number in 0..<10 { network.append(.audit, [UInt8(50 + number)]) }
    network.run(seconds: 3)
    #expect(network.sites[0].log.streams[0].received == 20)
    network.ledger.failOver()
    #expect(network.next(0, .audit) == 10)
    network.append(.audit, [99])
    #expect(network.runUntilConverged(seconds: 90))
    network.expectEqualLogs()
    #expect(network.sites[0].standing.isDisjoint(with: [.fork, .foundationLost, .gap]))
  }

  @Test("row 63: the same, when the site has nothing more to say")
  func failOverWhileIdle() {
    let network = SimulatedNetwork(seed: 3)
    network.ledger.replicatesAtOnce = false
    _ = settled(network)
    network.ledger.failOver()
    #expect(network.next(0, .audit) == 0)
    #expect(network.runUntilConverged(seconds: 130))
    network.expectEqualLogs()
  }

  @Test("row 65: eight workers instead of one, and one again, in the middle of a drain")
  func scaled() {
    let network = SimulatedNetwork(seed: 3, workers: 8)
    for worker in 1..<8 { network.workers[worker].isConnected = false }
    network.faults.jitterNs = 200_000_000
    for number in 0..<300 { network.sites[0].log.append(.features, Array(repeating: UInt8(number % 251), count: 2000)) }
    for worker in 1..<8 { network.schedule(.connectWorker(worker), after: 3_000_000_000) }
    for worker in 1..<8 {
      network.schedule(.script { network.kill(worker: worker, forSeconds: 1000) }, after: 6_000_000_000)
    }
    #expect(network.runUntilConverged(seconds: 600))
    network.expectEqualLogs()
    #expect(network.sites[0].peer.counters.repeats <= network.sites[0].peer.counters.batches)
  }

  @Test("row 61: what the store did not write is not acknowledged, and comes later")
  func storeFails() {
    let network = settled()
    network.ledger.faults = (0..<3).map { _ in LedgerFault(.full, "no space", remedy: "free some") }
    network.append(.audit, [1])
    network.run(seconds: 0.5)
    #expect(network.sites[0].log.streams[0].received == 10)
    #expect(network.noticed(.storage).count == 1)
    #expect(network.runUntilConverged(seconds: 60))
  }

  @Test("the broker's answers tell of missing workers and of refused topics, and are no acknowledgement")
  func brokerAnswers() {
    let network = settled()
    let site = network.sites[0]
    network.kill(worker: 0, forSeconds: 30)
    network.append(.audit, [1])
    network.run(seconds: 5)
    #expect(site.standing.contains(.noWorker))
    #expect(site.log.streams[0].received == 10)
    #expect(network.runUntilConverged(seconds: 120))
    network.run(seconds: 1)
    #expect(!site.standing.contains(.noWorker))
    network.step(site: 0, .published(id: 3, reason: 0x87))
    #expect(site.standing.contains(.accessRefused))
  }

  @Test("directed entries are installed in order, each once, over loss and restarts")
  func directed() throws {
    let network = settled()
    let site = network.sites[0]
    site.directedRefusals = 30
    network.faults = .init(drop: 25, duplicate: 20, flip: 0, truncate: 0, jitterNs: 500_000_000)
    for number in 0..<30 {
      _ = try network.ledger.appendDirected(to: .a, kind: .rolloutState, body: [UInt8(number)], at: network.wall)
      network.step(worker: 0, .directedAppended(.a))
      if number == 10 { network.kill(site: 0, forSeconds: 2) }
      network.run(seconds: 3)
    }
    network.run(seconds: 600)
    #expect(site.directed.map(\.body) == (0..<30).map { [UInt8($0)] })
    #expect(network.ledger.directedNext[.a] == 30)
  }

  @Test("a directed entry that the foundation did not sign is not handed over")
  func forgedDirected() {
    let network = settled()
    let entry = DirectedEntry(site: .a, sequence: 0, kind: .rolloutState, body: [1], at: 0)
    network.inject(.directed(.a), KeyBox(66).seal(DirectedEntry.type, entry.payload), site: 0)
    let other = DirectedEntry(site: .b, sequence: 0, kind: .rolloutState, body: [1], at: 0)
    network.inject(.directed(.a), network.ingest.seal(DirectedEntry.type, other.payload), site: 0)
    network.run(seconds: 1)
    #expect(network.sites[0].directed.isEmpty)
    network.inject(.directed(.a), network.ingest.seal(DirectedEntry.type, entry.payload), site: 0)
    network.run(seconds: 1)
    #expect(network.sites[0].directed == [entry])
  }

  @Test("a log that cannot be read stops its sending, raises an alarm and goes on later")
  func unreadableLog() {
    let network = settled()
    network.sites[0].log.fault = DeltaLogFault(.io, "a bad sector")
    network.append(.audit, [1])
    network.run(seconds: 20)
    #expect(network.sites[0].standing.contains(.logUnreadable))
    // A birth that needs the log waits as well, without spinning.
    network.disconnect(site: 0, forSeconds: 1)
    network.run(seconds: 10)
    network.sites[0].log.fault = nil
    #expect(network.runUntilConverged(seconds: 60))
    network.run(seconds: 10)
    #expect(!network.sites[0].standing.contains(.logUnreadable))
  }

  @Test("a body that fits no packet goes up without it, and what is behind it is not blocked")
  func tooLarge() {
    let network = settled()
    network.append(.audit, [UInt8](repeating: 1, count: 70_000))
    network.append(.audit, [2])
    #expect(network.runUntilConverged(seconds: 20))
    #expect(network.sites[0].standing.contains(.bodyWithheld))
    #expect(network.stored(0, .audit)!.bodies[10] == nil && network.stored(0, .audit)!.bodies[11] == [2])
  }
}
