public import TwinCore

/// A point's samples by steps of time.
///
/// Sums are made in one way, whoever makes them: minutes of their samples in order of effective time, quarters of their
/// minutes, hours of their quarters; so that what was kept beside the samples has the same bits as what is worked out
/// anew. Where all good values of a minute are whole counts of the point's step, their sum is that of the counts,
/// exact.
public struct Rollup: Sendable, Equatable {
  public enum Step: Int64, Sendable, CaseIterable, Comparable {
    case minute = 60_000_000_000
    case quarter = 900_000_000_000
    case hour = 3_600_000_000_000

    public var nanoseconds: Int64 { rawValue }
    public static func < (a: Step, b: Step) -> Bool { a.rawValue < b.rawValue }

    /// The next coarser one.
    var coarser: Step? {
      switch self {
      case .minute: .quarter
      case .quarter: .hour
      case .hour: nil
      }
    }
  }

  /// One step that has samples.
  public struct Row: Sendable, Equatable {
    /// A whole multiple of the step since 1970, UTC.
    public var start: Instant
    /// Good samples.
    public var count: Int
    /// Of the good samples; NaN where there is none, as minimum and maximum.
    public var mean: Double
    public var minimum: Double
    public var maximum: Double
    /// Samples that are not good.
    public var bad: Int
  }

  public var point: String
  public var step: Step
  /// Rising; steps without samples have no row.
  public var rows: [Row]
  /// The unit of the rows by runs.
  public var units: [UnitStretch]
}

/// Steps of one point in columns of one length, rising, as they are kept.
struct RollupColumns: Sendable, Equatable {
  var starts: [Int64] = []
  var counts: [Int64] = []
  /// 0 where the count is, as minima and maxima.
  var sums: [Double] = []
  var minima: [Double] = []
  var maxima: [Double] = []
  var bad: [Int64] = []

  var count: Int { starts.count }

  static func == (a: RollupColumns, b: RollupColumns) -> Bool {
    func same(_ x: [Double], _ y: [Double]) -> Bool { x.elementsEqual(y) { $0.bitPattern == $1.bitPattern } }
    return a.starts == b.starts && a.counts == b.counts && a.bad == b.bad && same(a.sums, b.sums)
      && same(a.minima, b.minima) && same(a.maxima, b.maxima)
  }

  /// The minutes of samples that rise; `step` is the point's decimal step, 0 where it has none.
  init(minutesOf samples: SampleColumns, rows: Range<Int>? = nil, step: Double) {
    var sum = RollupSum(step: step)
    var open: Int64?
    for row in rows ?? 0..<samples.count {
      let start = samples.effective[row].flooredMultiple(of: Rollup.Step.minute.nanoseconds)
      if start != open {
        if let open { close(open, &sum) }
        open = start
      }
      sum.add(samples.values[row], samples.qualities[row])
    }
    if let open { close(open, &sum) }
  }

  init() {}

  /// The same stretch in the next coarser steps.
  func coarsened(to step: Rollup.Step, decimal: Double) -> RollupColumns {
    var result = RollupColumns()
    var sum = RollupSum(step: decimal)
    var open: Int64?
    for row in 0..<count {
      let start = starts[row].flooredMultiple(of: step.nanoseconds)
      if start != open {
        if let open { result.close(open, &sum) }
        open = start
      }
      sum.add(self, row)
    }
    if let open { result.close(open, &sum) }
    return result
  }

  mutating func reserve(_ capacity: Int) {
    starts.reserveCapacity(capacity)
    counts.reserveCapacity(capacity)
    sums.reserveCapacity(capacity)
    minima.reserveCapacity(capacity)
    maxima.reserveCapacity(capacity)
    bad.reserveCapacity(capacity)
  }

  private mutating func close(_ start: Int64, _ sum: inout RollupSum) {
    append(start, count: sum.count, sum: sum.total, minimum: sum.minimum, maximum: sum.maximum, bad: sum.bad)
    sum.reset()
  }

  mutating func append(_ start: Int64, count: Int64, sum: Double, minimum: Double, maximum: Double, bad: Int64) {
    starts.append(start)
    counts.append(count)
    sums.append(count > 0 ? sum : 0)
    minima.append(count > 0 ? minimum : 0)
    maxima.append(count > 0 ? maximum : 0)
    self.bad.append(bad)
  }

  mutating func append(_ other: RollupColumns, _ rows: Range<Int>) {
    starts.append(contentsOf: other.starts[rows])
    counts.append(contentsOf: other.counts[rows])
    sums.append(contentsOf: other.sums[rows])
    minima.append(contentsOf: other.minima[rows])
    maxima.append(contentsOf: other.maxima[rows])
    bad.append(contentsOf: other.bad[rows])
  }

  /// Rows whose start lies in `range`.
  func rows(in range: Range<Int64>) -> Range<Int> {
    let (low, high) = (place(notBefore: range.lowerBound), place(notBefore: range.upperBound))
    return low..<max(low, high)
  }

  private func place(notBefore instant: Int64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] < instant { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The row as it is told, under a meaning that holds for all of it.
  func told(_ row: Int, _ meaning: Meaning?) -> Rollup.Row {
    let start = Instant(nanoseconds: starts[row])
    guard counts[row] > 0 else {
      return Rollup.Row(start: start, count: 0, mean: .nan, minimum: .nan, maximum: .nan, bad: Int(bad[row]))
    }
    var (mean, low, high) = (sums[row] / Double(counts[row]), minima[row], maxima[row])
    if let meaning {
      (mean, low, high) = (meaning.read(mean), meaning.read(low), meaning.read(high))
      if meaning.factor < 0 { swap(&low, &high) }
    }
    return Rollup.Row(
      start: start, count: Int(counts[row]), mean: mean, minimum: low, maximum: high, bad: Int(bad[row]))
  }
}

/// One step as it fills.
private struct RollupSum {
  private let step: Double
  private var whole: Int64 = 0
  private var isWhole: Bool
  private var rest = 0.0
  private(set) var count: Int64 = 0
  private(set) var minimum = 0.0
  private(set) var maximum = 0.0
  private(set) var bad: Int64 = 0

  init(step: Double) { (self.step, isWhole) = (step, step > 0) }

  mutating func reset() { self = RollupSum(step: step) }

  var total: Double { isWhole ? Double(whole) * step : rest }

  @inline(__always)
  mutating func add(_ value: Double, _ quality: Quality) {
    // A good reading that is no number can be in no sum.
    guard quality.isUsable, !value.isNaN else {
      bad += 1
      return
    }
    add(sum: value)
    if count == 0 {
      (minimum, maximum) = (value, value)
    } else {
      if value < minimum { minimum = value }
      if value > maximum { maximum = value }
    }
    count += 1
  }

  mutating func add(_ columns: RollupColumns, _ row: Int) {
    bad += columns.bad[row]
    guard columns.counts[row] > 0 else { return }
    add(sum: columns.sums[row])
    minimum = count == 0 ? columns.minima[row] : min(minimum, columns.minima[row])
    maximum = count == 0 ? columns.maxima[row] : max(maximum, columns.maxima[row])
    count += columns.counts[row]
  }

  @inline(__always)
  private mutating func add(sum value: Double) {
    rest += value
    guard isWhole else { return }
    let quotient = (value / step).nearestInteger
    guard quotient.magnitude < 0x1p53, (quotient * step).bitPattern == value.bitPattern else {
      isWhole = false
      return
    }
    let (next, overflow) = whole.addingReportingOverflow(Int64(quotient))
    (whole, isWhole) = (next, !overflow && next.magnitude < 1 << 53)
  }
}
