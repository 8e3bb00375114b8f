import SeriesCodec
import TwinCore

/// Unpacks the bodies of consecutive records; HotLogRecord.swift has their layout.
struct LogBodyReader {
  private var frames = FrameSectionReader()
  /// Those given, and those that records brought since.
  private(set) var layouts: [Int64: FrameLayout]

  init(layouts: [Int64: FrameLayout]) { self.layouts = layouts }

  /// Forgets the histories of frames: a key record comes, or a record is missing.
  mutating func reset() { frames.reset() }

  /// The record of a body whose checksum is right. Frames that cannot be told are left out and reported by `lost`; any
  /// other fault is of the whole record.
  mutating func read(
    _ bytes: [UInt8], in range: Range<Int>, commit: Int64, lost: (_ frames: Int, _ reason: String) -> Void
  ) throws(CodecFault) -> LogRecord {
    var reader = ByteReader(bytes, in: range)
    var record = LogRecord(commit: commit)
    var last: UInt8 = 0
    while reader.remaining > 0 {
      let code = try reader.byte()
      guard code > last, let kind = LogSection(rawValue: code) else {
        throw CodecFault("section \(code) after \(last)")
      }
      last = code
      let length = try reader.count(max: reader.remaining)
      guard length <= reader.remaining else { throw CodecFault("ends early") }
      var section = ByteReader(bytes, in: reader.offset..<reader.offset + length)
      _ = try reader.slice(length)
      if kind == .frames {
        let result = frames.read(&section, ticks: record.ticks, layouts: layouts)
        record.frames = result.frames
        if let reason = result.reason { lost(result.lost, reason) }
        continue
      }
      try Self.read(kind, &section, into: &record)
      guard section.remaining == 0 else { throw CodecFault("\(section.remaining) bytes too many in \(kind)") }
      if kind == .layouts {
        for entry in record.records.layouts { layouts[entry.version] = entry.layout }
      }
    }
    return record
  }

  private static func read(
    _ kind: LogSection, _ reader: inout ByteReader, into record: inout LogRecord
  ) throws(CodecFault) {
    let count = try reader.count(max: min(reader.remaining, LogSection.entriesMax))
    if kind == .ticks { return record.ticks = try ticks(count, &reader) }
    for _ in 0..<count {
      switch kind {
      case .layouts: record.records.layouts.append(try layout(&reader))
      case .decisions:
        record.records.decisions.append(
          DecisionEntry(
            id: try reader.text(), tick: try reader.zigzag(), instant: Instant(nanoseconds: try reader.zigzag()),
            kind: try reader.text(), point: try reader.text(), bytes: try reader.counted()))
      case .events:
        record.records.events.append(
          EventEntry(
            tick: try reader.zigzag(), instant: Instant(nanoseconds: try reader.zigzag()), kind: try reader.text(),
            subject: try reader.text(), bytes: try reader.counted()))
      case .facts: record.records.facts.append(try reader.named())
      case .leases: record.records.leases.append(try reader.named())
      case .versions: record.records.versions.append(try version(&reader))
      case .ticks, .frames: break
      }
    }
  }

  private static func ticks(
    _ count: Int, _ reader: inout ByteReader
  ) throws(CodecFault) -> [TickRecord] {
    var ticks: [TickRecord] = []
    ticks.reserveCapacity(count)
    var (number, instant, uptime, boot, end): (Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0)
    for _ in 0..<count {
      let next = number &+ (try reader.zigzag())
      guard ticks.isEmpty || next > number else { throw CodecFault("tick number that does not rise") }
      number = next
      instant &+= try reader.zigzag()
      uptime &+= try reader.zigzag()
      boot &+= try reader.zigzag()
      let first = end &+ (try reader.zigzag())
      let carried = try reader.varint()
      let (sum, overflow) = first.addingReportingOverflow(Int64(clamping: carried))
      guard !overflow, carried <= UInt64(Int64.max) else {
        throw CodecFault("tick \(number) carries \(carried) frames")
      }
      end = sum
      let mustBeKept = try reader.byte()
      guard mustBeKept <= 1 else { throw CodecFault("mark \(mustBeKept) of tick \(number)") }
      ticks.append(
        TickRecord(
          number: number, instant: Instant(nanoseconds: instant), uptime: Uptime(nanoseconds: uptime), boot: boot,
          frames: first..<end, mustBeKept: mustBeKept == 1, bytes: try reader.counted()))
    }
    return ticks
  }

  private static func layout(_ reader: inout ByteReader) throws(CodecFault) -> LayoutEntry {
    let version = try reader.zigzag()
    let registered = Instant(nanoseconds: try reader.zigzag())
    let bytes = try reader.counted()
    guard let layout = try? FrameLayout(canonicalBytes: bytes) else { throw CodecFault("layout \(version)") }
    return LayoutEntry(version: version, layout: layout, registered: registered)
  }

  private static func version(_ reader: inout ByteReader) throws(CodecFault) -> VersionEntry {
    let (family, subject) = (try reader.text(), try reader.text())
    let from = try reader.zigzag()
    let until = from &+ Int64(bitPattern: try reader.varint())
    guard from <= until else { throw CodecFault("\(family) of \(subject) ends before it begins") }
    return VersionEntry(
      family: family, subject: subject, effective: Instant(nanoseconds: from)..<Instant(nanoseconds: until),
      tick: try reader.zigzag(), bytes: try reader.counted())
  }
}

extension ByteReader {
  fileprivate mutating func counted() throws(CodecFault) -> [UInt8] { try bytes(try count(max: remaining)) }

  fileprivate mutating func text() throws(CodecFault) -> String {
    guard let text = String(validating: try counted(), as: UTF8.self) else { throw CodecFault("a text not in UTF-8") }
    return text
  }

  fileprivate mutating func named() throws(CodecFault) -> NamedBytes {
    let name = try text()
    switch try byte() {
    case 0: return NamedBytes(name: name, bytes: nil)
    case 1: return NamedBytes(name: name, bytes: try counted())
    case let other: throw CodecFault("mark \(other) of \(name)")
    }
  }
}
