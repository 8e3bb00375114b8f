public import TwinCore

/// One session at a time with a message broker (MQTT 5): QoS 0 and 1, clean start, nothing kept by the broker.
///
/// A link never reconnects, re-subscribes or re-sends by itself. It tells what happened, in order, through the one
/// callback that its maker gave it, and everything a lost session had under way is forgotten: what was not `published`
/// before `disconnected` may or may not have arrived.
public protocol MessageLink: AnyObject, Sendable {
  /// Starts one attempt and returns at once; `connected` or `disconnected` follows. `will` is what the broker tells the
  /// others when this session ends without `disconnect()`.
  func connect(will: OutgoingMessage?) throws(MessageFault)
  /// Hands one message over; `published` follows unless the session ends first. Never waits, never queues while
  /// offline.
  func publish(_ message: OutgoingMessage) throws(MessageFault) -> MessageID
  /// Asks for every message whose topic matches `filter`, at most at QoS 1; `subscribed` follows.
  func subscribe(_ filter: String) throws(MessageFault) -> MessageID
  /// Ends the session or the attempt; `disconnected` with kind `requested` follows. Does nothing when there is none.
  func disconnect()
}

/// What a link tells its owner.
public enum MessageEvent: Equatable, Sendable {
  case connected(MessageLimits)
  /// The end of an attempt or of a session.
  case disconnected(MessageFault)
  case received(IncomingMessage)
  /// QoS 1: the broker's answer. QoS 0: the bytes are with the system.
  case published(MessageID, MessageReason)
  /// A broker may grant what its access list then never delivers.
  case subscribed(MessageID, [MessageReason])
}

/// Names one `publish` or `subscribe` of one link; never used twice in its life.
public struct MessageID: Hashable, Comparable, Sendable {
  public let number: UInt64

  public init(number: UInt64) { self.number = number }
  public static func < (a: MessageID, b: MessageID) -> Bool { a.number < b.number }
}

public struct OutgoingMessage: Equatable, Sendable {
  public enum Delivery: UInt8, Sendable {
    case atMostOnce = 0
    case atLeastOnce = 1
  }

  public var topic: String
  public var payload: [UInt8]
  public var delivery: Delivery
  /// Whether the broker keeps it for those who subscribe later.
  public var isRetained: Bool

  public init(topic: String, payload: [UInt8], delivery: Delivery = .atLeastOnce, isRetained: Bool = false) {
    (self.topic, self.payload, self.delivery, self.isRetained) = (topic, payload, delivery, isRetained)
  }
}

public struct IncomingMessage: Equatable, Sendable {
  public var topic: String
  public var payload: [UInt8]
  /// True for one that the broker had kept from before the subscription.
  public var isRetained: Bool

  public init(topic: String, payload: [UInt8], isRetained: Bool = false) {
    (self.topic, self.payload, self.isRetained) = (topic, payload, isRetained)
  }
}

/// What the broker allows in this session (CONNACK, MQTT 5 §3.2.2.3).
public struct MessageLimits: Equatable, Sendable {
  /// The largest whole packet that may be sent, in bytes: header, topic and payload together.
  public var packetBytesMax: Int
  /// Messages of QoS 1 that may wait for their answer at once.
  public var windowMax: Int
  /// The name that the broker chose, when it was not given one.
  public var clientID: String?

  public init(packetBytesMax: Int, windowMax: Int, clientID: String? = nil) {
    (self.packetBytesMax, self.windowMax, self.clientID) = (packetBytesMax, windowMax, clientID)
  }
}

/// A broker's answer to one message (MQTT 5 §2.4). Below 0x80 is success.
public struct MessageReason: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let success = MessageReason(rawValue: 0x00)
  /// Accepted, and nobody was there to get it.
  public static let noMatchingSubscribers = MessageReason(rawValue: 0x10)
  public static let notAuthorized = MessageReason(rawValue: 0x87)
  public static let packetTooLarge = MessageReason(rawValue: 0x95)
  public static let quotaExceeded = MessageReason(rawValue: 0x97)

  public var isFailure: Bool { rawValue >= 0x80 }
}

/// Why a link refused a call, or why its session ended.
public struct MessageFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// `publish` or `subscribe` without a session.
    case notConnected = "not_connected"
    /// `connect` while there is a session, or while given-up attempts still hang in the system.
    case busy
    /// As many messages wait for an answer as may.
    case windowFull = "window_full"
    /// The whole packet is larger than the broker takes, or larger than we take.
    case tooLarge = "too_large"
    /// No topic or filter by MQTT 5 §4.7.
    case badTopic = "bad_topic"
    /// A certificate or key file that cannot be used.
    case badCredentials = "bad_credentials"
    /// Name not found, refused, no route.
    case unreachable
    /// No session within the time given.
    case timeout
    /// The two sides could not agree on who they are, or on how to talk.
    case tlsFailed = "tls_failed"
    /// The broker said no, or ended the session with a reason.
    case refused
    /// The other side closed or reset the connection.
    case closed
    /// No answer to the keep-alive.
    case silent
    /// Bytes that break MQTT 5, or a broker without what this protocol needs.
    case malformed
    /// `disconnect()` was called.
    case requested
  }

  public let kind: Kind
  public let message: String
  public let remedy: String
  /// The broker's own reason, when it gave one.
  public let reason: MessageReason?

  public init(_ kind: Kind, _ message: String, remedy: String, reason: MessageReason? = nil) {
    (self.kind, self.message, self.remedy, self.reason) = (kind, message, remedy, reason)
  }

  public var code: String { "mqtt.\(kind.rawValue)" }

  public var isRetriable: Bool {
    switch kind {
    case .tooLarge, .badTopic, .badCredentials: false
    default: true
    }
  }
}
