// Command, foundation to site on `cmd`:
//
//     {0: site text, 1: order, 2: term, 3: foundation's time ms, 4?: epoch bytes(16), 5?: boot bytes(16),
//      6?: challenge bytes(1 to 96), 7?: heartbeat interval ms, 8?: bulk bytes per second}
//
//     order 1  rebirth     6
//     order 2  new epoch   4, 5
//     order 3  limits      7, 8, either or both
//
// Directed entry, foundation to site on `log`:
//
//     {0: site text, 1: sequence, 2: kind, 3: body bytes, 4: foundation's time ms}

public import Provenance

/// What a foundation may tell a site's peer to do. None of it reaches the plant.
public struct Command: WireMessage {
  public static let type = WireType.name("command.v1")

  public enum Order: Equatable, Sendable {
    /// Send a birth that echoes the challenge.
    case rebirth(challenge: [UInt8])
    /// The foundation holds more of `epoch` than the site that started as `boot`: close it and open another.
    case newEpoch(closing: LogEpoch, boot: [UInt8])
    case limits(intervalMs: UInt32?, bulkBytesPerSecond: UInt32?)
  }

  public let site: SiteName
  public let order: Order
  public let term: UInt64
  public let at: Int64

  public init(site: SiteName, order: Order, term: UInt64, at: Int64) {
    (self.site, self.order, self.term, self.at) = (site, order, term, at)
  }

  public var payload: [UInt8] {
    var (code, epoch, boot, challenge) = (1 as UInt64, nil as CBORItem?, nil as CBORItem?, nil as CBORItem?)
    var (interval, rate) = (nil as CBORItem?, nil as CBORItem?)
    switch order {
    case .rebirth(let bytes): (code, challenge) = (1, .bytes(bytes))
    case .newEpoch(let closing, let start): (code, epoch, boot) = (2, .bytes(closing.bytes), .bytes(start))
    case .limits(let ms, let bytes): (code, interval, rate) = (3, ms.map { .number($0) }, bytes.map { .number($0) })
    }
    return CBORItem.map(
      (0, .text(site.description)), (1, .unsigned(code)), (2, .unsigned(term)), (3, .integer(at)), (4, epoch),
      (5, boot), (6, challenge), (7, interval), (8, rate)
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("command")
    site = try fields.siteName(0)
    let code = try fields.unsigned(1)
    (term, at) = (try fields.unsigned(2), try fields.integer(3))
    switch code {
    case 1: order = .rebirth(challenge: try fields.bytes(6, max: Birth.challengeBytesMax))
    case 2: order = .newEpoch(closing: try fields.epoch(4), boot: try fields.bytes(5, count: LogEntry.bootBytes))
    case 3: order = try Self.limits(&fields)
    default: throw .wire("command.1", "\(code) is no order")
    }
    try fields.finish()
  }

  private static func limits(_ fields: inout CBORFields) throws(ProvenanceFault) -> Order {
    let interval = try fields.unsignedIfPresent(7)
    let rate = try fields.unsignedIfPresent(8)
    guard interval != nil || rate != nil else { throw .wire("command", "limits without one") }
    var intervalMs: UInt32?
    if let interval { intervalMs = try Heartbeat.interval(UInt32(clamping: interval)) }
    return .limits(intervalMs: intervalMs, bulkBytesPerSecond: rate.map { UInt32(clamping: $0) })
  }
}

/// One entry of the foundation's log for one site: an intent, a rollout, an order to fetch or to make new keys.
public struct DirectedEntry: WireMessage {
  public static let type = WireType.name("directed.v1")

  public let site: SiteName
  /// From 0 without holes: a site installs them in order, each once.
  public let sequence: UInt64
  public let kind: LogKind
  /// Carries its own signatures, by whoever may decide what it says.
  public let body: [UInt8]
  /// Milliseconds since 1970 by the foundation's clock.
  public let at: Int64

  public init(site: SiteName, sequence: UInt64, kind: LogKind, body: [UInt8], at: Int64) {
    precondition(body.count <= SyncLimits.directedBodyBytesMax, "a directed body of \(body.count) bytes")
    (self.site, self.sequence, self.kind, self.body, self.at) = (site, sequence, kind, body, at)
  }

  public var payload: [UInt8] {
    CBORItem.map(
      (0, .text(site.description)), (1, .unsigned(sequence)), (2, .number(kind.rawValue)), (3, .bytes(body)),
      (4, .integer(at))
    ).encoded
  }

  public init(payload: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(payload).fields("directed")
    site = try fields.siteName(0)
    sequence = try fields.unsigned(1)
    kind = LogKind(rawValue: try fields.number(2))
    body = try fields.bytes(3, max: SyncLimits.directedBodyBytesMax)
    at = try fields.integer(4)
    try fields.finish()
  }
}
