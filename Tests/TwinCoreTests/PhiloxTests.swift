import Testing
import TwinCore

@Suite struct `Random numbers by counter` {
  /// Known answers of the authors' Random123 for philox4x32 with ten rounds.
  static let known: [(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, block: SIMD4<UInt32>)] = [
    (.zero, .zero, SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
    (
      SIMD4(repeating: 0xffff_ffff), SIMD2(repeating: 0xffff_ffff),
      SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
    ),
    (
      SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
      SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
    ),
  ]

  @Test(arguments: 0..<3) func `are the published ones`(row: Int) {
    let (counter, key, block) = Self.known[row]
    #expect(Philox.block(counter, key: key) == block)
  }

  @Test func `are a function of seed, stream and position`() throws {
    var philox = Philox(seed: 0)
    #expect(philox.next() == 0xe169_c58d_6627_e8d5)
    #expect(philox.next() == 0x9b00_dbd8_bc57_ac4c)
    philox = Philox(seed: .max, stream: .max)
    philox.seek(to: 1)
    let second = philox.next()
    philox.seek(to: 0)
    let drawn = (0..<1000).map { _ in philox.next() }
    #expect(drawn[1] == second)
    for index in drawn.indices { #expect(philox.word(at: UInt64(index)) == drawn[index]) }
    #expect(Set(drawn).count == 1000)
    #expect(Philox(seed: 1, stream: 1).word(at: 0) != Philox(seed: 1, stream: 2).word(at: 0))
    #expect(Philox(seed: 1, stream: 1).word(at: 0) != Philox(seed: 2, stream: 1).word(at: 0))
  }

  @Test(arguments: [0, 1, 2, 7] as [UInt64]) func `go on after a restore`(position: UInt64) throws {
    var philox = Philox(seed: 3, stream: 9)
    for _ in 0..<position { _ = philox.next() }
    var writer = CanonicalWriter()
    philox.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    var restored = try Philox(from: &reader)
    #expect(reader.isAtEnd)
    for _ in 0..<5 { #expect(restored.next() == philox.next()) }
  }

  @Test func `are even, and normal where asked`() {
    var philox = Philox(seed: 11)
    let count = 200_000
    var bins = Array(repeating: 0, count: 64)
    var moments = SIMD4<Double>.zero
    for _ in 0..<count {
      let value = philox.uniform()
      #expect(value > 0 && value < 1)
      bins[Int(value * 64)] += 1
      let normal = philox.normal()
      moments += SIMD4(normal, normal * normal, normal * normal * normal, normal * normal * normal * normal)
    }
    let expected = Double(count) / 64
    let chi = bins.reduce(0.0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
    // 63 degrees of freedom: 99.99 % lie between 27 and 113.
    #expect(chi > 27 && chi < 113)
    moments /= Double(count)
    // Four standard errors of each moment.
    #expect(abs(moments[0]) < 0.009 && abs(moments[1] - 1) < 0.013)
    #expect(abs(moments[2]) < 0.035 && abs(moments[3] - 3) < 0.09)
    var counts = Array(repeating: 0, count: 3)
    for _ in 0..<30_000 { counts[philox.index(below: 3)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
  }
}

@Suite struct `The inverse of the normal distribution` {
  /// By SciPy 1.17's norm.ppf.
  static let known: [(p: Double, value: Double)] = [
    (1e-300, -37.0470962993612), (1e-20, -9.262340089798409), (1e-05, -4.264890793922825),
    (0.01, -2.3263478740408408), (0.0749999, -1.439532177375901), (0.08, -1.4050715603096329),
    (0.3, -0.5244005127080409), (0.5, 0), (0.6, 0.2533471031357997), (0.95, 1.6448536269514722),
    (0.999, 3.090232306167813), (0.999999999999, 7.0344869100478356),
  ]

  @Test(arguments: 0..<12) func `is that of SciPy`(row: Int) {
    let (p, value) = Self.known[row]
    #expect(abs(Elementary.inverseNormal(p) - value) <= 1e-14 * abs(value))
  }

  @Test func `ends where probabilities end`() {
    #expect(Elementary.inverseNormal(0) == -.infinity && Elementary.inverseNormal(1) == .infinity)
    #expect(Elementary.inverseNormal(-0.1).isNaN && Elementary.inverseNormal(.nan).isNaN)
  }

  @Test func `rises`() {
    var last = -Double.infinity
    for step in 1..<100_000 {
      let value = Elementary.inverseNormal(Double(step) / 100_000)
      #expect(value > last)
      last = value
    }
  }
}
