import FoundationEssentials
import Testing

@testable import TwinCore

private func systemZone(_ name: String) throws -> TimeZoneRules {
  try TimeZoneRules(tzif: systemBytes(name), name: name)
}

/// The package tzdata must be installed.
private func systemBytes(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/\(name)")))
}

private func seconds(_ count: Int64) -> Instant { Instant(nanoseconds: count * 1_000_000_000) }

/// A small file, for what the machine's own zones do not show.
private struct TzifFile {
  var version: UInt8 = 0x32
  var times: [Int64] = []
  var indices: [UInt8] = []
  var types: [(offset: Int32, isDaylight: UInt8, letter: UInt8)] = [(0, 0, 0)]
  var letters = "LMT\0"
  var leapCount: UInt32 = 0
  var footer = "\nUTC0\n"

  private func big<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    stride(from: T.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> T($0)) }
  }

  private func block(wide: Bool) -> [UInt8] {
    var bytes = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
    for count in [0, 0, leapCount, UInt32(times.count), UInt32(types.count), UInt32(letters.utf8.count)] {
      bytes += big(count)
    }
    for time in times { bytes += wide ? big(time) : big(Int32(clamping: time)) }
    bytes += indices
    for type in types { bytes += big(type.offset) + [type.isDaylight, type.letter] }
    return bytes + letters.utf8 + [UInt8](repeating: 0, count: Int(leapCount) * (wide ? 12 : 8))
  }

  var bytes: [UInt8] { version == 0 ? block(wide: false) : block(wide: false) + block(wide: true) + footer.utf8 }
  func rules() throws(TimeZoneFault) -> TimeZoneRules { try TimeZoneRules(tzif: bytes, name: "Test/Zone") }
}

@Suite struct `Time zones as Python's zoneinfo reads them` {
  @Test func `every line of the table`() throws {
    var zones: [Substring: TimeZoneRules] = [:]
    var counts = (utc: 0, local: 0)
    for words in try vectorLines("timezones.txt") {
      let zone = try zones[words[1]] ?? systemZone(String(words[1]))
      zones[words[1]] = zone
      let line = words.joined(separator: " ")
      if words[0] == "utc" {
        let at = seconds(try #require(Int64(words[2])))
        #expect(zone.offsetSeconds(at: at) == Int(words[3]), "\(line)")
        #expect(zone.abbreviation(at: at) == words[4], "\(line)")
        counts.utc += 1
      } else {
        let n = words[2...].compactMap { Int($0) }
        let got = zone.instant(localYear: n[0], month: n[1], day: n[2], hour: n[3], minute: n[4], second: n[5])
        #expect(got == seconds(Int64(n[6])), "\(line), not \(got.nanoseconds / 1_000_000_000)")
        counts.local += 1
      }
    }
    #expect(counts.utc > 600 && counts.local > 1000)
  }
}

@Suite struct `Local times that a clock change repeats or skips` {
  @Test func `the first of two, and forward by the gap`() throws {
    let paris = try systemZone("Europe/Paris")
    let repeated = paris.instant(localYear: 2026, month: 10, day: 25, hour: 2, minute: 30)
    #expect(repeated.rfc3339 == "2026-10-25T00:30:00.000Z")
    #expect(paris.abbreviation(at: repeated) == "CEST")
    #expect(paris.isDaylight(at: repeated))
    let skipped = paris.instant(localYear: 2026, month: 3, day: 29, hour: 2, minute: 30)
    #expect(skipped.rfc3339 == "2026-03-29T01:30:00.000Z")
    #expect(paris.civil(at: skipped).hour == 3)
    #expect(paris.civil(at: skipped).minute == 30)
    // Beyond the table of the file.
    let late = paris.instant(localYear: 2150, month: 7, day: 1, hour: 12)
    #expect(late.rfc3339(offsetSeconds: paris.offsetSeconds(at: late)) == "2150-07-01T12:00:00.000+02:00")
  }

  @Test func `half an hour at Lord Howe`() throws {
    let island = try systemZone("Australia/Lord_Howe")
    let skipped = island.instant(localYear: 2045, month: 10, day: 1, hour: 2, minute: 10)
    #expect(island.civil(at: skipped).hour == 2)
    #expect(island.civil(at: skipped).minute == 40)
  }

  @Test func `a whole day left out`() throws {
    let apia = try systemZone("Pacific/Apia")
    let skipped = apia.civil(at: apia.instant(localYear: 2011, month: 12, day: 30, hour: 12))
    #expect([skipped.year, skipped.month, skipped.day, skipped.hour] == [2011, 12, 31, 12])
  }

  @Test(arguments: ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Pacific/Apia"])
  func `a local time leads back to itself`(name: String) throws {
    let zone = try systemZone(name)
    var draw = SeededDraw(seed: 21)
    for _ in 0..<3000 {
      let at = seconds(Int64.random(in: -9_000_000_000...9_000_000_000, using: &draw))
      let c = zone.civil(at: at)
      let back = zone.instant(
        localYear: c.year, month: c.month, day: c.day, hour: c.hour, minute: c.minute, second: c.second)
      #expect(zone.civil(at: back) == c, "seed \(draw.seed), \(at.nanoseconds)")
      #expect(back <= at, "the first of two; seed \(draw.seed), \(at.nanoseconds)")
    }
  }

  @Test func `fields carry and the ends saturate`() {
    let utc = TimeZoneRules.utc
    #expect(utc.instant(localYear: 2026, month: 12, day: 31, hour: 24).rfc3339 == "2027-01-01T00:00:00.000Z")
    #expect(utc.instant(localYear: 2026, month: 13).rfc3339 == "2027-01-01T00:00:00.000Z")
    #expect(utc.instant(localYear: 2026, month: 0).rfc3339 == "2025-12-01T00:00:00.000Z")
    #expect(utc.instant(localYear: 2024, month: 3, day: 0).rfc3339 == "2024-02-29T00:00:00.000Z")
    #expect(utc.instant(localYear: .max, month: .max, day: .max, hour: .max, second: .max) == .distantFuture)
    #expect(utc.instant(localYear: .min, month: .min, day: .min, hour: .min, second: .min) == .distantPast)
    #expect(utc.offsetSeconds(at: .distantPast) == 0)
    #expect(utc.abbreviation(at: .distantFuture) == "UTC")
  }
}

@Suite struct `Rules after the last transition` {
  /// Footer, local time, and the offset there.
  @Test(arguments: [
    ("UTC0", 7, 0), ("<+0545>-5:45", 7, 20_700), ("EST5EDT,M3.2.0,M11.1.0", 7, -14_400),
    ("EST5EDT,M3.2.0,M11.1.0", 1, -18_000), ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 7, -3600),
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1, 39_600), ("AEST-10AEDT,M10.1.0,M4.1.0/3", 7, 36_000),
    ("IST-1GMT0,M10.5.0,M3.5.0/1", 1, 0), ("IST-1GMT0,M10.5.0,M3.5.0/1", 7, 3600),
    ("EST5EDT,0/0,J365/25", 1, -14_400), ("EST5EDT,0/0,J365/25", 7, -14_400), ("AAA3BBB,J60/0,J300", 3, -7200),
    ("AAA3BBB,59/0,J300", 2, -10_800), ("AAA-1:02:03BBB-2:30,J100,J200", 5, 9000),
  ])
  func `POSIX footers`(footer: String, month: Int, offset: Int) throws {
    let zone = try TzifFile(footer: "\n\(footer)\n").rules()
    #expect(zone.offsetSeconds(at: zone.instant(localYear: 2050, month: month, day: 15)) == offset)
  }

  @Test func `29 February counts for plain day numbers only`() throws {
    let julian = try TzifFile(footer: "\nAAA0BBB,J60/0,J300/0\n").rules()
    let ordinal = try TzifFile(footer: "\nAAA0BBB,59/0,J300/0\n").rules()
    for year in [2050, 2052] {
      let (leapDay, march) = (
        CivilDate.days(year: year, month: 2, day: 29), CivilDate.days(year: year, month: 3, day: 1)
      )
      #expect(julian.offsetSeconds(at: seconds(Int64(march) * 86_400)) == 3600)
      #expect(julian.offsetSeconds(at: seconds(Int64(march) * 86_400 - 1)) == 0)
      #expect(ordinal.offsetSeconds(at: seconds(Int64(leapDay) * 86_400)) == 3600)
      #expect(ordinal.offsetSeconds(at: seconds(Int64(leapDay) * 86_400 - 1)) == 0)
    }
  }

  @Test func `without a rule the last type holds, before the table the first`() throws {
    var file = TzifFile(times: [0, 100], indices: [1, 0], types: [(60, 0, 0), (3600, 1, 4)], letters: "LMT\0DST\0")
    file.footer = "\n\n"
    for version: UInt8 in [0, 0x32, 0x33, 0x34] {
      file.version = version
      let zone = try file.rules()
      #expect([-1, 0, 99, 100, 9_000_000_000].map { zone.offsetSeconds(at: seconds($0)) } == [60, 3600, 3600, 60, 60])
      #expect(zone.abbreviation(at: seconds(50)) == "DST")
      // The last nanosecond before a transition still belongs to the old type.
      #expect(zone.offsetSeconds(at: Instant(nanoseconds: -1)) == 60)
    }
  }
}

@Suite struct `Malformed time zone files are refused` {
  private func code(_ bytes: [UInt8]) -> String {
    do throws(TimeZoneFault) {
      _ = try TimeZoneRules(tzif: bytes, name: "Test/Zone")
      return "accepted"
    } catch {
      return error.code
    }
  }

  @Test func `one wrong thing at a time`() {
    let good = TzifFile(times: [0, 100], indices: [0, 0])
    #expect(code(good.bytes) == "accepted")
    var files: [(String, TzifFile)] = []
    func add(_ what: String, _ change: (inout TzifFile) -> Void) {
      var file = good
      change(&file)
      files.append((what, file))
    }
    add("order of times") { $0.times = [100, 100] }
    add("type index") { $0.indices = [0, 1] }
    add("no types") { ($0.times, $0.indices, $0.types) = ([], [], []) }
    add("abbreviation index") { $0.types = [(0, 0, 4)] }
    add("abbreviation without end") { $0.letters = "LMT" }
    add("offset") { $0.types = [(100_000, 0, 0)] }
    add("offset at its least") { $0.types = [(.min, 0, 0)] }
    add("version") { $0.version = 0x35 }
    add("no footer") { $0.footer = "" }
    add("open footer") { $0.footer = "\nUTC0" }
    for footer in [
      "X", "UTC", "UTC0X", "UTC25", "EST5EDT", "EST5EDT,", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "<+05-5",
      "EST5EDT,M3.0.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J5", "EST5EDT,366,J5",
      "EST5EDT,M3.2.0/168,M11.1.0", "EST5EDT,M3.2.0,M11.1.0,", "UTC0:60", "UTC-", "EST99999999999999999999",
    ] { add("footer \(footer)") { $0.footer = "\n\(footer)\n" } }
    for (what, file) in files { #expect(code(file.bytes) == "core.timezone_malformed", "\(what)") }
    #expect(code([]) == "core.timezone_malformed")
    #expect(code([UInt8](repeating: 0, count: TimeZoneRules.byteCountMax + 1)) == "core.timezone_malformed")
    #expect(code(TzifFile(leapCount: 1).bytes) == "core.timezone_unsupported")
  }

  @Test func `every front part of a file`() throws {
    let bytes = try systemBytes("Europe/Paris")
    #expect(code(bytes) == "accepted")
    for count in 0..<bytes.count { #expect(code(Array(bytes[..<count])) == "core.timezone_malformed") }
  }

  /// Refused or read, never a crash; what is read answers all questions.
  @Test(arguments: ["Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
  func `seeded mutations`(name: String) throws {
    let original = try systemBytes(name)
    var draw = SeededDraw(seed: 22)
    var accepted = 0
    for _ in 0..<4000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &draw) {
        // Half of the changes hit the last bytes, where the rule is.
        let low = Bool.random(using: &draw) ? 0 : max(0, bytes.count - 60)
        let index = Int.random(in: low..<bytes.count, using: &draw)
        switch Int.random(in: 0..<4, using: &draw) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &draw)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &draw)
        case 2: bytes.remove(at: index)
        default: bytes.insert(UInt8.random(in: 0x2a...0x5a, using: &draw), at: index)
        }
      }
      guard let zone = try? TimeZoneRules(tzif: bytes, name: name) else { continue }
      accepted += 1
      for second in [Int64.min / 1_000_000_000, -3_000_000_000, 0, 1_700_000_000, 5_000_000_000] {
        let civil = zone.civil(at: seconds(second))
        _ = zone.instant(localYear: civil.year, month: civil.month, day: civil.day, hour: civil.hour)
      }
      _ = zone.offsetSeconds(at: .distantPast) + zone.offsetSeconds(at: .distantFuture)
    }
    #expect(accepted > 100, "seed \(draw.seed)")
  }
}
