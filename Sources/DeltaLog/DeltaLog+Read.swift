public import Provenance
import SQLite
import Sodium
public import TwinCore

extension DeltaLog {
  public func head(_ stream: LogStream) -> StreamState { lanes[Int(stream.rawValue)].state }

  public func head(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> LogPoint {
    let lane = try lane(of: stream, holding: sequence)
    if sequence == lane.next { return lane.point }
    return LogPoint(
      size: sequence, chain: try chain(before: sequence, lane), root: try nodes(stream).root(size: sequence))
  }

  /// The tree below an entry, `firstKept` to `next`.
  public func frontier(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> MerkleFrontier {
    let lane = try lane(of: stream, holding: sequence)
    if sequence == lane.next { return lane.edge.frontier }
    return try nodes(stream).frontier(size: sequence)
  }

  public func records(
    _ stream: LogStream, from sequence: UInt64, maxCount: Int, maxBytes: Int
  ) throws(DeltaLogFault) -> [LogRecord] {
    let lane = try lane(of: stream, holding: sequence)
    let to = sequence + min(UInt64(max(0, maxCount)), lane.next - sequence)
    var (records, bytes, lost): ([LogRecord], Int, [UInt64]) = ([], 0, [])
    // What makes a list end early is thrown only when it would be empty.
    var refusal: DeltaLogFault?
    try rows[Int(stream.rawValue)].forEach(epoch: epochNumber, from: sequence, to: to, bodies: true) {
      row throws(DeltaLogFault) in
      var record = LogRecord(sequence: row.sequence, entry: row.entry, body: row.body)
      if row.form == .elsewhere {
        do throws(DeltaLogFault) {
          record.body = try self.fetch(row, stream)
          if record.body == nil { lost.append(row.sequence) }
        } catch {
          refusal = error
          return false
        }
      }
      bytes += record.entry.count + (record.body?.count ?? 0)
      guard records.isEmpty || bytes <= maxBytes else { return false }
      records.append(record)
      return true
    }
    if records.isEmpty, let refusal { throw refusal }
    try declareLost(stream, lost)
    return records
  }

  /// The body from whoever keeps it; nil when it is lost, or is no more what the leaf commits to.
  func fetch(_ row: LogRow, _ stream: LogStream) throws(DeltaLogFault) -> [UInt8]? {
    let entry: LogEntry
    do throws(ProvenanceFault) { entry = try LogEntry(row.entry) } catch {
      throw corrupt(stream, "entry \(row.sequence): \(error.message)")
    }
    let body: [UInt8]?
    do { body = try bodySource(entry) } catch {
      throw DeltaLogFault(.io, "the body of \(stream.name) \(row.sequence) cannot be had now: \(error)")
    }
    guard let body, body.count == Int(entry.bodyLength), Sodium.blake2b256(body) == entry.bodyDigest else { return nil }
    return body
  }

  private func declareLost(_ stream: LogStream, _ lost: [UInt64]) throws(DeltaLogFault) {
    let lane = lanes[Int(stream.rawValue)]
    guard let first = lost.first, let last = lost.last else { return }
    try writeReserved(.audit) { lanes throws(DeltaLogFault) in
      for sequence in lost {
        try self.rows[Int(stream.rawValue)].noteLost(epoch: self.epochNumber, sequence)
      }
      guard last >= lane.safe else { return }
      let gap = GapDeclaration(stream: stream, from: max(first, lane.safe), to: last + 1, reason: .sourceLost)
      try self.put(gap, &lanes)
    }
  }

  // MARK: Proofs

  /// That the tree of `size` entries has the one at `sequence`, for `Merkle.verifyInclusion`.
  public func inclusionProof(
    _ stream: LogStream, of sequence: UInt64, size: UInt64
  ) throws(DeltaLogFault) -> [Digest] {
    try check(stream, sequence, below: size)
    let nodes = nodes(stream)
    return try Merkle.inclusionProof(index: sequence, size: size) { (level, index) throws(DeltaLogFault) in
      try nodes.node(level, index)
    }
  }

  /// That the tree of `size` entries begins with the one of `old`, for `Merkle.verifyConsistency`.
  public func consistencyProof(
    _ stream: LogStream, from old: UInt64, to size: UInt64
  ) throws(DeltaLogFault) -> [Digest] {
    let lane = lanes[Int(stream.rawValue)]
    guard old <= size, size <= lane.next else {
      throw DeltaLogFault(.outOfRange, "from \(old) to \(size), \(stream.name) has \(lane.next) entries")
    }
    let nodes = nodes(stream)
    return try Merkle.consistencyProof(from: old, to: size) { (level, index) throws(DeltaLogFault) in
      try nodes.node(level, index)
    }
  }

  func nodes(_ stream: LogStream, epoch number: Int64? = nil) -> TreeNodes<DeltaLogFault> {
    let (number, rows) = (number ?? epochNumber, rows[Int(stream.rawValue)])
    return TreeNodes { (index) throws(DeltaLogFault) in
      guard let row = try rows.row(epoch: number, index) else {
        throw DeltaLogFault(.notKept, "entry \(index) of \(stream.name) is kept no more")
      }
      return Merkle.leafHash(row.entry)
    } tile: { (level, index) throws(DeltaLogFault) in
      try self.tiles.hash(epoch: number, stream, level: level, index: index)
    }
  }

  private func check(_ stream: LogStream, _ sequence: UInt64, below size: UInt64) throws(DeltaLogFault) {
    let lane = lanes[Int(stream.rawValue)]
    guard sequence < size, size <= lane.next else {
      throw DeltaLogFault(.outOfRange, "entry \(sequence) of \(size), \(stream.name) has \(lane.next) entries")
    }
  }

  func lane(of stream: LogStream, holding sequence: UInt64) throws(DeltaLogFault) -> Lane {
    let lane = lanes[Int(stream.rawValue)]
    guard sequence >= lane.first else {
      throw DeltaLogFault(.notKept, "\(stream.name) \(sequence), kept from \(lane.first) on")
    }
    guard sequence <= lane.next else {
      throw DeltaLogFault(.outOfRange, "\(stream.name) \(sequence), the next entry is \(lane.next)")
    }
    return lane
  }
}
