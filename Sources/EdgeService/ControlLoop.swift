import Actuation
import Collectors
import FeatureStore
import Guard
import Models
import Seams
import SiteKernel
import TwinCore

/// A write that a decision asks for, with the proof that it is recorded.
struct WriteOrder: Sendable {
  var decision: Decision
  /// Nil for the renewal of a lease that is recorded already.
  var commit: CommitReceipt?
  /// Why it could not be recorded; then it is not written.
  var failure: StoreError?
  /// Gateway time after which it is no longer written.
  var deadline: Uptime
}

/// The beat of the site: takes what waits, steps the kernel, hands out what is to be recorded and done.
///
/// Runs on a thread of its own and waits for nobody: not for the disk, not for a device, not for a reader.
actor ControlLoop {
  private let executor = ThreadExecutor(name: "control")
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

  struct Wiring: Sendable {
    var siteClock: any SiteClock
    var gatewayClock: any SiteClock
    /// Present where a device owns the time.
    var deviceClock: DeviceClock?
    var counter: (group: Int32, column: Int)?
    /// Gateway time after which a counter that stands still is stale.
    var counterStaleNanoseconds: Int64 = .max
    var periodNanoseconds: Int64
    var boot: Int64
    /// Builds the lease's entry for a decision that opens one.
    var lease: @Sendable (Decision) -> LeaseEntry?
    /// Takes a recorded decision to its device.
    var order: @Sendable (WriteOrder) -> Void
    /// Takes what people and tools want to hear; on the control thread, must not block.
    var publish: @Sendable (Beat) -> Void
  }

  /// What one tick came to, for screens and waiting calls.
  struct Beat: Sendable {
    var instant: Instant
    var decisions: [Decision]
    var records: [DecisionRecord]
    var answers: [Answer]
    var alarms: [AlarmEvent]
    var models: [ModelEvent]
    var frames: [Frame]
    var mode: Mode
  }

  private(set) var kernel: SiteKernel
  private let inbox: Inbox
  private let journal: Journal
  private let wiring: Wiring
  private var outcome = Outcome()
  private var nextFrame: Int64
  private var lastQualities: [Int32: [Quality]] = [:]
  private var isStalled = false
  private var restarted = false
  private var isClosing = false
  private(set) var ticks: Int64 = 0
  private(set) var slowestNanoseconds: Int64 = 0
  private var writer = CanonicalWriter(reservingBytes: 4096)
  private var grid = TimeGrid()

  /// A write is worth nothing when its receipt is later than this.
  static let orderNanoseconds: Int64 = 5_000_000_000

  init(kernel: SiteKernel, nextFrame: Int64, inbox: Inbox, journal: Journal, wiring: Wiring) {
    (self.kernel, self.nextFrame, self.inbox, self.journal, self.wiring) = (kernel, nextFrame, inbox, journal, wiring)
  }

  deinit { executor.stop() }

  /// Beats until the task is cancelled or the inbox is finished. `alive` is called at each beat.
  func run(alive: @Sendable () -> Void) async {
    for await _ in inbox.wakes {
      beat()
      alive()
      if Task.isCancelled { break }
    }
  }

  /// Rings the inbox at the site's period.
  nonisolated func pace() async {
    var next = wiring.gatewayClock.uptime
    while !Task.isCancelled {
      next = max(next.advanced(byNanoseconds: wiring.periodNanoseconds), wiring.gatewayClock.uptime)
      await wiring.gatewayClock.sleep(until: next)
      inbox.ring()
    }
  }

  /// One beat: everything that waits, in one tick. Without news a site whose device owns the time makes no tick.
  func beat() {
    var content = inbox.take()
    if let clock = wiring.deviceClock {
      stamp(&content, clock)
      guard !content.frames.isEmpty || !content.commands.isEmpty else { return }
    }
    let begun = wiring.gatewayClock.uptime
    let tick = number(content)
    kernel.step(tick, into: &outcome)
    ticks += 1
    record(tick)
    slowestNanoseconds = max(slowestNanoseconds, wiring.gatewayClock.uptime.nanoseconds(since: begun))
  }

  var figures: (ticks: Int64, slowestNanoseconds: Int64) { (ticks, slowestNanoseconds) }

  /// Records what the last writes came to. What is decided now is not written any more, and opens no lease.
  func close() {
    isClosing = true
    beat()
    if !inbox.isEmpty { beat() }
  }

  /// Takes in at once what was put in before the call; the number of the tick that did.
  func settle() -> Int64 {
    beat()
    return kernel.lastTick
  }

  func checkpoint() -> (tick: Int64, bytes: [UInt8]) { (kernel.lastTick, kernel.checkpoint()) }

  /// Runs on the control thread between two beats.
  func view<T: Sendable>(_ body: @Sendable (borrowing SiteKernel) -> T) -> T { body(kernel) }

  private func number(_ content: Inbox.Content) -> Tick {
    let instant = wiring.siteClock.instant
    // By group, each group's in order of arrival: the store needs no number for each then.
    var frames = content.frames
    if !zip(frames, frames.dropFirst()).allSatisfy({ $0.group <= $1.group }) {
      frames = frames.enumerated().sorted { ($0.element.group, $0.offset) < ($1.element.group, $1.offset) }
        .map(\.element)
    }
    for index in frames.indices {
      if wiring.deviceClock == nil { grid.place(&frames[index]) }
      frames[index].sequence = nextFrame
      frames[index].observed = instant
      // As the store gives them back: where there is no value, no bits of one.
      for column in frames[index].values.indices where !frames[index].qualities[column].hasValue {
        frames[index].values[column] = .nan
      }
      nextFrame += 1
    }
    return Tick(
      number: kernel.lastTick + 1, instant: instant, uptime: wiring.siteClock.uptime,
      isClockTrusted: wiring.siteClock.isTrusted, frames: frames, commands: content.commands, dropped: content.dropped)
  }

  /// Puts a device's own time on what it sent, and keeps only what tells something new: a step of the plant, or a loss
  /// of it.
  private func stamp(_ content: inout Inbox.Content, _ clock: DeviceClock) {
    var kept: [Frame] = []
    for var frame in content.frames {
      var moved = false
      if let counter = wiring.counter, counter.group == frame.group, frame.qualities[counter.column].isUsable {
        switch clock.observe(Int64(frame.values[counter.column])) {
        case .still: break
        case .forward: moved = true
        case .restarted:
          moved = true
          restarted = true
        }
      }
      guard moved || lastQualities[frame.group] != frame.qualities else { continue }
      lastQualities[frame.group] = frame.qualities
      (frame.effective, frame.uptime) = (clock.instant, clock.uptime)
      kept.append(frame)
    }
    if kept.contains(where: { $0.group == wiring.counter?.group }) { isStalled = false }
    if !isStalled, clock.stillNanoseconds > wiring.counterStaleNanoseconds {
      isStalled = true
      for (group, definition) in kernel.definition.groups.enumerated() {
        lastQualities[Int32(group)] = nil
        kept.append(
          Frame(
            group: Int32(group), effective: clock.instant, observed: clock.instant, uptime: clock.uptime,
            values: Array(repeating: 0, count: definition.points.count),
            qualities: Array(repeating: .failed, count: definition.points.count)))
      }
    }
    content.frames = kept
    if restarted {
      restarted = false
      content.commands.insert(.session(isNewBoot: true, mode: nil, ceiling: kernel.ceiling), at: 0)
    }
  }

  private func record(_ tick: Tick) {
    writer.reset()
    tick.encode(to: &writer)
    writer.digest(outcome.fingerprint)
    let first = tick.frames.first?.sequence ?? nextFrame
    var entry = JournalEntry(
      frames: tick.frames,
      tick: TickRecord(
        number: tick.number, instant: tick.instant, uptime: tick.uptime, boot: wiring.boot, frames: first..<nextFrame,
        mustBeKept: !tick.commands.isEmpty || !outcome.decisions.isEmpty, bytes: writer.bytes))
    var records: [DecisionRecord] = []
    var orders: [Decision] = []
    for decision in outcome.decisions {
      let isRenewal = decision.verdict.disposition == .keep && !decision.isNews
      if decision.isCarriedOut { orders.append(decision) }
      guard !isRenewal || decision.request != nil else { continue }
      let record = DecisionRecord(decision, of: outcome, at: tick.instant, mode: kernel.mode, in: kernel.definition)
      records.append(record)
      var bytes = CanonicalWriter()
      record.encode(to: &bytes)
      entry.decisions.append(
        DecisionEntry(
          id: decision.id.description, tick: tick.number, instant: tick.instant,
          kind: decision.verdict.disposition.name, point: record.point, bytes: bytes.bytes))
      if decision.isCarriedOut, !isClosing, decision.verdict.disposition != .revert, let lease = wiring.lease(decision)
      {
        entry.leases.append((lease, decision.id))
      }
    }
    entry.events = events(of: tick)
    dispatch(orders, with: &entry)
    journal.submit(entry)
    wiring.publish(
      Beat(
        instant: tick.instant, decisions: outcome.decisions, records: records, answers: outcome.answers,
        alarms: outcome.alarms, models: outcome.models, frames: tick.frames, mode: kernel.mode))
  }

  /// What is to be written waits for the commit; what only renews a lease that is already recorded does not.
  private func dispatch(_ orders: [Decision], with entry: inout JournalEntry) {
    guard !isClosing else {
      for decision in orders {
        inbox.put(.settled(decision.id, point: decision.proposal.point, outcome: .notSent, readBack: nil))
      }
      return
    }
    let renewals = orders.filter { $0.verdict.disposition == .keep && !$0.isNews }
    let writes = orders.filter { !($0.verdict.disposition == .keep && !$0.isNews) }
    let deadline = wiring.gatewayClock.uptime.advanced(byNanoseconds: Self.orderNanoseconds)
    let order = wiring.order
    for decision in renewals { order(WriteOrder(decision: decision, commit: nil, deadline: deadline)) }
    guard !writes.isEmpty else { return }
    entry.whenDurable = { result in
      for decision in writes {
        var written = WriteOrder(decision: decision, commit: nil, deadline: deadline)
        switch result {
        case .success(let commit): written.commit = commit
        case .failure(let fault): written.failure = fault
        }
        order(written)
      }
    }
  }

  private func events(of tick: Tick) -> [EventEntry] {
    var events: [EventEntry] = []
    for event in outcome.alarms {
      let alarm = kernel.definition.alarms[Int(event.alarm)]
      events.append(
        EventEntry(
          tick: tick.number, instant: tick.instant, kind: "alarm.\(event.kind)", subject: alarm.id,
          bytes: Array((event.by ?? "").utf8)))
    }
    for event in outcome.models {
      let model = kernel.definition.models[Int(event.model)]
      events.append(ModelRecord.entry(event, of: model.id, tick: tick.number, at: tick.instant))
    }
    for command in tick.commands {
      switch command {
      case .settled(let decision, _, let outcome, let readBack):
        events.append(
          EventEntry(
            tick: tick.number, instant: tick.instant, kind: "outcome.\(outcome.name)", subject: decision.description,
            bytes: Array((readBack.map { "\($0)" } ?? "").utf8)))
      case .setMode(let mode, let person):
        events.append(
          EventEntry(
            tick: tick.number, instant: tick.instant, kind: "mode.\(mode.name)", subject: "", bytes: Array(person.utf8))
        )
      case .session:
        events.append(
          EventEntry(
            tick: tick.number, instant: tick.instant, kind: "session", subject: kernel.definition.digests.pack.hex,
            bytes: []))
      default: break
      }
    }
    return events
  }
}
