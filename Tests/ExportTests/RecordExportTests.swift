import Export
import FeatureStore
import Glibc
import Testing
import TwinCore

/// A site with three points whose values may go differently far; goes with the test.
private final class Site {
  static let open = "ahu.supply_t"
  static let measured = "ahu.power"
  static let secret = "hall.presence"
  /// A number that stands nowhere else.
  static let canary = 8_675_309.0
  static let start = Instant(nanoseconds: 1_783_036_800_000_000_000)

  let path: String
  let store: SiteStore
  private(set) var tick: Int64 = 0

  init() throws {
    var template = Array("/tmp/twind-export-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    store = try SiteStore(directory: path)
    for (group, points, scales) in [(Int32(0), [Self.open, Self.measured], [0.1, 0.0]), (1, [Self.secret], [1.0])] {
      try store.register(
        FrameLayout(
          group: group, points: points, scales: scales, units: points.map { _ in "Cel" },
          variances: points.map { _ in 0.04 }, provenance: points.map { _ in "test" }), at: Self.start)
    }
    try store.register(policies: [
      Self.open: DataPolicy(export: .raw), Self.measured: DataPolicy(export: .raw),
      Self.secret: DataPolicy(export: .aggregate, purpose: "ventilation"),
    ])
  }

  deinit { unsafe _ = system("rm -rf \(path)") }

  func record(seconds: Range<Int64>) throws {
    for second in seconds {
      tick += 1
      let at = Self.start.advanced(byNanoseconds: second * 1_000_000_000)
      let first = store.nextFrameSequence
      for group in [Int32(0), 1] {
        let values = group == 0 ? [Double(200 + second % 17) * 0.1, 1 / Double(second + 3)] : [Self.canary]
        try store.append(
          Frame(
            group: group, effective: at, observed: at, uptime: Uptime(nanoseconds: at.nanoseconds - 1_000),
            values: second % 50 == 7 ? values.map { _ in .nan } : values,
            qualities: values.map { _ in second % 50 == 7 ? .failed : .good }))
      }
      try store.append(
        tick: TickRecord(
          number: tick, instant: at, uptime: Uptime(nanoseconds: second), boot: 1,
          frames: first..<store.nextFrameSequence, mustBeKept: false, bytes: []))
    }
    try store.commit()
  }

  var everything: Range<Instant> { Self.start..<Self.start.advanced(byNanoseconds: 86_400_000_000_000) }

  func file(_ points: [String], asOf: Instant? = nil) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let reader = try StoreReader(directory: path)
    _ = try RecordExport(reader, points: points, effective: everything, asOf: asOf).write { bytes += $0 }
    return bytes
  }

  /// What pyarrow reads: rows as JSON lines, without the line that names the file.
  func rows(_ bytes: [UInt8]) throws -> [String] {
    let file = "\(path)/out.parquet"
    guard let out = unsafe fopen(file, "wb") else { throw CannotWrite() }
    _ = unsafe fwrite(bytes, 1, bytes.count, out)
    _ = unsafe fclose(out)
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let python = unsafe getenv("TWIND_TEST_PYTHON").map { unsafe String(cString: $0) } ?? root + "/.venv/bin/python"
    guard let pipe = unsafe popen("\(python) \(root)/Tests/Peers/read_parquet.py pyarrow \(file) 2>&1", "r") else {
      throw CannotWrite()
    }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = unsafe fread(&chunk, 1, chunk.count, pipe), count > 0 { text += chunk[..<count] }
    let code = unsafe pclose(pipe)
    try #require(code == 0, "\(String(decoding: text, as: UTF8.self))")
    return String(decoding: text, as: UTF8.self).split(separator: "\n").dropFirst().map(String.init)
  }
}

private struct CannotWrite: Error {}

@Suite("The record as a file for others")
struct RecordExportTests {
  @Test("pyarrow reads every sample as the store gives it, decimals as the register counted")
  func readBack() throws {
    let site = try Site()
    try site.record(seconds: 0..<300)
    let rows = try site.rows(try site.file([Site.measured, Site.open]))
    let reader = try StoreReader(directory: site.path)
    let known = try reader.read(points: [Site.measured, Site.open], effective: site.everything)
    try #require(rows.count == known.reduce(0) { $0 + $1.samples.count } && rows.count == 600)
    for (row, (point, sample)) in zip(rows, known.flatMap { series in series.samples.map { (series.point, $0) } }) {
      let hasValue = sample.quality.hasValue
      let decimal = point == Site.open && hasValue ? "\"i\(Int64((sample.value * 10).rounded()))\"" : "null"
      let bits = String(sample.value.bitPattern, radix: 16)
      let double =
        point == Site.measured && hasValue ? "\"d\(String(repeating: "0", count: 16 - bits.count))\(bits)\"" : "null"
      #expect(
        row.contains("\"i\(sample.effective.nanoseconds)\",\"i\(sample.observed.nanoseconds)\",\(decimal),\(double),"))
    }
  }

  @Test("as of an instant before a correction, the file says what was known then")
  func asOf() throws {
    let site = try Site()
    try site.record(seconds: 0..<60)
    let before = Site.start.advanced(byNanoseconds: 59_000_000_000)
    let first = try site.rows(try site.file([Site.open]))
    try site.store.correct(
      point: Site.open,
      samples: [CorrectedSample(effective: Site.start.advanced(byNanoseconds: 10_000_000_000), value: 30)],
      reason: "calibrated", by: "test")
    try site.record(seconds: 60..<62)
    #expect(try site.rows(try site.file([Site.open], asOf: before)) == first)
    let now = try site.rows(try site.file([Site.open]))
    #expect(now.count == 62 && now[10].contains("\"i300\"") && !first[10].contains("\"i300\""))
  }

  @Test("a planted canary is in no file and no unit, whoever asks")
  func canary() throws {
    let site = try Site()
    try site.record(seconds: 0..<700)
    try site.store.correct(
      point: Site.secret, samples: [CorrectedSample(effective: Site.start, value: Site.canary)], reason: "planted",
      by: "test")
    try site.record(seconds: 700..<701)
    try site.store.close()
    let reader = try StoreReader(directory: site.path)
    #expect(throws: ExportFault.self) {
      _ = try RecordExport(reader, points: [Site.open, Site.secret], effective: site.everything)
    }
    #expect(try RecordExport.allowed(try reader.points(), by: reader) == [Site.measured, Site.open].sorted())
    let bytes = try site.file([Site.open, Site.measured])
    #expect(!holds(bytes, Array(Site.secret.utf8)))

    var given = 0
    for day in reader.unitDays {
      for unit in try reader.units(day: day) {
        if unit.mayLeave {
          given += 1
          #expect(unit.group != 1 && unit.subject != Site.secret && unit.kind != .ticks)
          let sent = try reader.bytes(of: unit)
          // The number as a double, and as the register's count in the forms that the codecs begin with.
          let bits = Site.canary.bitPattern
          #expect(!holds(sent, (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }))
          #expect(!holds(sent, Array(Site.secret.utf8)))
        } else {
          #expect(throws: StoreError.self) { _ = try reader.bytes(of: unit) }
        }
      }
    }
    #expect(given > 0, "something may leave")
  }

  @Test("leave that is taken back counts for the past as well")
  func withdrawn() throws {
    let site = try Site()
    try site.record(seconds: 0..<10)
    try site.store.register(policies: [Site.open: DataPolicy(export: .never), Site.measured: DataPolicy(export: .raw)])
    try site.record(seconds: 10..<12)
    let reader = try StoreReader(directory: site.path)
    #expect(try RecordExport.allowed(try reader.points(), by: reader) == [Site.measured])
    #expect(throws: ExportFault.self) { _ = try site.file([Site.open]) }
  }

  private func holds(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool { bytes.firstRange(of: wanted) != nil }
}
