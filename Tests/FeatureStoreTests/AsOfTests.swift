import FeatureStore
import Testing
import TwinCore

@Suite("The past as it was known") struct AsOfTests {
  let site = Site()

  /// What every answer is compared with: all samples in a list, asked by going through it.
  private struct Model {
    struct Entry {
      var point: String
      var sample: PointSeries.Sample
      var tick: Int64
      var sequence: Int64
    }

    var entries: [Entry] = []
    var ticks: [(number: Int64, instant: Instant)] = []

    func read(_ point: String, _ range: Range<Instant>, asOf: Instant?, limit: Int) -> PointSeries {
      var known = Int64.max
      if let asOf { known = ticks.prefix { $0.instant <= asOf }.last?.number ?? .min }
      var winners: [Instant: Entry] = [:]
      for entry in entries where entry.point == point && range.contains(entry.sample.effective) && entry.tick <= known {
        if let other = winners[entry.sample.effective], other.sequence > entry.sequence { continue }
        winners[entry.sample.effective] = entry
      }
      let samples = winners.values.map(\.sample).sorted { $0.effective < $1.effective }
      return PointSeries(point: point, samples: Array(samples.prefix(limit)), isTruncated: samples.count > limit)
    }
  }

  @Test("is what a plain list of all samples says", arguments: 0..<25 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var random = Seeded(seed)
    var store: SiteStore? = try site.open()
    var model = Model()
    var layouts: [Int32: FrameLayout] = [:]
    var now: Int64 = 200_000
    for number in 1...400 as ClosedRange<Int64> {
      now += Int64.random(in: 10...400, using: &random)
      // The clock steps, by an hour either way or back to the beginning of time.
      let instant = Int.random(in: 0..<60, using: &random) == 0 ? [now - 3600, now + 3600, 5].randomElement()! : now
      var frames: [Frame] = []
      for group: Int32 in 0..<3 where Bool.random(using: &random) {
        if layouts[group] == nil || Int.random(in: 0..<40, using: &random) == 0 {
          let columns = Int.random(in: 1...3, using: &random)
          layouts[group] = .test(group: group, scales: Array(repeating: 1, count: columns))
          try store?.register(layouts[group]!, at: .second(now))
        }
        // Mostly on time, sometimes late by up to a day or a correction of an earlier instant.
        let effective: Int64 =
          switch Int.random(in: 0..<8, using: &random) {
          case 0: now - .random(in: 0...86_400, using: &random)
          case 1: now - .random(in: 0...20, using: &random) * 10
          default: now
          }
        frames.append(
          .test(
            group: group, at: effective,
            values: layouts[group]!.points.map { _ in Double(Int.random(in: 0...99, using: &random)) }))
      }
      let (tick, stored) = try store!.add(tick: number, at: .second(instant), frames)
      model.ticks.append((number, tick.instant))
      for frame in stored {
        for (column, value) in frame.values.enumerated() {
          let sample = PointSeries.Sample(
            effective: frame.effective, observed: frame.observed, value: value, quality: .good)
          model.entries.append(
            Model.Entry(point: "g\(frame.group).\(column)", sample: sample, tick: number, sequence: frame.sequence))
        }
      }
      if Int.random(in: 0..<4, using: &random) == 0 { try store?.commit() }
      if Int.random(in: 0..<100, using: &random) == 0 {
        try store?.commit()
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
          try store?.closeDays(before: .second(now))
          continue
        case 1: store = nil
        default: try store?.close()
        }
        store = try site.open()
        for layout in layouts.values { try store?.register(layout, at: .second(now)) }
      }
    }
    try store?.commit()
    try check(model, through: now, &random, "seed \(seed)") {
      try store!.read(points: $0, effective: $1, asOf: $2, limit: $3)
    }
    let reader = try StoreReader(directory: site.path)
    try check(model, through: now, &random, "seed \(seed), beside") {
      try reader.read(points: $0, effective: $1, asOf: $2, limit: $3)
    }
    #expect(try store?.stats().badBodies == [])
  }

  private func check(
    _ model: Model, through now: Int64, _ random: inout Seeded, _ comment: Comment,
    _ read: ([String], Range<Instant>, Instant?, Int) throws -> [PointSeries]
  ) throws {
    let points = (0..<3).flatMap { group in (0..<3).map { "g\(group).\($0)" } }
    for _ in 0..<20 {
      let low = Int64.random(in: 100_000...now + 10, using: &random)
      let range = Instant.second(low)..<Instant.second(low + .random(in: 0...90_000, using: &random))
      let asOf = Bool.random(using: &random) ? Instant.second(.random(in: 190_000...now + 10, using: &random)) : nil
      let limit = Bool.random(using: &random) ? 1000 : Int.random(in: 0...20, using: &random)
      let wanted = Array(points.shuffled(using: &random).prefix(4))
      let found = try read(wanted, range, asOf, limit)
      for (found, expected) in zip(found, wanted.map { model.read($0, range, asOf: asOf, limit: limit) }) {
        #expect(found.point == expected.point && found.samples == expected.samples, comment)
        #expect(found.isTruncated == expected.isTruncated, comment)
      }
    }
  }

  @Test("reaches over many bodies, and stops at the limit")
  func long() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    for second in 1...2000 as ClosedRange<Int64> {
      // A body spans at most two hours: frames three hours apart are a body each.
      try store.add(tick: second, at: .second(second), [.test(at: second * 10_800, values: [Double(second)])])
      if second % 10 == 0 { try store.commit() }
    }
    try store.commit()
    let all = Instant.second(0)..<Instant.second(10_800 * 6000)
    #expect(try store.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == (1...2000).map(Double.init))
    let some = try store.read(points: ["g0.0"], effective: all, limit: 10)[0]
    #expect(some.samples.map(\.value) == (1...10).map(Double.init) && some.isTruncated)
    #expect(try store.read(points: ["g0.0"], effective: Instant.second(7200)..<Instant.second(7200))[0].samples.isEmpty)
    #expect(try store.read(points: ["g0.0"], effective: .distantPast ..< .distantFuture)[0].samples.count == 2000)
  }
}
