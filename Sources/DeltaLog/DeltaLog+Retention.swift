import Provenance
import SQLite
import TwinCore

/// How full the log is, of its budget without the reserved area.
public enum LogLadder: Int, Sendable, CaseIterable, Comparable {
  case free = 0
  /// What is safe goes, oldest first; then debug.
  case debug = 80
  /// Bodies of features that are kept here go; their leaves stay, and so do bodies that are kept elsewhere.
  case features = 90
  /// Deltas older than the newest base go (bases are `LogKind.artefact` of the model stream).
  case deltas = 95
  /// Model, features and debug are refused. Audit that is not safe is never dropped.
  case refusing = 98

  public static func < (a: LogLadder, b: LogLadder) -> Bool { a.rawValue < b.rawValue }
}

extension DeltaLog {
  /// Entries that one step takes in one transaction.
  private static let stepEntries: UInt64 = 4096
  /// Transactions in one go, so that an append never waits for a whole file.
  private static let stepsMax = 32

  /// Pages in use, in bytes, and what the file takes on the volume.
  func space() throws(DeltaLogFault) -> (used: Int64, taken: Int64) {
    try storing { () throws(SQLiteFault) in
      let pages = try database.integer("PRAGMA page_count") ?? 0
      let free = try database.integer("PRAGMA freelist_count") ?? 0
      return ((pages - free) * LogSchema.pageBytes, pages * LogSchema.pageBytes)
    }
  }

  /// Which step of the ladder the log stands on.
  public var ladder: LogLadder {
    get throws(DeltaLogFault) {
      let percent = try space().used * 100 / limits.dataBytes
      return LogLadder.allCases.last { Int64($0.rawValue) <= percent } ?? .free
    }
  }

  /// Bytes left in the reserved area.
  public var reservedBytes: Int64 { reserve.bytes }

  /// Throws when the stream takes no more entries now.
  func admit(_ stream: LogStream) throws(DeltaLogFault) {
    let (used, _) = try space()
    let percent = used * 100 / limits.dataBytes
    let isShort = try isShort()
    let isRefused =
      switch stream {
      case .model, .features, .debug: percent >= Int64(LogLadder.refusing.rawValue) || isShort
      case .control: used >= limits.bytesMax - limits.reserveBytes / 2
      case .audit: used >= limits.bytesMax
      }
    guard isRefused else { return }
    let fault = DeltaLogFault(
      .budget,
      "\(stream.name) is refused: \(used) of \(limits.bytesMax) bytes are used, \(reserve.bytes) of "
        + "\(limits.reserveBytes) reserved are left")
    problem = fault
    throw fault
  }

  /// Whether the volume has too little left to fill the reserved area again, as far as the budget leaves room for it.
  func isShort() throws(DeltaLogFault) -> Bool {
    guard reserve.bytes < limits.reserveBytes else { return false }
    let wanted = min(limits.reserveBytes, limits.bytesMax - (try space().taken))
    reserve.fill(to: wanted)
    return reserve.bytes < wanted
  }

  /// As `write`; where the volume is full, entries of audit and control take space out of the reserved area.
  func writeReserved<Result>(
    _ stream: LogStream, _ body: (inout [Lane]) throws(DeltaLogFault) -> Result
  ) throws(DeltaLogFault) -> Result {
    let floor = stream == .audit ? 0 : limits.reserveBytes / 2
    let piece = max(64 << 10, limits.reserveBytes / 8)
    var mayEmptyLog = true
    while true {
      do throws(DeltaLogFault) { return try write(body) } catch {
        guard error.kind == .diskFull else { throw error }
        problem = error
        guard stream <= .control else { throw error }
        // The write-ahead log's own blocks first: once it is in the file it begins anew, over what it has.
        if !mayEmptyLog {
          guard reserve.bytes > floor, reserve.shrink(to: max(floor, reserve.bytes - piece)) else { throw error }
        }
        mayEmptyLog = false
        try? database.checkpointPassive()
      }
    }
  }

  /// Climbs the ladder as far as the budget asks, and keeps database and reserved area together within it.
  func relieve() throws(DeltaLogFault) {
    var (step, steps) = (try ladder, 0)
    if step == .free {
      if problem != nil, try !isShort() { problem = nil }
      return
    }
    while step > .free, steps < Self.stepsMax, try dropOnce(upTo: step) {
      (step, steps) = (try ladder, steps + 1)
    }
    let (used, taken) = try space()
    if taken + reserve.bytes > limits.bytesMax { reserve.shrink(to: limits.bytesMax - taken) }
    problem =
      step == .free
      ? nil
      : DeltaLogFault(
        .budget,
        "the log is \(used * 100 / limits.dataBytes) % full (\(used) bytes): "
          + (step >= .refusing ? "model, features and debug are refused" : "bodies are dropped before they are sent"))
  }

  /// Drops one piece by the lowest step that has any; false when no step up to `step` has.
  private func dropOnce(upTo step: LogLadder) throws(DeltaLogFault) -> Bool {
    if try dropSafe() { return true }
    if try dropDebug() { return true }
    if step >= .features, try dropBodies(.features, before: lanes[Int(LogStream.features.rawValue)].next) {
      return true
    }
    if step >= .deltas, let base = try newestBase() { return try dropBodies(.model, before: base, except: [.artefact]) }
    return false
  }

  /// Entries that are safe go whole, up to a tile's border; of older epochs, once the foundation has this one, all but
  /// audit that never became safe.
  private func dropSafe() throws(DeltaLogFault) -> Bool {
    for number in try oldEpochs() {
      for stream in LogStream.allCases.reversed() {
        let lane = try lane(stream, epoch: number)
        let isLinked = stream != .audit && lanes[Int(LogStream.audit.rawValue)].safe > 0
        let to = isLinked ? lane.next - lane.next % TreeEdge.width : lane.safe - lane.safe % TreeEdge.width
        if try delete(lane, epoch: number, to: to) { return true }
      }
    }
    for index in lanes.indices.reversed() {
      let lane = lanes[index]
      if try delete(lane, epoch: epochNumber, to: lane.safe - lane.safe % TreeEdge.width) { return true }
    }
    return false
  }

  private func oldEpochs() throws(DeltaLogFault) -> [Int64] {
    try storing { () throws(SQLiteFault) in
      // Those with any entry above a tile left, oldest first: most have been emptied long ago.
      let statement = try database.prepare("SELECT number FROM epochs WHERE number < \(epochNumber) ORDER BY number")
      var numbers: [Int64] = []
      while try statement.step() { numbers.append(statement.integer(0)) }
      return numbers
    }
  }

  /// Debug goes whole, sent or not, but for the tile that is not complete.
  private func dropDebug() throws(DeltaLogFault) -> Bool {
    let lane = lanes[Int(LogStream.debug.rawValue)]
    return try delete(lane, epoch: epochNumber, to: lane.next - lane.next % TreeEdge.width)
  }

  /// Deletes entries from the first one kept, a piece at a time; says so where they were not safe.
  private func delete(_ lane: Lane, epoch number: Int64, to wanted: UInt64) throws(DeltaLogFault) -> Bool {
    let to = min(wanted, lane.first + Self.stepEntries)
    guard to > lane.first else { return false }
    let index = Int(lane.stream.rawValue)
    var after = lane
    after.firstChain = try chain(before: to, lane, epoch: number)
    (after.first, after.dropped) = (to, max(lane.dropped, to))
    after.droppedTotal = try total(before: after.dropped, lane, epoch: number)
    if number == epochNumber, lane.received < to {
      (after.received, after.receivedTotal) = (to, try total(before: to, lane, epoch: number))
    }
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      try self.rows[index].delete(epoch: number, from: lane.first, to: to)
      try self.keepMarks(after, epoch: number)
      guard number == self.epochNumber else { return }
      lanes[index] = after
      // Declared once: what the ladder had dropped before has been.
      let from = max(lane.safe, lane.dropped)
      if from < to {
        try self.put(GapDeclaration(stream: lane.stream, from: from, to: to, reason: .budget), &lanes)
      }
    }
    return true
  }

  private func dropBodies(
    _ stream: LogStream, before limit: UInt64, except kinds: Set<LogKind> = []
  ) throws(DeltaLogFault) -> Bool {
    let index = Int(stream.rawValue)
    let lane = lanes[index]
    let from = max(lane.dropped, lane.first)
    let to = min(limit, from + Self.stepEntries)
    guard from < to else { return false }
    let total = try total(before: to, lane)
    // A few small ones at a time would cost more in declared gaps than they give.
    guard to < lane.next || to - from >= TreeEdge.width || total - lane.droppedTotal >= UInt64(limits.dataBytes) / 64
    else { return false }
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      let count = try self.rows[index].dropBodies(epoch: self.epochNumber, from: from, to: to, except: kinds)
      (lanes[index].dropped, lanes[index].droppedTotal) = (to, total)
      try self.keepMarks(lanes[index], epoch: self.epochNumber)
      let unsafe = max(from, lane.safe)
      if unsafe < to, count > 0 {
        try self.put(GapDeclaration(stream: stream, from: unsafe, to: to, reason: .budget), &lanes)
      }
    }
    return true
  }

  /// The newest base of the model stream that is not dropped.
  private func newestBase() throws(DeltaLogFault) -> UInt64? {
    let lane = lanes[Int(LogStream.model.rawValue)]
    if lane.isBaseKnown { return lane.base }
    var base: UInt64?
    try rows[Int(LogStream.model.rawValue)].forEach(epoch: epochNumber, from: lane.dropped, to: lane.next) {
      row throws(DeltaLogFault) in
      if (try? LogEntry(row.entry))?.kind == .artefact { base = row.sequence }
      return true
    }
    lanes[Int(LogStream.model.rawValue)].base = base
    lanes[Int(LogStream.model.rawValue)].isBaseKnown = true
    return base
  }
}
