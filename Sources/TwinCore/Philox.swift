/// Counter-based random numbers: word `n` of a stream is a function of (seed, stream, n) alone, so that the draws of
/// one scenario do not depend on how many threads drew the others, or in which order.
///
/// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): the key is the
/// seed, the counter's upper half the stream, its lower half the block; a block gives two words of 64 bits.
public struct Philox: Sendable, Equatable, RandomNumberGenerator {
  public let seed: UInt64
  public let stream: UInt64
  /// Which word `next()` gives.
  public private(set) var position: UInt64 = 0
  /// The second word of the block that an even position opened; 0 where none is open.
  private var second: UInt64 = 0

  public init(seed: UInt64, stream: UInt64 = 0) { (self.seed, self.stream) = (seed, stream) }

  /// One block: ten rounds over a counter of four words.
  public static func block(_ counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var (c, k) = (counter, key)
    for round in 0..<10 {
      // Weyl steps by the golden ratio and by √3 − 1.
      if round > 0 { k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85) }
      let first = UInt64(c[0]) &* 0xD251_1F53
      let third = UInt64(c[2]) &* 0xCD9E_8D57
      c = SIMD4(
        UInt32(truncatingIfNeeded: third >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: third),
        UInt32(truncatingIfNeeded: first >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: first))
    }
    return c
  }

  /// The next word of 64 bits.
  public mutating func next() -> UInt64 {
    defer { position &+= 1 }
    guard position & 1 == 0 else {
      defer { second = 0 }
      return second
    }
    let words = pair(position >> 1)
    second = words.second
    return words.first
  }

  /// A word by its position, whatever has been drawn.
  public func word(at index: UInt64) -> UInt64 {
    let words = pair(index >> 1)
    return index & 1 == 0 ? words.first : words.second
  }

  /// Goes on from there.
  public mutating func seek(to index: UInt64) {
    position = index
    second = index & 1 == 0 ? 0 : pair(index >> 1).second
  }

  /// Evenly spread over the open interval from 0 to 1.
  public mutating func uniform() -> Double { Self.uniform(next()) }
  public func uniform(at index: UInt64) -> Double { Self.uniform(word(at: index)) }

  /// Of mean 0 and variance 1, one word each: by the inverse of the distribution, so that a larger uniform is a larger
  /// normal (antithetic and common numbers keep their order).
  public mutating func normal() -> Double { Elementary.inverseNormal(uniform()) }
  public func normal(at index: UInt64) -> Double { Elementary.inverseNormal(uniform(at: index)) }

  /// A whole number from 0 to below `bound`; the odds differ by at most bound/2⁶⁴.
  public mutating func index(below bound: Int) -> Int {
    precondition(bound > 0, "an index below \(bound)")
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  private func pair(_ block: UInt64) -> (first: UInt64, second: UInt64) {
    let words = Self.block(
      SIMD4(Self.low(block), Self.high(block), Self.low(stream), Self.high(stream)),
      key: SIMD2(Self.low(seed), Self.high(seed)))
    return (UInt64(words[1]) << 32 | UInt64(words[0]), UInt64(words[3]) << 32 | UInt64(words[2]))
  }

  /// The middle of one of 2⁵² equal parts: exact, and neither 0 nor 1.
  private static func uniform(_ word: UInt64) -> Double { (Double(word >> 12) + 0.5) * 0x1p-52 }
  private static func low(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word) }
  private static func high(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> 32) }

  /// Canonical form: four items.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(4)
    writer.integer(1)
    writer.unsigned(seed)
    writer.unsigned(stream)
    writer.unsigned(position)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(3, version: 1)
    let seed = try reader.unsigned()
    self.init(seed: seed, stream: try reader.unsigned())
    seek(to: try reader.unsigned())
  }
}
