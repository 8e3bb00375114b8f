internal import TwinCore

/// The numbers that the model of every column shares, computed once.
struct ColdTables: Sendable {
  static let shared = ColdTables()

  /// Logits run from −2,816 to 2,815: ±11 in 256ths.
  static let reach = 2816

  let stretch: [Int32]
  let squash: [UInt16]
  let pace: [UInt32]
  /// 256 log2(index + ½), for the search alone.
  let logarithms: [Int32]

  private init() {
    stretch = (0..<4096).map { index in
      let p = (Double(index) + 0.5) / 4096
      return Int32((256 * Elementary.log(p / (1 - p))).rounded())
    }
    squash = (-Self.reach..<Self.reach).map { logit in
      UInt16(min((65536 / (1 + Elementary.exp(-Double(logit) / 256))).rounded(), 65535))
    }
    logarithms = (0..<4096).map { Int32((Elementary.log(Double($0) + 0.5) / Elementary.log(2) * 256).rounded()) }
    pace = (0..<256).map { seen in UInt32(131_072 / (2 * seen + 3)) }
  }
}
