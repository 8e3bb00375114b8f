/// How a column's values are predicted.
enum ColdPlan: Equatable {
  /// By gains out of the table; one coefficient a reference, or none.
  case track(gains: Int, coefficients: [Int64])
  case plain(order: Int)

  static let gains: [TrackPredictor.Gains] = [
    .init(level: 256, trend: 0, jump: 0), .init(level: 128, trend: 0, jump: 0), .init(level: 64, trend: 0, jump: 6),
    .init(level: 48, trend: 0, jump: 0), .init(level: 16, trend: 0, jump: 6), .init(level: 8, trend: 0, jump: 6),
    .init(level: 90, trend: 8, jump: 0), .init(level: 90, trend: 0, jump: 0), .init(level: 256, trend: 4096, jump: 0),
    .init(level: 0, trend: 0, jump: 0), .init(level: 4, trend: 0, jump: 0), .init(level: 32, trend: 0, jump: 0),
  ]

  /// Gains for what references leave: a rest that moves slowly, if at all.
  static let steady = [0, 1, 3, 9, 10, 11]
}

/// Finds the plan that seems cheapest on a sample of the rows.
struct ColdSearch {
  private let values: [UInt64]
  private let span: UInt64
  private let references: ColdReferences
  private let stretches: [Range<Int>]
  /// Rows at the start of a stretch that only warm the predictor.
  private let warming: Int

  private static let contexts = 20
  private static let symbols = 137

  init(_ values: [UInt64], span: UInt64, references: ColdReferences) {
    (self.values, self.span, self.references) = (values, span, references)
    let rows = values.count
    warming = rows < 64 ? 0 : 16
    stretches =
      rows <= 2048
      ? [0..<rows]
      : (0..<4).map { part in
        let start = (rows - 512) * part / 3
        return start..<start + 512
      }
  }

  /// The plan, and the class of its middle residual, at most 30.
  func plan() -> (plan: ColdPlan, start: Int) {
    var best = ColdPlan.plain(order: 1)
    var (least, start) = (Int.max, 0)
    func consider(_ plan: ColdPlan, _ cost: (bits: Int, start: Int)) {
      if cost.bits < least { (best, least, start) = (plan, cost.bits, cost.start) }
    }
    let isTracked = span < ColdCoder.trackedSpan
    if !isTracked { for order in 1...2 { consider(.plain(order: order), cost(PlainPredictor(order: order))) } }
    for (index, gains) in ColdPlan.gains.enumerated() where isTracked {
      consider(
        .track(gains: index, coefficients: []), cost(TrackPredictor(gains, span: span, explained: [])))
    }
    consider(.plain(order: 0), cost(PlainPredictor(order: 0)))
    guard isTracked, let coefficients = ColdFit.coefficients(values, references) else { return (best, start) }
    let explained = references.explained(coefficients, rows: values.count)
    for index in ColdPlan.steady {
      consider(
        .track(gains: index, coefficients: coefficients),
        cost(TrackPredictor(ColdPlan.gains[index], span: span, explained: explained)))
    }
    return (best, start)
  }

  /// About the bits that the residuals take, in 256ths: their classes counted as they come, under a few contexts.
  private func cost<Predictor: ColdPredictor>(_ fresh: Predictor) -> (bits: Int, start: Int) {
    let logarithms = ColdTables.shared.logarithms
    let contexts = Self.contexts + (span < 64 ? 64 : 0)
    var counts = [Int32](repeating: 0, count: contexts * Self.symbols)
    var totals = [Int32](repeating: 12, count: contexts)
    var sizes = [Int](repeating: 0, count: 65)
    var bySize = 0
    var byValue = 0
    var even = 0
    for stretch in stretches {
      var predictor = fresh
      var before = 0
      for row in stretch {
        let (whole, rest) = predictor.predict(row)
        let value = values[row]
        predictor.update(row, value)
        let turned = Int64(bitPattern: rest < 0 ? whole &- value : value &- whole)
        let size = 64 &- turned.magnitude.leadingZeroBitCount
        let near = Int(rest.magnitude >> 13) & 3
        let context = before < 3 ? before &* 4 &+ near : min(before &+ 9, Self.contexts &- 1)
        before = size
        if row &- stretch.lowerBound < warming { continue }
        let symbol = size < 4 ? Int(turned) &+ 7 : 7 &+ 2 &* size &+ (turned < 0 ? 1 : 0)
        sizes[size] &+= 1
        if size > 3 { even &+= (size &- 1) << 8 }
        bySize &+= Self.count(symbol, in: context, &counts, &totals, logarithms)
        if span < 64 {
          let last = Int(truncatingIfNeeded: row == 0 ? 0 : values[row &- 1])
          byValue &+= Self.count(symbol, in: Self.contexts &+ last, &counts, &totals, logarithms)
        }
      }
    }
    var (start, below) = (0, sizes[0])
    let counted = sizes.reduce(0, +)
    while start < 30, below &* 2 < counted {
      start &+= 1
      below &+= sizes[start]
    }
    return (even &+ (span < 64 ? min(bySize, byValue) : bySize), start)
  }

  @inline(__always)
  private static func count(
    _ symbol: Int, in context: Int, _ counts: inout [Int32], _ totals: inout [Int32], _ logarithms: [Int32]
  ) -> Int {
    let cell = context &* symbols &+ symbol
    let cost = logarithms[Int(totals[context])] &- logarithms[Int(counts[cell])]
    totals[context] &+= 1
    counts[cell] &+= 1
    return Int(cost)
  }
}
