import Provenance
import Sync
import Testing
import TwinCore

@Suite("A slow line carries what matters first")
struct SlowLineTests {
  /// How long each audit entry took from its append to the ledger, in seconds, while a backlog of features drains.
  private func latencies(_ network: SimulatedNetwork, every seconds: Double, count: Int) -> [Double] {
    var latencies: [Double] = []
    for number in 0..<count {
      let wanted = network.next(0, .audit) + 1
      let begin = network.now
      network.append(.audit, [UInt8(number)])
      network.run(until: begin.advanced(byNanoseconds: 120_000_000_000)) { network.next(0, .audit) >= wanted }
      latencies.append(Double(network.now.nanoseconds(since: begin)) / 1e9)
      network.run(seconds: seconds)
    }
    return latencies
  }

  @Test("row 66: a backlog of weeks drains, and a fresh audit entry passes it within 5 s", arguments: [8_000, 125_000])
  func backlog(_ bytesPerSecond: Int) {
    let network = SimulatedNetwork(seed: 4)
    let site = network.sites[0]
    site.lineBytesPerSecond = bytesPerSecond
    site.latencyNs = 50_000_000
    for number in 0..<600 { site.log.append(.features, Array(repeating: UInt8(number % 251), count: 4000)) }
    network.run(seconds: 10)
    let latencies = latencies(network, every: 3, count: 25)
    #expect(latencies.max()! < 5, "\(latencies)")
    let drained = network.next(0, .features)
    #expect(drained > 0)
    #expect(network.runUntilConverged(seconds: 3000))
    network.expectEqualLogs()
    #expect(site.peer.counters.repeats * 4 < site.peer.counters.batches, "\(site.peer.counters)")
  }

  @Test("row 6: 64 kbit/s, 30 % loss, 2 s there and back: audit first, and all of it in the end")
  func badLine() {
    for seed in TestEnvironment.seeds(3, long: 50) {
      let network = SimulatedNetwork(seed: seed, profile: .constrained)
      let site = network.sites[0]
      site.lineBytesPerSecond = 8000
      site.latencyNs = 1_000_000_000
      network.faults = .init(drop: 30, jitterNs: 200_000_000)
      for number in 0..<60 { site.log.append(.features, Array(repeating: UInt8(number), count: 3000)) }
      for number in 0..<20 { site.log.append(.audit, [UInt8(number)]) }
      let isAuditIn = network.run(until: network.now.advanced(byNanoseconds: 120_000_000_000)) {
        network.next(0, .audit) == 20
      }
      #expect(isAuditIn, "seed \(seed)")
      #expect(network.next(0, .features) < 60, "seed \(seed)")
      #expect(network.runUntilConverged(seconds: 3600), "seed \(seed)")
      network.expectEqualLogs()
    }
  }

  @Test("row 6: a metered line keeps its budget; audit is not in it")
  func budget() {
    let network = SimulatedNetwork(seed: 4, profile: .metered)
    let site = network.sites[0]
    var (bulk, audit) = (0, 0)
    network.tapUp = { topic, payload in
      if case .log(_, let stream) = topic {
        if stream == .features { bulk += payload.count } else { audit += payload.count }
      }
      return true
    }
    for number in 0..<1200 { site.log.append(.features, Array(repeating: UInt8(number % 251), count: 4000)) }
    network.run(seconds: 3600 * 3)
    // The burst, and 300 bytes a second, and the batch that overdraws it.
    #expect(bulk > 1 << 20 && bulk <= (2 << 20) + 300 * 3600 * 3 + 65536, "\(bulk)")
    network.append(.audit, [1])
    network.run(seconds: 3)
    #expect(network.next(0, .audit) == 1)
  }

  @Test("features wait for company, audit does not")
  func flush() {
    let network = SimulatedNetwork(seed: 4)
    network.run(seconds: 2)
    network.append(.features, [1])
    network.append(.audit, [1])
    network.run(seconds: 1)
    #expect(network.next(0, .audit) == 1 && network.next(0, .features) == 0)
    network.run(seconds: 5)
    #expect(network.next(0, .features) == 1)
    for _ in 0..<60 { network.append(.features, Array(repeating: 1, count: 1000)) }
    network.run(seconds: 1)
    #expect(network.next(0, .features) > 1)
  }

  @Test("rows 6, 66: where only one batch may go, it is the audit's")
  func auditFirst() {
    let network = SimulatedNetwork(seed: 4)
    network.run(seconds: 2)
    let site = network.sites[0]
    let ack = Ack(
      log: network.name(0, .debug), next: 0, safe: 0, chainAtNext: .zero, creditBytes: 0, term: 1, at: .max,
      receipt: nil)
    network.inject(.ack(.a, .debug), network.ingest.seal(Ack.type, ack.payload), site: 0)
    var sent: [LogStream] = []
    network.tapUp = { topic, _ in
      if case .log(_, let stream) = topic { sent.append(stream) }
      return true
    }
    for stream in [LogStream.debug, .model, .control, .audit] { site.log.append(stream, [1]) }
    network.step(site: 0, .appended)
    #expect(sent == [.audit])
  }

  @Test("row 64: many sites that come back at once all get through, each at its own moment")
  func herd() {
    let network = SimulatedNetwork(seed: 4, sites: 20, workers: 2)
    network.run(seconds: 3)
    for site in network.sites.indices {
      network.append(.audit, [1], site: site)
      network.disconnect(site: site, forSeconds: 5)
      network.append(.audit, [2], site: site)
    }
    #expect(network.runUntilConverged(seconds: 60))
    network.expectEqualLogs()
  }
}
