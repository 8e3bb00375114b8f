import Provenance
import SQLite
import TwinCore

/// How the body of a stored entry is kept.
enum BodyForm: Int64 {
  case kept = 0
  case elsewhere = 1
  case dropped = 2
}

/// An entry as it is stored.
struct LogRow {
  var sequence: UInt64
  var total: UInt64
  var entry: [UInt8]
  var chain: Digest
  var form: BodyForm
  var body: [UInt8]?
}

/// The rows of one stream, of any epoch. Faults are the log's; what no twind writes is `delta_log.corrupt`.
struct LaneRows {
  let stream: LogStream
  private let database: Database
  private let insertRow: Statement
  private let insertBody: Statement?
  private let selectRange: Statement
  private let selectBody: Statement?

  init(_ stream: LogStream, _ database: Database) throws(SQLiteFault) {
    (self.stream, self.database) = (stream, database)
    let (log, bodies) = ("log_\(stream.name)", "body_\(stream.name)")
    insertRow = try database.prepare(
      "INSERT INTO \(log)(place, total, entry, chain, form, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
    selectRange = try database.prepare(
      "SELECT place, total, entry, chain, form, body FROM \(log) WHERE place >= ?1 AND place < ?2 ORDER BY place")
    let isApart = stream.keepsBodiesApart
    insertBody = isApart ? try database.prepare("INSERT INTO \(bodies)(place, body) VALUES(?1, ?2)") : nil
    selectBody = isApart ? try database.prepare("SELECT body FROM \(bodies) WHERE place = ?1") : nil
  }

  func insert(_ row: LogRow, epoch: Int64) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      let place = LogSchema.place(epoch, row.sequence)
      try insertRow.bind(1, place)
      try insertRow.bind(2, Int64(row.total))
      try insertRow.bind(3, row.entry)
      try insertRow.bind(4, row.chain.bytes)
      try insertRow.bind(5, row.form.rawValue)
      if let body = row.body, insertBody == nil { try insertRow.bind(6, body) } else { try insertRow.bindNull(6) }
      try insertRow.run()
      if let body = row.body, let insertBody {
        try insertBody.bind(1, place)
        try insertBody.bind(2, body)
        try insertBody.run()
      }
    }
  }

  /// Calls `body` for rows in order, until it gives false. Bodies are read only when asked for.
  func forEach(
    epoch: Int64, from: UInt64, to: UInt64, bodies: Bool = false,
    _ body: (LogRow) throws(DeltaLogFault) -> Bool
  ) throws(DeltaLogFault) {
    defer { selectRange.reset() }
    try storing { () throws(SQLiteFault) in
      try selectRange.bind(1, LogSchema.place(epoch, from))
      try selectRange.bind(2, LogSchema.place(epoch, to))
    }
    while try storing({ () throws(SQLiteFault) in try selectRange.step() }) {
      guard try body(try row(bodies: bodies)) else { return }
    }
  }

  func row(epoch: Int64, _ sequence: UInt64, bodies: Bool = false) throws(DeltaLogFault) -> LogRow? {
    var found: LogRow?
    try forEach(epoch: epoch, from: sequence, to: sequence + 1, bodies: bodies) { row in
      found = row
      return false
    }
    return found
  }

  private func row(bodies: Bool) throws(DeltaLogFault) -> LogRow {
    let place = selectRange.integer(0)
    let sequence = UInt64(place) & LogSchema.sequenceMax
    guard place >= 0, let total = UInt64(exactly: selectRange.integer(1)),
      let chain = Digest(bytes: selectRange.bytes(3)),
      let form = BodyForm(rawValue: selectRange.integer(4))
    else { throw DeltaLogFault(.corrupt, "\(database.path): row \(place) of log_\(stream.name) is no entry's") }
    var row = LogRow(
      sequence: sequence, total: total, entry: selectRange.bytes(2), chain: chain, form: form, body: nil)
    guard bodies, form == .kept else { return row }
    if let selectBody {
      row.body = try storing { () throws(SQLiteFault) in
        try selectBody.bind(1, place)
        defer { selectBody.reset() }
        return try selectBody.step() ? selectBody.bytes(0) : nil
      }
    } else if !selectRange.isNull(5) {
      row.body = selectRange.bytes(5)
    }
    return row
  }

  /// The last sequence of an epoch.
  func last(epoch: Int64) throws(DeltaLogFault) -> UInt64? {
    try storing { () throws(SQLiteFault) in
      try database.integer(
        """
        SELECT max(place) FROM log_\(stream.name) WHERE place >= \(LogSchema.place(epoch, 0))
          AND place < \(LogSchema.place(epoch + 1, 0))
        """)
    }.map { UInt64($0) & LogSchema.sequenceMax }
  }

  /// The body of one entry is asked for no more.
  func noteLost(epoch: Int64, _ sequence: UInt64) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      try database.execute(
        "UPDATE log_\(stream.name) SET form = 2 WHERE place = \(LogSchema.place(epoch, sequence)) AND form = 1")
    }
  }

  /// Takes the kept bodies out of a range; leaves stay. Gives how many went.
  func dropBodies(
    epoch: Int64, from: UInt64, to: UInt64, except kinds: Set<LogKind> = []
  ) throws(DeltaLogFault) -> Int {
    var kept: Set<Int64> = []
    if !kinds.isEmpty {
      try forEach(epoch: epoch, from: from, to: to) { row throws(DeltaLogFault) in
        if let entry = try? LogEntry(row.entry), kinds.contains(entry.kind) {
          kept.insert(LogSchema.place(epoch, row.sequence))
        }
        return true
      }
    }
    let places = kept.sorted().map(String.init).joined(separator: ",")
    let range =
      "place >= \(LogSchema.place(epoch, from)) AND place < \(LogSchema.place(epoch, to))"
      + (kept.isEmpty ? "" : " AND place NOT IN (\(places))")
    return try storing { () throws(SQLiteFault) in
      if stream.keepsBodiesApart { try database.execute("DELETE FROM body_\(stream.name) WHERE \(range)") }
      try database.execute("UPDATE log_\(stream.name) SET form = 2, body = NULL WHERE \(range) AND form = 0")
      return database.changes
    }
  }

  func delete(epoch: Int64, from: UInt64, to: UInt64) throws(DeltaLogFault) {
    let range = "place >= \(LogSchema.place(epoch, from)) AND place < \(LogSchema.place(epoch, to))"
    try storing { () throws(SQLiteFault) in
      try database.execute("DELETE FROM log_\(stream.name) WHERE \(range)")
      if stream.keepsBodiesApart { try database.execute("DELETE FROM body_\(stream.name) WHERE \(range)") }
    }
  }
}

/// Stored tiles of all streams.
struct TileRows {
  private let insertTile: Statement
  private let selectTile: Statement
  private let path: String

  init(_ database: Database) throws(SQLiteFault) {
    path = database.path
    insertTile = try database.prepare(
      "INSERT INTO tiles(epoch, stream, level, \"index\", hash) VALUES(?1, ?2, ?3, ?4, ?5)")
    selectTile = try database.prepare(
      "SELECT hash FROM tiles WHERE epoch = ?1 AND stream = ?2 AND level = ?3 AND \"index\" = ?4")
  }

  func insert(_ tile: TreeEdge.Tile, epoch: Int64, _ stream: LogStream) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      try bind(insertTile, epoch, stream, tile.level, tile.index)
      try insertTile.bind(5, tile.hash.bytes)
      try insertTile.run()
    }
  }

  func hash(epoch: Int64, _ stream: LogStream, level: Int, index: UInt64) throws(DeltaLogFault) -> Digest {
    let bytes = try storing { () throws(SQLiteFault) in
      try bind(selectTile, epoch, stream, level, index)
      defer { selectTile.reset() }
      return try selectTile.step() ? selectTile.bytes(0) : []
    }
    guard let hash = Digest(bytes: bytes) else {
      throw DeltaLogFault(.corrupt, "\(path): no hash for tile \(index) of level \(level) of \(stream.name)")
    }
    return hash
  }

  private func bind(
    _ statement: Statement, _ epoch: Int64, _ stream: LogStream, _ level: Int, _ index: UInt64
  ) throws(SQLiteFault) {
    try statement.bind(1, epoch)
    try statement.bind(2, Int64(stream.rawValue))
    try statement.bind(3, Int64(level))
    try statement.bind(4, Int64(index))
  }
}
