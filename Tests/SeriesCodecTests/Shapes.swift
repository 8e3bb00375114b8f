import Glibc
import SeriesCodec
import TwinCore

/// A seeded generator (SplitMix64), so that a failure can be had again.
struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func roll(_ sides: Int) -> Int { Int(next() % UInt64(sides)) }
  mutating func chance(_ share: Double) -> Bool { Double(next() >> 11) * 0x1p-53 < share }

  /// About normal, mean 0, deviation 1.
  mutating func noise() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double(next() >> 11) * 0x1p-53 }
  }
}

/// `TWIND_SEED` names one seed, to run a failure again; otherwise they are new each time.
func seeds(_ count: Int) -> [UInt64] {
  if let text = unsafe getenv("TWIND_SEED"), let seed = UInt64(unsafe String(cString: text)) { return [seed] }
  let first = UInt64.random(in: 0...UInt64(Int64.max / 2))
  return (0..<UInt64(count)).map { first + $0 }
}

/// Columns and times of the kinds that plants have, and of those that no plant has.
enum Shapes {
  static let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, .max - 1, .max, 1 << 53, -(1 << 53), 1 << 62]
  static let oddPatterns: [UInt64] = [
    0x7FF8_0000_0000_0000, 0x7FF0_0000_0000_0001, 0xFFF8_DEAD_BEEF_0123, 0x8000_0000_0000_0000, 1,
    0x000F_FFFF_FFFF_FFFF,
    0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, 0x7FEF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0001,
  ]

  static func counts(_ rows: Int, _ dice: inout Dice) -> [Int64] {
    let kind = dice.roll(12)
    let unit = [1, 1, 1, 5, 1000, -7][dice.roll(6)]
    var level = Double(dice.roll(100_000)) - 20_000
    let size = [0.3, 2, 40, 4000][dice.roll(4)]
    var counter = Int64(dice.roll(1 << 30))
    var counts: [Int64] = []
    for row in 0..<rows {
      let count: Int64
      switch kind {
      case 0: count = 42
      case 1: count = Int64(row) * 3 + 7
      case 2: count = Int64(row / 97 % 2)
      case 3: count = Int64(bitPattern: dice.next())
      case 4: count = extremes[dice.roll(extremes.count)]
      case 5:
        level += size * dice.noise()
        count = Int64(level)
      case 6: count = Int64(level + size * dice.noise())
      case 7:
        counter &+= Int64(dice.roll(9))
        count = counter
      case 8:
        if dice.chance(0.01) { level += 400 }
        count = dice.chance(0.004) ? Int64(bitPattern: dice.next()) : Int64(level + size * dice.noise())
      case 9:
        let phase = (row % 60) - 30
        count = Int64(level) + Int64(phase * phase) + Int64(size * dice.noise())
      case 10: count = dice.chance(0.05) ? Int64(dice.roll(5)) : counts.last ?? 0
      default: count = row < rows / 2 ? 0 : Int64(size * dice.noise())
      }
      counts.append(count &* Int64(unit))
    }
    return counts
  }

  static func patterns(_ rows: Int, _ dice: inout Dice) -> [Int64] {
    let kind = dice.roll(7)
    let counts = counts(rows, &dice)
    return counts.map { count in
      let value: Double
      switch kind {
      case 0: value = Double(count % 1_000_000) / 10
      case 1: value = Double(count % 1_000_000) * 0.001
      case 2: value = Double(Float(count % 10_000) / 7)
      case 3: value = dice.noise()
      case 4:
        value = dice.chance(0.05) ? Double(bitPattern: oddPatterns[dice.roll(oddPatterns.count)]) : Double(count) / 100
      case 5: value = Double(bitPattern: oddPatterns[dice.roll(oddPatterns.count)])
      default: value = Double(bitPattern: dice.next())
      }
      return Int64(bitPattern: value.bitPattern)
    }
  }

  static func qualities(_ rows: Int, _ dice: inout Dice) -> [UInt8] {
    switch dice.roll(6) {
    case 0: return Array(repeating: 0, count: rows)
    case 1: return Array(repeating: UInt8(dice.roll(5)), count: rows)
    case 2: return (0..<rows).map { _ in UInt8(dice.roll(5)) }
    default:
      var quality: UInt8 = 0
      return (0..<rows).map { _ in
        if dice.chance(0.02) { quality = quality == 0 ? UInt8(1 + dice.roll(4)) : 0 }
        return quality
      }
    }
  }

  static func measures(_ rows: Int, _ dice: inout Dice) -> Measures {
    var measures = Measures()
    var code = 100 + dice.roll(50)
    if dice.chance(0.6) {
      measures.variances = (0..<rows).map { _ in
        if dice.chance(0.1) { code += dice.roll(3) - 1 }
        return UInt8(clamping: code)
      }
    }
    if dice.chance(0.5) {
      measures.confidences = (0..<rows).map { _ in dice.chance(0.1) ? UInt8(dice.roll(256)) : 255 }
    }
    if dice.chance(0.5) { measures.provenances = (0..<rows).map { $0 < rows / 2 ? 3 : .max } }
    if dice.chance(0.5) { measures.stamps = (0..<rows).map { _ in UInt16(dice.roll(1 << 16)) } }
    return measures
  }

  static func column(_ rows: Int, _ dice: inout Dice) -> Column {
    var column: Column
    switch dice.roll(4) {
    case 0: column = Column(form: .integer, counts: counts(rows, &dice))
    case 1: column = Column(form: .double, counts: patterns(rows, &dice))
    default: column = Column(form: .decimal(scale: [0.1, 0.01, 5, -0.5][dice.roll(4)]), counts: counts(rows, &dice))
    }
    if dice.chance(0.4) { column.qualities = qualities(rows, &dice) }
    let valued = (0..<rows).map { column.qualities.isEmpty || column.qualities[$0] <= 1 }
    if case .decimal = column.form, dice.chance(0.3) {
      for row in 0..<rows where valued[row] && dice.chance(0.05) {
        column.exceptions.append(.init(row: Int32(row), bits: oddPatterns[dice.roll(oddPatterns.count)]))
        column.counts[row] = row > 0 ? column.counts[row - 1] : 0
      }
    }
    for row in 0..<rows where !valued[row] { column.counts[row] = 0 }
    if dice.chance(0.3) { column.measures = measures(rows, &dice) }
    return column
  }

  static func effective(_ rows: Int, _ dice: inout Dice) -> [Int64] {
    let kind = dice.roll(8)
    let unit: Int64 = [1, 1000, 1_000_000, 1_000_000_000][dice.roll(4)]
    let period = [1, 10, 997, 1000, 60_000][dice.roll(5)]
    var missed = 0
    return (0..<rows).map { row in
      if dice.chance(0.01) { missed += dice.roll(4) }
      let due = Int64((row + missed) * period)
      switch kind {
      case 0: return Int64(bitPattern: dice.next())
      case 1: return Shapes.extremes[dice.roll(Shapes.extremes.count)]
      case 2: return 1_793_491_200_000_000_000
      case 3: return (due + (dice.chance(0.05) ? -5 * Int64(period) : 0)) * unit
      case 4: return -1_000_000_000_000 + Int64(row * row) * unit
      default: return 1_793_491_200_000_000_000 + (due + Int64(dice.roll(9)) + Int64(row / 50)) * unit
      }
    }
  }

  static func block(_ dice: inout Dice, rowsMax: Int = 700) -> Block {
    let rows = dice.chance(0.2) ? 1 + dice.roll(5) : 1 + dice.roll(rowsMax)
    let effective = effective(rows, &dice)
    var tick = Int64(bitPattern: dice.next()) >> Int64(dice.roll(60))
    let stepMax = 1 + dice.roll(3)
    let ticks = (0..<rows).map { _ in
      let next = tick.addingReportingOverflow(Int64(stepMax == 1 ? 1 : dice.roll(stepMax + 1)))
      tick = next.overflow ? tick : next.partialValue
      return tick
    }
    let lead = Int64(bitPattern: dice.next())
    let wanders = dice.chance(0.3)
    let leads = (0..<rows).map { _ in lead &+ (wanders ? Int64(dice.roll(1000)) : 0) }
    var block = Block(
      group: Int32(truncatingIfNeeded: dice.roll(1000)), layout: Int64(dice.roll(1 << 40)), effective: effective,
      ticks: ticks, leads: leads, columns: [])
    let failing = dice.chance(0.3) ? qualities(rows, &dice) : nil
    for _ in 0..<dice.roll(7) {
      var column = column(rows, &dice)
      if let failing, column.exceptions.isEmpty {
        column.qualities = failing
        for row in 0..<rows where failing[row] > 1 { column.counts[row] = 0 }
      }
      if let before = block.columns.last, before.form == column.form, column.qualities.isEmpty, dice.chance(0.3) {
        for row in 0..<rows { column.counts[row] = before.counts[row] &* 2 &+ Int64(dice.roll(3)) }
        column.exceptions = []
      }
      block.columns.append(column)
    }
    return block
  }
}

extension Block {
  var forms: [ValueForm] { columns.map(\.form) }
}
