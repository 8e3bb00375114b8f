import SeriesCodec
public import TwinCore

extension StoreReader {
  /// Ticks from `first` through `last` (nil: to the end), in order, each with the frames that it first carried.
  public func ticks(from first: Int64, through last: Int64? = nil) throws(StoreError) -> TickCursor {
    TickCursor(self, first: first, last: last ?? .max)
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

/// A walk along the tick log. A body of ticks is read at a time, with the rows of all groups that these ticks carried;
/// nothing is held open between two calls.
///
/// Where a body is damaged its ticks are missing; of a tick that lost frames the others are given, with sequence 0, for
/// a frame's sequence is its place among all of its tick. The reader's `badBodies` says which body it was.
public final class TickCursor {
  private let reader: StoreReader
  /// The number from which on ticks were not given yet.
  private var position: Int64
  private let last: Int64
  private var ticks: ArraySlice<TickRecord> = []
  /// By number, of those whose frames have an order of their own.
  private var orders: [Int64: [Int]] = [:]
  /// By group, rising.
  private var lanes: [Lane] = []
  private var isRetried = false

  init(_ reader: StoreReader, first: Int64, last: Int64) {
    (self.reader, position, self.last) = (reader, first, last)
  }

  /// The next tick and its frames by sequence; nil after the last.
  public func next() throws(StoreError) -> (tick: TickRecord, frames: [Frame])? {
    while true {
      while ticks.isEmpty {
        guard try reader.retrying({ () throws(StoreError) in try fill() }) else { return nil }
      }
      guard let tick = ticks.first else { return nil }
      do throws(StoreError) {
        let frames = try frames(of: tick)
        ticks.removeFirst()
        position = tick.number.saturatingAdd(1)
        return (tick, frames)
      } catch {
        // A day went since its bodies were listed; looked for again, it is in another file or gone for good.
        guard error.kind == .notFound, !isRetried else { throw error }
        (ticks, lanes, isRetried) = ([], [], true)
      }
    }
  }

  private func frames(of tick: TickRecord) throws(StoreError) -> [Frame] {
    guard !tick.frames.isEmpty else { return [] }
    var frames: [Frame] = []
    frames.reserveCapacity(min(tick.frames.count, 4 * lanes.count))
    for lane in lanes {
      let start = frames.count
      try lane.take(tick, into: &frames, reader.archive)
      let isRising = zip(frames[start...], frames[start...].dropFirst()).allSatisfy { $0.effective <= $1.effective }
      if !isRising {
        let order = frames.indices[start...].sorted { (frames[$0].effective, $0) < (frames[$1].effective, $1) }
        frames.replaceSubrange(start..., with: order.map { frames[$0] })
      }
    }
    if frames.count == tick.frames.count {
      if let order = orders[tick.number], order.count == frames.count {
        var placed = frames
        for (frame, place) in zip(frames, order) { placed[place] = frame }
        frames = placed
      }
      for index in frames.indices { frames[index].sequence = tick.frames.lowerBound + Int64(index) }
    }
    isRetried = false
    return frames
  }

  /// The next body of ticks, or what is in their window; false when there is none.
  private func fill() throws(StoreError) -> Bool {
    guard position <= last else { return false }
    let archive = reader.archive
    for span in try archive.shelf.tickSpans(from: position) where span.last >= position {
      guard span.first <= last else { return false }
      guard let body = try archive.openTicks(span.body) else { continue }
      let rows = (0..<body.count).filter { body.numbers[$0] >= position && body.numbers[$0] <= last }
      ticks = rows.map { body.record($0) }[...]
      orders = [:]
      for row in rows { if let order = body.order(row) { orders[body.numbers[row]] = order } }
      if !ticks.isEmpty {
        try prepareLanes()
        return true
      }
    }
    orders = archive.ticks.orders
    ticks = archive.ticks.records[archive.ticks.index(notBefore: position)...].prefix { $0.number <= last }
    try prepareLanes()
    return !ticks.isEmpty
  }

  /// Finds the rows of all groups that the ticks at hand carried.
  private func prepareLanes() throws(StoreError) {
    guard let first = ticks.first?.number, let end = ticks.last?.number else { return }
    let archive = reader.archive
    var sources: [Int32: [RowSource]] = [:]
    for day in archive.shelf.daysWithBodies {
      if first > archive.shelf.closedTick, !archive.shelf.has(day, .open), !archive.shelf.isWaiting(day) { continue }
      guard let range = try archive.shelf.frameTicks(day: day), range.overlaps(first...end) else { continue }
      for group in try archive.shelf.groups(.frames, day: day) {
        for body in try archive.shelf.bodies(.frames, group: group, ticks: first...end, day: day) {
          sources[group, default: []].append(RowSource(body))
        }
      }
    }
    for group in archive.groups {
      guard let window = archive.windows[group], let low = window.ticks.first, let high = window.ticks.last,
        low <= end, high >= first
      else { continue }
      sources[group, default: []].append(RowSource(window))
    }
    let before = Dictionary(lanes.map { ($0.group, $0) }, uniquingKeysWith: { old, _ in old })
    lanes = sources.keys.sorted().map { group in
      let rows = (sources[group] ?? []).sorted { $0.rank < $1.rank }
      return Lane(group, rows, after: before[group])
    }
  }

  /// The rows of one group. Bodies of one day follow each other by tick, those of different days may interleave.
  private final class Lane {
    let group: Int32
    /// Not begun, by their first tick.
    private var ahead: ArraySlice<RowSource>
    private var rows: [Rows] = []

    init(_ group: Int32, _ sources: [RowSource], after before: Lane?) {
      (self.group, ahead) = (group, sources[...])
      // A body of frames mostly reaches over several of ticks: what is unpacked is used on.
      for known in before?.rows ?? [] {
        guard let index = ahead.firstIndex(where: { known.isOf($0) }) else { continue }
        ahead.remove(at: index)
        rows.append(known)
      }
    }

    /// Adds the frames of a tick. Rows of earlier ticks are passed over.
    func take(_ tick: TickRecord, into frames: inout [Frame], _ archive: Archive) throws(StoreError) {
      while let source = ahead.first, source.rank.tickFirst <= tick.number {
        if let opened = try Rows(source, archive) { rows.append(opened) }
        ahead.removeFirst()
      }
      var isSpent = false
      for rows in rows { if rows.take(tick, into: &frames) { isSpent = true } }
      if isSpent { rows.removeAll { $0.isSpent } }
    }
  }

  /// One source, unpacked.
  private final class Rows {
    private let rank: RowSource.Rank
    private let block: Block
    private var row = 0
    var isSpent: Bool { row == block.ticks.count }

    /// Nil where it cannot be trusted.
    init?(_ source: RowSource, _ archive: Archive) throws(StoreError) {
      rank = source.rank
      switch source.place {
      case .window(let window): block = window.block()
      case .body(let stored):
        guard let body = try archive.open(stored), let unpacked = archive.block(of: body, stored) else { return nil }
        block = unpacked
      }
    }

    func isOf(_ source: RowSource) -> Bool { rank == source.rank && rank.offset < .max - 1 }

    /// True when no row is left.
    func take(_ tick: TickRecord, into frames: inout [Frame]) -> Bool {
      while row < block.ticks.count, block.ticks[row] < tick.number { row += 1 }
      while row < block.ticks.count, block.ticks[row] == tick.number {
        frames.append(block.frame(row, observed: tick.instant))
        row += 1
      }
      return isSpent
    }
  }
}
