import SeriesCodec
public import TwinCore

/// One point's samples as columns of one length.
struct SampleColumns: Sendable, Equatable {
  /// Nanoseconds of UTC.
  var effective: [Int64] = []
  /// The tick that made each sample known.
  var ticks: [Int64] = []
  /// NaN unless the quality has a value.
  var values: [Double] = []
  var qualities: [Quality] = []

  var count: Int { effective.count }

  static func == (a: SampleColumns, b: SampleColumns) -> Bool {
    a.effective == b.effective && a.ticks == b.ticks && a.qualities == b.qualities
      && a.values.elementsEqual(b.values) { $0.bitPattern == $1.bitPattern }
  }

  mutating func reserve(_ capacity: Int) {
    effective.reserveCapacity(capacity)
    ticks.reserveCapacity(capacity)
    values.reserveCapacity(capacity)
    qualities.reserveCapacity(capacity)
  }

  mutating func append(_ effective: Int64, tick: Int64, value: Double, quality: Quality) {
    self.effective.append(effective)
    ticks.append(tick)
    values.append(quality.hasValue ? value : .nan)
    qualities.append(quality)
  }

  /// Rows of a column, which has them from the body's first on.
  mutating func append(_ column: Column, _ times: RowTimes, _ rows: Range<Int>) {
    let start = values.count
    times.append(rows, to: &effective, &ticks)
    let counts = column.counts.span.extracting(rows)
    values.append(addingCapacity: rows.count) { span in
      // In bounds: as many counts as rows.
      switch column.form {
      case .decimal(let scale):
        for row in counts.indices { span.append(Double(unsafe counts[unchecked: row]) * scale) }
      case .double:
        for row in counts.indices { span.append(Double(bitPattern: UInt64(bitPattern: unsafe counts[unchecked: row]))) }
      case .integer: for row in counts.indices { span.append(Double(unsafe counts[unchecked: row])) }
      }
    }
    for exception in column.exceptions where rows.contains(Int(exception.row)) {
      values[start + Int(exception.row) - rows.lowerBound] = Double(bitPattern: exception.bits)
    }
    guard !column.qualities.isEmpty else {
      return qualities.append(contentsOf: repeatElement(.good, count: rows.count))
    }
    for row in rows {
      let quality = Quality(rawValue: column.qualities[row]) ?? .never
      if !quality.hasValue { values[start + row - rows.lowerBound] = .nan }
      qualities.append(quality)
    }
  }

  mutating func append(_ other: SampleColumns, _ rows: Range<Int>) {
    guard !rows.isEmpty else { return }
    effective.append(contentsOf: other.effective[rows])
    ticks.append(contentsOf: other.ticks[rows])
    values.append(contentsOf: other.values[rows])
    qualities.append(contentsOf: other.qualities[rows])
  }

  func part(_ rows: Range<Int>) -> SampleColumns {
    var part = SampleColumns()
    part.append(self, rows)
    return part
  }

  /// Puts the rows of `others`, which rise too, in the place of those of the same instant whose tick is not later.
  /// Gives the places in `others` of instants that are not here.
  mutating func correct(by others: SampleColumns) -> [Int] {
    var late: [Int] = []
    let (instants, theirInstants, theirTicks) = (effective, others.effective, others.ticks)
    let (theirValues, theirQualities) = (others.values, others.qualities)
    var (ticks, values, qualities) = (ticks, values, qualities)
    (self.ticks, self.values, self.qualities) = ([], [], [])
    var ownTicks = ticks.mutableSpan
    var ownValues = values.mutableSpan
    var ownQualities = qualities.mutableSpan
    var row = 0
    for index in theirInstants.indices {
      let instant = theirInstants[index]
      // Corrections mostly follow each other as the samples do.
      if row == instants.count || instants[row] != instant {
        row = Self.row(of: instants, from: row, notBefore: instant)
      }
      guard row < instants.count, instants[row] == instant else {
        late.append(index)
        continue
      }
      if ownTicks[row] <= theirTicks[index] {
        ownTicks[row] = theirTicks[index]
        ownValues[row] = theirValues[index]
        ownQualities[row] = theirQualities[index]
      }
      row += 1
    }
    (self.ticks, self.values, self.qualities) = (ticks, values, qualities)
    return late
  }

  /// With the rows of `others`, which rise too and have instants of their own.
  func merged(with others: SampleColumns) -> SampleColumns {
    var result = SampleColumns()
    result.reserve(count + others.count)
    var row = 0
    for index in 0..<others.count {
      let next = self.row(from: row, notBefore: others.effective[index])
      result.append(self, row..<next)
      result.append(others, index..<index + 1)
      row = next
    }
    result.append(self, row..<count)
    return result
  }

  /// The first row from `start` on whose instant is not before `instant`; the instants must rise.
  func row(from start: Int = 0, notBefore instant: Int64) -> Int {
    Self.row(of: effective, from: start, notBefore: instant)
  }

  private static func row(of effective: [Int64], from start: Int, notBefore instant: Int64) -> Int {
    var (low, high) = (start, effective.count)
    while low < high {
      let middle = (low + high) / 2
      if effective[middle] < instant { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// A sample that replaces what was known of its instant, or that came too late for its group's window.
public struct CorrectedSample: Sendable, Equatable {
  public var effective: Instant
  /// In the unit in which the point is stored: a meaning is applied when it is read. Of no account unless
  /// `quality.hasValue`.
  public var value: Double
  public var quality: Quality

  public init(effective: Instant, value: Double, quality: Quality = .good) {
    (self.effective, self.value, self.quality) = (effective, value, quality)
  }
}

/// Why the record of the past was changed.
public struct Grounds: Sendable, Hashable {
  /// In words.
  public var reason: String
  /// What led to it: the id of a decision, an event, a certificate; empty where nothing did.
  public var cause: String
  /// The person or program.
  public var by: String

  public init(reason: String, cause: String = "", by: String) {
    (self.reason, self.cause, self.by) = (reason, cause, by)
  }

  /// Bytes of one text.
  static let textBytesMax = 1024
}
