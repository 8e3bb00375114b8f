import FoundationEssentials
import Testing

@testable import TwinCore

/// Draws for property tests (SplitMix64); a failing expectation prints the seed.
struct SeededDraw: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  init(seed: UInt64) { (self.seed, state) = (seed, seed) }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// The lines of a file of Vectors, cut at spaces.
func vectorLines(_ name: String) throws -> [[Substring]] {
  let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Vectors/\(name)")
  let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
  return text.split(separator: "\n").map { $0.split(separator: " ") }
}

@Suite struct `Elementary functions against mpmath` {
  static let unary: [String: @Sendable (Double) -> Double] = [
    "exp": Elementary.exp, "log": Elementary.log, "sin": Elementary.sin, "cos": Elementary.cos, "tanh": Elementary.tanh,
  ]

  /// The bounds are those of the documentation; the vectors' own rounding to a thousandth adds one.
  @Test(arguments: ["exp", "log", "pow", "sin", "cos", "tanh"])
  func `every vector is within 0.75 ulp`(name: String) throws {
    var worst = (error: -1.0, line: "")
    var count = 0
    for words in try vectorLines("elementary.txt") where words[0] == name {
      let numbers = words[1..<words.count - 1].map { Double(bitPattern: UInt64($0, radix: 16) ?? 0) }
      let residual = try #require(Double(words[words.count - 1])) / 1000
      let want = try #require(numbers.last)
      let got = numbers.count == 3 ? Elementary.pow(numbers[0], numbers[1]) : Self.unary[name]?(numbers[0]) ?? .nan
      let error = abs((got - want) / want.ulp - residual)
      if !(error <= worst.error) { worst = (error, words.joined(separator: " ")) }
      count += 1
    }
    print("Elementary.\(name): largest error \(worst.error) ulp of \(count) cases, at \(worst.line)")
    #expect(count == 1400)
    #expect(worst.error <= 0.75)
  }
}

@Suite struct `Elementary functions at their special values` {
  private static let huge = Double.greatestFiniteMagnitude, tiny = Double.leastNonzeroMagnitude
  private static let inf = Double.infinity, nan = Double.nan

  /// Same value and sign of zero; any NaN must be the canonical one.
  private func expectSame(_ got: Double, _ want: Double, _ what: String) {
    #expect(got.bitPattern == want.bitPattern, "\(what) is \(got), not \(want)")
  }

  @Test func `one argument, C99 Annex F`() {
    let (inf, nan, huge, tiny) = (Self.inf, Self.nan, Self.huge, Self.tiny)
    let table: [(String, Double, Double)] = [
      ("exp", 0, 1), ("exp", -0.0, 1), ("exp", inf, inf), ("exp", -inf, 0), ("exp", nan, nan), ("exp", huge, inf),
      ("exp", -huge, 0), ("exp", tiny, 1), ("exp", 709.782712893384, 0x1.fffffffffff2ap1023),
      ("exp", 709.7827128933841, inf), ("exp", -745.1332191019411, tiny), ("exp", -745.1332191019412, 0),
      ("exp", 1, 0x1.5bf0a8b145769p1), ("log", 1, 0), ("log", 0, -inf), ("log", -0.0, -inf), ("log", inf, inf),
      ("log", -1, nan), ("log", -inf, nan), ("log", nan, nan), ("log", -tiny, nan), ("log", 2, 0x1.62e42fefa39efp-1),
      ("log", tiny, -744.4400719213812), ("log", huge, 709.782712893384), ("sin", 0, 0), ("sin", -0.0, -0.0),
      ("sin", inf, nan), ("sin", -inf, nan), ("sin", nan, nan), ("sin", tiny, tiny), ("sin", -tiny, -tiny),
      ("cos", 0, 1), ("cos", -0.0, 1), ("cos", inf, nan), ("cos", -inf, nan), ("cos", nan, nan), ("cos", tiny, 1),
      ("tanh", 0, 0), ("tanh", -0.0, -0.0), ("tanh", inf, 1), ("tanh", -inf, -1), ("tanh", nan, nan),
      ("tanh", huge, 1), ("tanh", -huge, -1), ("tanh", -tiny, -tiny),
    ]
    for (name, x, want) in table {
      guard let function = `Elementary functions against mpmath`.unary[name] else { continue }
      expectSame(function(x), want, "\(name)(\(x))")
    }
  }

  @Test func `power, C99 Annex F`() {
    let (inf, nan, huge, tiny) = (Self.inf, Self.nan, Self.huge, Self.tiny)
    let table: [(Double, Double, Double)] = [
      (0, -3, inf), (-0.0, -3, -inf), (0, -2, inf), (-0.0, -2, inf), (-0.0, -0.5, inf), (0, -inf, inf),
      (-0.0, -inf, inf), (0, 3, 0), (-0.0, 3, -0.0), (-0.0, 2, 0), (-0.0, 0.5, 0), (-0.0, inf, 0), (-1, inf, 1),
      (-1, -inf, 1), (1, nan, 1), (1, inf, 1), (nan, 0, 1), (nan, -0.0, 1), (inf, 0, 1), (0, 0, 1), (-2, 0.5, nan),
      (-inf, 0.5, inf), (0.5, -inf, inf), (-0.5, -inf, inf), (2, -inf, 0), (-2, -inf, 0), (0.5, inf, 0), (2, inf, inf),
      (-inf, -3, -0.0), (-inf, -2, 0), (-inf, -0.5, 0), (-inf, 3, -inf), (-inf, 2, inf), (inf, -1, 0), (inf, 1, inf),
      (nan, 1, nan), (2, nan, nan), (nan, nan, nan), (2, 1024, inf), (2, 1023, 0x1p1023), (2, -1074, tiny),
      (2, -1075, 0), (-2, -1075, -0.0), (-2, 1023, -0x1p1023), (-2, 1025, -inf), (2, 0.5, 2.0.squareRoot()),
      (-1, 3, -1), (-1, 4, 1), (-1, 0.5, nan), (-3, 3, -27), (10, 2, 100), (10, -2, 0.01), (huge, huge, inf),
      (huge, -huge, 0), (-huge, huge, inf), (0.5, huge, 0), (2, tiny, 1), (-8, 1.0 / 3, nan), (tiny, -1, inf),
      (-1, 0x1p53, 1), (-1, 0x1.fffffffffffffp52, -1), (1.5, 1, 1.5), (tiny, 1, tiny), (tiny, 0.5, 0x1p-537),
    ]
    for (x, y, want) in table { expectSame(Elementary.pow(x, y), want, "pow(\(x), \(y))") }
  }
}

@Suite struct `Elementary functions keep the laws of mathematics` {
  @Test func `monotonic from one sample to a neighbour`() {
    var draw = SeededDraw(seed: 11)
    for _ in 0..<20_000 {
      let x = Double.random(in: -700...700, using: &draw)
      #expect(Elementary.exp(x) <= Elementary.exp(x.nextUp), "exp at \(x), seed \(draw.seed)")
      let p = Double.random(in: 1e-300...10, using: &draw)
      #expect(Elementary.log(p) <= Elementary.log(p.nextUp), "log at \(p), seed \(draw.seed)")
      let t = Double.random(in: -3...3, using: &draw)
      #expect(Elementary.tanh(t) <= Elementary.tanh(t.nextUp), "tanh at \(t), seed \(draw.seed)")
      #expect(Elementary.tanh(-t) == -Elementary.tanh(t), "tanh at \(t), seed \(draw.seed)")
    }
  }

  @Test func `inverse and identities`() {
    var draw = SeededDraw(seed: 12)
    for _ in 0..<20_000 {
      let x = Double.random(in: 0.1...1000, using: &draw)
      #expect(abs(Elementary.exp(Elementary.log(x)) / x - 1) < 2e-15, "exp log at \(x), seed \(draw.seed)")
      #expect(abs(Elementary.pow(x, 2) - x * x) <= (x * x).ulp, "pow 2 at \(x), seed \(draw.seed)")
      let root = Elementary.pow(x, 0.5)
      #expect(abs(root - x.squareRoot()) <= root.ulp, "pow 0.5 at \(x), seed \(draw.seed)")
      let angle = Double(bitPattern: UInt64.random(in: 0..<0x7ff0_0000_0000_0000, using: &draw))
      let (s, c) = (Elementary.sin(angle), Elementary.cos(angle))
      #expect(abs(s * s + c * c - 1) < 5e-16, "sin² + cos² at \(angle), seed \(draw.seed)")
      #expect(Elementary.sin(-angle) == -s, "sin is odd, at \(angle), seed \(draw.seed)")
      #expect(Elementary.cos(-angle) == c, "cos is even, at \(angle), seed \(draw.seed)")
    }
  }

  @Test func `the two reductions of angles agree where they meet`() {
    var draw = SeededDraw(seed: 13)
    for _ in 0..<2000 {
      let below = Double.random(in: 90_000...ReducedAngle.moderateMax, using: &draw)
      // The sum of angles links an angle below the border to one above it, exactly in binary.
      let turn = 65_536.0
      let (a, b) = (Elementary.sin(below), Elementary.cos(below))
      let sum = a * Elementary.cos(turn) + b * Elementary.sin(turn)
      let error = below + turn - below == turn ? abs(sum - Elementary.sin(below + turn)) : 0
      #expect(error < 1e-11, "at \(below), seed \(draw.seed)")
    }
  }

  /// A processor, compiler or option that changes one bit of one result changes this number.
  @Test func `the same bits everywhere`() {
    var draw = SeededDraw(seed: 14)
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ value: Double) { digest = (digest ^ value.bitPattern) &* 0x0000_0100_0000_01b3 }
    for _ in 0..<20_000 {
      let x = Double.random(in: -30...30, using: &draw)
      let any = Double(bitPattern: UInt64.random(in: 0..<0x7ff0_0000_0000_0000, using: &draw))
      add(Elementary.exp(x))
      add(Elementary.log(any))
      add(Elementary.pow(x.magnitude, x))
      add(Elementary.sin(any))
      add(Elementary.cos(x * 1000))
      add(Elementary.tanh(x))
    }
    #expect(digest == 2_527_577_925_276_829_618)
  }
}
