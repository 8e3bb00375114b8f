import SeriesCodec
import TwinCore

/// Unpacks the frames sections of consecutive records; HotLogFrames.swift has their layout.
struct FrameSectionReader {
  private typealias Marks = FrameSection.Marks

  /// The frames of a section that could be read.
  struct Result {
    var frames: [LaidFrame] = []
    /// Frames that are there and cannot be told.
    var lost = 0
    /// Why, for the first of them.
    var reason: String?
  }

  private var histories: [Int32: FrameSection.History] = [:]

  /// Forgets all histories: a key record comes, or a record is missing.
  mutating func reset() { histories.removeAll(keepingCapacity: true) }

  /// Frames behind one that cannot be read are lost with it, and with them every history.
  mutating func read(
    _ reader: inout ByteReader, ticks: [TickRecord], layouts: [Int64: FrameLayout]
  ) -> Result {
    var result = Result()
    var count = 0
    do throws(CodecFault) {
      count = try reader.count(max: FrameSection.framesMax)
      let sequences = try Self.readSequences(count, &reader)
      result.frames.reserveCapacity(min(count, reader.remaining))
      var carriers = FrameSection.Carriers(ticks)
      var group: Int32 = -1
      var cells = 0
      for run in sequences {
        for step in 0..<run.length {
          let sequence = run.first &+ Int64(step)
          let observed = carriers.instant(of: sequence)
          let next = try readFrame(&reader, after: &group, carrier: observed, layouts: layouts, cells: &cells)
          guard var laid = next else {
            result.lost += 1
            result.reason = result.reason ?? "the layout of group \(group) is unknown"
            continue
          }
          laid.frame.sequence = sequence
          result.frames.append(laid)
        }
      }
      guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    } catch {
      reset()
      result.lost = max(1, count - result.frames.count)
      result.reason = error.reason
    }
    return result
  }

  private static func readSequences(
    _ count: Int, _ reader: inout ByteReader
  ) throws(CodecFault) -> [(first: Int64, length: Int)] {
    var runs: [(first: Int64, length: Int)] = []
    var (left, expected): (Int, Int64) = (count, 0)
    while left > 0 {
      let first = expected &+ (try reader.zigzag())
      let length = try reader.count(max: left)
      guard length > 0 else { throw CodecFault("an empty run of sequences") }
      runs.append((first, length))
      expected = first &+ Int64(length)
      left -= length
    }
    return runs
  }

  /// nil for a frame whose layout is unknown.
  private mutating func readFrame(
    _ reader: inout ByteReader, after previous: inout Int32, carrier: Int64?, layouts: [Int64: FrameLayout],
    cells: inout Int
  ) throws(CodecFault) -> LaidFrame? {
    let marks = Marks(rawValue: try reader.byte())
    let number = Int64(previous) &+ 1 &+ (marks.contains(.hop) ? try reader.zigzag() : 0)
    guard let group = Int32(exactly: number) else { throw CodecFault("group \(number)") }
    previous = group
    let history = try history(of: group, isFresh: marks.contains(.fresh), layouts: layouts, &reader)
    cells += history.columns
    guard cells <= FrameSection.cellsMax else { throw CodecFault("more than \(FrameSection.cellsMax) values") }
    let off = try reader.zigzag() &* (marks.contains(.wholeMs) ? FrameSection.nanosecondsPerMs : 1)
    let effective = history.effective &+ history.step &+ off
    history.step = marks.contains(.fresh) ? 0 : effective &- history.effective
    history.effective = effective
    if marks.contains(.lead) {
      history.lead &+= try reader.zigzag() &* (marks.contains(.leadWholeMs) ? FrameSection.nanosecondsPerMs : 1)
    }
    let observed: Int64
    if marks.contains(.observed) {
      observed = effective &+ (try reader.zigzag())
    } else {
      guard let carrier else { throw CodecFault("a frame of group \(group) that no tick carries") }
      observed = carrier
    }
    if marks.contains(.qualities) { try Self.readQualities(history, &reader) }
    if marks.contains(.measures) { try Self.readMeasures(history, &reader) }
    let values = try Self.readValues(history, &reader)
    guard history.scales != nil else { return nil }
    return LaidFrame(
      frame: Frame(
        group: group, effective: Instant(nanoseconds: effective), observed: Instant(nanoseconds: observed),
        uptime: Uptime(nanoseconds: effective &+ history.lead), values: values, qualities: history.qualities,
        measures: marks.contains(.measures) ? history.measures : []),
      layout: history.layout)
  }

  private mutating func history(
    of group: Int32, isFresh: Bool, layouts: [Int64: FrameLayout], _ reader: inout ByteReader
  ) throws(CodecFault) -> FrameSection.History {
    guard isFresh else {
      guard let known = histories[group] else { throw CodecFault("the history of group \(group) is missing") }
      return known
    }
    let version = try reader.zigzag()
    let columns = try reader.count(max: FrameSection.columnsMax)
    guard columns > 0 else { throw CodecFault("a frame without columns") }
    let layout = layouts[version]
    if let layout, layout.scales.count != columns || layout.group != group {
      throw CodecFault(
        "\(columns) columns of group \(group) where layout \(version) has \(layout.scales.count) of \(layout.group)")
    }
    let fresh = FrameSection.History(layout: version, columns: columns, scales: layout?.scales)
    histories[group] = fresh
    return fresh
  }

  private static func readQualities(
    _ history: FrameSection.History, _ reader: inout ByteReader
  ) throws(CodecFault) {
    var column = 0
    var qualities = history.qualities
    while column < qualities.count {
      let token = try reader.varint()
      let length = token >> 3
      guard length > 0, length <= UInt64(qualities.count - column), let quality = Quality(rawValue: UInt8(token & 7))
      else { throw CodecFault("run of qualities \(token)") }
      for index in column..<column + Int(length) { qualities[index] = quality }
      column += Int(length)
    }
    history.qualities = qualities
  }

  private static func readMeasures(
    _ history: FrameSection.History, _ reader: inout ByteReader
  ) throws(CodecFault) {
    let form = try reader.byte()
    guard form != 0 else { return }
    guard form == 1 else { throw CodecFault("form \(form) of measures") }
    var measures = history.measures
    let masks = try reader.bytes((measures.count + 7) / 8)
    for column in measures.indices where masks[column / 8] >> UInt8(column % 8) & 1 == 1 {
      let fields = try reader.byte()
      guard fields > 0, fields < 16 else { throw CodecFault("fields \(fields) of a measure") }
      if fields & 1 != 0 { measures[column].variance = try reader.byte() }
      if fields & 2 != 0 { measures[column].confidence = try reader.byte() }
      if fields & 4 != 0 { measures[column].provenance = try reader.half() }
      if fields & 8 != 0 { measures[column].stamp = try reader.half() }
    }
    history.measures = measures
  }

  private static func readValues(
    _ history: FrameSection.History, _ reader: inout ByteReader
  ) throws(CodecFault) -> [Double] {
    // Moved out of the object, so that the loop works on arrays of its own; after a fault the history goes.
    var last = history.last
    history.last = []
    let (scales, qualities, columns) = (history.scales, history.qualities, history.columns)
    var values = [Double](repeating: .nan, count: columns)
    var base = 0
    while base < columns {
      let mask = try reader.byte()
      let end = min(base + 8, columns)
      guard end - base == 8 || mask >> UInt8(end - base) == 0 else { throw CodecFault("mask \(mask)") }
      for column in base..<end {
        guard mask >> UInt8(column - base) & 1 == 1 else {
          guard let scale = scales?[column], qualities[column].hasValue else { continue }
          values[column] =
            scale > 0 ? Double(last[column]) * scale : Double(bitPattern: UInt64(bitPattern: last[column]))
          continue
        }
        guard qualities[column].hasValue else { throw CodecFault("a value of quality \(qualities[column].name)") }
        let token = try reader.varint()
        if token == 0 {
          let bits = try reader.raw()
          values[column] = Double(bitPattern: bits)
          if let scale = scales?[column], scale == 0 { last[column] = Int64(bitPattern: bits) }
          continue
        }
        last[column] &+= ByteReader.signed(token)
        if let scale = scales?[column] {
          guard scale > 0 else { throw CodecFault("a count in a column without a scale") }
          values[column] = Double(last[column]) * scale
        }
      }
      base = end
    }
    history.last = last
    return values
  }
}

extension ByteReader {
  fileprivate mutating func half() throws(CodecFault) -> UInt16 { UInt16(try byte()) | UInt16(try byte()) << 8 }
}
