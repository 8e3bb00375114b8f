import Provenance
import SQLite
public import TwinCore

/// An entry from the foundation that is not installed yet.
public struct DirectedRecord: Sendable, Equatable {
  public var sequence: UInt64
  public var bytes: [UInt8]

  public init(sequence: UInt64, bytes: [UInt8]) { (self.sequence, self.bytes) = (sequence, bytes) }
}

/// How far an artefact has come.
public struct ArtefactProgress: Sendable, Equatable {
  public var size: UInt64
  /// A bit per chunk that is there and verified, the lowest bit first.
  public var bitmap: [UInt8]

  public init(size: UInt64, bitmap: [UInt8]) { (self.size, self.bitmap) = (size, bitmap) }
}

extension DeltaLog {
  public static let directedMax = 1024
  public static let directedBytesMax = 1 << 20
  public static let artefactsMax = 64
  public static let bitmapBytesMax = 64 << 10

  /// The sequence of the next entry that the foundation directs here.
  public var directedNext: UInt64 {
    get throws(DeltaLogFault) {
      try storing { () throws(SQLiteFault) in
        UInt64(clamping: try database.integer("SELECT next FROM inbox") ?? 0)
      }
    }
  }

  /// Keeps a verified entry until it is installed, durable on return. False for one that was here before; throws
  /// `delta_log.out_of_order` for one beyond the next.
  @discardableResult
  public func keepDirected(_ sequence: UInt64, _ bytes: [UInt8]) throws(DeltaLogFault) -> Bool {
    let next = try directedNext
    guard sequence >= next else { return false }
    guard sequence == next, sequence < LogSchema.sequenceMax else {
      throw DeltaLogFault(.outOfOrder, "directed entry \(sequence), wanted \(next)")
    }
    let waiting = try storing { () throws(SQLiteFault) in
      try database.integer("SELECT count(*) FROM directed") ?? 0
    }
    guard bytes.count <= Self.directedBytesMax, waiting < Int64(Self.directedMax) else {
      throw DeltaLogFault(
        .tooBig,
        "a directed entry of \(bytes.count) bytes with \(waiting) waiting, wanted at most "
          + "\(Self.directedBytesMax) and \(Self.directedMax)")
    }
    try writeReserved(.audit) { _ throws(DeltaLogFault) in
      try storing { () throws(SQLiteFault) in
        let insert = try self.database.prepare("INSERT INTO directed(sequence, bytes) VALUES(\(sequence), ?1)")
        try insert.bind(1, bytes)
        try insert.run()
        try self.database.execute("UPDATE inbox SET next = \(sequence + 1)")
      }
    }
    return true
  }

  /// Entries that are not installed, in order.
  public func directedWaiting(maxCount: Int = directedMax) throws(DeltaLogFault) -> [DirectedRecord] {
    try storing { () throws(SQLiteFault) in
      let select = try database.prepare(
        "SELECT sequence, bytes FROM directed ORDER BY sequence LIMIT \(max(0, maxCount))")
      var records: [DirectedRecord] = []
      while try select.step() {
        records.append(DirectedRecord(sequence: UInt64(clamping: select.integer(0)), bytes: select.bytes(1)))
      }
      return records
    }
  }

  /// Forgets the bytes of an entry; installing it twice must do no harm, for this may be lost with the power.
  public func noteInstalled(_ sequence: UInt64) throws(DeltaLogFault) {
    try writeReserved(.audit) { _ throws(DeltaLogFault) in
      try storing { () throws(SQLiteFault) in
        try self.database.execute("DELETE FROM directed WHERE sequence = \(Int64(clamping: sequence))")
      }
    }
  }

  public func artefact(_ digest: Digest) throws(DeltaLogFault) -> ArtefactProgress? {
    try storing { () throws(SQLiteFault) in
      let select = try database.prepare("SELECT size, bitmap FROM artefacts WHERE digest = ?1")
      try select.bind(1, digest.bytes)
      defer { select.reset() }
      guard try select.step() else { return nil }
      return ArtefactProgress(size: UInt64(clamping: select.integer(0)), bitmap: select.bytes(1))
    }
  }

  /// Keeps how far an artefact has come; nil forgets it.
  public func keepArtefact(_ digest: Digest, _ progress: ArtefactProgress?) throws(DeltaLogFault) {
    if let progress {
      let others = try storing { () throws(SQLiteFault) in
        let count = try database.prepare("SELECT count(*) FROM artefacts WHERE digest <> ?1")
        try count.bind(1, digest.bytes)
        defer { count.reset() }
        return try count.step() ? count.integer(0) : 0
      }
      guard progress.bitmap.count <= Self.bitmapBytesMax, progress.size <= UInt64(Int64.max),
        others < Int64(Self.artefactsMax)
      else {
        throw DeltaLogFault(
          .tooBig, "an artefact of \(progress.size) bytes with a bitmap of \(progress.bitmap.count) beside \(others)")
      }
    }
    try writeReserved(.control) { _ throws(DeltaLogFault) in
      try storing { () throws(SQLiteFault) in
        let statement = try self.database.prepare(
          progress == nil
            ? "DELETE FROM artefacts WHERE digest = ?1"
            : "INSERT OR REPLACE INTO artefacts(digest, size, bitmap) VALUES(?1, ?2, ?3)")
        try statement.bind(1, digest.bytes)
        if let progress {
          try statement.bind(2, Int64(progress.size))
          try statement.bind(3, progress.bitmap)
        }
        try statement.run()
      }
    }
  }
}
