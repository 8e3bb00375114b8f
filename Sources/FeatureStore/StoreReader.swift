import SQLite
public import TwinCore

/// The past, read-only. It may run beside the daemon, in another process, and sees what is committed.
///
/// A row that does not match its checksum is skipped, counted once, and named in `badBodies`.
/// Threading: one thread at a time. No call leaves a transaction open, so a slow reader does not hold the log back.
public final class StoreReader {
  public struct Layout: Sendable {
    public let layout: FrameLayout
    /// When it was first registered.
    public let registered: Instant
  }

  /// Rows named in `badBodies`; more are counted only.
  public static let badBodiesMax = 256

  let database: Database
  /// Every layout that ever was, by version.
  public internal(set) var layouts: [Int64: Layout] = [:]
  /// Also of layouts that are damaged, whose versions are taken all the same.
  private(set) var layoutVersionLast: Int64 = 0
  public private(set) var badBodies: [BadBody] = []
  public private(set) var badBodyCount = 0
  private var badRows: Set<String> = []

  /// Opens `site.db` in `directory`. Throws `store.cannot_open` where there is none, `store.newer_version`,
  /// `store.not_a_store`.
  public convenience init(directory: String) throws(StoreError) {
    let path = directory + "/site.db"
    try Schema.refuseForeign(path)
    let database = try storing { () throws(SQLiteFault) in try Database(path: path, access: .readOnly) }
    guard try Schema.version(of: database) != 0 else { throw StoreError(.notAStore, "\(path) is empty") }
    try self.init(database: database)
  }

  init(database: Database) throws(StoreError) {
    self.database = database
    try readLayouts()
  }

  /// Copies the site, as of now and without its free pages, into a new file that must not exist.
  public func copy(to path: String) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("VACUUM INTO ?1")
      try statement.bind(1, path)
      try statement.run()
    }
  }

  /// The layout of a version; looks again in the file, for another process may have registered it since.
  func layout(_ version: Int64) throws(StoreError) -> FrameLayout? {
    if let known = layouts[version] { return known.layout }
    try readLayouts()
    return layouts[version]?.layout
  }

  func readLayouts() throws(StoreError) {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT version, registered_ns, body FROM layouts")
      var rows: [(Int64, Int64, [UInt8])] = []
      while try statement.step() { rows.append((statement.integer(0), statement.integer(1), statement.bytes(2))) }
      return rows
    }
    layoutVersionLast = rows.map(\.0).max() ?? 0
    for (version, registered, body) in rows where layouts[version] == nil {
      guard let content = Seal.open(body, key: "\(version)"), let layout = try? FrameLayout(canonicalBytes: content)
      else {
        noteBad("layouts \(version)", "does not match its checksum")
        continue
      }
      layouts[version] = Layout(layout: layout, registered: Instant(nanoseconds: registered))
    }
  }

  func noteBad(_ row: String, _ reason: String) {
    guard !badRows.contains(row) else { return }
    badBodyCount += 1
    guard badBodies.count < Self.badBodiesMax else { return }
    badRows.insert(row)
    badBodies.append(BadBody(row: row, reason: reason))
  }

  func ends() throws(StoreError) -> (nextFrame: Int64, carriedEnd: Int64, tickLast: Int64) {
    try storing { () throws(SQLiteFault) in
      let last = try database.integer(
        "SELECT max(last_sequence) FROM frames WHERE first_sequence >= "
          + "(SELECT batch FROM frames ORDER BY first_sequence DESC LIMIT 1)")
      let mark = try database.integer("SELECT value FROM marks WHERE name = 'next_frame'")
      // Rows whose ticks carried nothing have 0 here, hence the look back over all of the last ones.
      let carried = try database.integer(
        "SELECT max(frames_end) FROM (SELECT frames_end FROM ticks ORDER BY first_tick DESC LIMIT 1000)")
      let tick = try database.integer("SELECT last_tick FROM ticks ORDER BY first_tick DESC LIMIT 1")
      let tickMark = try database.integer("SELECT value FROM marks WHERE name = 'last_tick'")
      let next = max((last ?? 0) + 1, mark ?? 1, carried ?? 1, 1)
      return (next, min(max(carried ?? 1, 1), next), max(tick ?? 0, tickMark ?? 0))
    }
  }
}
