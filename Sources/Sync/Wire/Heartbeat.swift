// Heartbeat, site to foundation on `hb`:
//
//     {0: site text, 1: epoch bytes(16), 2: session, 3: serial, 4: boot bytes(16), 5: [[next, sent, acked, safe], …]
//      for the streams in their order, 6: mode, 7: clock state, 8: directed next, 9: interval ms, 10: wall ms,
//      11?: [note text, …]}
//
// 11: checkpoints of the site's own logs as the site signed them (see Checkpoint.swift), one a stream at most, where
// there is something new: what the foundation cosigns.
//
// Death hint, the will of the connection on `death`, signed before it opens:
//
//     {0: site text, 1: session, 2: boot bytes(16)}

public import Provenance

/// A sign of life, and where each stream stands: a foundation that has less than `sent` knows that something is kept
/// from it.
public struct Heartbeat: WireMessage {
  public static let type = WireType.name("heartbeat.v1")
  /// Milliseconds between heartbeats.
  public static let intervalBounds: ClosedRange<UInt32> = 1_000...3_600_000

  public struct Progress: Equatable, Sendable {
    /// The end of the log.
    public let next: UInt64
    /// Published below it, at least once.
    public let sent: UInt64
    /// What the site knows of the foundation's watermarks.
    public let acked: UInt64
    public let safe: UInt64

    public init(next: UInt64, sent: UInt64, acked: UInt64, safe: UInt64) {
      (self.next, self.sent, self.acked, self.safe) = (next, sent, acked, safe)
    }
  }

  public let site: SiteName
  public let mark: SitePresence.Mark
  public let boot: [UInt8]
  /// By stream, all of them.
  public let progress: [Progress]
  public let mode: UInt8
  public let isClockTrusted: Bool
  public let directedNext: UInt64
  public let intervalMs: UInt32
  public let wallMs: Int64
  public let heads: [String]

  public init(
    site: SiteName, mark: SitePresence.Mark, boot: [UInt8], progress: [Progress], mode: UInt8, isClockTrusted: Bool,
    directedNext: UInt64, intervalMs: UInt32, wallMs: Int64, heads: [String] = []
  ) {
    precondition(heads.count <= LogStream.allCases.count, "\(heads.count) heads")
    precondition(progress.count == LogStream.allCases.count, "progress of \(progress.count) streams")
    (self.site, self.mark, self.boot, self.progress) = (site, mark, boot, progress)
    (self.mode, self.isClockTrusted, self.directedNext) = (mode, isClockTrusted, directedNext)
    (self.intervalMs, self.wallMs, self.heads) = (intervalMs, wallMs, heads)
  }

  public var payload: [UInt8] {
    let rows = progress.map { row in
      CBORItem.array([row.next, row.sent, row.acked, row.safe].map { .unsigned($0) })
    }
    return CBORItem.map(
      (0, .text(site.description)), (1, .bytes(mark.epoch.bytes)), (2, .unsigned(mark.session)),
      (3, .unsigned(mark.serial)), (4, .bytes(boot)), (5, .array(rows)), (6, .number(mode)),
      (7, .clock(isTrusted: isClockTrusted)), (8, .unsigned(directedNext)), (9, .number(intervalMs)),
      (10, .integer(wallMs)), (11, heads.isEmpty ? nil : .array(heads.map { .text($0) }))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("heartbeat")
    site = try fields.siteName(0)
    mark = SitePresence.Mark(
      epoch: try fields.epoch(1), session: try fields.unsigned(2), serial: try fields.unsigned(3))
    boot = try fields.bytes(4, count: LogEntry.bootBytes)
    var progress: [Progress] = []
    for row in try fields.array(5, max: LogStream.allCases.count) { progress.append(try Progress(row)) }
    guard progress.count == LogStream.allCases.count else {
      throw .wire("heartbeat.5", "\(progress.count) streams, wanted \(LogStream.allCases.count)")
    }
    self.progress = progress
    mode = try fields.number(6)
    isClockTrusted = try fields.clock(7)
    directedNext = try fields.unsigned(8)
    intervalMs = try Self.interval(try fields.number(9))
    wallMs = try fields.integer(10)
    var heads: [String] = []
    for item in try fields.arrayIfPresent(11, max: LogStream.allCases.count) ?? [] {
      heads.append(try item.asText(max: SyncLimits.receiptBytesMax, "heartbeat.11"))
    }
    self.heads = heads
  }

  static func interval(_ value: UInt32) throws(ProvenanceFault) -> UInt32 {
    guard intervalBounds.contains(value) else {
      throw .wire("interval", "\(value) ms, wanted \(intervalBounds.lowerBound) to \(intervalBounds.upperBound)")
    }
    return value
  }
}

extension Heartbeat.Progress {
  fileprivate init(_ item: CBORItem) throws(ProvenanceFault) {
    var numbers: [UInt64] = []
    for number in try item.asArray(max: 4, "heartbeat.5") { numbers.append(try number.asUnsigned("heartbeat.5")) }
    guard numbers.count == 4 else { throw .wire("heartbeat.5", "\(numbers.count) numbers, wanted 4") }
    self.init(next: numbers[0], sent: numbers[1], acked: numbers[2], safe: numbers[3])
  }
}

/// Says that a connection ended without a goodbye. A hint and no more: a broker may send it late, twice or never.
public struct DeathHint: WireMessage {
  public static let type = WireType.name("death.v1")

  public let site: SiteName
  public let session: UInt64
  public let boot: [UInt8]

  public init(site: SiteName, session: UInt64, boot: [UInt8]) {
    (self.site, self.session, self.boot) = (site, session, boot)
  }

  public var payload: [UInt8] {
    CBORItem.map((0, .text(site.description)), (1, .unsigned(session)), (2, .bytes(boot))).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("death")
    site = try fields.siteName(0)
    session = try fields.unsigned(1)
    boot = try fields.bytes(2, count: LogEntry.bootBytes)
  }
}
