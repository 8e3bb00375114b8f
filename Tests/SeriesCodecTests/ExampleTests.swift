import Glibc
import SeriesCodec
import Testing
import TwinCore

private let folder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")

/// The whole file; nil where there is none.
private func text(_ path: String) -> String? {
  guard let file = unsafe fopen(path, "r") else { return nil }
  defer { unsafe fclose(file) }
  var bytes: [UInt8] = []
  while true {
    let byte = unsafe fgetc(file)
    guard byte >= 0 else { return String(decoding: bytes, as: UTF8.self) }
    bytes.append(UInt8(byte))
  }
}

private func write(_ text: String, to path: String) {
  guard let file = unsafe fopen(path, "w") else { return }
  unsafe fputs(text, file)
  unsafe fclose(file)
}

private func hex(_ bytes: [UInt8]) -> String {
  var text = ""
  for (index, byte) in bytes.enumerated() {
    text += (byte < 16 ? "0" : "") + String(byte, radix: 16) + (index % 32 == 31 ? "\n" : " ")
  }
  return text.split(separator: "\n").map { $0.trimmingSuffix(" ") }.joined(separator: "\n") + "\n"
}

extension Substring {
  fileprivate func trimmingSuffix(_ suffix: Character) -> Substring { last == suffix ? dropLast() : self }
}

/// The hexadecimal pairs of a text; what stands behind a `#` is a remark.
private func bytes(_ text: some StringProtocol) -> [UInt8] {
  text.split(separator: "\n").flatMap { line in
    line.prefix { $0 != "#" }.split(separator: " ").compactMap { UInt8($0, radix: 16) }
  }
}

@Suite struct `The example in docs/series-format.md` {
  static let start: Int64 = 1_793_491_200_000_000_000

  static let block = Block(
    group: 7, layout: 2,
    effective: [0, 1003, 2001, 3000, 5002, 6001, 7004, 8000].map { start + ($0 + 40) * 1_000_000 },
    ticks: [100, 101, 102, 103, 105, 106, 107, 108], leads: Array(repeating: start - 4_500_000_000, count: 8),
    columns: [
      Column(form: .decimal(scale: 0.1), counts: [215, 215, 216, 215, 217, 216, 216, 215]),
      Column(form: .integer, counts: [9000, 9012, 9024, 9036, 9048, 9060, 9072, 9084]),
      Column(form: .decimal(scale: 0.5), counts: [40, 40, 40, 0, 0, 40, 40, 40], qualities: [0, 0, 0, 3, 3, 0, 0, 0]),
    ])

  @Test func `is what the codec writes, and reads`() throws {
    let page = try #require(text(folder + "/../../docs/series-format.md"))
    let fence = try #require(page.split(separator: "```hex\n").dropFirst().first?.split(separator: "```").first)
    let body = BodyCodec.encode(Self.block, tier: .hot)
    #expect(bytes(fence) == body, "the codec writes\n\(hex(body))")
    #expect(try BodyReader(bytes(fence), forms: Self.block.forms).block() == Self.block)
  }
}

/// Bodies that older files hold: what is in Golden is read and written for ever, byte for byte.
///
/// `TWIND_UPDATE_GOLDEN=1` writes what is packed now; read the difference before it is committed.
@Suite struct `Golden bodies` {
  static let start = `The example in docs/series-format.md`.start

  private static func times(_ rows: Int) -> Block {
    Block(
      group: 3, layout: 5, effective: (0..<rows).map { start + Int64($0) * 1_000_000_000 },
      ticks: (0..<rows).map { Int64($0) + 7 }, leads: Array(repeating: 12_345_678_901, count: rows), columns: [])
  }

  private static func block(_ rows: Int, _ columns: (inout Dice) -> [Column]) -> Block {
    var (block, dice) = (times(rows), Dice(UInt64(rows)))
    block.columns = columns(&dice)
    return block
  }

  private static func walk(_ rows: Int, _ step: Double, _ noise: Double, _ dice: inout Dice) -> [Int64] {
    var level = 400.0
    return (0..<rows).map { _ in
      level += step * dice.noise()
      return Int64(level + noise * dice.noise())
    }
  }

  static let cases: [String: Block] = [
    "plant": block(600) { dice in
      var power = walk(600, 0, 8, &dice)
      for row in 250..<600 { power[row] += 400 }
      let voltage = walk(600, 1, 1, &dice)
      return [
        Column(form: .decimal(scale: 0.1), counts: walk(600, 0.08, 0.25, &dice)),
        Column(form: .decimal(scale: 0.1), counts: power),
        Column(form: .decimal(scale: 0.01), counts: (0..<600).map { power[$0] * 3 + voltage[$0] }),
        Column(form: .integer, counts: (0..<600).map { Int64($0 * 7 / 2) }),
        Column(form: .integer, counts: (0..<600).map { Int64($0 / 170 % 2) }),
        Column(form: .integer, counts: (0..<600).map { Int64(($0 % 40 - 20) * ($0 % 40 - 20)) }),
        Column(
          form: .decimal(scale: 0.01),
          counts: (0..<600).reduce(into: []) { counts, row in
            let rate = row < 300 ? 40.0 : 90.0
            counts.append((counts.last ?? 1_000_000) + Int64(rate + 3 * dice.noise()))
          }),
      ]
    },
    "extremes": block(Shapes.extremes.count * 13) { dice in
      let rows = Shapes.extremes.count * 13
      return [
        Column(form: .integer, counts: (0..<rows).map { Shapes.extremes[$0 % Shapes.extremes.count] }),
        Column(form: .integer, counts: (0..<rows).map { $0 == 77 ? .min : Int64($0 % 3) }),
        Column(form: .integer, counts: (0..<rows).map { _ in Int64(bitPattern: dice.next()) }),
        Column(form: .decimal(scale: 0.001), counts: (0..<rows).map { Int64($0) * 1_000_000_007 }),
        Column(form: .integer, counts: (0..<rows).map { $0 % 2 == 0 ? .max : .min }),
      ]
    },
    "doubles": block(120) { dice in
      func patterns(_ value: (Int) -> Double) -> [Int64] { (0..<120).map { Int64(bitPattern: value($0).bitPattern) } }
      return [
        Column(form: .double, counts: patterns { Double($0 * 37 % 101) / 10 }),
        Column(form: .double, counts: patterns { Double($0 * 37 % 101) * 0.001 }),
        Column(form: .double, counts: patterns { Double(Float($0 * 37 % 101) / 7) }),
        Column(
          form: .double, counts: patterns { Double(bitPattern: Shapes.oddPatterns[$0 % Shapes.oddPatterns.count]) }),
        Column(
          form: .double,
          counts: patterns { $0 % 40 == 0 ? Double(bitPattern: Shapes.oddPatterns[$0 / 40]) : Double($0) / 4 }),
        Column(form: .double, counts: patterns { _ in dice.noise() }),
      ]
    },
    "exceptions": block(90) { dice in
      var column = Column(form: .decimal(scale: 0.1), counts: walk(90, 0.3, 0.3, &dice))
      for (index, row) in [0, 1, 30, 89].enumerated() {
        column.exceptions.append(.init(row: Int32(row), bits: Shapes.oddPatterns[index]))
        column.counts[row] = row > 0 ? column.counts[row - 1] : 0
      }
      return [column]
    },
    "qualities": block(200) { dice in
      let failing = (0..<200).map { UInt8($0 % 50 < 6 ? 3 : $0 % 50 < 9 ? 1 : 0) }
      let counts = walk(200, 0.3, 0.3, &dice).enumerated().map { failing[$0.offset] == 3 ? 0 : $0.element }
      return [
        Column(form: .decimal(scale: 0.1), counts: counts, qualities: failing),
        Column(form: .decimal(scale: 0.1), counts: counts.map { $0 * 2 }, qualities: failing),
        Column(form: .integer, counts: Array(repeating: 0, count: 200), qualities: Array(repeating: 4, count: 200)),
        Column(form: .integer, counts: Array(repeating: 1, count: 200), qualities: Array(repeating: 0, count: 200)),
      ]
    },
    "measures": block(200) { dice in
      let counts = walk(200, 0.3, 0.3, &dice)
      let measures = Measures(
        variances: walk(200, 0.2, 0, &dice).map { UInt8(clamping: $0 - 300) },
        confidences: (0..<200).map { $0 == 150 ? 12 : 255 }, provenances: (0..<200).map { $0 < 60 ? 2 : 0xFFFF },
        stamps: (0..<200).map { UInt16($0 % 7) << 8 | 3 })
      return [
        Column(form: .decimal(scale: 0.1), counts: counts, measures: measures),
        Column(
          form: .decimal(scale: 0.1), counts: counts, measures: Measures(confidences: Array(repeating: 255, count: 200))
        ),
        Column(form: .decimal(scale: 0.1), counts: counts, measures: Measures()),
      ]
    },
    "references": block(300) { dice in
      let failing = (0..<300).map { UInt8($0 % 70 < 3 ? 3 : 0) }
      let power = (0..<300).map { failing[$0] == 3 ? 0 : Int64(4000 + dice.roll(512)) }
      let follower = (0..<300).map { row in
        (max(0, row - 3)...row).last { failing[$0] == 0 }.map { power[$0] * 3 + Int64(dice.roll(4)) } ?? 7
      }
      return [
        Column(form: .decimal(scale: 0.1), counts: power, qualities: failing),
        Column(form: .decimal(scale: 0.1), counts: follower),
      ]
    },
    "times": {
      var (block, dice) = (times(300), Dice(300))
      var missed = 0
      block.effective = (0..<300).map { row in
        missed += row % 90 == 89 ? 2 : 0
        return start + (Int64(row + missed) * 1000 + Int64(dice.roll(12)) + (row == 200 ? -3000 : 0)) * 1_000_000
      }
      block.ticks = (0..<300).map { Int64($0) * 4 + ($0 > 120 ? 3 : 0) }
      block.leads = (0..<300).map { start - 1_000_000 * Int64($0 / 100) }
      return block
    }(),
    "odd-times": Block(
      group: .min, layout: .min, effective: Shapes.extremes, ticks: [.min, -1, 0, 0, 0, 1, 2, 9, .max, .max],
      leads: Shapes.extremes.reversed(), columns: []),
    "one-row": Block(
      group: 0, layout: 0, effective: [1], ticks: [-1], leads: [0],
      columns: [Column(form: .double, counts: [Int64(bitPattern: (-0.0).bitPattern)])]),
  ]

  @Test(arguments: cases.keys.sorted(), Tier.allCases) func `never change`(name: String, tier: Tier) throws {
    let block = try #require(Self.cases[name])
    let path = "\(folder)/Golden/\(name).\(tier).hex"
    let body = BodyCodec.encode(block, tier: tier)
    if unsafe getenv("TWIND_UPDATE_GOLDEN") != nil {
      write(hex(body), to: path)
    } else {
      let kept = bytes(try #require(text(path)))
      #expect(kept == body)
      #expect(try BodyReader(kept, forms: block.forms).block() == block)
    }
  }
}
