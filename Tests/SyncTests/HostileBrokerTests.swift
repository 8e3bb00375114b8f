import Provenance
import Sync
import Testing
import TwinCore

@Suite("A hostile broker can delay, and nothing else")
struct HostileBrokerTests {
  /// One site whose first entries are stored.
  private func settled(workers: Int = 1) -> SimulatedNetwork {
    let network = SimulatedNetwork(seed: 1, workers: workers)
    network.run(seconds: 2)
    for number in 0..<10 { network.append(.audit, Array(repeating: UInt8(number), count: 50)) }
    network.run(seconds: 2)
    #expect(network.next(0, .audit) == 10)
    return network
  }

  private func ack(_ network: SimulatedNetwork, _ change: (Ack) -> Ack) -> [UInt8] {
    let log = network.name(0, .audit)
    let own = network.sites[0].log.streams[0].points
    let honest = Ack(
      log: log, next: UInt64(own.count - 1), safe: 0, chainAtNext: own.last!.chain, creditBytes: 65536, term: 1,
      at: network.wall.nanoseconds / 1_000_000, receipt: nil)
    return change(honest).payload
  }

  @Test("row 3: a recorded batch is acknowledged again and applied no second time")
  func replay() {
    var recorded: [[UInt8]] = []
    let network = SimulatedNetwork(seed: 1)
    network.tapUp = { topic, payload in
      if case .log = topic { recorded.append(payload) }
      return true
    }
    network.run(seconds: 2)
    for number in 0..<5 { network.append(.audit, [UInt8(number)]) }
    network.run(seconds: 2)
    let (stored, acks) = (network.stored(0, .audit)!.entries, network.workers[0].peer.counters.acks)
    for payload in recorded { network.inject(.log(.a, .audit), payload) }
    network.run(seconds: 2)
    #expect(network.stored(0, .audit)!.entries == stored)
    #expect(network.workers[0].peer.counters.duplicates == UInt64(recorded.count))
    #expect(network.workers[0].peer.counters.acks > acks)
    #expect(network.ledger.sites[.a]?.standing == .active)
  }

  @Test("row 4: batches in any order are applied in the one they have")
  func reordered() {
    var parked: [[UInt8]] = []
    var isParking = true
    let network = SimulatedNetwork(seed: 1)
    network.tapUp = { topic, payload in
      guard case .log = topic, isParking else { return true }
      parked.append(payload)
      return false
    }
    network.run(seconds: 2)
    for number in 0..<8 { network.append(.audit, [UInt8(number)]) }
    isParking = false
    #expect(parked.count == 8)
    for payload in parked.reversed() { network.inject(.log(.a, .audit), payload) }
    network.run(seconds: 0.4)
    #expect(network.next(0, .audit) == 8)
    #expect(network.workers[0].peer.counters.appended == 8)
    network.expectEqualLogs()
  }

  @Test("row 4: what is staged for a hole is bounded")
  func stagingIsBounded() {
    var parked: [[UInt8]] = []
    let network = SimulatedNetwork(seed: 1)
    network.tapUp = { topic, payload in
      guard case .log = topic else { return true }
      parked.append(payload)
      return false
    }
    network.run(seconds: 2)
    for number in 0..<200 {
      network.append(.audit, [UInt8(number)])
      // Lets the window go on though nothing is heard.
      let entries = network.sites[0].log.streams[0].points
      let ack = Ack(
        log: network.name(0, .audit), next: UInt64(number + 1), safe: 0, chainAtNext: entries[number + 1].chain,
        creditBytes: 1 << 20, term: 1, at: Int64(number), receipt: nil)
      network.inject(.ack(.a, .audit), network.ingest.seal(Ack.type, ack.payload), site: 0)
    }
    #expect(parked.count == 200)
    for payload in parked.dropFirst() { network.inject(.log(.a, .audit), payload) }
    let staged = network.workers[0].peer.stagedBatches
    #expect(staged > 0 && staged <= SyncLimits.stagedBatchesMax)
    network.inject(.log(.a, .audit), parked[0])
    network.run(seconds: 0.3)
    #expect(network.next(0, .audit) >= 2)
  }

  @Test("row 5: with every third batch and every second ack lost, all arrives")
  func lossy() {
    var (up, down) = (0, 0)
    let network = SimulatedNetwork(seed: 5)
    network.tapUp = { topic, _ in
      guard case .log = topic else { return true }
      up += 1
      return up % 3 != 0
    }
    network.tapDown = { _, _ in
      down += 1
      return down % 2 != 0
    }
    network.run(seconds: 5)
    for number in 0..<60 { network.append(number % 2 == 0 ? .audit : .features, [UInt8(number)]) }
    #expect(network.runUntilConverged(seconds: 600))
    network.expectEqualLogs()
    #expect(network.sites[0].peer.counters.batches < 400)
  }

  @Test("row 5: without any ack, repetitions become rare")
  func noAcks() {
    let network = settled()
    network.tapDown = { _, _ in false }
    network.append(.audit, [1])
    let before = network.sites[0].peer.counters.batches
    network.run(seconds: 600)
    // 0.5 s doubling to 60 s: seven doublings in the first minute, one a minute then.
    #expect((8...20).contains(network.sites[0].peer.counters.batches - before))
    #expect(network.sites[0].standing.contains(.ackAge))
    network.tapDown = nil
    network.run(seconds: 130)
    #expect(!network.sites[0].standing.contains(.ackAge))
  }

  @Test("rows 8, 9: one changed or missing byte anywhere, and nothing of the message is used")
  func damaged() {
    var recorded: [UInt8] = []
    let network = SimulatedNetwork(seed: 1)
    network.tapUp = { topic, payload in
      guard case .log = topic else { return true }
      recorded = payload
      return false
    }
    network.run(seconds: 2)
    network.append(.audit, [1, 2, 3])
    for index in recorded.indices {
      var copy = recorded
      copy[index] ^= 0x04
      network.inject(.log(.a, .audit), copy)
      network.inject(.log(.a, .audit), Array(recorded[..<index]))
    }
    network.run(seconds: 0.3)
    #expect(network.next(0, .audit) == 0)
    #expect(network.workers[0].peer.counters.appended == 0)
    #expect(network.workers[0].peer.counters.unsigned == UInt64(2 * recorded.count))
    #expect(network.ledger.held.isEmpty)
    #expect(network.noticed(.forged).allSatisfy { $0.evidence != nil })
    network.inject(.log(.a, .audit), recorded)
    network.run(seconds: 0.3)
    #expect(network.next(0, .audit) == 1)
  }

  @Test("row 10: newest batches kept back are missed by the next heartbeat")
  func withheld() {
    let network = settled()
    network.tapUp = { topic, _ in if case .log = topic { false } else { true } }
    network.append(.audit, [1])
    network.run(seconds: 70)
    #expect(network.noticed(.missing).count >= 1)
    #expect(network.workers[0].peer.counters.nacks >= 1)
    network.tapUp = nil
    #expect(network.runUntilConverged(seconds: 120))
  }

  @Test("row 11: a forged ack deletes nothing")
  func forgedAck() {
    let network = settled()
    let (site, stranger) = (network.sites[0], KeyBox(66))
    site.log.streams[0].safe = 0
    for seal in [stranger.seal, site.key.seal] {
      let payload = ack(network) { ack in
        Ack(
          log: ack.log, next: ack.next, safe: ack.next, chainAtNext: ack.chainAtNext, creditBytes: 1, term: 99,
          at: .max, receipt: "x", session: site.session)
      }
      network.inject(.ack(.a, .audit), seal(Ack.type, payload), site: 0)
    }
    #expect(site.peer.counters.unsigned == 2)
    #expect(site.standing.contains(.forged))
    #expect(site.log.streams[0].safe == 0 && !site.log.streams[0].bodies.contains { $0 == nil })
  }

  @Test("row 12: a replayed ack moves nothing back")
  func replayedAck() {
    var recorded: [[UInt8]] = []
    let network = SimulatedNetwork(seed: 1)
    network.tapDown = { topic, payload in
      if case .ack(_, .audit) = topic { recorded.append(payload) }
      return true
    }
    network.run(seconds: 2)
    for number in 0..<10 {
      network.append(.audit, [UInt8(number)])
      network.run(seconds: 1)
    }
    let site = network.sites[0]
    let batches = site.peer.counters.batches
    for payload in recorded { network.inject(.ack(.a, .audit), payload, site: 0) }
    network.run(seconds: 5)
    #expect(site.peer.counters.batches == batches)
    // Nor after a restart, before the foundation has answered the new session.
    network.disconnect(site: 0, forSeconds: 1)
    network.tapDown = { _, _ in false }
    network.run(seconds: 1.5)
    for payload in recorded { network.inject(.ack(.a, .audit), payload, site: 0) }
    network.run(seconds: 5)
    #expect(site.peer.counters.batches == batches)
    #expect(site.log.streams[0].received == 10)
    #expect(site.log.gaps.isEmpty)
  }

  @Test("row 13: acks of another epoch, stream or site change nothing")
  func foreignAck() {
    let network = settled()
    network.append(.audit, [1])
    let site = network.sites[0]
    let point = site.log.streams[0].points[11].chain
    for (log, topic) in [
      (LogName(site: .b, epoch: .test(1), stream: .audit), SyncTopic.ack(.a, .audit)),
      (LogName(site: .a, epoch: .test(2), stream: .audit), .ack(.a, .audit)),
      (LogName(site: .a, epoch: .test(1), stream: .audit), .ack(.a, .control)),
      (LogName(site: .a, epoch: .test(1), stream: .audit), .ack(.b, .audit)),
    ] {
      let ack = Ack(
        log: log, next: 11, safe: 0, chainAtNext: point, creditBytes: 65536, term: 1, at: .max, receipt: nil)
      network.inject(topic, network.ingest.seal(Ack.type, ack.payload), site: 0)
      #expect(site.log.streams[0].received == 10, "\(log) on \(topic)")
    }
  }

  @Test("row 13: an ack whose chain is another's raises an alarm and moves nothing")
  func wrongChain() {
    let network = settled()
    network.append(.audit, [1])
    let payload = ack(network) { ack in
      Ack(
        log: ack.log, next: 11, safe: 0, chainAtNext: .zero, creditBytes: 65536, term: 1, at: .max, receipt: nil)
    }
    network.inject(.ack(.a, .audit), network.ingest.seal(Ack.type, payload), site: 0)
    #expect(network.sites[0].log.streams[0].received == 10)
    #expect(network.sites[0].standing.contains(.fork))
  }

  @Test("row 14: a batch of one site on another's topic is refused, with evidence")
  func foreignBatch() {
    var recorded: [UInt8] = []
    let network = SimulatedNetwork(seed: 1, sites: 2)
    network.tapUp = { topic, payload in
      if case .log(.a, _) = topic { recorded = payload }
      return true
    }
    network.run(seconds: 2)
    network.append(.audit, [1])
    network.inject(.log(.b, .audit), recorded)
    #expect(network.noticed(.forged).last?.evidence == recorded)
    // Even where both sites have one key, the name inside decides.
    let keys = network.ledger.sites[.a]!.keys
    network.ledger.sites[.b]?.keys = keys
    network.run(seconds: 10)
    network.inject(.log(.b, .audit), recorded)
    #expect(network.noticed(.foreign).last?.evidence == recorded)
    network.inject(.log(.a, .control), recorded)
    #expect(network.noticed(.foreign).count == 2)
    network.run(seconds: 2)
    #expect(network.next(1, .audit) == 0 && network.next(0, .control) == 0)
  }

  @Test("row 15: death notices and state messages are hints; only a new signed heartbeat is life")
  func hints() {
    let network = settled()
    let site = network.sites[0]
    var beats: [[UInt8]] = []
    network.tapUp = { topic, payload in
      if case .heartbeat = topic { beats.append(payload) }
      return true
    }
    network.run(seconds: 130)
    network.inject(.death(.a), site.peer.will(session: site.session).payload)
    network.run(seconds: 20)
    #expect(network.ledger.sightings[.a]?.state == .online)
    #expect(network.noticed(.deathHint).count == 1)
    let births = site.peer.counters.births
    network.inject(.state(foundation: "f9"), Array("{\"online\":true}".utf8), site: 0)
    network.run(seconds: 40)
    #expect(site.peer.counters.births == births)
    // The site falls silent; its old heartbeats do not keep it alive.
    network.tapUp = { _, _ in false }
    for _ in 0..<70 {
      network.run(seconds: 10)
      for beat in beats { network.inject(.heartbeat(.a), beat) }
    }
    #expect(network.ledger.sightings[.a]?.state == .offline)
    #expect(network.noticed(.late).count == 1 && network.noticed(.offline).count == 1)
    network.tapUp = nil
    network.run(seconds: 70)
    #expect(network.ledger.sightings[.a]?.state == .online)
  }

  @Test("row 20: a flood of rebirth orders costs a few births")
  func rebirthFlood() {
    let network = settled()
    let site = network.sites[0]
    let before = site.peer.counters.births
    let stranger = KeyBox(66)
    for number in 0..<1000 {
      let command = Command(site: .a, order: .rebirth(challenge: [1]), term: 1, at: Int64(number))
      network.inject(.command(.a), stranger.seal(Command.type, command.payload), site: 0)
    }
    #expect(site.peer.counters.births == before)
    let first = network.wall.nanoseconds
    for number in 0..<1000 {
      let command = Command(site: .a, order: .rebirth(challenge: [1]), term: 1, at: first + Int64(number))
      network.inject(.command(.a), network.ingest.seal(Command.type, command.payload), site: 0)
      network.run(seconds: 0.01)
    }
    #expect((1...4).contains(site.peer.counters.births - before))
  }

  @Test("row 19: what is larger than may be is dropped unread at both ends")
  func endless() {
    let network = settled()
    let huge = [UInt8](repeating: 0x41, count: 80 << 10)
    let (edge, worker) = (network.sites[0].peer.counters.refused, network.workers[0].peer.counters.refused)
    network.inject(.ack(.a, .audit), huge, site: 0)
    network.inject(.log(.a, .audit), huge)
    network.inject(.upload(.a, .zero), huge)
    #expect(network.sites[0].peer.counters.refused == edge + 1)
    #expect(network.workers[0].peer.counters.refused == worker + 2)
  }
}
