public import Seams
import Synchronization

/// One connection to a broker: MQTT 5 over TLS 1.3 by libmosquitto, on one thread of its own.
///
/// The events come on that thread, one after the other. A received message of QoS 1 is acknowledged after the callback
/// has returned, so what must not be lost is committed inside it; while it runs, nothing else of this link does. From
/// inside the callback every method may be called. Nothing here blocks its caller but `close`.
public final class BrokerLink: MessageLink {
  private let desk = OrderDesk()
  private let loop: LinkLoop
  private let thread: LinkThread

  public init(_ settings: BrokerSettings, onEvent: @escaping @Sendable (MessageEvent) -> Void) {
    precondition(settings.keepAliveS >= BrokerSettings.keepAliveMinS, "libmosquitto wants a keep-alive of 5 s or more")
    precondition(settings.windowMax > 0 && settings.packetBytesMax > 0 && settings.connectTimeoutMs > 0)
    let loop = LinkLoop(settings, desk, onEvent: onEvent)
    self.loop = loop
    thread = LinkThread(name: "broker link") { loop.run() }
  }

  deinit { desk.stop() }

  public func connect(will: OutgoingMessage?) throws(MessageFault) { try desk.connect(will: will) }

  public func publish(_ message: OutgoingMessage) throws(MessageFault) -> MessageID { try desk.publish(message) }

  public func subscribe(_ filter: String) throws(MessageFault) -> MessageID { try desk.subscribe(filter) }

  public func disconnect() { desk.disconnect() }

  /// Ends the thread, and a session with a good-bye; no event comes after it has returned. Called inside the callback
  /// it does not wait, and that event is the last.
  public func close() {
    desk.stop()
    thread.join()
  }

  /// Of the linked library.
  public static var libraryVersion: String { LibMosquitto.version }

  /// Turns of the link's thread so far.
  var turns: Int { loop.turns.load(ordering: .relaxed) }
}
