// A lapse body, kind 4, in a closed day file: what `keep` took from the bodies of one layout. Its key has the group,
// the layout and the reach in effective time and ticks of the rows that lost values, and their number.
//
//   byte     format, 1
//   varint   columns, 0 for all: then the rows are gone as well
//   varint…  each column's place in the layout minus the one before (the first: minus -1)
//
// Invariant: in a file with such a body no body of that layout has values in those columns, whatever is added to the
// day later.

import SeriesCodec
import Sodium
import TwinCore

/// What of a day was not kept, as its points' `keep` says.
public struct Lapse: Sendable, Equatable {
  /// `2026-07-03`.
  public var day: String
  public var points: [String]
  /// Rows that lost these points' values.
  public var rows: Int
}

/// The content of a lapse body.
struct LapseBody: Equatable {
  private static let format: UInt8 = 1

  /// Rising; nil: all.
  var columns: [Int]?

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.byte(Self.format)
    writer.varint(UInt64(columns?.count ?? 0))
    var previous = -1
    for column in columns ?? [] {
      writer.varint(UInt64(column - previous))
      previous = column
    }
    return writer.bytes
  }

  init(columns: [Int]?) { self.columns = columns }

  init(_ bytes: [UInt8]) throws(CodecFault) {
    var reader = ByteReader(bytes)
    let format = try reader.byte()
    guard format == Self.format else { throw CodecFault("format \(format) of a lapse") }
    let count = try reader.count(max: Block.columnsMax)
    var found: [Int] = []
    for _ in 0..<count {
      let column = (found.last ?? -1) + (try reader.count(max: Block.columnsMax))
      guard column > found.last ?? -1, column < Block.columnsMax else {
        throw CodecFault("column \(column) of a lapse")
      }
      found.append(column)
    }
    guard reader.remaining == 0 else { throw CodecFault("\(reader.remaining) bytes too many") }
    columns = count > 0 ? found : nil
  }
}

/// How long each point's values are kept.
struct Keeping: Equatable {
  /// Nanoseconds by point; points without an entry are kept as long as anything.
  private let keeps: [String: Int64]
  /// Rising, each once.
  let spans: [Int64]

  init(_ policies: [String: DataPolicy]) {
    keeps = policies.compactMapValues(\.keepNanoseconds)
    spans = Set(keeps.values).sorted()
  }

  /// Everything of a point before this is over: the beginning of a day.
  func cut(of point: String, now: Int64) -> Int64 {
    keeps[point].map { Self.cut(now.saturatingSubtract($0)) } ?? .min
  }

  static func cut(_ instant: Int64) -> Int64 { Days.range(Days.number(instant)).lowerBound }

  /// How many of the spans are over for a day; changes only with the days.
  func spansOver(day: Int64, now: Int64) -> Int {
    let end = Days.range(day).upperBound
    return spans.prefix { end < Self.cut(now.saturatingSubtract($0)) }.count
  }

  /// The columns of a layout whose values of a day are over, rising.
  func columnsOver(_ layout: FrameLayout, day: Int64, now: Int64) -> [Int] {
    let end = Days.range(day).upperBound
    return layout.points.indices.filter { end < cut(of: layout.points[$0], now: now) }
  }
}

/// The lapses of a day while it is written again.
struct LapseList {
  private struct Known {
    var group: Int32
    var columns: Set<Int>
    /// What the closed file has already.
    let before: Set<Int>
    let wasThere: Bool
    var effective: ClosedRange<Int64>?
    var ticks: ClosedRange<Int64>?
    var rows = 0
    var isWhole: Bool
  }

  private var known: [Int64: Known] = [:]
  /// Whether values go that the files still have.
  private(set) var isNew = false

  /// What the day's files say, and what is over by now.
  init(_ day: Int64, _ archive: Archive, _ over: (FrameLayout) -> [Int]) throws(StoreError) {
    let bodies = try archive.shelf.bodies(day: day)
    for stored in bodies where stored.key.kind == .lapse {
      let (key, columns) = (stored.key, try Self.columns(stored, archive))
      known[key.layout] = Known(
        group: key.group, columns: columns, before: columns, wasThere: true,
        effective: key.effectiveMin...key.effectiveMax, ticks: key.tickFirst...key.tickLast, rows: key.rows,
        isWhole: columns.count == archive.layouts[key.layout]?.points.count)
    }
    for stored in bodies where stored.key.kind == .frames {
      guard let layout = archive.layouts[stored.key.layout] else { continue }
      let before = known[stored.key.layout]
      let columns = Set(over(layout)).union(before?.columns ?? [])
      guard !columns.isEmpty else { continue }
      if before == nil || before?.columns != columns || !stored.isClosed { isNew = true }
      known[stored.key.layout] = Known(
        group: stored.key.group, columns: columns, before: before?.before ?? [], wasThere: before?.wasThere ?? false,
        effective: before?.effective, ticks: before?.ticks, rows: before?.rows ?? 0,
        isWhole: columns.count == layout.points.count)
    }
  }

  /// The columns that a lapse body names.
  static func columns(_ stored: StoredBody, _ archive: Archive) throws(StoreError) -> Set<Int> {
    let count = archive.layouts[stored.key.layout]?.points.count ?? 0
    guard let bytes = try archive.bytes(of: stored), let body = try? LapseBody(bytes) else {
      throw StoreError(.corrupt, "\(stored.name) cannot be read; its day stays as it is")
    }
    return Set(body.columns ?? Array(0..<count))
  }

  enum Verdict {
    case stays
    /// Nothing of it is kept.
    case goes
    /// It is packed again without these columns.
    case loses(Set<Int>)
  }

  /// What becomes of a body of frames; counts what it loses.
  mutating func judge(_ stored: StoredBody) -> Verdict {
    let key = stored.key
    guard var found = known[key.layout] else { return .stays }
    if stored.isClosed, found.wasThere, found.columns == found.before { return .stays }
    found.effective = Self.joined(found.effective, key.effectiveMin, key.effectiveMax)
    found.ticks = Self.joined(found.ticks, key.tickFirst, key.tickLast)
    // Rows of a closed file that lost something before are counted already.
    if !(stored.isClosed && found.wasThere) { found.rows += key.rows }
    known[key.layout] = found
    return found.isWhole ? .goes : .loses(found.columns)
  }

  private static func joined(_ range: ClosedRange<Int64>?, _ low: Int64, _ high: Int64) -> ClosedRange<Int64> {
    range.map { min($0.lowerBound, low)...max($0.upperBound, high) } ?? low...high
  }

  /// The bodies that say so.
  func bodies() -> [(bytes: [UInt8], key: BodyKey)] {
    known.sorted { $0.key < $1.key }.compactMap { layout, found in
      guard let effective = found.effective, let ticks = found.ticks else { return nil }
      let bytes = LapseBody(columns: found.isWhole ? nil : found.columns.sorted()).bytes
      let key = BodyKey(
        kind: .lapse, group: found.group, layout: layout, effective: effective, ticks: ticks,
        rows: min(found.rows, Int(Int32.max)), tier: 0, hash: Sodium.blake2b256(bytes), length: bytes.count)
      return (bytes, key)
    }
  }
}

extension StoredBody {
  var isClosed: Bool { if case .file(.closed, _) = place { true } else { false } }
}

extension Block {
  /// Takes the values of some columns away: what is left of them is that there was a row.
  mutating func clear(_ places: Set<Int>) {
    for place in places where columns.indices.contains(place) {
      columns[place] = Column(
        form: columns[place].form, counts: Array(repeating: 0, count: effective.count),
        qualities: Array(repeating: Quality.never.rawValue, count: effective.count))
    }
  }
}

extension StoreReader {
  /// What of a day was not kept.
  public func lapses(day name: String) throws(StoreError) -> [Lapse] {
    guard let day = Days.number(named: name) else { return [] }
    return try retrying { () throws(StoreError) in
      var found: [Lapse] = []
      for stored in try archive.shelf.bodies(day: day) where stored.key.kind == .lapse {
        guard let layout = archive.layouts[stored.key.layout] else { continue }
        let columns = try LapseList.columns(stored, archive).sorted().filter { $0 < layout.points.count }
        found.append(Lapse(day: name, points: columns.map { layout.points[$0] }, rows: stored.key.rows))
      }
      return found
    }
  }

  /// What of a point was not kept, oldest day first. Opens the index of every day.
  public func lapses(of point: String) throws(StoreError) -> [Lapse] {
    var found: [Lapse] = []
    for day in unitDays {
      let rows = try lapses(day: day).filter { $0.points.contains(point) }.reduce(0) { $0 + $1.rows }
      if rows > 0 { found.append(Lapse(day: day, points: [point], rows: rows)) }
    }
    return found
  }
}

extension SiteStore {
  /// As the reader's.
  public func lapses(day name: String) throws(StoreError) -> [Lapse] { try reader.lapses(day: name) }

  public func lapses(of point: String) throws(StoreError) -> [Lapse] { try reader.lapses(of: point) }
}
