import Glibc
import Provenance
import SitePack
import TwinCore

/// Files from texts, by path.
func files(_ texts: [String: String]) -> [PackFile] {
  texts.map { PackFile(path: $0.key, bytes: Array($0.value.utf8)) }
}

/// The repository's root, through whatever links the package is built.
let root =
  #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/") + "/../.."

func shipped(_ name: String) throws -> [PackFile] { try PackReader.read("\(root)/site-packs/\(name)") }

/// The bytes of a zone of the machine's tz database.
func timeZoneFile(_ name: String) throws -> [UInt8] {
  guard let file = unsafe fopen("/usr/share/zoneinfo/\(name)", "rb") else { throw NoTimeZone() }
  defer { unsafe fclose(file) }
  var bytes = [UInt8](repeating: 0, count: TimeZoneRules.byteCountMax)
  let count = unsafe fread(&bytes, 1, bytes.count, file)
  return Array(bytes[..<count])
}

struct NoTimeZone: Error {}

/// A stand-in for BLAKE2b: tests need only that other bytes give another digest.
@Sendable func testHash(_ bytes: [UInt8]) -> Digest {
  var words = SIMD4<UInt64>(0xcbf2_9ce4_8422_2325, 1, 2, 3)
  for byte in bytes { words = (words ^ SIMD4(repeating: UInt64(byte))) &* SIMD4(repeating: 0x100_0000_01b3) }
  return Digest(bytes: (0..<32).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64(8 * ($0 % 8))) })!
}

/// xorshift64*: the seed in a failure's text brings the same case back.
struct Dice {
  var state: UInt64

  init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func roll(_ sides: Int) -> Int {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 2_685_821_657_736_338_717) >> 33) % sides
  }
}
