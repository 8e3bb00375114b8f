// Every message is a SignedEnvelope whose type names the layout of its payload, one strict CBOR map with small integer
// keys. Each message's file begins with its map. Types that carry authority (acks, commands, directed entries,
// artefacts) have no unknown fields; those that only report (batches, births, heartbeats, death hints) may grow new
// ones, which are passed over.

public import Provenance

/// One kind of message of the protocol.
public protocol WireMessage: Equatable, Sendable {
  /// The envelope's type; another layout gets another version in it.
  static var type: String { get }
  var payload: [UInt8] { get }
  /// Faults: `provenance.message_malformed`, `provenance.message_too_large`.
  init(payload: [UInt8]) throws(ProvenanceFault)
}

/// Signs what a peer sends: the bytes of an envelope. Bound to one secret key by whoever owns it.
public typealias Seal = (_ type: String, _ payload: [UInt8]) -> [UInt8]

/// Signs a checkpoint of a site's own log: the whole note.
public typealias HeadSeal = (Checkpoint) -> String

extension WireMessage {
  func sealed(by seal: Seal) -> [UInt8] { seal(Self.type, payload) }
}

enum WireType {
  static func name(_ what: String) -> String { "application/vnd.twind.\(what)+cbor" }
}

extension ProvenanceFault {
  static func wire(_ place: String, _ problem: String) -> ProvenanceFault {
    ProvenanceFault(
      .messageMalformed, path: place, "\(place): \(problem)",
      remedy: "drop it; if the same peer sends more of them, compare the releases of both ends")
  }
}

extension CBORItem {
  /// What a site says of its clock: 0 trusted, 1 not.
  static func clock(isTrusted: Bool) -> CBORItem { .unsigned(isTrusted ? 0 : 1) }

  static func number(_ value: some FixedWidthInteger) -> CBORItem { .unsigned(UInt64(value)) }
}

extension CBORFields {
  mutating func siteName(_ key: UInt64) throws(ProvenanceFault) -> SiteName {
    let text = try text(key, max: SiteName.tenantBytesMax + SiteName.siteBytesMax + 1)
    guard let name = SiteName(text) else { throw .wire("\(self.name).\(key)", "\(text.debugDescription) is no site") }
    return name
  }

  mutating func clock(_ key: UInt64) throws(ProvenanceFault) -> Bool {
    let value = try unsigned(key)
    guard value <= 1 else { throw .wire("\(name).\(key)", "\(value) is no state of a clock") }
    return value == 0
  }

  mutating func epoch(_ key: UInt64) throws(ProvenanceFault) -> LogEpoch {
    LogEpoch(bytes: try bytes(key, count: LogEpoch.bytesCount))!
  }

  mutating func stream(_ key: UInt64) throws(ProvenanceFault) -> LogStream {
    let value = try number(key, as: UInt8.self)
    guard let stream = LogStream(rawValue: value) else { throw .wire("\(name).\(key)", "\(value) is no stream") }
    return stream
  }
}
