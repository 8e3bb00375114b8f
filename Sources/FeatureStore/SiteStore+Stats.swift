import SQLite
import Seams
public import TwinCore

/// The store in numbers.
public struct StoreStats: Sendable, Equatable {
  /// From the oldest sequence and number that are kept to the newest.
  public var frames: Int64 = 0
  public var ticks: Int64 = 0
  public var decisions: Int64 = 0
  public var checkpoints: Int64 = 0
  /// What is in use: day files and pages of `site.db`.
  public var usedBytes: Int64 = 0
  /// Day files, and `site.db` with its free pages; the logs beside them.
  public var fileBytes: Int64 = 0
  public var logBytes: Int64 = 0
  /// Day files alone, and how many days have one.
  public var dataBytes: Int64 = 0
  public var days = 0
  /// Memory of the windows that are open.
  public var windowBytes = 0
  /// Instants of ticks; nil when there are none.
  public var oldest: Instant?
  public var newest: Instant?
  public var bufferedFrames = 0
  public var bufferedTicks = 0
  public var bufferedDecisions = 0
  public var dropped = DroppedCounts()
  public var badBodies: [BadBody] = []
  public var badBodyCount = 0
  public var lastCommit: Duration = .zero
  /// Why sealing or flushing is being tried again; nil when it works.
  public var upkeepFault: StoreError?
}

extension SiteStore {
  public func stats() throws(StoreError) -> StoreStats {
    var stats = StoreStats()
    let waiting = buffered
    (stats.bufferedFrames, stats.bufferedTicks) = (waiting.frames, waiting.ticks)
    (stats.bufferedDecisions, stats.dropped) = (waiting.decisions, dropped)
    (stats.lastCommit, stats.upkeepFault, stats.windowBytes) = (commitLast, upkeep.fault, archive.windowBytes)
    stats.days = archive.shelf.numbers.count
    for day in archive.shelf.numbers { stats.dataBytes += try archive.shelf.size(day: day) }
    stats.logBytes = log.bytes + size(of: "site.db-wal")
    stats.fileBytes = stats.dataBytes + size(of: "site.db")
    if let ends = try archive.tickEnds() {
      stats.frames = ends.last.frames.upperBound - ends.first.frames.lowerBound
      stats.ticks = ends.last.number - ends.first.number + 1
      (stats.oldest, stats.newest) = (ends.first.instant, ends.last.instant)
    }
    try storing { () throws(SQLiteFault) in
      stats.usedBytes = stats.dataBytes + (try pagesUsed())
      stats.decisions = try database.integer("SELECT count(*) FROM decisions") ?? 0
      stats.checkpoints = try database.integer("SELECT count(*) FROM checkpoints") ?? 0
    }
    (stats.badBodies, stats.badBodyCount) = (reader.badBodies, reader.badBodyCount)
    return stats
  }

  /// Everything that the site takes on the volume.
  func totalBytes() throws(StoreError) -> Int64 {
    var bytes = log.bytes + size(of: "site.db") + size(of: "site.db-wal")
    for day in archive.shelf.numbers { bytes += try archive.shelf.size(day: day) }
    return bytes
  }

  private func pagesUsed() throws(SQLiteFault) -> Int64 {
    let pages = try database.integer("PRAGMA page_count") ?? 0
    let free = try database.integer("PRAGMA freelist_count") ?? 0
    return (pages - free) * (try database.integer("PRAGMA page_size") ?? 0)
  }

  /// 0 where there is no such file.
  private func size(of name: String) -> Int64 { (try? files.open("\(directory)/\(name)", .read).size) ?? 0 }
}
