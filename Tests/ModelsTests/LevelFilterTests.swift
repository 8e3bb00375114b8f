import Testing
import TwinCore

@testable import Models

private let second: Int64 = 1_000_000_000
private let settings = EstimatorSettings(
  measurementVariance: 0.25, processVariancePerSecond: 0.01, isContinuous: true, halfLifeNanoseconds: 100 * second)

private func at(_ seconds: Int64) -> Uptime { Uptime(nanoseconds: seconds * second) }

extension LevelFilter {
  fileprivate mutating func see(_ value: Double, at seconds: Int64, _ quality: Quality = .good) {
    update(
      value, quality: quality, at: Uptime(nanoseconds: seconds * second), sequence: seconds, tick: seconds,
      settings: settings)
  }
}

@Suite struct `The level filter` {
  @Test func `is the local-level Kalman filter`() {
    var filter = LevelFilter()
    filter.see(10, at: 0)
    #expect(filter.mean == 10 && filter.variance == 0.25)
    filter.see(12, at: 50)
    // Prior 0.25 + 0.5, gain 0.75.
    #expect(abs(filter.mean - 11.5) < 1e-12 && abs(filter.variance - 0.1875) < 1e-12)
  }

  @Test func `without readings knows less and less`() {
    var filter = LevelFilter()
    #expect(filter.estimate(at: at(0), freshUntil: at(0), settings) == .unknown)
    filter.see(10, at: 0)
    let fresh = filter.estimate(at: at(60), freshUntil: at(60), settings)
    let late = filter.estimate(at: at(160), freshUntil: at(60), settings)
    #expect(fresh.confidence == 1 && abs(late.confidence - 0.5) < 1e-12 && late.mean == 10)
    #expect(abs(late.variance - 1.85) < 1e-12)
  }

  @Test func `passes over what is no value, and doubts what is doubtful`() {
    var filter = LevelFilter()
    filter.see(10, at: 0)
    let before = filter
    for quality in [Quality.absent, .failed, .never] { filter.see(99, at: 1, quality) }
    for value in [Double.nan, .infinity, -.infinity] { filter.see(value, at: 1) }
    #expect(filter == before)
    filter.see(99, at: 1, .suspect)
    #expect(filter.mean < 12 && filter.trust == 0.5)
  }

  @Test func `stays finite whatever it sees, and survives its bytes`() throws {
    var filter = LevelFilter()
    let hostile = [
      1e308, -1e308, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, Double.leastNonzeroMagnitude, 0, 20,
    ]
    for step in 0..<200 {
      filter.see(hostile[step * 5 % 7], at: Int64(step) * 7, step % 3 == 0 ? .suspect : .good)
      #expect(filter.mean.isFinite && filter.variance >= 0 && filter.variance.isFinite)
      var writer = CanonicalWriter()
      filter.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      #expect(try LevelFilter(from: &reader) == filter)
    }
    filter.update(1, quality: .good, at: .never, sequence: 0, tick: 0, settings: settings)
    #expect(filter.mean.isFinite)
  }

  @Test func `a switch is taken as it is`() {
    let discrete = EstimatorSettings(
      measurementVariance: 0.25, processVariancePerSecond: 0.01, isContinuous: false, halfLifeNanoseconds: second)
    var filter = LevelFilter()
    for value in [0.0, 1, 0, 1] {
      filter.update(value, quality: .good, at: at(1), sequence: 0, tick: 0, settings: discrete)
      #expect(filter.mean == value)
    }
  }
}
