/// Base 64 with padding (RFC 4648 §4), one text for each value: no line breaks, unused bits zero.
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  /// The digits of `bytes`, in an array so that a secret can be wiped afterwards.
  public static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var digits: [UInt8] = []
    // Room for all at once: growing would leave copies of a secret behind.
    digits.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let count = min(3, bytes.count - start)
      var group: UInt32 = 0
      for index in 0..<3 { group = group << 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
      for index in 0..<4 {
        digits.append(index <= count ? alphabet[Int(group >> UInt32(18 - 6 * index) & 63)] : padding)
      }
    }
    return digits
  }

  /// The bytes of `digits`, nil for anything that `encode` would not have written.
  public static func decode(_ digits: some Collection<UInt8>) -> [UInt8]? {
    let digits = Array(digits)
    guard digits.count.isMultiple(of: 4) else { return nil }
    let pads = digits.suffix(2).count { $0 == padding }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 4 * 3)
    for start in stride(from: 0, to: digits.count, by: 4) {
      let isLast = start + 4 == digits.count
      let kept = isLast ? 4 - pads : 4
      var group: UInt32 = 0
      for index in 0..<4 {
        let digit = digits[start + index]
        guard index < kept else {
          guard digit == padding else { return nil }
          group <<= 6
          continue
        }
        guard let value = value(of: digit) else { return nil }
        group = group << 6 | UInt32(value)
      }
      let unused = UInt32(8 * (4 - kept))
      guard group & (1 << unused - 1) == 0 else { return nil }
      for index in 0..<(kept - 1) { bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))) }
    }
    return bytes
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
