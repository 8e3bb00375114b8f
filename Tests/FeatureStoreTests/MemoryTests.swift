import FeatureStore
import Testing
import TwinCore

@Suite("A site's memory") struct MemoryTests {
  let site = Site()

  @Test("writes nothing when nothing waits")
  func idle() throws {
    let store = try site.open()
    let size = try store.stats().logBytes
    #expect(try store.commit() == store.commit())
    #expect(try store.stats().logBytes == size)
  }

  @Test("keeps over a restart what was committed, and nothing else")
  func restart() throws {
    var store: SiteStore? = try site.open()
    try store?.register(.test(), at: .second(0))
    #expect(try store?.append(.test(at: 1, values: [0.1, .pi, 3])) == 1)
    try store?.append(tick: .test(1, frames: 1..<2))
    #expect(try store?.append(.test(at: 2, values: [0.2, .pi, 4], qualities: [.good, .absent, .suspect])) == 2)
    try store?.append(tick: .test(2, frames: 2..<3))
    try store?.append(decision: .test(1))
    try store?.append(events: [
      EventEntry(tick: 2, instant: .second(2), kind: "drift", subject: "chiller-1", bytes: [5])
    ])
    try store?.setFact("hole/1", [9])
    try store?.setFact("hole/2", [8])
    let receipt = try store?.commit()
    #expect(receipt?.frames == 2 && receipt?.ticks == 2 && receipt?.events == 1 && receipt?.decisions == ["d1"])
    #expect(receipt?.lastFrame == 2 && receipt?.lastTick == 2 && receipt?.covers(decision: "d1") == true)
    try store?.append(.test(at: 3, values: [0, 0, 0]))
    try store?.append(tick: .test(3))
    try store?.setFact("hole/1", nil)
    #expect(try store?.fact("hole/1") == nil)
    store = nil

    let again = try site.open()
    #expect(again.nextFrameSequence == 3 && again.lastTickNumber == 2)
    let found = try log(again)
    #expect(found.map(\.0) == [.test(1, frames: 1..<2), .test(2, frames: 2..<3)])
    #expect(found[1].1.map(\.sequence) == [2] && found[1].1[0].qualities == [.good, .absent, .suspect])
    #expect(try again.fact("hole/1") == [9])
    #expect(try again.facts(prefix: "hole/").map(\.key) == ["hole/1", "hole/2"])
    #expect(try again.facts(prefix: "h/").isEmpty)
    #expect(try again.events(limit: 5).map(\.subject) == ["chiller-1"])
    #expect(try again.events(limit: 5, before: .second(2)).isEmpty)
    #expect(again.layouts[1]?.layout == .test())
  }

  @Test("gives an equal layout its old version, and reads old frames by theirs")
  func layouts() throws {
    let store = try site.open()
    let (old, new) = (FrameLayout.test(scales: [0.1]), FrameLayout.test(scales: [0.1, 1]))
    #expect(try store.register(old, at: .second(0)) == 1)
    try store.add(1, [0.1])
    #expect(try store.register(new, at: .second(2)) == 2)
    try store.add(3, [0.2, 7])
    #expect(try store.register(old, at: .second(4)) == 1)
    try store.add(5, [0.3])
    try store.commit()
    let all = Instant.second(0)..<Instant.second(9)
    let series = try store.read(points: ["g0.1", "g0.0", "none"], effective: all)
    #expect(series.map(\.point) == ["g0.1", "g0.0", "none"])
    #expect(series.map { $0.samples.map(\.value) } == [[7], [0.1, 0.2, 0.3], []])
    #expect(fault { () throws(StoreError) in try store.append(.test(at: 6, values: [1, 2])) }?.code == "store.layout")
    #expect(fault { () throws(StoreError) in try store.append(.test(group: 9, at: 6, values: [1])) }?.kind == .layout)
    #expect(fault { () throws(StoreError) in try store.register(.test(scales: []), at: .second(0)) }?.kind == .layout)
  }

  @Test(
    "hands each tick the frames that it first carried, from windows, open days and closed ones",
    arguments: 0..<12 as Range<UInt64>)
  func ticks(seed: UInt64) throws {
    var random = Seeded(seed)
    var store: SiteStore? = try site.open()
    var expected: [(TickRecord, [Frame])] = []
    // A tick a minute and more: a window holds ten, a day some hundreds.
    var second: Int64 = 1_750_000_000
    for number in 1...900 as ClosedRange<Int64> {
      second += Int64.random(in: 30...400, using: &random)
      if number == 1 || Int.random(in: 0..<200, using: &random) == 0 {
        try store?.commit()
        if Bool.random(using: &random) { store = nil }
        if store == nil { store = try site.open() }
        for group: Int32 in 0..<4 { try store?.register(.test(group: group, scales: [1]), at: .second(0)) }
      }
      let frames = (0..<Int.random(in: 0...5, using: &random)).map { _ in
        Frame.test(
          group: .random(in: 0..<4, using: &random), at: second - .random(in: 0...9000, using: &random),
          values: [Double(number)])
      }
      expected.append(try store!.add(tick: number, at: .second(second), frames))
      if Int.random(in: 0..<5, using: &random) == 0 { try store?.commit() }
      if Int.random(in: 0..<300, using: &random) == 0 {
        try store?.commit()
        try store?.closeDays(before: .second(second))
      }
    }
    try store?.commit()
    #expect(site.names("data").contains { $0.hasSuffix(".twc") }, "seed \(seed)")
    let (first, last) = (Int64.random(in: 0...900, using: &random), Int64.random(in: 0...1000, using: &random))
    for (found, wanted) in [
      (try log(store!), expected),
      (try log(store!, from: first, through: last), expected.filter { $0.0.number >= first && $0.0.number <= last }),
    ] {
      #expect(found.map(\.0) == wanted.map(\.0), "seed \(seed)")
      #expect(found.map(\.1) == wanted.map(\.1), "seed \(seed)")
    }
    #expect(try store?.stats().badBodies == [])
  }

  @Test("stops when the reader of ticks has enough")
  func stop() throws {
    let store = try site.open()
    for number in 1...10 as ClosedRange<Int64> { try store.append(tick: .test(number)) }
    try store.commit()
    var seen: [Int64] = []
    try store.ticks(from: 3) { (tick, _) throws(StoreError) -> Bool in
      seen.append(tick.number)
      return tick.number < 6
    }
    #expect(seen == [3, 4, 5, 6])
  }

  @Test("refuses ticks out of order, frames carried twice, and a decision with a known id")
  func order() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    try store.append(.test(at: 1, values: [1]))
    try store.append(tick: .test(5, frames: 1..<2))
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(5)) }?.code == "store.out_of_order")
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(6, frames: 1..<2)) }?.kind == .outOfOrder)
    #expect(fault { () throws(StoreError) in try store.append(tick: .test(6, frames: 2..<3)) }?.kind == .outOfOrder)
    try store.append(decision: .test(1))
    #expect(fault { () throws(StoreError) in try store.append(decision: .test(1)) }?.code == "store.duplicate")
    try store.commit()
    #expect(fault { () throws(StoreError) in try store.append(decision: .test(1)) }?.kind == .duplicate)
    let long = TickRecord.test(7, bytes: Array(repeating: 0, count: StoreLimits.tickBytesMax + 1))
    #expect(fault { () throws(StoreError) in try store.append(tick: long) }?.code == "store.too_big")
  }

  @Test("pages through decisions, newest first")
  func decisions() throws {
    let store = try site.open()
    for number in 1...9 as ClosedRange<Int64> {
      try store.append(decision: .test(number, point: number % 3 == 0 ? "p" : "q"))
    }
    try store.commit()
    #expect(try store.decisions(limit: 2).map(\.id) == ["d9", "d8"])
    #expect(try store.decisions(limit: 2, before: "d8").map(\.id) == ["d7", "d6"])
    #expect(try store.decisions(limit: 9, before: "d9", point: "p").map(\.id) == ["d6", "d3"])
    #expect(try store.decision(id: "d4") == .test(4, point: "q"))
    #expect(fault { () throws(StoreError) in _ = try store.decision(id: "d0") }?.code == "store.not_found")
    #expect(fault { () throws(StoreError) in _ = try store.decisions(limit: 1, before: "d0") }?.kind == .notFound)
  }

  @Test("opens a lease at once or with a commit, and forgets none at a restart")
  func leases() throws {
    var store: SiteStore? = try site.open()
    try store?.openLease(LeaseEntry(point: "a", bytes: [1]))
    try store?.append(lease: LeaseEntry(point: "b", bytes: [2]))
    #expect(try store?.openLeases().map(\.point) == ["a"])
    store?.append(leaseClosed: "a")
    try store?.openLease(LeaseEntry(point: "a", bytes: [3]))
    try store?.commit()
    #expect(try store?.openLeases().map(\.bytes) == [[3], [2]])
    try store?.append(lease: LeaseEntry(point: "c", bytes: [4]))
    try store?.closeLease("b")
    try store?.closeLease("never")
    store = nil
    #expect(try site.open().openLeases() == [LeaseEntry(point: "a", bytes: [3])])
  }

  @Test("knows the last sample of each point, in few and in many rows")
  func latest() throws {
    let store = try site.open()
    try store.register(.test(group: 0, scales: [1, 1]), at: .second(0))
    try store.register(.test(group: 1, scales: [1]), at: .second(0))
    try store.add(tick: 1, at: .second(1), [.test(group: 1, at: 1, values: [9])])
    try store.commit()
    for second in 2...200 as ClosedRange<Int64> {
      try store.add(second, [Double(second), 0], qualities: [.good, .failed])
      try store.commit()
    }
    func check(_ found: [PointSeries.Sample?]) {
      #expect(found.map { $0?.effective } == [.second(1), .second(200), .second(200), nil])
      #expect(found[0]?.value == 9 && found[2]?.value == 200 && found[0]?.observed == .second(1))
      #expect(found[1]?.quality == .failed && found[1]?.value.isNaN == true)
    }
    let points = ["g1.0", "g0.1", "g0.0", "none"]
    check(try store.latest(points: points))
    check(try StoreReader(directory: site.path).latest(points: points))
    try store.closeDays(before: .second(90_000))
    check(try StoreReader(directory: site.path).latest(points: points))
    try store.close()
    check(try site.open().latest(points: points))
  }

  @Test("is read by another connection while it is written, and copied")
  func readers() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    try store.add(1, [5])
    try store.commit()
    let reader = try StoreReader(directory: site.path)
    let all = Instant.second(0)..<Instant.second(9)
    #expect(try reader.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == [5])
    try store.register(.test(scales: [1, 1]), at: .second(2))
    try store.add(2, [6, 7])
    #expect(try reader.read(points: ["g0.1"], effective: all)[0].samples.isEmpty)
    try store.commit()
    #expect(try reader.read(points: ["g0.1"], effective: all)[0].samples.map(\.value) == [7])
    try reader.copy(to: site.path + "/copy.db")
    #expect(fault { () throws(StoreError) in try reader.copy(to: site.path + "/copy.db") } != nil)
    #expect(fault { () throws(StoreError) in _ = try StoreReader(directory: "/tmp/none") }?.code == "store.cannot_open")
  }
}
