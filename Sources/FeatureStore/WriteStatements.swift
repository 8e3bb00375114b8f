import SQLite
import TwinCore

/// The prepared statements of the writing connection, and how buffered records become rows.
final class WriteStatements {
  private let layout: Statement
  private let frames: Statement
  private let ticks: Statement
  private let decision: Statement
  private let event: Statement
  private let factSet: Statement
  private let factRemove: Statement
  private let leaseOpen: Statement
  private let leaseClose: Statement

  init(_ database: Database) throws(SQLiteFault) {
    layout = try database.prepare("INSERT INTO layouts VALUES (?1, ?2, ?3, ?4)")
    frames = try database.prepare("INSERT INTO frames VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
    ticks = try database.prepare("INSERT INTO ticks VALUES (?1, ?2, ?3, ?4, ?5)")
    decision = try database.prepare("INSERT INTO decisions VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6)")
    event = try database.prepare("INSERT INTO events VALUES (NULL, ?1, ?2, ?3, ?4, ?5)")
    factSet = try database.prepare("INSERT OR REPLACE INTO facts VALUES (?1, ?2)")
    factRemove = try database.prepare("DELETE FROM facts WHERE key = ?1")
    leaseOpen = try database.prepare("INSERT OR REPLACE INTO leases VALUES (?1, ?2)")
    leaseClose = try database.prepare("DELETE FROM leases WHERE point = ?1")
  }

  /// Within a transaction of the caller's.
  func write(_ pending: PendingRecords, layouts: [Int64: FrameLayout]) throws(SQLiteFault) {
    for (version, layout, registered) in pending.layouts {
      try self.layout.bind(1, version)
      try self.layout.bind(2, Int64(layout.group))
      try self.layout.bind(3, registered.nanoseconds)
      try self.layout.bind(4, Seal.close(layout.canonicalBytes, key: "\(version)"))
      try self.layout.run()
    }
    try write(pending.frames, layouts: layouts)
    try write(pending.ticks)
    for entry in pending.decisions { try write(entry) }
    for entry in pending.events { try write(entry) }
    for key in pending.facts.keys.sorted() {
      guard let bytes = pending.facts[key] ?? nil else {
        try factRemove.bind(1, key)
        try factRemove.run()
        continue
      }
      try factSet.bind(1, key)
      try factSet.bind(2, Seal.close(bytes, key: key))
      try factSet.run()
    }
    for point in pending.leases.keys.sorted() { try write(lease: point, pending.leases[point] ?? nil) }
  }

  /// nil closes.
  func write(lease point: String, _ bytes: [UInt8]?) throws(SQLiteFault) {
    guard let bytes else {
      try leaseClose.bind(1, point)
      return try leaseClose.run()
    }
    try leaseOpen.bind(1, point)
    try leaseOpen.bind(2, Seal.close(bytes, key: point))
    try leaseOpen.run()
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

  private func write(_ pending: ArraySlice<PendingRecords.LaidFrame>, layouts: [Int64: FrameLayout]) throws(SQLiteFault)
  {
    guard let batch = pending.first?.frame.sequence else { return }
    // Per group the row that is being filled; full ones are written at once, the rest by their first sequence.
    var open: [Int32: FrameRow] = [:]
    for laid in pending {
      // In place: a copy of the row would copy its frames.
      if open[laid.frame.group]?.take(laid) == true { continue }
      if let full = open[laid.frame.group] { try write(full, batch: batch, layouts: layouts) }
      open[laid.frame.group] = FrameRow(laid)
    }
    for row in open.values.sorted(by: { $0.firstSequence < $1.firstSequence }) {
      try write(row, batch: batch, layouts: layouts)
    }
  }

  private func write(_ row: FrameRow, batch: Int64, layouts: [Int64: FrameLayout]) throws(SQLiteFault) {
    guard let layout = layouts[row.layout] else {
      preconditionFailure("frames of layout \(row.layout), which is unknown")
    }
    try frames.bind(1, row.firstSequence)
    try frames.bind(2, row.lastSequence)
    try frames.bind(3, batch)
    try frames.bind(4, Int64(layout.group))
    try frames.bind(5, row.layout)
    try frames.bind(6, row.effectiveMin)
    try frames.bind(7, row.effectiveMax)
    try frames.bind(8, row.observedMax)
    try frames.bind(9, Seal.close(FrameBody.encode(row.frames, layout: layout, version: row.layout)))
    try frames.run()
  }

  private func write(_ pending: [TickRecord]) throws(SQLiteFault) {
    var start = 0
    while start < pending.count {
      var (end, size) = (start, 0)
      while end < pending.count, end - start < TickBody.ticksMax, size < TickBody.bytesTarget {
        size += pending[end].bytes.count
        end += 1
      }
      let row = pending[start..<end]
      try ticks.bind(1, pending[start].number)
      try ticks.bind(2, pending[end - 1].number)
      try ticks.bind(3, row.map(\.instant.nanoseconds).max() ?? 0)
      try ticks.bind(4, row.filter { !$0.frames.isEmpty }.map(\.frames.upperBound).max() ?? 0)
      try ticks.bind(5, Seal.close(TickBody.encode(row)))
      try ticks.run()
      start = end
    }
  }
}

/// Frames that become one row of `frames`.
private struct FrameRow {
  var frames: [Frame]
  let layout: Int64
  let firstSequence: Int64
  var lastSequence: Int64
  var effectiveMin: Int64
  var effectiveMax: Int64
  var observedMax: Int64

  init(_ laid: PendingRecords.LaidFrame) {
    frames = [laid.frame]
    layout = laid.layout
    (firstSequence, lastSequence) = (laid.frame.sequence, laid.frame.sequence)
    (effectiveMin, effectiveMax) = (laid.frame.effective.nanoseconds, laid.frame.effective.nanoseconds)
    observedMax = laid.frame.observed.nanoseconds
  }

  /// Adds a frame; false when it belongs in a new row.
  mutating func take(_ laid: PendingRecords.LaidFrame) -> Bool {
    let effective = laid.frame.effective.nanoseconds
    let (low, high) = (min(effectiveMin, effective), max(effectiveMax, effective))
    guard laid.layout == layout, frames.count < FrameBody.framesMax,
      high.saturatingSubtract(low) <= Schema.rowSpanNanoseconds
    else { return false }
    frames.append(laid.frame)
    lastSequence = laid.frame.sequence
    (effectiveMin, effectiveMax) = (low, high)
    observedMax = max(observedMax, laid.frame.observed.nanoseconds)
    return true
  }
}
