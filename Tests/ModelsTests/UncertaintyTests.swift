import Testing
import TwinCore

@testable import Models

/// Sequences that try to break a promise over all sequences.
private enum Adversary: CaseIterable {
  case zeros, ones, alternating, records, shrinking, justOutside, justInside, bursts, random, scales

  func score(_ step: Int, radius: Double, _ random: inout Philox) -> Double {
    switch self {
    case .zeros: 0
    case .ones: 1
    case .alternating: step & 1 == 0 ? 0 : 5
    case .records: min(20, 0.001 * Double(step))
    case .shrinking: 20 / Double(step + 1)
    // Whatever is promised is missed, as long as scores may grow; then whatever is promised is met.
    case .justOutside: min(20, max(0, radius) * 1.0001 + 1e-9)
    case .justInside: max(0, min(20, radius))
    case .bursts: step / 300 & 1 == 0 ? 0.01 : 10
    case .random: 20 * random.uniform()
    case .scales: Elementary.exp(6 * random.normal() - 9).clamped(20)
    }
  }
}

@Suite struct `An interval's promise` {
  /// What lies within an interval is judged as it was promised; a promise below zero is an empty interval.
  @Test(arguments: Adversary.allCases.indices, [0.5, 0.9, 0.99])
  func `holds in the long run for any sequence`(kind: Int, level: Double) {
    let least = 0.01
    for seed in 0..<3 as Range<UInt64> {
      var random = Philox(seed: seed, stream: UInt64(kind))
      let ahead = seed == 2 ? 24 : 1
      var tracker = QuantileTracker(level: level, ahead: ahead, least: least)
      var issued = Array(repeating: tracker.scoreRadius, count: ahead)
      var (covered, largest) = (0, 0.0)
      for step in 0..<20_000 {
        let radius = issued[step % ahead]
        #expect(radius.isFinite)
        let score = Adversary.allCases[kind].score(step, radius: radius, &random)
        covered += score <= radius ? 1 : 0
        largest = max(largest, score)
        tracker.score(error: -score, sigma: 1, issued: radius)
        issued[step % ahead] = tracker.scoreRadius
        let count = Double(step + 1)
        let gap = abs(Double(covered) / count - level)
        #expect(gap <= (largest + Double(ahead) * least) / (least * count) + 1e-9, "seed \(seed), step \(step)")
      }
      #expect(Int64(covered) == tracker.covered)
    }
  }

  @Test(arguments: [0, 1, 2, 3] as [UInt64]) func `is kept for normal errors`(seed: UInt64) {
    var random = Philox(seed: seed)
    var tracker = QuantileTracker(level: 0.9)
    for _ in 0..<20_000 { tracker.score(error: random.normal() * 3, sigma: 3) }
    #expect(abs(tracker.coverage - 0.9) < 0.007)
  }

  /// Many sites see the same change; what share of them is covered, step by step.
  @Test(arguments: [2.0, 0.5]) func `is kept again 200 steps after the variance changes fourfold`(scale: Double) {
    let sites = 400
    var before = 0
    var after = 0
    for site in 0..<sites {
      var random = Philox(seed: UInt64(site), stream: 5)
      var tracker = QuantileTracker(level: 0.9)
      for step in 0..<1700 {
        let error = random.normal() * (step < 1000 ? 1 : scale)
        let isCovered = abs(error) <= tracker.radius(sigma: 1)
        if step >= 500, step < 1000 { before += isCovered ? 1 : 0 }
        if step >= 1200 { after += isCovered ? 1 : 0 }
        tracker.score(error: error, sigma: 1)
      }
    }
    let parts = (Double(before) / Double(500 * sites), Double(after) / Double(500 * sites))
    #expect(parts.0 > 0.88 && parts.0 < 0.92, "before: \(parts.0)")
    #expect(parts.1 > 0.88 && parts.1 < 0.92, "after: \(parts.1)")
  }

  /// Errors of forecasts twelve steps ahead share eleven of their twelve causes, and are known twelve steps late.
  @Test(arguments: [0, 1, 2] as [UInt64]) func `is kept for forecasts that overlap`(seed: UInt64) {
    var random = Philox(seed: seed, stream: 3)
    var tracker = QuantileTracker(level: 0.9, ahead: 12)
    var causes = Array(repeating: 0.0, count: 12)
    var issued = Array(repeating: tracker.scoreRadius, count: 12)
    var covered = 0
    for step in 0..<40_000 {
      causes[step % 12] = random.normal()
      let error = causes.reduce(0, +) / 12.0.squareRoot()
      covered += abs(error) <= issued[step % 12] ? 1 : 0
      tracker.score(error: error, sigma: 1, issued: issued[step % 12])
      issued[step % 12] = tracker.scoreRadius
    }
    #expect(abs(Double(covered) / 40_000 - 0.9) < 0.015)
  }

  @Test func `follows the forecast's own standard deviation`() {
    var random = Philox(seed: 8)
    var tracker = QuantileTracker(level: 0.9)
    var covered = [0, 0]
    for step in 0..<20_000 {
      let sigma = step & 1 == 0 ? 0.1 : 10
      let error = random.normal() * sigma
      covered[step & 1] += abs(error) <= tracker.radius(sigma: sigma) ? 1 : 0
      tracker.score(error: error, sigma: sigma)
    }
    for count in covered { #expect(abs(Double(count) / 10_000 - 0.9) < 0.015) }
  }

  @Test func `is never infinite, and what is no number does not move it`() {
    var tracker = QuantileTracker(level: 0.9)
    for (error, sigma) in [(1e308, 1e-308), (-1e308, 1), (1, .leastNonzeroMagnitude), (0, 1e308)] {
      for _ in 0..<300 {
        let isTaken = tracker.score(error: error, sigma: sigma)
        #expect(isTaken)
        #expect(tracker.scoreRadius.isFinite && tracker.scoreRadius <= 2e9)
      }
    }
    let before = tracker
    for (error, sigma) in [(Double.nan, 1), (.infinity, 1), (1, 0), (1, -1), (1, .nan), (1, .infinity)] {
      let isTaken = tracker.score(error: error, sigma: sigma)
      #expect(!isTaken)
    }
    #expect(tracker == before)
  }

  @Test func `one wild error does not make it useless`() {
    var random = Philox(seed: 4)
    var tracker = QuantileTracker(level: 0.9)
    for _ in 0..<1000 { tracker.score(error: random.normal(), sigma: 1) }
    let before = tracker.radius(sigma: 1)
    tracker.score(error: 1e6, sigma: 1)
    #expect(tracker.radius(sigma: 1) < 1.5 * before)
    for _ in 0..<300 { tracker.score(error: random.normal(), sigma: 1) }
    #expect(tracker.radius(sigma: 1) < 1.5 * before && tracker.radius(sigma: 1) > before / 1.5)
  }

  @Test func `survives its bytes to the bit`() throws {
    var random = Philox(seed: 2)
    var tracker = QuantileTracker(level: 0.8, ahead: 12)
    for _ in 0..<777 { tracker.score(error: random.normal(), sigma: 2) }
    var writer = CanonicalWriter()
    tracker.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    var restored = try QuantileTracker(from: &reader)
    #expect(restored == tracker && reader.isAtEnd)
    for _ in 0..<100 {
      let error = random.normal()
      tracker.score(error: error, sigma: 2)
      restored.score(error: error, sigma: 2)
      #expect(restored.scoreRadius.bitPattern == tracker.scoreRadius.bitPattern)
    }
    var damaged = CanonicalReader(writer.bytes.dropLast(9) + [0xFB, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0])
    #expect(throws: CanonicalFault.self) { try QuantileTracker(from: &damaged) }
  }
}
