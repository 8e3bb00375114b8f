/// One message for the broker.
public struct Publication: Equatable, Sendable {
  /// Comes back with the broker's answer; 0 where nobody waits for it.
  public let id: UInt64
  public let topic: SyncTopic
  public let payload: [UInt8]
  public let qos: UInt8
  public let isRetained: Bool

  public init(id: UInt64 = 0, topic: SyncTopic, payload: [UInt8], qos: UInt8, isRetained: Bool = false) {
    (self.id, self.topic, self.payload, self.qos, self.isRetained) = (id, topic, payload, qos, isRetained)
  }

  /// Of the MQTT packet that carries it.
  public var packetBytes: Int { Self.packetBytes(topic, payload.count) }

  static func packetBytes(_ topic: SyncTopic, _ payload: Int) -> Int {
    topic.description.utf8.count + payload + SyncLimits.packetOverheadBytes
  }
}

/// Reason codes of MQTT 5 (§2.4) that mean something here.
enum BrokerReason {
  static let noMatchingSubscribers: UInt8 = 0x10
  static let notAuthorized: UInt8 = 0x87
}
