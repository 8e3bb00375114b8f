import DeltaLog
import Logging
import MQTT
import Provenance
import Seams
import SitePack
import Sodium
import Sync
import Synchronization
import TwinCore

/// What reaches a peer from outside.
enum PeerInput: Sendable {
  case link(MessageEvent)
  /// Of the link over which an attempt renews the certificate.
  case renewal(Int, MessageEvent)
  /// Something was recorded that may be of interest to the foundation.
  case recorded
  case tick
}

/// The site's end of the exchange with its foundation: owns the log, the connection and what is being fetched.
///
/// On a thread of its own; nothing waits for it. What it cannot write or send it tells as a problem, and the plant
/// goes on without it.
actor SitePeer {
  private let executor = ThreadExecutor(name: "peer")
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  let folder: PeerFolder
  let enrolment: EnrolmentReply
  let clock: any SiteClock
  let health: HealthRegistry
  let keeper: StoreKeeper
  let site: Commissioned
  let configuration: EdgeConfiguration
  let log: DeltaLog
  let logger: Logger
  let boot: [UInt8]
  nonisolated let inputs: AsyncStream<PeerInput>
  nonisolated let mailbox: AsyncStream<PeerInput>.Continuation
  /// Asked when a pack was taken up that the daemon is to run.
  let reopen: @Sendable () -> Void

  var peer: EdgePeer
  var trust: TrustDesk
  var link: BrokerLink?
  var reconnection: Reconnection
  var wakeAt: Uptime?
  var isConnected = false
  var linkFault: MessageFault?
  var lastAckAt: Instant?
  /// Publications on the way: the link's number, the peer's.
  var published: [MessageID: UInt64] = [:]
  var served: SegmentShipper.Served?
  var fetching: PackFetch?
  var nextHousekeeping: Uptime
  var housekeptAt: Uptime
  var rung: ExpiryState?
  /// Metadata that waits for the proof that the foundation's log only grew.
  var unproven: TrustBundle?
  /// Since when nobody is reached.
  var offlineSince: Uptime?
  let key: KeyBox
  var certificates: CertificateUpkeep
  /// The files that the link reads.
  var pair = PeerFolder.Pair.current
  /// The session is ended for a renewed certificate.
  var isSwapping = false
  /// The link's files have other names by now.
  var isLinkOld = false
  /// A renewed certificate brought nothing; the old one has its turn.
  var triesCurrent = false
  /// New keys that were logged: the end of the audit stream that must be acknowledged before they are used.
  var rotation: (keyEpoch: UInt32, end: UInt64)?
  /// Making them failed: when to try again.
  var rotateAgainAt: Uptime?

  static let mailboxMax = 1024
  /// A line that fails for less is nobody's concern.
  static let offlineGraceNanoseconds: Int64 = 120_000_000_000
  static let tickNanoseconds: Int64 = 250_000_000
  static let housekeepingNanoseconds: Int64 = 60_000_000_000

  /// Opens what the enrolment left. Nil for a site that stands alone.
  static func open(
    _ site: Commissioned, _ configuration: EdgeConfiguration, boot number: Int64, clock: any SiteClock,
    health: HealthRegistry, keeper: StoreKeeper, logger: Logger, reopen: @escaping @Sendable () -> Void
  ) throws(EdgeFault) -> SitePeer? {
    let folder = PeerFolder(state: configuration.state)
    do throws(ProvenanceFault) {
      guard let enrolment = try folder.enrolment() else { return nil }
      guard enrolment.site.description == site.info.qualifiedID else {
        throw ProvenanceFault(
          .otherSite, path: folder.path,
          "the gateway is enrolled as \(enrolment.site), its pack is \(site.info.qualifiedID)",
          remedy: "run the pack of \(enrolment.site), or enrol this gateway anew")
      }
      guard let identity = try SiteIdentity.open(directory: folder.path, keyEpoch: folder.keyEpoch) else {
        throw ProvenanceFault(
          .keyMissing, path: folder.path, "the site's own keys are gone from \(folder.path)",
          remedy: "restore the directory, or enrol the gateway anew")
      }
      let boot = Sodium.randomBytes(LogEntry.bootBytes)
      let trust = try TrustDesk(folder: folder, enrolment: enrolment, clock: clock)
      let log: DeltaLog
      do throws(DeltaLogFault) {
        log = try DeltaLog(
          file: folder.logFile, site: enrolment.site, boot: boot, keyEpoch: identity.keyEpoch, clock: clock)
      } catch {
        throw ProvenanceFault(.io, path: folder.logFile, error.message, remedy: error.remedy)
      }
      return try SitePeer(
        folder, enrolment, site, configuration, clock: clock, health: health, keeper: keeper, log: log,
        identity: identity, trust: trust, boot: boot, session: UInt64(clamping: number) << 32, logger: logger,
        reopen: reopen)
    } catch {
      throw EdgeFault(error)
    }
  }

  private init(
    _ folder: PeerFolder, _ enrolment: EnrolmentReply, _ site: Commissioned, _ configuration: EdgeConfiguration,
    clock: any SiteClock, health: HealthRegistry, keeper: StoreKeeper, log: DeltaLog, identity: consuming SiteIdentity,
    trust: TrustDesk, boot: [UInt8], session: UInt64, logger: Logger, reopen: @escaping @Sendable () -> Void
  ) throws(ProvenanceFault) {
    (self.folder, self.enrolment, self.site, self.configuration) = (folder, enrolment, site, configuration)
    (self.clock, self.health, self.keeper, self.log, self.trust) = (clock, health, keeper, log, trust)
    (self.boot, self.logger, self.reopen) = (boot, logger, reopen)
    reconnection = Reconnection(
      session: session, schedule: ReconnectSchedule(spread: .nanoseconds(configuration.reconnectNanoseconds)),
      at: clock.uptime)
    (inputs, mailbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.mailboxMax))
    let keyEpoch = identity.keyEpoch
    let key = KeyBox(identity)
    do throws(DeltaLogFault) {
      peer = EdgePeer(
        site: enrolment.site,
        status: SiteStatus(
          boot: boot, software: Sodium.blake2b256(Array(StatusView.version.utf8)), versions: trust.versions,
          isClockTrusted: clock.isTrusted, foundationCheckpoint: trust.store.checkpoint?.text, keyEpoch: keyEpoch),
        trust: trust.foundation, profile: configuration.profile, log: log, directedNext: try log.directedNext,
        seal: { key.seal($0, $1) }, sign: { key.sign($0) }, random: { UInt64.random(in: 0...UInt64.max) })
    } catch {
      throw ProvenanceFault(.io, path: folder.logFile, error.message, remedy: error.remedy)
    }
    (nextHousekeeping, housekeptAt, offlineSince) = (clock.uptime, clock.uptime, clock.uptime)
    self.key = key
    if folder.certificate(.current) == nil, folder.certificate(.next) != nil { try folder.promote() }
    certificates = CertificateUpkeep(
      RenewalNote(folder.bytes(PeerFolder.renewalName, max: RenewalNote.bytesMax)),
      inUse: folder.certificate(.next) ?? folder.certificate(.current), at: clock.uptime)
  }

  deinit { executor.stop() }

  nonisolated func noteRecorded() { mailbox.yield(.recorded) }

  /// Until the task is cancelled.
  func run() async {
    let (clock, inputs, mailbox) = (clock, inputs, mailbox)
    resumeRotation()
    await withTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          await clock.sleep(until: clock.uptime.advanced(byNanoseconds: Self.tickNanoseconds))
          mailbox.yield(.tick)
        }
      }
      for await input in inputs {
        guard !Task.isCancelled else { break }
        await take(input)
      }
      group.cancelAll()
    }
    certificates.attempt?.link.close()
    link?.disconnect()
    link?.close()
    link = nil
  }

  /// Keys that were made and not taken into use: whether an earlier run logged them, it does no harm to log them again.
  private func resumeRotation() {
    let newest = (try? SiteIdentity.open(directory: folder.path)?.keyEpoch) ?? nil
    if let newest, newest > key.keyEpoch { rotateKeys() }
  }

  private func take(_ input: PeerInput) async {
    let now = clock.uptime
    switch input {
    case .link(let event): await take(event, now)
    case .renewal(let number, let event): takeRenewal(number, event)
    case .recorded: await ship()
    case .tick:
      if now >= nextHousekeeping {
        nextHousekeeping = now.advanced(byNanoseconds: Self.housekeepingNanoseconds)
        await keepHouse()
      }
      await ship()
      noteSilence(now)
      finishRotation()
      keepCertificate(now)
      if let session = reconnection.begin(at: now) { connect(session) }
      if wakeAt.map({ now >= $0 }) ?? false {
        wakeAt = nil
        await act(on: .tick)
      }
    }
  }

  private func take(_ event: MessageEvent, _ now: Uptime) async {
    switch event {
    case .connected(let limits):
      (isConnected, linkFault, offlineSince) = (true, nil, nil)
      published = [:]
      health.clear("sync.offline")
      await act(on: .connected(session: reconnection.session, packetBytesMax: limits.packetBytesMax))
    case .disconnected(let fault):
      if !isConnected { certificates.noteRefused(fault) }
      (isConnected, linkFault, published) = (false, isSwapping ? nil : fault, [:])
      if isSwapping {
        isSwapping = false
        reconnection.again(at: now)
      } else {
        // A pair that proved itself is promoted by then.
        triesCurrent = pair == .next && !triesCurrent
        reconnection.lost(at: now)
      }
      offlineSince = offlineSince ?? now
      await act(on: .disconnected)
    case .received(let message):
      if message.topic.contains("/ack/") { lastAckAt = clock.instant }
      await act(on: .received(topic: message.topic, payload: message.payload))
    case .published(let id, let reason):
      guard let number = published.removeValue(forKey: id) else { return }
      await act(on: .published(id: number, reason: reason.rawValue))
    case .subscribed: break
    }
  }

  private func connect(_ session: UInt64) {
    let will = peer.will(session: session)
    openLink()
    do throws(MessageFault) {
      try link?.connect(
        will: OutgoingMessage(topic: will.topic.description, payload: will.payload, delivery: .atLeastOnce))
    } catch {
      linkFault = error
      reconnection.lost(at: clock.uptime)
    }
  }

  /// A link over the files of the pair in turn. The old one has no session by now, and its end takes no time.
  private func openLink() {
    let wanted = choosePair()
    guard link == nil || isLinkOld || wanted != pair else { return }
    link?.close()
    (pair, isLinkOld) = (wanted, false)
    let mailbox = mailbox
    link = BrokerLink(folder.settings(enrolment, wanted)) { mailbox.yield(.link($0)) }
  }

  private func noteSilence(_ now: Uptime) {
    guard let since = offlineSince, let fault = linkFault,
      now.nanoseconds(since: since) >= Self.offlineGraceNanoseconds
    else { return }
    health.raise(
      Problem(
        id: "sync.offline", code: fault.code, severity: .warning, title: "the foundation is not reached",
        cause: fault.message, effect: "the site runs on by itself; what it has to tell waits in its log",
        next: fault.remedy, since: clock.instant))
  }

  /// Hands one event to the protocol and does what comes out of it.
  func act(on event: PeerEvent) async {
    var events = [event]
    while !events.isEmpty {
      for action in peer.handle(events.removeFirst(), now: clock.uptime, wall: clock.instant) {
        if let answer = await perform(action) { events.append(answer) }
      }
    }
  }

  /// What became of an action, where the protocol waits for it.
  private func perform(_ action: PeerAction) async -> PeerEvent? {
    switch action {
    case .subscribe(let filters):
      for filter in filters { _ = try? link?.subscribe(filter) }
    case .publish(let publication): publish(publication)
    case .installDirected(let entry): return .directed(sequence: entry.sequence, keep(entry))
    case .openEpoch: return openEpoch()
    case .metadata(let topic, let bytes): takeMetadata(topic, bytes)
    case .consistency(let sizes, let proof): take(proof, of: sizes)
    case .keepChunk(let chunk): return .chunkKept(chunk.digest, index: chunk.index, isKept: keep(chunk))
    case .artefactComplete(let digest): await complete(digest)
    case .readChunk(let digest, let index):
      let found = await SegmentShipper.chunk(digest, index, of: enrolment.site, from: keeper, last: served)
      served = found?.served
      return .chunkRead(digest, index: index, found?.chunk)
    case .raise(let alarm): raise(alarm)
    case .clear(let kind): health.clear("sync.\(kind.rawValue)")
    case .sessionUseful:
      reconnection.wasUseful()
      proveCertificate()
    case .wake(let at): wakeAt = at
    }
    return nil
  }

  private func publish(_ publication: Publication) {
    let message = OutgoingMessage(
      topic: publication.topic.description, payload: publication.payload,
      delivery: publication.qos == 0 ? .atMostOnce : .atLeastOnce, isRetained: publication.isRetained)
    // A message that does not leave is one that was lost on the way: the protocol sends it again.
    guard let id = try? link?.publish(message), publication.id != 0 else { return }
    published[id] = publication.id
  }

  private func raise(_ alarm: SyncAlarm) {
    health.raise(
      Problem(
        id: "sync.\(alarm.kind.rawValue)", code: alarm.code, severity: .warning,
        title: "the exchange with the foundation",
        cause: alarm.message, effect: "the plant is not concerned; the site runs on by itself", next: alarm.remedy,
        since: clock.instant))
  }

  private func openEpoch() -> PeerEvent? {
    do throws(DeltaLogFault) {
      _ = try log.newEpoch()
      return .epochOpened
    } catch {
      note(error)
      return nil
    }
  }

  func note(_ fault: DeltaLogFault) {
    health.raise(
      Problem(
        id: "sync.log", code: fault.code, severity: .warning, title: "the site's own log cannot be written",
        cause: fault.message, effect: "what happens is recorded here, and not told to the foundation",
        next: fault.remedy, since: clock.instant))
  }
}

/// A site's keys in force, for the closure that seals; replaced when they were rotated.
final class KeyBox: Sendable {
  private final class Held: Sendable {
    let identity: SiteIdentity
    init(_ identity: consuming SiteIdentity) { self.identity = identity }
  }

  private let held: Mutex<Held>

  init(_ identity: consuming SiteIdentity) { held = Mutex(Held(identity)) }

  var keyEpoch: UInt32 { held.withLock { $0 }.identity.keyEpoch }
  var publicKey: Ed25519.PublicKey { held.withLock { $0 }.identity.signing.publicKey }

  func replace(_ identity: consuming SiteIdentity) {
    let next = Held(identity)
    held.withLock { $0 = next }
  }

  func checkpoint(_ stream: LogStream, of log: DeltaLog) throws(DeltaLogFault) {
    try log.checkpoint(stream, by: held.withLock { $0 }.identity.signing)
  }

  /// The note of a checkpoint of the site's own log.
  func sign(_ checkpoint: Checkpoint) -> String {
    checkpoint.signed(name: checkpoint.origin, by: held.withLock { $0 }.identity.signing)
  }

  func seal(_ type: String, _ payload: [UInt8]) -> [UInt8] {
    SignedEnvelope.seal(type: type, payload: payload, by: held.withLock { $0 }.identity.signing)
  }
}
