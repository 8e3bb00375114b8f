// sync.db, tables version 1: SQLite, WAL, pages of 4 KiB, `application_id` "twsl". Beside it: sync.db.lock (flock(2) by
// the process that writes) and sync.db.reserve (the reserved area: zeros, given back piece by piece).
//
//   epochs       number counts from 1, the highest is the present one; id: 16 bytes; prev: id of the epoch before, also
//                of one that another file had; closed: NULL, or what `EpochLink` says of it
//   log_STREAM   an entry per row, one table per stream so that each grows at its right edge alone.
//                place = number of the epoch << 40 | sequence; total: bytes of all bodies up to and with this one;
//                chain: after this entry; form 0: the body is kept, 1: it is kept elsewhere, 2: it was dropped.
//                body: the kept body in log_audit and log_control, else NULL
//   body_STREAM  kept bodies of model, features and debug, whose pages come free at once when bodies go
//   tiles        hash of the subtree over entries [index × 256^level, (index + 1) × 256^level), level 1 to 4
//   marks        per epoch and stream: received (the foundation told to have everything below), safe, first (the first
//                entry kept, a multiple of 256) with the chain before it, dropped (the ladder has been up to here)
//   checkpoints  signed notes of the site by size; cosigned: the note as the foundation sent it back
//   directed     entries from the foundation that are not installed; inbox: the sequence expected next
//   artefacts    which chunks of an artefact are there, a bit each, the lowest bit first
//   followed     how far the log has followed what it is made from, by the name of it
//
// An entry is never rewritten (its form apart), and its row is made in the transaction that makes its tile. Heads are
// not stored: they are the last row and the right edge of the tree, so that they cannot disagree with the entries.

import Provenance
import SQLite
import Seams

enum LogSchema {
  static let version: Int32 = 1
  static let applicationID: Int32 = 0x7477_736C
  static let pageBytes: Int64 = 4096
  static let sequenceBits: UInt64 = 40
  static let sequenceMax: UInt64 = (1 << sequenceBits) - 1
  static let epochsMax: Int64 = 1 << 20

  static func place(_ epoch: Int64, _ sequence: UInt64) -> Int64 { epoch << 40 | Int64(sequence) }

  private static var tables: String {
    var sql = """
      CREATE TABLE epochs(
        number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, prev BLOB, opened_ms INTEGER NOT NULL, closed BLOB) STRICT;
      CREATE TABLE tiles(
        epoch INTEGER NOT NULL, stream INTEGER NOT NULL, level INTEGER NOT NULL, "index" INTEGER NOT NULL,
        hash BLOB NOT NULL, PRIMARY KEY(epoch, stream, level, "index")) STRICT, WITHOUT ROWID;
      CREATE TABLE marks(
        epoch INTEGER NOT NULL, stream INTEGER NOT NULL, received INTEGER NOT NULL, safe INTEGER NOT NULL,
        first INTEGER NOT NULL, first_chain BLOB NOT NULL, dropped INTEGER NOT NULL,
        PRIMARY KEY(epoch, stream)) STRICT, WITHOUT ROWID;
      CREATE TABLE checkpoints(
        epoch INTEGER NOT NULL, stream INTEGER NOT NULL, size INTEGER NOT NULL, note TEXT, cosigned TEXT,
        PRIMARY KEY(epoch, stream, size)) STRICT, WITHOUT ROWID;
      CREATE TABLE directed(sequence INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
      CREATE TABLE inbox(one INTEGER PRIMARY KEY CHECK(one = 1), next INTEGER NOT NULL) STRICT;
      INSERT INTO inbox VALUES(1, 0);
      CREATE TABLE artefacts(
        digest BLOB PRIMARY KEY, size INTEGER NOT NULL, bitmap BLOB NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE followed(name TEXT PRIMARY KEY, place INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      """
    for stream in LogStream.allCases {
      sql += """
        CREATE TABLE log_\(stream.name)(
          place INTEGER PRIMARY KEY, total INTEGER NOT NULL, entry BLOB NOT NULL, chain BLOB NOT NULL,
          form INTEGER NOT NULL, body BLOB) STRICT;
        """
      if stream.keepsBodiesApart {
        sql += "CREATE TABLE body_\(stream.name)(place INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;"
      }
    }
    return sql
  }

  /// Refuses a file of another kind or a newer version by its first 100 bytes (sqlite.org/fileformat2.html §1.3),
  /// before SQLite could recover or checkpoint it.
  static func refuseForeign(_ path: String, _ files: any FileStore) throws(DeltaLogFault) {
    let header: [UInt8]
    do throws(FileFault) {
      header = try files.open(path, .read).read(100, at: 0)
    } catch {
      if error.kind == .notFound { return }
      throw DeltaLogFault(error)
    }
    // The power may have gone while the first page was written.
    guard header.count == 100, header.contains(where: { $0 != 0 }) else { return }
    guard header.starts(with: "SQLite format 3\0".utf8) else {
      throw DeltaLogFault(.notALog, "\(path) is not an SQLite file")
    }
    func number(_ offset: Int) -> Int32 {
      Int32(bitPattern: header[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
    }
    try refuse(version: Int64(number(60)), application: Int64(number(68)), path: path)
  }

  /// Makes the tables of a new file; refuses another's by what the write-ahead log says too.
  static func prepare(_ database: Database) throws(DeltaLogFault) {
    let (version, application, count) = try storing { () throws(SQLiteFault) in
      (
        try database.userVersion, try database.integer("PRAGMA application_id") ?? 0,
        try database.integer("SELECT count(*) FROM sqlite_master") ?? 0
      )
    }
    try refuse(version: version, application: application, path: database.path)
    guard version == 0 else { return }
    guard count == 0 else { throw DeltaLogFault(.notALog, "\(database.path) holds other tables than a log's") }
    try storing { () throws(SQLiteFault) in
      try database.transaction { () throws(SQLiteFault) in
        try database.execute(tables)
        try database.execute("PRAGMA application_id = \(applicationID)")
        try database.setUserVersion(LogSchema.version)
      }
      // Versions stand in the file itself from here on, where `refuseForeign` looks.
      try database.checkpointPassive()
    }
  }

  private static func refuse(version: Int64, application: Int64, path: String) throws(DeltaLogFault) {
    guard version != 0 || application != 0 else { return }
    guard application == Int64(applicationID) else {
      throw DeltaLogFault(.notALog, "\(path) has application id \(application), a log's is \(applicationID)")
    }
    guard version <= Int64(LogSchema.version) else {
      throw DeltaLogFault(
        .newerVersion, "\(path) has tables of version \(version), this twind knows up to \(LogSchema.version)")
    }
    guard version >= 1 else { throw DeltaLogFault(.notALog, "\(path) has version \(version), which no twind writes") }
  }
}

extension LogStream {
  /// Where bodies may be dropped before their entries. The others are small and go with their rows; beside the entry
  /// they cost one page less per commit.
  var keepsBodiesApart: Bool { self >= .model }
}

/// Runs calls into SQLite, with their faults told as the log's.
func storing<Result>(_ body: () throws(SQLiteFault) -> Result) throws(DeltaLogFault) -> Result {
  do throws(SQLiteFault) { return try body() } catch { throw DeltaLogFault(error) }
}
