import SeriesCodec
import TwinCore

/// Rows of one group under one layout: a sealed body or an open window.
struct RowSource {
  enum Place {
    case body(StoredBody)
    case window(Window)
  }

  /// Which of two sources of one group holds the later rows, where ticks alone do not tell.
  struct Rank: Comparable {
    let group: Int32
    let tickFirst: Int64
    let tickLast: Int64
    let offset: Int64

    static func < (a: Rank, b: Rank) -> Bool {
      (a.group, a.tickFirst, a.tickLast, a.offset) < (b.group, b.tickFirst, b.tickLast, b.offset)
    }
  }

  let place: Place
  let layout: Int64
  let rows: Int
  let effectiveMin: Int64
  let rank: Rank

  init(_ body: StoredBody) {
    place = .body(body)
    (layout, rows, effectiveMin) = (body.key.layout, body.key.rows, body.key.effectiveMin)
    var offset = Int64.max - 1
    if case .file(_, let entry) = body.place { offset = entry.offset }
    rank = Rank(group: body.key.group, tickFirst: body.key.tickFirst, tickLast: body.key.tickLast, offset: offset)
  }

  init(_ window: Window) {
    place = .window(window)
    (layout, rows, effectiveMin) = (window.layout, window.rows, window.effectiveMin)
    rank = Rank(
      group: window.group, tickFirst: window.ticks.first ?? .max, tickLast: window.ticks.last ?? .max, offset: .max)
  }

  /// Adds the samples of `columns`, each to its point; nothing where the rows cannot be trusted.
  func pour(
    _ columns: [(column: Int, point: Int)], of archive: Archive, within range: ClosedRange<Int64>, through tick: Int64,
    into gathered: inout [Gathered]
  ) throws(StoreError) {
    switch place {
    case .window(let window):
      let isWhole =
        range.contains(window.effectiveMin) && range.contains(window.effectiveMax)
        && window.ticks.last.map { $0 <= tick } ?? true
      for (column, point) in columns {
        gathered[point].add(
          window.column(column), window.effective, window.ticks, within: isWhole ? nil : range, through: tick, rank)
      }
    case .body(let stored):
      guard stored.key.tickFirst <= tick, let body = try archive.open(stored) else { return }
      let times = body.times
      if times.isRising {
        let rows = times.rows(within: range, through: tick)
        guard !rows.isEmpty else { return }
        for (column, point) in columns {
          guard let unpacked = archive.column(column, of: body, stored, through: rows.upperBound) else { continue }
          gathered[point].add(unpacked, times, rows, rank)
        }
      } else {
        let (effective, ticks) = times.all()
        for (column, point) in columns {
          guard let unpacked = archive.column(column, of: body, stored, through: times.rows) else { continue }
          gathered[point].add(unpacked, effective, ticks, within: range, through: tick, rank)
        }
      }
    }
  }
}

extension Archive {
  /// Sealed bodies of a day that may hold a range of effective time, by their earliest row.
  func sources(
    _ groups: [Int32], effective: ClosedRange<Int64>, day: Int64
  ) throws(StoreError) -> [RowSource] {
    var found: [RowSource] = []
    for group in groups {
      for body in try shelf.bodies(.frames, group: group, effective: effective, day: day) {
        found.append(RowSource(body))
      }
    }
    if !zip(found, found.dropFirst()).allSatisfy({ $0.effectiveMin <= $1.effectiveMin }) {
      found.sort { ($0.effectiveMin, $0.rank) < ($1.effectiveMin, $1.rank) }
    }
    return found
  }

  func windowSources(_ groups: [Int32], effective: ClosedRange<Int64>) -> [RowSource] {
    groups.compactMap { windows[$0] }.filter {
      !$0.isEmpty && $0.effectiveMin <= effective.upperBound && $0.effectiveMax >= effective.lowerBound
    }.map { RowSource($0) }
  }
}

/// The earliest samples of one point, found in no particular order.
struct Gathered {
  private let limit: Int
  private(set) var columns = SampleColumns()
  /// Where the samples of each source begin.
  private var runs: [(start: Int, rank: RowSource.Rank)] = []
  private var isSorted = true

  init(limit: Int) { self.limit = limit }

  /// Whether samples at `effective` and later can change nothing any more.
  func isComplete(before effective: Int64) -> Bool {
    isSorted && columns.count > limit && columns.effective[limit] < effective
  }

  /// Makes room for samples that are going to be added.
  mutating func reserve(_ more: Int) {
    let wanted = columns.count + min(more, min(limit, StoreReader.samplesCeiling) + 1)
    if columns.count == 0 || wanted > 2 * columns.count { columns.reserve(wanted) }
  }

  /// Adds rows of a column whose instants rise.
  mutating func add(_ column: Column, _ times: RowTimes, _ rows: Range<Int>, _ rank: RowSource.Rank) {
    runs.append((columns.count, rank))
    if let last = columns.effective.last, times.effective(rows.lowerBound) <= last { isSorted = false }
    columns.append(column, times, rows)
    settleIfLong()
  }

  /// Adds the rows of a column that lie in `range` (nil: all do) and are known at `tick`.
  mutating func add(
    _ column: Column, _ effective: [Int64], _ ticks: [Int64], within range: ClosedRange<Int64>?, through tick: Int64,
    _ rank: RowSource.Rank
  ) {
    runs.append((columns.count, rank))
    if effective.count > columns.count / 2 { columns.reserve(columns.count + effective.count) }
    var exceptions = column.exceptions[...]
    var last = columns.effective.last ?? .min
    var isEmpty = columns.count == 0
    for row in effective.indices {
      var bits: UInt64?
      if let first = exceptions.first, Int(first.row) == row {
        bits = first.bits
        exceptions.removeFirst()
      }
      let time = effective[row]
      if let range, !range.contains(time) || ticks[row] > tick { continue }
      if time <= last, !isEmpty { isSorted = false }
      (last, isEmpty) = (time, false)
      let quality = column.qualities.isEmpty ? Quality.good : Quality(rawValue: column.qualities[row]) ?? .never
      let value = bits.map { Double(bitPattern: $0) } ?? Column.value(column.counts[row], column.form)
      columns.append(time, tick: ticks[row], value: value, quality: quality)
    }
    settleIfLong()
  }

  private mutating func settleIfLong() {
    if columns.count > 2 * (min(limit, StoreReader.samplesCeiling) + 4096) { settle() }
  }

  /// Sorts, keeps the last word on each instant, and forgets what is beyond the limit and the one that shows that there
  /// is more.
  mutating func settle() {
    if !isSorted {
      let rows = ordered()
      var kept = SampleColumns()
      kept.reserve(rows.count)
      for (index, row) in rows.enumerated() {
        if index + 1 < rows.count, columns.effective[rows[index + 1]] == columns.effective[row] { continue }
        kept.append(columns, row..<row + 1)
      }
      // What comes later is of a later rank or another instant; among itself this is settled.
      (columns, isSorted) = (kept, true)
      runs = [(0, RowSource.Rank(group: .min, tickFirst: .min, tickLast: .min, offset: .min))]
    }
    if columns.count > limit + 1 {
      var kept = SampleColumns()
      kept.append(columns, 0..<limit + 1)
      columns = kept
    }
  }

  private func ordered() -> [Int] {
    var ranks: [Int] = []
    ranks.reserveCapacity(columns.count)
    let order = runs.indices.sorted { (runs[$0].rank, $0) < (runs[$1].rank, $1) }
    var places = [Int](repeating: 0, count: runs.count)
    for (place, run) in order.enumerated() { places[run] = place }
    for run in runs.indices {
      let end = run + 1 < runs.count ? runs[run + 1].start : columns.count
      for _ in runs[run].start..<end { ranks.append(places[run]) }
    }
    return columns.effective.indices.sorted {
      (columns.effective[$0], columns.ticks[$0], ranks[$0], $0)
        < (columns.effective[$1], columns.ticks[$1], ranks[$1], $1)
    }
  }
}
