import Glibc
import Testing
import TwinCore

@testable import Models

private let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

@Suite struct `Watches keep their run length` {
  /// Mean number of values between alarms, over so many alarms.
  private func measured(alarms: Int, seed: UInt64, _ update: (Double) -> WatchOutcome) -> Double {
    var noise = DriftNoise(seed: seed)
    var (values, seen) = (0, 0)
    while seen < alarms {
      values += 1
      if update(noise.normal()) == .alarm { seen += 1 }
    }
    return Double(values) / Double(alarms)
  }

  // 900 alarms: a standard error of 3.3 %.
  @Test(arguments: isLong ? [1e2, 1e3, 1e4, 1e5] : [1e2, 1e3])
  func `of the mean`(runLength: Double) {
    var watch = MeanWatch(runLength: runLength)
    let seen = measured(alarms: 900, seed: 1) { watch.update($0) }
    #expect((seen / runLength - 1).magnitude < 0.15, "\(seen) where \(runLength) was asked for, seed 1")
  }

  @Test(arguments: isLong ? [1e2, 1e3, 1e4, 1e5] : [1e2, 1e3])
  func `of the variance`(runLength: Double) {
    var watch = VarianceWatch(runLength: runLength)
    let seen = measured(alarms: 900, seed: 2) { watch.update($0) }
    #expect((seen / runLength - 1).magnitude < 0.15, "\(seen) where \(runLength) was asked for, seed 2")
  }

  @Test func `by constants that are Siegmund's series`() {
    for (lane, size) in [0.5, 1, 2].enumerated() {
      var sum = 0.0
      for n in 1..<4000 { sum += 0.5 * erfc(size * Double(n).squareRoot() / 2 / 2.0.squareRoot()) / Double(n) }
      let overshoot = 2 / (size * size) * exp(-2 * sum)
      #expect((MeanWatch.overshoots[lane] - overshoot).magnitude < 1e-9)
    }
    #expect((MeanWatch.weights.sum() - 1).magnitude < 1e-15 && (VarianceWatch.weights.sum() - 1).magnitude < 1e-15)
  }

  /// With the threshold for 1e5, as in the bench, which measures it over more streams.
  @Test(arguments: [(0.5, 75), (1.0, 26), (2.0, 10)])
  func `and find a shift of unknown size`(shift: Double, limit: Int) {
    var delays: [Int] = []
    for seed in 1...101 as ClosedRange<UInt64> {
      var noise = DriftNoise(seed: seed)
      var watch = MeanWatch(runLength: 1e5)
      for _ in 0..<500 { _ = watch.update(noise.normal()) }
      var delay = 1
      let sign = seed % 2 == 0 ? 1.0 : -1
      while watch.update(noise.normal() + sign * shift) != .alarm { delay += 1 }
      delays.append(delay)
    }
    #expect(delays.sorted()[50] <= limit)
  }

  @Test(arguments: [2.0, 0.5]) func `and find another spread`(scale: Double) {
    var noise = DriftNoise(seed: 3)
    var watch = VarianceWatch(runLength: 1e5)
    for _ in 0..<500 { _ = watch.update(noise.normal()) }
    var delay = 1
    var isRise = false
    while delay < 200 {
      isRise = watch.isRise
      if watch.update(scale * noise.normal()) == .alarm { break }
      delay += 1
    }
    #expect(delay < 60 && isRise == (scale > 1))
  }

  @Test func `and refuse what is no number, and bear what is none of this world`() {
    var (mean, variance, window) = (MeanWatch(runLength: 1e3), VarianceWatch(runLength: 1e3), AdaptiveWindow())
    for value in [0.3, -1.2] { _ = (mean.update(value), variance.update(value), window.update(value)) }
    let before = (mean, variance, window)
    for value in [Double.nan, .infinity, -.infinity] {
      #expect(mean.update(value) == .refused && variance.update(value) == .refused)
      #expect(window.update(value) == .refused)
    }
    #expect(mean == before.0 && variance == before.1 && window == before.2)
    for _ in 0..<50 {
      _ = (mean.update(1e308), variance.update(-1e308))
      #expect(mean.level.isFinite && variance.level.isFinite)
    }
  }
}

@Suite struct `Innovations with memory are whitened` {
  @Test(arguments: [0.0, 0.5, 0.9, -0.6]) func `of one step`(phi: Double) {
    var noise = DriftNoise(seed: 7)
    var whitener = Whitener(reference: 2000, horizon: 20_000)
    var (state, previous) = (0.0, 0.0)
    var (sum, square, product, count) = (0.0, 0.0, 0.0, 0.0)
    for _ in 0..<22_000 {
      state = phi * state + (1 - phi * phi).squareRoot() * noise.normal()
      guard let white = whitener.whiten(3 * state + 10) else { continue }
      (sum, square, product, count) = (sum + white, square + white * white, product + white * previous, count + 1)
      previous = white
    }
    #expect(count == 20_000 && (sum / count).magnitude < 0.05)
    #expect((square / count - 1).magnitude < 0.08 && (product / square).magnitude < 0.03, "phi \(phi), seed 7")
    #expect((whitener.memory - phi).magnitude < 0.03)
  }

  @Test func `and a gap makes no evidence`() {
    var noise = DriftNoise(seed: 8)
    var whitener = Whitener(reference: 500, horizon: 5000)
    var state = 0.0
    var largest = 0.0
    for step in 0..<6000 {
      // The series goes on while nobody reads it.
      state = 0.95 * state + (1 - 0.95 * 0.95).squareRoot() * noise.normal()
      if step % 40 > 30 {
        whitener.skip()
      } else if let white = whitener.whiten(state) {
        largest = max(largest, white.magnitude)
      }
    }
    #expect(largest < 5)
  }

  @Test func `and its watches keep their run length on it`() {
    var noise = DriftNoise(seed: 9)
    var whitener = Whitener(reference: 5000, horizon: 50_000)
    var watch = MeanWatch(runLength: 1000)
    var (state, values, alarms) = (0.0, 0, 0)
    while values < (isLong ? 2_000_000 : 300_000) {
      state = 0.9 * state + (1 - 0.81).squareRoot() * noise.normal()
      guard let white = whitener.whiten(state) else { continue }
      values += 1
      if watch.update(white) == .alarm { alarms += 1 }
    }
    let seen = Double(values) / Double(alarms)
    #expect(seen > 800 && seen < 1300, "\(seen), seed 9")
  }
}
