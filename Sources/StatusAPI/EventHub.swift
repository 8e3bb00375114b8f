public import Seams
import Synchronization
import TwinCore

/// Which events a reader wants. Empty sets mean all.
public struct EventFilter: Sendable, Equatable {
  public var points: [PointPattern]
  public var kinds: Set<String>

  public init(points: [PointPattern] = [], kinds: Set<String> = []) { (self.points, self.kinds) = (points, kinds) }

  /// With points given, what concerns no point is left out.
  public func admits(_ event: API.Event) -> Bool {
    guard kinds.isEmpty || kinds.contains(event.kind) else { return false }
    guard !points.isEmpty else { return true }
    guard let point = event.point else { return false }
    return points.contains { $0.matches(point) }
  }
}

/// Carries what happens to whoever watches, and remembers the last minutes for those who come back.
///
/// Publishing never waits: a reader that lags more than `queueMax` events loses its oldest ones and is told how many
/// (`gap`). Any thread may publish and subscribe.
public final class EventHub: Sendable {
  public static let queueMax = 256
  public static let ringMax = 4096
  public static let ringSeconds = 600
  public static let readersMax = 256

  private let clock: any SiteClock
  private let state: Mutex<State>

  /// Numbers begin at the wall clock's milliseconds, so that a number of an earlier run is never taken for one of
  /// this run.
  public init(clock: any SiteClock) {
    self.clock = clock
    state = Mutex(State(nextID: UInt64(max(1, clock.instant.nanoseconds / 1_000_000))))
  }

  /// Gives the event its number and hands it to every reader that wants it.
  @discardableResult
  public func publish(_ event: API.Event) -> UInt64 {
    let now = clock.uptime
    let (id, woken) = state.withLock { $0.publish(event, at: now) }
    for (waiter, event) in woken { waiter.resume(returning: event) }
    return id
  }

  /// Whether anyone watches: values that nobody reads need not be made.
  public var hasReaders: Bool { state.withLock { !$0.readers.isEmpty } }

  /// What the ring holds, oldest first.
  public var recent: [API.Event] {
    let now = clock.uptime
    return state.withLock {
      $0.expire(at: now)
      return $0.ring[$0.ringHead...].map(\.event)
    }
  }

  /// Events after number `id`, or from now on when it is nil. Begins with `resync` when the ring no longer reaches
  /// back to `id`. The stream has one reader; it ends when that reader's task is cancelled or lets go of it.
  public func subscribe(since id: UInt64?, _ filter: EventFilter) throws(APIProblem) -> AsyncStream<API.Event> {
    let (now, instant) = (clock.uptime, clock.instant)
    guard let reader = state.withLock({ $0.subscribe(since: id, filter, now: now, at: Timestamp(instant)) }) else {
      throw APIProblem(
        status: 503, code: "api.too_many_readers", title: "\(Self.readersMax) readers watch already",
        next: "end one of them, then try again")
    }
    let subscription = Subscription(hub: self, reader: reader)
    return AsyncStream(unfolding: { await subscription.next() }, onCancel: { subscription.end() })
  }

  /// Unsubscribes when the stream that captured it is gone.
  private final class Subscription: Sendable {
    private let hub: EventHub
    private let reader: Int

    init(hub: EventHub, reader: Int) { (self.hub, self.reader) = (hub, reader) }
    deinit { end() }

    func end() { hub.state.withLock { $0.readers.removeValue(forKey: reader) }?.waiter?.resume(returning: nil) }

    func next() async -> API.Event? {
      await withTaskCancellationHandler {
        await withCheckedContinuation { continuation in
          let (now, instant) = (hub.clock.uptime, hub.clock.instant)
          let ready: API.Event?? = hub.state.withLock {
            $0.take(reader, now: now, at: Timestamp(instant), else: continuation)
          }
          if let ready { continuation.resume(returning: ready) }
        }
      } onCancel: {
        end()
      }
    }
  }
}

extension EventHub {
  typealias Waiter = CheckedContinuation<API.Event?, Never>

  /// What one reader has yet to get: first the replay out of the ring, then the loss, then the queue.
  struct Reader {
    var filter: EventFilter
    var resync: API.Event?
    /// The next number to replay, up to and without `replayEnd`.
    var replay: UInt64
    var replayEnd: UInt64
    var dropped = 0
    var queue: [API.Event] = []
    var waiter: Waiter?
  }

  struct State {
    var nextID: UInt64
    var ring: [(event: API.Event, at: Uptime)] = []
    /// The ring begins here; the places before it are given back in bulk.
    var ringHead = 0
    var readers: [Int: Reader] = [:]
    var nextReader = 0

    init(nextID: UInt64) { self.nextID = nextID }

    /// The number of the oldest event in the ring, or the next one when it is empty.
    var oldestID: UInt64 { nextID - UInt64(ring.count - ringHead) }

    mutating func expire(at now: Uptime) {
      let age = Int64(EventHub.ringSeconds) * 1_000_000_000
      while ringHead < ring.count,
        ring.count - ringHead > EventHub.ringMax || now.nanoseconds(since: ring[ringHead].at) > age
      {
        ringHead += 1
      }
      guard ringHead > EventHub.ringMax || ringHead == ring.count else { return }
      ring.removeFirst(ringHead)
      ringHead = 0
    }

    mutating func publish(_ event: API.Event, at now: Uptime) -> (UInt64, [(Waiter, API.Event)]) {
      var event = event
      event.id = nextID
      ring.append((event, now))
      nextID += 1
      expire(at: now)
      var woken: [(Waiter, API.Event)] = []
      for key in readers.keys where readers[key]!.filter.admits(event) {
        if let waiter = readers[key]!.waiter {
          readers[key]!.waiter = nil
          woken.append((waiter, event))
          continue
        }
        readers[key]!.queue.append(event)
        if readers[key]!.queue.count > EventHub.queueMax {
          readers[key]!.queue.removeFirst()
          readers[key]!.dropped += 1
        }
      }
      return (event.id!, woken)
    }

    mutating func subscribe(since id: UInt64?, _ filter: EventFilter, now: Uptime, at: Timestamp) -> Int? {
      guard readers.count < EventHub.readersMax else { return nil }
      expire(at: now)
      var reader = Reader(filter: filter, replay: nextID, replayEnd: nextID)
      if let id {
        if id < nextID, id &+ 1 >= oldestID {
          reader.replay = id + 1
        } else {
          reader.resync = API.Event(
            id: nextID - 1, kind: "resync", at: at, text: "events since \(id) are not held; read the state again")
        }
      }
      nextReader += 1
      readers[nextReader] = reader
      return nextReader
    }

    /// The reader's next event; `.some(nil)` when it has ended; nil when `waiter` was kept for later.
    mutating func take(_ key: Int, now: Uptime, at: Timestamp, else waiter: Waiter) -> API.Event?? {
      guard var reader = readers.removeValue(forKey: key) else { return .some(nil) }
      defer { readers[key] = reader }
      if let resync = reader.resync {
        reader.resync = nil
        return resync
      }
      if reader.replay < oldestID, reader.replay < reader.replayEnd {
        let lost = min(oldestID, reader.replayEnd) - reader.replay
        reader.replay += lost
        return Self.gap(Int(lost), at)
      }
      while reader.replay < reader.replayEnd {
        let event = ring[ringHead + Int(reader.replay - oldestID)].event
        reader.replay += 1
        if reader.filter.admits(event) { return event }
      }
      if reader.dropped > 0 {
        defer { reader.dropped = 0 }
        return Self.gap(reader.dropped, at)
      }
      if !reader.queue.isEmpty { return reader.queue.removeFirst() }
      reader.waiter = waiter
      return .none
    }

    private static func gap(_ dropped: Int, _ at: Timestamp) -> API.Event {
      API.Event(kind: "gap", at: at, text: "this reader was too slow", dropped: dropped)
    }
  }
}
