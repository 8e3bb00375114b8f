import DeltaLog
import Provenance
import Sodium
import Sync
import TwinCore

/// Sites, workers, one ledger and a bad broker between them, in virtual time. The same seed gives the same trace.
final class SimulatedNetwork {
  /// Percent of messages, each way.
  struct Faults {
    var drop = 0
    var duplicate = 0
    var flip = 0
    var truncate = 0
    /// Nanoseconds, at most, that a message may be late.
    var jitterNs: Int64 = 5_000_000
  }

  enum Happening {
    case toWorkers(topic: String, [UInt8], site: Int, session: UInt64, id: UInt64)
    case toSite(Int, topic: String, [UInt8])
    case site(Int, PeerEvent)
    case wakeSite(Int)
    case wakeWorker(Int)
    case connectSite(Int)
    case connectWorker(Int)
    case script(() -> Void)
  }

  /// A message on its way, for tests that look at it, change it (true) or take it off the line (false).
  typealias Tap = (_ topic: SyncTopic, _ payload: inout [UInt8]) -> Bool

  static let start = Instant(nanoseconds: 1_800_000_000_000_000_000)

  let seed: UInt64
  let random: SeededGenerator
  let ingest = KeyBox(1)
  let ledger = MemoryLedger()
  let shelf = MemoryShelf()
  var sites: [SimulatedSite] = []
  var workers: [SimulatedWorker] = []
  var faults = Faults()
  var tapUp: Tap?
  var tapDown: Tap?
  var notices: [FoundationNotice] = []
  private(set) var now = Uptime(nanoseconds: 1_000_000_000)
  private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
  private(set) var publishes = 0
  private var queue: [(at: Uptime, order: Int, Happening)] = []
  private var order = 0
  var packetBytesMax = 320 << 10

  init(
    seed: UInt64, sites count: Int = 1, workers workerCount: Int = 1, profile: EdgeProfile = .standard,
    isEnrolled: Bool = true
  ) {
    (self.seed, random) = (seed, SeededGenerator(seed))
    let trust = FoundationTrust(ingest: [ingest.publicKey], cosigners: [.init(name: "f1", key: ingest.publicKey)])
    for number in 0..<count {
      let name = SiteName("acme.\(Character(UnicodeScalar(97 + UInt8(number))))")!
      let site = SimulatedSite(
        name, number: UInt8(number + 1), trust: trust, profile: profile, seed: seed &* 31 &+ UInt64(number))
      sites.append(site)
      let epochs = isEnrolled ? [SiteEpoch(epoch: site.log.epoch, standing: .open, previous: nil)] : []
      ledger.sites[name] = SiteRecord(
        name: name, keys: [SiteKey(keyEpoch: 0, signing: site.key.publicKey, sealing: [])], epochs: epochs)
    }
    for _ in 0..<workerCount { workers.append(SimulatedWorker(makeWorker())) }
    for index in workers.indices { schedule(.connectWorker(index), after: 0) }
    for index in sites.indices { schedule(.connectSite(index), after: Int64(index) * 1_000_000) }
  }

  var wall: Instant { Self.start.advanced(byNanoseconds: now.nanoseconds) }

  func configuration() -> FoundationConfiguration {
    FoundationConfiguration(
      name: "f1", seal: ingest.seal, cosign: ingest.cosign("f1"), challengeKey: Array(repeating: 7, count: 32))
  }

  func makeWorker() -> FoundationPeer {
    let random = SeededGenerator(self.random.next())
    return FoundationPeer(configuration(), ledger: ledger, shelf: shelf, random: { random.next() })
  }

  // What happens when.

  func schedule(_ happening: Happening, after ns: Int64) {
    order += 1
    let item = (at: now.advanced(byNanoseconds: max(0, ns)), order: order, happening)
    // The latest is first, so that the next is taken from the end.
    var (low, high) = (0, queue.count)
    while low < high {
      let middle = (low + high) / 2
      if (queue[middle].at, queue[middle].order) > (item.at, item.order) { low = middle + 1 } else { high = middle }
    }
    queue.insert(item, at: low)
  }

  func run(seconds: Double) { run(until: now.advanced(byNanoseconds: Int64(seconds * 1e9))) { false } }

  /// Runs until `isDone`, at most until `end`; answers whether it is done.
  @discardableResult
  func run(until end: Uptime, _ isDone: () -> Bool) -> Bool {
    while let next = queue.last, next.at <= end {
      queue.removeLast()
      now = next.at
      happen(next.2)
      if isDone() { return true }
    }
    now = end
    return isDone()
  }

  private func happen(_ happening: Happening) {
    switch happening {
    case .toWorkers(let topic, let payload, let site, let session, let id):
      arrive(topic, payload, site, session, id)
    case .toSite(let index, let topic, let payload):
      guard sites[index].isConnected else { return }
      note(2, topic, payload.count)
      step(site: index, .received(topic: topic, payload: payload))
    case .site(let index, let event): step(site: index, event)
    case .wakeSite(let index): if sites[index].wakeAt == now { step(site: index, .tick) }
    case .wakeWorker(let index): if workers[index].wakeAt == now { step(worker: index, .tick) }
    case .connectSite(let index): connect(site: index)
    case .connectWorker(let index): connect(worker: index)
    case .script(let body): body()
    }
  }

  func connect(site index: Int) {
    guard !sites[index].isConnected else { return }
    sites[index].isConnected = true
    sites[index].session += 1
    step(site: index, .connected(session: sites[index].session, packetBytesMax: packetBytesMax))
  }

  func disconnect(site index: Int, forSeconds seconds: Double) {
    guard sites[index].isConnected else { return }
    sites[index].isConnected = false
    step(site: index, .disconnected)
    schedule(.connectSite(index), after: Int64(seconds * 1e9))
  }

  func kill(site index: Int, forSeconds seconds: Double) {
    sites[index].restart()
    schedule(.connectSite(index), after: Int64(seconds * 1e9))
  }

  func connect(worker index: Int) {
    guard !workers[index].isConnected else { return }
    workers[index].isConnected = true
    step(worker: index, .connected(packetBytesMax: packetBytesMax))
  }

  func kill(worker index: Int, forSeconds seconds: Double) {
    workers[index] = SimulatedWorker(makeWorker())
    schedule(.connectWorker(index), after: Int64(seconds * 1e9))
  }

  // One event into a peer, its actions out.

  func step(site index: Int, _ event: PeerEvent) {
    let site = sites[index]
    for action in site.peer.handle(event, now: now, wall: wall) { carry(out: action, site, index) }
  }

  private func carry(out action: PeerAction, _ site: SimulatedSite, _ index: Int) {
    switch action {
    case .subscribe: break
    case .metadata(_, let bytes):
      if let bundle = try? TrustBundle(bytes) { site.take(bundle, answering: nil, at: wall, now: now) }
      schedule(.site(index, .tick), after: 0)
    case .consistency(let sizes, let proof):
      guard var bundle = site.unproven else { return }
      bundle.consistency = proof
      site.take(bundle, answering: sizes, at: wall, now: now)
    case .publish(let publication): send(publication, site, index)
    case .installDirected(let entry):
      let isTaken = !random.chance(site.directedRefusals)
      if isTaken { site.directed.append(entry) }
      schedule(.site(index, .directed(sequence: entry.sequence, isTaken ? .taken : .later)), after: 0)
    case .openEpoch(let closing):
      site.log.newEpoch(LogEpoch(bytes: random.bytes(16))!)
      site.status.previousEpoch = closing
      site.peer.status = site.status
      schedule(.site(index, .epochOpened), after: 0)
    case .keepChunk(let chunk):
      let isKept = (try? site.shelf.keep(chunk)) != nil
      schedule(.site(index, .chunkKept(chunk.digest, index: chunk.index, isKept: isKept)), after: 0)
    case .artefactComplete(let digest): site.completed.append(digest)
    case .readChunk(let digest, let number):
      var chunk: ArtefactChunk?
      if case .some(.some((let bytes, let proof))) = try? site.shelf.chunk(digest, number) {
        chunk = ArtefactChunk(site: site.name, digest: digest, index: number, bytes: bytes, proof: proof)
      }
      schedule(.site(index, .chunkRead(digest, index: number, chunk)), after: 0)
    case .raise(let alarm):
      site.raised.append(alarm)
      site.standing.insert(alarm.kind)
    case .clear(let kind): site.standing.remove(kind)
    case .sessionUseful: site.useful += 1
    case .wake(let at):
      site.wakeAt = at
      schedule(.wakeSite(index), after: at.nanoseconds - now.nanoseconds)
    }
  }

  func step(worker index: Int, _ event: FoundationEvent) {
    let worker = workers[index]
    for action in worker.peer.handle(event, now: now, wall: wall) {
      switch action {
      case .subscribe: break
      case .publish(let publication): broadcast(publication)
      case .notice(let notice): notices.append(notice)
      case .wake(let at):
        worker.wakeAt = at
        schedule(.wakeWorker(index), after: at.nanoseconds - now.nanoseconds)
      case .stop:
        worker.isStopped = true
        worker.isConnected = false
      }
    }
  }

  // The line and the broker.

  private func send(_ publication: Publication, _ site: SimulatedSite, _ index: Int) {
    publishes += 1
    var delay = site.latencyNs
    if let rate = site.lineBytesPerSecond {
      let start = max(now, site.lineFreeAt)
      site.lineFreeAt = start.advanced(byNanoseconds: Int64(publication.packetBytes) * 1_000_000_000 / Int64(rate))
      delay += site.lineFreeAt.nanoseconds(since: now)
    }
    for (payload, late) in spoil(publication.payload, publication.topic, tapUp) {
      schedule(
        .toWorkers(
          topic: publication.topic.description, payload, site: index, session: site.session, id: publication.id),
        after: delay + late)
    }
  }

  private func broadcast(_ publication: Publication) {
    guard let name = publication.topic.site else {
      let text = publication.topic.description
      for index in sites.indices { schedule(.toSite(index, topic: text, publication.payload), after: 1_000_000) }
      return
    }
    guard let index = sites.firstIndex(where: { $0.name == name }) else { return }
    for (payload, late) in spoil(publication.payload, publication.topic, tapDown) {
      schedule(
        .toSite(index, topic: publication.topic.description, payload), after: sites[index].latencyNs + late)
    }
  }

  /// What comes out at the other end: nothing, one, or two of it, late or damaged.
  private func spoil(_ payload: [UInt8], _ topic: SyncTopic, _ tap: Tap?) -> [([UInt8], Int64)] {
    var payload = payload
    guard tap?(topic, &payload) ?? true, !random.chance(faults.drop) else { return [] }
    var copies: [([UInt8], Int64)] = []
    for _ in 0..<(random.chance(faults.duplicate) ? 2 : 1) {
      var copy = payload
      if random.chance(faults.flip), !copy.isEmpty { copy[random.below(copy.count)] ^= 1 << UInt8(random.below(8)) }
      if random.chance(faults.truncate) { copy.removeLast(random.below(copy.count + 1)) }
      copies.append((copy, Int64(random.below(Int(faults.jitterNs) + 1))))
    }
    return copies
  }

  private func arrive(_ topic: String, _ payload: [UInt8], _ site: Int, _ session: UInt64, _ id: UInt64) {
    let attached = workers.indices.filter { workers[$0].isConnected }
    if sites[site].session == session, sites[site].isConnected, id != 0 {
      schedule(
        .site(site, .published(id: id, reason: attached.isEmpty ? 0x10 : 0)), after: sites[site].latencyNs)
    }
    guard !attached.isEmpty else { return }
    note(1, topic, payload.count)
    step(worker: attached[random.below(attached.count)], .received(topic: topic, payload: payload))
  }

  /// A message from nobody, as a hostile broker makes them.
  func inject(_ topic: SyncTopic, _ payload: [UInt8], worker: Int = 0) {
    step(worker: worker, .received(topic: topic.description, payload: payload))
  }

  func inject(_ topic: SyncTopic, _ payload: [UInt8], site: Int) {
    step(site: site, .received(topic: topic.description, payload: payload))
  }

  private func note(_ way: UInt64, _ topic: String, _ length: Int) {
    for value in [way, UInt64(now.nanoseconds), UInt64(length)] + topic.utf8.map(UInt64.init) {
      trace = (trace ^ value) &* 0x100_0000_01B3
    }
  }
}
