import SeriesCodec
import Sodium
public import TwinCore

/// The rollups of a day on their way into its file, some columns of a tile of a group at a time.
struct RollupKeeping {
  /// Samples that are in memory at once, about: 13 MB.
  static let samplesMax = 1 << 19

  let day: Int64
  private let samplesMax: Int
  fileprivate let file: DayFile
  /// Group by group, each tile by its beginning.
  fileprivate var left: ArraySlice<(group: Int32, tile: Int64)>
  /// Of the tile at hand: the layout, and the first column that is not written.
  fileprivate var (layout, column): (Int64, Int) = (0, 0)
  fileprivate(set) var written = 0

  init(_ day: Int64, _ archive: Archive, samplesMax: Int = Self.samplesMax) throws(StoreError) {
    let shelf = archive.shelf
    (self.day, self.samplesMax) = (day, samplesMax)
    var parts: [(group: Int32, tile: Int64)] = []
    let range = Days.range(day)
    for group in try shelf.groups(.frames, day: day) {
      var tile = range.lowerBound.flooredMultiple(of: RollupBody.tileNanoseconds)
      while tile < range.upperBound {
        parts.append((group, tile))
        let next = tile.saturatingAdd(RollupBody.tileNanoseconds)
        guard next > tile else { break }
        tile = next
      }
    }
    left = parts[...]
    file = try DayFile(files: shelf.files, appending: shelf.rollupPath(day), day: day, bad: { archive.bad.note($0) })
  }

  /// The next columns of the tile at hand, fewer where it has many rows; nil when they are written already.
  fileprivate mutating func columns(of layout: Int64, count: Int, rows: Int, life: TileLife) -> Range<Int>? {
    if self.layout != layout { (self.layout, column) = (layout, 0) }
    guard let (group, tile) = left.first else { return nil }
    // All pieces of a tile are written one behind the other.
    let known = file.entries(.rollup, group: group, effective: tile...tile)
    if column == 0, known.contains(where: { $0.key.layout == layout && $0.key.tickFirst == life.last }) { return nil }
    let width = min(max(1, samplesMax / max(1, rows)), RollupBody.pointsMax)
    return column..<min(column + width, count)
  }

  fileprivate mutating func finishTile() {
    left.removeFirst()
    column = 0
  }
}

extension SiteStore {
  /// Keeps the rollups of a day beside its bodies, so that long stretches are read without their samples; gives the
  /// number of bodies that it wrote. Upkeep does the same, in steps, with each day that it closes.
  ///
  /// What they say is derived: nothing is lost when it throws or the file is deleted.
  @discardableResult
  public func keepRollups(ofDayAt instant: Instant) throws(StoreError) -> Int {
    var keeping = try RollupKeeping(Days.number(instant.nanoseconds), archive)
    while try !step(&keeping) {}
    return keeping.written
  }

  /// Makes one body; true when the file has all, and is flushed.
  func step(_ keeping: inout RollupKeeping) throws(StoreError) -> Bool {
    while let (group, tile) = keeping.left.first {
      if try keepPiece(of: group, tile..<tile.saturatingAdd(RollupBody.tileNanoseconds), &keeping) { return false }
    }
    archive.shelf.rollupsChanged(day: keeping.day)
    if keeping.written > 0 { try keeping.file.sync() }
    return true
  }

  /// Some columns of a tile of a group, under the newest layout that its points have; whether there was anything.
  private func keepPiece(
    of group: Int32, _ tile: Range<Int64>, _ keeping: inout RollupKeeping
  ) throws(StoreError) -> Bool {
    let whole = tile.lowerBound...tile.upperBound - 1
    let life = try archive.life(of: group, tile)
    let rows = try archive.shelf.bodies(.frames, group: group, effective: whole, day: keeping.day)
      .reduce(0) { $0 + $1.key.rows }
    guard life.last > .min, let version = layouts.filter({ $0.value.layout.group == group }).keys.max(),
      let layout = layouts[version]?.layout,
      let columns = keeping.columns(of: version, count: layout.points.count, rows: rows, life: life)
    else {
      keeping.finishTile()
      return false
    }
    keeping.column = columns.upperBound
    defer { if columns.upperBound == layout.points.count { keeping.finishTile() } }
    let steps = layout.points.map { reader.decimalStep(of: $0) }
    let badCount = archive.bad.count
    let frames = try reader.frames(
      of: columns.map { layout.points[$0] },
      within: Instant(nanoseconds: tile.lowerBound)..<Instant(nanoseconds: tile.upperBound), through: nil,
      limits: columns.map { _ in StoreReader.samplesCeiling })
    // Of a point that stands in another group too this is never read.
    let minutes = zip(columns, frames).map { RollupColumns(minutesOf: $1, step: steps[$0]) }
    // What could not be read now may be readable later; a rollup without it would stay.
    guard archive.bad.count == badCount,
      let body = RollupBody(firstColumn: columns.lowerBound, points: minutes).encode(
        group: group, layout: version, steps: Array(steps[columns]))
    else { return true }
    let key = BodyKey(
      kind: .rollup, group: group, layout: version, effective: whole,
      ticks: life.last...max(life.last, lastTickNumber), rows: minutes.map(\.count).max() ?? 0,
      tier: Tier.cold.rawValue, hash: Sodium.blake2b256(body), length: body.count)
    try keeping.file.append(body, key)
    keeping.written += 1
    return true
  }
}
