import Ledger
import Logging
import MQTT
import Provenance
import Seams
import Sync
import TwinCore

/// What reaches a worker from outside.
enum WorkerInput: Sendable {
  case link(MessageEvent)
  case directed(SiteName)
  case collect(SiteName, ArtefactManifest)
  case publish(SyncTopic, [UInt8], isRetained: Bool)
  case tick
}

/// One worker: a connection to the broker, the protocol's foundation end, and the ledger behind it.
///
/// On a thread of its own. Any number may run, here or on other machines; what one holds between two messages may be
/// lost at any moment.
actor IngestWorker {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  nonisolated let number: Int
  nonisolated let mailbox: AsyncStream<WorkerInput>.Continuation
  private nonisolated let inputs: AsyncStream<WorkerInput>
  private let settings: BrokerSettings
  private let clock: any SiteClock
  private let desk: any WorkerDesk
  private let ledger: Ledger
  private let logger: Logger
  private var peer: FoundationPeer
  private var link: BrokerLink?
  private var reconnection: Reconnection
  private var wakeAt: Uptime?
  /// The lease is another's: there is nothing to connect for.
  private var isStopped = false

  static let mailboxMax = 8192
  static let tickNanoseconds: Int64 = 100_000_000
  static let enrolmentFilter = "tw/1/enrol/+/csr"

  init(
    number: Int, _ settings: BrokerSettings, name: String, seal: IngestSeal, challengeKey: [UInt8], ledger: Ledger,
    desk: any WorkerDesk, clock: any SiteClock, logger: Logger
  ) {
    (self.number, self.settings, self.clock, self.desk, self.logger) = (number, settings, clock, desk, logger)
    self.ledger = ledger
    executor = ThreadExecutor(name: "ingest-\(number)")
    (inputs, mailbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.mailboxMax))
    let configuration = FoundationConfiguration(
      name: name, seal: { seal.seal($0, $1) }, cosign: { seal.cosign($0, at: $1) }, challengeKey: challengeKey)
    peer = FoundationPeer(configuration, ledger: ledger, shelf: ledger, random: { UInt64.random(in: 0...UInt64.max) })
    reconnection = Reconnection(schedule: ReconnectSchedule(spread: .seconds(5)), at: clock.uptime)
  }

  deinit { executor.stop() }

  /// Until the task is cancelled.
  func run() async {
    let (clock, inputs, mailbox) = (clock, inputs, mailbox)
    link = BrokerLink(settings) { mailbox.yield(.link($0)) }
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
    link?.disconnect()
    link?.close()
    link = nil
  }

  private func take(_ input: WorkerInput) async {
    let now = clock.uptime
    switch input {
    case .link(let event): await take(event, now)
    case .directed(let site): await act(on: .directedAppended(site))
    case .collect(let site, let manifest): await act(on: .collect(site, manifest))
    case .publish(let topic, let bytes, let isRetained): send(topic, bytes, isRetained: isRetained)
    case .tick:
      if !isStopped, reconnection.begin(at: now) != nil { connect() }
      if wakeAt.map({ now >= $0 }) ?? false {
        wakeAt = nil
        await act(on: .tick)
      }
    }
  }

  private func take(_ event: MessageEvent, _ now: Uptime) async {
    switch event {
    case .connected(let limits):
      await desk.noteBroker(worker: number, "connected", cause: nil)
      if number == 1 {
        _ = try? link?.subscribe(Self.enrolmentFilter)
        for (topic, bytes) in await desk.retained { send(topic, bytes, isRetained: true) }
      }
      await act(on: .connected(packetBytesMax: limits.packetBytesMax))
    case .disconnected(let fault):
      reconnection.lost(at: now)
      await desk.noteBroker(worker: number, "down", cause: fault.message)
      await act(on: .disconnected)
    case .received(let message):
      // A CONNACK is no proof: two workers of one name would throw each other out at full speed.
      reconnection.wasUseful()
      if case .enrolRequest(let token)? = SyncTopic(message.topic) {
        guard let reply = await desk.enrol(message.payload, token: token) else { return }
        return send(.enrolAnswer(token: token), reply, isRetained: false)
      }
      await act(on: .received(topic: message.topic, payload: message.payload))
      if case .heartbeat(let site)? = SyncTopic(message.topic) { noteClaims(message.payload, of: site) }
    case .published, .subscribed: break
    }
  }

  /// Where a site says that its logs end, for the console; the protocol judges by other words.
  private func noteClaims(_ bytes: [UInt8], of site: SiteName) {
    guard let record = try? ledger.site(site),
      let envelope = try? SignedEnvelope(bytes, max: SyncLimits.packetBytesMax), envelope.type == Heartbeat.type,
      (try? envelope.verify(by: record.signingKeys(at: clock.instant))) != nil,
      let heartbeat = try? Heartbeat(payload: envelope.payload), heartbeat.site == site
    else { return }
    let nexts = Dictionary(
      zip(LogStream.allCases, heartbeat.progress).map { ($0, $1.next) }, uniquingKeysWith: { a, _ in a })
    try? ledger.noteClaims(nexts, of: site, epoch: heartbeat.mark.epoch)
  }

  private func connect() {
    let will = peer.will
    do throws(MessageFault) {
      try link?.connect(
        will: OutgoingMessage(
          topic: will.topic.description, payload: will.payload, delivery: .atLeastOnce, isRetained: will.isRetained))
    } catch {
      reconnection.lost(at: clock.uptime)
      logger.warning("broker", metadata: ["cause": "\(error.message)", "next": "\(error.remedy)"])
    }
  }

  private func act(on event: FoundationEvent) async {
    for action in peer.handle(event, now: clock.uptime, wall: clock.instant) {
      switch action {
      case .subscribe(let filters):
        for filter in filters { _ = try? link?.subscribe(filter) }
      case .publish(let publication):
        // What does not leave is asked for again by the site.
        _ = try? link?.publish(
          OutgoingMessage(
            topic: publication.topic.description, payload: publication.payload,
            delivery: publication.qos == 0 ? .atMostOnce : .atLeastOnce, isRetained: publication.isRetained))
      case .notice(let notice): await desk.note(notice)
      case .wake(let at): wakeAt = at
      case .stop:
        logger.error("another foundation holds the lease; this worker acknowledges nothing more")
        link?.disconnect()
        isStopped = true
        await desk.noteLeaseLost()
      }
    }
  }

  private func send(_ topic: SyncTopic, _ bytes: [UInt8], isRetained: Bool) {
    do throws(MessageFault) {
      _ = try link?.publish(
        OutgoingMessage(
          topic: topic.description, payload: bytes, delivery: .atLeastOnce, isRetained: isRetained))
    } catch {
      logger.warning("not published", metadata: ["topic": "\(topic)", "cause": "\(error.message)"])
    }
  }
}
