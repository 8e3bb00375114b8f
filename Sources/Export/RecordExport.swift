public import FeatureStore
import Parquet
public import TwinCore

/// The record of some points as a Parquet file: what was known of them at one instant, sorted by point and time.
///
/// Columns: `point` (text), `ts` (effective) and `tx` (observed), nanoseconds UTC; `value`, a decimal, of points whose
/// register counts in decimal steps, or `value_f64` of all others, both null where there is no value; `quality`; `var`,
/// the variance that the device's accuracy implies, in the unit's square; `unit` (UCUM). A decimal is what the register
/// counted times its step, without the rounding that a double brings.
///
/// Only points whose values may leave as samples are written (`DataPolicy.Export.raw`).
public struct RecordExport {
  public let reader: StoreReader
  public let points: [String]
  public let effective: Range<Instant>
  public let asOf: Instant?

  /// Days are read one by one, so that memory does not grow with the range.
  static let dayNanoseconds: Int64 = 86_400_000_000_000
  /// Of the decimal column: as many as fit beside nine digits before the point.
  private static let digitsMax = 9

  /// Throws `export.not_allowed` naming what may not leave, `export.nothing` where no point is left.
  public init(
    _ reader: StoreReader, points: [String], effective: Range<Instant>, asOf: Instant? = nil
  ) throws(ExportFault) {
    let policies: [String: DataPolicy]
    do { policies = try reader.policies() } catch { throw ExportFault(error) }
    let kept = points.filter { (policies[$0] ?? DataPolicy()).export < .raw }
    guard kept.isEmpty else { throw .notAllowed(kept) }
    guard !points.isEmpty else { throw .nothing }
    (self.reader, self.points, self.effective, self.asOf) = (reader, points.sorted(), effective, asOf)
  }

  /// Which of `points` may leave as samples.
  public static func allowed(_ points: [String], by reader: StoreReader) throws(StoreError) -> [String] {
    let policies = try reader.policies()
    return points.filter { (policies[$0] ?? DataPolicy()).export == .raw }
  }

  public struct Progress: Sendable {
    public var rows: Int64
    public var bytes: Int64
    /// 0 to 1.
    public var done: Double
  }

  /// Writes the file's bytes to `sink` in order. `onProgress` is called after each point and day, and gives false to
  /// stop.
  public func write(
    onProgress: (Progress) -> Bool = { _ in true }, to sink: @escaping ([UInt8]) throws -> Void
  ) throws(ExportFault) -> Progress {
    let forms = try decimals()
    let digits = forms.values.map(\.digits).max() ?? 0
    var options = ParquetOptions()
    options.sortedBy = ["point", "ts"]
    options.metadata = [
      ParquetOptions.Entry(key: "twind.as_of", value: asOf?.rfc3339 ?? "now"),
      ParquetOptions.Entry(
        key: "twind.effective", value: "\(effective.lowerBound.rfc3339)/\(effective.upperBound.rfc3339)"),
    ]
    do {
      let writer = try ParquetWriter(columns: Self.columns(digits: digits), options: options, sink: sink)
      let days = stretches(try extent())
      var step = 0
      for point in points {
        for day in days {
          try append(point, day, forms[point], digits, to: writer)
          step += 1
          let done = Double(step) / Double(points.count * days.count)
          guard onProgress(Progress(rows: writer.progress.rows, bytes: writer.progress.bytes, done: done)) else {
            throw ExportFault.stopped
          }
        }
      }
      let end = try writer.finish()
      return Progress(rows: end.rows, bytes: end.bytes, done: 1)
    } catch {
      throw ExportFault(error)
    }
  }

  private static func columns(digits: Int) -> [ParquetColumn] {
    [
      ParquetColumn("point", .string, encoding: .dictionary),
      ParquetColumn("ts", .timestamp(.nanoseconds), encoding: .dictionary),
      ParquetColumn("tx", .timestamp(.nanoseconds), encoding: .delta),
      ParquetColumn("value", .decimal64(precision: 18, scale: digits), isNullable: true, encoding: .delta),
      ParquetColumn("value_f64", .double, isNullable: true, encoding: .plain),
      ParquetColumn("quality", .enumeration, encoding: .dictionary),
      ParquetColumn("var", .double, encoding: .dictionary),
      ParquetColumn("unit", .string, encoding: .dictionary),
    ]
  }

  private func append(
    _ point: String, _ day: Range<Instant>, _ form: DecimalForm?, _ digits: Int, to writer: ParquetWriter
  ) throws {
    let series = try reader.read(points: [point], effective: day, asOf: asOf, limit: StoreReader.samplesCeiling)[0]
    guard !series.isTruncated else { throw ExportFault.tooMany(point) }
    guard !series.samples.isEmpty else { return }
    let count = series.samples.count
    let isNull = series.samples.map { !$0.quality.hasValue }
    var decimals = ColumnBatch(.repeated(.null, count: count))
    var doubles = ColumnBatch(.repeated(.null, count: count))
    if let form, let counts = form.counts(series.samples.map { $0.quality.hasValue ? $0.value : 0 }, digits: digits) {
      decimals = ColumnBatch(.int64s(counts), nulls: isNull)
    } else {
      doubles = ColumnBatch(.doubles(series.samples.map(\.value)), nulls: isNull)
    }
    let layout = reader.column(of: point)
    try writer.append([
      ColumnBatch(.repeated(.string(point), count: count)),
      ColumnBatch(.int64s(series.samples.map(\.effective.nanoseconds))),
      ColumnBatch(.int64s(series.samples.map(\.observed.nanoseconds))),
      decimals, doubles,
      ColumnBatch(.names(series.samples.map(\.quality.rawValue), of: Quality.allCases.map(\.name))),
      ColumnBatch(.repeated(.double(layout?.variance ?? 0), count: count)),
      ColumnBatch(.repeated(.string(layout?.unit ?? "1"), count: count)),
    ])
  }

  private func decimals() throws(ExportFault) -> [String: DecimalForm] {
    var forms: [String: DecimalForm] = [:]
    for point in points {
      guard let scale = reader.column(of: point)?.scale, let form = DecimalForm(scale), form.digits <= Self.digitsMax
      else { continue }
      forms[point] = form
    }
    return forms
  }

  /// Where there may be something at all: an open range is cut to what is recorded.
  private func extent() throws(ExportFault) -> Range<Instant> {
    do throws(StoreError) {
      guard let recorded = try reader.extent() else { return effective.lowerBound..<effective.lowerBound }
      return effective.clamped(to: recorded)
    } catch {
      throw ExportFault(error)
    }
  }

  private func stretches(_ range: Range<Instant>) -> [Range<Instant>] {
    var stretches: [Range<Instant>] = []
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(start.advanced(byNanoseconds: Self.dayNanoseconds), range.upperBound)
      stretches.append(start..<end)
      start = end
    }
    return stretches
  }
}

/// A register's step as a decimal: `step` units of the last of `digits` places after the point.
struct DecimalForm: Equatable {
  var digits: Int
  var step: Int64
  var scale: Double

  /// Nil for a scale that has no short decimal form.
  init?(_ scale: Double) {
    guard scale > 0, scale.isFinite else { return nil }
    var power = 1.0
    for digits in 0...9 {
      let step = (scale * power).rounded()
      if step >= 1, step <= 1e9, (step / power) == scale {
        (self.digits, self.step, self.scale) = (digits, Int64(step), scale)
        return
      }
      power *= 10
    }
    return nil
  }

  /// The values as counts of the last of `digits` places; nil where one is no whole count, or too large.
  func counts(_ values: [Double], digits: Int) -> [Int64]? {
    var multiple = step
    for _ in self.digits..<max(self.digits, digits) { multiple *= 10 }
    let limit = 999_999_999_999_999_999 / multiple
    var counts: [Int64] = []
    counts.reserveCapacity(values.count)
    for value in values {
      let quotient = (value / scale).rounded()
      guard quotient.magnitude < 9_007_199_254_740_992, Double(Int64(quotient)) * scale == value,
        Int64(quotient).magnitude <= limit
      else { return nil }
      counts.append(Int64(quotient) * multiple)
    }
    return counts
  }
}
