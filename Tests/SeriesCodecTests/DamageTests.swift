import Glibc
import Testing
import TwinCore

@testable import SeriesCodec

/// A body in its parts, to be put together again with good checksums after one of them was bent.
private struct Anatomy {
  var head: BodyHead
  var times: [UInt8]
  var patterns: [UInt8]
  var patternCount: Int
  var entries: [DirectoryEntry]
  var payloads: [[UInt8]]

  init(_ body: [UInt8], forms: [ValueForm]) throws {
    var reader = ByteReader(body)
    head = try BodyHead(from: &reader)
    let timesLength = try reader.count(max: body.count)
    _ = try reader.word()
    patternCount = try reader.count(max: head.columns)
    var patternsLength = 0
    if patternCount > 0 {
      patternsLength = try reader.count(max: body.count)
      _ = try reader.word()
    }
    entries = []
    for form in forms { entries.append(try DirectoryEntry(from: &reader, form: form, patterns: patternCount)) }
    _ = try reader.word()
    times = try reader.bytes(timesLength)
    patterns = try reader.bytes(patternsLength)
    payloads = []
    for entry in entries { payloads.append(try reader.bytes(entry.payloadLength)) }
  }

  func body(bendingFront bend: (inout [UInt8]) -> Void = { _ in }) -> [UInt8] {
    var writer = ByteWriter()
    head.write(to: &writer)
    writer.varint(UInt64(times.count))
    writer.word(Checksum.crc32c(times))
    writer.varint(UInt64(patternCount))
    if patternCount > 0 {
      writer.varint(UInt64(patterns.count))
      writer.word(Checksum.crc32c(patterns))
    }
    for (entry, payload) in zip(entries, payloads) {
      var entry = entry
      (entry.payloadLength, entry.checksum) = (payload.count, Checksum.crc32c(payload))
      entry.write(to: &writer)
    }
    bend(&writer.bytes)
    writer.word(Checksum.crc32c(writer.bytes))
    return writer.bytes + times + patterns + payloads.flatMap { $0 }
  }
}

@Suite struct `Damaged bodies` {
  /// For a long run: `TWIND_FUZZ_ROUNDS=100000`.
  static let rounds = unsafe getenv("TWIND_FUZZ_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 150

  private static func bend(_ bytes: inout [UInt8], donor: [UInt8], _ dice: inout Dice) {
    for _ in 0...dice.roll(3) {
      guard !bytes.isEmpty else { return bytes = Array(donor.prefix(1 + dice.roll(40))) }
      let at = dice.roll(bytes.count)
      switch dice.roll(7) {
      case 0: bytes[at] ^= 1 << UInt8(dice.roll(8))
      case 1: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][dice.roll(5)]
      case 2: bytes.removeLast(bytes.count - at)
      case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + dice.roll(8)))
      case 4: bytes.insert(contentsOf: (0...dice.roll(9)).map { _ in UInt8(truncatingIfNeeded: dice.next()) }, at: at)
      case 5:
        let end = min(bytes.count, at + 1 + dice.roll(20))
        bytes.replaceSubrange(at..<end, with: donor.suffix(dice.roll(donor.count + 1)).prefix(end - at))
      default:
        // The largest number that a varint can hold.
        bytes.replaceSubrange(
          at..<min(bytes.count, at + 10), with: [UInt8](repeating: 0xFF, count: 9) + [dice.chance(0.5) ? 1 : 0x7F])
      }
    }
  }

  /// Reads all that can be read; what comes must have the shape that was promised.
  private static func read(_ body: [UInt8], _ forms: [ValueForm], _ remark: Comment) {
    guard let reader = try? BodyReader(body, forms: forms) else { return }
    #expect(reader.rows <= Block.rowsMax && reader.directory.count == forms.count, remark)
    if let times = try? reader.times() {
      #expect(times.effective.count == reader.rows && times.leads.count == reader.rows, remark)
      #expect(times.effective.min() == reader.effectiveMin && times.ticks.last == reader.tickLast, remark)
    }
    for index in forms.indices {
      guard let column = try? reader.column(index) else { continue }
      #expect(column.counts.count == reader.rows && column.exceptions.count <= reader.rows, remark)
      #expect(column.qualities.isEmpty || column.qualities.count == reader.rows, remark)
    }
    _ = try? reader.block()
  }

  @Test(arguments: 0..<4) func `give a fault or a block, never a trap`(part: Int) throws {
    let seed = (unsafe getenv("TWIND_SEED").flatMap { unsafe UInt64(String(cString: $0)) }) ?? UInt64(part) << 32 + 1
    var dice = Dice(seed)
    var donor: [UInt8] = [1]
    for round in 0..<Self.rounds {
      let block = Shapes.block(&dice, rowsMax: 300)
      let body = BodyCodec.encode(block, tier: Tier.allCases[dice.roll(2)])
      let remark: Comment = "seed \(seed), round \(round)"
      for _ in 0..<6 {
        var anatomy = try Anatomy(body, forms: block.forms)
        let bent: [UInt8]
        switch dice.roll(8) {
        case 0:
          var bytes = body
          Self.bend(&bytes, donor: donor, &dice)
          bent = bytes
          if bent != body {
            let whole = try? BodyReader(bent, forms: block.forms).block()
            #expect(whole == nil || whole == block, "an unsealed change went unseen; \(remark)")
          }
        case 1: bent = anatomy.body { Self.bend(&$0, donor: donor, &dice) }
        case 2, 3:
          Self.bend(&anatomy.times, donor: donor, &dice)
          bent = anatomy.body()
        case 4:
          Self.bend(&anatomy.patterns, donor: donor, &dice)
          bent = anatomy.body()
        default:
          if !anatomy.payloads.isEmpty {
            let column = dice.roll(anatomy.payloads.count)
            Self.bend(&anatomy.payloads[column], donor: donor, &dice)
          }
          bent = anatomy.body()
        }
        Self.read(bent, block.forms, remark)
      }
      donor = body
    }
  }

  @Test func `a body cut anywhere, or with one bit turned, is refused`() throws {
    var dice = Dice(7)
    let block = Shapes.block(&dice, rowsMax: 60)
    for tier in Tier.allCases {
      let body = BodyCodec.encode(block, tier: tier)
      for length in body.indices {
        #expect(throws: CodecFault.self) { try BodyReader(Array(body[..<length]), forms: block.forms) }
      }
      for bit in 0..<8 * body.count {
        var bent = body
        bent[bit / 8] ^= 1 << UInt8(bit % 8)
        #expect(throws: CodecFault.self, "bit \(bit)") { try BodyReader(bent, forms: block.forms) }
      }
      #expect(throws: CodecFault.self) { try BodyReader(body + [0], forms: block.forms) }
    }
  }

  @Test func `a reference in a circle is refused`() throws {
    let rows = 64
    var dice = Dice(9)
    let block = Block(
      group: 1, layout: 1, effective: (0..<rows).map { Int64($0) }, ticks: (0..<rows).map { Int64($0) },
      leads: Array(repeating: 0, count: rows),
      columns: (0..<2).map { _ in Column(form: .integer, counts: (0..<rows).map { _ in Int64(dice.roll(99)) }) })
    var anatomy = try Anatomy(BodyCodec.encode(block, tier: .hot), forms: block.forms)
    // Codec 8 with one reference: each column to the other, then one to itself.
    for (first, second) in [(UInt8(1), UInt8(0)), (0, 1), (2, 0)] {
      anatomy.payloads = [[8, 1, first, 0, 0], [8, 1, second, 0, 0]]
      let reader = try BodyReader(anatomy.body(), forms: block.forms)
      for index in 0..<2 { #expect(throws: CodecFault.self) { try reader.column(index) } }
      #expect(throws: CodecFault.self) { try reader.block() }
    }
  }

  @Test func `times, and rows of exceptions, that cannot be are refused`() throws {
    var column = Column(form: .decimal(scale: 0.1), counts: [5, 5, 0, 6], qualities: [0, 0, 3, 0])
    column.exceptions = [.init(row: 1, bits: 1)]
    let block = Block(
      group: 1, layout: 1, effective: [10, 20, 30, 40], ticks: [1, 2, 3, 4], leads: [0, 0, 0, 0], columns: [column])
    let good = try Anatomy(BodyCodec.encode(block, tier: .hot), forms: block.forms)
    func read(_ bend: (inout Anatomy) -> Void) throws -> Block {
      var anatomy = good
      bend(&anatomy)
      return try BodyReader(anatomy.body(), forms: block.forms).block()
    }
    #expect(try read { _ in } == block)
    #expect(good.payloads[0][..<2] == [1, 2], "one exception, two rows behind row -1")
    #expect(throws: CodecFault("exception in row 2")) { try read { $0.payloads[0][1] = 3 } }
    #expect(throws: CodecFault("exception in row -1")) { try read { $0.payloads[0][1] = 0 } }
    #expect(throws: CodecFault("count 5 where at most 4 may be")) { try read { $0.payloads[0][1] = 5 } }
    #expect(throws: CodecFault("times that are not the head's")) { try read { $0.head.effectiveMax = 50 } }
    #expect(throws: CodecFault("time outside the head's")) { try read { $0.head.effectiveMax = 30 } }
    #expect(throws: CodecFault("times that are not the head's")) { try read { $0.head.tickLast = 5 } }
    #expect(throws: CodecFault("ticks that fall")) { try read { $0.head.tickLast = 0 } }
  }

  @Test func `a summary that no column has is refused`() throws {
    let block = Block(
      group: 1, layout: 1, effective: [1, 2], ticks: [1, 2], leads: [0, 0],
      columns: [Column(form: .integer, counts: [5, 9])])
    let good = try Anatomy(BodyCodec.encode(block, tier: .hot), forms: block.forms)
    func directory(_ base: Int64, _ summary: NumberSummary?) throws -> [ColumnSummary] {
      var anatomy = good
      (anatomy.entries[0].base, anatomy.entries[0].summary) = (base, summary)
      return try BodyReader(anatomy.body(), forms: block.forms).directory
    }
    #expect(try directory(5, .numbers(last: 4, least: 0, greatest: 4, sum: 4))[0].sum == 14)
    let fault = CodecFault("summary of a column that no column has")
    #expect(throws: fault) { try directory(.min, .numbers(last: 0, least: -1, greatest: 0, sum: 0)) }
    #expect(throws: fault) { try directory(.max, .numbers(last: 0, least: 0, greatest: 1, sum: 0)) }
    #expect(throws: fault) { try directory(0, .numbers(last: 2, least: 0, greatest: 1, sum: 0)) }
    #expect(throws: CodecFault("sum of more than 64 bits")) { try directory(.max, .constant) }
    #expect(throws: CodecFault("summary of 2 values")) { try directory(0, nil) }
  }
}

@Suite struct `Bent streams of eight numbers` {
  private static func values(_ bytes: [UInt8]) throws -> [Int64] {
    let stream = try IntegerStream(bytes, in: bytes.indices, columns: 2)
    return try stream.values(
      8, of: 8, ColdReferences(stream.references.map { _ in Array(repeating: 0, count: 8) }))
  }

  @Test(
    arguments: [
      ([], [0, 0, 0, 0, 0, 0, 0, 0]),
      ([1, 4], [0, 2, 4, 6, 8, 10, 12, 14]),
      ([17, 3, 4], [0, 6, 12, 18, 24, 30, 36, 42]),
      ([2, 2, 3, 2, 4, 1], [0, 0, 0, 1, 1, 1, 1, 0]),
      ([3, 10, 0x3F], [0, 5, 5, 5, 5, 5, 5, 5]),
      ([4, 1, 0x3F], [0, -1, -2, -3, -4, -5, -6, -7]),
    ] as [([UInt8], [Int64])])
  func `are not these`(bytes: [UInt8], numbers: [Int64]) throws {
    #expect(try Self.values(bytes) == numbers)
  }

  @Test(
    arguments: [
      ([0], "codec 0"), ([9, 0], "codec 9"), ([33], "codec 33"), ([17, 0, 2], "divisor 0"), ([17, 1, 2], "divisor 1"),
      ([1], "ends early"), ([1, 2, 2], "bytes behind a line"),
      ([2, 8], "count 8 where at most 7 may be"), ([2, 1, 8, 2], "count 8 where at most 7 may be"),
      ([2, 2, 4, 2, 4, 2], "count 4 where at most 3 may be"), ([2, 1, 0, 2], "empty run"), ([2, 1, 3], "ends early"),
      ([2, 1, 3, 2, 0], "bytes behind the last run"),
      ([3, 0], "ends early"), ([3, 0, 0x7F, 1, 2], "ends early"), ([3, 0, 0, 0], "ends early"),
      ([3, 0, 0x3F, 0], "bytes behind the last residual"),
      ([6, 17, 3, 0x3F], "level 17, 3"), ([6, 3, 64, 0x3F], "level 3, 64"),
      ([7, 0, 7, 0x3F], "linear predictor of order 0, shift 7"), ([7, 17, 7], "linear predictor of order 17, shift 7"),
      ([7, 1, 0, 1, 0x3F], "linear predictor of order 1, shift 0"),
      ([7, 1, 16, 1], "linear predictor of order 1, shift 16"),
      ([7, 2, 7, 1], "ends early"), ([8, 4], "count 4 where at most 3 may be"),
      ([8, 1, 2], "count 2 where at most 1 may be"),
    ] as [([UInt8], String)])
  func `are refused, with the reason`(bytes: [UInt8], reason: String) {
    #expect(throws: CodecFault(reason)) { try Self.values(bytes) }
  }

  @Test(
    arguments: [
      ([40], "run of qualities 40"), ([0], "run of qualities 0"), ([37], "run of qualities 37"),
      ([16, 24], "run of qualities 24"), ([32, 32], "bytes behind the last quality"), ([16], "ends early"),
    ] as [([UInt8], String)])
  func `and so are qualities of four rows`(bytes: [UInt8], reason: String) throws {
    #expect(throws: CodecFault(reason)) { try QualityPatterns(bytes, in: bytes.indices, number: 1, rows: 4) }
    #expect(try QualityPatterns([17, 19], in: 0..<2, number: 1, rows: 4).qualities(0) == [1, 1, 3, 3])
  }
}
