// Birth, site to foundation on `birth`, after every connect and when asked:
//
//     {0: site text, 1: epoch bytes(16), 2: session, 3: serial, 4: boot bytes(16), 5: software bytes(32),
//      6: [root, timestamp, snapshot, revocations] versions, 7: clock state, 8: [stream state, …], 9: directed next,
//      10: heartbeat interval ms, 11: wall ms, 12?: previous epoch bytes(16), 13?: challenge bytes(1 to 96),
//      14?: foundation checkpoint text, 15?: [capability text, …], 16: key epoch}
//
// Stream state:
//
//     {0: stream, 1: first kept, 2: next, 3: chain at next bytes(32), 4: root at next bytes(32),
//      5?: chain at first kept bytes(32), 6?: [frontier node bytes(32), …] at first kept}
//
// 5 and 6 stand together, when the site learned that the foundation wants entries below the first one kept: they let
// its log go on after the hole.

public import Provenance
public import TwinCore

/// What the owner of a site's peer knows and the peer does not.
public struct SiteStatus: Equatable, Sendable {
  /// Names this start of the machine.
  public var boot: [UInt8]
  /// Of the program that runs.
  public var software: Digest
  public var versions: MetadataVersions
  public var isClockTrusted: Bool
  /// The rung of the ladder of modes, as the site numbers them.
  public var mode: UInt8
  public var previousEpoch: LogEpoch?
  /// The newest checkpoint of the foundation's own log that the site has verified: the text of `Checkpoint`, unsigned.
  public var foundationCheckpoint: String?
  public var capabilities: [String]
  public var keyEpoch: UInt32

  public init(
    boot: [UInt8], software: Digest, versions: MetadataVersions = MetadataVersions(), isClockTrusted: Bool = false,
    mode: UInt8 = 0, previousEpoch: LogEpoch? = nil, foundationCheckpoint: String? = nil, capabilities: [String] = [],
    keyEpoch: UInt32 = 0
  ) {
    precondition(boot.count == LogEntry.bootBytes, "a boot has 16 bytes")
    precondition(capabilities.count <= SyncLimits.capabilitiesMax, "\(capabilities.count) capabilities")
    (self.boot, self.software, self.versions) = (boot, software, versions)
    (self.isClockTrusted, self.mode) = (isClockTrusted, mode)
    (self.previousEpoch, self.foundationCheckpoint) = (previousEpoch, foundationCheckpoint)
    (self.capabilities, self.keyEpoch) = (capabilities, keyEpoch)
  }
}

/// Versions of the trust metadata that a site has installed; 0 for none.
public struct MetadataVersions: Equatable, Sendable {
  public var root: UInt64
  public var timestamp: UInt64
  public var snapshot: UInt64
  public var revocations: UInt64

  public init(root: UInt64 = 0, timestamp: UInt64 = 0, snapshot: UInt64 = 0, revocations: UInt64 = 0) {
    (self.root, self.timestamp, self.snapshot, self.revocations) = (root, timestamp, snapshot, revocations)
  }
}

/// A site's account of itself and of its logs.
public struct Birth: WireMessage {
  public static let type = WireType.name("birth.v1")
  /// Bytes of a foundation's challenge.
  public static let challengeBytesMax = 96

  public struct StreamHead: Equatable, Sendable {
    public let stream: LogStream
    public let firstKept: UInt64
    public let next: UInt64
    public let chain: Digest
    public let root: Digest
    /// The log before `firstKept`, where its beginning is asked for and gone.
    public let resume: LogHead?

    public init(
      stream: LogStream, firstKept: UInt64, next: UInt64, chain: Digest, root: Digest, resume: LogHead?
    ) {
      (self.stream, self.firstKept, self.next) = (stream, firstKept, next)
      (self.chain, self.root, self.resume) = (chain, root, resume)
    }
  }

  public let site: SiteName
  public let mark: SitePresence.Mark
  public let status: SiteStatus
  /// At most one for each stream, in their order.
  public let streams: [StreamHead]
  /// The first directed entry that is not installed.
  public let directedNext: UInt64
  public let intervalMs: UInt32
  public let wallMs: Int64
  /// Echoes the foundation's, as it came: proof that the birth was made after it.
  public let challenge: [UInt8]?

  public init(
    site: SiteName, mark: SitePresence.Mark, status: SiteStatus, streams: [StreamHead], directedNext: UInt64,
    intervalMs: UInt32, wallMs: Int64, challenge: [UInt8]?
  ) {
    (self.site, self.mark, self.status, self.streams) = (site, mark, status, streams)
    (self.directedNext, self.intervalMs, self.wallMs, self.challenge) = (directedNext, intervalMs, wallMs, challenge)
  }
}

extension Birth {
  public var payload: [UInt8] {
    let versions = status.versions
    return CBORItem.map(
      (0, .text(site.description)), (1, .bytes(mark.epoch.bytes)), (2, .unsigned(mark.session)),
      (3, .unsigned(mark.serial)), (4, .bytes(status.boot)), (5, .digest(status.software)),
      (
        6,
        .array([versions.root, versions.timestamp, versions.snapshot, versions.revocations].map { .unsigned($0) })
      ),
      (7, .clock(isTrusted: status.isClockTrusted)), (8, .array(streams.map(\.item))), (9, .unsigned(directedNext)),
      (10, .number(intervalMs)), (11, .integer(wallMs)), (12, status.previousEpoch.map { .bytes($0.bytes) }),
      (13, challenge.map { .bytes($0) }), (14, status.foundationCheckpoint.map { .text($0) }),
      (15, status.capabilities.isEmpty ? nil : .array(status.capabilities.map { .text($0) })),
      (16, .number(status.keyEpoch))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("birth")
    site = try fields.siteName(0)
    let epoch = try fields.epoch(1)
    mark = SitePresence.Mark(epoch: epoch, session: try fields.unsigned(2), serial: try fields.unsigned(3))
    streams = try StreamHead.list(try fields.array(8, max: LogStream.allCases.count), epoch: epoch)
    directedNext = try fields.unsigned(9)
    intervalMs = try Heartbeat.interval(try fields.number(10))
    wallMs = try fields.integer(11)
    challenge = try fields.bytesIfPresent(13, max: Self.challengeBytesMax)
    status = try SiteStatus(&fields)
  }
}

extension SiteStatus {
  fileprivate init(_ fields: inout CBORFields) throws(ProvenanceFault) {
    boot = try fields.bytes(4, count: LogEntry.bootBytes)
    software = try fields.digest(5)
    var numbers: [UInt64] = []
    for item in try fields.array(6, max: 4) { numbers.append(try item.asUnsigned("birth.6")) }
    guard numbers.count == 4 else { throw .wire("birth.6", "\(numbers.count) versions, wanted 4") }
    versions = MetadataVersions(
      root: numbers[0], timestamp: numbers[1], snapshot: numbers[2], revocations: numbers[3])
    isClockTrusted = try fields.clock(7)
    mode = 0
    previousEpoch = try fields.bytesIfPresent(12, count: LogEpoch.bytesCount).flatMap(LogEpoch.init(bytes:))
    foundationCheckpoint = try fields.textIfPresent(14, max: SyncLimits.receiptBytesMax)
    capabilities = []
    for item in try fields.arrayIfPresent(15, max: SyncLimits.capabilitiesMax) ?? [] {
      capabilities.append(try item.asText(max: 64, "birth.15"))
    }
    keyEpoch = try fields.number(16)
  }
}

extension Birth.StreamHead {
  fileprivate var item: CBORItem {
    .map(
      (0, .number(stream.rawValue)), (1, .unsigned(firstKept)), (2, .unsigned(next)), (3, .digest(chain)),
      (4, .digest(root)), (5, resume.map { .digest($0.chain) }),
      (6, resume.map { .array($0.frontier.nodes.map { .digest($0) }) }))
  }

  fileprivate static func list(_ items: [CBORItem], epoch: LogEpoch) throws(ProvenanceFault) -> [Self] {
    var heads: [Self] = []
    for item in items {
      let head = try Self(item, epoch: epoch)
      if let last = heads.last, last.stream >= head.stream { throw .wire("birth.8", "streams not in their order") }
      heads.append(head)
    }
    return heads
  }

  private init(_ item: CBORItem, epoch: LogEpoch) throws(ProvenanceFault) {
    var fields = try item.fields("birth.8")
    stream = try fields.stream(0)
    (firstKept, next) = (try fields.unsigned(1), try fields.unsigned(2))
    guard firstKept <= next else { throw .wire("birth.8", "first kept \(firstKept) after next \(next)") }
    (chain, root) = (try fields.digest(3), try fields.digest(4))
    guard let resumeChain = try fields.digestIfPresent(5) else {
      resume = nil
      return
    }
    var nodes: [Digest] = []
    for node in try fields.array(6, max: 64) { nodes.append(try node.asDigest("birth.8.6")) }
    guard let frontier = MerkleFrontier(size: firstKept, nodes: nodes) else {
      throw .wire("birth.8.6", "\(nodes.count) nodes for \(firstKept) leaves")
    }
    resume = LogHead(epoch: epoch, stream: stream, chain: resumeChain, frontier: frontier)
  }
}
