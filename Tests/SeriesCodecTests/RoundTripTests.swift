import SeriesCodec
import Testing
import TwinCore

@Suite struct `A block comes back as it was packed` {
  @Test(arguments: seeds(24)) func `whatever it holds, in both tiers`(seed: UInt64) throws {
    var dice = Dice(seed)
    for _ in 0..<8 {
      let block = Shapes.block(&dice)
      for tier in Tier.allCases {
        let body = BodyCodec.encode(block, tier: tier)
        #expect(body == BodyCodec.encode(block, tier: tier), "seed \(seed)")
        let reader = try BodyReader(body, forms: block.forms)
        let back = try reader.block()
        #expect(back == block, "seed \(seed), tier \(tier)")
        for index in block.columns.indices {
          #expect(try reader.column(index) == block.columns[index], "seed \(seed), tier \(tier), column \(index)")
        }
        check(reader, against: block, tier, "seed \(seed)")
      }
    }
  }

  @Test(arguments: seeds(24)) func `and its first rows come as those of the whole, without measures`(
    seed: UInt64
  ) throws {
    var dice = Dice(seed)
    for _ in 0..<6 {
      let block = Shapes.block(&dice)
      for tier in Tier.allCases {
        let body = BodyCodec.encode(block, tier: tier)
        let reader = try BodyReader(body, forms: block.forms, isChecked: true)
        let (effective, ticks) = try reader.instants()
        #expect(effective == block.effective && ticks == block.ticks, "seed \(seed), tier \(tier)")
        for index in block.columns.indices {
          let end = 1 + dice.roll(block.effective.count)
          var wanted = block.columns[index]
          wanted.counts = Array(wanted.counts[..<end])
          wanted.exceptions.removeAll { $0.row >= end }
          wanted.qualities = Array(wanted.qualities.prefix(end))
          wanted.measures = nil
          let found = try reader.column(index, through: end)
          #expect(found == wanted, "seed \(seed), tier \(tier), column \(index), \(end) rows")
        }
      }
    }
  }

  /// Columns that follow from others are packed as what these leave; the first rows need the others' first rows alone.
  @Test(arguments: seeds(8)) func `and so do first rows of columns that lean on others`(seed: UInt64) throws {
    var dice = Dice(seed)
    let rows = 2000
    var columns = (0..<2).map { _ in
      var level: Int64 = 5000
      return Column(
        form: .integer,
        counts: (0..<rows).map { _ in
          level += Int64(dice.roll(41)) - 20
          return level
        })
    }
    // The least of the first column comes late.
    columns[0].counts[rows - 2] = -90_000
    columns.append(
      Column(form: .integer, counts: (0..<rows).map { 3 * columns[0].counts[$0] + columns[1].counts[$0] }))
    var gaps = columns[2]
    gaps.qualities = (0..<rows).map { $0 % 50 == 7 ? 3 : 0 }
    gaps.counts = (0..<rows).map { $0 % 50 == 7 ? 0 : gaps.counts[$0] + 1 }
    columns.append(gaps)
    let block = Block(
      group: 1, layout: 1, effective: (0..<rows).map { Int64($0) * 1_000_000_000 }, ticks: (0..<rows).map { Int64($0) },
      leads: Array(repeating: 0, count: rows), columns: columns)
    let alone = columns.reduce(0) { sum, column in
      var single = block
      single.columns = [column]
      return sum + BodyCodec.encode(single, tier: .cold).count
    }
    let body = BodyCodec.encode(block, tier: .cold)
    #expect(body.count < alone * 3 / 4, "seed \(seed): some column leans on another")
    let reader = try BodyReader(body, forms: block.forms)
    for index in columns.indices {
      for end in [1, 2, 128, 1000, rows - 1, rows] {
        let found = try reader.column(index, through: end)
        #expect(found.counts == Array(columns[index].counts[..<end]), "seed \(seed), column \(index), \(end) rows")
      }
    }
  }

  private func check(_ reader: BodyReader, against block: Block, _ tier: Tier, _ remark: Comment) {
    #expect(reader.group == block.group && reader.layout == block.layout && reader.tier == tier, remark)
    #expect(reader.rows == block.effective.count && reader.columns == block.columns.count, remark)
    #expect(reader.effectiveMin == block.effective.min() && reader.effectiveMax == block.effective.max(), remark)
    #expect(reader.tickFirst == block.ticks.first && reader.tickLast == block.ticks.last, remark)
    for (summary, column) in zip(reader.directory, block.columns) {
      let values = Self.values(column)
      let numbers = values.filter { !$0.isNaN }
      #expect(summary.rows == block.effective.count && summary.count == values.count, remark)
      #expect(summary.bad == column.qualities.count { $0 != 0 }, remark)
      #expect(summary.min == numbers.min() && summary.max == numbers.max(), remark)
      #expect(summary.first?.bitPattern == values.first?.bitPattern, remark)
      #expect(summary.last?.bitPattern == values.last?.bitPattern, remark)
      let sum = numbers.reduce(0, +)
      let size = numbers.reduce(0) { $0 + $1.magnitude }
      #expect(
        (summary.sum - sum).magnitude <= 1e-9 * size || summary.sum.isNaN && sum.isNaN || summary.sum == sum
          || !size.isFinite, remark)
    }
  }

  /// Of the rows that have one.
  private static func values(_ column: Column) -> [Double] {
    let odd = Dictionary(uniqueKeysWithValues: column.exceptions.map { (Int($0.row), $0.bits) })
    return column.counts.indices.compactMap { row in
      guard column.qualities.isEmpty || column.qualities[row] <= 1 else { return nil }
      if let bits = odd[row] { return Double(bitPattern: bits) }
      switch column.form {
      case .decimal(let scale): return Double(column.counts[row]) * scale
      case .double: return Double(bitPattern: UInt64(bitPattern: column.counts[row]))
      case .integer: return Double(column.counts[row])
      }
    }
  }

  @Test(arguments: Tier.allCases) func `at the bounds of rows and columns`(tier: Tier) throws {
    var dice = Dice(1)
    let rows = Block.rowsMax
    let long = Block(
      group: .max, layout: .max, effective: (0..<rows).map { Int64($0) * 250_000_000 },
      ticks: (0..<rows).map { Int64($0) },
      leads: Array(repeating: .min, count: rows),
      columns: [Column(form: .integer, counts: (0..<rows).map { _ in Int64(dice.roll(9)) })])
    #expect(try BodyReader(BodyCodec.encode(long, tier: tier), forms: long.forms).block() == long)
    let wide = Block(
      group: .min, layout: .min, effective: [.min, .max], ticks: [.min, .max], leads: [.max, .min],
      columns: (0..<Block.columnsMax).map { Column(form: .integer, counts: [Int64($0), .min]) })
    #expect(try BodyReader(BodyCodec.encode(wide, tier: tier), forms: wide.forms).block() == wide)
  }

  @Test func `the counts of rows without a value are not kept`() throws {
    var block = Block(group: 1, layout: 1, effective: [1, 2, 3], ticks: [1, 2, 3], leads: [0, 0, 0], columns: [])
    block.columns = [Column(form: .integer, counts: [5, 77, 6], qualities: [0, 3, 1])]
    let back = try BodyReader(BodyCodec.encode(block, tier: .hot), forms: block.forms).block()
    #expect(back.columns[0].counts == [5, 0, 6])
  }

  @Test func `a body of other columns is refused`() throws {
    let block = Block(
      group: 1, layout: 1, effective: [1], ticks: [1], leads: [0], columns: [Column(form: .integer, counts: [5])])
    let body = BodyCodec.encode(block, tier: .hot)
    #expect(throws: CodecFault.self) { try BodyReader(body, forms: []) }
    #expect(throws: CodecFault.self) { try BodyReader(body, forms: [.double]) }
    #expect(throws: CodecFault.self) { try BodyReader(body, forms: [.integer, .integer]) }
    #expect(try BodyReader(body, forms: [.integer]).directory[0].sum == 5)
  }
}

@Suite struct `Plain columns cost next to nothing` {
  private static let rows = 600

  private static func size(_ columns: [Column], jitter: Bool = false, tier: Tier = .hot) -> Int {
    var dice = Dice(3)
    let start: Int64 = 1_793_491_200_000_000_000
    let block = Block(
      group: 1, layout: 1,
      effective: (0..<rows).map { start + (Int64($0) * 1000 + (jitter ? Int64(dice.roll(8)) : 0)) * 1_000_000 },
      ticks: (0..<rows).map { Int64($0) + 4000 }, leads: Array(repeating: start - 55, count: rows), columns: columns)
    return BodyCodec.encode(block, tier: tier).count
  }

  @Test func `times on schedule take no bits, jittered ones their jitter`() {
    #expect(Self.size([]) < 60)
    // Three bits a row, and a little for the parameters.
    #expect(Self.size([], jitter: true) < 60 + Self.rows * 3 / 8 + 20)
  }

  @Test func `a constant takes its entry alone`() {
    let constant = Column(form: .decimal(scale: 0.1), counts: Array(repeating: 215, count: Self.rows))
    #expect(Self.size([constant]) - Self.size([]) <= 5)
    var failed = constant
    failed.qualities = Array(repeating: 3, count: Self.rows)
    failed.counts = Array(repeating: 0, count: Self.rows)
    #expect(Self.size([failed, failed, failed]) - Self.size([]) <= 24)
  }

  @Test func `a common divisor and a common step are taken out`() {
    let fine = Column(form: .integer, counts: (0..<Self.rows).map { Int64($0 * $0 % 97) })
    let coarse = Column(form: .integer, counts: fine.counts.map { $0 * 1_000_000 })
    #expect(Self.size([coarse]) - Self.size([fine]) < 30)
    let line = Column(form: .integer, counts: (0..<Self.rows).map { Int64($0) * 123_456 })
    #expect(Self.size([line]) - Self.size([]) < 32)
  }

  @Test func `doubles with a decimal step cost what their counts cost`() {
    var dice = Dice(4)
    let counts = (0..<Self.rows).map { _ in Int64(2150 + dice.roll(16)) }
    let decimal = Self.size([Column(form: .decimal(scale: 0.1), counts: counts)])
    for value: (Int64) -> Double in [{ Double($0) / 10 }, { Double($0) * 0.1 }, { Double($0) / 1024 }] {
      let patterns = counts.map { Int64(bitPattern: value($0).bitPattern) }
      #expect(Self.size([Column(form: .double, counts: patterns)]) <= decimal + 4)
    }
  }

  @Test func `what follows from other columns is not packed again when cold`() {
    var dice = Dice(5)
    let (power, voltage) = (
      (0..<Self.rows).map { _ in Int64(4000 + dice.roll(1 << 9)) },
      (0..<Self.rows).map { _ in Int64(2300 + dice.roll(40)) }
    )
    let columns = [
      power, voltage, power.indices.map { power[$0] * 3 + voltage[$0] * 7 + Int64(dice.roll(4)) },
    ].map { Column(form: .decimal(scale: 0.1), counts: $0) }
    let apart = columns.reduce(0) { $0 + Self.size([$1], tier: .cold) - Self.size([], tier: .cold) }
    let together = Self.size(columns, tier: .cold) - Self.size([], tier: .cold)
    // Of more than ten bits a row of the third column, a few remain.
    #expect(together < apart - Self.rows * 5 / 8)
    #expect(Self.size(columns) > together)
  }
}
