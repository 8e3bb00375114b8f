import CModbus
import Glibc

/// The owner of one `modbus_t`, the only place that sees the C library (3.1.6). Single-threaded.
///
/// Error recovery stays off: the library's own reconnects neither count nor end. Its byte timeout is off too, so that
/// the one response or indication timeout bounds a whole frame (select(2) on Linux hands back what is left of it).
@safe struct LibModbus: ~Copyable {
  /// Larger than any frame that the library reads (260).
  static let frameBytesMax = 512
  /// select(2), which the library waits with, writes outside its set from here on.
  private static let descriptorMax: Int32 = 1024

  enum Outcome: Equatable {
    case frame([UInt8])
    /// Whole, but of another unit than the one set; the checksum is not looked at.
    case otherUnit([UInt8])
    case timeout
    case badChecksum
    case tooLong
    case lost(String)
  }

  private let context: OpaquePointer
  /// A serial context owns its descriptor; a server's sockets belong to the server.
  private let ownsDescriptor: Bool

  private init?(_ context: OpaquePointer?, ownsDescriptor: Bool) {
    guard let context = unsafe context else { return nil }
    unsafe self.context = context
    self.ownsDescriptor = ownsDescriptor
    unsafe modbus_set_error_recovery(context, MODBUS_ERROR_RECOVERY_NONE)
    unsafe modbus_set_byte_timeout(context, 0, 0)
  }

  deinit {
    if ownsDescriptor { unsafe modbus_close(context) }
    unsafe modbus_free(context)
  }

  static func serial(_ path: String, baud: Int, parity: Character, dataBits: Int, stopBits: Int) -> LibModbus? {
    guard let letter = parity.asciiValue else { return nil }
    return unsafe LibModbus(
      modbus_new_rtu(path, Int32(baud), CChar(letter), Int32(dataBits), Int32(stopBits)), ownsDescriptor: true)
  }

  static func server(_ address: String, port: UInt16) -> LibModbus? {
    unsafe LibModbus(modbus_new_tcp_pi(address, String(port)), ownsDescriptor: false)
  }

  /// nil when connected, else why not.
  borrowing func connect() -> String? {
    guard unsafe modbus_connect(context) == 0 else { return Self.reason(errno) }
    return descriptor() < Self.descriptorMax ? nil : "too many open files"
  }

  borrowing func descriptor() -> Int32 { unsafe modbus_get_socket(context) }

  /// Throws away what lies in both directions' buffers.
  borrowing func flush() {
    unsafe modbus_flush(context)
  }

  /// nil when all bytes are on their way, else why not.
  borrowing func send(unit: UInt8, pdu: [UInt8]) -> String? {
    guard unsafe modbus_set_slave(context, Int32(unit)) == 0 else { return Self.reason(errno) }
    let request = [unit] + pdu
    let sent = unsafe modbus_send_raw_request(context, request, Int32(request.count))
    let code = errno
    return sent >= 0 ? nil : Self.reason(code)
  }

  /// One frame with checksum, within `milliseconds`.
  borrowing func receiveReply(milliseconds: Int32) -> Outcome {
    let left = UInt32(max(milliseconds, 1))
    unsafe modbus_set_response_timeout(context, left / 1000, left % 1000 * 1000)
    var frame = [UInt8](repeating: 0, count: Self.frameBytesMax)
    let length = unsafe modbus_receive_confirmation(context, &frame)
    let code = errno
    return Self.outcome(length, code, frame)
  }

  /// A listening socket, or why there is none.
  borrowing func listen(backlog: Int) -> Result<Int32, Text> {
    let listener = unsafe modbus_tcp_pi_listen(context, Int32(backlog))
    let code = errno
    return listener >= 0 ? .success(listener) : .failure(Text(text: Self.reason(code)))
  }

  struct Text: Error { let text: String }

  /// A client's socket, which the caller closes; nil when the client is gone again.
  borrowing func accept(from listener: Int32) -> Int32? {
    var listener = listener
    let client = unsafe modbus_tcp_pi_accept(context, &listener)
    guard client >= 0 else { return nil }
    guard client < Self.descriptorMax else {
      _ = Glibc.close(client)
      return nil
    }
    return client
  }

  /// One request from `client`, within `milliseconds`.
  borrowing func receiveRequest(from client: Int32, milliseconds: Int32) -> Outcome {
    unsafe modbus_set_socket(context, client)
    unsafe modbus_set_indication_timeout(context, 0, UInt32(min(max(milliseconds, 1), 999)) * 1000)
    var frame = [UInt8](repeating: 0, count: Self.frameBytesMax)
    let length = unsafe modbus_receive(context, &frame)
    let code = errno
    return Self.outcome(length, code, frame)
  }

  /// Refuses a received request. False when the client is gone.
  borrowing func refuse(_ frame: [UInt8], to client: Int32, code: UInt8) -> Bool {
    unsafe modbus_set_socket(context, client)
    return unsafe modbus_reply_exception(context, frame, UInt32(code)) > 0
  }

  /// Answers a received request out of register images that begin at address `start`: the library copies values to read
  /// from them and puts written values into them. False when the client is gone.
  borrowing func reply(to frame: [UInt8], client: Int32, start: Int, bits: [Bool], registers: [UInt16]) -> Bool {
    let (first, bitCount, wordCount) = (UInt32(start), UInt32(bits.count), UInt32(registers.count))
    let image = unsafe modbus_mapping_new_start_address(
      first, bitCount, first, bitCount, first, wordCount, first, wordCount)
    guard let image = unsafe image else { return false }
    defer { unsafe modbus_mapping_free(image) }
    for index in bits.indices {
      let bit: UInt8 = bits[index] ? 1 : 0
      unsafe image.pointee.tab_bits[index] = bit
      unsafe image.pointee.tab_input_bits[index] = bit
    }
    for index in registers.indices {
      unsafe image.pointee.tab_registers[index] = registers[index]
      unsafe image.pointee.tab_input_registers[index] = registers[index]
    }
    unsafe modbus_set_socket(context, client)
    return unsafe modbus_reply(context, frame, Int32(frame.count), image) > 0
  }

  private static func outcome(_ length: Int32, _ code: Int32, _ frame: [UInt8]) -> Outcome {
    if length > 0 { return .frame(Array(frame.prefix(Int(length)))) }
    if length == 0 { return .otherUnit(frame) }
    // The library's codes are sums of macros, which Swift does not import: base 112345678, last exception 11.
    let base: Int32 = 112_345_678
    switch code {
    case ETIMEDOUT: return .timeout
    case base + 12: return .badChecksum
    case base + 13: return .tooLong
    default: return .lost(reason(code))
    }
  }

  private static func reason(_ code: Int32) -> String {
    unsafe String(cString: modbus_strerror(code))
  }
}
