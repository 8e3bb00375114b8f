// The Modbus TCP frame (MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1.3), big endian:
//
//   0  transaction id u16    chosen by the client, echoed
//   2  protocol id u16       0
//   4  length u16            bytes that follow: 1 + PDU, so 2 to 254
//   6  unit u8
//   7  PDU

public import Seams

/// Modbus TCP: the length field cuts the stream, the transaction id tells late replies from the one waited for.
public struct MBAPFraming: ReplyFraming, Sendable {
  private static let headerLength = 6

  private var transaction: UInt16 = 0
  private var sent = 0
  private var unit: UInt8 = 0
  private var question: [UInt8] = []

  public init() {}

  public mutating func frame(unit: UInt8, pdu: [UInt8]) -> [UInt8] {
    transaction &+= 1
    sent += 1
    (self.unit, question) = (unit, pdu)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerLength + 1 + pdu.count)
    bytes.append(words: [transaction, 0, UInt16(1 + pdu.count)])
    bytes.append(unit)
    bytes += pdu
    return bytes
  }

  public mutating func scan(_ bytes: [UInt8]) throws(LinkFault) -> FrameScan {
    guard let length = try Self.frameLength(bytes) else { return .needs(Self.headerLength - bytes.count) }
    guard bytes.count >= length else { return .needs(length - bytes.count) }
    let id = bytes.word(at: 0)
    guard id == transaction else {
      if isOlder(id) { return .late(length: length) }
      throw LinkFault(
        .mismatched, "a reply with transaction id \(id), which was never asked; \(transaction) wanted",
        remedy: "check that the device echoes transaction ids and that nothing else shares its connection")
    }
    guard bytes[6] == unit else {
      throw LinkFault(
        .mismatched, "a reply of unit \(bytes[6]) to a question for unit \(unit)",
        remedy: "ask for the unit id that the device answers with")
    }
    let pdu = Array(bytes[(Self.headerLength + 1)..<length])
    try ReplyShape.check(pdu, answers: question)
    return .reply(pdu: pdu)
  }

  public mutating func discardLate(_ bytes: inout [UInt8]) throws(LinkFault) -> Int {
    var late = 0
    while let length = try Self.frameLength(bytes), bytes.count >= length {
      bytes.removeFirst(length)
      late += 1
    }
    return late
  }

  public mutating func abandon() -> Bool { true }

  public func isAmbiguous(unit: UInt8, pdu: [UInt8]) -> Bool { false }

  /// Whether a question with this id went out on this connection before the open one.
  private func isOlder(_ id: UInt16) -> Bool {
    let age = Int(transaction &- id)
    return age > 0 && age < sent && age < 0x8000
  }

  /// Bytes of the whole frame, once its header is there.
  private static func frameLength(_ bytes: [UInt8]) throws(LinkFault) -> Int? {
    if bytes.count >= 4, bytes.word(at: 2) != 0 {
      throw LinkFault(
        .malformed, "a frame with protocol id \(bytes.word(at: 2)), 0 wanted",
        remedy: "check that the port speaks Modbus TCP (not RTU over TCP)")
    }
    guard bytes.count >= headerLength else { return nil }
    let length = Int(bytes.word(at: 4))
    guard (2...254).contains(length) else {
      throw LinkFault(
        .malformed, "a frame that says it has \(length) bytes, 2 to 254 wanted",
        remedy: "check that the port speaks Modbus TCP (not RTU over TCP)")
    }
    return headerLength + length
  }
}
