import Seams
import SeriesCodec
import Testing
import TwinCore

@testable import FeatureStore

@Suite("Rollups are the samples, by steps") struct RollupTests {
  static func samples(_ random: inout Seeded, step: Double) -> SampleColumns {
    var samples = SampleColumns()
    var instant = Int64.random(in: -9_000_000_000_000...9_000_000_000_000, using: &random)
    for _ in 0..<Int.random(in: 0...3000, using: &random) {
      instant += .random(in: 1...5_000_000_000, using: &random)
      let count = Double(Int.random(in: -999...9999, using: &random))
      samples.append(
        instant, tick: 1, value: step > 0 ? count * step : count / 7,
        quality: Int.random(in: 0..<20, using: &random) == 0 ? .allCases.randomElement(using: &random)! : .good)
    }
    return samples
  }

  @Test("counted one by one", arguments: 0..<16 as Range<UInt64>)
  func naive(seed: UInt64) {
    var random = Seeded(seed)
    let step = [0.1, 0, 0.01, 1][Int(seed % 4)]
    let samples = Self.samples(&random, step: step)
    let minutes = RollupColumns(minutesOf: samples, step: step)
    for (unit, columns) in [
      (Rollup.Step.minute, minutes), (.quarter, minutes.coarsened(to: .quarter, decimal: step)),
      (.hour, minutes.coarsened(to: .quarter, decimal: step).coarsened(to: .hour, decimal: step)),
    ] {
      let groups = Dictionary(grouping: 0..<samples.count) { row -> Int64 in
        let (quotient, rest) = samples.effective[row].quotientAndRemainder(dividingBy: unit.nanoseconds)
        return (quotient - (rest < 0 ? 1 : 0)) * unit.nanoseconds
      }
      #expect(columns.starts == groups.keys.sorted(), "seed \(seed)")
      for row in 0..<columns.count {
        let good = groups[columns.starts[row]]!.filter { samples.qualities[$0] == .good }.map { samples.values[$0] }
        let told = columns.told(row, nil)
        #expect(told.count == good.count && told.bad == groups[columns.starts[row]]!.count - good.count, "seed \(seed)")
        guard !good.isEmpty else { continue }
        #expect(told.minimum == good.min() && told.maximum == good.max(), "seed \(seed)")
        #expect((told.mean - good.reduce(0, +) / Double(good.count)).magnitude < 1e-7, "seed \(seed)")
        if step > 0 {
          let counts = good.map { Int64(($0 / step).rounded()) }.reduce(0, +)
          #expect(columns.sums[row].bitPattern == (Double(counts) * step).bitPattern, "seed \(seed)")
        }
      }
    }
  }

  @Test("a meaning turns them as it turns samples; a falling one swaps the ends")
  func meaning() {
    var columns = RollupColumns()
    columns.append(0, count: 2, sum: 30, minimum: 10, maximum: 20, bad: 1)
    columns.append(60, count: 0, sum: 0, minimum: 0, maximum: 0, bad: 3)
    let told = columns.told(0, Meaning(unit: "kW", factor: -2, offset: 1))
    #expect(told.mean == -29 && told.minimum == -39 && told.maximum == -19 && told.bad == 1)
    let empty = columns.told(1, nil)
    #expect(empty.mean.isNaN && empty.count == 0 && empty.bad == 3)
  }
}

@Suite("Rollups of a store") struct RollupStoreTests {
  let site = Site()
  private static let day: Int64 = 1_700_006_400

  /// Five hours of three points, some of it bad, under a meaning.
  private func filled(_ random: inout Seeded) throws -> SiteStore {
    let store = try site.open()
    try store.register(.test(scales: [0.1, 0, 1]), at: .second(0))
    for number in 1...1800 as ClosedRange<Int64> {
      let values = [
        Double(Int.random(in: 0...900, using: &random)) * 0.1, .random(in: -5...5, using: &random),
        Double(Int.random(in: 0...9, using: &random)),
      ]
      try store.add(
        tick: number, at: .second(Self.day + number * 10),
        [
          .test(
            at: Self.day + number * 10, values: values,
            qualities: values.map { _ in Int.random(in: 0..<30, using: &random) == 0 ? .failed : .good })
        ])
      if number % 60 == 0 { try store.commit() }
    }
    try store.revise(point: "g0.1", meaning: Meaning(unit: "K", factor: -2, offset: 1), reason: "sign")
    try store.commit()
    return store
  }

  private static let points = ["g0.0", "g0.1", "g0.2"]
  private static let all = Instant.second(day)..<Instant.second(day + 18_600)

  /// Every number of every step by its bits.
  private func bits(_ rollups: RollupReader) throws -> [[UInt64]] {
    try Rollup.Step.allCases.flatMap { step in
      try rollups.rollup(points: Self.points, effective: Self.all, step: step).map { rollup in
        rollup.rows.flatMap { row in
          [
            UInt64(bitPattern: row.start.nanoseconds), UInt64(row.count), row.mean.bitPattern, row.minimum.bitPattern,
            row.maximum.bitPattern, UInt64(row.bad),
          ]
        }
      }
    }
  }

  @Test(
    "the same bits from samples, from memory, from the file, and without it again", arguments: [1, 2, 3] as [UInt64])
  func kept(seed: UInt64) throws {
    var random = Seeded(seed)
    var store: SiteStore! = try filled(&random)
    let rollups = RollupReader(store)
    let truth = try bits(rollups)
    #expect(truth[0].count == 301 * 6)
    #expect(try bits(rollups) == truth)
    try store.close()
    store = try site.open()
    #expect(try store.keepRollups(ofDayAt: .second(Self.day)) == 3)
    #expect(try store.keepRollups(ofDayAt: .second(Self.day)) == 0)
    let reader = try StoreReader(directory: site.path)
    #expect(try bits(RollupReader(reader)) == truth)
    // They are read at all: damage shows, is named, and does no harm.
    let name = "data/2023-11-15.twr"
    let size = try SystemFileStore().open("\(site.path)/\(name)", .read).size
    for offset in stride(from: Int64(400), to: size, by: 97) { try site.damage(name, at: offset) }
    #expect(try bits(RollupReader(try StoreReader(directory: site.path))) == truth)
    try SystemFileStore().remove("\(site.path)/\(name)")
    #expect(try bits(RollupReader(reader)) == truth)
  }

  @Test("where a tile has many samples its columns are kept a few at a time")
  func pieces() throws {
    var random = Seeded(4)
    let store = try filled(&random)
    let truth = try bits(RollupReader(store))
    var keeping = try RollupKeeping(Days.number(Self.day * 1_000_000_000), store.archive, samplesMax: 1)
    var steps = 1
    while try !store.step(&keeping) { steps += 1 }
    #expect(keeping.written == 9 && steps == 10, "three columns of three tiles, each a step")
    #expect(try store.keepRollups(ofDayAt: .second(Self.day)) == 0)
    #expect(try bits(RollupReader(store)) == truth)
  }

  @Test("a body has each point's minutes, and no other's", arguments: 0..<20 as Range<UInt64>)
  func body(seed: UInt64) throws {
    var random = Seeded(seed)
    let steps = [0.1, 0, 0.5]
    let points = steps.map { RollupColumns(minutesOf: RollupTests.samples(&random, step: $0), step: $0) }
    guard let bytes = RollupBody(firstColumn: 1, points: points).encode(group: 3, layout: 9, steps: steps) else {
      #expect(points.allSatisfy { $0.count == 0 })
      return
    }
    let body = try RollupBody.Opened(bytes, steps: [1] + steps + [1])
    #expect(body.columns == 1..<4)
    for (index, point) in points.enumerated() {
      #expect(try body.minutes(ofColumn: index + 1) == point, "seed \(seed)")
    }
    #expect(throws: CodecFault.self) { try RollupBody.Opened(bytes, steps: [1]) }
  }

  @Test("late frames, corrections and a new meaning are seen; what was known before stays")
  func fresh() throws {
    var random = Seeded(9)
    let store = try filled(&random)
    let rollups = RollupReader(store)
    let minute = Instant.second(Self.day + 600)..<Instant.second(Self.day + 601)
    func mean(_ asOf: Instant? = nil) throws -> Double? {
      try rollups.rollup(points: ["g0.2"], effective: minute, step: .minute, asOf: asOf)[0].rows.first?.mean
    }
    let before = try mean()
    let then = Instant.second(Self.day + 18_000)
    try store.add(
      tick: 1801, at: .second(Self.day + 18_010), [.test(at: Self.day + 605, values: [0, 0, 1000])])
    try store.commit()
    let late = try mean()
    #expect(late != before)
    #expect(try mean(then) == before)
    try store.retract(
      point: "g0.2", effective: .second(Self.day + 605)..<Instant.second(Self.day + 606), reason: "", by: "")
    try store.add(tick: 1802, at: .second(Self.day + 18_020))
    try store.commit()
    #expect(try mean() == before)
    #expect(try mean(.second(Self.day + 18_015)) == late)
    try store.revise(point: "g0.2", meaning: Meaning(unit: "kW", factor: 10), reason: "")
    try store.commit()
    #expect(try mean() == before.map { $0 * 10 })
    #expect(try rollups.rollup(points: ["g0.2"], effective: minute, step: .hour)[0].units.map(\.unit) == ["kW"])
  }
}
