import Testing

@testable import FeatureStore

@Suite("Times of rows that stay in memory are those that were read") struct RowTimesTests {
  /// Rows a second apart, more or less, some ticks left out.
  private static func rows(
    _ count: Int, unit: Int64, gap: Int64, isRising: Bool, _ random: inout Seeded
  ) -> (effective: [Int64], ticks: [Int64]) {
    var (instant, tick) = (1_793_491_200 * 1_000_000_000 / unit, Int64.random(in: -9...9_000_000_000, using: &random))
    var (effective, ticks): ([Int64], [Int64]) = ([], [])
    for _ in 0..<count {
      effective.append(instant * unit)
      ticks.append(tick)
      instant += Int64.random(in: (isRising ? 1 : -gap)...gap, using: &random)
      tick += Int.random(in: 0..<20, using: &random) == 0 ? .random(in: 0...5, using: &random) : 1
    }
    return (effective, ticks)
  }

  @Test("and a stretch of them holds the rows of its range and ticks", arguments: 0..<120 as Range<UInt64>)
  func stretches(seed: UInt64) {
    var random = Seeded(seed)
    let unit: Int64 = [1, 1000, 1_000_000, 1_000_000_000][Int(seed % 4)]
    let gap = min([1, 1100, 4_000_000_000][Int(seed % 3)], 1_000_000_000_000_000 / unit)
    let isRising = seed % 5 > 0
    let (effective, ticks) = Self.rows(
      Int.random(in: 1...300, using: &random), unit: unit, gap: gap, isRising: isRising, &random)
    let times = RowTimes(effective, ticks, unit: unit)
    #expect(times.rows == effective.count && times.all() == (effective, ticks), "seed \(seed)")
    #expect(times.isRising == zip(effective, effective.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed)")
    guard times.isRising else { return }
    for _ in 0..<20 {
      let ends = [effective.randomElement(using: &random)!, effective.randomElement(using: &random)!].sorted()
      let range = ends[0] - .random(in: 0...1, using: &random)...ends[1] + .random(in: 0...1, using: &random)
      let tick = ticks.randomElement(using: &random)! + .random(in: -1...1, using: &random)
      let wanted = effective.indices.filter { range.contains(effective[$0]) && ticks[$0] <= tick }
      let found = times.rows(within: range, through: tick)
      #expect(Array(found) == wanted, "seed \(seed)")
      var (some, theirs): ([Int64], [Int64]) = ([7], [8])
      times.append(found, to: &some, &theirs)
      #expect(some == [7] + wanted.map { effective[$0] } && theirs == [8] + wanted.map { ticks[$0] }, "seed \(seed)")
    }
  }

  @Test("from the first instant to the last")
  func ends() {
    let times = RowTimes([.min, .max], [.min, .max], unit: 1)
    #expect(times.all() == ([.min, .max], [.min, .max]))
    #expect(times.rows(within: .min ... .max, through: .max) == 0..<2)
    #expect(times.rows(within: .min ... .max, through: .max - 1) == 0..<1)
  }

  @Test("and instants are those of the last ticks before", arguments: 0..<60 as Range<UInt64>)
  func answers(seed: UInt64) {
    var random = Seeded(seed)
    var numbers: [Int64] = []
    var number = Int64.random(in: 5...9, using: &random)
    for _ in 0..<Int.random(in: 1...80, using: &random) {
      numbers.append(number)
      number += seed % 2 == 0 || Int.random(in: 0..<9, using: &random) > 0 ? 1 : .random(in: 2...6, using: &random)
    }
    let times = TickTimes(numbers, numbers.map { $0 * 1000 + 3 })
    let reach = Int64.random(in: 0...12, using: &random)...(number + 3)
    var asked = (0..<200).map { _ in Int64.random(in: 0...number + 6, using: &random) }
    if Bool.random(using: &random) { asked.sort() }
    var rows = asked
    var span = rows.mutableSpan
    let end = times.answer(&span, from: 0, while: reach)
    let first = asked.dropFirst().firstIndex { !reach.contains($0) } ?? asked.count
    #expect(end <= first && end > 0, "seed \(seed)")
    for row in 0..<end {
      let wanted = numbers.last { $0 <= asked[row] }.map { $0 * 1000 + 3 } ?? .min
      #expect(rows[row] == wanted, "seed \(seed), row \(row)")
    }
    #expect(rows[end...] == asked[end...], "seed \(seed)")
  }
}
