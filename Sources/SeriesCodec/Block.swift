/// How a column's values become numbers.
public enum ValueForm: Sendable, Equatable {
  /// value = Double(count) × scale, bit for bit.
  case decimal(scale: Double)
  /// A true floating-point number; its decimal or binary step, if it has one, is found when it is packed.
  case double
  /// The whole number itself.
  case integer
}

/// What is known of a column's values beyond the numbers. Each array has one entry a row, or is empty: all default.
public struct Measures: Sendable, Equatable {
  /// log2 of the variance in eighths of an octave, as the store codes it; 0 (default): from the layout.
  public var variances: [UInt8]
  /// In 255ths; 255 (default): full.
  public var confidences: [UInt8]
  /// 0 (default): the layout's.
  public var provenances: [UInt16]
  /// Rule set << 8 | passed rules; 0 (default): none.
  public var stamps: [UInt16]

  public init(
    variances: [UInt8] = [], confidences: [UInt8] = [], provenances: [UInt16] = [], stamps: [UInt16] = []
  ) {
    (self.variances, self.confidences) = (variances, confidences)
    (self.provenances, self.stamps) = (provenances, stamps)
  }
}

/// The rows of one point.
public struct Column: Sendable, Equatable {
  /// A row of a decimal column whose value is no whole count.
  public struct Exception: Sendable, Equatable {
    public var row: Int32
    /// The Double's bit pattern.
    public var bits: UInt64

    public init(row: Int32, bits: UInt64) { (self.row, self.bits) = (row, bits) }
  }

  public var form: ValueForm
  /// Decimal: counts; double: bit patterns; integer: the values. 0 where the quality has no value.
  public var counts: [Int64]
  /// Decimal columns only, rows rising and with a value; the count of such a row repeats the row before.
  public var exceptions: [Exception]
  /// `Quality.rawValue` a row; empty: all good.
  public var qualities: [UInt8]
  /// nil: all from the layout.
  public var measures: Measures?

  public init(
    form: ValueForm, counts: [Int64], exceptions: [Exception] = [], qualities: [UInt8] = [], measures: Measures? = nil
  ) {
    (self.form, self.counts, self.exceptions) = (form, counts, exceptions)
    (self.qualities, self.measures) = (qualities, measures)
  }
}

/// Rows of one poll group under one layout version, in order of arrival.
public struct Block: Sendable, Equatable {
  /// Also the most rows that one damaged body can lose.
  public static let rowsMax = 65_536
  public static let columnsMax = 4096

  public var group: Int32
  public var layout: Int64
  /// Nanoseconds since 1970, a row; any order.
  public var effective: [Int64]
  /// The tick that first carried the row; never falls.
  public var ticks: [Int64]
  /// Effective minus uptime, nanoseconds.
  public var leads: [Int64]
  public var columns: [Column]

  public init(
    group: Int32, layout: Int64, effective: [Int64], ticks: [Int64], leads: [Int64], columns: [Column]
  ) {
    (self.group, self.layout, self.effective) = (group, layout, effective)
    (self.ticks, self.leads, self.columns) = (ticks, leads, columns)
  }
}

/// How hard a body is packed: `hot` while its day is open, `cold` once and for all.
public enum Tier: UInt8, Sendable, CaseIterable {
  case hot = 1
  case cold = 2
}

/// What a column's directory entry tells without its payload.
///
/// Minimum, maximum and sum are over the values that are numbers (no NaN); all of a column without a value are nil and
/// 0.
public struct ColumnSummary: Sendable, Equatable {
  public var rows: Int
  /// Rows with a value.
  public var count: Int
  /// Rows whose quality is not good.
  public var bad: Int
  public var min: Double?
  public var max: Double?
  /// Of the first row that has a value.
  public var first: Double?
  /// Of the last row that has a value.
  public var last: Double?
  public var sum: Double

  public init(
    rows: Int, count: Int, bad: Int, min: Double?, max: Double?, first: Double?, last: Double?, sum: Double
  ) {
    (self.rows, self.count, self.bad, self.min, self.max) = (rows, count, bad, min, max)
    (self.first, self.last, self.sum) = (first, last, sum)
  }
}
