public import TwinCore

/// A window over a stream of any values that shortens itself where its older and its newer part differ in the mean:
/// ADWIN (Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007), with the semantics
/// of MOA: exponential histogram, variance-based bound, cut from the oldest bucket on.
///
/// Space and work grow with the logarithm of the window's length.
public struct AdaptiveWindow: Sendable, Equatable {
  public struct Settings: Sendable, Equatable {
    /// Chance of a false cut, by the paper's bound.
    public var confidence: Double
    /// Values between two checks.
    public var clock: Int
    /// Buckets of one size before two are merged.
    public var bucketsPerRow: Int
    /// Neither part of a cut is shorter.
    public var partMin: Int
    /// Shorter windows are not checked.
    public var grace: Int

    public init(
      confidence: Double = 0.002, clock: Int = 32, bucketsPerRow: Int = 5, partMin: Int = 5, grace: Int = 10
    ) {
      precondition(confidence > 0 && confidence < 1 && clock > 0, "a confidence between 0 and 1, a clock above 0")
      precondition((1...64).contains(bucketsPerRow) && partMin > 0 && grace >= 0, "sizes are positive")
      (self.confidence, self.clock, self.bucketsPerRow) = (confidence, clock, bucketsPerRow)
      (self.partMin, self.grace) = (partMin, grace)
    }
  }

  /// 2^47 values are beyond any stream.
  private static let rowsMax = 48

  private struct Bucket: Equatable, Sendable {
    var total = 0.0
    var variance = 0.0
  }

  public let settings: Settings
  /// Values in the window.
  public private(set) var width = 0
  public private(set) var total = 0.0
  /// Checks that cut, so far.
  public private(set) var cuts = 0
  private var squares = 0.0
  private var ticks = 0
  /// By row, bucketsPerRow + 1 places each, the oldest first; a bucket of row r holds 2^r values.
  private var buckets: [Bucket]
  private var counts: [Int]
  private var rows = 1

  public init(_ settings: Settings = Settings()) {
    self.settings = settings
    buckets = Array(repeating: Bucket(), count: Self.rowsMax * (settings.bucketsPerRow + 1))
    counts = Array(repeating: 0, count: Self.rowsMax)
  }

  public var mean: Double { width > 0 ? total / Double(width) : 0 }
  public var variance: Double { width > 0 ? squares / Double(width) : 0 }

  /// Takes one value; an alarm where the window was cut.
  public mutating func update(_ value: Double) -> WatchOutcome {
    guard value.isFinite, value.magnitude < 1e100 else { return .refused }
    insert(value)
    ticks = ticks == settings.clock - 1 ? 0 : ticks + 1
    guard ticks == 0, width > settings.grace else { return .quiet }
    var isCut = false
    while dropsOldest() { isCut = true }
    cuts += isCut ? 1 : 0
    return isCut ? .alarm : .quiet
  }

  private func place(_ row: Int, _ index: Int) -> Int { row * (settings.bucketsPerRow + 1) + index }

  private mutating func insert(_ value: Double) {
    append(Bucket(total: value), row: 0)
    width += 1
    if width > 1 {
      let before = Double(width - 1)
      let step = value - total / before
      squares += before * step * step / Double(width)
    }
    total += value
    var row = 0
    while counts[row] > settings.bucketsPerRow {
      if row + 1 == Self.rowsMax {
        deleteOldest()
        break
      }
      let size = Double(1 << row)
      let (first, second) = (buckets[place(row, 0)], buckets[place(row, 1)])
      let apart = first.total / size - second.total / size
      append(
        Bucket(
          total: first.total + second.total,
          variance: first.variance + second.variance + size * size * apart * apart / (size + size)),
        row: row + 1)
      remove(2, row: row)
      row += 1
    }
  }

  private mutating func append(_ bucket: Bucket, row: Int) {
    buckets[place(row, counts[row])] = bucket
    counts[row] += 1
    rows = max(rows, row + 1)
  }

  private mutating func remove(_ count: Int, row: Int) {
    for index in count..<max(count, counts[row]) { buckets[place(row, index - count)] = buckets[place(row, index)] }
    counts[row] -= count
    for index in counts[row]..<counts[row] + count { buckets[place(row, index)] = Bucket() }
    while rows > 1, counts[rows - 1] == 0 { rows -= 1 }
  }

  /// Looks for a cut; where there is one, the oldest bucket goes.
  private mutating func dropsOldest() -> Bool {
    var (older, newer) = (0, width)
    var (olderTotal, newerTotal) = (0.0, total)
    let logarithm = Elementary.log(2 * Elementary.log(Double(width)) / settings.confidence)
    for row in stride(from: rows - 1, through: 0, by: -1) {
      for index in 0..<counts[row] {
        let bucket = buckets[place(row, index)]
        older += 1 << row
        newer -= 1 << row
        olderTotal += bucket.total
        newerTotal -= bucket.total
        if newer < settings.partMin { return false }
        guard older >= settings.partMin else { continue }
        let apart = olderTotal / Double(older) - newerTotal / Double(newer)
        if apart.magnitude > bound(older, newer, logarithm) {
          deleteOldest()
          return true
        }
      }
    }
    return false
  }

  private func bound(_ older: Int, _ newer: Int, _ logarithm: Double) -> Double {
    let parts = 1 / Double(older - settings.partMin + 1) + 1 / Double(newer - settings.partMin + 1)
    return (2 * parts * variance * logarithm).squareRoot() + 2.0 / 3 * logarithm * parts
  }

  private mutating func deleteOldest() {
    let row = rows - 1
    let bucket = buckets[place(row, 0)]
    let size = Double(1 << row)
    width -= 1 << row
    total -= bucket.total
    if width > 0 {
      let apart = bucket.total / size - total / Double(width)
      squares -= bucket.variance + size * Double(width) * apart * apart / (size + Double(width))
      squares = max(0, squares)
    } else {
      (squares, total) = (0, 0)
    }
    remove(1, row: row)
  }

  /// Canonical form: version, settings, width, total, squares, ticks, cuts, counts by row, totals and variances.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(14)
    writer.integer(1)
    writer.double(settings.confidence)
    for size in [settings.clock, settings.bucketsPerRow, settings.partMin, settings.grace] { writer.integer(size) }
    writer.integer(width)
    writer.double(total)
    writer.double(squares)
    writer.integer(ticks)
    writer.integer(cuts)
    writer.array(rows)
    for row in 0..<rows { writer.integer(counts[row]) }
    writer.doubles(buckets[..<place(rows, 0)].map(\.total))
    writer.doubles(buckets[..<place(rows, 0)].map(\.variance))
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(13, version: 1)
    let confidence = try reader.double()
    let (clock, perRow) = (try reader.int(), try reader.int())
    let (partMin, grace) = (try reader.int(), try reader.int())
    guard confidence > 0, confidence < 1, clock > 0, (1...64).contains(perRow), partMin > 0, grace >= 0 else {
      throw CanonicalFault("window settings \(confidence), \(clock), \(perRow), \(partMin), \(grace)")
    }
    self.init(
      Settings(confidence: confidence, clock: clock, bucketsPerRow: perRow, partMin: partMin, grace: grace))
    (width, total, squares) = (try reader.int(), try reader.double(), try reader.double())
    (ticks, cuts) = (try reader.int(), try reader.int())
    rows = try reader.array(limit: Self.rowsMax)
    guard rows > 0, (0..<clock).contains(ticks), cuts >= 0, total.isFinite, squares >= 0, squares.isFinite else {
      throw CanonicalFault("window of \(rows) rows, \(ticks) ticks, \(cuts) cuts, \(total), \(squares)")
    }
    var held = 0
    for row in 0..<rows {
      counts[row] = try reader.int()
      guard (0...perRow).contains(counts[row]) else { throw CanonicalFault("row of \(counts[row]) buckets") }
      held += counts[row] << row
    }
    let (totals, variances) = (try reader.doubles(), try reader.doubles())
    guard held == width, totals.count == place(rows, 0), variances.count == totals.count,
      totals.allSatisfy(\.isFinite), variances.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { throw CanonicalFault("window of \(width) values whose buckets hold \(held)") }
    for index in totals.indices { buckets[index] = Bucket(total: totals[index], variance: variances[index]) }
  }
}
