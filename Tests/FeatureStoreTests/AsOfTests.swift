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
      var sequence: Int64
    }

    var entries: [Entry] = []

    func read(_ point: String, _ range: Range<Instant>, asOf: Instant?, limit: Int) -> PointSeries {
      var winners: [Instant: Entry] = [:]
      for entry in entries where entry.point == point && range.contains(entry.sample.effective) {
        if let asOf, entry.sample.observed > asOf { continue }
        if let other = winners[entry.sample.effective],
          (other.sample.observed, other.sequence) > (entry.sample.observed, entry.sequence)
        {
          continue
        }
        winners[entry.sample.effective] = entry
      }
      let samples = winners.values.map(\.sample).sorted { $0.effective < $1.effective }
      return PointSeries(point: point, samples: Array(samples.prefix(limit)), isTruncated: samples.count > limit)
    }
  }

  @Test("is what a plain list of all samples says", arguments: 0..<25 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var random = Seeded(seed)
    let store = try site.open()
    var model = Model()
    var columns: [Int32: Int] = [:]
    for second in 1...300 as ClosedRange<Int64> {
      let group = Int32.random(in: 0..<3, using: &random)
      if columns[group] == nil || Int.random(in: 0..<40, using: &random) == 0 {
        columns[group] = Int.random(in: 1...3, using: &random)
        try store.register(
          .test(group: group, scales: Array(repeating: 1, count: columns[group]!)), at: .second(second))
      }
      // Mostly on time, sometimes late by up to a day or a correction of an earlier instant; observed may step back.
      let effective: Int64 =
        switch Int.random(in: 0..<6, using: &random) {
        case 0: second - .random(in: 0...86_400, using: &random)
        case 1: .random(in: 1...second, using: &random)
        default: second
        }
      let observed = second - (Int.random(in: 0..<30, using: &random) == 0 ? 50 : 0)
      var frame = Frame.test(
        group: group, at: effective, observed: observed,
        values: (0..<columns[group]!).map { _ in Double(Int.random(in: 0...99, using: &random)) })
      frame.sequence = try store.append(frame)
      for (column, value) in frame.values.enumerated() {
        model.entries.append(
          Model.Entry(
            point: "g\(group).\(column)",
            sample: PointSeries.Sample(
              effective: frame.effective, observed: frame.observed, value: value, quality: .good),
            sequence: frame.sequence))
      }
      if Int.random(in: 0..<4, using: &random) == 0 { try store.commit() }
    }
    try store.commit()
    let points = (0..<3).flatMap { group in (0..<3).map { "g\(group).\($0)" } }
    for _ in 0..<20 {
      let low = Int64.random(in: -90_000...310, using: &random)
      let range = Instant.second(low)..<Instant.second(low + .random(in: 0...90_000, using: &random))
      let asOf = Bool.random(using: &random) ? Instant.second(.random(in: 0...310, using: &random)) : nil
      let limit = Bool.random(using: &random) ? 1000 : Int.random(in: 0...20, using: &random)
      let wanted = points.shuffled(using: &random).prefix(4)
      let found = try store.read(points: Array(wanted), effective: range, asOf: asOf, limit: limit)
      #expect(found == wanted.map { model.read($0, range, asOf: asOf, limit: limit) }, "seed \(seed)")
    }
  }

  @Test("reaches over more rows than are read at a time, and stops at the limit")
  func long() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    for second in 1...5000 as ClosedRange<Int64> {
      // A row spans at most an hour: frames two hours apart are a row each.
      try store.append(.test(at: second * 7200, values: [Double(second)]))
    }
    try store.commit()
    let all = Instant.second(0)..<Instant.second(7200 * 6000)
    #expect(try store.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == (1...5000).map(Double.init))
    let some = try store.read(points: ["g0.0"], effective: all, limit: 10)[0]
    #expect(some.samples.map(\.value) == (1...10).map(Double.init) && some.isTruncated)
    #expect(try store.read(points: ["g0.0"], effective: Instant.second(7200)..<Instant.second(7200))[0].samples.isEmpty)
    #expect(try store.read(points: ["g0.0"], effective: .distantPast ..< .distantFuture)[0].samples.count == 5000)
  }
}
