import FeatureStore
import Seams
import SeriesCodec
import TwinCore

/// A real series through the store: the meters of a household, once a minute for four years, each day closed.
struct MeteredSeries {
  private static let day: Int64 = 86_400_000
  /// By digits behind the point.
  private static let steps = [1, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6]

  /// Milliseconds since 1970.
  private let times: [Int64]
  private let scales: [Double]
  /// Per column, whole counts of its scale.
  private let counts: [[Int32]]

  /// `columns`: Tests/Bench/store_data.py writes COLUMNS.at (int64, milliseconds), COLUMNS.0, COLUMNS.1, … (int32
  /// counts), raw and little-endian, and COLUMNS.decimals with a digit for each column.
  static func run(in folder: String, columns: String) throws {
    let series = try MeteredSeries(columns)
    try series.store(in: folder)
    try series.printBodies()
  }

  private init(_ prefix: String) throws {
    times = try Self.words(prefix + ".at")
    let digits = try Self.bytes(prefix + ".decimals").filter { (48...57).contains($0) }.map { Int($0) - 48 }
    guard digits.allSatisfy({ $0 < Self.steps.count }) else { throw BenchFault("\(prefix).decimals: too fine") }
    scales = digits.map { Self.steps[$0] }
    counts = try digits.indices.map { try Self.words("\(prefix).\($0)") }
    let rows = times.count
    guard rows > 0, counts.allSatisfy({ $0.count == rows }) else { throw BenchFault("\(prefix): columns differ") }
  }

  private func store(in folder: String) throws {
    let store = try SiteStore(directory: folder)
    let points = scales.indices.map { "meter.c\($0)" }
    try store.register(
      FrameLayout(
        group: 0, points: points, scales: scales, units: points.map { _ in "1" }, variances: points.map { _ in 0 },
        provenance: points), at: instant(0))
    let good = points.map { _ in Quality.good }
    for row in times.indices {
      let effective = instant(row)
      let values = scales.indices.map { Double(counts[$0][row]) * scales[$0] }
      let sequence = try store.append(
        Frame(
          group: 0, effective: effective, observed: effective, uptime: uptime(row), values: values, qualities: good))
      try store.append(
        tick: TickRecord(
          number: Int64(row + 1), instant: effective, uptime: uptime(row), boot: 1, frames: sequence..<sequence + 1,
          mustBeKept: false, bytes: []))
      // No figure of speed comes from here: a commit every four hours.
      if row % 240 == 239 { try store.commit() }
    }
    try store.commit()
    let end = Instant(nanoseconds: (times[times.count - 1] + 2 * Self.day) * PolledSite.millisecond)
    try store.closeDays(before: end)
    try store.close()
    let data = folder + "/data"
    let bytes = try ProcessFacts.bytes(in: data, suffix: ".twc") + ProcessFacts.bytes(in: data, suffix: ".tws")
    print(Figure("store.bytes_per_sample.c", Double(bytes) / samples, "B", .atMost(0.41)))
  }

  /// The same rows without the store around them, in bodies of a day and of a month and a half: what a longer body
  /// saves.
  private func printBodies() throws {
    for (name, rows) in [("day", 1440), ("max", Block.rowsMax)] {
      var bytes = 0
      for first in stride(from: 0, to: times.count, by: rows) {
        let part = first..<min(first + rows, times.count)
        let effective = part.map { instant($0).nanoseconds }
        let block = Block(
          group: 0, layout: 1, effective: effective, ticks: part.map { Int64($0 + 1) },
          leads: part.map { instant($0).nanoseconds - uptime($0).nanoseconds },
          columns: scales.indices.map { column in
            Column(form: .decimal(scale: scales[column]), counts: counts[column][part].map { Int64($0) })
          })
        bytes += BodyCodec.encode(block, tier: .cold).count
      }
      print(Figure("store.body_bytes_per_sample.c_\(name)", Double(bytes) / samples, "B", .none))
    }
  }

  private var samples: Double { Double(times.count * scales.count) }
  private func instant(_ row: Int) -> Instant { Instant(nanoseconds: times[row] * PolledSite.millisecond) }
  private func uptime(_ row: Int) -> Uptime { Uptime(nanoseconds: (times[row] - times[0]) * PolledSite.millisecond) }

  private static func words<Word: FixedWidthInteger>(_ path: String) throws -> [Word] {
    let raw = try bytes(path)
    let width = Word.bitWidth / 8
    return stride(from: 0, to: raw.count - raw.count % width, by: width).map { place in
      (0..<width).reduce(Word(0)) { $0 | Word(truncatingIfNeeded: UInt64(raw[place + $1]) << UInt64(8 * $1)) }
    }
  }

  private static func bytes(_ path: String) throws -> [UInt8] {
    let file = try SystemFileStore().open(path, .read)
    return try file.read(Int(try file.size), at: 0)
  }
}
