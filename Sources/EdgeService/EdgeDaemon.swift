import Actuation
import Collectors
import FeatureStore
import Glibc
import Guard
public import Logging
import Provenance
import SQLite
public import Seams
public import ServiceLifecycle
import SiteKernel
import SitePack
import Sodium
import StatusAPI
import Training
import TwinCore

/// The live harness: one site, from its registers to its status socket.
///
/// `open` does everything that can fail before the plant is touched; `run` beats until it is told to stop, and gives
/// back what it holds before it returns.
public final class EdgeDaemon: Service {
  let site: Commissioned
  let configuration: EdgeConfiguration
  let gatewayClock: any SiteClock
  let siteClock: any SiteClock
  let health: HealthRegistry
  let keeper: StoreKeeper
  let inbox: Inbox
  let journal: Journal
  let buses: [Bus]
  let actuator: Actuator
  let lanes: WriteLanes
  let control: ControlLoop
  let waiters: Waiters
  let hub: EventHub
  let notifier: ServiceNotifier
  let log: Logger
  let startedAt: Instant
  /// Nil for a site that stands alone.
  let peer: SitePeer?
  /// Nil for a site without models, or whose folder cannot be made.
  let learning: LearnDesk?
  private let reopening: Reopening
  private let server: StatusServer

  /// Whether `run` returned so that the daemon is opened again, with what was taken up meanwhile.
  public var isToReopen: Bool { reopening.isAsked }

  /// Opens the store, gives back what an earlier life left open, and brings the kernel back to where it was.
  public static func open(
    _ configuration: EdgeConfiguration, environment: [String: String], clock: any SiteClock = SystemClock(), log: Logger
  ) async throws(EdgeFault) -> EdgeDaemon {
    guard Sodium.ready else {
      throw EdgeFault("sodium", "libsodium cannot start", remedy: "reinstall package libsodium23")
    }
    let site = try Commissioned.load(configuration)
    let health = HealthRegistry()
    let keeper: StoreKeeper
    let opened: Result<Start, EdgeFault>
    do throws(StoreError) {
      keeper = try StoreKeeper(directory: configuration.state, limits: StoreLimits())
      opened = try await keeper.with { (store) throws(StoreError) in
        // A step back is refused before anything of this start touches the site.
        if let rollback = try VersionFloor.check(site, in: store) { return .failure(rollback) }
        return .success(try Start.prepare(site, configuration, store, at: clock.instant))
      }
    } catch {
      throw EdgeFault(error)
    }
    let start = try opened.get()
    let pin = try await learner(site, configuration, keeper, health, at: clock.instant)
    let reopening = Reopening()
    let peer: SitePeer?
    do throws(EdgeFault) {
      peer = try SitePeer.open(
        site, configuration, boot: start.boot, clock: clock, health: health, keeper: keeper, logger: log,
        reopen: { reopening.ask() })
    } catch {
      // Whoever cannot talk about the plant still runs it.
      peer = nil
      health.raise(
        Problem(
          id: "sync.closed", code: error.code, severity: .warning, title: "the site cannot talk to its foundation",
          cause: error.message, effect: "the site runs on by itself; what happens is recorded here alone",
          next: error.remedy, since: clock.instant))
    }
    return EdgeDaemon(
      site: site, configuration: configuration, environment: environment, clock: clock, health: health,
      keeper: keeper, start: start, peer: peer, pin: pin, reopening: reopening, log: log)
  }

  private init(
    site: Commissioned, configuration: EdgeConfiguration, environment: [String: String], clock: any SiteClock,
    health: HealthRegistry, keeper: StoreKeeper, start: Start, peer: SitePeer?, pin: LearnerPin?,
    reopening: Reopening, log: Logger
  ) {
    (self.peer, self.reopening) = (peer, reopening)
    (self.site, self.configuration, self.health, self.keeper, self.log) = (site, configuration, health, keeper, log)
    (gatewayClock, startedAt) = (clock, clock.instant)
    let deviceClock = site.info.time.map {
      DeviceClock(epoch: $0.epoch, stepNanoseconds: $0.stepNanoseconds, gateway: clock)
    }
    let siteClock: any SiteClock = deviceClock ?? clock
    self.siteClock = siteClock
    let inbox = Inbox()
    let journal = Journal(
      keeper: keeper, clock: clock, health: health, commitNanoseconds: configuration.commitNanoseconds,
      noteRecorded: { peer?.noteRecorded() })
    let buses = Self.buses(site, start, clock, inbox, journal, isDeviceTime: deviceClock != nil)
    let actuator = Actuator(
      targets: site.targets, buses: buses, siteClock: siteClock, gatewayClock: clock,
      report: { Self.note(lapse: $0, site, inbox, journal, log) })
    let waiters = Waiters()
    let lanes = WriteLanes(
      lanes: buses.map { bus in site.targets.filter { $0.device.link == bus.address }.map(\.point) },
      actuator: actuator,
      clock: clock,
      report: { Self.note($0, of: $1, site, inbox, journal, waiters) })
    let learning = pin.map { pin in
      LearnDesk(
        LearnFolder(state: configuration.state), pin, models: site.definition.models, days: configuration.learningDays,
        schedule: LearnSchedule(everyNanoseconds: configuration.learningNanoseconds, start.learnAsked),
        LearnDesk.Wiring(
          siteClock: siteClock, gatewayClock: clock, health: health, inbox: inbox,
          remember: { journal.set(fact: $0, $1) }, log: log))
    }
    self.learning = learning
    let hub = EventHub(clock: clock)
    let notifier = ServiceNotifier(environment: environment)
    control = ControlLoop(
      kernel: start.recovered.kernel, nextFrame: start.nextFrame, inbox: inbox, journal: journal,
      wiring: ControlLoop.Wiring(
        siteClock: siteClock, gatewayClock: clock, deviceClock: deviceClock, counter: site.counter,
        counterStaleNanoseconds: site.info.time?.staleNanoseconds ?? .max,
        periodNanoseconds: site.info.tickNanoseconds, boot: start.boot, lease: { site.lease(for: $0) },
        order: { lanes.put($0) }, publish: { Self.publish($0, site, waiters, hub, learning) }))
    (self.inbox, self.journal, self.buses, self.actuator, self.lanes) = (inbox, journal, buses, actuator, lanes)
    (self.waiters, self.hub, self.notifier) = (waiters, hub, notifier)
    for command in start.commands { inbox.put(command) }
    let view = StatusView(
      site: site, configuration: configuration, clock: clock, siteClock: siteClock, health: health, keeper: keeper,
      journal: journal, buses: buses, actuator: actuator, times: lanes.times, control: control, inbox: inbox,
      waiters: waiters, hub: hub,
      startedAt: startedAt, peer: peer, requestTraining: learning.map { Self.training(by: $0) })
    server = StatusServer(
      socketPath: configuration.socket, operatorGroup: configuration.operatorGroup, source: view, clock: clock)
    start.raise(health, at: clock.instant)
    inherited = start.reverted.filter { $0.outcome != .confirmed }
  }

  private let inherited: [LeaseRecovery.Reverted]

  /// Runs until a graceful shutdown or a cancellation; returns when everything held is given back and recorded.
  ///
  /// The socket comes first: where another daemon has it, nothing was asked of any device.
  public func run() async throws {
    let (listening, heard) = AsyncStream<Void>.makeStream()
    let (stop, stopped) = AsyncStream<Void>.makeStream()
    let problem = await withTaskGroup(of: APIProblem?.self, returning: APIProblem?.self) { serving in
      serving.addTask {
        defer {
          heard.finish()
          stopped.finish()
        }
        do throws(APIProblem) {
          try await self.server.run(onListening: { heard.yield() })
        } catch {
          return error
        }
        return nil
      }
      for await _ in listening {
        await attend(until: stop, stopped)
        break
      }
      serving.cancelAll()
      return await serving.next() ?? nil
    }
    if let problem { throw EdgeFault(problem) }
  }

  /// From the first request to a device until everything is given back.
  private func attend(until stop: AsyncStream<Void>, _ stopped: AsyncStream<Void>.Continuation) async {
    for lease in inherited {
      if let point = site.point(lease.point), lease.value.isFinite {
        await actuator.inherit(point: point, revertValue: lease.value)
      }
    }
    log.info("site starts", metadata: meta([.site: site.info.qualifiedID, .mode: site.ceilingReason ?? "auto"]))
    notifier.ready("reads \(site.devicesText)")
    await withTaskGroup { collecting in
      for bus in buses { collecting.addTask { await bus.run() } }
      await withTaskGroup { recording in
        recording.addTask { await self.journal.run() }
        // Nothing may be written any more once what is held is given back.
        await withTaskGroup { writing in
          writing.addTask { await self.lanes.run() }
          await beat(until: stop, stopped)
          lanes.close()
          await journal.drain()
          lanes.finish()
        }
        await actuator.giveBackAll()
        await control.close()
        await saveCheckpoint(because: "stop")
        journal.finish()
      }
      collecting.cancelAll()
    }
    do throws(StoreError) {
      // Everything sealed, so that the next start has nothing to replay.
      try await keeper.with { (store) throws(StoreError) in try store.close() }
    } catch {
      log.error("store not closed in order", metadata: meta([.code: error.code, .remedy: error.remedy]))
    }
    log.info("site stopped", metadata: meta([.site: site.info.qualifiedID]))
  }

  /// Everything that makes decisions; ends when the daemon is told to stop, or when the socket cannot be served.
  private func beat(until stop: AsyncStream<Void>, _ stopped: AsyncStream<Void>.Continuation) async {
    await withTaskGroup { beating in
      beating.addTask { await self.actuator.run() }
      beating.addTask { await self.control.run(alive: { self.notifier.alive() }) }
      beating.addTask { await self.control.pace() }
      beating.addTask { await self.upkeep() }
      if let peer { beating.addTask { await peer.run() } }
      if let learning { beating.addTask { await learning.run(self.control) } }
      beating.addTask {
        await self.reopening.asked()
        stopped.finish()
      }
      beating.addTask {
        try? await gracefulShutdown()
        stopped.finish()
      }
      for await _ in stop {}
      isToReopen ? notifier.reloading(at: gatewayClock.uptime) : notifier.stopping()
      beating.cancelAll()
      inbox.finish()
    }
  }

  /// Checkpoints, retention and the conditions that nobody else watches.
  private func upkeep() async {
    var nextCheckpoint = gatewayClock.uptime.advanced(byNanoseconds: Self.checkpointNanoseconds)
    await seedGraph()
    await saveCheckpoint(because: "start")
    // Reading the pack took far more memory than running it does, and other code.
    ProcessMemory.trim()
    var settles: Uptime? = gatewayClock.uptime.advanced(byNanoseconds: Self.settlingNanoseconds)
    while !Task.isCancelled {
      await gatewayClock.sleep(until: gatewayClock.uptime.advanced(byNanoseconds: Self.upkeepNanoseconds))
      guard !Task.isCancelled else { return }
      await watch()
      if let due = settles, gatewayClock.uptime >= due {
        ProcessMemory.leaveText()
        settles = nil
      }
      if gatewayClock.uptime >= nextCheckpoint {
        nextCheckpoint = gatewayClock.uptime.advanced(byNanoseconds: Self.checkpointNanoseconds)
        await saveCheckpoint(because: "period")
        await prune()
        ProcessMemory.trim()
      }
    }
  }

  static let checkpointNanoseconds: Int64 = 600_000_000_000
  /// After so long the first polls, commits and requests of a start are over.
  static let settlingNanoseconds: Int64 = 3_000_000_000
  static let upkeepNanoseconds: Int64 = 1_000_000_000

  func saveCheckpoint(because reason: String) async {
    let (tick, bytes) = await control.checkpoint()
    await journal.drain()
    let instant = gatewayClock.instant
    do throws(StoreError) {
      try await keeper.with { (store) throws(StoreError) in
        // A checkpoint must never lie after the last recorded tick: replay would have nothing to go on from.
        guard store.lastTickNumber >= tick else { return }
        try store.save(Checkpoint(tick: tick, instant: instant, reason: reason, bytes: bytes))
      }
    } catch {
      log.error("checkpoint not saved", metadata: meta([.code: error.code, .remedy: error.remedy]))
    }
  }

  func prune() async {
    let retention = Retention(
      keep: .nanoseconds(configuration.keepNanoseconds),
      keepDecisions: .nanoseconds(configuration.keepDecisionsNanoseconds),
      bytesMax: configuration.bytesMax, freeBytesMin: configuration.freeFloorBytes,
      history: configuration.historyNanoseconds.map { .nanoseconds($0) })
    let instant = gatewayClock.instant
    // The clock decides what is old: while it is not believed nothing is.
    guard gatewayClock.isTrusted else { return }
    for _ in 0..<100 {
      let done = try? await keeper.with { (store) throws(StoreError) in try store.prune(retention, now: instant).isDone
      }
      if done ?? true { return }
    }
  }
}

extension EdgeDaemon {
  private static func buses(
    _ site: Commissioned, _ start: Start, _ clock: any SiteClock, _ inbox: Inbox, _ journal: Journal, isDeviceTime: Bool
  ) -> [Bus] {
    let policy: WritePolicy = site.ceiling == .observe ? .never : .allowed
    return site.pack.collector.buses.map { address, devices in
      Bus(
        address: address, devices: devices, groups: site.pack.collector.groups, link: address.makeLink(), clock: clock,
        policy: policy, seed: UInt64(truncatingIfNeeded: start.boot &* 0x9E37_79B9), facts: start.facts,
        remember: { journal.set(fact: Start.factPrefix + $0, $1) },
        deliver: { inbox.put($0, urgent: isDeviceTime) })
    }
  }

  /// A lapsed lease was given back, or could not be.
  private static func note(
    lapse report: WriteReport, _ site: Commissioned, _ inbox: Inbox, _ journal: Journal, _ log: Logger
  ) {
    inbox.put(.gaveBack(point: report.point, value: report.value, outcome: report.outcome))
    if report.outcome == .confirmed, let lease = report.lapsed {
      journal.close(lease: site.id(report.point), of: lease)
    }
    log.warning(
      "lease given back", metadata: meta([.point: site.id(report.point), .reason: report.cause ?? report.outcome.name]))
  }

  /// A decision was carried out, or was not.
  private static func note(
    _ report: WriteReport, of decision: Decision, _ site: Commissioned, _ inbox: Inbox, _ journal: Journal,
    _ waiters: Waiters
  ) {
    inbox.put(
      .settled(decision.id, point: report.point, outcome: report.outcome, readBack: report.readBack))
    let isRevert = decision.verdict.disposition == .revert
    if isRevert ? report.outcome == .confirmed : report.outcome == .notSent && !report.isStillHeld {
      journal.close(lease: site.id(report.point), of: decision.id)
    } else if !isRevert, report.outcome == .notSent {
      journal.pass(lease: site.id(report.point), of: decision.id)
    }
    waiters.note(report)
  }

  private static func publish(
    _ beat: ControlLoop.Beat, _ site: Commissioned, _ waiters: Waiters, _ hub: EventHub, _ learning: LearnDesk?
  ) {
    waiters.note(beat)
    learning?.note(beat.models)
    StatusView.publish(beat, site, hub)
  }
}

func meta(_ values: [LogKey: String]) -> Logger.Metadata {
  Dictionary(uniqueKeysWithValues: values.map { ($0.key.rawValue, .string($0.value)) })
}

extension EdgeDaemon {
  /// Reads configuration and pack as `open` would, touching nothing; a summary in words.
  public static func check(_ configuration: EdgeConfiguration) throws(EdgeFault) -> String {
    let site = try Commissioned.load(configuration)
    let trust = site.seal.map { "signed, version \($0.version)" } ?? "unsigned: \(site.ceilingReason ?? "")"
    return "ok: \(site.info.qualifiedID), \(site.devicesText), \(site.definition.envelopes.count) envelopes; \(trust); "
      + "ceiling \(site.ceiling.name)"
  }
}

extension EdgeDaemon {
  /// One line each: the program, then the libraries as they are linked now.
  public static var versions: [String] {
    [
      "twind \(StatusView.version)", "sqlite \(Database.versionText(Database.libraryVersion))",
      "libsodium \(Sodium.version)",
    ]
  }
}
