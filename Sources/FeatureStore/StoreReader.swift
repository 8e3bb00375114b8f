public import SQLite
public import Seams
public import TwinCore

/// The past, read-only. It may run beside the daemon, in another process, and sees what is committed.
///
/// What does not match its checksum is skipped, counted once, and named in `badBodies`.
/// Threading: one thread at a time. No call leaves a transaction open, so a slow reader does not hold the log back.
public final class StoreReader {
  public struct Layout: Sendable {
    public let layout: FrameLayout
    /// When it was first registered.
    public let registered: Instant
  }

  /// Where a point stands: a column of a layout.
  struct Place {
    var layout: Int64
    var column: Int
  }

  /// Rows named in `badBodies`; more are counted only.
  public static let badBodiesMax = 256
  /// Times that a call begins again because a file went while it was read.
  private static let retriesMax = 5

  let database: Database
  let archive: Archive
  /// Beside a writer in another process: what to look at before each call. Nil on the writing connection.
  private let beside: Beside?
  /// Every layout that ever was, by version.
  public private(set) var layouts: [Int64: Layout] = [:]
  /// Also of layouts that are damaged, whose versions are taken all the same.
  private(set) var layoutVersionLast: Int64 = 0
  /// Points by id; those that stand in several layouts are in `morePlaces` too.
  private var firstPlaces: [String: Place]?
  private var morePlaces: [String: [Place]] = [:]
  private var statements: [String: Statement] = [:]
  /// Tables that a temporary one of the same name stands before.
  var shown: [String] = []
  /// What may leave, and the state of `site.db` of which that is so.
  var releaseKnown: (state: [Int64], release: Release)?

  /// Opens the site in `directory`. Throws `store.cannot_open` where there is none, `store.newer_version`,
  /// `store.not_a_store`.
  ///
  /// - Parameters:
  ///   - files: Where log and day files are.
  ///   - vfs: Where `site.db` is, if not in the system's files; then no writer may have it open.
  public convenience init(
    directory: String, files: any FileStore = SystemFileStore(), vfs: FileStoreVFS? = nil
  ) throws(StoreError) {
    let path = directory + "/site.db"
    try Schema.refuseForeign(path, files)
    let database = try storing { () throws(SQLiteFault) in
      try Database(path: path, access: vfs == nil ? .readOnly : .readWrite, vfs: vfs)
    }
    guard try Schema.version(of: database) != 0 else { throw StoreError(.notAStore, "\(path) is empty") }
    let bad = BadRows()
    let shelf = try Shelf(files: files, directory: directory, isWriter: false, bad: bad)
    try self.init(
      database: database, archive: Archive(shelf: shelf, bad: bad), beside: Beside(files: files, directory: directory))
    try refresh()
  }

  init(database: Database, archive: Archive, beside: Beside? = nil) throws(StoreError) {
    (self.database, self.archive, self.beside) = (database, archive, beside)
    try readLayouts()
  }

  public var badBodies: [BadBody] { archive.bad.list }
  public var badBodyCount: Int { archive.bad.count }

  /// Whether the linked SQLite can corrupt a file that two connections write and checkpoint at the same instant. Here
  /// one connection does; other programs must not write `site.db`.
  public static var sqliteHasWalResetBug: Bool { Database.hasWalResetDefect() }

  /// Copies `site.db`, as of now and without its free pages, into a new file that must not exist: layouts, decisions,
  /// events, checkpoints, facts, leases and versions. Frames and ticks are in the folder `data`, as units to copy.
  public func copy(to path: String) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("VACUUM INTO ?1")
      try statement.bind(1, path)
      try statement.run()
    }
  }

  /// A statement that is kept; reset it when its rows are read.
  func statement(_ sql: String) throws(SQLiteFault) -> Statement {
    if let known = statements[sql] { return known }
    let made = try database.prepare(sql)
    statements[sql] = made
    return made
  }

  func noteBad(_ row: String, _ reason: String) { archive.bad.note(BadBody(row: row, reason: reason)) }

  func mark(_ name: String) throws(StoreError) -> Int64? {
    try storing { () throws(SQLiteFault) in
      let statement = try statement("SELECT value FROM marks WHERE name = ?1")
      try statement.bind(1, name)
      defer { statement.reset() }
      return try statement.step() ? statement.integer(0) : nil
    }
  }
}

/// Layouts.
extension StoreReader {
  /// Reads what another process may have registered since; the writer tells its own by `add`.
  func readLayouts() throws(StoreError) {
    guard beside != nil || layouts.isEmpty else { return }
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try statement("SELECT version, registered_ns, body FROM layouts WHERE version > ?1")
      try statement.bind(1, layoutVersionLast)
      var rows: [(Int64, Int64, [UInt8])] = []
      while try statement.step() { rows.append((statement.integer(0), statement.integer(1), statement.bytes(2))) }
      return rows
    }
    for (version, registered, body) in rows {
      layoutVersionLast = max(layoutVersionLast, version)
      guard let content = Seal.open(body, key: "\(version)"), let layout = try? FrameLayout(canonicalBytes: content)
      else {
        noteBad("layouts \(version)", "does not match its checksum")
        continue
      }
      add(LayoutEntry(version: version, layout: layout, registered: Instant(nanoseconds: registered)))
    }
  }

  func add(_ entry: LayoutEntry) {
    layouts[entry.version] = Layout(layout: entry.layout, registered: entry.registered)
    layoutVersionLast = max(layoutVersionLast, entry.version)
    archive.layouts[entry.version] = entry.layout
    if firstPlaces != nil { index(entry.version, entry.layout) }
  }

  private func index(_ version: Int64, _ layout: FrameLayout) {
    for (column, point) in layout.points.enumerated() {
      let place = Place(layout: version, column: column)
      if firstPlaces?[point] == nil {
        firstPlaces?[point] = place
      } else {
        morePlaces[point, default: []].append(place)
      }
    }
  }

  /// The columns in which a point ever stood.
  func places(of point: String) -> [Place] {
    if firstPlaces == nil {
      firstPlaces = [:]
      for version in layouts.keys.sorted() { if let known = layouts[version] { index(version, known.layout) } }
    }
    guard let first = firstPlaces?[point] else { return [] }
    return [first] + (morePlaces[point] ?? [])
  }
}

/// Beside a writer.
extension StoreReader {
  /// Runs a read; begins again where a file went meanwhile, for its day was closed or its log is not needed any more.
  func retrying<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
    guard beside != nil else { return try body() }
    for _ in 0..<Self.retriesMax {
      do throws(StoreError) {
        try refresh()
        return try body()
      } catch {
        guard error.kind == .notFound else { throw error }
        beside?.forget()
      }
    }
    try refresh()
    return try body()
  }

  /// Before records are read.
  func look() throws(StoreError) { try retrying { () throws(StoreError) in } }

  /// Takes in what was committed since the last look.
  func refresh() throws(StoreError) {
    guard let beside, try beside.hasChanged() else { return }
    try readLayouts()
    archive.clearWindows()
    archive.shelf.forgetWaiting()
    archive.shelf.closedTick = try mark("closed_tick") ?? .min
    archive.shelf.instantFloor = try mark("instant_max") ?? .min
    archive.shelf.lapseCount = try mark("lapses") ?? 0
    // The log first: what is sealed meanwhile is then on the shelf, and known by its ticks to be there.
    var records: [LogRecord] = []
    try HotLog.read(
      files: beside.files, directory: beside.directory + "/log", layouts: archive.layouts,
      { (record) throws(StoreError) in records.append(record) }, bad: { archive.bad.note($0) })
    try archive.shelf.refresh()
    let applied = try mark("applied") ?? 0
    try show(unapplied: records.filter { $0.commit > applied && !$0.records.isEmpty }.map(\.records))
    var sealed = try SealedRows(archive, from: records.first?.ticks.first?.number ?? .max)
    for record in records {
      for entry in record.records.layouts where layouts[entry.version] == nil { add(entry) }
      try sealed.take(record, into: archive)
    }
  }
}

/// What a reader in another process looks at to see whether something was committed.
final class Beside {
  let files: any FileStore
  let directory: String
  private var last: [String] = []

  init(files: any FileStore, directory: String) { (self.files, self.directory) = (files, directory) }

  func forget() { last = [] }

  func hasChanged() throws(StoreError) -> Bool {
    var now = ["seen"]
    for folder in ["log", "data"] {
      let path = "\(directory)/\(folder)"
      for name in try filing({ () throws(FileFault) in try files.names(in: path) }) {
        // A closed day never changes.
        let size = name.hasSuffix(".twc") ? 0 : (try? files.open("\(path)/\(name)", .read).size) ?? -1
        now.append("\(folder)/\(name) \(size)")
      }
    }
    defer { last = now }
    return now != last
  }
}

/// Which rows of the log are on the shelf already.
struct SealedRows {
  private let archive: Archive
  /// By group: the last tick of a sealed body.
  private var lasts: [Int32: Int64] = [:]
  private var ticksLast = Int64.min
  /// By group: rows of the last sealed tick that are sealed, and how many of them have been passed.
  private var atLast: [Int32: (sealed: Int, passed: Int)] = [:]

  /// - Parameter tick: The first one of the log: closed days that end before it do not matter.
  init(_ archive: Archive, from tick: Int64) throws(StoreError) {
    self.archive = archive
    let shelf = archive.shelf
    for day in shelf.daysWithBodies where shelf.has(day, .open) || tick <= shelf.closedTick {
      for body in try shelf.bodies(day: day) {
        switch body.key.kind {
        // What lapsed was sealed, too.
        case .frames, .lapse: lasts[body.key.group] = max(lasts[body.key.group] ?? .min, body.key.tickLast)
        case .ticks: ticksLast = max(ticksLast, body.key.tickLast)
        case .rollup: break
        }
      }
    }
  }

  /// Gives the archive what of a record is not sealed.
  mutating func take(_ record: LogRecord, into archive: Archive) throws(StoreError) {
    for (tick, frames) in record.carried {
      for laid in frames where try !isSealed(laid.frame.group, tick.number) {
        archive.take(laid, of: tick, commit: record.commit)
      }
      if tick.number > ticksLast { archive.take(tick, order: TickBody.order(of: frames), commit: record.commit) }
    }
  }

  private mutating func isSealed(_ group: Int32, _ tick: Int64) throws(StoreError) -> Bool {
    guard let last = lasts[group], tick <= last else { return false }
    guard tick == last else { return true }
    // A window that was closed in the middle of a tick: rows of one group come in the same order every time.
    if atLast[group] == nil { atLast[group] = (try sealedRows(of: group, tick: tick), 0) }
    guard let (sealed, passed) = atLast[group], passed < sealed else { return false }
    atLast[group] = (sealed, passed + 1)
    return true
  }

  private func sealedRows(of group: Int32, tick: Int64) throws(StoreError) -> Int {
    var count = 0
    for day in archive.shelf.daysWithBodies {
      for body in try archive.shelf.bodies(.frames, group: group, ticks: tick...tick, day: day) {
        // Of a damaged body all rows are taken to have been there.
        guard let open = try archive.open(body) else { return .max }
        count += (0..<open.times.rows).count { open.times.tick($0) == tick }
      }
      // Likewise of one that lapsed.
      if try !archive.shelf.bodies(.lapse, group: group, ticks: tick...tick, day: day).isEmpty { return .max }
    }
    return count
  }
}
