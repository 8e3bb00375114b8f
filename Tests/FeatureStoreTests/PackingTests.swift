import SeriesCodec
import Testing
import TwinCore

@testable import FeatureStore

@Suite("What is packed comes back") struct PackingTests {
  /// Values that are awkward for a codec, beside ordinary ones.
  static func value(_ random: inout Seeded, scale: Double) -> Double {
    switch Int.random(in: 0..<14, using: &random) {
    case 0: -0.0
    case 1: Double(bitPattern: 0x7FF8_0000_0000_0000 | UInt64.random(in: 0..<1 << 51, using: &random))
    case 2: Double(bitPattern: 0xFFF0_0000_0000_0001 | UInt64.random(in: 0..<1 << 51, using: &random))
    case 3: .leastNonzeroMagnitude * Double(Int.random(in: -9...9, using: &random))
    case 4: .greatestFiniteMagnitude
    case 5: -.infinity
    case 6: Double(bitPattern: random.next())
    case 7: 9_007_199_254_740_992 * scale
    case 8: -9_007_199_254_740_992 * scale
    default: Double(Int.random(in: -40_000...40_000, using: &random)) * scale
    }
  }

  static func frames(_ count: Int, _ random: inout Seeded, layout: FrameLayout, from second: Int64) -> [Frame] {
    let isWild = Bool.random(using: &random)
    return (0..<count).map { index in
      let time = (second + Int64(index)) * 1_000_000_000 + Int64.random(in: 0...9_000_000, using: &random)
      func instant() -> Int64 { isWild ? Int64(bitPattern: random.next()) : time }
      let qualities = layout.points.map { _ in
        Int.random(in: 0..<8, using: &random) == 0 ? Quality.allCases.randomElement(using: &random)! : .good
      }
      return Frame(
        group: layout.group, effective: Instant(nanoseconds: instant()), observed: .second(0),
        uptime: Uptime(nanoseconds: instant()), values: layout.scales.map { value(&random, scale: $0 == 0 ? 1 : $0) },
        qualities: qualities, measures: Bool.random(using: &random) ? [] : measures(layout.points.count, &random))
    }
  }

  /// At least one that is not as the layout says.
  static func measures(_ count: Int, _ random: inout Seeded) -> [CellMeasure] {
    var measures = (0..<count).map { _ in
      Bool.random(using: &random)
        ? CellMeasure()
        : CellMeasure(
          variance: .random(in: 0...255, using: &random), confidence: .random(in: 0...255, using: &random),
          provenance: .random(in: 0...9, using: &random), stamp: .random(in: 0...65_535, using: &random))
    }
    measures[0].variance = 77
    return measures
  }

  @Test(
    "of frames with any values, qualities and times, bit for bit, from everywhere", arguments: 0..<20 as Range<UInt64>)
  func frames(seed: UInt64) throws {
    var random = Seeded(seed)
    let site = Site()
    var store = try site.open()
    let layout = FrameLayout.test(scales: [0.1, 0, 1, 0.3, 1e-7])
    try store.register(layout, at: .second(0))
    var expected: [Frame] = []
    for number in 1...30 as ClosedRange<Int64> {
      let some = Self.frames(Int.random(in: 1...3, using: &random), &random, layout: layout, from: number * 60)
      expected += try store.add(tick: number, at: .second(number * 60), some).1
      if Bool.random(using: &random) { try store.commit() }
    }
    try store.commit()
    func check(_ comment: Comment) throws {
      let found = try log(store).flatMap(\.1)
      #expect(found.count == expected.count, comment)
      #expect(zip(expected, found).allSatisfy { $0.isStoredAs($1) }, comment)
    }
    try check("seed \(seed), windows")
    try store.close()
    store = try site.open()
    try check("seed \(seed), open days")
    try store.closeDays(before: .distantFuture)
    #expect(try store.stats().badBodies == [], "seed \(seed)")
    try check("seed \(seed), closed days")
    #expect(try store.stats().badBodies == [])
  }

  static func ticks(_ random: inout Seeded) -> [TickRecord] {
    var (number, end): (Int64, Int64) = (.random(in: -9...1 << 40, using: &random), 1)
    return (0..<Int.random(in: 1...40, using: &random)).map { _ in
      number += Int64.random(in: 1...3, using: &random)
      let first = Bool.random(using: &random) ? end + .random(in: 0...4, using: &random) : 0
      let carried = Int64.random(in: 0...4, using: &random)
      if carried > 0 { end = first + carried }
      return TickRecord(
        number: number, instant: Instant(nanoseconds: Int64(bitPattern: random.next())),
        uptime: Uptime(nanoseconds: Int64(bitPattern: random.next())), boot: Int64(bitPattern: random.next()),
        frames: first..<first + carried, mustBeKept: Bool.random(using: &random),
        bytes: (0..<Int.random(in: 0...30, using: &random)).map { UInt8($0) })
    }
  }

  @Test("of ticks, whatever they hold, at both tiers", arguments: 0..<50 as Range<UInt64>)
  func ticks(seed: UInt64) throws {
    var random = Seeded(seed)
    let ticks = Self.ticks(&random)
    var orders: [Int64: [Int]] = [:]
    for tick in ticks where tick.frames.count > 1 && Bool.random(using: &random) {
      orders[tick.number] = Array(0..<tick.frames.count).shuffled(using: &random)
    }
    for tier in Tier.allCases {
      let body = try TickBody(TickBody.encode(ticks[...], orders: orders, tier: tier))
      #expect((0..<body.count).map { body.record($0) } == ticks, "seed \(seed)")
      #expect((0..<body.count).map { body.order($0) } == ticks.map { orders[$0.number] }, "seed \(seed)")
    }
  }

  @Test("of ticks that were bent: refused, or ticks whose numbers rise", arguments: 0..<300 as Range<UInt64>)
  func bent(seed: UInt64) throws {
    var random = Seeded(seed)
    var bytes = TickBody.encode(Self.ticks(&random)[...], tier: .hot)
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: bytes.removeLast(Int.random(in: 0...min(9, bytes.count), using: &random))
      case 1: bytes.append(UInt8(truncatingIfNeeded: random.next()))
      default:
        if !bytes.isEmpty {
          bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
      }
    }
    guard let body = try? TickBody(bytes) else { return }
    let ticks = (0..<body.count).map { body.record($0) }
    #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0.number < $1.number }, "seed \(seed)")
  }

  @Test("sealed, or not at all when a bit of it or of its key changed")
  func seal() throws {
    let content = (0..<100).map { UInt8($0) }
    let sealed = Seal.close(content, key: "k")
    #expect(Seal.open(sealed, key: "k") == content && Seal.open(sealed, key: "l") == nil && Seal.open([1]) == nil)
    for bit in 0..<sealed.count * 8 {
      var bent = sealed
      bent[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(Seal.open(bent, key: "k") == nil)
    }
  }

  @Test("of a day's name: its number", arguments: [0, 1, -1, 19_000, 20_664, -106_752, 106_751] as [Int64])
  func days(number: Int64) {
    #expect(Days.number(named: Days.name(number)) == number)
    let range = Days.range(number)
    #expect(Days.number(range.lowerBound) == number && Days.number(range.upperBound) == number)
  }
}
