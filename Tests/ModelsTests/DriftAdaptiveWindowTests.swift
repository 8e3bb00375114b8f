import Testing
import TwinCore

@testable import Models

/// The window against river 0.26.1, whose `AdaptiveWindowing` (the window of its `ADWIN`, without that one's reset
/// after a cut) gave the numbers below on the same streams.
@Suite struct `The adaptive window cuts where MOA's does` {
  private struct Case {
    var stream: Int
    var settings: AdaptiveWindow.Settings
    var cuts: Int
    var first: [Int]
    var sum: Int
    var width: Int
    var total: Double
    var squares: Double
  }

  private static let cases: [Case] = {
    let usual = AdaptiveWindow.Settings()
    let eager = AdaptiveWindow.Settings(confidence: 0.05, clock: 1)
    let other = AdaptiveWindow.Settings(confidence: 0.002, clock: 8, bucketsPerRow: 3, partMin: 10, grace: 50)
    return [
      Case(
        stream: 0, settings: usual, cuts: 2, first: [1023, 1055], sum: 2078, width: 5008,
        total: 7503.98078982333, squares: 433.6076927846377),
      Case(
        stream: 0, settings: eager, cuts: 9, first: [1011, 1012, 1013], sum: 9254, width: 4992,
        total: 7491.697984757433, squares: 419.78377012122263),
      Case(
        stream: 0, settings: other, cuts: 3, first: [1023, 1031, 1055], sum: 3109, width: 5008,
        total: 7503.98078982333, squares: 433.60769278463766),
      Case(
        stream: 1, settings: usual, cuts: 20, first: [735, 767, 863], sum: 61420, width: 416,
        total: 2047.6194510158223, squares: 620.4970477284335),
      Case(
        stream: 1, settings: eager, cuts: 51, first: [712, 713, 714], sum: 150898, width: 408,
        total: 2025.651276222242, squares: 577.8147717765163),
      Case(
        stream: 1, settings: other, cuts: 29, first: [727, 735, 751], sum: 88115, width: 416,
        total: 2047.6194510158223, squares: 620.4970477284334),
      Case(
        stream: 2, settings: usual, cuts: 3, first: [2591, 2623, 2687], sum: 7901, width: 3568,
        total: 1256.0, squares: 813.8654708520173),
      Case(
        stream: 2, settings: eager, cuts: 4, first: [2558, 2564, 2571], sum: 10272, width: 3552,
        total: 1254.0, squares: 811.2871621621614),
      Case(
        stream: 2, settings: other, cuts: 3, first: [2599, 2623, 2703], sum: 7925, width: 3568,
        total: 1256.0, squares: 813.8654708520172),
      Case(
        stream: 3, settings: usual, cuts: 21, first: [1503, 1567, 1599], sum: 74827, width: 1200,
        total: 10499.108819442052, squares: 11077.467213314314),
      Case(
        stream: 3, settings: eager, cuts: 31, first: [573, 1463, 1480], sum: 102227, width: 944,
        total: 8345.943800624456, squares: 8473.284659474244),
      Case(
        stream: 3, settings: other, cuts: 18, first: [1503, 1543, 1583], sum: 62214, width: 1136,
        total: 9983.915469061165, squares: 10434.55688738898),
    ]
  }()

  /// xorshift64 into 0..<1, shaped by the kind.
  private static func stream(_ kind: Int, count: Int) -> [Double] {
    var x: UInt64 = 88_172_645_463_325_252
    return (0..<count).map { index in
      x ^= x << 13
      x ^= x >> 7
      x ^= x << 17
      let u = Double(x >> 11) * 0x1p-53
      switch kind {
      case 0: return u + (index >= 1000 ? 1 : 0)
      case 1: return 4 * u + Double(index / 700 % 3) * 1.5
      case 2: return u < (index < 2500 ? 0.2 : 0.35) ? 1 : 0
      default: return u * u * 10 + Double(index) * 0.001
      }
    }
  }

  @Test(arguments: 0..<12) func `on a stream of each kind`(number: Int) {
    let expected = Self.cases[number]
    var window = AdaptiveWindow(expected.settings)
    var cuts: [Int] = []
    for (index, value) in Self.stream(expected.stream, count: 6000).enumerated() where window.update(value) == .alarm {
      cuts.append(index)
    }
    #expect(cuts.count == expected.cuts && cuts.prefix(3).elementsEqual(expected.first))
    #expect(cuts.reduce(0, +) == expected.sum && window.width == expected.width && window.cuts == expected.cuts)
    #expect((window.total - expected.total).magnitude < 1e-6)
    #expect((window.variance * Double(window.width) - expected.squares).magnitude < 1e-6 * expected.squares)
  }

  @Test func `saved and restored at any value it goes on with the same bits`() throws {
    var window = AdaptiveWindow(AdaptiveWindow.Settings(clock: 8))
    for (index, value) in Self.stream(3, count: 1500).enumerated() {
      _ = window.update(value)
      guard index % 37 == 0 else { continue }
      var writer = CanonicalWriter()
      window.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      let restored = try AdaptiveWindow(from: &reader)
      #expect(restored == window && reader.isAtEnd)
      window = restored
    }
  }
}
