public import Provenance
import SQLite
import Seams
public import Sodium
import TwinCore

extension DeltaLog {
  public func noteReceived(_ stream: LogStream, next: UInt64) {
    let index = Int(stream.rawValue)
    // The foundation may have lost its last commits, but nothing that it called safe.
    let received = min(max(next, lanes[index].safe), lanes[index].next)
    guard received != lanes[index].received, let total = try? total(before: received, lanes[index]) else { return }
    (lanes[index].received, lanes[index].receivedTotal) = (received, total)
  }

  public func acknowledge(
    _ stream: LogStream, safe: UInt64, cosignature: String? = nil
  ) throws(DeltaLogFault) {
    try settle()
    let index = Int(stream.rawValue)
    guard safe <= lanes[index].next else {
      throw DeltaLogFault(.outOfRange, "\(stream.name) safe below \(safe), the next entry is \(lanes[index].next)")
    }
    var cosigned: UInt64?
    if let cosignature { cosigned = try size(ofCheckpoint: cosignature, stream) }
    guard safe > lanes[index].safe || cosigned != nil else { return }
    let received = max(lanes[index].received, safe)
    let total = try total(before: received, lanes[index])
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      lanes[index].safe = max(lanes[index].safe, safe)
      (lanes[index].received, lanes[index].receivedTotal) = (received, total)
      try self.keepMarks(lanes[index], epoch: self.epochNumber)
      if let cosigned { try self.keepCheckpoint(stream, cosigned, note: nil, cosigned: cosignature) }
    }
  }

  public func declareGap(_ stream: LogStream, from: UInt64, to: UInt64) throws(DeltaLogFault) {
    try settle()
    let lane = lanes[Int(stream.rawValue)]
    guard from < to, to <= lane.next else {
      throw DeltaLogFault(.outOfRange, "a gap from \(from) to \(to), \(stream.name) has \(lane.next) entries")
    }
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      try self.put(GapDeclaration(stream: stream, from: from, to: to, reason: .notKept), &lanes)
    }
  }

  /// Inside a transaction.
  func put(_ gap: GapDeclaration, _ lanes: inout [Lane]) throws(DeltaLogFault) {
    let stamp = LogStamp(clock.instant, clock.uptime, boot, keyEpoch)
    _ = try put(LogDraft(.audit, .gapDeclared, gap.body), stamp, &lanes)
  }

  // MARK: Checkpoints

  /// A stream has one made after so many entries,
  public static let checkpointEntries: UInt64 = 1024
  /// or after this long, where there is anything new.
  public static let checkpointNs: Int64 = 3_600_000_000_000
  /// Kept per stream and epoch, the oldest going first.
  static let checkpointsMax = 256

  /// Streams for which `checkpoint` should be called now.
  public var checkpointsDue: [LogStream] {
    let now = clock.uptime
    return lanes.filter { lane in
      let fresh = lane.next - min(lane.next, lane.checkpointSize)
      return fresh >= Self.checkpointEntries
        || fresh > 0 && now.nanoseconds(since: lane.checkpointAt) >= Self.checkpointNs
    }.map(\.stream)
  }

  /// Signs the stream as it stands, and keeps the note.
  @discardableResult
  public func checkpoint(
    _ stream: LogStream, by key: borrowing Ed25519.SecretKey
  ) throws(DeltaLogFault) -> String {
    try settle()
    let index = Int(stream.rawValue)
    let origin = Checkpoint.origin(site: site, stream: stream, epoch: epoch)
    let checkpoint = Checkpoint(origin: origin, size: lanes[index].next, root: lanes[index].edge.root)
    let note = checkpoint.signed(name: origin, by: key)
    let now = clock.uptime
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      try self.keepCheckpoint(stream, checkpoint.size, note: note, cosigned: nil)
      (lanes[index].checkpointSize, lanes[index].checkpointAt) = (checkpoint.size, now)
    }
    return note
  }

  /// The newest note of a stream: as the site signed it, and the newest one that came back with a cosignature.
  public func checkpoints(_ stream: LogStream) throws(DeltaLogFault) -> (signed: String?, cosigned: String?) {
    try storing { () throws(SQLiteFault) in
      let newest = { (column: String) throws(SQLiteFault) -> String? in
        try self.database.text(
          """
          SELECT \(column) FROM checkpoints WHERE epoch = \(self.epochNumber) AND stream = \(stream.rawValue)
            AND \(column) IS NOT NULL ORDER BY size DESC LIMIT 1
          """)
      }
      return (try newest("note"), try newest("cosigned"))
    }
  }

  /// The size of a note that is a checkpoint of this log, and of these entries.
  private func size(ofCheckpoint note: String, _ stream: LogStream) throws(DeltaLogFault) -> UInt64 {
    let checkpoint: Checkpoint
    do throws(ProvenanceFault) {
      checkpoint = try Checkpoint(body: try SignedNote(parse: note).text)
    } catch {
      throw DeltaLogFault(.checkpointWrong, error.message)
    }
    let origin = Checkpoint.origin(site: site, stream: stream, epoch: epoch)
    guard checkpoint.origin == origin else {
      throw DeltaLogFault(.checkpointWrong, "a checkpoint of \(checkpoint.origin.prefix(128)), this is \(origin)")
    }
    let lane = lanes[Int(stream.rawValue)]
    guard checkpoint.size <= lane.next else {
      throw DeltaLogFault(
        .checkpointWrong, "a checkpoint of \(checkpoint.size) entries, \(stream.name) has \(lane.next)")
    }
    let root = checkpoint.size == lane.next ? lane.edge.root : try nodes(stream).root(size: checkpoint.size)
    guard root == checkpoint.root else {
      throw DeltaLogFault(
        .checkpointWrong,
        "a checkpoint of \(stream.name) at \(checkpoint.size) has root \(checkpoint.root.short), the entries have "
          + root.short)
    }
    return checkpoint.size
  }

  private func keepCheckpoint(
    _ stream: LogStream, _ size: UInt64, note: String?, cosigned: String?
  ) throws(DeltaLogFault) {
    try storing { () throws(SQLiteFault) in
      let row = "epoch = \(epochNumber) AND stream = \(stream.rawValue)"
      try database.execute(
        """
        INSERT OR IGNORE INTO checkpoints(epoch, stream, size) VALUES(\(epochNumber), \(stream.rawValue), \(size));
        """)
      for (column, text) in [("note", note), ("cosigned", cosigned)] {
        guard let text else { continue }
        let update = try database.prepare("UPDATE checkpoints SET \(column) = ?1 WHERE \(row) AND size = \(size)")
        try update.bind(1, text)
        try update.run()
      }
      try database.execute(
        """
        DELETE FROM checkpoints WHERE \(row) AND size <
          (SELECT min(size) FROM (SELECT size FROM checkpoints WHERE \(row) ORDER BY size DESC
            LIMIT \(Self.checkpointsMax)))
        """)
    }
  }
}
