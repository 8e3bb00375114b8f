import Seams
import SeriesCodec
public import TwinCore

/// Reads a site's rollups: from the files that were kept, from tiles in memory, and where neither holds, from samples.
///
/// The numbers are the same each time. A tile is two hours of a point's minutes; at most `tilesMax` are in memory, and
/// those of the open window grow with it. Threading: that of its reader, which it must not outlive.
public final class RollupReader {
  /// 6 KiB each.
  public static let tilesMax = 512
  /// Rows that one call makes of one point.
  public static let rowsMax = 1_000_000

  private struct Key: Hashable {
    var point: String
    var tile: Int64
  }

  private struct Tile {
    var minutes: RollupColumns
    /// No frame that it is made of has a later tick, and every other one has.
    var last: Int64
    var use: Int
  }

  private let reader: StoreReader
  private var tiles: [Key: Tile] = [:]
  private var uses = 0
  private var files: [Int64: DayFile] = [:]
  /// Days whose file was looked at in this call.
  private var seen: Set<Int64> = []
  /// Bodies of those files, by their hashes: the points of a group follow one another.
  private var bodies: [Digest: RollupBody.Opened] = [:]
  private static let bodiesMax = 16
  /// The shelf's count when tiles and files were found.
  private var lapseCount: Int64 = 0

  public init(_ reader: StoreReader) { self.reader = reader }
  /// Beside the writing connection: sees what is committed.
  public convenience init(_ store: SiteStore) { self.init(store.reader) }

  /// The steps that meet a range, whole, as they were known at `asOf`; those without samples have no row.
  ///
  /// Stored samples are rolled up and the result is read by the point's meaning; where the meaning changes within a
  /// tile or has a valid range, samples are read by it first and then rolled up. `store.too_big` beyond `rowsMax`
  /// steps.
  public func rollup(
    points: [String], effective: Range<Instant>, step: Rollup.Step, asOf: Instant? = nil
  ) throws(StoreError) -> [Rollup] {
    guard !effective.isEmpty else { return points.map { Rollup(point: $0, step: step, rows: [], units: []) } }
    let low = effective.lowerBound.nanoseconds.flooredMultiple(of: step.nanoseconds)
    let high = effective.upperBound.nanoseconds.ceiledMultiple(of: step.nanoseconds)
    guard high.saturatingSubtract(low) / step.nanoseconds <= Self.rowsMax else {
      throw StoreError(.tooBig, "a rollup over more than \(Self.rowsMax) steps")
    }
    return try reader.retrying { () throws(StoreError) in
      try reader.readLayouts()
      seen = []
      if reader.archive.shelf.lapseCount != lapseCount {
        (tiles, files, lapseCount) = ([:], [:], reader.archive.shelf.lapseCount)
      }
      let tick = try asOf.map { (at) throws(StoreError) in try reader.archive.tick(asOf: at.nanoseconds) } ?? .max
      var found: [Rollup] = []
      var lives: [Int32: [Int64: TileLife]] = [:]
      for point in points {
        found.append(try rollup(of: point, low..<high, step: step, through: tick, &lives))
      }
      return found
    }
  }

  private func rollup(
    of point: String, _ range: Range<Int64>, step: Rollup.Step, through tick: Int64,
    _ lives: inout [Int32: [Int64: TileLife]]
  ) throws(StoreError) -> Rollup {
    var result = Rollup(point: point, step: step, rows: [], units: [])
    guard !reader.places(of: point).isEmpty else { return result }
    let instants = Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound)
    // A tile's answer must not depend on what of it is asked.
    let wide = instants.widened(to: RollupBody.tileNanoseconds)
    let overlays = try reader.overlays(of: point, within: instants, through: tick).overlays
    let meanings = MeaningStack(try reader.meanings(of: point, within: wide, through: tick))
    let stored = reader.storedUnit(of: point)
    let decimal = reader.decimalStep(of: point)
    var tile = wide.lowerBound.nanoseconds
    while tile < range.upperBound {
      let whole = tile..<tile.saturatingAdd(RollupBody.tileNanoseconds)
      let part = whole.clamped(to: range)
      tile = whole.upperBound
      let revision = meanings.uniform(over: whole)
      guard stored != nil, case .some(let revision) = revision else {
        try append(point, part, step: step, through: tick, to: &result)
        continue
      }
      let isTouched = overlays.contains { $0.effective.overlaps(part) }
      let minutes =
        isTouched
        ? try fromSamples(point, part, through: tick, decimal)
        : try minutes(of: point, whole, part, through: tick, decimal, &lives)
      let columns = Self.coarsened(minutes, to: step, decimal: decimal)
      let unit = UnitStretch(
        start: result.rows.count, unit: revision?.meaning.unit ?? stored ?? "", revision: revision?.tick)
      for row in columns.rows(in: part) { result.append(columns.told(row, revision?.meaning), unit) }
      // The last tile ends where time does.
      if tile == .max { break }
    }
    return result
  }

  private static func coarsened(_ minutes: RollupColumns, to step: Rollup.Step, decimal: Double) -> RollupColumns {
    var columns = minutes
    for coarser in [Rollup.Step.quarter, .hour] where coarser <= step {
      columns = columns.coarsened(to: coarser, decimal: decimal)
    }
    return columns
  }

  /// Rolls up what is read: samples are converted one by one, and runs of one unit stay apart.
  private func append(
    _ point: String, _ part: Range<Int64>, step: Rollup.Step, through tick: Int64, to result: inout Rollup
  ) throws(StoreError) {
    let range = Instant(nanoseconds: part.lowerBound)..<Instant(nanoseconds: part.upperBound)
    let (samples, units) = try reader.samples(of: point, within: range, through: tick, asStored: false)
    for (index, unit) in units.enumerated() {
      let end = index + 1 < units.count ? units[index + 1].start : samples.count
      let columns = Self.coarsened(
        RollupColumns(minutesOf: samples, rows: unit.start..<end, step: 0), to: step, decimal: 0)
      for row in 0..<columns.count { result.append(columns.told(row, nil), unit) }
    }
  }

  private func fromSamples(
    _ point: String, _ range: Range<Int64>, through tick: Int64, _ decimal: Double
  ) throws(StoreError) -> RollupColumns {
    let range = Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound)
    let samples = try reader.samples(of: [point], within: range, through: tick, limit: StoreReader.samplesCeiling)
    return RollupColumns(minutesOf: samples[0].columns, step: decimal)
  }

  /// Minutes of frames alone: of a tile that is known, or of samples. `part` is what is needed of it.
  private func minutes(
    of point: String, _ whole: Range<Int64>, _ part: Range<Int64>, through tick: Int64, _ decimal: Double,
    _ lives: inout [Int32: [Int64: TileLife]]
  ) throws(StoreError) -> RollupColumns {
    let life = try self.life(of: point, whole, &lives)
    let key = Key(point: point, tile: whole.lowerBound)
    uses += 1
    // Some of the frames are not known yet at `tick`.
    guard tick >= life.last else { return try fromSamples(point, part, through: tick, decimal) }
    if let tile = tiles[key] {
      if tile.last == life.last {
        tiles[key]?.use = uses
        return tile.minutes
      }
      // What came since then came behind all the rest: the tile grows.
      if let start = tile.minutes.starts.last, life.hasGrown(since: tile.last, from: start) {
        let rest = try fromFrames(point, start..<whole.upperBound, decimal)
        var minutes = tile.minutes.prefix(tile.minutes.count - 1)
        minutes.append(rest, 0..<rest.count)
        return remember(minutes, life.last, key)
      }
    }
    if let kept = try kept(point, whole, life) { return remember(kept, life.last, key) }
    return remember(try fromFrames(point, whole, decimal), life.last, key)
  }

  private func remember(_ minutes: RollupColumns, _ last: Int64, _ key: Key) -> RollupColumns {
    tiles[key] = Tile(minutes: minutes, last: last, use: uses)
    if tiles.count > Self.tilesMax {
      // A quarter at a time, so that it costs little each time.
      let old = tiles.sorted { $0.value.use < $1.value.use }.prefix(Self.tilesMax / 4)
      for (key, _) in old { tiles[key] = nil }
    }
    return minutes
  }

  private func fromFrames(_ point: String, _ range: Range<Int64>, _ decimal: Double) throws(StoreError) -> RollupColumns
  {
    let range = Instant(nanoseconds: range.lowerBound)..<Instant(nanoseconds: range.upperBound)
    let frames = try reader.frames(of: [point], within: range, through: nil, limits: [StoreReader.samplesCeiling])
    return RollupColumns(minutesOf: frames[0], step: decimal)
  }

  /// The state of the frames under a tile, of all groups in which the point stands.
  private func life(
    of point: String, _ whole: Range<Int64>, _ lives: inout [Int32: [Int64: TileLife]]
  ) throws(StoreError) -> TileLife {
    var life = TileLife()
    let groups = Set(reader.places(of: point).compactMap { reader.layouts[$0.layout]?.layout.group })
    for group in groups.sorted() {
      if let known = lives[group]?[whole.lowerBound] {
        life.join(known)
        continue
      }
      let found = try reader.archive.life(of: group, whole)
      lives[group, default: [:]][whole.lowerBound] = found
      life.join(found)
    }
    return life
  }

  /// The tile as a file has it; nil where none does, or it is not of these frames any more.
  private func kept(
    _ point: String, _ whole: Range<Int64>, _ life: TileLife
  ) throws(StoreError) -> RollupColumns? {
    let places = reader.places(of: point)
    // A body has the frames of one group.
    guard Set(places.compactMap { reader.layouts[$0.layout]?.layout.group }).count == 1,
      let place = places.max(by: { $0.layout < $1.layout }),
      let layout = reader.layouts[place.layout]?.layout,
      let file = try file(day: Days.number(whole.lowerBound))
    else { return nil }
    for entry in file.entries(.rollup, group: layout.group, effective: whole.lowerBound...whole.lowerBound).reversed() {
      // Made of exactly the frames that there are.
      guard entry.key.layout == place.layout, entry.key.tickFirst == life.last else { continue }
      do throws(CodecFault) {
        if let body = try body(entry, of: file, layout), body.columns.contains(place.column) {
          return try body.minutes(ofColumn: place.column)
        }
      } catch {
        reader.noteBad("rollup of \(Days.name(Days.number(whole.lowerBound))) \(entry.offset)", error.reason)
      }
    }
    return nil
  }

  /// Nil where it does not match its checksum.
  private func body(
    _ entry: DayFile.Entry, of file: DayFile, _ layout: FrameLayout
  ) throws(CodecFault) -> RollupBody.Opened? {
    if let known = bodies[entry.key.hash] { return known }
    guard let bytes = try? file.read(entry) else { return nil }
    let opened = try RollupBody.Opened(bytes, steps: layout.points.map { reader.decimalStep(of: $0) })
    if bodies.count >= Self.bodiesMax { bodies = [:] }
    bodies[entry.key.hash] = opened
    return opened
  }

  private func file(day: Int64) throws(StoreError) -> DayFile? {
    guard seen.insert(day).inserted else { return files[day] }
    let path = reader.archive.shelf.rollupPath(day)
    let store = reader.archive.shelf.files
    guard let size = try? store.open(path, .read).size else {
      files[day] = nil
      return nil
    }
    if let known = files[day], known.bytes == size { return known }
    if files.count >= Shelf.closedHeld { files.removeAll() }
    // A file that cannot be read is no rollup; samples are there.
    files[day] = try? DayFile(files: store, reading: path, bad: { reader.archive.bad.note($0) })
    return files[day]
  }
}

extension Rollup {
  fileprivate mutating func append(_ row: Row, _ unit: UnitStretch) {
    if units.last?.unit != unit.unit || units.last?.revision != unit.revision {
      units.append(UnitStretch(start: rows.count, unit: unit.unit, revision: unit.revision))
    }
    rows.append(row)
  }
}

extension RollupColumns {
  fileprivate func prefix(_ count: Int) -> RollupColumns {
    var result = RollupColumns()
    result.append(self, 0..<count)
    return result
  }
}

extension MeaningStack {
  /// The one revision that holds over all of a range (nil: none anywhere in it), where stored samples can be rolled up
  /// before they are converted; nothing where there are several or it has a valid range.
  fileprivate func uniform(over range: Range<Int64>) -> MeaningRevision?? {
    guard let found = stretch(meeting: range) else { return .some(nil) }
    guard found.range.lowerBound <= range.lowerBound, found.range.upperBound >= range.upperBound,
      found.revision.meaning.valid == nil
    else { return nil }
    return .some(found.revision)
  }
}

extension Range<Instant> {
  fileprivate func widened(to step: Int64) -> Range<Instant> {
    Instant(
      nanoseconds: lowerBound.nanoseconds.flooredMultiple(of: step))..<Instant(
        nanoseconds: upperBound.nanoseconds.ceiledMultiple(of: step))
  }
}

/// Which frames lie under a tile: what is made of them is good as long as there are no others.
///
/// Ticks never fall, so a frame that comes later has a later tick than all that there are.
struct TileLife {
  /// No frame in the tile has a later tick; `Int64.min` where there is none.
  private(set) var last = Int64.min
  /// As `last`, of what is sealed.
  private var sealedLast = Int64.min
  /// Open ones that meet the tile.
  private var windows: [Window] = []

  mutating func join(_ other: TileLife) {
    last = max(last, other.last)
    sealedLast = max(sealedLast, other.sealedLast)
    windows += other.windows
  }

  mutating func add(_ key: BodyKey) {
    sealedLast = max(sealedLast, key.tickLast)
    last = max(last, key.tickLast)
  }

  mutating func add(_ window: Window, in range: Range<Int64>) {
    guard let row = window.effective.lastIndex(where: { range.contains($0) }) else { return }
    last = max(last, window.ticks[row])
    windows.append(window)
  }

  /// Whether all frames that came since `earlier` lie in open windows, at `start` or later.
  func hasGrown(since earlier: Int64, from start: Int64) -> Bool {
    guard sealedLast <= earlier else { return false }
    return windows.allSatisfy { window in
      var row = window.rows - 1
      while row >= 0, window.ticks[row] > earlier {
        if window.effective[row] < start { return false }
        row -= 1
      }
      return true
    }
  }
}

extension Archive {
  /// The frames of a group under a tile, which lies within one day.
  func life(of group: Int32, _ tile: Range<Int64>) throws(StoreError) -> TileLife {
    var life = TileLife()
    let day = Days.number(tile.lowerBound)
    for body in try shelf.bodies(.frames, group: group, effective: tile.lowerBound...tile.upperBound - 1, day: day) {
      life.add(body.key)
    }
    if let window = windows[group], !window.isEmpty { life.add(window, in: tile) }
    return life
  }
}
