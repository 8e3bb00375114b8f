import SQLite
import TwinCore

/// The prepared statements of the writing connection, and how records become rows.
final class RecordTables {
  private let layout: Statement
  private let decision: Statement
  private let event: Statement
  private let factSet: Statement
  private let factRemove: Statement
  private let leaseOpen: Statement
  private let leaseClose: Statement
  private let version: Statement
  private let mark: Statement

  init(_ database: Database) throws(SQLiteFault) {
    layout = try database.prepare("INSERT OR REPLACE INTO layouts VALUES (?1, ?2, ?3, ?4)")
    decision = try database.prepare("INSERT OR IGNORE INTO decisions VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")
    event = try database.prepare("INSERT INTO events VALUES (NULL, ?1, ?2, ?3, ?4, ?5)")
    factSet = try database.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
    factRemove = try database.prepare("DELETE FROM facts WHERE key = ?1")
    leaseOpen = try database.prepare("INSERT OR REPLACE INTO leases VALUES (?1, ?2)")
    leaseClose = try database.prepare("DELETE FROM leases WHERE point = ?1")
    version = try database.prepare("INSERT INTO versions VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")
    mark = try database.prepare("INSERT OR REPLACE INTO marks VALUES (?1, ?2)")
  }

  /// Within a transaction of the caller's.
  func write(_ batch: RecordBatch) throws(SQLiteFault) {
    for entry in batch.layouts {
      try layout.bind(1, entry.version)
      try layout.bind(2, Int64(entry.layout.group))
      try layout.bind(3, entry.registered.nanoseconds)
      try layout.bind(4, Seal.close(entry.layout.canonicalBytes, key: "\(entry.version)"))
      try layout.run()
    }
    for entry in batch.decisions { try write(entry) }
    for entry in batch.events { try write(entry) }
    for entry in batch.versions { try write(entry) }
    for fact in batch.facts {
      let statement = fact.bytes == nil ? factRemove : factSet
      try statement.bind(1, fact.name)
      if let bytes = fact.bytes { try statement.bind(2, Seal.close(bytes, key: fact.name)) }
      try statement.run()
    }
    for lease in batch.leases {
      let statement = lease.bytes == nil ? leaseClose : leaseOpen
      try statement.bind(1, lease.name)
      if let bytes = lease.bytes { try statement.bind(2, Seal.close(bytes, key: lease.name)) }
      try statement.run()
    }
  }

  func set(mark name: String, _ value: Int64) throws(SQLiteFault) {
    try mark.bind(1, name)
    try mark.bind(2, value)
    try mark.run()
  }

  private func write(_ entry: DecisionEntry) throws(SQLiteFault) {
    try decision.bind(1, entry.id)
    try decision.bind(2, entry.tick)
    try decision.bind(3, entry.instant.nanoseconds)
    try decision.bind(4, entry.kind)
    try decision.bind(5, entry.point)
    try decision.bind(6, Seal.close(entry.bytes, key: entry.key))
    try decision.run()
  }

  private func write(_ entry: EventEntry) throws(SQLiteFault) {
    try event.bind(1, entry.tick)
    try event.bind(2, entry.instant.nanoseconds)
    try event.bind(3, entry.kind)
    try event.bind(4, entry.subject)
    try event.bind(5, Seal.close(entry.bytes, key: entry.key))
    try event.run()
  }

  private func write(_ entry: VersionEntry) throws(SQLiteFault) {
    try version.bind(1, entry.family)
    try version.bind(2, entry.subject)
    try version.bind(3, entry.effective.lowerBound.nanoseconds)
    try version.bind(4, entry.effective.upperBound.nanoseconds)
    try version.bind(5, entry.tick)
    try version.bind(6, Seal.close(entry.bytes, key: entry.key))
    try version.run()
  }
}
