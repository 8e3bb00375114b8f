/// 32 bytes that stand for other bytes: BLAKE2b-256 throughout (RFC 7693, unkeyed). The hashing itself is handed in by
/// the harness, so that pure rooms need no cryptographic library.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  public let words: SIMD4<UInt64>

  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    var words = SIMD4<UInt64>()
    for index in 0..<32 { words[index / 8] |= UInt64(bytes[index]) << UInt64(8 * (index % 8)) }
    self.words = words
  }

  public init?(hex: String) {
    let digits = Array(hex.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: 64, by: 2) {
      guard let high = Self.nibble(digits[index]), let low = Self.nibble(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self.init(bytes: bytes)
  }

  public var bytes: [UInt8] {
    (0..<32).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(8 * ($0 % 8))) }
  }

  public var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The first eight hexadecimal digits, for screens.
  public var short: String { String(hex.prefix(8)) }
  public var description: String { hex }

  public static let zero = Digest(words: SIMD4<UInt64>())

  private init(words: SIMD4<UInt64>) { self.words = words }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 48...57: digit - 48
    case 97...102: digit - 87
    case 65...70: digit - 55
    default: nil
    }
  }
}

/// BLAKE2b-256 of the bytes, as the harness provides it.
public typealias Hash = @Sendable ([UInt8]) -> Digest
