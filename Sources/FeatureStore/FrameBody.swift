// The body of a row of `frames`: consecutive frames of one poll group under one layout, before sealing.
//
//   byte     format, 1
//   varint   group
//   varint   layout version
//   varint   columns, at least 1
//   varint   frames, 1 to framesMax
//   then for each frame
//     varint   sequence minus the one before (0 before the first)
//     zigzag   effective, nanoseconds, minus the one before
//     zigzag   change of (uptime − effective) from the frame before
//     zigzag   change of (observed − effective) from the frame before
//     varint   0: qualities as in the frame before (all good before the first); else the first run of
//     varint…  runs, length << 3 | quality, whose lengths add up to the columns
//     values   of the columns whose quality has a value:
//       scale known    varint 0, then raw bits; or 1 + zigzag(count − the column's last count), where the value is
//                      Double(count) × scale
//       scale unknown  byte 0, then raw bits; or byte 1: the column's last bits again
//
// All differences wrap at 64 bits. Last counts and last bits are 0 before the first.
// Invariants: sequences rise; a value comes back bit for bit, or, where its quality has none, as NaN.

import TwinCore

enum FrameBody {
  static let format: UInt8 = 1
  /// Also the most frames that one damaged row can lose.
  static let framesMax = 1024
  static let columnsMax = 4096
  /// Counts beyond this are not exact in a Double.
  private static let countMax = 9_007_199_254_740_992.0

  static func encode(_ frames: [Frame], layout: FrameLayout, version: Int64) -> [UInt8] {
    var writer = ByteWriter()
    writer.bytes.reserveCapacity(64 + frames.count * (16 + layout.points.count * 2))
    writer.bytes.append(format)
    writer.varint(UInt64(layout.group))
    writer.varint(UInt64(version))
    writer.varint(UInt64(layout.points.count))
    writer.varint(UInt64(frames.count))
    var history = History(columns: layout.points.count)
    for frame in frames {
      writer.varint(UInt64(frame.sequence - history.sequence))
      let (effective, uptime) = (frame.effective.nanoseconds, frame.uptime.nanoseconds)
      let (uptimeLead, observedLead) = (uptime &- effective, frame.observed.nanoseconds &- effective)
      writer.zigzag(effective &- history.effective)
      writer.zigzag(uptimeLead &- history.uptimeLead)
      writer.zigzag(observedLead &- history.observedLead)
      (history.sequence, history.effective) = (frame.sequence, effective)
      (history.uptimeLead, history.observedLead) = (uptimeLead, observedLead)
      encode(frame.qualities, after: history.qualities, into: &writer)
      history.qualities = frame.qualities
      for column in 0..<frame.values.count where frame.qualities[column].hasValue {
        encode(frame.values[column], scale: layout.scales[column], last: &history.last[column], into: &writer)
      }
    }
    return writer.bytes
  }

  private static func encode(_ qualities: [Quality], after previous: [Quality], into writer: inout ByteWriter) {
    guard qualities != previous else { return writer.varint(0) }
    var start = 0
    while start < qualities.count {
      var end = start + 1
      while end < qualities.count, qualities[end] == qualities[start] { end += 1 }
      writer.varint(UInt64(end - start) << 3 | UInt64(qualities[start].rawValue))
      start = end
    }
  }

  private static func encode(_ value: Double, scale: Double, last: inout UInt64, into writer: inout ByteWriter) {
    if scale > 0 {
      if let count = count(of: value, scale: scale) {
        writer.varint(ByteWriter.zigzag(count - Int64(bitPattern: last)) + 1)
        last = UInt64(bitPattern: count)
      } else {
        writer.varint(0)
        writer.raw(value.bitPattern)
      }
    } else if value.bitPattern == last {
      writer.bytes.append(1)
    } else {
      writer.bytes.append(0)
      writer.raw(value.bitPattern)
      last = value.bitPattern
    }
  }

  /// The whole number n for which Double(n) × scale is `value` bit for bit.
  private static func count(of value: Double, scale: Double) -> Int64? {
    let quotient = (value / scale).rounded()
    guard quotient.magnitude <= countMax else { return nil }
    let count = Int64(quotient)
    return (Double(count) * scale).bitPattern == value.bitPattern ? count : nil
  }

  fileprivate static func value(_ count: Int64, scale: Double) throws(BodyFault) -> Double {
    guard Double(count).magnitude <= countMax else { throw BodyFault("count \(count) is not exact") }
    return Double(count) * scale
  }

  /// What the next frame is told against.
  fileprivate struct History {
    var sequence: Int64 = 0
    var effective: Int64 = 0
    var uptimeLead: Int64 = 0
    var observedLead: Int64 = 0
    var qualities: [Quality]
    /// Per column: the last count, or the last bits.
    var last: [UInt64]

    init(columns: Int) {
      qualities = Array(repeating: .good, count: columns)
      last = Array(repeating: 0, count: columns)
    }
  }
}

/// Goes through the frames of one unsealed body.
struct FrameBodyReader {
  private var reader: ByteReader
  private var history: FrameBody.History
  private let scales: [Double]
  private let group: Int32
  private var left: Int
  private var values: [Double]

  /// Refuses a body that was not packed under `layout`.
  init(_ body: [UInt8], layout: FrameLayout, version: Int64) throws(BodyFault) {
    reader = ByteReader(body)
    let format = try reader.byte()
    guard format == FrameBody.format else { throw BodyFault("format \(format)") }
    let (group, named) = (try reader.varint(), try reader.varint())
    guard group == UInt64(layout.group), named == UInt64(version) else {
      throw BodyFault("of group \(group), layout \(named), in a row of group \(layout.group), layout \(version)")
    }
    let columns = try reader.count(max: FrameBody.columnsMax)
    guard columns == layout.points.count else {
      throw BodyFault("\(columns) columns where the layout has \(layout.points.count)")
    }
    left = try reader.count(max: FrameBody.framesMax)
    (self.group, scales) = (layout.group, layout.scales)
    history = FrameBody.History(columns: columns)
    values = Array(repeating: .nan, count: columns)
  }

  /// The next frame; nil after the last, which must be at the end of the body.
  mutating func next() throws(BodyFault) -> Frame? {
    guard left > 0 else {
      guard reader.remaining == 0 else { throw BodyFault("\(reader.remaining) bytes too many") }
      return nil
    }
    left -= 1
    let step = Int64(bitPattern: try reader.varint())
    let (sequence, overflow) = history.sequence.addingReportingOverflow(step)
    guard step > 0, !overflow else { throw BodyFault("sequence that does not rise") }
    history.sequence = sequence
    history.effective &+= try reader.zigzag()
    history.uptimeLead &+= try reader.zigzag()
    history.observedLead &+= try reader.zigzag()
    try readQualities()
    for column in 0..<values.count {
      values[column] = history.qualities[column].hasValue ? try readValue(column) : .nan
    }
    return Frame(
      group: group, sequence: history.sequence, effective: Instant(nanoseconds: history.effective),
      observed: Instant(nanoseconds: history.effective &+ history.observedLead),
      uptime: Uptime(nanoseconds: history.effective &+ history.uptimeLead), values: values,
      qualities: history.qualities)
  }

  private mutating func readQualities() throws(BodyFault) {
    var token = try reader.varint()
    guard token != 0 else { return }
    var column = 0
    while true {
      let length = token >> 3
      guard length > 0, length <= UInt64(values.count - column), let quality = Quality(rawValue: UInt8(token & 7))
      else {
        throw BodyFault("run of qualities \(token)")
      }
      for index in column..<column + Int(length) { history.qualities[index] = quality }
      column += Int(length)
      if column == values.count { return }
      token = try reader.varint()
    }
  }

  private mutating func readValue(_ column: Int) throws(BodyFault) -> Double {
    let scale = scales[column]
    guard scale > 0 else {
      switch try reader.byte() {
      case 0: history.last[column] = try reader.raw()
      case 1: break
      case let other: throw BodyFault("token \(other) in a column of doubles")
      }
      return Double(bitPattern: history.last[column])
    }
    let token = try reader.varint()
    guard token > 0 else { return Double(bitPattern: try reader.raw()) }
    let count = Int64(bitPattern: history.last[column]) &+ ByteReader.signed(token - 1)
    history.last[column] = UInt64(bitPattern: count)
    return try FrameBody.value(count, scale: scale)
  }
}
