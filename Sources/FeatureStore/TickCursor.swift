import SQLite
public import TwinCore

extension StoreReader {
  /// Ticks from `first` through `last` (nil: to the end), in order, each with the frames that it first carried.
  public func ticks(from first: Int64, through last: Int64? = nil) throws(StoreError) -> TickCursor {
    try TickCursor(self, first: first, last: last ?? .max)
  }

  /// As the cursor, pushed; `body` gives false to stop.
  public func ticks(
    from first: Int64, through last: Int64? = nil,
    _ body: (TickRecord, [Frame]) throws(StoreError) -> Bool
  ) throws(StoreError) {
    let cursor = try ticks(from: first, through: last)
    while let (tick, frames) = try cursor.next() {
      guard try body(tick, frames) else { return }
    }
  }
}

/// A walk along the tick log. Rows are read some dozens at a time, and no transaction is open between two calls.
///
/// Where a row is damaged its ticks or frames are missing, and the reader's `badBodies` says which.
public final class TickCursor {
  private static let rowsAtATime: Int64 = 128
  private let reader: StoreReader
  private let tickRows: Statement
  private let frameRows: Statement
  private let first: Int64
  private let last: Int64
  private var rowLast: Int64
  private var ticks: ArraySlice<TickRecord> = []
  private var rows: ArraySlice<FrameRowBody> = []
  /// The key of the last row of `frames` that was fetched; nil before the first.
  private var fetched: Int64?
  private var isOutOfFrames = false
  /// Decoded frames by sequence, from those of the tick to come.
  private var window: ArraySlice<Frame> = []

  private struct FrameRowBody {
    var firstSequence: Int64
    var layout: Int64
    var body: [UInt8]
  }

  init(_ reader: StoreReader, first: Int64, last: Int64) throws(StoreError) {
    (self.reader, self.first, self.last) = (reader, first, last)
    (tickRows, frameRows) = try storing { () throws(SQLiteFault) in
      (
        try reader.database.prepare(
          "SELECT first_tick, body FROM ticks WHERE first_tick > ?1 AND first_tick <= ?2 ORDER BY first_tick LIMIT ?3"),
        try reader.database.prepare(
          "SELECT first_sequence, layout, body FROM frames WHERE first_sequence > ?1 ORDER BY first_sequence LIMIT ?2")
      )
    }
    // The row that holds `first` begins at or before it.
    let holding = try storing { () throws(SQLiteFault) -> Int64? in
      try reader.database.integer("SELECT max(first_tick) FROM ticks WHERE first_tick <= \(first)")
    }
    rowLast = (holding ?? first).saturatingSubtract(1)
  }

  /// The next tick and its frames by sequence; nil after the last.
  public func next() throws(StoreError) -> (tick: TickRecord, frames: [Frame])? {
    while ticks.isEmpty {
      guard try fillTicks() else { return nil }
    }
    guard let tick = ticks.popFirst(), tick.number <= last else {
      ticks = []
      rowLast = .max
      return nil
    }
    return (tick, tick.frames.isEmpty ? [] : try frames(in: tick.frames))
  }

  /// False when there are no more rows.
  private func fillTicks() throws(StoreError) -> Bool {
    guard rowLast < last else { return false }
    let rows = try storing { () throws(SQLiteFault) in
      try tickRows.bind(1, rowLast)
      try tickRows.bind(2, last)
      try tickRows.bind(3, Self.rowsAtATime)
      var rows: [(Int64, [UInt8])] = []
      while try tickRows.step() { rows.append((tickRows.integer(0), tickRows.bytes(1))) }
      return rows
    }
    guard let end = rows.last else { return false }
    rowLast = end.0
    for (number, body) in rows {
      guard let content = Seal.open(body) else {
        reader.noteBad("ticks \(number)", "does not match its checksum")
        continue
      }
      do throws(BodyFault) {
        ticks.append(contentsOf: try TickBody.decode(content).filter { $0.number >= first })
      } catch {
        reader.noteBad("ticks \(number)", error.reason)
      }
    }
    return true
  }

  private func frames(in range: Range<Int64>) throws(StoreError) -> [Frame] {
    if fetched == nil { fetched = try startOfBatch(range.lowerBound).saturatingSubtract(1) }
    var loaded: [Frame] = []
    // A row whose first sequence is past the range holds none of it.
    while let row = try peekRow(), row.firstSequence < range.upperBound {
      rows.removeFirst()
      loaded += try reader.frames(
        ofRow: row.firstSequence, layout: row.layout, known: reader.layouts[row.layout]?.layout, body: row.body)
    }
    if !loaded.isEmpty {
      window = ArraySlice((Array(window) + loaded).sorted { $0.sequence < $1.sequence })
    }
    window = window.drop { $0.sequence < range.lowerBound }
    let carried = window.prefix { $0.sequence < range.upperBound }
    window = window.dropFirst(carried.count)
    return Array(carried)
  }

  private func peekRow() throws(StoreError) -> FrameRowBody? {
    if rows.isEmpty, !isOutOfFrames {
      let after = fetched ?? 0
      let next = try storing { () throws(SQLiteFault) in
        try frameRows.bind(1, after)
        try frameRows.bind(2, Self.rowsAtATime)
        var next: [FrameRowBody] = []
        while try frameRows.step() {
          next.append(
            FrameRowBody(firstSequence: frameRows.integer(0), layout: frameRows.integer(1), body: frameRows.bytes(2)))
        }
        return next
      }
      isOutOfFrames = next.count < Int(Self.rowsAtATime)
      fetched = next.last?.firstSequence ?? fetched
      rows = ArraySlice(next)
    }
    return rows.first
  }

  /// The key from which rows may hold `sequence`.
  private func startOfBatch(_ sequence: Int64) throws(StoreError) -> Int64 {
    let batch = try storing { () throws(SQLiteFault) in
      try reader.database.integer(
        "SELECT batch FROM frames WHERE first_sequence <= \(sequence) ORDER BY first_sequence DESC LIMIT 1")
    }
    return batch ?? sequence
  }
}
