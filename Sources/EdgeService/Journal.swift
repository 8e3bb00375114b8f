import FeatureStore
import Seams
import Synchronization
import TwinCore

/// What one tick leaves to be recorded.
struct JournalEntry: Sendable {
  var frames: [Frame]
  var tick: TickRecord
  var decisions: [DecisionEntry] = []
  /// Each with the decision that opens it.
  var leases: [(entry: LeaseEntry, decision: DecisionID)] = []
  var events: [EventEntry] = []
  /// Commits at once and tells: a write waits for it.
  var whenDurable: (@Sendable (Result<CommitReceipt, StoreError>) -> Void)?
}

/// Owns the store and its thread; everything that touches the disk passes here.
actor StoreKeeper {
  private let executor = ThreadExecutor(name: "store")
  nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
  private let store: SiteStore

  init(directory: String, limits: StoreLimits) throws(StoreError) {
    store = try SiteStore(directory: directory, limits: limits)
  }

  deinit { executor.stop() }

  /// Runs on the store's thread. The store must not escape.
  func with<T: Sendable>(_ body: @Sendable (SiteStore) throws(StoreError) -> T) throws(StoreError) -> T {
    try body(store)
  }
}

/// The way of records to the disk: a bounded queue, a group commit, and word when something is durable.
///
/// The control loop only ever puts in. When the disk stalls, entries without a decision go first, oldest first, and are
/// counted; a decision that finds no room is told so at once, and then nothing is written to the plant.
final class Journal: Sendable {
  private struct State {
    var waiting: [JournalEntry] = []
    var closedLeases: [String] = []
    /// By point, the last decision that opened a lease; as many as there are writable points.
    var holders: [String: DecisionID] = [:]
    var facts: [(String, [UInt8])] = []
    var dropped = 0
    var lastCommitAt: Uptime?
    /// Since when a commit is under way.
    var committingSince: Uptime?
  }

  static let waitingMax = 2048
  /// A disk that takes longer is broken, or nearly.
  static let stalledLimitNanoseconds: Int64 = 5_000_000_000

  let keeper: StoreKeeper
  private let clock: any SiteClock
  private let health: HealthRegistry
  private let commitNanoseconds: Int64
  /// After a commit with a decision or an event in it.
  private let noteRecorded: @Sendable () -> Void
  private let state = Mutex(State())
  private let wake: AsyncStream<Void>.Continuation
  private let wakes: AsyncStream<Void>

  init(
    keeper: StoreKeeper, clock: any SiteClock, health: HealthRegistry, commitNanoseconds: Int64,
    noteRecorded: @escaping @Sendable () -> Void = {}
  ) {
    (self.keeper, self.clock, self.health, self.commitNanoseconds) = (keeper, clock, health, commitNanoseconds)
    self.noteRecorded = noteRecorded
    (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  var dropped: Int { state.withLock { $0.dropped } }

  /// How long the commit under way has taken so far; 0 between two.
  var stalledNanoseconds: Int64 {
    state.withLock { $0.committingSince.map { max(1, clock.uptime.nanoseconds(since: $0)) } ?? 0 }
  }

  func submit(_ entry: JournalEntry) {
    let isUrgent = entry.whenDurable != nil
    let refused = state.withLock { state in
      if state.waiting.count >= Self.waitingMax {
        guard let oldest = state.waiting.firstIndex(where: { $0.whenDurable == nil && !$0.tick.mustBeKept }) else {
          return true
        }
        state.waiting.remove(at: oldest)
        state.dropped += 1
      }
      state.waiting.append(entry)
      for lease in entry.leases { state.holders[lease.entry.point] = lease.decision }
      return false
    }
    if refused {
      entry.whenDurable?(.failure(StoreError(.busy, "\(Self.waitingMax) entries wait for the disk")))
      return
    }
    let isDue = state.withLock { state in
      state.lastCommitAt.map { clock.uptime.nanoseconds(since: $0) >= commitNanoseconds } ?? true
    }
    if isUrgent || isDue { wake.yield() }
  }

  /// With the next commit, unless a younger decision holds the point by now: its lease takes the same place on the
  /// disk.
  func close(lease point: String, of decision: DecisionID) {
    state.withLock { state in
      guard state.holders[point].map({ $0 <= decision }) ?? true else { return }
      state.holders[point] = nil
      state.closedLeases.append(point)
    }
    wake.yield()
  }

  /// A decision whose write never left: the lease on the disk is again that of whoever held the point before.
  func pass(lease point: String, of decision: DecisionID) {
    state.withLock { if $0.holders[point] == decision { $0.holders[point] = nil } }
  }

  /// With the next commit; of several values of one key the last counts.
  func set(fact key: String, _ bytes: [UInt8]) {
    state.withLock { $0.facts.append((key, bytes)) }
  }

  /// Writes until the task is cancelled; then once more.
  func run() async {
    for await _ in wakes { await drain() }
    await drain()
  }

  /// Ends `run` after what waits is written.
  func finish() { wake.finish() }

  func drain() async {
    let (entries, closed, facts) = state.withLock { state in
      state.committingSince = clock.uptime
      defer { (state.waiting, state.closedLeases, state.facts) = ([], [], []) }
      return (state.waiting, state.closedLeases, state.facts)
    }
    let outcome = await commit(entries, closed, facts)
    state.withLock { ($0.lastCommitAt, $0.committingSince) = (clock.uptime, nil) }
    if case .failure(let fault) = outcome { complain(fault) } else { health.clear("store.commit") }
    for entry in entries { entry.whenDurable?(outcome) }
    if case .success = outcome, entries.contains(where: { !$0.decisions.isEmpty || !$0.events.isEmpty }) {
      noteRecorded()
    }
  }

  private func commit(
    _ entries: [JournalEntry], _ closed: [String], _ facts: [(String, [UInt8])]
  ) async -> Result<CommitReceipt, StoreError> {
    do throws(StoreError) {
      let receipt = try await keeper.with { (store) throws(StoreError) in
        for entry in entries {
          for frame in entry.frames { try store.append(frame) }
          try store.append(tick: entry.tick)
          for decision in entry.decisions { try store.append(decision: decision) }
          for lease in entry.leases { try store.append(lease: lease.entry) }
          try store.append(events: entry.events)
        }
        for point in closed { store.append(leaseClosed: point) }
        for (key, bytes) in facts { try store.setFact(key, bytes) }
        return try store.commit()
      }
      return .success(receipt)
    } catch {
      return .failure(error)
    }
  }

  private func complain(_ fault: StoreError) {
    health.raise(
      Problem(
        id: "store.commit", code: fault.code, severity: .alarm, title: "nothing can be recorded",
        cause: fault.message, effect: "no setpoint is written until it can; readings wait in memory",
        next: fault.remedy,
        since: clock.instant))
  }
}
