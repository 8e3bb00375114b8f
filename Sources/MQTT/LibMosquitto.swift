import CMosquitto
import Glibc
import Seams
import Synchronization

/// The owner of one `struct mosquitto` (2.0.11), for one attempt and its session; the only place that sees the library.
///
/// A fresh one for each attempt, so that nothing the library queued in one session comes out in the next. The library's
/// own threads, loop and reconnects are never used. "Threaded" is set so that it only queues: then an acknowledgement
/// leaves after the callback that took the message has returned.
@safe final class LibMosquitto: @unchecked Sendable {
  // @unchecked: one thread at a time uses it: the attempt's until the hand-over, the link's from there on.

  /// What a callback brought, told before the callback returns.
  enum Notice {
    case answered(UInt8, ServerLimits)
    case received(IncomingMessage)
    case published(Int32, UInt8)
    case subscribed(Int32, [UInt8])
    /// From 0x80 on the broker's reason, below the library's code.
    case ended(Int32)
  }

  /// CONNACK's properties (MQTT 5 §3.2.2.3); nil where the broker said nothing.
  struct ServerLimits {
    var packetBytesMax: UInt32?
    var receiveMaximum: UInt16?
    var clientID: String?
    var deliveryMax: UInt8?
    var isRetainAvailable: Bool?
  }

  /// Calls of `read` on one wake-up: enough to empty what one burst left inside TLS, few enough to hear orders.
  private static let readsMax = 64
  private static let complaintMax = 240

  private let handle: OpaquePointer
  private var notify: ((Notice) -> Void)?
  /// Packets of every kind that came whole.
  private(set) var packetsReceived = 0
  /// The first error that the library logged; its return codes do not say why TLS failed.
  private(set) var complaint: String?

  private init?(clientID: String?) {
    guard Self.isStarted, let made = unsafe mosquitto_new(clientID, true, nil) else { return nil }
    unsafe handle = unsafe made
    unsafe mosquitto_user_data_set(handle, Unmanaged.passUnretained(self).toOpaque())
    setCallbacks()
  }

  deinit { unsafe mosquitto_destroy(handle) }

  private static let isStarted: Bool = mosquitto_lib_init() == MOSQ_ERR_SUCCESS.rawValue

  static var version: String {
    var (major, minor, revision): (Int32, Int32, Int32) = (0, 0, 0)
    _ = unsafe mosquitto_lib_version(&major, &minor, &revision)
    return "\(major).\(minor).\(revision)"
  }

  /// From now on this thread reads and writes; `notify` is called inside `read`, `write` and `misc`.
  func adopt(_ notify: @escaping (Notice) -> Void) { self.notify = notify }

  /// -1 once the library has closed it.
  var descriptor: Int32 { unsafe mosquitto_socket(handle) }
  var wantsToWrite: Bool { unsafe mosquitto_want_write(handle) }

  /// Reads what is there; `hasMore` when it stopped before the end.
  ///
  /// One call of the library can leave whole packets inside TLS, where poll(2) does not see them: it looks at an errno
  /// that its own callbacks change. So it is called until a call brings no packet.
  func read() -> (status: Int32, hasMore: Bool) {
    for _ in 0..<Self.readsMax {
      let before = packetsReceived
      let status = unsafe mosquitto_loop_read(handle, 1)
      if status != MOSQ_ERR_SUCCESS.rawValue || descriptor < 0 { return (status, false) }
      if packetsReceived == before { return (status, false) }
    }
    return (MOSQ_ERR_SUCCESS.rawValue, true)
  }

  func write() -> Int32 { unsafe mosquitto_loop_write(handle, 1) }

  /// Keep-alive; wanted every few seconds.
  func misc() -> Int32 { unsafe mosquitto_loop_misc(handle) }

  func publish(_ message: OutgoingMessage) -> (status: Int32, id: Int32) {
    var id: Int32 = 0
    let status = unsafe mosquitto_publish_v5(
      handle, &id, message.topic, Int32(message.payload.count), message.payload, Int32(message.delivery.rawValue),
      message.isRetained, nil)
    return (status, id)
  }

  func subscribe(_ filter: String) -> (status: Int32, id: Int32) {
    var id: Int32 = 0
    let status = unsafe mosquitto_subscribe_v5(handle, &id, filter, 1, 0, nil)
    return (status, id)
  }

  /// Queues the DISCONNECT that makes the broker forget the will.
  func disconnect() -> Int32 { unsafe mosquitto_disconnect_v5(handle, 0, nil) }

  /// What an end by the library's own code means to a session.
  enum Ending {
    case tls, silent, malformed, lost

    init(_ status: Int32) {
      switch status {
      case MOSQ_ERR_TLS.rawValue, MOSQ_ERR_TLS_HANDSHAKE.rawValue: self = .tls
      case MOSQ_ERR_KEEPALIVE.rawValue: self = .silent
      case MOSQ_ERR_PROTOCOL.rawValue, MOSQ_ERR_MALFORMED_PACKET.rawValue, MOSQ_ERR_MALFORMED_UTF8.rawValue,
        MOSQ_ERR_DUPLICATE_PROPERTY.rawValue, MOSQ_ERR_OVERSIZE_PACKET.rawValue, MOSQ_ERR_NOT_SUPPORTED.rawValue:
        self = .malformed
      default: self = .lost
      }
    }
  }

  static func words(_ status: Int32) -> String { unsafe String(cString: mosquitto_strerror(status)) }
  static func words(_ reason: MessageReason) -> String {
    unsafe String(cString: mosquitto_reason_string(Int32(reason.rawValue)))
  }
}

extension LibMosquitto {
  /// Resolves, connects and queues the CONNECT. Blocks as long as the resolver and the kernel like.
  static func connected(_ settings: BrokerSettings, will: OutgoingMessage?) throws(MessageFault) -> LibMosquitto {
    guard let library = LibMosquitto(clientID: settings.clientID) else {
      throw MessageFault(.unreachable, "libmosquitto has no memory", remedy: "free memory, then it is tried again")
    }
    try library.prepare(settings, will)
    var properties: OpaquePointer?
    defer { unsafe mosquitto_property_free_all(&properties) }
    // 0: the session ends with the connection. The broker keeps nothing that could come late or twice.
    let expiry = unsafe mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL.code, 0)
    let window = unsafe mosquitto_property_add_int16(
      &properties, MQTT_PROP_RECEIVE_MAXIMUM.code, settings.windowMax)
    let packet = unsafe mosquitto_property_add_int32(
      &properties, MQTT_PROP_MAXIMUM_PACKET_SIZE.code, UInt32(clamping: settings.packetBytesMax))
    let isPrepared = [expiry, window, packet].allSatisfy { $0 == MOSQ_ERR_SUCCESS.rawValue }
    guard isPrepared else {
      throw MessageFault(.unreachable, "libmosquitto has no memory", remedy: "free memory, then it is tried again")
    }
    let (host, port) = (settings.address.host, settings.address.port)
    let pass = TLSGate.enter()
    let status = unsafe mosquitto_connect_bind_v5(
      library.handle, host, Int32(port), Int32(settings.keepAliveS), nil, properties)
    let code = errno
    TLSGate.leave(pass, isOpen: status == MOSQ_ERR_SUCCESS.rawValue)
    guard status == MOSQ_ERR_SUCCESS.rawValue else { throw library.refusal(status, code, "\(host):\(port)") }
    return library
  }

  private func prepare(_ settings: BrokerSettings, _ will: OutgoingMessage?) throws(MessageFault) {
    let files = settings.credentials
    var statuses = unsafe [
      mosquitto_threaded_set(handle, true),
      mosquitto_int_option(handle, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5),
      mosquitto_int_option(handle, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(settings.windowMax)),
      mosquitto_int_option(handle, MOSQ_OPT_SEND_MAXIMUM, Int32(settings.windowMax)),
      mosquitto_int_option(handle, MOSQ_OPT_TCP_NODELAY, 1),
      // 1 is SSL_VERIFY_PEER; the host name is checked unless it is switched off, which it never is here.
      mosquitto_tls_opts_set(handle, 1, "tlsv1.3", nil),
    ]
    if let will {
      statuses.append(
        unsafe mosquitto_will_set_v5(
          handle, will.topic, Int32(will.payload.count), will.payload, Int32(will.delivery.rawValue),
          will.isRetained, nil))
    }
    if let failed = statuses.first(where: { $0 != MOSQ_ERR_SUCCESS.rawValue }) {
      throw MessageFault(
        .malformed, "libmosquitto \(Self.version) refused the settings: \(Self.words(failed))",
        remedy: "check the will and the window; twind is tested with libmosquitto 2.0.11")
    }
    // Without the callback OpenSSL would ask for a passphrase on the terminal.
    let status = unsafe mosquitto_tls_set(
      handle, files.authorities, nil, files.certificate, files.key, { _, _, _, _ in -1 })
    guard status == MOSQ_ERR_SUCCESS.rawValue else {
      let paths = [files.authorities, files.certificate, files.key].compactMap { $0 }.joined(separator: ", ")
      throw MessageFault(
        .badCredentials, "one of \(paths) cannot be opened",
        remedy: "check that the files are there and that user twind may read them")
    }
  }

  private func refusal(_ status: Int32, _ code: Int32, _ name: String) -> MessageFault {
    switch status {
    case MOSQ_ERR_EAI.rawValue:
      let why = unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "no address"
      return MessageFault(.unreachable, "host of \(name): \(why)", remedy: "check the host name and the name server")
    case MOSQ_ERR_TLS.rawValue where complaint?.contains("Unable to load") == true:
      return badFiles
    case MOSQ_ERR_TLS.rawValue where complaint?.contains("inconsistent") == true:
      return badFiles
    case MOSQ_ERR_TLS.rawValue:
      return MessageFault(
        .tlsFailed, "\(name): \(complaint ?? Self.words(status))", remedy: "check both sides' certificates and clocks")
    case MOSQ_ERR_ERRNO.rawValue:
      return MessageFault(
        .unreachable, "\(name): \(unsafe String(cString: strerror(code)))",
        remedy: "check that the broker runs and the network leads there")
    default:
      return MessageFault(
        .unreachable, "\(name): \(Self.words(status))", remedy: "check the address and the keep-alive")
    }
  }

  private var badFiles: MessageFault {
    MessageFault(
      .badCredentials, complaint ?? "unusable certificate files",
      remedy: "check that certificate and key belong together and are PEM without a passphrase")
  }
}

extension LibMosquitto {
  private func setCallbacks() {
    unsafe mosquitto_connect_v5_callback_set(handle) { _, raw, reason, _, properties in
      unsafe LibMosquitto.of(raw)?.notify?(.answered(UInt8(truncatingIfNeeded: reason), ServerLimits(properties)))
    }
    unsafe mosquitto_disconnect_v5_callback_set(handle) { _, raw, status, _ in
      unsafe LibMosquitto.of(raw)?.notify?(.ended(status))
    }
    unsafe mosquitto_publish_v5_callback_set(handle) { _, raw, id, reason, _ in
      unsafe LibMosquitto.of(raw)?.notify?(.published(id, UInt8(truncatingIfNeeded: reason)))
    }
    unsafe mosquitto_subscribe_v5_callback_set(handle) { _, raw, id, count, granted, _ in
      let granted = unsafe UnsafeBufferPointer(start: granted, count: Int(count))
      let reasons = unsafe granted.map { UInt8(truncatingIfNeeded: $0) }
      unsafe LibMosquitto.of(raw)?.notify?(.subscribed(id, reasons))
    }
    unsafe mosquitto_message_v5_callback_set(handle) { _, raw, message, _ in
      guard let message = unsafe message?.pointee, let topic = unsafe message.topic else { return }
      let payload = unsafe [UInt8](UnsafeRawBufferPointer(start: message.payload, count: Int(message.payloadlen)))
      let incoming = unsafe IncomingMessage(
        topic: String(cString: topic), payload: payload, isRetained: message.retain)
      unsafe LibMosquitto.of(raw)?.notify?(.received(incoming))
    }
    unsafe mosquitto_log_callback_set(handle) { _, raw, level, text in
      guard let text = unsafe text else { return }
      unsafe LibMosquitto.of(raw)?.note(level, text)
    }
  }

  /// The log is the one place where the library tells of every packet (level debug) and of OpenSSL's errors.
  private func note(_ level: Int32, _ text: UnsafePointer<CChar>) {
    if level & MOSQ_LOG_DEBUG != 0 {
      if unsafe strstr(text, " received ") != nil { packetsReceived += 1 }
    } else if level & MOSQ_LOG_ERR != 0, complaint == nil {
      complaint = unsafe String(String(cString: text).prefix(Self.complaintMax))
    }
  }

  private static func of(_ raw: UnsafeMutableRawPointer?) -> LibMosquitto? {
    // Unretained: the callbacks run inside calls that the owner makes.
    unsafe raw.map { unsafe Unmanaged<LibMosquitto>.fromOpaque($0).takeUnretainedValue() }
  }
}

extension LibMosquitto.ServerLimits {
  fileprivate init(_ properties: OpaquePointer?) {
    var (word, short, byte): (UInt32, UInt16, UInt8) = (0, 0, 0)
    if unsafe mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE.code, &word, false) != nil {
      packetBytesMax = word
    }
    if unsafe mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM.code, &short, false) != nil {
      receiveMaximum = short
    }
    if unsafe mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS.code, &byte, false) != nil {
      deliveryMax = byte
    }
    if unsafe mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE.code, &byte, false) != nil {
      isRetainAvailable = byte != 0
    }
    var text: UnsafeMutablePointer<CChar>?
    let id = MQTT_PROP_ASSIGNED_CLIENT_IDENTIFIER.code
    if unsafe mosquitto_property_read_string(properties, id, &text, false) != nil, let found = unsafe text {
      clientID = unsafe String(cString: found)
      unsafe free(found)
    }
  }
}

extension mqtt5_property {
  fileprivate var code: Int32 { Int32(rawValue) }
}

/// The library sets up its part of OpenSSL at the first TLS connect, without a lock; so until one has succeeded,
/// connects go one by one. Each waits only a while: a first broker that cannot be reached must not hold up the others.
private enum TLSGate {
  private static let waitsMax = 500
  private static let waitUs: UInt32 = 10_000
  private enum State: UInt8, AtomicRepresentable { case shut, passing, open }
  private static let state = Atomic(State.shut)

  /// Whether the gate is now held.
  static func enter() -> Bool {
    for _ in 0..<waitsMax {
      let (entered, seen) = state.compareExchange(expected: .shut, desired: .passing, ordering: .acquiringAndReleasing)
      if entered { return true }
      if seen == .open { return false }
      _ = usleep(waitUs)
    }
    return false
  }

  static func leave(_ isHeld: Bool, isOpen: Bool) {
    if isOpen {
      state.store(.open, ordering: .releasing)
    } else if isHeld {
      _ = state.compareExchange(expected: .passing, desired: .shut, ordering: .acquiringAndReleasing)
    }
  }
}
