import Testing
import TwinCore

@testable import Parquet

@Suite("A Parquet file is laid out as the format says")
struct LayoutTests {
  @Test("golden bytes of a small file without compression")
  func golden() throws {
    let columns = [
      ParquetColumn("n", .int32, encoding: .delta),
      ParquetColumn("s", .string, isNullable: true, encoding: .dictionary),
    ]
    var options = ParquetOptions()
    options.compression = .uncompressed
    options.createdBy = "t"
    options.metadata = [.init(key: "k", value: "v")]
    let bytes = try parquet(
      columns,
      [[ColumnBatch(.int32s([5, 6, 8])), ColumnBatch(.strings(["a", "", "a"]), nulls: [false, true, false])]], options)
    let expected = [
      "50415231",
      // Data page of 14 bytes, with its checksum, 3 values, delta: block of 128 in 4, first 5, least 1, width 1, 0 and
      // 1.
      "1500" + "151c" + "151c" + "15888aebac09" + "1c" + "1506150a15061506" + "0000",
      "800104030a" + "0201000000" + "02000000",
      // Dictionary page: "a". One distinct value: the empty text stands where a null is.
      "1504" + "150a" + "150a" + "15b9c2c3e007" + "3c" + "1502150012" + "0000",
      "0100000061",
      // Data page: levels 1 0 1 in two bytes, indices of one bit.
      "1500" + "1512" + "1512" + "1583c38bd90d" + "1c" + "1506151015061506" + "0000",
      "020000000305" + "010300",
      // Footer: version, schema with the root, rows.
      "1504" + "193c" + "48057477696e64150400" + "150225001801" + "6e00" + "150c2502180173" + "25004c1c000000",
      "1606",
      // One row group, two chunks: type, encodings, path, codec, values, sizes, offsets, statistics.
      "191c" + "192c",
      "26001c" + "1502" + "1925060a" + "1918016e" + "1500" + "1606" + "164a164a" + "2608",
      "3c" + "3600" + "28040800000018040500000011110000" + "00",
      "26001c" + "150c" + "1935000610" + "19180173" + "1500" + "1606" + "16721672" + "2684" + "0126521c" + "3602",
      "280161" + "180161" + "1111" + "000000",
      "16bc01" + "1606" + "2608" + "16bc01" + "1400" + "00",
      // Key and value, the writer's name, the order of both columns, the footer's length.
      "191c18016b18017600" + "180174" + "192c1c00001c0000" + "00",
      "a0000000" + "50415231",
    ]
    #expect(Cells.hex(bytes) == expected.joined())
  }

  @Test("what readers learn from the footer: schema, row groups, bounds, nulls, encodings")
  func facts() throws {
    let columns = [
      ParquetColumn("at", .timestamp(.nanoseconds), encoding: .delta),
      ParquetColumn("point", .string, encoding: .dictionary),
      ParquetColumn("kind", .enumeration, encoding: .dictionary),
      ParquetColumn("value", .decimal32(precision: 9, scale: 2), isNullable: true, encoding: .delta),
      ParquetColumn("sum", .decimal64(precision: 18, scale: 3), encoding: .plain),
      ParquetColumn("real", .double, isNullable: true, encoding: .plain),
      ParquetColumn("ok", .boolean, encoding: .runs),
      ParquetColumn("text", .string, isNullable: true, encoding: .plain),
    ]
    var options = ParquetOptions()
    options.groupRows = 3
    options.sortedBy = ["point", "at"]
    options.metadata = [.init(key: "site", value: "ü"), .init(key: "as-of", value: "")]
    options.createdBy = "twind version 1.2.3 (build 7)"
    let long = String(repeating: "x", count: 2000)
    let batch = [
      ColumnBatch(.int64s([30, 10, 20, 5])), ColumnBatch(.strings(["b", "a", "ä", "c"])),
      ColumnBatch(.strings(["k", "k", "k", "k"])),
      ColumnBatch(.int32s([-5, 7, 99, 0]), nulls: [false, false, true, true]),
      ColumnBatch(.int64s([1, 2, 3, 4])),
      ColumnBatch(.doubles([0.0, .nan, -0.0, .nan]), nulls: [false, false, false, false]),
      ColumnBatch(.booleans([true, false, true, true])), ColumnBatch(.strings(["m", long, "x", "q"])),
    ]
    let lines = try ParquetReader.read("facts", [try parquet(columns, [batch], options)])
    let expected = [
      #"{"created_by":"twind version 1.2.3 (build 7)","metadata":{"as-of":"","site":"\u00fc"},"rows":4,"groups":[3,1]}"#,
      #"{"column":"at","physical":"INT64","logical":"Timestamp(isAdjustedToUTC=true, timeUnit=nanoseconds, "#
        + #"is_from_converted_type=false, force_set_converted_type=false)","nullable":false}"#,
      #"{"column":"point","physical":"BYTE_ARRAY","logical":"String","nullable":false}"#,
      #"{"column":"kind","physical":"BYTE_ARRAY","logical":"Enum","nullable":false}"#,
      #"{"column":"value","physical":"INT32","logical":"Decimal(precision=9, scale=2)","nullable":true}"#,
      #"{"column":"sum","physical":"INT64","logical":"Decimal(precision=18, scale=3)","nullable":false}"#,
      #"{"column":"real","physical":"DOUBLE","logical":"None","nullable":true}"#,
      #"{"column":"ok","physical":"BOOLEAN","logical":"None","nullable":false}"#,
      #"{"column":"text","physical":"BYTE_ARRAY","logical":"String","nullable":true}"#,
      chunk(0, "at", values: 3, nulls: 0, ("i10", "i30"), "DELTA_BINARY_PACKED,RLE"),
      chunk(0, "point", values: 3, nulls: 0, ("t61", "tc3a4"), "PLAIN,RLE,RLE_DICTIONARY"),
      chunk(0, "kind", values: 3, nulls: 0, ("t6b", "t6b"), "PLAIN,RLE,RLE_DICTIONARY"),
      chunk(0, "value", values: 3, nulls: 1, ("i-5", "i7"), "DELTA_BINARY_PACKED,RLE"),
      chunk(0, "sum", values: 3, nulls: 0, ("i1", "i3"), "PLAIN,RLE"),
      chunk(0, "real", values: 3, nulls: 0, ("d8000000000000000", "d0000000000000000"), "PLAIN,RLE"),
      chunk(0, "ok", values: 3, nulls: 0, ("b0", "b1"), "RLE"),
      chunk(0, "text", values: 3, nulls: 0, nil, "PLAIN,RLE"),
      chunk(1, "at", values: 1, nulls: 0, ("i5", "i5"), "DELTA_BINARY_PACKED,RLE"),
      chunk(1, "point", values: 1, nulls: 0, ("t63", "t63"), "PLAIN,RLE,RLE_DICTIONARY"),
      chunk(1, "kind", values: 1, nulls: 0, ("t6b", "t6b"), "PLAIN,RLE,RLE_DICTIONARY"),
      chunk(1, "value", values: 1, nulls: 1, nil, "DELTA_BINARY_PACKED,RLE"),
      chunk(1, "sum", values: 1, nulls: 0, ("i4", "i4"), "PLAIN,RLE"),
      chunk(1, "real", values: 1, nulls: 0, nil, "PLAIN,RLE"),
      chunk(1, "ok", values: 1, nulls: 0, ("b1", "b1"), "RLE"),
      chunk(1, "text", values: 1, nulls: 0, ("t71", "t71"), "PLAIN,RLE"),
    ]
    #expect(lines.joined(separator: "\n") == expected.joined(separator: "\n"))
  }

  private func chunk(
    _ group: Int, _ name: String, values: Int, nulls: Int, _ bounds: (String, String)?, _ encodings: String
  ) -> String {
    let bounds = bounds.map { #"["\#($0.0)","\#($0.1)"]"# } ?? "null"
    let list = encodings.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ",")
    return #"{"group":\#(group),"chunk":"\#(name)","values":\#(values),"nulls":\#(nulls),"bounds":\#(bounds),"#
      + #""encodings":[\#(list)],"codec":"ZSTD"}"#
  }

  @Test("the same rows give the same bytes, however they are cut")
  func deterministic() throws {
    let columns = [
      ParquetColumn("point", .string, encoding: .dictionary), ParquetColumn("at", .int64, encoding: .delta),
      ParquetColumn("stamp", .int32, isNullable: true, encoding: .dictionary),
    ]
    var options = ParquetOptions()
    (options.groupRows, options.pageRows) = (700, 300)
    let whole = [
      ColumnBatch(.repeated(.string("p"), count: 1000)), ColumnBatch(.int64s((0..<1000).map { $0 * $0 })),
      ColumnBatch(.repeated(.integer(4), count: 1000)),
    ]
    let spelled = (0..<10).map { part in
      [
        ColumnBatch(.strings(Array(repeating: "p", count: 100))),
        ColumnBatch(.int64s((100 * part..<100 * part + 100).map { Int64($0 * $0) })),
        ColumnBatch(.int64s(Array(repeating: 4, count: 100)), nulls: Array(repeating: false, count: 100)),
      ]
    }
    #expect(try parquet(columns, [whole], options) == parquet(columns, spelled, options))
  }

  @Test("bytes reach the sink group by group, and progress says so")
  func streaming() throws {
    var sizes: [Int] = []
    var progress: [ParquetProgress] = []
    var options = ParquetOptions()
    (options.groupRows, options.pageRows) = (1000, 100)
    let writer = try ParquetWriter(
      columns: [ParquetColumn("n", .int64, encoding: .plain)], options: options, onProgress: { progress.append($0) }
    ) { sizes.append($0.count) }
    #expect(sizes == [4])
    try writer.append([ColumnBatch(.int64s(Array(0..<999)))])
    #expect(sizes == [4] && progress.isEmpty)
    try writer.append([ColumnBatch(.int64s(Array(0..<1002)))])
    #expect(progress.map(\.rows) == [1000, 2000] && progress.map(\.groups) == [1, 2])
    #expect(progress.last?.bytes == Int64(sizes.reduce(0, +)))
    let end = try writer.finish()
    #expect(end.rows == 2001 && end.groups == 3 && end.bytes == Int64(sizes.reduce(0, +)))
    #expect(sizes.allSatisfy { $0 > 0 })
  }

  @Test("a row group ends when its compressed bytes are many")
  func groupBytes() throws {
    var options = ParquetOptions()
    (options.groupBytes, options.pageRows, options.compression) = (100_000, 1000, .uncompressed)
    var groups = 0
    let writer = try ParquetWriter(
      columns: [ParquetColumn("n", .int64, encoding: .plain)], options: options, onProgress: { groups = $0.groups }
    ) { _ in }
    for _ in 0..<10 { try writer.append([ColumnBatch(.int64s(Array(0..<5000)))]) }
    #expect(groups == 3)
    #expect(try writer.finish().groups == 4)
  }
}

@Suite("The packed encodings lay down the bytes of the format's examples")
struct EncodingTests {
  // parquet-format, Encodings.md: the numbers 0 to 7 in 3 bits.
  @Test("packed bits")
  func packed() {
    #expect(HybridRuns.encode([0, 1, 2, 3, 4, 5, 6, 7], width: 3) == [0x03, 0x88, 0xC6, 0xFA])
  }

  @Test(
    "runs and packed groups",
    arguments: [
      ([], 1, [], []),
      ([1], 1, [], [0x03, 0x01]),
      (Array(repeating: 1, count: 7), 1, [], [0x03, 0x7F]),
      (Array(repeating: 1, count: 8), 1, [], [0x10, 0x01]),
      (Array(repeating: 5, count: 300), 17, [], [0xD8, 0x04, 0x05, 0x00, 0x00]),
      // The run fills the open group first.
      ([0, 0, 0] + Array(repeating: 1, count: 13), 1, [], [0x03, 0xF8, 0x10, 0x01]),
      // Too short a run to end a group for.
      ([0, 0, 0] + Array(repeating: 1, count: 12), 1, [], [0x05, 0xF8, 0x7F]),
      // A mark ends the group: what stands over becomes runs of one.
      ([0, 1, 0, 1], 1, [2], [0x02, 0x00, 0x02, 0x01, 0x03, 0x02]),
      ([0, 1, 0, 1, 0, 1, 0, 1, 1, 0], 1, [0, 9, 10], [0x03, 0xAA, 0x02, 0x01, 0x03, 0x00]),
    ] as [([UInt32], Int, [Int], [UInt8])])
  func runs(values: [UInt32], width: Int, marks: [Int], expected: [UInt8]) {
    #expect(HybridRuns.encode(values, width: width, marks: marks) == expected)
  }

  @Test(
    "differences",
    arguments: [
      ([], 8, [0x80, 0x01, 0x04, 0x00, 0x00]),
      ([-1], 8, [0x80, 0x01, 0x04, 0x01, 0x01]),
      // Encodings.md, example 1: one difference throughout takes no bits.
      ([1, 2, 3, 4, 5], 8, [0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 0, 0, 0, 0]),
      // Differences -2 -2 -2 1 1 1 1: least -2, the rest 0 0 0 3 3 3 3 in 2 bits of 32 values.
      ([7, 5, 3, 1, 2, 3, 4, 5], 4, [0x80, 0x01, 0x04, 0x08, 0x0E, 0x03, 2, 0, 0, 0, 0xC0, 0x3F, 0, 0, 0, 0, 0, 0]),
      // From end to end and back: wraps to -1 and 1 in both widths.
      (
        [Int64(Int32.min), Int64(Int32.max)], 4,
        [0x80, 0x01, 0x04, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x01, 0, 0, 0, 0]
      ),
    ] as [([Int64], Int, [UInt8])])
  func differences(values: [Int64], width: Int, expected: [UInt8]) {
    #expect(DeltaPacking.encode(values, width: width) == expected)
  }

  // RFC 1952's polynomial over "123456789", as every catalogue of checksums has it.
  @Test("checksum")
  func checksum() { #expect(PageChecksum.crc32(Array("123456789".utf8)) == 0xCBF4_3926) }

  @Test("compact thrift: short and long fields, booleans, lists of either size")
  func thrift() {
    let bytes = CompactThrift.structure { writer in
      writer.i32(1, -1)
      writer.boolean(2, true)
      writer.boolean(3, false)
      writer.i64(40, 300)
      writer.string(41, "ab")
      writer.i32s(42, Array(1...2))
      writer.i32s(43, Array(repeating: 0, count: 15))
      writer.structure(44) { $0.i16(1, 7) }
    }
    #expect(
      Cells.hex(bytes) == "1501" + "11" + "12" + "0650d804" + "18026162" + "19250204" + "19f50f"
        + String(repeating: "00", count: 15) + "1c140e00" + "00")
  }
}
