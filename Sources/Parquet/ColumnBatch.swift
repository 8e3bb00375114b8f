/// Rows of one column, in the order of the file.
public struct ColumnBatch: Sendable, Equatable {
  /// Values by their physical form. Where a row is null, what stands in its place means nothing.
  public enum Values: Sendable, Equatable {
    case booleans([Bool])
    /// For `int32` and `decimal32`.
    case int32s([Int32])
    /// For every kind of integer; checked against the column's range.
    case int64s([Int64])
    case doubles([Double])
    case strings([String])
    /// Texts by their place in a short list: much faster than the same texts spelled out.
    case names([UInt8], of: [String])
    /// The same value in every row.
    case repeated(Scalar, count: Int)
  }

  public enum Scalar: Sendable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
  }

  public var values: Values
  /// True where the row is null; empty when none is.
  public var nulls: [Bool]

  public init(_ values: Values, nulls: [Bool] = []) { (self.values, self.nulls) = (values, nulls) }

  public var count: Int {
    switch values {
    case .booleans(let values): values.count
    case .int32s(let values): values.count
    case .int64s(let values): values.count
    case .doubles(let values): values.count
    case .strings(let values): values.count
    case .names(let values, _): values.count
    case .repeated(_, let count): count
    }
  }

  /// Longest text that is taken, bytes: what a page header's 32 bits leave ample room for.
  static let stringBytesMax = 1 << 24

  /// Throws unless every row can stand in `column`; afterwards nothing about the batch can fail.
  func check(for column: ParquetColumn) throws(ParquetFault) {
    guard count >= 0, nulls.isEmpty || nulls.count == count else {
      throw ParquetFault(.batch, "column \(column.name) has \(count) values and \(nulls.count) null marks")
    }
    if !column.isNullable, let row = nulls.firstIndex(of: true) {
      throw ParquetFault(.outOfRange, "column \(column.name), row \(row) of the batch: null where none is allowed")
    }
    switch values {
    case .booleans where column.kind == .boolean, .doubles where column.kind == .double: return
    case .strings(let strings) where column.isText:
      for (row, string) in strings.enumerated() { try Self.check(string, row, column) }
    case .names(let codes, let names) where column.isText:
      for (row, name) in names.enumerated() { try Self.check(name, row, column) }
      for (row, code) in codes.enumerated() where code >= names.count && !isNull(row) {
        throw ParquetFault(.batch, "column \(column.name), row \(row) of the batch: name \(code) of \(names.count)")
      }
    case .int32s(let integers) where column.width == 4 && column.isInteger:
      try checkRange(integers, column)
    case .int64s(let integers) where column.isInteger:
      try checkRange(integers, column)
    case .repeated(let scalar, _): try check(scalar, column)
    default: throw ParquetFault(.batch, "column \(column.name) of \(column.kind) was given \(form)")
    }
  }

  private func check(_ scalar: Scalar, _ column: ParquetColumn) throws(ParquetFault) {
    switch scalar {
    case .null where count == 0 || column.isNullable: return
    case .null: throw ParquetFault(.outOfRange, "column \(column.name): null where none is allowed")
    case .boolean where column.kind == .boolean, .double where column.kind == .double: return
    case .string(let string) where column.isText: try Self.check(string, 0, column)
    case .integer(let integer) where column.isInteger: try checkRange([integer], column)
    default: throw ParquetFault(.batch, "column \(column.name) of \(column.kind) was given \(form)")
    }
  }

  private static func check(_ string: String, _ row: Int, _ column: ParquetColumn) throws(ParquetFault) {
    guard string.utf8.count <= stringBytesMax else {
      throw ParquetFault(
        .outOfRange,
        "column \(column.name), row \(row) of the batch: \(string.utf8.count) bytes, at most \(stringBytesMax)")
    }
  }

  /// The least and the greatest come cheaply; the offending row is looked for only when there is one.
  private func checkRange<Integer: FixedWidthInteger & SignedInteger>(
    _ integers: [Integer], _ column: ParquetColumn
  ) throws(ParquetFault) {
    guard let bounds = column.bounds else { return }
    var (least, greatest) = (Integer.max, Integer.min)
    for value in integers {
      least = min(least, value)
      greatest = max(greatest, value)
    }
    guard !integers.isEmpty, Int64(least) < bounds.lowerBound || Int64(greatest) > bounds.upperBound else { return }
    for (row, value) in integers.enumerated() where !bounds.contains(Int64(value)) && !isNull(row) {
      throw ParquetFault(
        .outOfRange,
        "column \(column.name), row \(row) of the batch: \(value), wanted \(bounds.lowerBound) to \(bounds.upperBound)")
    }
  }

  private func isNull(_ row: Int) -> Bool { !nulls.isEmpty && nulls[row] }

  /// What was given, for messages.
  private var form: String {
    switch values {
    case .booleans: "booleans"
    case .int32s: "int32s"
    case .int64s: "int64s"
    case .doubles: "doubles"
    case .strings: "strings"
    case .names: "names"
    case .repeated(let scalar, _): "repeated \(scalar)"
    }
  }
}
