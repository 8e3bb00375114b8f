import Testing

@testable import Parquet

/// DuckDB has timestamps of its own; where a file's unit is coarser, nanoseconds come back.
private let readers = ["pyarrow", "duckdb"]

private func factors(_ columns: [ParquetColumn], _ reader: String) -> [Int64] {
  columns.map { column in
    switch column.kind {
    case .timestamp(.milliseconds) where reader == "duckdb": 1_000_000
    case .timestamp(.microseconds) where reader == "duckdb": 1000
    default: 1
    }
  }
}

@Suite("Other readers see every value as it was written")
struct ReadBackTests {
  /// Each kind in each encoding that it may have, with the ends of its range.
  static let columns: [ParquetColumn] = [
    ParquetColumn("flag", .boolean, encoding: .plain),
    ParquetColumn("flag_runs", .boolean, isNullable: true, encoding: .runs),
    ParquetColumn("small", .int32, encoding: .plain),
    ParquetColumn("small_delta", .int32, isNullable: true, encoding: .delta),
    ParquetColumn("small_dictionary", .int32, encoding: .dictionary),
    ParquetColumn("wide", .int64, isNullable: true, encoding: .plain),
    ParquetColumn("wide_delta", .int64, encoding: .delta),
    ParquetColumn("wide_dictionary", .int64, isNullable: true, encoding: .dictionary),
    ParquetColumn("real", .double, encoding: .plain),
    ParquetColumn("real_dictionary", .double, isNullable: true, encoding: .dictionary),
    ParquetColumn("text", .string, encoding: .plain),
    ParquetColumn("text_dictionary", .string, isNullable: true, encoding: .dictionary),
    ParquetColumn("name", .enumeration, encoding: .dictionary),
    ParquetColumn("at_ms", .timestamp(.milliseconds), encoding: .delta),
    ParquetColumn("at_us", .timestamp(.microseconds), isNullable: true, encoding: .plain),
    ParquetColumn("money", .decimal32(precision: 9, scale: 2), encoding: .delta),
    ParquetColumn("energy", .decimal64(precision: 18, scale: 0), isNullable: true, encoding: .dictionary),
    ParquetColumn("ratio", .decimal64(precision: 12, scale: 12), encoding: .delta),
  ]

  static let reals: [Double] = [
    0, -0.0, 1, -1.5, .pi, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    Double(bitPattern: 0x7FF8_0000_0000_1234), Double(bitPattern: 0xFFF8_0000_0000_0001),
  ]
  static let texts = [
    "", "a", "é", "e\u{301}", "日本語", "tab\there", "quote\"", "line\nbreak", String(repeating: "long ", count: 20),
  ]

  static func integer(_ range: ClosedRange<Int64>, _ row: Int, _ random: inout SeededGenerator) -> Int64 {
    switch row % 6 {
    case 0: range.lowerBound
    case 1: range.upperBound
    case 2: 0
    case 3: Int64.random(in: range, using: &random)
    default: Int64.random(in: -3...3, using: &random)
    }
  }

  static func batch(_ columns: [ParquetColumn], rows: Int, _ random: inout SeededGenerator) -> [ColumnBatch] {
    columns.map { column in
      var nulls: [Bool] = []
      if column.isNullable, rows % 3 != 1 { nulls = (0..<rows).map { _ in Int.random(in: 0..<4, using: &random) == 0 } }
      let values: ColumnBatch.Values
      switch column.kind {
      case .boolean:
        let isSteady = Bool.random(using: &random)
        values = .booleans((0..<rows).map { isSteady ? $0 > rows / 3 : $0 % 3 == 1 })
      case .double: values = .doubles((0..<rows).map { _ in reals.randomElement(using: &random)! })
      case .enumeration: values = .names((0..<rows).map { UInt8($0 * $0 % texts.count) }, of: texts)
      case .string: values = .strings((0..<rows).map { _ in texts.randomElement(using: &random)! })
      case .int32:
        let range = Int64(Int32.min)...Int64(Int32.max)
        values = .int32s((0..<rows).map { Int32(integer(range, $0, &random)) })
      case .decimal32: values = .int32s((0..<rows).map { Int32(integer(column.bounds!, $0, &random)) })
      // Python's own datetime ends at the year 9999.
      case .timestamp: values = .int64s((0..<rows).map { integer(-1_000_000_000_000...4_000_000_000_000, $0, &random) })
      case .int64, .decimal64: values = .int64s((0..<rows).map { integer(column.bounds!, $0, &random) })
      }
      return ColumnBatch(values, nulls: nulls)
    }
  }

  static func options(groupRows: Int, pageRows: Int, _ compression: ParquetOptions.Compression) -> ParquetOptions {
    var options = ParquetOptions()
    (options.groupRows, options.pageRows, options.compression) = (groupRows, pageRows, compression)
    return options
  }

  @Test("all kinds and encodings, with nulls, extremes and NaN", arguments: readers)
  func everything(reader: String) throws {
    var random = SeededGenerator(seed: 20)
    let batches = [400, 1, 0, 700, 37].map { Self.batch(Self.columns, rows: $0, &random) }
    let layouts = [
      ParquetOptions(), Self.options(groupRows: 1 << 20, pageRows: 100, .zstd(level: 1)),
      Self.options(groupRows: 257, pageRows: 64, .uncompressed),
      Self.options(groupRows: 1000, pageRows: 1, .uncompressed),
    ]
    let files = try layouts.map { try parquet(Self.columns, batches, $0) }
    let rows = Cells.rows(batches, Self.columns, scaledBy: factors(Self.columns, reader))
    #expect(rows.count == 1138)
    var expected: [String] = []
    for number in files.indices { expected += ["{\"file\":\"\(number).parquet\"}"] + rows }
    try expectSame(try ParquetReader.read(reader, files), expected)
  }

  @Test("random schemas, batches and layouts", arguments: readers)
  func random(reader: String) throws {
    var files: [[UInt8]] = []
    var expected: [String] = []
    for seed: UInt64 in 1...24 {
      var random = SeededGenerator(seed: seed)
      let columns = Self.columns.shuffled(using: &random).prefix(Int.random(in: 1...6, using: &random))
      let batches = (0..<Int.random(in: 0...5, using: &random)).map { _ in
        Self.batch(Array(columns), rows: Int.random(in: 0...900, using: &random), &random)
      }
      let options = Self.options(
        groupRows: Int.random(in: 1...1500, using: &random), pageRows: Int.random(in: 1...600, using: &random),
        Bool.random(using: &random) ? .uncompressed : .zstd(level: 3))
      files.append(try parquet(Array(columns), batches, options))
      expected.append("{\"file\":\"\(seed - 1).parquet\"}")
      expected += Cells.rows(batches, Array(columns), scaledBy: factors(Array(columns), reader))
    }
    try expectSame(try ParquetReader.read(reader, files), expected, "a file's number is its seed - 1")
  }

  @Test("nanoseconds over the whole range of an instant", arguments: readers)
  func nanoseconds(reader: String) throws {
    let columns = [
      ParquetColumn("at", .timestamp(.nanoseconds), encoding: .delta),
      ParquetColumn("seen", .timestamp(.nanoseconds), encoding: .dictionary),
    ]
    // DuckDB keeps the two ends for infinity, and the most negative for nothing at all.
    let edges: [Int64] = [.min + 2, -1, 0, 1, 1_793_491_200_123_456_789, .max - 1]
    let batch = [ColumnBatch(.int64s(edges)), ColumnBatch(.int64s(edges.reversed()))]
    let expected = Cells.rows([batch], columns, scaledBy: [1, 1])
    let lines = try ParquetReader.read(reader, [try parquet(columns, [batch])])
    try expectSame(lines, ["{\"file\":\"0.parquet\"}"] + expected)
  }

  @Test("no rows, empty row groups, nothing but nulls, a column that is one value", arguments: readers)
  func empty(reader: String) throws {
    let columns = Self.columns
    var bytes: [UInt8] = []
    let writer = try ParquetWriter(columns: columns) { bytes += $0 }
    try writer.endGroup()
    var random = SeededGenerator(seed: 3)
    let batch = Self.batch(columns, rows: 5, &random)
    try writer.append(batch)
    try writer.endGroup()
    try writer.endGroup()
    try writer.finish()
    let nulls = columns.map { column in
      ColumnBatch(.repeated(column.isNullable ? .null : Self.constant(column), count: 1000))
    }
    let constants = columns.map { column in
      ColumnBatch(.repeated(Self.constant(column), count: 3), nulls: column.isNullable ? [false, true, false] : [])
    }
    let files = [
      try parquet(columns, []), bytes, try parquet(columns, [nulls]), try parquet(columns, [nulls, constants]),
    ]
    let scale = factors(columns, reader)
    let expected =
      ["{\"file\":\"0.parquet\"}", "{\"file\":\"1.parquet\"}"] + Cells.rows([batch], columns, scaledBy: scale)
      + ["{\"file\":\"2.parquet\"}"] + Cells.rows([nulls], columns, scaledBy: scale)
      + ["{\"file\":\"3.parquet\"}"] + Cells.rows([nulls, constants], columns, scaledBy: scale)
    try expectSame(try ParquetReader.read(reader, files), expected)
  }

  static func constant(_ column: ParquetColumn) -> ColumnBatch.Scalar {
    switch column.kind {
    case .boolean: .boolean(true)
    case .double: .double(.nan)
    case .string, .enumeration: .string("same")
    default: .integer(-7)
    }
  }

  @Test("texts longer than a page", arguments: readers)
  func long(reader: String) throws {
    let columns = [
      ParquetColumn("plain", .string, encoding: .plain), ParquetColumn("dictionary", .string, encoding: .dictionary),
    ]
    let texts = (0..<30).map { String(repeating: "word \($0) ", count: 20_000) }
    let batch = [ColumnBatch(.strings(texts)), ColumnBatch(.strings(texts.reversed()))]
    let lines = try ParquetReader.read(reader, [try parquet(columns, [batch])])
    #expect(lines.count == 31)
    // Lengths and beginnings: the whole would be slow to spell out.
    for (row, line) in lines.dropFirst().enumerated() {
      let bytes = Array(line.utf8)
      let lengths = [texts[row].utf8.count, texts[29 - row].utf8.count]
      #expect(bytes.count == 2 * lengths[0] + 2 * lengths[1] + 9, "row \(row)")
      let expected = Array("[\"t\(Cells.hex(Array(texts[row].utf8.prefix(100))))".utf8)
      #expect(bytes.starts(with: expected), "row \(row)")
    }
  }

  @Test("one text again and again, over the end of a page", arguments: readers)
  func repeated(reader: String) throws {
    let columns = [ParquetColumn("plain", .string, isNullable: true, encoding: .plain)]
    let text = String(repeating: "0123456789", count: 30_000)
    let batches = [8, 1].map { [ColumnBatch(.repeated(.string(text), count: $0))] }
    let lines = try ParquetReader.read(reader, [try parquet(columns, batches)])
    let cell = lines.last.map { $0.utf8.count }
    #expect(lines.count == 10 && cell == 600_005 && Set(lines.dropFirst()).count == 1)
  }

  @Test("a dictionary that saves nothing is left out for a while, then tried again")
  func wasted() throws {
    let columns = [ParquetColumn("number", .int64, encoding: .dictionary)]
    let numbers = ColumnBatch(.int64s((0..<9000).map { $0 << 20 }))
    let file = try parquet(columns, [[numbers]], Self.options(groupRows: 1000, pageRows: 500, .uncompressed))
    let chunks = try ParquetReader.read("facts", [file]).filter { $0.hasPrefix("{\"group\"") }
    #expect(chunks.map { $0.contains("DICTIONARY") } == [true, false, true, false, false, false, true, false, false])
  }

  @Test("a dictionary that outgrows its bound gives way in the middle of a row group", arguments: readers)
  func outgrown(reader: String) throws {
    let columns = [
      ParquetColumn("number", .int64, encoding: .dictionary), ParquetColumn("text", .string, encoding: .dictionary),
      ParquetColumn("real", .double, isNullable: true, encoding: .dictionary),
    ]
    // 100 values again and again, then 3,000 that are all different: more than a dictionary may have.
    let head = [
      ColumnBatch(.int64s((0..<400).map { Int64($0 % 100) })), ColumnBatch(.strings((0..<400).map { "t\($0 % 100)" })),
      ColumnBatch(.doubles((0..<400).map { Double($0 % 100) })),
    ]
    let numbers = 0..<3000
    let tail = [
      ColumnBatch(.int64s(numbers.map { Int64($0) << 20 })), ColumnBatch(.strings(numbers.map { "u\($0)" })),
      ColumnBatch(.doubles(numbers.map { Double($0) / 3 }), nulls: numbers.map { $0 % 10 == 0 }),
    ]
    var options = Self.options(groupRows: 1 << 20, pageRows: 400, .zstd(level: 1))
    options.dictionaryValuesMax = 2000
    let batches = [head, tail, head]
    let file = try parquet(columns, batches, options)
    let expected = Cells.rows(batches, columns, scaledBy: [1, 1, 1])
    try expectSame(try ParquetReader.read(reader, [file]), ["{\"file\":\"0.parquet\"}"] + expected)
    let chunks = try ParquetReader.read("facts", [file]).filter { $0.hasPrefix("{\"group\"") }
    #expect(chunks.count == 3 && chunks.allSatisfy { $0.contains("RLE_DICTIONARY") })
    #expect(chunks.first?.contains("DELTA_BINARY_PACKED") == true)
  }

  /// Both whole, but only the first difference is worth showing.
  private func expectSame(_ seen: [String], _ wanted: [String], _ note: String = "") throws {
    let place = zip(seen, wanted).enumerated().first { $0.element.0 != $0.element.1 }
    if let place {
      let file = wanted[...place.offset].last { $0.hasPrefix("{") } ?? ""
      Issue.record(
        "line \(place.offset), \(file): \(place.element.0.prefix(600)) instead of \(place.element.1.prefix(600)) \(note)"
      )
    }
    #expect(seen.count == wanted.count)
  }
}
