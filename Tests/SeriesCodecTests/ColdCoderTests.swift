import Glibc
import Testing

@testable import SeriesCodec

/// Columns that a model of any kind may be wrong about.
private enum ColdShape: String, CaseIterable {
  case constant, ramp, bentRamp, halfNormal, noise, walk, steps, counter, switching, small, outliers, random, extremes
  case wideWalk, spacedTimes

  func values(_ rows: Int, _ dice: inout Dice) -> [Int64] {
    let base = Int64(truncatingIfNeeded: dice.next()) >> Int64(dice.roll(64))
    let size = pow(2, Double(dice.roll(24)) / 2)
    var level = 0.0
    return (0..<rows).map { row in value(Int64(row), base, size, &level, &dice) }
  }

  private func value(_ row: Int64, _ base: Int64, _ size: Double, _ level: inout Double, _ dice: inout Dice) -> Int64 {
    let noise = dice.noise()
    let whole = Int64((noise * size).rounded())
    switch self {
    case .constant: return base
    case .ramp: return base &+ row &* (base >> 16)
    case .bentRamp: return row * 1000 + (dice.chance(0.01) ? 1 : 0)
    case .halfNormal: return Int64((noise * 8).magnitude)
    case .noise: return base &+ whole
    case .walk: level += noise * size
    case .steps:
      if dice.chance(0.02) { level += noise * 400 }
      return Int64(level.rounded()) + whole
    case .counter: level += max(0, 3 + noise)
    case .switching: if dice.chance(0.01) { level = 1 - level }
    case .small: return [0, 0, 0, 1, 17, 18, 63][dice.roll(7)]
    case .outliers: return dice.chance(0.01) ? Int64(truncatingIfNeeded: dice.next()) : Int64(dice.roll(5))
    case .random: return Int64(truncatingIfNeeded: dice.next())
    case .extremes: return Shapes.extremes[dice.roll(Shapes.extremes.count)]
    case .wideWalk: level += noise * 1e12
    case .spacedTimes: return 1_793_491_200_000_000_000 + row * 1_000_000_000 + Int64(dice.roll(30)) * 1_000_000
    }
    return base &+ Int64(level.rounded())
  }
}

private func comesBack(_ values: [Int64], _ references: [[Int64]] = []) throws -> Bool {
  let bytes = ColdCoder.encode(values, references: references)
  // A slice that does not begin at 0.
  let padded = [7, 7] + bytes + [7]
  return try ColdCoder.decode(padded[2..<padded.count - 1], rows: values.count, references: references) == values
}

private func bits(_ values: [Int64], _ references: [[Int64]] = []) -> Double {
  Double(ColdCoder.encode(values, references: references).count * 8) / Double(values.count)
}

@Suite struct `Cold columns` {
  @Test(arguments: ColdShape.allCases, seeds(4))
  fileprivate func `any column comes back`(shape: ColdShape, seed: UInt64) throws {
    var dice = Dice(seed)
    for rows in [1, 2, 3, 16, 17, 63, 64, 300, 2047 + dice.roll(600)] {
      let values = shape.values(rows, &dice)
      #expect(try comesBack(values), "seed \(seed), \(rows) rows of \(shape)")
    }
  }

  @Test(arguments: seeds(40)) func `any column comes back under any references`(seed: UInt64) throws {
    var dice = Dice(seed)
    let rows = 1 + dice.roll(900)
    let shapes = ColdShape.allCases
    let references = (0...dice.roll(3)).map { _ in shapes[dice.roll(shapes.count)].values(rows, &dice) }
    var values = shapes[dice.roll(shapes.count)].values(rows, &dice)
    if dice.chance(0.5) { for row in values.indices { values[row] &+= 3 &* references[0][row] } }
    #expect(try comesBack(values, references), "seed \(seed)")
  }

  private static let least = Int64.min
  private static let most = Int64.max
  fileprivate static let ends: [[Int64]] = [
    [least, most], [most, least], [least, most, least, most, 0], [least], [most], [-1, most], [0, least, 0],
    [least, -1], [0, 0x8_0000_0000], [0, 0x10_0000_0000], [0, 0xF_FFFF_FFFF, 0], [0, 0x100_0000_0000, 2],
  ]

  @Test(arguments: ends) fileprivate func `the ends of the range come back`(values: [Int64]) throws {
    #expect(try comesBack(values))
    #expect(try comesBack(values, [values.reversed(), values]))
  }

  @Test func `no rows take no bytes`() throws {
    #expect(ColdCoder.encode([], references: []) == [])
    #expect(try ColdCoder.decode([], rows: 0, references: [[]]) == [])
  }

  @Test func `random numbers cost a byte over raw at most`() {
    var dice = Dice(1)
    for rows in [2, 10, 1000] {
      let values = (0..<rows).map { _ in Int64(truncatingIfNeeded: dice.next()) }
      #expect(ColdCoder.encode(values, references: []).count <= 8 * rows + 1)
    }
  }

  @Test func `the same column gives the same bytes`() {
    var dice = Dice(2)
    let (values, reference) = (ColdShape.steps.values(3000, &dice), ColdShape.walk.values(3000, &dice))
    let bytes = ColdCoder.encode(values, references: [reference])
    #expect(ColdCoder.encode(values, references: [reference]) == bytes)
  }

  @Test func `other counts of rows or of references are our bug`() async {
    await #expect(processExitsWith: .failure) { _ = ColdCoder.encode([1, 2], references: [[1]]) }
    await #expect(processExitsWith: .failure) {
      _ = try? ColdCoder.decode([1, 2], rows: 2, references: [[1, 2, 3]])
    }
    await #expect(processExitsWith: .failure) {
      _ = ColdCoder.encode([1, 2], references: [[1, 2], [1, 2], [1, 2], [1, 2]])
    }
  }
}

/// Bits a row, with a tenth over what the noise itself takes: what the coder is for.
@Suite struct `What cold columns cost` {
  @Test func `noise costs its entropy`() {
    var dice = Dice(3)
    // log2(4.133 × deviation), and for temperatures what a filter leaves of walk and noise.
    let loud: [Int64] = (0..<8192).map { _ in Int64((dice.noise() * 8).rounded()) }
    #expect(bits(loud) < 5.2)
    let soft: [Int64] = (0..<8192).map { _ in Int64((dice.noise() * 2).rounded()) }
    #expect(bits(soft) < 3.2)
    #expect(bits(ColdShape.halfNormal.values(8192, &dice)) < 4.3)
    var level = 0.0
    let temperature = (0..<8192).map { _ in
      level += dice.noise() * 0.08
      return Int64((level + dice.noise() * 0.25).rounded())
    }
    #expect(bits(temperature) < 0.95)
  }

  @Test func `steps in noise cost little more than the noise`() {
    var dice = Dice(4)
    var level = 0.0
    let power = (0..<8192).map { _ in
      if dice.chance(1.0 / 300) { level += dice.noise() * 280 }
      return Int64((level + dice.noise() * 8).rounded())
    }
    #expect(bits(power) < 5.5)
  }

  @Test func `what seldom changes costs next to nothing`() {
    var dice = Dice(5)
    let hours: [Int64] = (0..<8192).map { (row: Int64) -> Int64 in row / 3600 }
    #expect(bits(hours) < 0.03)
    #expect(bits(ColdShape.switching.values(8192, &dice)) < 0.12)
    let line: [Int64] = (0..<8192).map { (row: Int64) -> Int64 in 5 + row * 977 }
    #expect(bits(line) < 0.03)
    #expect(ColdCoder.encode([Int64](repeating: -3, count: 8192), references: []) == [1, 5])
  }

  @Test func `a column that follows from others costs what they do not tell`() {
    var dice = Dice(6)
    var level = 4000.0
    let power: [Int64] = (0..<8192).map { _ in
      if dice.chance(0.02) { level += dice.noise() * 400 }
      return Int64((level + dice.noise() * 20).rounded())
    }
    let voltage: [Int64] = (0..<8192).map { _ in 23_000 + Int64((dice.noise() * 150).rounded()) }
    let current: [Int64] = power.indices.map { row in
      let known = Double(power[row]) * 0.043 - Double(voltage[row]) * 0.009
      return Int64((known + 300 + dice.noise() * 0.2).rounded())
    }
    let alone = bits(current)
    #expect(bits(current, [power, voltage]) < alone / 2)
    // Not the value but its unrest follows: sizes of changes are told too.
    var busy = false
    var quiet: Int64 = 0
    var (reference, other): ([Int64], [Int64]) = ([], [])
    for _ in 0..<8192 {
      busy = dice.chance(0.3)
      if busy { quiet += Int64(dice.roll(1000)) }
      reference.append(quiet)
      other.append(Int64(dice.roll(busy ? 500 : 2)))
    }
    #expect(bits(other, [reference]) < bits(other) - 0.3)
  }
}

@Suite struct `The format of cold columns` {
  private static let squares: [Int64] = (0..<48).map { (row: Int64) -> Int64 in row * row * 7 % 23 }
  private static let fives: [Int64] = (0..<48).map { (row: Int64) -> Int64 in row % 5 }
  private static let references: [[Int64]] = [squares, fives]
  private static let jumping: [Int64] = squares.enumerated().map { row, square in
    row > 30 ? square * 10 + 5000 : square * 10
  }
  private static let leaning: [Int64] = zip(squares, fives).map { square, five in
    square * 10 + five * 3 - 70 + (square == 7 ? 4 : 0) - (five == 3 ? square / 9 : 0)
  }
  private static let wide: [Int64] = squares.enumerated().map { row, square in Int64(row) << 45 &+ square }
  private static let rough: [Int64] = [.min, 0, 12_345_678_901_234]

  @Test func `bytes once written stay readable`() throws {
    #expect(try ColdCoder.decode(Golden.jumping[...], rows: 48, references: []) == Self.jumping)
    #expect(try ColdCoder.decode(Golden.leaning[...], rows: 48, references: Self.references) == Self.leaning)
    #expect(try ColdCoder.decode(Golden.wide[...], rows: 48, references: []) == Self.wide)
    #expect(try ColdCoder.decode(Golden.rough[...], rows: 3, references: []) == Self.rough)
  }

  @Test func `the writer's choices are as they were`() {
    #expect(ColdCoder.encode(Self.jumping, references: []) == Golden.jumping)
    #expect(ColdCoder.encode(Self.leaning, references: Self.references) == Golden.leaning)
    #expect(ColdCoder.encode(Self.wide, references: []) == Golden.wide)
    #expect(ColdCoder.encode(Self.rough, references: []) == Golden.rough)
  }

  fileprivate static let bentHeads: [(bytes: [UInt8], reason: String)] = [
    ([], "ends early"), ([9], "form 9 of a cold column"), ([0, 1, 2, 3], "3 bytes for 2 raw values"),
    ([UInt8](repeating: 0, count: 18), "17 bytes for 2 raw values"), ([1], "ends early"),
    ([1, 2, 3], "1 bytes behind a constant"), ([2, 0, 1], "ends early"),
    ([2, 0, 1, 5, 0, 3], "order 3 of a prediction"), ([3, 0, 1, 5, 30, 12], "gains 12"),
    ([3, 0, 1, 5, 31, 0], "start 31 of the classes"),
    ([3, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 2, 0, 0], "span 68719476736 of a tracked column"),
    ([2, 0, 1, 5, 0, 0, 0, 0, 0, 0], "a value beyond its column's span"),
  ]

  @Test(arguments: bentHeads)
  fileprivate func `heads that no writer writes are named`(bytes: [UInt8], reason: String) {
    #expect(throws: CodecFault(reason)) { try ColdCoder.decode(bytes[...], rows: 2, references: []) }
  }

  @Test func `bytes for no row are damage`() {
    #expect(throws: CodecFault("2 bytes for no row")) { try ColdCoder.decode([1, 2], rows: 0, references: []) }
  }
}

@Suite struct `Damaged cold columns` {
  /// For a long run: `TWIND_FUZZ_ROUNDS=100000`.
  static let rounds = unsafe getenv("TWIND_FUZZ_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 400

  @Test(arguments: seeds(2)) func `give a fault or some values, never a crash`(seed: UInt64) throws {
    var dice = Dice(seed)
    let shapes = ColdShape.allCases
    for _ in 0..<Self.rounds {
      let rows = 1 + dice.roll(200)
      let references = (0..<dice.roll(4)).map { _ in shapes[dice.roll(shapes.count)].values(rows, &dice) }
      var bytes = ColdCoder.encode(shapes[dice.roll(shapes.count)].values(rows, &dice), references: references)
      switch dice.roll(4) {
      case 0: bytes = (0..<dice.roll(60)).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
      case 1: bytes.removeLast(dice.roll(bytes.count + 1))
      case 2: for _ in 0...dice.roll(4) { bytes[dice.roll(bytes.count)] ^= 1 << UInt8(dice.roll(8)) }
      default: bytes = [UInt8(dice.roll(5))] + (0..<40).map { _ in UInt8(truncatingIfNeeded: dice.next() >> 7) & 0x8F }
      }
      do {
        let values = try ColdCoder.decode(bytes[...], rows: rows, references: references)
        #expect(values.count == rows, "seed \(seed)")
      } catch { #expect(!error.reason.isEmpty, "seed \(seed)") }
    }
  }
}

@Suite struct `The range coder` {
  @Test(arguments: seeds(20)) func `gives every decision back`(seed: UInt64) {
    var dice = Dice(seed)
    // Mostly likely bits, so that the interval's lower end is driven through long rows of carries.
    let sharp = dice.chance(0.5)
    var steps: [(bit: UInt32, p: UInt32, even: UInt64, count: Int)] = []
    let edges: [UInt32] = [1, 2, 65534, 65535]
    for _ in 0..<3000 {
      let p = sharp ? edges[dice.roll(4)] : UInt32(1 + dice.roll(65535))
      let count = dice.roll(65)
      let even = count == 0 ? 0 : dice.next() >> UInt64(64 - count)
      steps.append((dice.chance(Double(p) / 65536) ? 1 : 0, p, even, count))
    }
    var encoder = RangeEncoder(behind: [1, 2, 3])
    for step in steps {
      _ = encoder.bit(step.bit, one: step.p)
      if !sharp { _ = encoder.even(step.even, count: step.count) }
    }
    let bytes = encoder.finish()
    #expect(bytes.prefix(3) == [1, 2, 3])
    var decoder = RangeDecoder(bytes, in: 3..<bytes.count)
    for step in steps {
      #expect(decoder.bit(0, one: step.p) == step.bit, "seed \(seed)")
      if !sharp { #expect(decoder.even(0, count: step.count) == step.even, "seed \(seed)") }
    }
  }

  @Test func `spends what the decisions are worth`() {
    var dice = Dice(7)
    var encoder = RangeEncoder(behind: [])
    // A bit of probability 1/16 is worth 0.337 bits on average.
    for _ in 0..<80_000 { _ = encoder.bit(dice.chance(1.0 / 16) ? 1 : 0, one: 4096) }
    let spent = encoder.finish().count * 8
    #expect(26_000...28_000 ~= spent)
  }
}

private enum Golden {
  static let jumping: [UInt8] = [
    3, 0, 10, 138, 4, 3, 0, 142, 253, 10, 133, 84, 191, 151, 96, 161, 48, 95, 118, 133, 96, 19, 234, 189, 209, 72,
    251, 61, 1, 147, 54, 33, 108, 61, 89, 238, 92, 248, 152,
  ]
  static let leaning: [UInt8] = [
    4, 139, 1, 1, 232, 1, 1, 0, 156, 251, 79, 236, 219, 23, 137, 136, 194, 136, 214, 8, 57, 84, 144, 234, 240, 147,
    76, 223,
  ]
  static let wide: [UInt8] = [
    2, 0, 1, 135, 128, 128, 128, 128, 128, 248, 2, 4, 2, 128, 0, 0, 0, 20, 144, 58, 157, 145, 140, 13, 11, 209, 170,
    188, 37, 118, 177, 169, 104, 25, 241, 181, 187, 207, 19, 103, 34, 125,
  ]
  static let rough: [UInt8] = [
    0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0, 0, 242, 47, 206, 115, 58, 11, 0, 0,
  ]
}
