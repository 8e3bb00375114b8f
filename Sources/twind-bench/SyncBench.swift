import Ledger
import Provenance
import Seams
import Sodium
import Sync
import Synchronization
import TwinCore

/// What the exchange costs: signatures, what is refused, and a worker that takes in batches of many sites into a ledger
/// on the disk.
enum SyncBench {
  private static let entriesPerBatch = 50
  private static let bodyBytes = 400

  static func run(in folder: String) throws {
    print(Figure("sync.sign_verify_over_libsodium", try signatures(), "", .atMost(2)))
    print(Figure("sync.decode_reject_us", rejects() * 1e6, "us", .atMost(1000)))
    print(Figure("sync.ingest_entries_per_cpu_s", try ingest(in: folder), "/s", .atLeast(5_000)))
  }

  /// A batch made, sealed, opened and read, against one bare signature and verification of the same bytes.
  private static func signatures() throws -> Double {
    var site = BenchSite(number: 0)
    let (batch, key) = (site.batch(entriesPerBatch, bodyBytes: bodyBytes), site.key)
    let payload = batch.payload
    let ours = try Spent.leastOf(20) {
      for _ in 0..<20 {
        let bytes = key.seal(Batch.type, batch.payload)
        let envelope = try SignedEnvelope(bytes, max: SyncLimits.packetBytesMax)
        try envelope.verify(by: [key.publicKey])
        _ = try Batch(payload: envelope.payload)
      }
    }
    let bare = Spent.leastOf(20) {
      for _ in 0..<20 {
        let signature = key.sign(payload)
        precondition(Ed25519.verify(signature, of: payload, by: key.publicKey))
      }
    }
    return ours.cpuSeconds / bare.cpuSeconds
  }

  /// The slowest refusal, in seconds: bent batches, deep nests, long lists and claims of lengths that are not there.
  private static func rejects() -> Double {
    var site = BenchSite(number: 0)
    let good = site.key.seal(Batch.type, site.batch(entriesPerBatch, bodyBytes: bodyBytes).payload)
    var corpus: [[UInt8]] = [
      [UInt8](repeating: 0x81, count: SyncLimits.packetBytesMax),
      [0x9A, 0x00, 0x0F, 0xFF, 0xFF] + [UInt8](repeating: 0, count: SyncLimits.packetBytesMax - 5),
      [0x5B] + [UInt8](repeating: 0x7F, count: 8), [0xBF, 0x00, 0x00], [UInt8](repeating: 0xFF, count: 1000),
      [0x84, 0x01, 0x78, 0x80] + [UInt8](repeating: 0xC3, count: 60_000),
    ]
    for place in stride(from: 0, to: good.count, by: 97) {
      var bent = good
      bent[place] ^= 0x10
      corpus.append(bent)
      corpus.append(Array(good.prefix(place)))
    }
    let keys = [site.key.publicKey]
    var worst = 0.0
    for bytes in corpus {
      // One that a neighbour on this machine slows down is measured again.
      let spent = Spent.leastOf(5) {
        guard let envelope = try? SignedEnvelope(bytes, max: SyncLimits.packetBytesMax) else { return }
        guard (try? envelope.verify(by: keys)) != nil else { return }
        _ = try? Batch(payload: envelope.payload)
      }
      worst = max(worst, spent.cpuSeconds)
    }
    return worst
  }

  /// Entries a CPU second, verified, applied and acknowledged, durable on the disk.
  private static func ingest(in folder: String) throws -> Double {
    let clock = BenchClock()
    let ledger = try Ledger(.file(folder + "/ledger.db"), policy: .onCommit, clock: clock)
    try ledger.takeLease("bench", for: .seconds(3600))
    let ingestKey = BenchKey()
    var peer = FoundationPeer(
      FoundationConfiguration(
        name: "bench", seal: { ingestKey.seal($0, $1) }, cosign: { _, _ in nil },
        challengeKey: [UInt8](repeating: 1, count: 32)), ledger: ledger, shelf: ledger, random: { 1 })
    var messages: [(topic: String, bytes: [UInt8])] = []
    var sites = (0..<20).map { BenchSite(number: $0) }
    for index in sites.indices { try sites[index].enrol(in: ledger, at: clock.instant) }
    for _ in 0..<20 {
      for index in sites.indices {
        let batch = sites[index].batch(entriesPerBatch, bodyBytes: bodyBytes)
        messages.append(
          (SyncTopic.log(sites[index].name, .audit).description, sites[index].key.seal(Batch.type, batch.payload)))
      }
    }
    _ = peer.handle(.connected(packetBytesMax: 327_680), now: clock.uptime, wall: clock.instant)
    let spent = Spent.by {
      for (number, message) in messages.enumerated() {
        _ = peer.handle(
          .received(topic: message.topic, payload: message.bytes), now: clock.uptime, wall: clock.instant)
        guard number % 20 == 19 else { continue }
        clock.pass(seconds: 1)
        _ = peer.handle(.tick, now: clock.uptime, wall: clock.instant)
      }
    }
    guard peer.counters.appended == messages.count else {
      throw BenchFault("\(peer.counters.appended) of \(messages.count) batches were taken in: \(peer.counters)")
    }
    return Double(messages.count * entriesPerBatch) / spent.cpuSeconds
  }
}

/// A site as a foundation sees it.
private struct BenchSite {
  let name: SiteName
  let key = BenchKey()
  private let epoch = LogEpoch()
  private var head: LogHead

  init(number: Int) {
    name = SiteName("acme.bench-\(number)")!
    head = LogHead(epoch: epoch, stream: .audit)
  }

  func enrol(in ledger: Ledger, at now: Instant) throws {
    let token = "bench-\(name.site)"
    try ledger.add(
      EnrolmentGrant(
        name: token, key: [1], tenant: name.tenant, site: name.site,
        expires: now.advanced(byNanoseconds: 3_600_000_000_000)))
    let siteKey = SiteKey(keyEpoch: 1, signing: key.publicKey, sealing: [UInt8](repeating: 9, count: 32))
    _ = try ledger.enrol(
      SiteEnrolment(
        site: name, key: siteKey, epoch: epoch, evidence: [1],
        leaf: FoundationLeaf(.enrolment, site: name, bytes: [1])), token: token)
  }

  mutating func batch(_ count: Int, bodyBytes: Int) -> Batch {
    let (first, before) = (head.next, head.chain)
    var entries: [[UInt8]] = []
    var bodies: [[UInt8]?] = []
    for _ in 0..<count {
      let body = (0..<bodyBytes).map { UInt8(truncatingIfNeeded: head.next &* 31 &+ UInt64($0)) }
      let entry = LogEntry(
        sequence: head.next, kind: .decision, wall: 1_790_000_000_000 + Int64(head.next), uptime: Int64(head.next),
        boot: [UInt8](repeating: 3, count: 16), bodyDigest: Sodium.blake2b256(body), bodyLength: UInt32(body.count),
        keyEpoch: 1)
      entries.append(entry.bytes)
      bodies.append(body)
      head.append(entry.bytes)
    }
    return Batch(
      log: LogName(site: name, epoch: epoch, stream: .audit), first: first, chainBefore: before, chainAfter: head.chain,
      root: head.root, entries: entries, bodies: bodies)
  }
}

/// A signing key that can be handed to closures.
private final class BenchKey: Sendable {
  private let secret = Ed25519.SecretKey()

  var publicKey: Ed25519.PublicKey { secret.publicKey }
  func sign(_ bytes: [UInt8]) -> [UInt8] { secret.sign(bytes) }
  func seal(_ type: String, _ payload: [UInt8]) -> [UInt8] {
    SignedEnvelope.seal(type: type, payload: payload, by: secret)
  }
}

/// A clock that only goes on when it is told to.
private final class BenchClock: SiteClock {
  private let passed = Mutex<Int64>(0)

  var instant: Instant { Instant(nanoseconds: 1_790_000_000_000_000_000).advanced(byNanoseconds: uptime.nanoseconds) }
  var uptime: Uptime { Uptime(nanoseconds: passed.withLock { $0 }) }
  var isTrusted: Bool { true }
  func sleep(until deadline: Uptime) async {}
  func pass(seconds: Int64) { passed.withLock { $0 += seconds * 1_000_000_000 } }
}
