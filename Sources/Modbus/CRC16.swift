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
