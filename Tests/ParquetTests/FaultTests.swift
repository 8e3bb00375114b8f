import Testing
import TwinCore

@testable import Parquet

@Suite("What cannot be written is refused by name, and nothing of it is written")
struct FaultTests {
  static let columns = [
    ParquetColumn("count", .decimal32(precision: 3, scale: 1), isNullable: true, encoding: .delta),
    ParquetColumn("text", .string, encoding: .dictionary),
  ]

  private func fault(_ body: () throws -> Void) -> ParquetFault? {
    do {
      try body()
      return nil
    } catch { return error as? ParquetFault }
  }

  private func refusal(_ batch: [ColumnBatch]) -> ParquetFault? {
    fault {
      var bytes: [UInt8] = []
      let writer = try ParquetWriter(columns: Self.columns) { bytes += $0 }
      let refused = fault { try writer.append(batch) }
      // The writer stands as before: what is taken next is all that there is.
      try writer.append([ColumnBatch(.int32s([999])), ColumnBatch(.strings(["x"]))])
      #expect(try writer.finish().rows == (refused == nil ? 3 : 1))
      if let refused { throw refused }
    }
  }

  @Test("batches that do not fit")
  func batches() {
    let text = ColumnBatch(.strings(["a", "b"]))
    let cases: [([ColumnBatch], ParquetFault.Kind, String)] = [
      ([text], .batch, "1 columns given, 2 wanted"),
      ([ColumnBatch(.int32s([1])), text], .batch, "column text has 2 rows, the first one 1"),
      ([text, text], .batch, "column count of decimal32(precision: 3, scale: 1) was given strings"),
      ([ColumnBatch(.doubles([1, 2])), text], .batch, "was given doubles"),
      ([ColumnBatch(.int32s([1, 2]), nulls: [true]), text], .batch, "2 values and 1 null marks"),
      (
        [ColumnBatch(.int32s([1, 1000])), text], .outOfRange,
        "column count, row 1 of the batch: 1000, wanted -999 to 999"
      ),
      ([ColumnBatch(.int64s([-1000, 0])), text], .outOfRange, "row 0 of the batch: -1000"),
      ([ColumnBatch(.int64s([.min, 0])), text], .outOfRange, "-9223372036854775808"),
      ([ColumnBatch(.repeated(.integer(1000), count: 2)), text], .outOfRange, "1000"),
      ([ColumnBatch(.int32s([1, 2])), ColumnBatch(text.values, nulls: [false, true])], .outOfRange, "row 1"),
      ([ColumnBatch(.int32s([1, 2])), ColumnBatch(.repeated(.null, count: 2))], .outOfRange, "null where none"),
      (
        [ColumnBatch(.int32s([1])), ColumnBatch(.repeated(.boolean(true), count: 1))], .batch, "repeated boolean(true)"
      ),
    ]
    for (batch, kind, text) in cases {
      let seen = refusal(batch)
      #expect(seen?.kind == kind && seen?.message.contains(text) == true, "\(text): \(seen as Any)")
    }
    // What stands where a row is null means nothing, however far out.
    #expect(refusal([ColumnBatch(.int64s([.max, 1]), nulls: [true, false]), text]) == nil)
  }

  @Test("a text too long")
  func text() {
    let text = String(repeating: "x", count: (1 << 24) + 1)
    let seen = refusal([ColumnBatch(.int32s([1])), ColumnBatch(.repeated(.string(text), count: 1))])
    #expect(seen?.kind == .outOfRange)
  }

  @Test("schemas and options that make no file")
  func schemas() {
    func column(_ kind: ParquetColumn.Kind, _ encoding: ParquetColumn.Encoding = .plain) -> ParquetColumn {
      ParquetColumn("c", kind, encoding: encoding)
    }
    let cases: [([ParquetColumn], String)] = [
      ([], "0 columns"),
      (Array(repeating: column(.int32), count: 1025), "1025 columns"),
      ([column(.int32), column(.double)], "two columns are named c"),
      ([ParquetColumn("", .int32, encoding: .plain)], "0 bytes"),
      ([ParquetColumn("a\0", .int32, encoding: .plain)], "none of them 0"),
      ([column(.decimal32(precision: 10, scale: 0))], "DECIMAL(10, 0)"),
      ([column(.decimal32(precision: 0, scale: 0))], "DECIMAL(0, 0)"),
      ([column(.decimal32(precision: 3, scale: 4))], "DECIMAL(3, 4)"),
      ([column(.decimal64(precision: 19, scale: 0))], "DECIMAL(19, 0)"),
      ([column(.decimal64(precision: 3, scale: -1))], "DECIMAL(3, -1)"),
      ([column(.boolean, .dictionary)], "cannot be encoded as dictionary"),
      ([column(.double, .delta)], "cannot be encoded as delta"),
      ([column(.string, .delta)], "cannot be encoded as delta"),
      ([column(.int64, .runs)], "cannot be encoded as runs"),
    ]
    for (columns, text) in cases {
      let seen = fault { _ = try ParquetWriter(columns: columns) { _ in } }
      #expect(seen?.kind == .schema && seen?.message.contains(text) == true, "\(text): \(seen as Any)")
    }
    for change: (inout ParquetOptions) -> Void in [
      { $0.compression = .zstd(level: 0) }, { $0.compression = .zstd(level: 20) }, { $0.groupRows = 0 },
      { $0.pageRows = 0 }, { $0.groupBytes = 0 }, { $0.dictionaryValuesMax = 0 }, { $0.sortedBy = ["nothing"] },
    ] {
      var options = ParquetOptions()
      change(&options)
      #expect(fault { _ = try ParquetWriter(columns: [column(.int32)], options: options) { _ in } }?.kind == .schema)
    }
  }

  @Test("a sink that fails ends the file, and says what it said")
  func sink() throws {
    struct DiskFull: Error, CustomStringConvertible { var description: String { "no space left" } }
    var calls = 0
    var options = ParquetOptions()
    options.groupRows = 10
    let writer = try ParquetWriter(columns: Self.columns, options: options) { _ in
      calls += 1
      if calls == 3 { throw DiskFull() }
    }
    let rows = [ColumnBatch(.repeated(.null, count: 25)), ColumnBatch(.repeated(.string("x"), count: 25))]
    let seen = fault { try writer.append(rows) }
    #expect(seen?.code == "parquet.sink" && seen?.message.contains("no space left") == true)
    #expect(fault { try writer.append(rows) }?.kind == .closed)
    #expect(fault { try writer.endGroup() }?.kind == .closed)
    #expect(fault { try writer.finish() }?.kind == .closed)
    #expect(calls == 3)
  }

  @Test("a finished file takes nothing more")
  func finished() throws {
    let writer = try ParquetWriter(columns: Self.columns) { _ in }
    try writer.finish()
    #expect(fault { try writer.finish() }?.kind == .closed)
  }

  @Test("every kind of fault has a code and something to do next", arguments: ParquetFault.Kind.allCases)
  func texts(kind: ParquetFault.Kind) {
    let fault = ParquetFault(kind, "what happened")
    #expect(fault.code.hasPrefix("parquet.") && !fault.remedy.isEmpty && !fault.isRetriable)
  }
}
