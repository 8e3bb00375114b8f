// The RTU frame (MODBUS over Serial Line V1.02 §2.5.1), here inside a TCP stream:
//
//   0  unit u8
//   1  PDU
//   n  CRC16 of all before, low byte first
//
// Silence marks the end on a wire; a TCP stream has none, so the length comes from the function and its byte count:
// 5 for exceptions, 3 + byte count + 2 for reads, 8 for writes, 10 for a mask write.

public import Seams

/// RTU over TCP: no transaction id, so a reply is known by unit, function, length and checksum alone.
public struct RTUFraming: ReplyFraming, Sendable {
  private struct Question: Equatable {
    var unit: UInt8
    var pdu: [UInt8]

    /// Exceptions carry no more than these two, so a longer key would not tell replies apart.
    func isLike(unit: UInt8, function: UInt8) -> Bool { self.unit == unit && pdu.first == function & 0x7F }
  }

  private var open: Question?
  private var unanswered: Question?

  public init() {}

  public mutating func frame(unit: UInt8, pdu: [UInt8]) -> [UInt8] {
    open = Question(unit: unit, pdu: pdu)
    var bytes = [unit] + pdu
    CRC16.append(to: &bytes)
    return bytes
  }

  public mutating func scan(_ bytes: [UInt8]) throws(LinkFault) -> FrameScan {
    let length = try Self.frameLength(bytes)
    guard bytes.count >= length else { return .needs(length - bytes.count) }
    try Self.checkSum(bytes, length)
    let pdu = Array(bytes[1..<(length - 2)])
    guard let question = open, question.isLike(unit: bytes[0], function: pdu[0]) else {
      if strikeUnanswered(bytes) { return .late(length: length) }
      throw LinkFault(
        .mismatched, "a reply of unit \(bytes[0]), function \(pdu[0] & 0x7F) that nobody asked for",
        remedy: "look for a second master behind this gateway")
    }
    try ReplyShape.check(pdu, answers: question.pdu)
    open = nil
    return .reply(pdu: pdu)
  }

  /// A torn late frame has no boundary to go on from, so the rest after whole frames is an error here.
  public mutating func discardLate(_ bytes: inout [UInt8]) throws(LinkFault) -> Int {
    var late = 0
    while !bytes.isEmpty {
      let length = try Self.frameLength(bytes)
      guard bytes.count >= length else {
        throw LinkFault(
          .malformed, "the start \(hex(bytes)) of a late reply",
          remedy: "raise the device's timeout above its slowest answer")
      }
      try Self.checkSum(bytes, length)
      _ = strikeUnanswered(bytes)
      bytes.removeFirst(length)
      late += 1
    }
    return late
  }

  public mutating func abandon() -> Bool {
    defer { (unanswered, open) = (open, nil) }
    return unanswered == nil
  }

  public func isAmbiguous(unit: UInt8, pdu: [UInt8]) -> Bool {
    guard let unanswered, let function = pdu.first else { return false }
    return unanswered.isLike(unit: unit, function: function)
  }

  private mutating func strikeUnanswered(_ bytes: [UInt8]) -> Bool {
    guard let question = unanswered, question.isLike(unit: bytes[0], function: bytes[1]) else { return false }
    unanswered = nil
    return true
  }

  private static func checkSum(_ bytes: [UInt8], _ length: Int) throws(LinkFault) {
    guard CRC16.isRight(bytes, length: length) else {
      throw LinkFault(
        .malformed, "a reply \(hex(bytes.prefix(length))) with a wrong checksum",
        remedy: "check the wiring, termination and baud rate of the bus")
    }
  }

  /// Bytes of the whole frame, or as many as it takes to know more; 5 to 260.
  static func frameLength(_ bytes: [UInt8]) throws(LinkFault) -> Int {
    guard bytes.count >= 2 else { return 5 }
    switch bytes[1] {
    case 0x80...0xFF: return 5
    case 0x01...0x04, 0x17: return bytes.count >= 3 ? 5 + Int(bytes[2]) : 5
    case 0x05, 0x06, 0x0F, 0x10: return 8
    case 0x16: return 10
    default:
      throw LinkFault(
        .malformed, "a reply with function \(bytes[1]), whose length is not known",
        remedy: "check that the port speaks RTU over TCP (not Modbus TCP)")
    }
  }
}

/// The checksum of Modbus over serial line: polynomial 0xA001 reflected, start 0xFFFF, sent low byte first.
///
/// Source: MODBUS over Serial Line V1.02 §6.2.2.
public enum CRC16 {
  private static let table: [UInt16] = (0..<256).map { index in
    (0..<8).reduce(UInt16(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xA001 : crc >> 1 }
  }

  public static func of(_ bytes: Span<UInt8>) -> UInt16 {
    let table = table
    let steps = table.span
    var crc: UInt16 = 0xFFFF
    for index in bytes.indices { crc = crc >> 8 ^ steps[Int((crc ^ UInt16(bytes[index])) & 0xFF)] }
    return crc
  }

  /// Adds the checksum of all bytes so far.
  static func append(to bytes: inout [UInt8]) {
    let crc = of(bytes.span)
    bytes.append(UInt8(crc & 0xFF))
    bytes.append(UInt8(crc >> 8))
  }

  /// Whether the last two of the first `length` bytes are the checksum of those before.
  static func isRight(_ bytes: [UInt8], length: Int) -> Bool {
    precondition(length >= 2 && length <= bytes.count)
    let crc = of(bytes.span.extracting(first: length - 2))
    return bytes[length - 2] == UInt8(crc & 0xFF) && bytes[length - 1] == UInt8(crc >> 8)
  }
}
