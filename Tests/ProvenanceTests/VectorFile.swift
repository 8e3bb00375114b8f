import Glibc
import TwinCore

@testable import Provenance

/// The lines of a file beside these tests, each as its fields.
func vectorLines(_ name: String) throws -> [[String]] {
  let text = String(decoding: try content(of: "\(testDirectory)/Vectors/\(name)"), as: UTF8.self)
  return text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
}

var testDirectory: String {
  #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
}

func content(of path: String) throws -> [UInt8] {
  let (directory, name) = split(path)
  return try Descriptor.directory(directory).openEntry(name, shown: path).readAll(bytesMax: 1 << 24, shown: path)
}

func split(_ path: String) -> (directory: String, name: String) {
  let parts = path.split(separator: "/", omittingEmptySubsequences: false)
  return (parts.dropLast().joined(separator: "/"), String(parts.last!))
}

/// Bytes of a vector's field, where `-` stands for none.
func field(_ text: String) -> [UInt8] { text == "-" ? [] : bytes(text) }

func hex(_ bytes: [UInt8]) -> String { Hex.text(bytes) }

/// A hash of the vectors; those of other lengths, which are never a tree's, are filled up with zeros.
func hash(_ text: String) -> Digest {
  let given = field(text)
  return Digest(bytes: Array((given + [UInt8](repeating: 0, count: 32)).prefix(32)))!
}

/// Apart by commas; a single point stands for a hash of no bytes.
func hashes(_ text: String) -> [Digest] {
  text == "-" ? [] : text.split(separator: ",").map { hash($0 == "." ? "-" : String($0)) }
}

/// Draws from a seed, the same ones every time (splitmix64).
struct Dice: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  init(_ seed: Int) {
    self.seed = UInt64(seed)
    state = self.seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func roll(_ sides: Int) -> Int { Int(next() % UInt64(sides)) }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

/// Rounds of the fuzz tests; for a long run `TWIND_FUZZ_ROUNDS=100000`.
let fuzzRounds = unsafe getenv("TWIND_FUZZ_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 400
