internal import TwinCore

/// The numbers that the model of every column shares, computed once.
@safe struct ColdTables: @unchecked Sendable {
  static let shared = ColdTables()

  /// Logits run from −2,816 to 2,815: ±11 in 256ths.
  static let reach = 2816

  // At addresses of their own: they are never let go, and the innermost loop reads them without asking for their ends.
  let stretch: UnsafePointer<Int32>
  let squash: UnsafePointer<UInt16>
  let pace: UnsafePointer<UInt32>
  /// 256 log2(index + ½), for the search alone.
  let logarithms: [Int32]

  private init() {
    unsafe stretch = Self.kept(
      (0..<4096).map { index in
        let p = (Double(index) + 0.5) / 4096
        return Int32((256 * Elementary.log(p / (1 - p))).rounded())
      })
    unsafe squash = Self.kept(
      (-Self.reach..<Self.reach).map { logit in
        UInt16(min((65536 / (1 + Elementary.exp(-Double(logit) / 256))).rounded(), 65535))
      })
    logarithms = (0..<4096).map { Int32((Elementary.log(Double($0) + 0.5) / Elementary.log(2) * 256).rounded()) }
    unsafe pace = Self.kept((0..<256).map { seen in UInt32(131_072 / (2 * seen + 3)) })
  }

  private static func kept<Number>(_ numbers: [Number]) -> UnsafePointer<Number> {
    let place = UnsafeMutablePointer<Number>.allocate(capacity: numbers.count)
    for index in numbers.indices { unsafe (place + index).initialize(to: numbers[index]) }
    return unsafe UnsafePointer(place)
  }
}
