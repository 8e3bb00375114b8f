/// A column of a flat schema (parquet-format, Types.md, LogicalTypes.md and Encodings.md).
public struct ParquetColumn: Sendable, Equatable {
  /// What a column holds, and which physical type carries it.
  public enum Kind: Sendable, Equatable {
    case boolean
    case int32
    case int64
    /// Any bit pattern; NaN is left out of the statistics.
    case double
    /// UTF-8 in a byte array.
    case string
    /// One of few names, UTF-8 in a byte array.
    case enumeration
    /// UTC, counted from 1970-01-01T00:00:00Z, in an int64.
    case timestamp(TimeUnit)
    /// An int32 whose value is count · 10^-scale; precision 1 to 9, scale 0 to precision.
    case decimal32(precision: Int, scale: Int)
    /// An int64 whose value is count · 10^-scale; precision 1 to 18, scale 0 to precision.
    case decimal64(precision: Int, scale: Int)
  }

  public enum TimeUnit: Sendable, Equatable, CaseIterable {
    case milliseconds
    case microseconds
    case nanoseconds
  }

  /// How the values of a page are laid down before compression.
  public enum Encoding: Sendable, Equatable, CaseIterable {
    /// Value after value. Any kind.
    case plain
    /// Run lengths and packed bits (RLE). Booleans alone.
    case runs
    /// Each distinct value of a row group once, then indices. Any kind but boolean; falls back to `delta` (integers) or
    /// `plain` where the values turn out to be too many.
    case dictionary
    /// Differences in blocks of 128 (DELTA_BINARY_PACKED). Integers, timestamps and decimals.
    case delta
  }

  public var name: String
  public var kind: Kind
  public var isNullable: Bool
  public var encoding: Encoding

  public init(_ name: String, _ kind: Kind, isNullable: Bool = false, encoding: Encoding) {
    (self.name, self.kind, self.isNullable, self.encoding) = (name, kind, isNullable, encoding)
  }

  /// Bytes of a plain value; 0 for byte arrays, whose length varies, and for booleans, which are bits.
  var width: Int {
    switch kind {
    case .boolean, .string, .enumeration: 0
    case .int32, .decimal32: 4
    case .int64, .timestamp, .decimal64, .double: 8
    }
  }

  var isText: Bool { kind == .string || kind == .enumeration }
  var isInteger: Bool { width > 0 && kind != .double }

  /// The counts that a decimal may have, or all that the physical integer holds; nil for what is no integer.
  var bounds: ClosedRange<Int64>? {
    switch kind {
    case .boolean, .double, .string, .enumeration: nil
    case .int32: Int64(Int32.min)...Int64(Int32.max)
    case .int64, .timestamp: Int64.min...Int64.max
    case .decimal32(let precision, _), .decimal64(let precision, _):
      -(Self.powerOfTen(precision) - 1)...(Self.powerOfTen(precision) - 1)
    }
  }

  static func powerOfTen(_ exponent: Int) -> Int64 { (0..<exponent).reduce(1) { power, _ in power * 10 } }

  /// What is wrong with the column by itself; nil when nothing is.
  var problem: String? {
    if name.isEmpty || name.utf8.count > 256 || name.utf8.contains(0) {
      return "a column's name has \(name.utf8.count) bytes, wanted are 1 to 256, none of them 0"
    }
    switch kind {
    case .decimal32(let precision, let scale) where !(1...9).contains(precision) || !(0...precision).contains(scale):
      return "column \(name) is DECIMAL(\(precision), \(scale)), wanted is 1 to 9 digits and a scale within them"
    case .decimal64(let precision, let scale) where !(1...18).contains(precision) || !(0...precision).contains(scale):
      return "column \(name) is DECIMAL(\(precision), \(scale)), wanted is 1 to 18 digits and a scale within them"
    default: break
    }
    let isAllowed =
      switch encoding {
      case .plain: true
      case .runs: kind == .boolean
      case .dictionary: kind != .boolean
      case .delta: isInteger
      }
    return isAllowed ? nil : "column \(name) of \(kind) cannot be encoded as \(encoding)"
  }
}
