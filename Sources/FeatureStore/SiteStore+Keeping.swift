import SQLite
import SeriesCodec
import Sodium
import TwinCore

/// Where the store stands with what is not kept any more.
struct KeepingState {
  /// What the pack last said; nil before it was looked at.
  var keeping: Keeping?
  /// Whether more was said since.
  var isStale = true
  /// By closed day: how many spans were over when nothing of it was left to go.
  var done: [Int64: Int] = [:]
  /// For which days changes were looked through.
  var cuts: [Int64]?
  var foldedBefore: Int64?
  /// The point at which folding goes on.
  var foldsFrom = ""
  /// Deleted rows may still stand in SQLite's log.
  var isScrubDue = true
  /// The count of lapses that `site.db` has.
  var lapsesTold: Int64?
}

extension SiteStore {
  /// Days that one step looks into.
  private static let daysLookedInto = 8

  func keeping() throws(StoreError) -> Keeping {
    if let known = keepingState.keeping, !keepingState.isStale { return known }
    let found = Keeping(try reader.policies())
    if found != keepingState.keeping { (keepingState.done, keepingState.cuts) = ([:], nil) }
    keepingState.keeping = found
    let waiting = pending.versions + (unapplied?.batch.versions ?? [])
    keepingState.isStale = waiting.contains { $0.family == Release.family }
    return found
  }

  /// A day to be written again, with or without values that are over.
  func closing(_ day: Int64, now: Int64) throws(StoreError) -> DayClosing {
    let keeping = try keeping()
    return try DayClosing(day, archive) { keeping.columnsOver($0, day: day, now: now) }
  }

  /// The earliest closed day that has values which are over; nil where none is found now. `isMore`: not all days were
  /// looked into.
  func lapsing(now: Int64) throws(StoreError) -> (day: Int64?, isMore: Bool) {
    let keeping = try keeping()
    var looked = 0
    for day in archive.shelf.numbers {
      let over = keeping.spansOver(day: day, now: now)
      guard over > keepingState.done[day] ?? 0, archive.shelf.has(day, .closed), !archive.shelf.has(day, .open),
        !archive.shelf.isWaiting(day), !archive.shelf.damaged.contains(day)
      else { continue }
      guard looked < Self.daysLookedInto else { return (nil, true) }
      looked += 1
      do throws(StoreError) {
        let list = try LapseList(day, archive) { keeping.columnsOver($0, day: day, now: now) }
        // A damaged file may only be found when it is opened, and an open one beside it too.
        if archive.shelf.damaged.contains(day) || archive.shelf.has(day, .open) { continue }
        if list.isNew { return (day, true) }
      } catch {
        guard error.kind == .corrupt else { throw error }
        archive.shelf.keep(day: day)
      }
      keepingState.done[day] = over
    }
    return (nil, false)
  }

  /// After files were written again: what was worked out from them before counts no longer.
  func tellLapses() {
    guard archive.shelf.lapseCount != keepingState.lapsesTold else { return }
    archive.forgetLatest()
    do throws(StoreError) {
      try storing { () throws(SQLiteFault) in
        try database.transaction { () throws(SQLiteFault) in
          try tables.set(mark: "lapses", archive.shelf.lapseCount)
        }
      }
      keepingState.lapsesTold = archive.shelf.lapseCount
    } catch {
      upkeep.fault = error
    }
  }
}

/// Changes of the past that are over.
extension SiteStore {
  /// A row of changes of one point.
  private struct Row {
    var number: Int64
    var entry: VersionEntry
  }

  /// Takes away what changes say of a time that is over for their point, by its `keep` or by `keep` of the site; then
  /// folds those beyond the history horizon. One bounded step; true when more is left.
  func tendChanges(_ retention: Retention, now: Int64, rowsMax: Int) throws(StoreError) -> Bool {
    guard unapplied == nil else { return true }
    let keeping = try keeping()
    let siteCut = Keeping.cut(now.saturatingSubtract(retention.keep.wholeNanoseconds))
    let cuts = [siteCut] + keeping.spans.map { Keeping.cut(now.saturatingSubtract($0)) }
    if cuts != keepingState.cuts {
      for point in try changedPoints() {
        let cut = max(siteCut, keeping.cut(of: point, now: now))
        if try remove(changesOf: point, before: cut, rowsMax: rowsMax) { return true }
      }
      keepingState.cuts = cuts
    }
    if let history = retention.history {
      let edge = Keeping.cut(now.saturatingSubtract(history.wholeNanoseconds))
      if edge != keepingState.foldedBefore {
        for point in try changedPoints() where point >= keepingState.foldsFrom {
          keepingState.foldsFrom = point
          if try fold(changesOf: point, before: edge) { return true }
        }
        (keepingState.foldedBefore, keepingState.foldsFrom) = (edge, "")
      }
    }
    if keepingState.isScrubDue, !keeping.spans.isEmpty { try scrub() }
    return false
  }

  private func changedPoints() throws(StoreError) -> [String] {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT DISTINCT subject FROM versions WHERE family = ?1 ORDER BY subject")
      try statement.bind(1, Overlay.family)
      var found: [String] = []
      while try statement.step() { found.append(statement.text(0)) }
      return found
    }
  }

  private func rows(of point: String, before cut: Int64) throws(StoreError) -> [Row] {
    guard cut > .min else { return [] }
    return try reader.versionRows(
      family: Overlay.family, subject: point, overlapping: .distantPast..<Instant(nanoseconds: cut)
    ).map { Row(number: $0.number, entry: $0.entry) }
  }

  /// True when more is left.
  private func remove(changesOf point: String, before cut: Int64, rowsMax: Int) throws(StoreError) -> Bool {
    let over = try rows(of: point, before: cut)
    guard !over.isEmpty else { return false }
    let part = over.prefix(rowsMax)
    var shortened: [Row] = []
    var gone: [Int64] = []
    for row in part {
      do throws(CodecFault) {
        if let left = try row.entry.since(cut, step: reader.decimalStep(of: point)) {
          shortened.append(Row(number: row.number, entry: left))
        } else {
          gone.append(row.number)
        }
      } catch {
        // What cannot be read cannot be shortened: it goes when all of it is over.
        reader.noteBad("overlay of \(point), tick \(row.entry.tick)", error.reason)
      }
    }
    // Before the rows go, for the next start may find them gone.
    keepingState.isScrubDue = true
    try replace(shortened, removing: gone)
    return over.count > rowsMax
  }

  /// Bytes of rows that go are overwritten, not only let go.
  private func replace(_ rows: [Row], removing gone: [Int64]) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      try database.execute("PRAGMA secure_delete = ON")
      defer { try? database.execute("PRAGMA secure_delete = OFF") }
      try database.transaction { () throws(SQLiteFault) in
        let delete = try database.prepare("DELETE FROM versions WHERE number = ?1")
        for number in gone {
          try delete.bind(1, number)
          try delete.run()
        }
        let update = try database.prepare(
          "UPDATE versions SET effective_from_ns = ?2, effective_until_ns = ?3, tick = ?4, body = ?5 WHERE number = ?1")
        for row in rows {
          try update.bind(1, row.number)
          try update.bind(2, row.entry.effective.lowerBound.nanoseconds)
          try update.bind(3, row.entry.effective.upperBound.nanoseconds)
          try update.bind(4, row.entry.tick)
          try update.bind(5, Seal.close(row.entry.bytes, key: row.entry.key))
          try update.run()
        }
      }
    }
  }

  /// Moves SQLite's log into the file and empties it; where a reader is in the way, later.
  private func scrub() throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("PRAGMA wal_checkpoint(TRUNCATE)")
      defer { statement.reset() }
      if try statement.step(), statement.integer(0) == 0 { keepingState.isScrubDue = false }
    }
  }

  /// Folds what changes of one day, all beyond the horizon, say: those that end before `edge` and were known then. True
  /// when it folded some.
  private func fold(changesOf point: String, before edge: Int64) throws(StoreError) -> Bool {
    let tick = try archive.tick(asOf: edge.saturatingSubtract(1))
    var days: [Int64: [Row]] = [:]
    for row in try rows(of: point, before: edge) where row.entry.effective.upperBound.nanoseconds <= edge {
      guard row.entry.tick <= tick else { continue }
      days[Days.number(row.entry.effective.lowerBound.nanoseconds), default: []].append(row)
    }
    for day in days.keys.sorted() {
      guard let rows = days[day], rows.count > 1, let first = rows.map(\.number).min() else { continue }
      let entry: VersionEntry
      do throws(CodecFault) {
        entry = try Self.folded(rows, step: reader.decimalStep(of: point))
      } catch {
        reader.noteBad("overlays of \(point), \(Days.name(day))", error.reason)
        continue
      }
      guard entry.bytes.count <= StoreLimits.recordBytesMax else { continue }
      try replace([Row(number: first, entry: entry)], removing: rows.map(\.number).filter { $0 != first })
      return true
    }
    return false
  }

  private static func folded(_ rows: [Row], step: Double) throws(CodecFault) -> VersionEntry {
    var changes: [OverlayFold.Change] = []
    var tickLast = Int64.min
    var hashes: [(tick: Int64, number: Int64, hash: Digest)] = []
    for row in rows {
      changes += try row.entry.changes(number: row.number)
      tickLast = max(tickLast, try row.entry.lastTick)
      hashes.append((row.entry.tick, row.number, Sodium.blake2b256(row.entry.canonicalBytes)))
    }
    changes.sort { ($0.overlay.tick, $0.number) < ($1.overlay.tick, $1.number) }
    hashes.sort { ($0.tick, $0.number) < ($1.tick, $1.number) }
    let fold = OverlayFold(
      tickLast: tickLast, folded: rows.count, digest: Sodium.blake2b256(hashes.flatMap(\.hash.bytes)),
      changes: OverlayFold.survivors(changes))
    var entry = rows[0].entry
    entry.tick = rows.map(\.entry.tick).min() ?? 0
    entry.effective = entry.range(of: fold.effective)
    entry.bytes = fold.encode(step: step)
    return entry
  }
}

extension VersionEntry {
  fileprivate func range(of nanoseconds: Range<Int64>) -> Range<Instant> {
    Instant(nanoseconds: nanoseconds.lowerBound)..<Instant(nanoseconds: nanoseconds.upperBound)
  }

  private var stretch: Range<Int64> { effective.lowerBound.nanoseconds..<effective.upperBound.nanoseconds }

  /// What an entry of the family "overlay" says, folded or not.
  fileprivate func changes(number: Int64) throws(CodecFault) -> [OverlayFold.Change] {
    guard !OverlayFold.isFold(bytes) else { return try OverlayFold(bytes).changes }
    return [OverlayFold.Change(number: number, overlay: try Overlay(bytes, tick: tick, effective: stretch))]
  }

  fileprivate var lastTick: Int64 {
    get throws(CodecFault) { OverlayFold.isFold(bytes) ? try OverlayFold(bytes).tickLast : tick }
  }

  /// An entry of the family "overlay" without what it says of the time before `cut`; nil where nothing is left.
  fileprivate func since(_ cut: Int64, step: Double) throws(CodecFault) -> VersionEntry? {
    guard effective.upperBound.nanoseconds > cut else { return nil }
    var entry = self
    if OverlayFold.isFold(bytes) {
      var fold = try OverlayFold(bytes)
      fold.changes = fold.changes.compactMap { change in
        change.overlay.since(cut).map { OverlayFold.Change(number: change.number, overlay: $0) }
      }
      guard !fold.changes.isEmpty else { return nil }
      (entry.effective, entry.bytes) = (range(of: fold.effective), fold.encode(step: step))
      return entry
    }
    guard let overlay = try Overlay(bytes, tick: tick, effective: stretch).since(cut) else { return nil }
    (entry.effective, entry.bytes) = (range(of: overlay.effective), overlay.encode(step: step))
    return entry
  }
}
