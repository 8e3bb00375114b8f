internal import TwinCore

/// Noise as a pure function of seed, stream and time: no state, so any order of asking gives the same values.
///
/// Source of the mixing: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators" (2014).
struct SeededNoise: Hashable, Sendable {
  let seed: UInt64

  /// A noise of its own for a name (FNV-1a of its UTF-8).
  init(seed: UInt64, name: String) {
    let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    self.seed = Self.mixed(seed ^ Self.mixed(hash))
  }

  /// Uniform in [-1, 1), independent from one index to the next.
  func white(_ index: Int64) -> Double {
    let bits = Self.mixed(seed &+ UInt64(bitPattern: index) &* 0x9e37_79b9_7f4a_7c15)
    return Double(bits >> 11) * 0x1p-52 - 1
  }

  /// Smooth within [-1, 1]: white at every multiple of `period`, with level tangents, and cubic between.
  func smooth(at seconds: Double, period: Double) -> Double {
    let cells = seconds / period
    let cell = cells.rounded(.down)
    let part = cells - cell
    let (before, after) = (white(Int64(cell)), white(Int64(cell) + 1))
    return before + (after - before) * part * part * (3 - 2 * part)
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Turns of a circle as a cosine: 1 at every whole number.
func cosineOfTurns(_ turns: Double) -> Double {
  Elementary.cos(2 * Double.pi * (turns - turns.rounded(.down)))
}
