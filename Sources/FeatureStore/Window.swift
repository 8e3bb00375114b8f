import SeriesCodec
import TwinCore

/// Rows of one poll group under one layout that are not sealed yet, in order of arrival.
///
/// Numbers are kept as the codec takes them, one column behind the other, so that sealing copies and converts nothing.
/// The memory of a sealed window is used again by the next.
final class Window {
  /// A body is closed early rather than that its effective times lie further apart.
  static let spanNanoseconds: Int64 = 7_200_000_000_000
  static let rowsMax = Block.rowsMax
  private static let firstBytes = 1 << 16

  let group: Int32
  let layout: Int64
  let forms: [ValueForm]
  private let scales: [Double]
  private(set) var rows = 0
  private(set) var effective: [Int64] = []
  private(set) var ticks: [Int64] = []
  private(set) var leads: [Int64] = []
  private(set) var effectiveMin = Int64.max
  private(set) var effectiveMax = Int64.min
  /// Of the first row.
  private(set) var day: Int64 = 0
  /// The commit and the instant of the tick that brought the first row.
  private(set) var firstCommit: Int64 = 0
  private(set) var openedAt: Int64 = 0
  /// Rows for which there is room; the stride of a column.
  private var capacity = 0
  private var counts: [Int64] = []
  /// Empty while all are good.
  private var qualities: [UInt8] = []
  /// Empty while all is as the layout says.
  private var measures: [CellMeasure] = []
  private var exceptions: [(column: Int32, row: Int32, bits: UInt64)] = []

  init(group: Int32, layout: Int64, _ definition: FrameLayout) {
    (self.group, self.layout) = (group, layout)
    scales = definition.scales
    forms = definition.forms
  }

  var isEmpty: Bool { rows == 0 }
  /// What its arrays take.
  var bytes: Int {
    capacity * (scales.count + 3) * 8 + qualities.count + measures.count * MemoryLayout<CellMeasure>.stride
  }

  /// Whether a row at `effective` may join.
  func takes(_ effective: Int64) -> Bool {
    guard rows > 0 else { return true }
    guard rows < Self.rowsMax, Days.number(effective) == day else { return false }
    return max(effectiveMax, effective).saturatingSubtract(min(effectiveMin, effective)) <= Self.spanNanoseconds
  }

  func append(_ frame: Frame, tick: TickRecord, commit: Int64) {
    let time = frame.effective.nanoseconds
    if rows == 0 { (day, firstCommit, openedAt) = (Days.number(time), commit, tick.instant.nanoseconds) }
    if rows == capacity { grow() }
    effective.append(time)
    ticks.append(tick.number)
    leads.append(time &- frame.uptime.nanoseconds)
    (effectiveMin, effectiveMax) = (min(effectiveMin, time), max(effectiveMax, time))
    fill(frame)
    rows += 1
  }

  private func fill(_ frame: Frame) {
    let (row, stride, columns) = (rows, capacity, scales.count)
    let isAllGood = frame.qualities.allSatisfy { $0 == .good }
    if !isAllGood, qualities.isEmpty { qualities = [UInt8](repeating: 0, count: stride * columns) }
    if !qualities.isEmpty {
      for column in 0..<columns { qualities[column * stride + row] = frame.qualities[column].rawValue }
    }
    if !frame.measures.isEmpty, measures.isEmpty {
      measures = [CellMeasure](repeating: CellMeasure(), count: stride * columns)
    }
    if !measures.isEmpty {
      for column in 0..<columns {
        measures[column * stride + row] = frame.measures.isEmpty ? CellMeasure() : frame.measures[column]
      }
    }
    let (values, marks, steps) = (frame.values, frame.qualities, scales)
    let valueSpan = values.span
    let markSpan = marks.span
    let stepSpan = steps.span
    var misfits: [(Int32, UInt64)] = []
    var cells = counts.mutableSpan
    for column in 0..<columns {
      // In bounds: the frame has a value and a quality for each of the layout's columns, and the row has room.
      let (value, scale, cell) = unsafe (
        valueSpan[unchecked: column], stepSpan[unchecked: column], column &* stride &+ row
      )
      guard unsafe isAllGood || markSpan[unchecked: column].hasValue else {
        unsafe cells[unchecked: cell] = 0
        continue
      }
      guard scale > 0 else {
        unsafe cells[unchecked: cell] = Int64(bitPattern: value.bitPattern)
        continue
      }
      let before = row > 0 ? unsafe cells[unchecked: cell &- 1] : 0
      if (Double(before) * scale).bitPattern == value.bitPattern {
        unsafe cells[unchecked: cell] = before
      } else if let count = Decimal.count(of: value, scale: scale) {
        unsafe cells[unchecked: cell] = count
      } else {
        unsafe cells[unchecked: cell] = before
        misfits.append((Int32(column), value.bitPattern))
      }
    }
    for (column, bits) in misfits { exceptions.append((column, Int32(row), bits)) }
  }

  private func grow() {
    let columns = scales.count
    let fit = max(1, Self.firstBytes / ((columns + 3) * 8))
    // Doubled at first, then by a quarter: 600 rows of a group polled each second find room for 640.
    let more = capacity < 512 ? capacity * 2 : capacity + capacity / 4
    let wanted = min(max(more, min(fit, 64)), Self.rowsMax)
    var larger = [Int64](repeating: 0, count: wanted * columns)
    var marks = qualities.isEmpty ? [] : [UInt8](repeating: 0, count: wanted * columns)
    var known = measures.isEmpty ? [] : [CellMeasure](repeating: CellMeasure(), count: wanted * columns)
    for column in 0..<columns {
      let (from, to) = (column * capacity, column * wanted)
      for row in 0..<rows { larger[to + row] = counts[from + row] }
      if !marks.isEmpty { for row in 0..<rows { marks[to + row] = qualities[from + row] } }
      if !known.isEmpty { for row in 0..<rows { known[to + row] = measures[from + row] } }
    }
    (counts, qualities, measures, capacity) = (larger, marks, known, wanted)
    effective.reserveCapacity(wanted)
    ticks.reserveCapacity(wanted)
    leads.reserveCapacity(wanted)
  }

  /// The rows of one column, as a body gives them back.
  func column(_ index: Int, withExceptions: Bool = true) -> Column {
    let cells = index * capacity..<index * capacity + rows
    var column = Column(form: forms[index], counts: Array(counts[cells]))
    if !qualities.isEmpty, qualities[cells].contains(where: { $0 != 0 }) { column.qualities = Array(qualities[cells]) }
    if !measures.isEmpty { column.measures = Measures(measures[cells]) }
    if withExceptions {
      for exception in exceptions where exception.column == Int32(index) {
        column.exceptions.append(Column.Exception(row: exception.row, bits: exception.bits))
      }
    }
    return column
  }

  func block() -> Block {
    var columns = forms.indices.map { column($0, withExceptions: false) }
    for exception in exceptions {
      columns[Int(exception.column)].exceptions.append(
        Column.Exception(row: exception.row, bits: exception.bits))
    }
    return Block(group: group, layout: layout, effective: effective, ticks: ticks, leads: leads, columns: columns)
  }

  /// Forgets the rows. `releasing` gives their memory back too.
  func clear(releasing: Bool = false) {
    if releasing { (capacity, counts) = (0, []) }
    (qualities, measures) = ([], [])
    effective.removeAll(keepingCapacity: !releasing)
    ticks.removeAll(keepingCapacity: !releasing)
    leads.removeAll(keepingCapacity: !releasing)
    exceptions.removeAll(keepingCapacity: false)
    (rows, effectiveMin, effectiveMax) = (0, .max, .min)
  }
}

extension Measures {
  /// Nil where all is as the layout says; of a field that is, nothing is kept.
  init?(_ cells: ArraySlice<CellMeasure>) {
    let usual = CellMeasure()
    self.init()
    if cells.contains(where: { $0.variance != usual.variance }) { variances = cells.map(\.variance) }
    if cells.contains(where: { $0.confidence != usual.confidence }) { confidences = cells.map(\.confidence) }
    if cells.contains(where: { $0.provenance != usual.provenance }) { provenances = cells.map(\.provenance) }
    if cells.contains(where: { $0.stamp != usual.stamp }) { stamps = cells.map(\.stamp) }
    if variances.isEmpty, confidences.isEmpty, provenances.isEmpty, stamps.isEmpty { return nil }
  }

  func cell(_ row: Int) -> CellMeasure {
    CellMeasure(
      variance: variances.isEmpty ? 0 : variances[row], confidence: confidences.isEmpty ? 255 : confidences[row],
      provenance: provenances.isEmpty ? 0 : provenances[row], stamp: stamps.isEmpty ? 0 : stamps[row])
  }
}

extension Block {
  /// A row as a frame, without its sequence; `measures` empty where all is as the layout says.
  func frame(_ row: Int, observed: Instant) -> Frame {
    var values: [Double] = []
    var qualities: [Quality] = []
    values.reserveCapacity(columns.count)
    qualities.reserveCapacity(columns.count)
    for column in columns {
      let (value, quality) = column.cell(row)
      values.append(value)
      qualities.append(quality)
    }
    var measures: [CellMeasure] = []
    if columns.contains(where: { $0.measures != nil }) {
      measures = columns.map { $0.measures?.cell(row) ?? CellMeasure() }
      if measures.allSatisfy({ $0 == CellMeasure() }) { measures = [] }
    }
    return Frame(
      group: group, effective: Instant(nanoseconds: effective[row]), observed: observed,
      uptime: Uptime(nanoseconds: effective[row] &- leads[row]), values: values, qualities: qualities,
      measures: measures)
  }
}

/// Decimal steps.
enum Decimal {
  /// Counts beyond this are not exact in a Double.
  static let countMax = 9_007_199_254_740_992.0

  /// The whole number n for which Double(n) × scale is `value` bit for bit.
  @inline(__always) static func count(of value: Double, scale: Double) -> Int64? {
    let quotient = (value / scale).rounded()
    guard quotient.magnitude <= countMax else { return nil }
    let count = Int64(quotient)
    return (Double(count) * scale).bitPattern == value.bitPattern ? count : nil
  }
}

extension FrameLayout {
  var forms: [ValueForm] { scales.map { $0 > 0 ? .decimal(scale: $0) : .double } }
}

/// Days of UTC, counted from 1970-01-01; a day file holds the rows of one.
enum Days {
  static let nanoseconds: Int64 = 86_400_000_000_000

  static func number(_ instant: Int64) -> Int64 {
    instant / nanoseconds - (instant % nanoseconds < 0 ? 1 : 0)
  }

  /// `2026-07-03`.
  static func name(_ number: Int64) -> String {
    // The first day of all begins before the earliest instant.
    let (start, overflow) = number.multipliedReportingOverflow(by: nanoseconds)
    return String(Instant(nanoseconds: overflow ? .min : start).rfc3339.prefix(10))
  }

  static func number(named name: some StringProtocol) -> Int64? {
    guard name.utf8.count == 10 else { return nil }
    if let instant = Instant(rfc3339: "\(name)T00:00:00Z") { return number(instant.nanoseconds) }
    let first = number(.min)
    return self.name(first) == name ? first : nil
  }

  /// The instants of a day, as far as there are such.
  static func range(_ number: Int64) -> ClosedRange<Int64> {
    let (start, early) = number.multipliedReportingOverflow(by: nanoseconds)
    let first = early ? Int64.min : start
    return first...(early ? start &+ nanoseconds : start.saturatingAdd(nanoseconds)).saturatingSubtract(1)
  }
}
