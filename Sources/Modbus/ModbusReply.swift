// Reply PDUs, big endian (MODBUS Application Protocol V1.1b3 §6, §7):
//
//   01 02         function, byte count u8 = ceil(count / 8), bits, first bit lowest
//   03 04 17      function, byte count u8 = 2 x count, values u16
//   05 06 16      the request again
//   0F 10         function, address u16, count u16 of the request
//   refusal       function | 0x80, exception code u8

public import Seams

/// A device's refusal: a normal answer, never a reason to drop a connection (§7).
public struct ModbusException: Hashable, Sendable, CustomStringConvertible {
  public let code: UInt8

  public init(code: UInt8) { self.code = code }

  public static let illegalFunction = ModbusException(code: 1)
  public static let illegalDataAddress = ModbusException(code: 2)
  public static let illegalDataValue = ModbusException(code: 3)
  public static let deviceFailure = ModbusException(code: 4)
  public static let acknowledge = ModbusException(code: 5)
  public static let deviceBusy = ModbusException(code: 6)
  public static let negativeAcknowledge = ModbusException(code: 7)
  public static let memoryParityError = ModbusException(code: 8)
  public static let gatewayPathUnavailable = ModbusException(code: 10)
  public static let gatewayTargetSilent = ModbusException(code: 11)

  /// The name in the standard; codes that it does not define keep their number.
  public var name: String {
    switch code {
    case 1: "illegal function"
    case 2: "illegal data address"
    case 3: "illegal data value"
    case 4: "device failure"
    case 5: "acknowledge"
    case 6: "device busy"
    case 7: "negative acknowledge"
    case 8: "memory parity error"
    case 10: "gateway path unavailable"
    case 11: "gateway target failed to respond"
    default: "undefined"
    }
  }

  public var description: String { "exception \(code) (\(name))" }
}

/// What a device answered.
public enum ModbusReply: Equatable, Sendable {
  case registers([UInt16])
  case bits([Bool])
  /// The device says that it wrote; only reading again proves it.
  case written
  case exception(ModbusException)
}

extension ModbusRequest {
  /// Decodes the reply PDU to this request.
  ///
  /// Errors: `.wrongLength` when length or byte count are not those of the request, `.mismatched` when function or echo
  /// differ.
  public func decode(_ reply: [UInt8]) throws(LinkFault) -> ModbusReply {
    let question = pdu
    try ReplyShape.check(reply, answers: question)
    if reply[0] != function { return .exception(ModbusException(code: reply[1])) }
    switch self {
    case .read(let table, _, let count):
      return table.isBits ? .bits(reply.bits(from: 2, count: Int(count))) : .registers(reply.words(from: 2))
    case .readWrite:
      return .registers(reply.words(from: 2))
    case .writeCoil, .writeRegister, .maskWrite:
      try Self.checkEcho(reply, question[...])
    case .writeCoils, .writeRegisters:
      try Self.checkEcho(reply, question.prefix(5))
    }
    return .written
  }

  private static func checkEcho(_ reply: [UInt8], _ wanted: ArraySlice<UInt8>) throws(LinkFault) {
    guard reply[...] == wanted else {
      throw LinkFault(
        .mismatched, "the device confirmed write \(hex(reply)), not \(hex(wanted))",
        remedy: "read the register again before trusting it")
    }
  }
}

/// How long the reply to a request is, known from the request alone; framers without a length field live by it.
public enum ReplyShape {
  public static let exceptionLength = 2

  /// PDU bytes of the positive reply; nil for a function whose replies have no length that the request determines.
  public static func length(answering request: [UInt8]) -> Int? {
    guard let function = request.first, request.count >= 5 else { return nil }
    switch function {
    case 0x01, 0x02: return 2 + (Int(request.word(at: 3)) + 7) / 8
    case 0x03, 0x04, 0x17: return 2 + 2 * Int(request.word(at: 3))
    case 0x05, 0x06, 0x0F, 0x10: return 5
    case 0x16: return 7
    default: return nil
    }
  }

  /// Throws unless `reply` has the function of `request`, or is its exception, and the length and byte count that go
  /// with it.
  public static func check(_ reply: [UInt8], answers request: [UInt8]) throws(LinkFault) {
    guard let asked = request.first, let function = reply.first, function & 0x7F == asked & 0x7F else {
      throw LinkFault(
        .mismatched, "a reply \(hex(reply.prefix(8))) to function \(request.first.map(String.init) ?? "none")",
        remedy: "look for a second master on this connection or bus")
    }
    let wanted = function == asked ? length(answering: request) : exceptionLength
    guard let wanted else { return }
    guard reply.count == wanted else {
      throw LinkFault(
        .wrongLength, "a reply of \(reply.count) bytes to function \(asked), \(wanted) wanted",
        remedy: "ask this device for fewer registers at once")
    }
    guard function == asked, asked <= 0x04 || asked == 0x17 else { return }
    guard Int(reply[1]) == wanted - 2 else {
      throw LinkFault(
        .wrongLength, "a reply with byte count \(reply[1]) to function \(asked), \(wanted - 2) wanted",
        remedy: "ask this device for fewer registers at once")
    }
  }
}

/// Bytes for a message, at most sixteen of them.
func hex(_ bytes: some Collection<UInt8>) -> String {
  let shown = bytes.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  return bytes.count > 16 ? shown + " …" : shown
}
