// The frames section of a log record: frames in order of appending, each told against its group's last one in the file.
//
//   varint   frames, at most framesMax
//   runs of consecutive sequences, until they add up to the frames:
//     zigzag   first sequence minus the one that would follow the run before (before the first: 0)
//     varint   length, at least 1
//   then for each frame
//     byte     marks, below
//     zigzag   group minus (the frame before's + 1; 0 before the first of the record)       if `hop`
//     zigzag   layout version                                                               if `fresh`
//     varint   columns, 1 to columnsMax                                                     if `fresh`
//     zigzag   effective minus (last effective + last step), in ms if `wholeMs`, else in ns
//     zigzag   change of uptime − effective, in ms if `leadWholeMs`, else in ns             if `lead`
//     zigzag   observed − effective, ns; else observed is the instant of the record's tick
//              that carries the frame                                                       if `observed`
//     varint…  runs of qualities, length << 3 | quality, that add up to the columns; else
//              those of the last frame                                                      if `qualities`
//     measures                                                                              if `measures`
//       byte   0: those of the last frame that had any; 1: a mask of columns follows
//              (bit column mod 8 of byte column / 8), then for each column that is set
//              byte   which fields differ: 1 variance, 2 confidence, 4 provenance, 8 stamp
//              then these fields: bytes, or 2 bytes little endian
//     values, for every 8 columns
//       byte   mask of columns whose value is not the last one again
//       then for each column that is set
//         varint   0: the Double's bits follow, 8 bytes; else zigzag(count − last count), value = Double(count) × scale
//
// Marks: 1 hop, 2 fresh, 4 wholeMs, 8 lead, 16 leadWholeMs, 32 observed, 64 qualities, 128 measures.
//
// A `fresh` frame begins its group's history: times, lead and counts 0, qualities good, measures as the layout says. A
// key record begins all of them. A column whose scale is 0 in the layout has bits for its last value, others a count,
// which bits leave as it was. A column whose quality has no value has no bit in the mask. Differences wrap at 64 bits.
// A frame can be passed over without its layout; it cannot be without its history.

import SeriesCodec
import TwinCore

enum FrameSection {
  static let columnsMax = 4096
  static let framesMax = 1 << 18
  /// Values of one record, so that a small record cannot ask for much memory.
  static let cellsMax = 1 << 22

  struct Marks: OptionSet {
    let rawValue: UInt8
    static let hop = Marks(rawValue: 1)
    static let fresh = Marks(rawValue: 2)
    static let wholeMs = Marks(rawValue: 4)
    static let lead = Marks(rawValue: 8)
    static let leadWholeMs = Marks(rawValue: 16)
    static let observed = Marks(rawValue: 32)
    static let qualities = Marks(rawValue: 64)
    static let measures = Marks(rawValue: 128)
  }

  static let nanosecondsPerMs: Int64 = 1_000_000

  /// What a group's next frame is told against.
  final class History {
    let layout: Int64
    let columns: Int
    /// Per column, 0 for none; nil while the layout is not known.
    let scales: [Double]?
    /// 1 / scale, 0 for none.
    let inverses: [Double]
    var effective: Int64 = 0
    var step: Int64 = 0
    var lead: Int64 = 0
    var qualities: [Quality]
    var measures: [CellMeasure]
    /// Counts, or bits where there is no scale.
    var last: [Int64]

    init(layout: Int64, columns: Int, scales: [Double]?) {
      (self.layout, self.columns, self.scales) = (layout, columns, scales)
      inverses = (scales ?? []).map { $0 > 0 ? 1 / $0 : 0 }
      qualities = Array(repeating: .good, count: columns)
      measures = Array(repeating: CellMeasure(), count: columns)
      last = Array(repeating: 0, count: columns)
    }
  }

  /// Goes along the ticks of a record in step with its frames.
  struct Carriers {
    let ticks: [TickRecord]
    private var next = 0

    init(_ ticks: [TickRecord]) { self.ticks = ticks }

    /// The instant of the tick that carries a frame; nil when none of those not yet passed does.
    mutating func instant(of sequence: Int64) -> Int64? {
      while next < ticks.count, ticks[next].frames.isEmpty || ticks[next].frames.upperBound <= sequence { next += 1 }
      guard next < ticks.count, ticks[next].frames.lowerBound <= sequence else { return nil }
      return ticks[next].instant.nanoseconds
    }
  }
}

/// Packs frames; keeps the histories from record to record.
struct FrameSectionWriter {
  private typealias Marks = FrameSection.Marks
  private var histories: [Int32: FrameSection.History] = [:]

  /// Begins all histories: the record to come is a key record, or the last one did not reach the disk.
  mutating func reset() { histories.removeAll(keepingCapacity: true) }

  /// `layouts` holds those of all frames. Throws `store.too_big` beyond the section's bounds; then the histories are
  /// of no use.
  mutating func write(
    _ frames: [LaidFrame], ticks: [TickRecord], layouts: [Int64: FrameLayout], into writer: inout ByteWriter
  ) throws(StoreError) {
    let cells = frames.reduce(0) { $0 + $1.frame.values.count }
    guard frames.count <= FrameSection.framesMax, cells <= FrameSection.cellsMax else {
      throw StoreError(
        .tooBig,
        "a commit of \(frames.count) frames with \(cells) values where \(FrameSection.framesMax) with "
          + "\(FrameSection.cellsMax) may be")
    }
    writer.varint(UInt64(frames.count))
    Self.writeSequences(frames, into: &writer)
    var carriers = FrameSection.Carriers(ticks)
    var group: Int32 = -1
    for laid in frames {
      let observed = carriers.instant(of: laid.frame.sequence)
      write(laid, after: group, carrier: observed, layouts: layouts, into: &writer)
      group = laid.frame.group
    }
  }

  private static func writeSequences(_ frames: [LaidFrame], into writer: inout ByteWriter) {
    var (start, expected): (Int, Int64) = (0, 0)
    while start < frames.count {
      let first = frames[start].frame.sequence
      var end = start + 1
      while end < frames.count, frames[end].frame.sequence == first &+ Int64(end - start) { end += 1 }
      writer.zigzag(first &- expected)
      writer.varint(UInt64(end - start))
      expected = first &+ Int64(end - start)
      start = end
    }
  }

  private mutating func write(
    _ laid: LaidFrame, after previous: Int32, carrier: Int64?, layouts: [Int64: FrameLayout],
    into writer: inout ByteWriter
  ) {
    let frame = laid.frame
    var marks: Marks = []
    let (history, isFresh) = history(of: laid, layouts: layouts)
    let effective = frame.effective.nanoseconds
    let lead = frame.uptime.nanoseconds &- effective
    let off = effective &- history.effective &- history.step
    let leadChange = lead &- history.lead
    if Int64(frame.group) != Int64(previous) + 1 { marks.insert(.hop) }
    if isFresh { marks.insert(.fresh) }
    if off % FrameSection.nanosecondsPerMs == 0 { marks.insert(.wholeMs) }
    if leadChange != 0 {
      marks.insert(.lead)
      if leadChange % FrameSection.nanosecondsPerMs == 0 { marks.insert(.leadWholeMs) }
    }
    if frame.observed.nanoseconds != carrier { marks.insert(.observed) }
    let hasNewQualities = frame.qualities != history.qualities
    if hasNewQualities { marks.insert(.qualities) }
    if !frame.measures.isEmpty { marks.insert(.measures) }
    writer.byte(marks.rawValue)
    if marks.contains(.hop) { writer.zigzag(Int64(frame.group) - Int64(previous) - 1) }
    if isFresh {
      writer.zigzag(laid.layout)
      writer.varint(UInt64(frame.values.count))
    }
    writer.zigzag(marks.contains(.wholeMs) ? off / FrameSection.nanosecondsPerMs : off)
    if leadChange != 0 {
      writer.zigzag(marks.contains(.leadWholeMs) ? leadChange / FrameSection.nanosecondsPerMs : leadChange)
    }
    if marks.contains(.observed) { writer.zigzag(frame.observed.nanoseconds &- effective) }
    history.step = isFresh ? 0 : effective &- history.effective
    (history.effective, history.lead) = (effective, lead)
    if hasNewQualities {
      Self.write(qualities: frame.qualities, into: &writer)
      history.qualities = frame.qualities
    }
    if !frame.measures.isEmpty {
      Self.write(measures: frame.measures, after: history.measures, into: &writer)
      history.measures = frame.measures
    }
    Self.write(values: frame.values, qualities: frame.qualities, history: history, into: &writer)
  }

  private mutating func history(
    of laid: LaidFrame, layouts: [Int64: FrameLayout]
  ) -> (history: FrameSection.History, isFresh: Bool) {
    if let known = histories[laid.frame.group], known.layout == laid.layout { return (known, false) }
    guard let layout = layouts[laid.layout], layout.scales.count == laid.frame.values.count else {
      preconditionFailure("a frame of \(laid.frame.values.count) values under layout \(laid.layout)")
    }
    let fresh = FrameSection.History(layout: laid.layout, columns: layout.scales.count, scales: layout.scales)
    histories[laid.frame.group] = fresh
    return (fresh, true)
  }

  private static func write(qualities: [Quality], into writer: inout ByteWriter) {
    var start = 0
    while start < qualities.count {
      var end = start + 1
      while end < qualities.count, qualities[end] == qualities[start] { end += 1 }
      writer.varint(UInt64(end - start) << 3 | UInt64(qualities[start].rawValue))
      start = end
    }
  }

  private static func write(
    measures: [CellMeasure], after last: [CellMeasure], into writer: inout ByteWriter
  ) {
    guard measures != last else { return writer.byte(0) }
    writer.byte(1)
    for base in stride(from: 0, to: measures.count, by: 8) {
      var mask: UInt8 = 0
      for column in base..<min(base + 8, measures.count) where measures[column] != last[column] {
        mask |= 1 << UInt8(column - base)
      }
      writer.byte(mask)
    }
    for (new, old) in zip(measures, last) where new != old {
      let fields =
        (new.variance != old.variance ? 1 : 0) | (new.confidence != old.confidence ? 2 : 0)
        | (new.provenance != old.provenance ? 4 : 0) | (new.stamp != old.stamp ? 8 : 0)
      writer.byte(UInt8(fields))
      if fields & 1 != 0 { writer.byte(new.variance) }
      if fields & 2 != 0 { writer.byte(new.confidence) }
      if fields & 4 != 0 { writer.half(new.provenance) }
      if fields & 8 != 0 { writer.half(new.stamp) }
    }
  }

  /// Added to a Double below 2^51 and taken away again it leaves the nearest whole number.
  private static let rounding = 6_755_399_441_055_744.0
  private static let countBound = 2_251_799_813_685_248.0

  private static func write(
    values: [Double], qualities: [Quality], history: FrameSection.History, into writer: inout ByteWriter
  ) {
    // Moved out of the object, so that the loop works on arrays of its own.
    var last = history.last
    history.last = []
    let (scales, inverses) = (history.scales ?? [], history.inverses)
    var base = 0
    while base < values.count {
      let maskPlace = writer.bytes.count
      var mask: UInt8 = 0
      writer.byte(0)
      for column in base..<min(base + 8, values.count) where qualities[column].hasValue {
        let value = values[column]
        let scale = scales[column]
        guard scale > 0 else {
          let bits = Int64(bitPattern: value.bitPattern)
          guard bits != last[column] else { continue }
          mask |= 1 << UInt8(column - base)
          writer.byte(0)
          writer.raw(value.bitPattern)
          last[column] = bits
          continue
        }
        let quotient = value * inverses[column]
        let rounded = quotient + rounding - rounding
        guard quotient.magnitude < countBound, (rounded * scale).bitPattern == value.bitPattern else {
          mask |= 1 << UInt8(column - base)
          writer.byte(0)
          writer.raw(value.bitPattern)
          continue
        }
        let count = Int64(rounded)
        guard count != last[column] else { continue }
        mask |= 1 << UInt8(column - base)
        writer.zigzag(count &- last[column])
        last[column] = count
      }
      writer.bytes[maskPlace] = mask
      base += 8
    }
    history.last = last
  }
}

extension ByteWriter {
  fileprivate mutating func half(_ value: UInt16) {
    byte(UInt8(truncatingIfNeeded: value))
    byte(UInt8(truncatingIfNeeded: value >> 8))
  }
}
