import Glibc
import SQLite
public import TwinCore

/// How long rows are kept.
public struct Retention: Sendable, Equatable {
  /// Frames, ticks and events, by when they were observed.
  public var keep: Duration
  /// Decision records; never shorter than `keep`.
  public var keepDecisions: Duration
  /// Frames, ticks and events go earlier, oldest first, while the rows take more; nil for no bound but the disk.
  public var bytesMax: Int64?

  public init(keep: Duration, keepDecisions: Duration, bytesMax: Int64? = nil) {
    (self.keep, self.keepDecisions, self.bytesMax) = (keep, max(keep, keepDecisions), bytesMax)
  }
}

/// What one step of pruning removed, in rows.
public struct Pruned: Sendable, Equatable {
  public var frames = 0
  public var ticks = 0
  public var events = 0
  public var decisions = 0
  /// Whether nothing is left to prune; else call again when there is time.
  public var isDone = true
}

/// The store in numbers.
public struct StoreStats: Sendable, Equatable {
  /// From the oldest sequence and number that are kept to the newest.
  public var frames: Int64 = 0
  public var ticks: Int64 = 0
  public var decisions: Int64 = 0
  public var checkpoints: Int64 = 0
  /// Pages in use, the file with its free pages, and the write-ahead log beside it.
  public var usedBytes: Int64 = 0
  public var fileBytes: Int64 = 0
  public var logBytes: Int64 = 0
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
}

extension SiteStore {
  /// Commits what is buffered together with a checkpoint, and lets go of the oldest beyond what `limits` keeps. When it
  /// throws, the checkpoint is not kept for later.
  @discardableResult
  public func save(_ checkpoint: Checkpoint) throws(StoreError) -> CommitReceipt {
    try refuseTooBig(
      checkpoint.bytes, max: StoreLimits.checkpointBytesMax, "checkpoint after tick \(checkpoint.tick)")
    return try commit { () throws(SQLiteFault) in
      let insert = try database.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5)")
      try insert.bind(1, checkpoint.tick)
      try insert.bind(2, checkpoint.instant.nanoseconds)
      try insert.bind(3, checkpoint.reason)
      try insert.bind(4, Int64(checkpoint.bytes.count))
      try insert.bind(5, Seal.close(checkpoint.bytes, key: checkpoint.key))
      try insert.run()
      try trimCheckpoints()
    }
  }

  private func trimCheckpoints() throws(SQLiteFault) {
    let newestFirst = try database.prepare("SELECT tick, size FROM checkpoints ORDER BY tick DESC")
    var (count, bytes): (Int, Int64) = (0, 0)
    var surplus: Int64?
    while surplus == nil, try newestFirst.step() {
      count += 1
      bytes += newestFirst.integer(1)
      if count > 1, count > limits.checkpointsKept || bytes > limits.checkpointBytesKept {
        surplus = newestFirst.integer(0)
      }
    }
    newestFirst.reset()
    if let surplus { try database.execute("DELETE FROM checkpoints WHERE tick <= \(surplus)") }
  }

  /// Removes the oldest rows that `retention` does not keep: at most `rowsMax` of each table, in one transaction. Their
  /// pages are used again; the file does not shrink.
  @discardableResult
  public func prune(_ retention: Retention, now: Instant, rowsMax: Int = 1000) throws(StoreError) -> Pruned {
    try storing { () throws(SQLiteFault) in
      var cutoff = now.nanoseconds.saturatingSubtract(retention.keep.wholeNanoseconds)
      let isCrowded = try retention.bytesMax.map { (max) throws(SQLiteFault) in try usedBytes() > max } ?? false
      if isCrowded, let crowded = try instantOfOldest(rowsMax) { cutoff = max(cutoff, crowded) }
      let cutoffDecisions = now.nanoseconds.saturatingSubtract(retention.keepDecisions.wholeNanoseconds)
      let ends = (frame: nextFrameSequence, tick: lastTickNumber)
      var pruned = Pruned()
      try database.transaction { () throws(SQLiteFault) in
        pruned.frames = try remove("frames", key: "first_sequence", at: "observed_max_ns", through: cutoff, rowsMax)
        pruned.ticks = try remove("ticks", key: "first_tick", at: "instant_max_ns", through: cutoff, rowsMax)
        pruned.events = try remove("events", key: "number", at: "at_ns", through: cutoff, rowsMax)
        pruned.decisions = try remove("decisions", key: "number", at: "at_ns", through: cutoffDecisions, rowsMax)
        if pruned.frames + pruned.ticks > 0 {
          // So that no number is used twice, should the rows that tell the last ones be gone at the next start.
          try database.execute(
            "INSERT OR REPLACE INTO marks VALUES ('next_frame', \(ends.frame)), ('last_tick', \(ends.tick))")
        }
      }
      let removed = [pruned.frames, pruned.ticks, pruned.events, pruned.decisions]
      let isStillCrowded = try retention.bytesMax.map { (max) throws(SQLiteFault) in try usedBytes() > max } ?? false
      pruned.isDone = !removed.contains(rowsMax) && !(isStillCrowded && removed.contains { $0 > 0 })
      return pruned
    }
  }

  /// Only the oldest rows are looked at, so that a step costs the same however much is kept.
  private func remove(
    _ table: String, key: String, at time: String, through cutoff: Int64, _ rowsMax: Int
  ) throws(SQLiteFault) -> Int {
    try database.execute(
      """
      DELETE FROM \(table) WHERE \(key) IN (SELECT \(key) FROM
        (SELECT \(key), \(time) AS at FROM \(table) ORDER BY \(key) LIMIT \(rowsMax)) WHERE at <= \(cutoff))
      """)
    return database.changes
  }

  /// When the oldest rows, as many as a step may remove, had all been observed.
  private func instantOfOldest(_ rowsMax: Int) throws(SQLiteFault) -> Int64? {
    for (table, key, time) in [
      ("frames", "first_sequence", "observed_max_ns"), ("ticks", "first_tick", "instant_max_ns"),
      ("events", "number", "at_ns"),
    ] {
      let sql = "SELECT max(at) FROM (SELECT \(time) AS at FROM \(table) ORDER BY \(key) LIMIT \(rowsMax))"
      if let instant = try database.integer(sql) { return instant }
    }
    return nil
  }

  private func usedBytes() throws(SQLiteFault) -> Int64 {
    let pages = try database.integer("PRAGMA page_count") ?? 0
    let free = try database.integer("PRAGMA freelist_count") ?? 0
    return (pages - free) * (try database.integer("PRAGMA page_size") ?? 0)
  }

  /// `store.disk_full` as a value when less than `floor` bytes are left on the volume for this user; nil otherwise.
  public func shortage(floor: Int64) -> StoreError? {
    var volume = statvfs()
    guard unsafe statvfs(directory, &volume) == 0 else {
      return StoreError(.io, "free space of \(directory) cannot be told: errno \(errno)")
    }
    let (bytes, overflow) = Int64(clamping: volume.f_bavail).multipliedReportingOverflow(by: Int64(volume.f_frsize))
    guard !overflow, bytes < floor else { return nil }
    return StoreError(.diskFull, "\(bytes) bytes are free on the volume of \(directory), \(floor) are wanted")
  }

  public func stats() throws(StoreError) -> StoreStats {
    var stats = StoreStats()
    let waiting = buffered
    (stats.bufferedFrames, stats.bufferedTicks) = (waiting.frames, waiting.ticks)
    (stats.bufferedDecisions, stats.dropped) = (waiting.decisions, dropped)
    (stats.badBodies, stats.badBodyCount) = (reader.badBodies, reader.badBodyCount)
    stats.lastCommit = commitLast
    stats.logBytes = Self.size(of: directory + "/site.db-wal")
    stats.fileBytes = Self.size(of: directory + "/site.db")
    try storing { () throws(SQLiteFault) in
      stats.usedBytes = try usedBytes()
      let last = try database.integer(
        "SELECT max(last_sequence) FROM frames WHERE first_sequence >= "
          + "(SELECT batch FROM frames ORDER BY first_sequence DESC LIMIT 1)")
      if let first = try database.integer("SELECT min(first_sequence) FROM frames"), let last {
        stats.frames = last - first + 1
      }
      if let first = try database.integer("SELECT min(first_tick) FROM ticks") {
        let last = try database.integer("SELECT last_tick FROM ticks ORDER BY first_tick DESC LIMIT 1") ?? first
        stats.ticks = last - first + 1
      }
      stats.oldest = try database.integer("SELECT instant_max_ns FROM ticks ORDER BY first_tick LIMIT 1")
        .map(Instant.init(nanoseconds:))
      stats.newest = try database.integer("SELECT instant_max_ns FROM ticks ORDER BY first_tick DESC LIMIT 1")
        .map(Instant.init(nanoseconds:))
      stats.decisions = try database.integer("SELECT count(*) FROM decisions") ?? 0
      stats.checkpoints = try database.integer("SELECT count(*) FROM checkpoints") ?? 0
    }
    return stats
  }

  /// 0 where there is no such file.
  private static func size(of path: String) -> Int64 {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int64(status.st_size) : 0
  }
}
