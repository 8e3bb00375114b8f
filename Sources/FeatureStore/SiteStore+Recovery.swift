import SQLite
import Seams
import TwinCore

/// A site's files as they are found at a start.
struct Recovered {
  let tables: RecordTables
  let archive: Archive
  let reader: StoreReader
  let log: HotLog
  let recovery: LogRecovery

  init(
    _ database: Database, _ files: any FileStore, _ directory: String, _ patience: Patience
  ) throws(StoreError) {
    tables = try storing { () throws(SQLiteFault) in try RecordTables(database) }
    let bad = BadRows()
    let shelf = try Shelf(files: files, directory: directory, isWriter: true, bad: bad, patience: patience)
    archive = Archive(shelf: shelf, bad: bad)
    reader = try StoreReader(database: database, archive: archive)
    shelf.closedTick = try reader.mark("closed_tick") ?? .min
    shelf.instantFloor = try reader.mark("instant_max") ?? .min
    shelf.lapseCount = try reader.mark("lapses") ?? 0
    var recovery = try LogRecovery(database, tables, reader)
    log = try HotLog(
      files: files, directory: directory + "/log", layouts: archive.layouts, patience: patience,
      { (record) throws(StoreError) in try recovery.take(record) }, bad: { bad.note($0) })
    try recovery.finish()
    self.recovery = recovery
    shelf.patience = .readsAround
  }
}

/// Starts in a row that a read error ended: a byte for each, in the file `unread` of the site's directory.
///
/// What the device does not give for a moment must not be cut off, nor taken for missing and written again. What it
/// does not give at several starts is damage, and no reason to stand still.
struct RefusedStarts {
  static let max = 2

  private let files: any FileStore
  private let path: String
  private let count: Int64

  init(files: any FileStore, directory: String) {
    (self.files, path) = (files, directory + "/unread")
    count = (try? files.open(path, .read).size) ?? 0
  }

  var patience: Patience { count < Self.max ? .insists : .readsAround }

  func note() { try? files.open(path, .create).write([UInt8(ascii: ".")], at: count) }

  func clear() { if count > 0 { try? files.remove(path) } }
}
