// site.db, version 1: SQLite, WAL, pages of 1 KiB, `application_id` "twnd". Every BLOB is sealed (Seal.swift).
//
//   layouts      version, group, registered; body = canonical FrameLayout
//   frames       a row per poll group and commit, keyed by its first sequence; body = FrameBody.swift. `batch` is the
//                smallest sequence of the commit: sequences of one commit lie between its batch and the next one's
//   ticks        a row per commit, keyed by its first tick; body = TickBody.swift. `frames_end` is one past the last
//                sequence that any of its ticks carries
//   decisions, events, checkpoints, facts, leases   a row each
//   marks        next_frame and last_tick of rows that were pruned away
//
// Invariants: `effective_max_ns − effective_min_ns` of a row of `frames` is at most `rowSpanNanoseconds`, so that a
// range of time is a range of the index; sequences and tick numbers are never used twice, pruned or not.

import Glibc
import SQLite
import TwinCore

enum Schema {
  static let version: Int32 = 1
  static let applicationID: Int32 = 0x7477_6E64
  /// A commit a second touches four or five pages, and each goes to flash whole, so they are small.
  static let pageSize = 1024
  static let rowSpanNanoseconds: Int64 = 3_600_000_000_000

  private static let tables = """
    CREATE TABLE layouts(
      version INTEGER PRIMARY KEY, grp INTEGER NOT NULL, registered_ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE frames(
      first_sequence INTEGER PRIMARY KEY, last_sequence INTEGER NOT NULL, batch INTEGER NOT NULL, grp INTEGER NOT NULL,
      layout INTEGER NOT NULL, effective_min_ns INTEGER NOT NULL, effective_max_ns INTEGER NOT NULL,
      observed_max_ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE INDEX frames_effective ON frames(effective_min_ns, layout, effective_max_ns);
    CREATE TABLE ticks(
      first_tick INTEGER PRIMARY KEY, last_tick INTEGER NOT NULL, instant_max_ns INTEGER NOT NULL,
      frames_end INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE decisions(
      number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tick INTEGER NOT NULL, at_ns INTEGER NOT NULL,
      kind TEXT NOT NULL, point TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE INDEX decisions_point ON decisions(point, number);
    CREATE TABLE events(
      number INTEGER PRIMARY KEY, tick INTEGER NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
      subject TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE checkpoints(
      tick INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, reason TEXT NOT NULL, size INTEGER NOT NULL,
      body BLOB NOT NULL) STRICT;
    CREATE TABLE facts(key TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE TABLE leases(point TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
    CREATE TABLE marks(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    """

  /// Refuses a file of another kind or a newer version by its first 100 bytes (sqlite.org/fileformat2.html §1.3),
  /// before SQLite could recover or checkpoint it. Versions are written through to the file when they change.
  static func refuseForeign(_ path: String) throws(StoreError) {
    let header = firstBytes(of: path)
    guard header.count == 100 else { return }
    guard header.starts(with: "SQLite format 3\0".utf8) else {
      throw StoreError(.notAStore, "\(path) is not an SQLite file")
    }
    try refuse(version: Int64(number(header, 60)), application: Int64(number(header, 68)), path: path)
  }

  /// As `refuseForeign`, of an open file: what the write-ahead log says counts too. Gives the version, 0 if empty.
  static func version(of database: Database) throws(StoreError) -> Int64 {
    let (version, application, tables) = try storing { () throws(SQLiteFault) in
      (
        try database.userVersion, try database.integer("PRAGMA application_id") ?? 0,
        try database.integer("SELECT count(*) FROM sqlite_master") ?? 0
      )
    }
    if version == 0, application == 0 {
      guard tables == 0 else { throw StoreError(.notAStore, "\(database.path) holds other tables than a site's") }
      return 0
    }
    try refuse(version: version, application: application, path: database.path)
    return version
  }

  static func create(in database: Database) throws(StoreError) {
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        try database.execute(tables)
        try database.execute("PRAGMA application_id = \(applicationID)")
        try database.setUserVersion(version)
      }
      try database.checkpointPassive()
    }
  }

  private static func refuse(version: Int64, application: Int64, path: String) throws(StoreError) {
    guard version != 0 || application != 0 else { return }
    guard application == Int64(applicationID) else {
      throw StoreError(.notAStore, "\(path) has application id \(application), a site's is \(applicationID)")
    }
    guard version <= Int64(Schema.version) else {
      throw StoreError(
        .newerVersion, "\(path) has schema version \(version), this twind knows up to \(Schema.version)")
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> Int32 {
    Int32(bitPattern: bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// Up to 100 bytes; fewer where there is no file or it is shorter.
  private static func firstBytes(of path: String) -> [UInt8] {
    let file = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { Glibc.close(file) }
    var bytes = [UInt8](repeating: 0, count: 100)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, 100) }
    return Array(bytes.prefix(max(0, count)))
  }
}

extension FrameLayout {
  private static let textBytesMax = 4096

  /// Why it cannot be stored; nil when it can.
  var defect: String? {
    if group < 0 { return "group \(group) is negative" }
    if points.isEmpty || points.count > FrameBody.columnsMax {
      return "\(points.count) points where 1 to \(FrameBody.columnsMax) may be"
    }
    if let scale = scales.first(where: { !$0.isFinite || $0 < 0 }) {
      return "scale \(scale) where a finite one above 0, or 0 for none, may be"
    }
    if (points + units + provenance).contains(where: { $0.utf8.count > Self.textBytesMax }) {
      return "a text of more than \(Self.textBytesMax) bytes"
    }
    return Set(points).count == points.count ? nil : "a point that stands twice"
  }

  var canonicalBytes: [UInt8] {
    var writer = CanonicalWriter()
    writer.array(7)
    writer.integer(1)
    writer.integer(Int64(group))
    writer.array(points.count)
    for point in points { writer.text(point) }
    writer.doubles(scales)
    writer.array(units.count)
    for unit in units { writer.text(unit) }
    writer.doubles(variances)
    writer.array(provenance.count)
    for source in provenance { writer.text(source) }
    return writer.bytes
  }

  init(canonicalBytes: [UInt8]) throws(CanonicalFault) {
    var reader = CanonicalReader(canonicalBytes)
    try reader.structure(6, version: 1)
    let group = try reader.integer()
    let points = try Self.texts(&reader)
    let scales = try reader.doubles()
    let units = try Self.texts(&reader)
    let variances = try reader.doubles()
    let provenance = try Self.texts(&reader)
    guard reader.isAtEnd, let number = Int32(exactly: group),
      [scales.count, units.count, variances.count, provenance.count].allSatisfy({ $0 == points.count })
    else { throw CanonicalFault("layout whose columns differ in number") }
    self.init(
      group: number, points: points, scales: scales, units: units, variances: variances, provenance: provenance)
  }

  private static func texts(_ reader: inout CanonicalReader) throws(CanonicalFault) -> [String] {
    var texts: [String] = []
    for _ in 0..<(try reader.array(limit: FrameBody.columnsMax)) { texts.append(try reader.text(limit: textBytesMax)) }
    return texts
  }
}
