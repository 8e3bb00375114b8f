import SQLite
public import TwinCore

/// The past, read-only. Opened on a directory it may run beside the daemon, in another process; it sees what is committed.
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
    for (version, registered, body) in rows where layouts[version] == nil {
      guard let content = Seal.open(body), let layout = try? FrameLayout(canonicalBytes: content) else {
        noteBad("layouts \(version)", "does not match its checksum")
        continue
      }
      layouts[version] = Layout(layout: layout, registered: Instant(nanoseconds: registered))
    }
  }

  func noteBad(_ row: String, _ reason: String) {
    guard badBodies.count < Self.badBodiesMax else {
      badBodyCount += 1
      return
    }
    guard badRows.insert(row).inserted else { return }
    badBodyCount += 1
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

// MARK: Records

extension StoreReader {
  func hasDecision(_ id: String) throws(StoreError) -> Bool {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT 1 FROM decisions WHERE id = ?1")
      try statement.bind(1, id)
      defer { statement.reset() }
      return try statement.step()
    }
  }

  /// One decision record; `store.not_found`, or `store.corrupt` when it does not match its checksum.
  public func decision(id: String) throws(StoreError) -> DecisionEntry {
    let found = try decisionRows("WHERE id = ?1", limit: 1) { (statement) throws(SQLiteFault) in
      try statement.bind(1, id)
    }
    guard let (_, entry) = found.first else { throw StoreError(.notFound, "no decision \(id) is recorded") }
    guard let entry else { throw StoreError(.corrupt, "decision \(id) does not match its checksum") }
    return entry
  }

  /// Decision records, newest first: at most `limit`, of one point if given, older than the decision `before` if given.
  public func decisions(limit: Int, before: String? = nil, point: String? = nil) throws(StoreError) -> [DecisionEntry] {
    var number = Int64.max
    if let before {
      let found = try decisionRows("WHERE id = ?1", limit: 1) { (statement) throws(SQLiteFault) in
        try statement.bind(1, before)
      }
      guard let row = found.first else { throw StoreError(.notFound, "no decision \(before) is recorded") }
      number = row.number
    }
    let ofPoint = point == nil ? "" : "AND point = ?2"
    return try decisionRows("WHERE number < ?1 \(ofPoint) ORDER BY number DESC", limit: limit) {
      (statement) throws(SQLiteFault) in
      try statement.bind(1, number)
      if let point { try statement.bind(2, point) }
    }.compactMap(\.entry)
  }

  private func decisionRows(
    _ condition: String, limit: Int, bind: (Statement) throws(SQLiteFault) -> Void
  ) throws(StoreError) -> [(number: Int64, entry: DecisionEntry?)] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(
        "SELECT number, id, tick, at_ns, kind, point, body FROM decisions \(condition) LIMIT \(max(0, limit))")
      try bind(statement)
      var rows: [(Int64, DecisionEntry)] = []
      while try statement.step() {
        let entry = DecisionEntry(
          id: statement.text(1), tick: statement.integer(2), instant: Instant(nanoseconds: statement.integer(3)),
          kind: statement.text(4), point: statement.text(5), bytes: statement.bytes(6))
        rows.append((statement.integer(0), entry))
      }
      return rows
    }
    return rows.map { number, sealed in
      var entry = sealed
      guard let content = Seal.open(sealed.bytes, key: sealed.key) else {
        noteBad("decisions \(number)", "does not match its checksum")
        return (number, nil)
      }
      entry.bytes = content
      return (number, entry)
    }
  }

  /// Events, newest first: at most `limit`, before the instant `before`.
  public func events(limit: Int, before: Instant = .distantFuture) throws(StoreError) -> [EventEntry] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(
        "SELECT number, tick, at_ns, kind, subject, body FROM events WHERE at_ns < ?1 ORDER BY number DESC LIMIT ?2")
      try statement.bind(1, before.nanoseconds)
      try statement.bind(2, Int64(max(0, limit)))
      var rows: [(Int64, EventEntry)] = []
      while try statement.step() {
        let entry = EventEntry(
          tick: statement.integer(1), instant: Instant(nanoseconds: statement.integer(2)), kind: statement.text(3),
          subject: statement.text(4), bytes: statement.bytes(5))
        rows.append((statement.integer(0), entry))
      }
      return rows
    }
    return rows.compactMap { number, sealed in
      var entry = sealed
      guard let content = Seal.open(sealed.bytes, key: sealed.key) else {
        noteBad("events \(number)", "does not match its checksum")
        return nil
      }
      entry.bytes = content
      return entry
    }
  }

  /// The newest checkpoint that is whole and not after `tick`; nil when there is none.
  public func checkpoint(atOrBefore tick: Int64) throws(StoreError) -> Checkpoint? {
    var bound = tick
    // Damaged ones are passed over; the number of checkpoints kept bounds the loop.
    while true {
      let row = try storing { () throws(SQLiteFault) -> Checkpoint? in
        let statement = try database.prepare(
          "SELECT tick, at_ns, reason, body FROM checkpoints WHERE tick <= ?1 ORDER BY tick DESC LIMIT 1")
        try statement.bind(1, bound)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        return Checkpoint(
          tick: statement.integer(0), instant: Instant(nanoseconds: statement.integer(1)), reason: statement.text(2),
          bytes: statement.bytes(3))
      }
      guard var found = row else { return nil }
      if let content = Seal.open(found.bytes, key: found.key) {
        found.bytes = content
        return found
      }
      noteBad("checkpoints \(found.tick)", "does not match its checksum")
      guard found.tick > .min else { return nil }
      bound = found.tick - 1
    }
  }

  /// The newest checkpoint that is whole.
  public func latestCheckpoint() throws(StoreError) -> Checkpoint? { try checkpoint(atOrBefore: .max) }

  /// Leases that are open on disk, by point.
  public func openLeases() throws(StoreError) -> [LeaseEntry] {
    try pairs("SELECT point, body FROM leases ORDER BY point", table: "leases").map {
      LeaseEntry(point: $0.key, bytes: $0.bytes)
    }
  }

  /// A small named value; `store.corrupt` when it does not match its checksum.
  public func fact(_ key: String) throws(StoreError) -> [UInt8]? {
    let body = try storing { () throws(SQLiteFault) -> [UInt8]? in
      let statement = try database.prepare("SELECT body FROM facts WHERE key = ?1")
      try statement.bind(1, key)
      defer { statement.reset() }
      return try statement.step() ? statement.bytes(0) : nil
    }
    guard let body else { return nil }
    guard let content = Seal.open(body, key: key) else {
      noteBad("facts \(key)", "does not match its checksum")
      throw StoreError(.corrupt, "fact \(key) does not match its checksum")
    }
    return content
  }

  /// All facts whose key begins with `prefix`, by key.
  public func facts(prefix: String) throws(StoreError) -> [(key: String, bytes: [UInt8])] {
    try pairs("SELECT key, body FROM facts ORDER BY key", table: "facts").filter { $0.key.hasPrefix(prefix) }
  }

  private func pairs(_ sql: String, table: String) throws(StoreError) -> [(key: String, bytes: [UInt8])] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(sql)
      var rows: [(String, [UInt8])] = []
      while try statement.step() { rows.append((statement.text(0), statement.bytes(1))) }
      return rows
    }
    return rows.compactMap { key, body in
      guard let content = Seal.open(body, key: key) else {
        noteBad("\(table) \(key)", "does not match its checksum")
        return nil
      }
      return (key, content)
    }
  }
}
