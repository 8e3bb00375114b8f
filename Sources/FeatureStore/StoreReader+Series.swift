import SQLite
public import TwinCore

extension StoreReader {
  /// Samples for one point that `read` gives unless told otherwise.
  public static let samplesMax = 100_000
  /// What no `limit` may exceed: 40 bytes a sample are held at a time, twice.
  public static let samplesCeiling = 2_000_000
  /// Rows that `latest` looks back over: a group silent for longer is not found.
  public static let latestRowsMax = 20_000

  /// What was known at `asOf` (nil: what is known now) of each point over a range of effective time, as asked for.
  ///
  /// Of readings with the same effective instant the last observed counts. A point that never was has no samples. At
  /// most `limit` samples a point, the earliest.
  public func read(
    points: [String], effective: Range<Instant>, asOf: Instant? = nil, limit: Int = samplesMax
  ) throws(StoreError) -> [PointSeries] {
    try readLayouts()
    let columns = columns(of: points)
    var gathered = points.map { _ in Gathered(limit: min(max(0, limit), Self.samplesCeiling)) }
    // A point that never was can never be complete.
    let known = Set(columns.values.joined().map(\.point))
    let wanted = Set(columns.filter { !$0.value.isEmpty }.keys)
    let scan = try storing { () throws(SQLiteFault) in try SeriesScan(database, effective, layouts: wanted) }
    while let row = try scan.next() {
      if known.allSatisfy({ gathered[$0].isComplete(before: row.effectiveMin) }) { break }
      let layout = layouts[row.layout]?.layout
      for frame in try frames(ofRow: row.firstSequence, layout: row.layout, known: layout, body: row.body) {
        guard effective.contains(frame.effective), asOf.map({ frame.observed <= $0 }) ?? true else { continue }
        for (column, point) in columns[row.layout, default: []] {
          let sample = PointSeries.Sample(
            effective: frame.effective, observed: frame.observed, value: frame.values[column],
            quality: frame.qualities[column])
          gathered[point].add(sample, sequence: frame.sequence)
        }
      }
    }
    return zip(points, gathered).map { point, found in found.series(of: point) }
  }

  /// The last recorded sample of each point, in the order asked; nil where the newest `latestRowsMax` rows have none.
  public func latest(points: [String]) throws(StoreError) -> [PointSeries.Sample?] {
    try readLayouts()
    let columns = columns(of: points)
    var found: [(sequence: Int64, sample: PointSeries.Sample)?] = Array(repeating: nil, count: points.count)
    var (bound, seen, missing) = (Int64.max, 0, points.count)
    while missing > 0, seen < Self.latestRowsMax {
      let rows = try storing { () throws(SQLiteFault) in try newestRows(before: bound, limit: 64) }
      guard let oldest = rows.last else { break }
      for row in rows {
        let wanted = columns[row.layout, default: []].filter { found[$0.point].map { $0.sequence < row.last } ?? true }
        guard !wanted.isEmpty else { continue }
        let frames = try frames(
          ofRow: row.first, layout: row.layout, known: layouts[row.layout]?.layout, body: row.body)
        guard let frame = frames.last else { continue }
        for (column, point) in wanted {
          if found[point] == nil { missing -= 1 }
          found[point] = (
            frame.sequence,
            PointSeries.Sample(
              effective: frame.effective, observed: frame.observed, value: frame.values[column],
              quality: frame.qualities[column])
          )
        }
      }
      (bound, seen) = (oldest.first, seen + rows.count)
    }
    return found.map { $0?.sample }
  }

  /// The frames of one row; none, and the row noted, when it cannot be trusted.
  func frames(
    ofRow row: Int64, layout version: Int64, known: FrameLayout?, body: [UInt8]
  ) throws(StoreError) -> [Frame] {
    var layout = known
    if layout == nil { layout = try self.layout(version) }
    guard let layout else {
      noteBad("frames \(row)", "its layout \(version) is unknown")
      return []
    }
    guard let content = Seal.open(body) else {
      noteBad("frames \(row)", "does not match its checksum")
      return []
    }
    do throws(BodyFault) {
      var reader = try FrameBodyReader(content, layout: layout, version: version)
      var frames: [Frame] = []
      while let frame = try reader.next() { frames.append(frame) }
      return frames
    } catch {
      noteBad("frames \(row)", error.reason)
      return []
    }
  }

  /// Per layout version: which columns belong to which of `points`.
  private func columns(of points: [String]) -> [Int64: [(column: Int, point: Int)]] {
    layouts.mapValues { entry in
      let places = Dictionary(
        entry.layout.points.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
      return points.enumerated().compactMap { index, point in places[point].map { (column: $0, point: index) } }
    }
  }

  private func newestRows(
    before bound: Int64, limit: Int64
  ) throws(SQLiteFault) -> [(first: Int64, last: Int64, layout: Int64, body: [UInt8])] {
    let statement = try database.prepare(
      "SELECT first_sequence, last_sequence, layout, body FROM frames WHERE first_sequence < ?1 "
        + "ORDER BY first_sequence DESC LIMIT ?2")
    try statement.bind(1, bound)
    try statement.bind(2, limit)
    var rows: [(Int64, Int64, Int64, [UInt8])] = []
    while try statement.step() {
      rows.append((statement.integer(0), statement.integer(1), statement.integer(2), statement.bytes(3)))
    }
    return rows
  }
}

/// Goes through the rows of `frames` that may hold a range of effective time, by their earliest frame.
private final class SeriesScan {
  struct Row {
    var effectiveMin: Int64
    var layout: Int64
    var firstSequence: Int64
    var body: [UInt8] = []
  }

  /// Index entries, and then bodies, read in one transaction; between two of them none is open.
  private static let entriesAtATime: Int64 = 4096
  private static let bodiesAtATime = 64
  private let database: Database
  private let range: Range<Instant>
  private let layouts: Set<Int64>
  private let index: Statement
  private let fetch: Statement
  private var entries: ArraySlice<Row> = []
  private var rows: ArraySlice<Row> = []
  /// The place in the index after which the next entries are.
  private var after: (effective: Int64, layout: Int64, maximum: Int64, sequence: Int64)
  private var isAtEnd: Bool

  init(_ database: Database, _ range: Range<Instant>, layouts: Set<Int64>) throws(SQLiteFault) {
    (self.database, self.range, self.layouts) = (database, range, layouts)
    index = try database.prepare(
      """
      SELECT effective_min_ns, layout, effective_max_ns, first_sequence FROM frames
      WHERE (effective_min_ns, layout, effective_max_ns, first_sequence) > (?1, ?2, ?3, ?4) AND effective_min_ns < ?5
      ORDER BY effective_min_ns, layout, effective_max_ns, first_sequence LIMIT ?6
      """)
    fetch = try database.prepare("SELECT body FROM frames WHERE first_sequence = ?1")
    let earliest = range.lowerBound.nanoseconds.saturatingSubtract(Schema.rowSpanNanoseconds)
    after = (earliest, .min, .min, .min)
    isAtEnd = range.isEmpty || layouts.isEmpty
  }

  func next() throws(StoreError) -> Row? {
    while rows.isEmpty {
      if !entries.isEmpty {
        try storing { () throws(SQLiteFault) in try database.snapshot { () throws(SQLiteFault) in try fillRows() } }
      } else if !isAtEnd {
        try storing { () throws(SQLiteFault) in try fillEntries() }
      } else {
        return nil
      }
    }
    return rows.popFirst()
  }

  private func fillRows() throws(SQLiteFault) {
    for entry in entries.prefix(Self.bodiesAtATime) {
      try fetch.bind(1, entry.firstSequence)
      // Not there: pruned since its entry was read.
      guard try fetch.step() else { continue }
      var row = entry
      row.body = fetch.bytes(0)
      fetch.reset()
      rows.append(row)
    }
    entries = entries.dropFirst(Self.bodiesAtATime)
  }

  private func fillEntries() throws(SQLiteFault) {
    try index.bind(1, after.effective)
    try index.bind(2, after.layout)
    try index.bind(3, after.maximum)
    try index.bind(4, after.sequence)
    try index.bind(5, range.upperBound.nanoseconds)
    try index.bind(6, Self.entriesAtATime)
    var read: Int64 = 0
    while try index.step() {
      after = (index.integer(0), index.integer(1), index.integer(2), index.integer(3))
      read += 1
      guard after.maximum >= range.lowerBound.nanoseconds, layouts.contains(after.layout) else { continue }
      entries.append(Row(effectiveMin: after.effective, layout: after.layout, firstSequence: after.sequence))
    }
    isAtEnd = read < Self.entriesAtATime
  }
}

/// The earliest samples of one point, found in no particular order.
private struct Gathered {
  private struct Entry {
    var sample: PointSeries.Sample
    var sequence: Int64
  }

  private let limit: Int
  private var entries: [Entry] = []
  private var isSorted = true

  init(limit: Int) { self.limit = limit }

  mutating func add(_ sample: PointSeries.Sample, sequence: Int64) {
    if let last = entries.last, last.sample.effective >= sample.effective { isSorted = false }
    entries.append(Entry(sample: sample, sequence: sequence))
    if entries.count > 2 * (limit + 512) { settle() }
  }

  /// Whether samples at `effective` and later can change nothing any more.
  func isComplete(before effective: Int64) -> Bool {
    isSorted && entries.count > limit && entries[limit].sample.effective.nanoseconds < effective
  }

  func series(of point: String) -> PointSeries {
    var settled = self
    settled.settle()
    return PointSeries(
      point: point, samples: settled.entries.prefix(limit).map(\.sample), isTruncated: settled.entries.count > limit)
  }

  /// Sorts, keeps the last word on each instant, and forgets what is beyond the limit and the one that shows that there
  /// is more.
  private mutating func settle() {
    if !isSorted {
      entries.sort {
        ($0.sample.effective, $0.sample.observed, $0.sequence) < ($1.sample.effective, $1.sample.observed, $1.sequence)
      }
      var kept: [Entry] = []
      kept.reserveCapacity(entries.count)
      for entry in entries {
        if let last = kept.last, last.sample.effective == entry.sample.effective { kept.removeLast() }
        kept.append(entry)
      }
      entries = kept
      isSorted = true
    }
    if entries.count > limit + 1 { entries.removeLast(entries.count - limit - 1) }
  }
}
