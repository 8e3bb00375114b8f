import DeltaLog
import Glibc
import MQTT
import Provenance
import Seams
import Sodium
import Sync
import Synchronization
import TwinCore

/// A site's end of the exchange without its plant: the log and the keys of an enrolled site, the protocol, a real link.
///
/// One thread: events wait until `turn`.
final class BenchPeer {
  private static let clock = SystemClock(assumed: true)

  let log: DeltaLog
  private let enrolment: EnrolmentReply
  private let events = EventQueue()
  private let link: BrokerLink
  private var peer: EdgePeer
  private var reconnection: Reconnection
  private var published: [MessageID: UInt64] = [:]
  private var wakeAt: Uptime?
  private(set) var isConnected = false
  /// Batches that went out, their bytes as payloads, and the entries in them.
  private(set) var sent = (batches: 0, bytes: 0, entries: 0)

  /// `state` is the state directory of an enrolled site whose daemon does not run.
  init(state: String) throws {
    let files = SiteFiles(state: state)
    let enrolment = try files.enrolment()
    guard let identity = try SiteIdentity.open(directory: files.folder) else {
      throw BenchFault("no keys in \(files.folder)")
    }
    let boot = Sodium.randomBytes(LogEntry.bootBytes)
    log = try files.log(enrolment.site, boot: boot, keyEpoch: identity.keyEpoch)
    let cosigners = enrolment.ingest.map { FoundationTrust.Cosigner(name: enrolment.foundation, key: $0) }
    let status = SiteStatus(
      boot: boot, software: Sodium.blake2b256([]), isClockTrusted: true, keyEpoch: identity.keyEpoch)
    let key = Key(identity)
    peer = EdgePeer(
      site: enrolment.site, status: status,
      trust: FoundationTrust(ingest: enrolment.ingest, cosigners: cosigners), log: log,
      directedNext: try log.directedNext, seal: { key.seal($0, $1) },
      sign: { key.sign($0) }, random: { UInt64.random(in: 0...UInt64.max) })
    reconnection = Reconnection(
      session: UInt64(Self.clock.instant.milliseconds) << 16, schedule: ReconnectSchedule(spread: .seconds(3)),
      at: Self.clock.uptime)
    let events = events
    link = BrokerLink(files.settings(enrolment)) { events.put($0) }
    self.enrolment = enrolment
  }

  deinit { link.close() }

  var counters: EdgeCounters { peer.counters }
  var site: SiteName { enrolment.site }
  /// Whether the foundation has said that it has everything of the audit stream.
  var isCurrent: Bool { peer.acknowledged(.audit) == log.head(.audit).next }

  /// Appends one entry to the audit stream, which goes out at once where it may.
  func append(bytes count: Int) throws {
    let number = log.head(.audit).next
    let body = (0..<count).map { UInt8(truncatingIfNeeded: number &* 31 &+ UInt64($0)) }
    try log.append(.audit, kind: .decision, body: body, at: Self.clock.instant, uptime: Self.clock.uptime)
    act(on: .appended)
  }

  /// Takes in what has happened, and does what is due.
  func turn() {
    for event in events.takeAll() { take(event) }
    let now = Self.clock.uptime
    if let session = reconnection.begin(at: now) { connect(session) }
    if wakeAt.map({ now >= $0 }) ?? false {
      wakeAt = nil
      act(on: .tick)
    }
  }

  private func connect(_ session: UInt64) {
    let will = peer.will(session: session)
    do throws(MessageFault) {
      try link.connect(will: OutgoingMessage(topic: will.topic.description, payload: will.payload))
    } catch {
      reconnection.lost(at: Self.clock.uptime)
    }
  }

  private func take(_ event: MessageEvent) {
    switch event {
    case .connected(let limits):
      (isConnected, published) = (true, [:])
      act(on: .connected(session: reconnection.session, packetBytesMax: limits.packetBytesMax))
    case .disconnected:
      (isConnected, published) = (false, [:])
      reconnection.lost(at: Self.clock.uptime)
      act(on: .disconnected)
    case .received(let message): act(on: .received(topic: message.topic, payload: message.payload))
    case .published(let id, let reason):
      guard let number = published.removeValue(forKey: id) else { return }
      act(on: .published(id: number, reason: reason.rawValue))
    case .subscribed: break
    }
  }

  private func act(on event: PeerEvent) {
    for action in peer.handle(event, now: Self.clock.uptime, wall: Self.clock.instant) {
      switch action {
      case .subscribe(let filters): for filter in filters { _ = try? link.subscribe(filter) }
      case .publish(let publication): publish(publication)
      case .sessionUseful: reconnection.wasUseful()
      case .wake(let at): wakeAt = at
      default: break
      }
    }
  }

  private func publish(_ publication: Publication) {
    let message = OutgoingMessage(
      topic: publication.topic.description, payload: publication.payload,
      delivery: publication.qos == 0 ? .atMostOnce : .atLeastOnce)
    guard let id = try? link.publish(message) else { return }
    if publication.id != 0 { published[id] = publication.id }
    guard case .log = publication.topic,
      let envelope = try? SignedEnvelope(publication.payload, max: SyncLimits.packetBytesMax),
      let batch = try? Batch(payload: envelope.payload)
    else { return }
    sent = (sent.batches + 1, sent.bytes + publication.payload.count, sent.entries + batch.entries.count)
  }

  /// The site's key, for the closure that seals.
  private final class Key: Sendable {
    private let identity: SiteIdentity

    init(_ identity: consuming SiteIdentity) { self.identity = identity }
    func seal(_ type: String, _ payload: [UInt8]) -> [UInt8] {
      SignedEnvelope.seal(type: type, payload: payload, by: identity.signing)
    }
    func sign(_ checkpoint: Checkpoint) -> String {
      checkpoint.signed(name: checkpoint.origin, by: identity.signing)
    }
  }
}

/// What an enrolment left in a site's state directory.
struct SiteFiles {
  let folder: String

  init(state: String) { folder = state + "/peer" }

  func enrolment() throws -> EnrolmentReply {
    guard let bytes = SystemFiles.bytes(folder + "/enrolment", max: EnrolmentReply.bytesMax) else {
      throw BenchFault("\(folder): not enrolled")
    }
    return try EnrolmentReply(body: bytes)
  }

  func log(_ site: SiteName, boot: [UInt8], keyEpoch: UInt32) throws -> DeltaLog {
    try DeltaLog(
      file: folder + "/sync.db", site: site, boot: boot, keyEpoch: keyEpoch, clock: SystemClock(assumed: true))
  }

  func settings(_ enrolment: EnrolmentReply) -> BrokerSettings {
    BrokerSettings(
      address: BrokerAddress(host: enrolment.host, port: enrolment.port),
      credentials: BrokerCredentials(
        authorities: folder + "/authority.crt", certificate: folder + "/site.crt", key: folder + "/site.key"),
      clientID: enrolment.site.description)
  }
}

/// Events of a link between its thread and the one that takes them.
final class EventQueue: Sendable {
  private let events = Mutex<[MessageEvent]>([])

  func put(_ event: MessageEvent) { events.withLock { $0.append(event) } }

  func takeAll() -> [MessageEvent] {
    events.withLock { events in
      defer { events = [] }
      return events
    }
  }
}
