public import Provenance
import SQLite
import Seams
import Sodium
import TwinCore

extension DeltaLog {
  /// Reads the present epoch's lanes; false where there is no epoch yet.
  func load() throws(DeltaLogFault) -> Bool {
    guard
      let number = try storing({ () throws(SQLiteFault) in try database.integer("SELECT max(number) FROM epochs") })
    else { return false }
    let id = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT id FROM epochs WHERE number = \(number)")
      defer { statement.reset() }
      return try statement.step() ? statement.bytes(0) : []
    }
    guard let epoch = LogEpoch(bytes: id), (1...LogSchema.epochsMax).contains(number) else {
      throw DeltaLogFault(.corrupt, "\(database.path): epoch \(number) has an id of \(id.count) bytes")
    }
    var lanes: [Lane] = []
    for stream in LogStream.allCases { lanes.append(try lane(stream, epoch: number)) }
    (self.epoch, epochNumber, self.lanes) = (epoch, number, lanes)
    return true
  }

  /// One stream from its last row, the rows of the tile that is not complete, and the right edge of the tiles.
  func lane(_ stream: LogStream, epoch number: Int64) throws(DeltaLogFault) -> Lane {
    var lane = try marks(stream, epoch: number)
    let rows = rows[Int(stream.rawValue)]
    lane.next = try rows.last(epoch: number).map { $0 + 1 } ?? lane.first
    let tileStart = lane.next - lane.next % TreeEdge.width
    guard lane.first <= lane.next, lane.first % TreeEdge.width == 0, lane.safe <= lane.next else {
      throw corrupt(stream, "first \(lane.first), safe \(lane.safe), next \(lane.next)")
    }
    var leaves: [Digest] = []
    lane.chain = try chain(before: tileStart, lane, epoch: number)
    lane.total = try total(before: tileStart, lane, epoch: number)
    try rows.forEach(epoch: number, from: tileStart, to: lane.next) { row throws(DeltaLogFault) in
      let leaf = Merkle.leafHash(row.entry)
      lane.chain = LogHead.chain(lane.chain, leafHash: leaf)
      guard row.sequence == tileStart + UInt64(leaves.count), row.chain == lane.chain, row.total >= lane.total else {
        throw self.corrupt(stream, "entry \(row.sequence) does not follow the one before")
      }
      lane.total = row.total
      leaves.append(leaf)
      return true
    }
    guard leaves.count == Int(lane.next - tileStart) else {
      throw corrupt(stream, "\(leaves.count) entries from \(tileStart) on, wanted \(lane.next - tileStart)")
    }
    lane.edge = try TreeEdge(size: lane.next) { (index) throws(DeltaLogFault) in
      leaves[Int(index - tileStart)]
    } tile: { (level, index) throws(DeltaLogFault) in
      try self.tiles.hash(epoch: number, stream, level: level, index: index)
    }
    lane.received = min(max(lane.received, lane.safe), lane.next)
    lane.receivedTotal = try total(before: lane.received, lane, epoch: number)
    lane.droppedTotal = try total(before: lane.dropped, lane, epoch: number)
    lane.checkpointSize = try storing { () throws(SQLiteFault) in
      UInt64(
        try database.integer(
          """
          SELECT max(size) FROM checkpoints WHERE epoch = \(number) AND stream = \(stream.rawValue) AND note IS NOT NULL
          """) ?? 0)
    }
    lane.checkpointAt = clock.uptime
    return lane
  }

  private func marks(_ stream: LogStream, epoch number: Int64) throws(DeltaLogFault) -> Lane {
    var lane = Lane(stream)
    let chain = try storing { () throws(SQLiteFault) -> [UInt8]? in
      let statement = try database.prepare(
        """
        SELECT received, safe, first, first_chain, dropped FROM marks
        WHERE epoch = \(number) AND stream = \(stream.rawValue)
        """)
      defer { statement.reset() }
      guard try statement.step() else { return nil }
      (lane.received, lane.safe) = (UInt64(clamping: statement.integer(0)), UInt64(clamping: statement.integer(1)))
      (lane.first, lane.dropped) = (UInt64(clamping: statement.integer(2)), UInt64(clamping: statement.integer(4)))
      return statement.bytes(3)
    }
    guard let chain, let first = Digest(bytes: chain) else { throw corrupt(stream, "it has no marks") }
    lane.firstChain = first
    return lane
  }

  func keepMarks(_ lane: Lane, epoch number: Int64) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(
        """
        INSERT OR REPLACE INTO marks(epoch, stream, received, safe, first, first_chain, dropped)
        VALUES(\(number), \(lane.stream.rawValue), \(lane.received), \(lane.safe), \(lane.first), ?1, \(lane.dropped))
        """)
      try statement.bind(1, lane.firstChain.bytes)
      try statement.run()
    }
  }

  /// The chain before an entry that is kept, or before the one to come.
  func chain(before sequence: UInt64, _ lane: Lane, epoch number: Int64? = nil) throws(DeltaLogFault) -> Digest {
    if sequence == lane.first { return lane.firstChain }
    return try neighbour(sequence, lane.stream, number ?? epochNumber).chain
  }

  /// Bytes of all bodies before an entry; of those below the first one kept, those that are known no more count as
  /// none.
  func total(before sequence: UInt64, _ lane: Lane, epoch number: Int64? = nil) throws(DeltaLogFault) -> UInt64 {
    if sequence > lane.first { return try neighbour(sequence, lane.stream, number ?? epochNumber).total }
    guard sequence > 0, let row = try rows[Int(lane.stream.rawValue)].row(epoch: number ?? epochNumber, lane.first)
    else { return 0 }
    return row.total - UInt64((try? LogEntry(row.entry))?.bodyLength ?? 0)
  }

  private func neighbour(
    _ sequence: UInt64, _ stream: LogStream, _ number: Int64
  ) throws(DeltaLogFault) -> LogRow {
    guard let row = try rows[Int(stream.rawValue)].row(epoch: number, sequence - 1) else {
      throw corrupt(stream, "entry \(sequence - 1) is missing")
    }
    return row
  }

  func corrupt(_ stream: LogStream, _ what: String) -> DeltaLogFault {
    DeltaLogFault(.corrupt, "\(database.path), \(stream.name): \(what)")
  }

  // MARK: Epochs

  /// Closes the present epoch where it stands and opens the next one, whose first audit entry says so. What of the old
  /// one was not safe stays in the file and goes into exports; it is sent no more.
  @discardableResult
  public func newEpoch() throws(DeltaLogFault) -> LogEpoch {
    try settle()
    try openEpoch(after: EpochLink(epoch: epoch, heads: lanes.map(\.point)))
    return epoch
  }

  func openEpoch(after link: EpochLink?) throws(DeltaLogFault) {
    let (old, oldEpoch, oldNumber) = (lanes, epoch, epochNumber)
    let (fresh, number, now) = (LogEpoch(), epochNumber + 1, clock.instant)
    guard number <= LogSchema.epochsMax else { throw DeltaLogFault(.tooBig, "\(oldNumber) epochs in one file") }
    let stamp = LogStamp(now, clock.uptime, boot, keyEpoch)
    (epoch, epochNumber, lanes) = (fresh, number, LogStream.allCases.map(Lane.init))
    do throws(DeltaLogFault) {
      try writeReserved(.audit) { lanes throws(DeltaLogFault) in
        try self.insertEpoch(fresh, number, link, openedMs: stamp.wallMs)
        for lane in lanes { try self.keepMarks(lane, epoch: number) }
        _ = try self.put(LogDraft(.audit, .epochOpened, EpochLink.body(of: link)), stamp, &lanes)
      }
    } catch {
      (lanes, epoch, epochNumber) = (old, oldEpoch, oldNumber)
      throw error
    }
    for index in lanes.indices { lanes[index].checkpointAt = clock.uptime }
  }

  private func insertEpoch(
    _ id: LogEpoch, _ number: Int64, _ link: EpochLink?, openedMs: Int64
  ) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      if let link {
        let close = try database.prepare("UPDATE epochs SET closed = ?1 WHERE id = ?2")
        try close.bind(1, EpochLink.body(of: link))
        try close.bind(2, link.epoch.bytes)
        try close.run()
      }
      let insert = try database.prepare(
        "INSERT INTO epochs(number, id, prev, opened_ms) VALUES(\(number), ?1, ?2, \(openedMs))")
      try insert.bind(1, id.bytes)
      if let link { try insert.bind(2, link.epoch.bytes) } else { try insert.bindNull(2) }
      try insert.run()
    }
  }
}
