import Glibc

/// SplitMix64: the same seed, the same run.
final class SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  func chance(_ percent: Int) -> Bool { below(100) < percent }
  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

enum TestEnvironment {
  /// Seeds to run: one when TWIND_SEED names it, many when TWIND_TEST_LONG asks.
  static func seeds(_ usual: Int, long: Int) -> [UInt64] {
    if let text = value("TWIND_SEED"), let seed = UInt64(text) { return [seed] }
    return (0..<UInt64(value("TWIND_TEST_LONG") == "1" ? long : usual)).map { $0 + 1 }
  }

  static var fuzzRounds: Int { value("TWIND_FUZZ_ROUNDS").flatMap(Int.init) ?? 4000 }

  private static func value(_ name: String) -> String? {
    guard let text = unsafe getenv(name) else { return nil }
    return unsafe String(cString: text)
  }
}
