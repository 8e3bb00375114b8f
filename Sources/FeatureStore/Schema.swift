// site.db, version 2: SQLite, WAL, pages of 1 KiB, `application_id` "twnd". Every BLOB is sealed (Seal.swift).
//
//   layouts      version, group, registered; body = canonical FrameLayout
//   decisions, events, checkpoints, facts, leases, versions   a row each
//   acknowledged a row per unit of a day file that somebody else has too
//   marks        numbers by name:
//     applied      the last commit of the log whose records are here
//     next_frame, last_tick   as of some commit since which the log still holds everything
//     closed_tick  no closed day file holds a later tick
//     instant_max  the latest instant of ticks whose day file is gone
//     lapses       how often a day file was written again because values in it were not kept any more
//
// Frames and ticks are not here, but in log/ and data/ (HotLog.swift, DayFile.swift). A record gets here after the log
// has it: what is lost of this file since its last flush is brought back from the log.
//
// Invariant: sequences and tick numbers are never used twice, pruned or not.

import SQLite
import Seams
import SeriesCodec
public import TwinCore

enum Schema {
  static let version: Int32 = 2
  static let applicationID: Int32 = 0x7477_6E64
  /// What changes is small, and each page goes to flash whole.
  static let pageSize = 1024

  private static let tables = """
    CREATE TABLE layouts(
      version INTEGER PRIMARY KEY, grp INTEGER NOT NULL, registered_ns INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
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
    CREATE TABLE versions(
      number INTEGER PRIMARY KEY, family TEXT NOT NULL, subject TEXT NOT NULL, effective_from_ns INTEGER NOT NULL,
      effective_until_ns INTEGER NOT NULL, tick INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE INDEX versions_subject ON versions(family, subject, effective_until_ns);
    CREATE TABLE acknowledged(
      day INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(day, hash)) STRICT, WITHOUT ROWID;
    CREATE TABLE marks(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    """

  /// Refuses a file of another kind or a newer version by its first 100 bytes (sqlite.org/fileformat2.html §1.3),
  /// before SQLite could recover or checkpoint it. Versions are written through to the file when they change.
  static func refuseForeign(_ path: String, _ files: any FileStore) throws(StoreError) {
    let header = firstBytes(of: path, files)
    guard header.count == 100 else { return }
    guard header.starts(with: "SQLite format 3\0".utf8) else {
      if isUnfinished(header, path, files) { return }
      throw StoreError(.notAStore, "\(path) is not an SQLite file")
    }
    try refuse(version: Int64(number(header, 60)), application: Int64(number(header, 68)), path: path)
  }

  /// Whether the power may have gone while SQLite wrote the first page: it knows by its journal what stood there, or
  /// finds, before it writes, that the file is none of its own (sqlite.org/fileformat2.html §3).
  private static func isUnfinished(_ header: [UInt8], _ path: String, _ files: any FileStore) -> Bool {
    let magic: [UInt8] = [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7]
    return header.allSatisfy { $0 == 0 } || (try? files.open(path + "-journal", .read).read(8, at: 0)) == magic
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

  /// What makes a temporary table like one of the file's, without its further indexes.
  static func temporary(_ table: String) -> String {
    let head = "CREATE TABLE \(table)("
    guard let start = tables.firstRange(of: head), let end = tables[start.upperBound...].firstRange(of: ";") else {
      preconditionFailure("no table \(table)")
    }
    return "CREATE TEMP TABLE \(table)(" + tables[start.upperBound..<end.lowerBound]
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
    guard version == Int64(Schema.version) else {
      throw StoreError(
        .olderVersion,
        "\(path) has schema version \(version), which no release wrote; this twind reads \(Schema.version)")
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> Int32 {
    Int32(bitPattern: bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// Up to 100 bytes; fewer where there is no file or it is shorter.
  private static func firstBytes(of path: String, _ files: any FileStore) -> [UInt8] {
    (try? files.open(path, .read).read(100, at: 0)) ?? []
  }
}

extension FrameLayout {
  private static let textBytesMax = 4096
  static let columnsMax = Block.columnsMax

  /// Why it cannot be stored; nil when it can.
  var defect: String? {
    if group < 0 { return "group \(group) is negative" }
    if points.isEmpty || points.count > Self.columnsMax {
      return "\(points.count) points where 1 to \(Self.columnsMax) may be"
    }
    if let scale = scales.first(where: { !$0.isFinite || $0 < 0 }) {
      return "scale \(scale) where a finite one above 0, or 0 for none, may be"
    }
    if (points + units + provenance).contains(where: { $0.utf8.count > Self.textBytesMax }) {
      return "a text of more than \(Self.textBytesMax) bytes"
    }
    return Set(points).count == points.count ? nil : "a point that stands twice"
  }

  public var canonicalBytes: [UInt8] {
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
    for _ in 0..<(try reader.array(limit: columnsMax)) { texts.append(try reader.text(limit: textBytesMax)) }
    return texts
  }
}
