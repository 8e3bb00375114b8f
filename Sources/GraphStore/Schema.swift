// graph.db, tables version 1: SQLite, WAL, pages of 4 KiB, `application_id` "twng", beside site.db, whose lock covers
// it. `user_version` = tables version × 1000 + ontology version.
//
//   names      key → id of every node that ever was; keys count from 1 and are never used again
//   nodes      a row per statement about a node. place = key << 20 | 2^20 − 1 − ordinal, so that the rows of a node lie
//              together, the newest first. type 0: no such node. body: TwinGraph/PropertyCoding.swift
//   links      two rows per statement about an edge, one at each end. place = key << 31 | kind << 25 | 2^25 − 1 −
//              ordinal; kind = edge's code << 1 | 1 at its end, 0 at its beginning; other: the key of the other end.
//              Code 31: a property of the node names the other
//   changes    number → place in `nodes`, or −1 − place in `links` of the row at the beginning: the feed
//   batches    a row per batch, keyed by the number of its last change; known_ns: latest instant up to it
//   ontologies from which change on which version of the ontology wrote
//   marks      how far a consumer of the feed has come
//
// Rows are only ever added (marks apart). A statement holds over [from_ns, to_ns) from its number on; of two about the
// same subject and instant the one with the higher number holds, so the end of a version's observed interval is the
// number of the next row that covers it, and no row is written twice.

import SQLite
import Seams
import TwinGraph

enum Schema {
  static let version: Int64 = 1
  static let applicationID: Int32 = 0x7477_6E67
  static let fileName = "graph.db"

  static let nodeBits: Int64 = 20
  static let nodeMask: Int64 = (1 << nodeBits) - 1
  static let linkBits: Int64 = 25
  static let linkMask: Int64 = (1 << linkBits) - 1
  static let keyBits: Int64 = 31
  /// Nodes that a site may ever have had.
  static let keyMax: Int64 = (1 << 32) - 1
  /// The kind of links that properties make, without its direction.
  static let referenceCode = 31

  static var userVersion: Int64 { version * 1000 + Int64(Ontology.version) }

  private static let tables = """
    CREATE TABLE names(key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE nodes(
      place INTEGER PRIMARY KEY, number INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,
      type INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE links(
      place INTEGER PRIMARY KEY, number INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,
      other INTEGER NOT NULL, is_there INTEGER NOT NULL) STRICT;
    CREATE TABLE changes(number INTEGER PRIMARY KEY, place INTEGER NOT NULL) STRICT;
    CREATE TABLE batches(
      last_number INTEGER PRIMARY KEY, tick INTEGER NOT NULL, instant_ns INTEGER NOT NULL, known_ns INTEGER NOT NULL,
      source TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
    CREATE INDEX batches_tick ON batches(tick);
    CREATE INDEX batches_known ON batches(known_ns);
    CREATE TABLE ontologies(first_number INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT;
    CREATE TABLE marks(consumer TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
    """

  /// Refuses a file of another kind or a newer version by its first 100 bytes (sqlite.org/fileformat2.html §1.3),
  /// before SQLite could recover or checkpoint it. Versions are written through to the file when they change.
  static func refuseForeign(_ path: String, _ files: any FileStore) throws(GraphStoreError) {
    let header: [UInt8]
    do throws(FileFault) {
      header = try files.open(path, .read).read(100, at: 0)
    } catch {
      if error.kind == .notFound { return }
      throw GraphStoreError(error)
    }
    guard header.count == 100 else { return }
    guard header.starts(with: "SQLite format 3\0".utf8) else {
      if isUnfinished(header, path, files) { return }
      throw GraphStoreError(.notAGraph, "\(path) is not an SQLite file")
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
  static func version(of database: Database) throws(GraphStoreError) -> Int64 {
    let (version, application, tables) = try storing { () throws(SQLiteFault) in
      (
        try database.userVersion, try database.integer("PRAGMA application_id") ?? 0,
        try database.integer("SELECT count(*) FROM sqlite_master") ?? 0
      )
    }
    if version == 0, application == 0 {
      guard tables == 0 else { throw GraphStoreError(.notAGraph, "\(database.path) holds other tables than a graph's") }
      return 0
    }
    try refuse(version: version, application: application, path: database.path)
    return version
  }

  static func create(in database: Database) throws(GraphStoreError) {
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        try database.execute(tables)
        try database.execute("INSERT INTO ontologies(first_number, version) VALUES(1, \(Ontology.version))")
        try database.execute("PRAGMA application_id = \(applicationID)")
        try database.setUserVersion(Int32(userVersion))
      }
      try database.checkpointPassive()
    }
  }

  /// Brings a file that an older twind wrote forward, in one transaction: what is stored stays, what comes next is
  /// written by this version of the ontology.
  static func migrate(_ database: Database, from old: Int64) throws(GraphStoreError) {
    guard old < userVersion else { return }
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        let next = (try database.integer("SELECT max(last_number) FROM batches") ?? 0) + 1
        // Two steps without a change between them leave one row.
        try database.execute("INSERT OR REPLACE INTO ontologies VALUES(\(next), \(Ontology.version))")
        try database.setUserVersion(Int32(userVersion))
      }
      try database.checkpointPassive()
    }
  }

  private static func refuse(version: Int64, application: Int64, path: String) throws(GraphStoreError) {
    guard version != 0 || application != 0 else { return }
    guard application == Int64(applicationID) else {
      throw GraphStoreError(.notAGraph, "\(path) has application id \(application), a graph's is \(applicationID)")
    }
    let (tables, ontology) = version.quotientAndRemainder(dividingBy: 1000)
    guard tables <= Schema.version, ontology <= Int64(Ontology.version) else {
      throw GraphStoreError(
        .newerVersion,
        "\(path) has tables of version \(tables) and ontology \(ontology), this twind knows up to \(Schema.version) and "
          + "\(Ontology.version)")
    }
    guard tables >= 1, ontology >= 1 else {
      throw GraphStoreError(.notAGraph, "\(path) has version \(version), which no twind writes")
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> Int32 {
    Int32(bitPattern: bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
  }
}
