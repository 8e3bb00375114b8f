import SeriesCodec
import Testing

@Suite("CRC-32C")
struct ChecksumTests {
  /// RFC 3720 B.4 and the customary check value.
  private static let published: [(bytes: [UInt8], sum: UInt32)] = [
    (Array("123456789".utf8), 0xE306_9283),
    (Array(repeating: 0, count: 32), 0x8A91_36AA),
    (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
    (Array(0..<32), 0x46DD_794E),
    (Array((0..<32).reversed()), 0x113F_DB5C),
    ([], 0),
  ]

  @Test("the published vectors", arguments: published.indices)
  func vectors(index: Int) {
    #expect(Checksum.crc32c(Self.published[index].bytes) == Self.published[index].sum)
  }

  @Test("a sum continues at any cut")
  func cuts() {
    let bytes = (0..<67).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
    let whole = Checksum.crc32c(bytes)
    for cut in 0...bytes.count {
      #expect(Checksum.crc32c(bytes[cut...], continuing: Checksum.crc32c(bytes[..<cut])) == whole, "cut at \(cut)")
    }
    #expect(Checksum.crc32c("123456789") == 0xE306_9283)
  }
}
