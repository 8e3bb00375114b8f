import DeltaLog
import Provenance
import Sodium
import Sync
import TwinCore

/// A site's log in memory: what survives a restart of its peer.
final class MemoryLog: EdgeLog {
  struct Stream {
    var entries: [[UInt8]] = []
    var bodies: [[UInt8]?] = []
    var points: [(chain: Digest, frontier: MerkleFrontier)] = [(.zero, MerkleFrontier())]
    var firstKept: UInt64 = 0
    var safe: UInt64 = 0
    var received: UInt64 = 0
  }

  let site: SiteName
  var epoch: LogEpoch
  var streams = Array(repeating: Stream(), count: LogStream.allCases.count)
  /// What became of epochs that are closed.
  var closed: [LogEpoch: [Stream]] = [:]
  var receipts: [String] = []
  var gaps: [(LogStream, Range<UInt64>)] = []
  var boot: [UInt8]
  var fault: DeltaLogFault?

  init(site: SiteName, epoch: LogEpoch, boot: [UInt8]) {
    (self.site, self.epoch, self.boot) = (site, epoch, boot)
  }

  func copy() -> MemoryLog {
    let log = MemoryLog(site: site, epoch: epoch, boot: boot)
    (log.streams, log.closed) = (streams, closed)
    return log
  }

  @discardableResult
  func append(_ stream: LogStream, _ body: [UInt8], kind: LogKind = .audit, wall: Int64 = 0) -> UInt64 {
    let index = Int(stream.rawValue)
    let sequence = UInt64(streams[index].entries.count)
    let entry = LogEntry(
      sequence: sequence, kind: kind, wall: wall, uptime: 0, boot: boot, bodyDigest: Sodium.blake2b256(body),
      bodyLength: UInt32(body.count), keyEpoch: 0)
    let last = streams[index].points.last!
    var head = LogHead(epoch: epoch, stream: stream, chain: last.chain, frontier: last.frontier)
    head.append(entry.bytes)
    streams[index].entries.append(entry.bytes)
    streams[index].bodies.append(body)
    streams[index].points.append((head.chain, head.frontier))
    return sequence
  }

  func newEpoch(_ next: LogEpoch) {
    closed[epoch] = streams
    epoch = next
    streams = Array(repeating: Stream(), count: LogStream.allCases.count)
  }

  /// Retention in an emergency: leaves go too.
  func drop(_ stream: LogStream, below sequence: UInt64) { streams[Int(stream.rawValue)].firstKept = sequence }

  func head(_ stream: LogStream) -> StreamState {
    let kept = streams[Int(stream.rawValue)]
    let last = kept.points.last!
    let waiting = kept.bodies.dropFirst(Int(kept.received)).reduce(0) { $0 + ($1?.count ?? 0) }
    return StreamState(
      firstKept: kept.firstKept, next: UInt64(kept.entries.count), chain: last.chain, root: last.frontier.root,
      safe: kept.safe, bytesWaiting: UInt64(waiting))
  }

  private func point(_ stream: LogStream, _ sequence: UInt64) throws(DeltaLogFault) -> (Digest, MerkleFrontier) {
    if let fault { throw fault }
    let kept = streams[Int(stream.rawValue)]
    guard sequence >= kept.firstKept, sequence < kept.points.count else {
      throw DeltaLogFault(.notKept, "\(sequence) of \(stream)")
    }
    return kept.points[Int(sequence)]
  }

  func head(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> LogPoint {
    let (chain, frontier) = try point(stream, sequence)
    return LogPoint(size: sequence, chain: chain, root: frontier.root)
  }

  func frontier(_ stream: LogStream, at sequence: UInt64) throws(DeltaLogFault) -> MerkleFrontier {
    try point(stream, sequence).1
  }

  func records(
    _ stream: LogStream, from sequence: UInt64, maxCount: Int, maxBytes: Int
  ) throws(DeltaLogFault) -> [LogRecord] {
    _ = try point(stream, sequence)
    let kept = streams[Int(stream.rawValue)]
    var (records, bytes) = ([] as [LogRecord], 0)
    for index in Int(sequence)..<max(Int(sequence), kept.entries.count) where records.count < maxCount {
      let size = kept.entries[index].count + (kept.bodies[index]?.count ?? 0)
      if !records.isEmpty, bytes + size > maxBytes { break }
      bytes += size
      records.append(LogRecord(sequence: UInt64(index), entry: kept.entries[index], body: kept.bodies[index]))
    }
    return records
  }

  func noteReceived(_ stream: LogStream, next: UInt64) { streams[Int(stream.rawValue)].received = next }

  func acknowledge(_ stream: LogStream, safe: UInt64, cosignature: String?) throws(DeltaLogFault) {
    let index = Int(stream.rawValue)
    guard safe > streams[index].safe else { return }
    streams[index].safe = safe
    for sequence in 0..<Int(safe) { streams[index].bodies[sequence] = nil }
    if let cosignature { receipts.append(cosignature) }
  }

  func declareGap(_ stream: LogStream, from: UInt64, to: UInt64) throws(DeltaLogFault) {
    gaps.append((stream, from..<to))
    append(.audit, Array("gap \(stream) \(from) \(to)".utf8), kind: .gapDeclared)
  }
}
