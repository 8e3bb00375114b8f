public import Provenance
import SQLite
import Sodium
import TwinCore

/// The first thing in a log that is not as it was written.
public struct LogProblem: Sendable, Equatable, CustomStringConvertible {
  public var epoch: LogEpoch
  public var stream: LogStream
  /// Nil where no one entry is to blame.
  public var sequence: UInt64?
  public var what: String

  public init(epoch: LogEpoch, stream: LogStream, sequence: UInt64?, what: String) {
    (self.epoch, self.stream, self.sequence, self.what) = (epoch, stream, sequence, what)
  }

  public var description: String {
    "epoch \(epoch.hex.prefix(8)), \(stream.name)\(sequence.map { " \($0)" } ?? ""): \(what)"
  }
}

extension DeltaLog {
  /// Reads every entry that is kept, of all epochs: their order, chain and tiles, the digests of bodies, the heads that
  /// the next epoch names, and the roots of checkpoints that are kept or given. `trusted` are checkpoints whose
  /// cosignature the caller has verified: only those tell a tail that was cut off, or rows changed with their chain.
  /// Gives the first problem, in the order of epochs and streams; nil when there is none.
  public func verify(trusted: [Checkpoint] = []) throws(DeltaLogFault) -> LogProblem? {
    try settle()
    var before: EpochRow?
    for row in try keptEpochs() {
      let (number, id) = (row.number, row.id)
      if let before, row.prev != before.id.bytes || before.closed == nil {
        return LogProblem(epoch: id, stream: .audit, sequence: 0, what: "the epoch does not follow the one before")
      }
      before = row
      let link = row.closed.flatMap { try? EpochLink(body: $0) }
      for stream in LogStream.allCases {
        let expected = link?.heads[Int(stream.rawValue)]
        let notes = try keptCheckpoints(number, stream)
        let origin = Checkpoint.origin(site: site, stream: stream, epoch: id)
        var roots: [Checkpoint] = []
        for note in notes {
          guard let checkpoint = try? Checkpoint(body: SignedNote(parse: note).text), checkpoint.origin == origin else {
            return LogProblem(epoch: id, stream: stream, sequence: nil, what: "a kept checkpoint is not of this log")
          }
          roots.append(checkpoint)
        }
        roots += trusted.filter { $0.origin == origin }
        do throws(DeltaLogFault) {
          let walk = LogWalk(self, number, id, stream)
          if let problem = try walk.problem(roots: roots, end: expected) { return problem }
        } catch {
          guard error.kind == .corrupt || error.kind == .notKept else { throw error }
          return LogProblem(epoch: id, stream: stream, sequence: nil, what: error.message)
        }
      }
    }
    return nil
  }

  func keptCheckpoints(_ number: Int64, _ stream: LogStream) throws(DeltaLogFault) -> [String] {
    try storing { () throws(SQLiteFault) in
      let select = try database.prepare(
        "SELECT note, cosigned FROM checkpoints WHERE epoch = \(number) AND stream = \(stream.rawValue)")
      var notes: [String] = []
      while try select.step() { notes += [Int32(0), 1].filter { !select.isNull($0) }.map { select.text($0) } }
      return notes
    }
  }
}

/// One stream of one epoch, read from its first kept entry on.
private struct LogWalk {
  let log: DeltaLog
  let number: Int64
  let epoch: LogEpoch
  let stream: LogStream

  init(_ log: DeltaLog, _ number: Int64, _ epoch: LogEpoch, _ stream: LogStream) {
    (self.log, self.number, self.epoch, self.stream) = (log, number, epoch, stream)
  }

  func problem(roots: [Checkpoint], end: LogPoint?) throws(DeltaLogFault) -> LogProblem? {
    if let problem = try badEntry() { return problem }
    let lane = try log.lane(stream, epoch: number)
    if let end, lane.point != end {
      return problem(
        min(lane.next, end.size), "the epoch was closed with \(end.size) entries and another chain or root")
    }
    for checkpoint in roots {
      guard checkpoint.size <= lane.next else {
        return problem(lane.next, "missing: a checkpoint covers \(checkpoint.size) entries")
      }
      // Below the first one kept, a size within a tile has no root any more.
      guard checkpoint.size >= lane.first || checkpoint.size % TreeEdge.width == 0 else { continue }
      guard try log.nodes(stream, epoch: number).root(size: checkpoint.size) == checkpoint.root else {
        return problem(nil, "the entries below \(checkpoint.size) are not those of its checkpoint")
      }
    }
    return nil
  }

  /// The first entry that is wrong by itself, or does not follow the one before.
  private func badEntry() throws(DeltaLogFault) -> LogProblem? {
    let (first, start) = try firstKept()
    var (next, chain) = (first, start)
    var edge = try TreeEdge(size: first) { _ throws(DeltaLogFault) in
      .zero
    } tile: { level, index throws(DeltaLogFault) in
      try log.tiles.hash(epoch: number, stream, level: level, index: index)
    }
    var found: LogProblem?
    let rows = log.rows[Int(stream.rawValue)]
    try rows.forEach(epoch: number, from: 0, to: LogSchema.sequenceMax, bodies: true) { row throws(DeltaLogFault) in
      found = try defect(row, expected: next, &chain, &edge)
      next += 1
      return found == nil
    }
    return found
  }

  private func defect(
    _ row: LogRow, expected next: UInt64, _ chain: inout Digest, _ edge: inout TreeEdge
  ) throws(DeltaLogFault) -> LogProblem? {
    guard row.sequence == next else { return problem(next, "missing: \(row.sequence) follows") }
    let entry: LogEntry
    do throws(ProvenanceFault) { entry = try LogEntry(row.entry) } catch { return problem(next, error.message) }
    guard entry.sequence == next else { return problem(next, "the entry says that it is \(entry.sequence)") }
    let leaf = Merkle.leafHash(row.entry)
    chain = LogHead.chain(chain, leafHash: leaf)
    guard chain == row.chain else { return problem(next, "the entry is not what its chain says") }
    if row.form == .kept {
      guard let body = row.body else { return problem(next, "the body is missing") }
      guard body.count == Int(entry.bodyLength), Sodium.blake2b256(body) == entry.bodyDigest else {
        return problem(next, "the body is not what its entry says")
      }
    }
    for tile in edge.append(leaf) {
      let kept = try log.tiles.hash(epoch: number, stream, level: tile.level, index: tile.index)
      guard kept == tile.hash else {
        return problem(next, "the hash of tile \(tile.index) of level \(tile.level), which ends here, is another")
      }
    }
    return nil
  }

  private func firstKept() throws(DeltaLogFault) -> (UInt64, Digest) {
    let (first, chain) = try storing { () throws(SQLiteFault) in
      let select = try log.database.prepare(
        "SELECT first, first_chain FROM marks WHERE epoch = \(number) AND stream = \(stream.rawValue)")
      defer { select.reset() }
      return try select.step() ? (UInt64(clamping: select.integer(0)), select.bytes(1)) : (0, [])
    }
    guard let digest = Digest(bytes: chain), first % TreeEdge.width == 0 else {
      throw log.corrupt(stream, "it has no marks")
    }
    return (first, digest)
  }

  private func problem(_ sequence: UInt64?, _ what: String) -> LogProblem {
    LogProblem(epoch: epoch, stream: stream, sequence: sequence, what: what)
  }
}
