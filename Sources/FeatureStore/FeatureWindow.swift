import TwinCore

/// The good samples of a window, and what can be said of them.
///
/// Every sum runs from the earliest sample to the last, so that the same window always gives the same bits, whatever
/// was asked beside it. No C library.
struct FeatureWindow {
  private(set) var times: [Int64] = []
  private(set) var values: [Double] = []

  var count: Int { times.count }

  mutating func removeAll() {
    times.removeAll(keepingCapacity: true)
    values.removeAll(keepingCapacity: true)
  }

  mutating func append(_ time: Int64, _ value: Double) {
    times.append(time)
    values.append(value)
  }

  mutating func reverse() {
    times.reverse()
    values.reverse()
  }

  /// Replaces each value by what `body` makes of it; nil leaves the sample out.
  mutating func filter(_ body: (Int64, Double) -> Double?) {
    var kept = 0
    for index in values.indices {
      guard let value = body(times[index], values[index]) else { continue }
      (times[kept], values[kept]) = (times[index], value)
      kept += 1
    }
    times.removeLast(times.count - kept)
    values.removeLast(values.count - kept)
  }

  var mean: Double {
    var sum = 0.0
    for value in values { sum += value }
    return sum / Double(values.count)
  }

  /// nil where there are too few samples for it.
  func value(_ statistic: FeatureDefinition.Statistic) -> Double? {
    guard let first = values.first else { return nil }
    switch statistic {
    case .mean: return mean
    case .minimum: return values.reduce(first) { $1 < $0 ? $1 : $0 }
    case .maximum: return values.reduce(first) { $1 > $0 ? $1 : $0 }
    case .deviation:
      guard values.count > 1 else { return nil }
      let mean = mean
      var sum = 0.0
      for value in values { sum += (value - mean) * (value - mean) }
      return (sum / Double(values.count - 1)).squareRoot()
    }
  }

  /// The mean square of what swings at the frequencies k ÷ span for k in `bins`, in the window (end − span, end]: each
  /// is projected out of the samples less their mean, at their own times. Of a whole window of even steps, all bins
  /// below half the samples together are the variance.
  func energy(bins: ClosedRange<Int>, end: Int64, span: Int64) -> Double? {
    guard !values.isEmpty else { return nil }
    let mean = mean
    var cosines = [Double](repeating: 0, count: bins.count)
    var sines = cosines
    for (time, value) in zip(times, values) {
      // Of a turn a bin; whole turns of the first bin are taken off while they are still exact.
      let turn = Double(time - end) / Double(span)
      let start = turn * Double(bins.lowerBound)
      let angle = 2 * Double.pi * (start - start.nearestInteger)
      var (c, s) = (Elementary.cos(angle), Elementary.sin(angle))
      let (stepC, stepS) = (Elementary.cos(2 * Double.pi * turn), Elementary.sin(2 * Double.pi * turn))
      for bin in 0..<bins.count {
        cosines[bin] += (value - mean) * c
        sines[bin] += (value - mean) * s
        (c, s) = (c * stepC - s * stepS, s * stepC + c * stepS)
      }
    }
    var sum = 0.0
    for bin in 0..<bins.count { sum += cosines[bin] * cosines[bin] + sines[bin] * sines[bin] }
    return 2 * sum / (Double(count) * Double(count))
  }
}
