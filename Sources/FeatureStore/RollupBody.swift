// A rollup body, in data/<day>.twr, a day file of bodies of kind 3: the minutes of some points of one layout over one
// tile, two hours that begin at a whole multiple of two hours since 1970. Derived: it may be deleted at any time.
//
//   varint   first column of the layout that it has
//   varint   points
//   body     as BodyCodec.swift says: a row for each minute in which one of the points has samples; effective: the
//            start of the minute; tick and lead 0; five columns a point: good samples (integer), their sum, minimum
//            and maximum (in the form of the point's first layout), samples that are not good (integer)
//
// The key: group and layout; effective from the tile's start to its last nanosecond; ticks from the last tick whose
// frame is in it to the last tick that was known when it was made. It is of frames alone: where a correction touches
// the tile, samples are read. A minute without samples of a point has 0 good and 0 bad ones.

import SeriesCodec
import TwinCore

/// Minutes of some points over one tile.
struct RollupBody {
  static let tileNanoseconds: Int64 = 7_200_000_000_000
  /// Five columns each.
  static let pointsMax = Block.columnsMax / 5

  var firstColumn: Int
  /// Minutes of each point, from `firstColumn` of the layout on; those without samples have no row.
  var points: [RollupColumns]

  /// nil where no point has samples.
  func encode(group: Int32, layout: Int64, steps: [Double]) -> [UInt8]? {
    let starts = Set(points.flatMap(\.starts)).sorted()
    guard !starts.isEmpty else { return nil }
    var columns: [Column] = []
    for (point, step) in zip(points, steps) {
      var rows: [Int?] = []
      var next = 0
      for start in starts {
        let has = next < point.count && point.starts[next] == start
        rows.append(has ? next : nil)
        if has { next += 1 }
      }
      columns.append(Column(form: .integer, counts: rows.map { $0.map { point.counts[$0] } ?? 0 }))
      for values in [point.sums, point.minima, point.maxima] {
        columns.append(Self.column(rows.map { $0.map { values[$0] } ?? 0 }, step: step))
      }
      columns.append(Column(form: .integer, counts: rows.map { $0.map { point.bad[$0] } ?? 0 }))
    }
    let zeros = [Int64](repeating: 0, count: starts.count)
    var writer = ByteWriter()
    writer.varint(UInt64(firstColumn))
    writer.varint(UInt64(points.count))
    writer.append(
      BodyCodec.encode(
        Block(group: group, layout: layout, effective: starts, ticks: zeros, leads: zeros, columns: columns),
        tier: .hot))
    return writer.bytes
  }

  fileprivate static func form(_ step: Double) -> ValueForm { step > 0 ? .decimal(scale: step) : .double }

  private static func column(_ values: [Double], step: Double) -> Column {
    var column = Column(form: form(step), counts: [])
    for (row, value) in values.enumerated() {
      if step == 0 {
        column.counts.append(Int64(bitPattern: value.bitPattern))
      } else if let count = Decimal.count(of: value, scale: step) {
        column.counts.append(count)
      } else {
        column.counts.append(column.counts.last ?? 0)
        column.exceptions.append(Column.Exception(row: Int32(row), bits: value.bitPattern))
      }
    }
    return column
  }

  /// A body that is read.
  struct Opened {
    /// Of the layout.
    let columns: Range<Int>
    fileprivate let body: BodyReader
    fileprivate let starts: [Int64]

    /// `bytes` have just been compared with their checksum; `steps` are those of the layout's columns.
    init(_ bytes: [UInt8], steps: [Double]) throws(CodecFault) {
      var reader = ByteReader(bytes)
      let first = try reader.count(max: Block.columnsMax)
      let points = try reader.count(max: pointsMax)
      guard points > 0, first + points <= steps.count else { throw CodecFault("columns \(first) and \(points) more") }
      columns = first..<first + points
      let forms = steps[columns].flatMap { [.integer, form($0), form($0), form($0), .integer] }
      body = try BodyReader(try reader.bytes(reader.remaining), forms: forms, isChecked: true)
      starts = try body.instants().effective
    }
  }
}

extension RollupBody.Opened {
  /// The minutes of one of the `columns`.
  func minutes(ofColumn column: Int) throws(CodecFault) -> RollupColumns {
    let place = 5 * (column - columns.lowerBound)
    let counts = try body.column(place).counts
    let bad = try body.column(place + 4).counts
    let (sums, minima) = (try body.column(place + 1), try body.column(place + 2))
    let maxima = try body.column(place + 3)
    var found = RollupColumns()
    found.reserve(starts.count)
    for row in starts.indices where counts[row] != 0 || bad[row] != 0 {
      found.append(
        starts[row], count: counts[row], sum: sums.cell(row).value, minimum: minima.cell(row).value,
        maximum: maxima.cell(row).value, bad: bad[row])
    }
    return found
  }
}
