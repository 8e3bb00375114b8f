import Seams

/// Where a broker listens. `host` is what its certificate must be made out to, a name or an address.
public struct BrokerAddress: Hashable, Sendable {
  /// The registered port of MQTT over TLS.
  public static let defaultPort: UInt16 = 8883

  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16 = defaultPort) { (self.host, self.port) = (host, port) }
}

/// Paths of PEM files; read at every `connect`, so that a renewed certificate counts from the next session on.
public struct BrokerCredentials: Hashable, Sendable {
  /// The certificates a broker's chain may end in, and none besides: the system's own are not asked.
  public let authorities: String
  /// Our certificate, followed by those between it and the root. Without it the broker sees nobody (enrolment).
  public let certificate: String?
  /// PKCS #8 without a passphrase.
  public let key: String?

  public init(authorities: String, certificate: String, key: String) {
    (self.authorities, self.certificate, self.key) = (authorities, certificate, key)
  }

  public init(authoritiesOnly authorities: String) {
    (self.authorities, certificate, key) = (authorities, nil, nil)
  }
}

/// How one link talks.
public struct BrokerSettings: Equatable, Sendable {
  /// Shorter, and libmosquitto refuses to connect.
  public static let keepAliveMinS: UInt16 = 5

  public var address: BrokerAddress
  public var credentials: BrokerCredentials
  /// nil lets the broker choose; ours takes the certificate's common name whatever stands here.
  public var clientID: String?
  /// A broker that says nothing for up to twice this long is given up. Ten minutes cost half a byte per second.
  public var keepAliveS: UInt16 = 600
  /// From `connect` to the broker's answer, name resolution and TLS included.
  public var connectTimeoutMs = 30_000
  /// Unanswered messages of QoS 1, in each direction. More only lengthens queues.
  public var windowMax: UInt16 = 32
  /// The largest packet that the broker may send us, in bytes.
  public var packetBytesMax = 327_680

  public init(address: BrokerAddress, credentials: BrokerCredentials, clientID: String? = nil) {
    (self.address, self.credentials, self.clientID) = (address, credentials, clientID)
  }
}

/// The size and form of packets (MQTT 5 §1.5, §3.3, §4.7).
enum PublishPacket {
  static let topicBytesMax = 65_535
  /// The largest remaining length that four bytes can tell.
  static let remainingBytesMax = 268_435_455

  /// The whole packet: fixed header, topic, identifier (QoS 1), the empty properties, payload.
  static func byteCount(topicBytes: Int, payloadBytes: Int, delivery: OutgoingMessage.Delivery) -> Int {
    let remaining = 2 + topicBytes + (delivery == .atLeastOnce ? 2 : 0) + 1 + payloadBytes
    return 1 + lengthBytes(remaining) + remaining
  }

  static func isTopic(_ topic: String) -> Bool {
    isName(topic) && !topic.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
  }

  /// A level is `+`, `#` at the very end, or text without either.
  static func isFilter(_ filter: String) -> Bool {
    guard isName(filter) else { return false }
    let levels = filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return levels.indices.allSatisfy { index in
      let level = levels[index]
      if level.elementsEqual([UInt8(ascii: "#")]) { return index == levels.count - 1 }
      let isWild = level.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
      return !isWild || level.elementsEqual([UInt8(ascii: "+")])
    }
  }

  /// NUL would end it in C; the other control characters a broker may refuse by closing.
  private static func isName(_ name: String) -> Bool {
    (1...topicBytesMax).contains(name.utf8.count)
      && !name.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
  }

  private static func lengthBytes(_ remaining: Int) -> Int {
    switch remaining {
    case ..<128: 1
    case ..<16_384: 2
    case ..<2_097_152: 3
    default: 4
    }
  }
}
