import SeriesCodec

/// When the rows of a body were, and which ticks carried them: what stays in memory of a body that was read.
///
/// Four bytes a row and kind where they suffice, none for ticks that rise by one.
final class RowTimes {
  let rows: Int
  /// Each instant is later than the one before.
  let isRising: Bool
  private let effectiveMin: Int64
  private let tickFirst: Int64
  private let unit: Int64
  /// In units after the least.
  private var offsets: [UInt32] = []
  /// After the first tick; empty where row i has tick first + i.
  private var tickOffsets: [UInt32] = []
  /// Of rows that lie too far apart for that; else empty.
  private var wide: (effective: [Int64], ticks: [Int64]) = ([], [])

  /// `effective` in multiples of `unit` nanoseconds, not empty; `ticks` never fall.
  init(_ effective: [Int64], _ ticks: [Int64], unit: Int64) {
    precondition(!effective.isEmpty && effective.count == ticks.count, "a body has rows, each with a tick")
    (rows, self.unit, tickFirst) = (effective.count, unit, ticks[0])
    let (times, numbers) = (effective.span, ticks.span)
    var (least, greatest, rises, counts) = (times[0], times[0], true, true)
    for row in 1..<max(1, rows) {
      // In bounds: the row is one of the rows.
      let (time, before) = unsafe (times[unchecked: row], times[unchecked: row &- 1])
      if time <= before { rises = false }
      (least, greatest) = (min(least, time), max(greatest, time))
      if unsafe numbers[unchecked: row] &- tickFirst != Int64(row) { counts = false }
    }
    (effectiveMin, isRising) = (least, rises)
    let span = UInt64(bitPattern: greatest &- least) / UInt64(unit)
    guard span <= UInt64(UInt32.max), UInt64(bitPattern: ticks[rows - 1] &- tickFirst) <= UInt64(UInt32.max) else {
      wide = (effective, ticks)
      return
    }
    if unit == 1_000_000 {
      // By a constant it is a multiplication, and milliseconds are what most clocks tell.
      offsets = effective.map { UInt32(truncatingIfNeeded: UInt64(bitPattern: $0 &- least) / 1_000_000) }
    } else {
      offsets = effective.map { UInt32(truncatingIfNeeded: UInt64(bitPattern: $0 &- least) / UInt64(unit)) }
    }
    if !counts { tickOffsets = ticks.map { UInt32(truncatingIfNeeded: $0 &- tickFirst) } }
  }

  /// What its arrays take.
  var bytes: Int { 4 * (offsets.count + tickOffsets.count) + 8 * (wide.effective.count + wide.ticks.count) + 160 }

  @inline(__always)
  func effective(_ row: Int) -> Int64 {
    wide.effective.isEmpty ? effectiveMin &+ Int64(offsets[row]) &* unit : wide.effective[row]
  }

  @inline(__always)
  func tick(_ row: Int) -> Int64 {
    guard wide.ticks.isEmpty else { return wide.ticks[row] }
    return tickFirst &+ (tickOffsets.isEmpty ? Int64(row) : Int64(tickOffsets[row]))
  }

  /// Rows of `range` that are known at `tick`, which lie together where instants rise.
  func rows(within range: ClosedRange<Int64>, through tick: Int64) -> Range<Int> {
    precondition(isRising, "only rows that rise lie together")
    let low = first { effective($0) >= range.lowerBound }
    let high = first { effective($0) > range.upperBound || self.tick($0) > tick }
    return low..<max(low, high)
  }

  /// The first row from which on `isBehind` holds.
  private func first(_ isBehind: (Int) -> Bool) -> Int {
    var (low, high) = (0, rows)
    while low < high {
      let middle = (low + high) / 2
      if isBehind(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Appends instants and ticks of some rows.
  func append(_ rows: Range<Int>, to effective: inout [Int64], _ ticks: inout [Int64]) {
    guard wide.effective.isEmpty else {
      effective.append(contentsOf: wide.effective[rows])
      ticks.append(contentsOf: wide.ticks[rows])
      return
    }
    let (least, step, first) = (effectiveMin, unit, tickFirst)
    let (offsets, tickOffsets) = (offsets, tickOffsets)
    let times = offsets.span
    let numbers = tickOffsets.span
    precondition(rows.lowerBound >= 0 && rows.upperBound <= times.count, "rows of the body")
    // In bounds in what follows: checked the line above, and ticks that have offsets have one a row.
    effective.append(addingCapacity: rows.count) { span in
      for row in rows { span.append(least &+ Int64(unsafe times[unchecked: row]) &* step) }
    }
    ticks.append(addingCapacity: rows.count) { span in
      if numbers.isEmpty {
        for row in rows { span.append(first &+ Int64(row)) }
      } else {
        for row in rows { span.append(first &+ Int64(unsafe numbers[unchecked: row])) }
      }
    }
  }

  /// All rows.
  func all() -> (effective: [Int64], ticks: [Int64]) {
    guard wide.effective.isEmpty else { return wide }
    var (effective, ticks): ([Int64], [Int64]) = ([], [])
    append(0..<rows, to: &effective, &ticks)
    return (effective, ticks)
  }
}
