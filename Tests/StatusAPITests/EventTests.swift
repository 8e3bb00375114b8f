import Testing
import TwinCore

@testable import StatusAPI

@Suite("Events reach those who watch", .timeLimit(.minutes(1)))
struct EventTests {
  private let clock = HandClock()

  private func event(_ kind: String = "value", _ point: String? = "a.b") -> API.Event {
    API.Event(kind: kind, at: Timestamp(clock.instant), point: point)
  }

  /// The next `count` events of a stream that has at least so many.
  private func take(_ count: Int, _ stream: AsyncStream<API.Event>) async -> [API.Event] {
    var events: [API.Event] = []
    for await event in stream {
      events.append(event)
      if events.count == count { break }
    }
    return events
  }

  @Test("numbers rise by one and begin beyond those of an earlier run")
  func numbers() {
    let hub = EventHub(clock: clock)
    let first = hub.publish(event())
    #expect(first == UInt64(clock.instant.nanoseconds / 1_000_000))
    #expect(hub.publish(event()) == first + 1)
  }

  @Test("a reader that comes back gets what it missed, once, then what is new")
  func resume() async throws {
    let hub = EventHub(clock: clock)
    let ids = (0..<5).map { _ in hub.publish(event()) }
    let stream = try hub.subscribe(since: ids[1], EventFilter())
    let new = hub.publish(event())
    #expect(await take(4, stream).map(\.id) == [ids[2], ids[3], ids[4], new])
    let none = try hub.subscribe(since: new, EventFilter())
    let last = hub.publish(event())
    #expect(await take(1, none).map(\.id) == [last])
  }

  @Test("a number that the ring does not hold begins with resync", arguments: [1, .max] as [UInt64])
  func resync(since: UInt64) async throws {
    let hub = EventHub(clock: clock)
    let last = hub.publish(event())
    let stream = try hub.subscribe(since: since, EventFilter())
    let new = hub.publish(event())
    let events = await take(2, stream)
    #expect(events.map(\.kind) == ["resync", "value"])
    #expect(events.map(\.id) == [last, new])
  }

  @Test("the ring forgets by age and by count")
  func ring() throws {
    let hub = EventHub(clock: clock)
    hub.publish(event())
    clock.advance(seconds: Int64(EventHub.ringSeconds) + 1)
    #expect(hub.recent.isEmpty)
    for _ in 0..<EventHub.ringMax * 3 { hub.publish(event()) }
    #expect(hub.recent.count == EventHub.ringMax)
  }

  @Test("a slow reader loses its oldest events, is told how many, and gets the newest")
  func gap() async throws {
    let hub = EventHub(clock: clock)
    let stream = try hub.subscribe(since: nil, EventFilter())
    let ids = (0..<EventHub.queueMax + 44).map { _ in hub.publish(event()) }
    let events = await take(EventHub.queueMax + 1, stream)
    #expect(events[0].kind == "gap")
    #expect(events[0].dropped == 44)
    #expect(events.dropFirst().map(\.id) == ids.dropFirst(44).map { $0 })
  }

  @Test("a replay that the ring overtakes says so")
  func overtaken() async throws {
    let hub = EventHub(clock: clock)
    let first = hub.publish(event())
    for _ in 0..<9 { hub.publish(event("alarm")) }
    let stream = try hub.subscribe(since: first, EventFilter(kinds: ["alarm"]))
    for _ in 0..<EventHub.ringMax - 5 { hub.publish(event("value")) }
    let events = await take(6, stream)
    #expect(events.map(\.kind) == ["gap"] + Array(repeating: "alarm", count: 5))
    #expect(events[0].dropped == 4)
  }

  @Test(
    "filters by point and kind",
    arguments: [
      (EventFilter(), ["value a.b", "alarm c.d", "mode -"]),
      (EventFilter(points: [PointPattern("a.*")!]), ["value a.b"]),
      (EventFilter(kinds: ["mode", "alarm"]), ["alarm c.d", "mode -"]),
    ])
  func filter(filter: EventFilter, expected: [String]) async throws {
    let hub = EventHub(clock: clock)
    let stream = try hub.subscribe(since: nil, filter)
    for (kind, point) in [("value", "a.b"), ("alarm", "c.d"), ("mode", nil)] { hub.publish(event(kind, point)) }
    #expect(await take(expected.count, stream).map { "\($0.kind) \($0.point ?? "-")" } == expected)
  }

  @Test("a cancelled reader ends, and readers are bounded")
  func ends() async throws {
    let hub = EventHub(clock: clock)
    let stream = try hub.subscribe(since: nil, EventFilter())
    await withTaskGroup(of: Int.self) { group in
      group.addTask { await stream.reduce(0) { count, _ in count + 1 } }
      group.cancelAll()
      #expect(await group.next() == 0)
    }
    var kept: [AsyncStream<API.Event>] = []
    for _ in 0..<EventHub.readersMax { kept.append(try hub.subscribe(since: nil, EventFilter())) }
    #expect(throws: APIProblem.self) { try hub.subscribe(since: nil, EventFilter()) }
    kept.removeAll()
    _ = try hub.subscribe(since: nil, EventFilter())
  }
}

@Suite("A stream of events is taken apart wherever it was cut")
struct EventParserTests {
  @Test(arguments: [1, 2, 3, 7, 1000])
  func cuts(size: Int) throws {
    let at = Timestamp(Instant(rfc3339: "2026-11-22T13:03:20Z")!)
    let events = [
      API.Event(id: 7, kind: "value", at: at, point: "a.b", value: API.Quantity(6.5, unit: "Cel")),
      API.Event(kind: "gap", at: at, dropped: 3),
    ]
    var bytes = Array("retry: 2000\n\n: \n\n".utf8)
    for event in events { bytes += try StatusServer.frame(event) }
    var parser = EventParser()
    var found: [API.Event?] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      found += try parser.feed(Array(bytes[start..<min(start + size, bytes.count)]))
    }
    #expect(found == [nil] + events)
  }

  @Test("a line break in a kind cannot begin another field")
  func injection() throws {
    let event = API.Event(kind: "value\nid: 9", at: Timestamp(Instant(nanoseconds: 0)), text: "a\nid: 8")
    let lines = String(decoding: try StatusServer.frame(event), as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 2)
  }
}

@Suite("A repeated write is answered, not done again")
struct IdempotencyTests {
  private let key = IdempotencyCache.Key(uid: 0, method: "PUT", path: "/v1/mode", key: "7b1")
  private let now = Uptime(nanoseconds: 0)

  @Test func life() {
    let cache = IdempotencyCache()
    let response = Response(body: [1])
    #expect(cache.begin(key, body: [9], at: now) == .new)
    #expect(cache.begin(key, body: [9], at: now) == .running)
    cache.finish(key, response)
    #expect(cache.begin(key, body: [9], at: now) == .answered(response))
    #expect(cache.begin(key, body: [8], at: now) == .reused)
    var other = key
    other.uid = 1
    #expect(cache.begin(other, body: [9], at: now) == .new)
    let later = now.advanced(byNanoseconds: IdempotencyCache.seconds * 1_000_000_000)
    #expect(cache.begin(key, body: [8], at: later) == .new)
  }

  @Test(
    "an answer that invites to try again is not kept",
    arguments: [(503, true), (500, true), (409, false), (200, false)])
  func retriable(status: Int, again: Bool) {
    let cache = IdempotencyCache()
    _ = cache.begin(key, body: [], at: now)
    cache.finish(key, Response(status: status, body: []))
    #expect((cache.begin(key, body: [], at: now) == .new) == again)
  }

  @Test func bounded() {
    let cache = IdempotencyCache()
    for number in 0...IdempotencyCache.entriesMax {
      var key = key
      key.key = "\(number)"
      _ = cache.begin(key, body: [], at: Uptime(nanoseconds: Int64(number)))
    }
    var oldest = key
    oldest.key = "0"
    #expect(cache.begin(oldest, body: [], at: Uptime(nanoseconds: 1000)) == .new)
    var newest = key
    newest.key = "\(IdempotencyCache.entriesMax)"
    #expect(cache.begin(newest, body: [], at: Uptime(nanoseconds: 1000)) == .running)
  }
}
