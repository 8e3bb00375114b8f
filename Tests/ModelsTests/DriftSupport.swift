import TwinCore

/// Normal values from a seed, the same on every machine.
struct DriftNoise {
  private var state: UInt64
  private var spare: Double?

  /// Neighbouring seeds must not be places of one stream.
  init(seed: UInt64) { state = (seed &+ 1) &* 0xD134_2543_DE82_EF95 ^ (seed << 40) }

  /// In 0..<1 (SplitMix64).
  mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
  }

  /// Standard normal (Marsaglia's polar method).
  mutating func normal() -> Double {
    if let value = spare {
      spare = nil
      return value
    }
    while true {
      let (u, v) = (2 * uniform() - 1, 2 * uniform() - 1)
      let square = u * u + v * v
      guard square < 1, square > 0 else { continue }
      let factor = (-2 * Elementary.log(square) / square).squareRoot()
      spare = v * factor
      return u * factor
    }
  }
}
