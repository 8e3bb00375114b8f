import FeatureStore
import Logging
import Models
import Seams
import SiteKernel
import Sodium
import Synchronization
import Training
import TwinCore

/// Where daemon and learner meet: takes candidates from the folder into the inbox, and asks for training.
///
/// On a thread of its own: signatures and files never hold the control loop up. One candidate is under way at a time;
/// it is out of the folder when a tick has answered it, so that none is lost and none runs twice.
actor LearnDesk {
  private let executor = ThreadExecutor(name: "learn")
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  struct Wiring: Sendable {
    var siteClock: any SiteClock
    var gatewayClock: any SiteClock
    var health: HealthRegistry
    var inbox: Inbox
    var remember: @Sendable (_ fact: String, _ bytes: [UInt8]) -> Void
    var log: Logger
  }

  /// How a model stands, as far as it matters here.
  struct Standing: Sendable, Equatable {
    var id: String
    /// Only the template is at work, and it has seen enough to be trained.
    var isUntrainedReady: Bool
    var candidates: [Digest]

    init(_ definition: ModelDefinition, _ slot: borrowing ModelSlot) {
      id = definition.id
      let champion = slot.champion
      isUntrainedReady =
        !champion.version.isCalibrated && champion.learned >= LearnSchedule.readyDays * definition.stepsPerDay
      candidates = [champion.version.candidate, slot.challenger?.version.candidate, slot.previous?.version.candidate]
        .compactMap { $0 }
    }
  }

  private struct Pending {
    var name: String
    var digest: Digest
    var sinceTick: Int64
  }

  let folder: LearnFolder
  private let pin: LearnerPin
  private let models: [ModelDefinition]
  private let days: Int
  private let wiring: Wiring
  private var schedule: LearnSchedule
  private var pending: Pending?
  /// What could not be moved out of the folder: not to be handed over again.
  private var stuck: Set<String> = []
  /// What the ticks since the last look said of models.
  private let heard = Mutex<[ModelEvent]>([])

  static let lookNanoseconds: Int64 = 2_000_000_000
  /// Events between two looks; the record has them all.
  static let heardMax = 1024
  /// Of names that could not be moved: a folder that is not ours to write gives no more.
  private static let stuckMax = 1024
  /// Ticks that a command may take to be answered.
  private static let answerTicks: Int64 = 64

  init(
    _ folder: LearnFolder, _ pin: LearnerPin, models: [ModelDefinition], days: Int, schedule: LearnSchedule,
    _ wiring: Wiring
  ) {
    (self.folder, self.pin, self.models, self.days) = (folder, pin, models, days)
    (self.schedule, self.wiring) = (schedule, wiring)
  }

  deinit { executor.stop() }

  /// Looks until the task is cancelled.
  func run(_ control: ControlLoop) async {
    while !Task.isCancelled {
      let definitions = models
      let (tick, standings) = await control.view { kernel in
        (kernel.lastTick, zip(definitions, kernel.models).map { Standing($0, $1) })
      }
      look(standings, tick: tick)
      let clock = wiring.gatewayClock
      await clock.sleep(until: clock.uptime.advanced(byNanoseconds: Self.lookNanoseconds))
    }
  }

  /// What a tick said; on the control thread, never waits for the disk.
  nonisolated func note(_ events: [ModelEvent]) {
    guard !events.isEmpty else { return }
    heard.withLock { heard in
      heard += events
      if heard.count > Self.heardMax { heard.removeFirst(heard.count - Self.heardMax) }
    }
  }

  /// One look: at what ticks said, at the folder, at the schedule.
  func look(_ standings: [Standing], tick: Int64) {
    let events = heard.withLock { heard in
      defer { heard = [] }
      return heard
    }
    for event in events { tell(event) }
    settle(events, standings, tick: tick)
    if pending == nil { take(standings, tick: tick) }
    let now = wiring.siteClock.instant
    if let due = schedule.due(at: now, isUntrainedReady: standings.contains(where: \.isUntrainedReady)) {
      do throws(TrainingFault) {
        try ask(due.models, days: days, because: due.reason, at: now)
        wiring.health.clear("learn.folder")
      } catch {
        complain(error)
      }
    }
  }

  /// A person asks for a model to be trained; a sentence that says what happens now.
  func ask(_ model: String, by person: String, reason: String) throws(TrainingFault) -> String {
    let why = reason.isEmpty ? "\(person) asks" : "\(person): \(reason)"
    try ask([model], days: days, because: why, at: wiring.siteClock.instant)
    return "asked for; twind-learn trains \(model) on the last \(days) days, then it runs beside the model at work"
  }

  private func ask(_ models: [String], days: Int, because reason: String, at now: Instant) throws(TrainingFault) {
    let id = schedule.ask(at: now, above: folder.answered, models: models)
    wiring.remember(LearnSchedule.fact, schedule.bytes)
    try folder.ask(LearnRequest(id: id, days: days, models: models, reason: String(reason.prefix(1000))))
  }

  private func tell(_ event: ModelEvent) {
    guard models.indices.contains(Int(event.model)) else { return }
    let reason: [LogKey: String] = [.reason: "\(models[Int(event.model)].id): \(event.text)"]
    switch event.kind {
    // What a template at its priors makes of a plant is no news.
    case .drift where event.candidate == .zero: break
    case .drift: wiring.log.warning("model's drift", metadata: meta(reason))
    case .refused: wiring.log.warning("model refused", metadata: meta(reason))
    case .recalibrate: schedule.want(models[Int(event.model)].id, because: event.text)
    case .promoted: wiring.log.info("model promoted", metadata: meta(reason))
    case .rolledBack: wiring.log.warning("model rolled back", metadata: meta(reason))
    case .admitted, .retired, .refusedReading: break
    }
  }

  /// A candidate that a tick has answered leaves the folder.
  private func settle(_ events: [ModelEvent], _ standings: [Standing], tick: Int64) {
    guard let waiting = pending else { return }
    if let refusal = events.first(where: { $0.kind == .refused && $0.candidate == waiting.digest }) {
      move(waiting.name, LearnFolder.refused, refusal.text)
      pending = nil
    } else if events.contains(where: { $0.kind == .admitted && $0.candidate == waiting.digest })
      || standings.contains(where: { $0.candidates.contains(waiting.digest) })
    {
      move(waiting.name, LearnFolder.taken, nil)
      pending = nil
    } else if tick > waiting.sinceTick + Self.answerTicks {
      // The tick that took it said nothing that was heard: it is looked at anew.
      pending = nil
    }
  }

  private func take(_ standings: [Standing], tick: Int64) {
    guard let name = folder.waiting().first(where: { !stuck.contains($0) }) else { return }
    do throws(TrainingFault) {
      guard let bytes = folder.candidate(name) else {
        throw TrainingFault(
          .candidateRefused, "it cannot be read, or has more than \(SealedCandidate.bytesMax) bytes",
          remedy: "train again: twind-learn --once")
      }
      let sealed = try SealedCandidate(bytes, signedBy: pin.key)
      guard SealedCandidate.fileName(sealed.digest) == name else {
        throw TrainingFault(
          .candidateRefused, "its name is not its digest", remedy: "train again: twind-learn --once")
      }
      guard let place = models.firstIndex(where: { $0.id == sealed.candidate.model }) else {
        throw TrainingFault(
          .candidateRefused, "the site has no model \(sealed.candidate.model)",
          remedy: "train with the pack that the site runs")
      }
      // Its life before took it, and did not come to putting it away.
      if standings[place].candidates.contains(sealed.digest) {
        move(name, LearnFolder.taken, nil)
        return
      }
      // Full: at the next look.
      guard wiring.inbox.put(.admit(model: Int32(place), candidate: sealed.candidateBytes)) else { return }
      pending = Pending(name: name, digest: sealed.digest, sinceTick: tick)
    } catch {
      wiring.log.warning("candidate refused", metadata: meta([.code: error.code, .reason: error.message]))
      move(name, LearnFolder.refused, error.message)
    }
  }

  private func move(_ name: String, _ into: String, _ reason: String?) {
    do throws(TrainingFault) {
      try folder.put(name, into: into, reason: reason)
      wiring.health.clear("learn.folder")
    } catch {
      if stuck.count < Self.stuckMax { stuck.insert(name) }
      complain(error)
    }
  }

  private func complain(_ fault: TrainingFault) {
    wiring.health.raise(
      Problem(
        id: "learn.folder", code: fault.code, severity: .warning, title: "the folder of learning cannot be written",
        cause: fault.message, effect: "models are not trained anew; those at work go on", next: fault.remedy,
        since: wiring.gatewayClock.instant))
  }
}
