// Ack, foundation to site on `ack/<stream>`, may come again and again:
//
//     {0: site text, 1: epoch bytes(16), 2: stream, 3: next, 4: safe, 5: chain at next bytes(32), 6: credit bytes,
//      7: term, 8: foundation's time ms, 9?: receipt text, 10?: session}
//
// 10 stands in an ack that answers a birth, and repeats the birth's: such an ack cannot be an old one.
//
// Range request, on the same topic:
//
//     {0: site text, 1: epoch bytes(16), 2: stream, 3: from, 4: to, 7: term, 8: foundation's time ms}

public import Provenance
public import TwinCore

/// What the foundation holds of one log, in two watermarks.
public struct Ack: WireMessage {
  public static let type = WireType.name("ack.v1")

  public let log: LogName
  /// Committed below it: a site sends on from here, and keeps what it sent.
  public let next: UInt64
  /// Below it a site may drop bodies: replicated, and under a cosigned checkpoint.
  public let safe: UInt64
  public let chainAtNext: Digest
  /// Bytes that the site may have on the way over all its streams.
  public let creditBytes: UInt32
  /// The fencing term of whoever answers.
  public let term: UInt64
  /// Milliseconds since 1970 by the foundation's clock.
  public let at: Int64
  /// The cosigned note of size `safe`.
  public let receipt: String?
  /// Of the birth that this ack answers.
  public let session: UInt64?

  public init(
    log: LogName, next: UInt64, safe: UInt64, chainAtNext: Digest, creditBytes: UInt32, term: UInt64, at: Int64,
    receipt: String?, session: UInt64? = nil
  ) {
    (self.log, self.next, self.safe, self.chainAtNext) = (log, next, safe, chainAtNext)
    (self.creditBytes, self.term, self.at, self.receipt) = (creditBytes, term, at, receipt)
    self.session = session
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(log.site.description)), (1, .bytes(log.epoch.bytes)), (2, .number(log.stream.rawValue)),
      (3, .unsigned(next)), (4, .unsigned(safe)), (5, .digest(chainAtNext)), (6, .number(creditBytes)),
      (7, .unsigned(term)), (8, .integer(at)), (9, receipt.map { .text($0) }),
      (10, session.map { .unsigned($0) })
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("ack")
    log = LogName(site: try fields.siteName(0), epoch: try fields.epoch(1), stream: try fields.stream(2))
    (next, safe) = (try fields.unsigned(3), try fields.unsigned(4))
    chainAtNext = try fields.digest(5)
    creditBytes = try fields.number(6)
    (term, at) = (try fields.unsigned(7), try fields.integer(8))
    receipt = try fields.textIfPresent(9, max: SyncLimits.receiptBytesMax)
    session = try fields.unsignedIfPresent(10)
    try fields.finish()
    guard safe <= next else { throw .wire("ack.4", "safe \(safe) above next \(next)") }
  }
}

/// Asks a site for entries that did not arrive though later ones did.
public struct Nack: WireMessage {
  public static let type = WireType.name("nack.v1")

  public let log: LogName
  /// Never empty.
  public let range: Range<UInt64>
  public let term: UInt64
  public let at: Int64

  public init(log: LogName, range: Range<UInt64>, term: UInt64, at: Int64) {
    precondition(!range.isEmpty, "a request for nothing")
    (self.log, self.range, self.term, self.at) = (log, range, term, at)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(log.site.description)), (1, .bytes(log.epoch.bytes)), (2, .number(log.stream.rawValue)),
      (3, .unsigned(range.lowerBound)), (4, .unsigned(range.upperBound)), (7, .unsigned(term)), (8, .integer(at))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("nack")
    log = LogName(site: try fields.siteName(0), epoch: try fields.epoch(1), stream: try fields.stream(2))
    let (from, to) = (try fields.unsigned(3), try fields.unsigned(4))
    guard from < to else { throw .wire("nack.4", "range \(from)..<\(to)") }
    range = from..<to
    (term, at) = (try fields.unsigned(7), try fields.integer(8))
    try fields.finish()
  }
}
