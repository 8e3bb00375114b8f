// TZif, all numbers big-endian (RFC 8536):
//
//   header, 44 bytes   "TZif", version (0, "2", "3" or "4"), 15 unused, then six counts of 4 bytes:
//                      isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
//   data block         timecnt × time (4 bytes in the first block, 8 in the second), timecnt × type index (1),
//                      typecnt × (UTC offset in seconds (4), is daylight (1), index of the abbreviation (1)),
//                      charcnt bytes of abbreviations, each ended by 0, leapcnt × (time, 4), isstdcnt × 1, isutcnt × 1
//
// Version 0 is one header and block. Later versions follow it with a second header and block, and a footer: newline,
// a POSIX TZ rule for the time after the last transition (may be empty), newline.

/// Why the bytes of a time zone were refused.
public struct TimeZoneFault: Fault, Hashable {
  public let code: String
  public let message: String
  public let remedy: String

  static func malformed(_ name: String, _ what: String) -> TimeZoneFault {
    TimeZoneFault(
      code: "core.timezone_malformed", message: "time zone \(name): \(what)",
      remedy: "reinstall the tzdata package, or name another zone")
  }

  static func unsupported(_ name: String, _ what: String) -> TimeZoneFault {
    TimeZoneFault(
      code: "core.timezone_unsupported", message: "time zone \(name): \(what)",
      remedy: "name a zone of /usr/share/zoneinfo outside right/")
  }
}

/// The offsets from UTC of one place through the years, from the bytes of a TZif file.
///
/// Source: RFC 8536 for the file, POSIX.1-2017 section 8.3 (TZ) for the rule after its last transition.
public struct TimeZoneRules: Hashable, Sendable {
  /// The name given at parsing, as `Europe/Paris`.
  public let name: String
  private let types: [LocalType]
  /// UTC seconds, strictly ascending; each with the index of the type that starts there.
  private let times: [Int64]
  private let typeIndices: [UInt8]
  private let rule: PosixRule?

  /// Bounds over the input; the largest file of tzdata has 244 transitions in 4 kB.
  public static let byteCountMax = 262_144
  static let transitionCountMax = 8192
  /// RFC 8536 section 3.2: offsets stay between −25 and +26 hours.
  static let offsetSecondsMax = 26 * 3600 - 1

  /// Universal time, without a file.
  public static let utc = TimeZoneRules(
    name: "UTC", types: [LocalType(offset: 0, isDaylight: false, abbreviation: "UTC")], times: [], typeIndices: [],
    rule: nil)

  /// Errors: `core.timezone_malformed`; `core.timezone_unsupported` for zones that count leap seconds.
  public init(tzif bytes: [UInt8], name: String) throws(TimeZoneFault) {
    guard bytes.count <= Self.byteCountMax else {
      throw .malformed(name, "\(bytes.count) bytes, at most \(Self.byteCountMax) expected")
    }
    var reader = TzifReader(bytes: bytes, name: name)
    let first = try reader.header()
    if first.version == 0 {
      self = try reader.block(first, timeBytes: 4)
    } else {
      try reader.skip(first, timeBytes: 4)
      let second = try reader.header()
      let block = try reader.block(second, timeBytes: 8)
      let rule = try reader.footer()
      self.init(name: name, types: block.types, times: block.times, typeIndices: block.typeIndices, rule: rule)
    }
  }

  fileprivate init(name: String, types: [LocalType], times: [Int64], typeIndices: [UInt8], rule: PosixRule?) {
    (self.name, self.types, self.times, self.typeIndices, self.rule) = (name, types, times, typeIndices, rule)
  }

  /// Seconds to add to UTC for local time, positive east of Greenwich.
  public func offsetSeconds(at instant: Instant) -> Int { type(at: Self.seconds(instant)).offset }

  /// As on a wall clock, `CET` or `+0545`.
  public func abbreviation(at instant: Instant) -> String { type(at: Self.seconds(instant)).abbreviation }

  /// Whether the zone calls this time daylight (summer) time.
  public func isDaylight(at instant: Instant) -> Bool { type(at: Self.seconds(instant)).isDaylight }

  /// The local date and time of day.
  public func civil(at instant: Instant) -> CivilDate {
    CivilDate(instant, offsetSeconds: offsetSeconds(at: instant))
  }

  /// The instant at which clocks of this zone show a local time.
  ///
  /// A time that a clock change repeats means the first of the two. A time that a change skips is shifted forward by
  /// the gap: 02:30 in a night that jumps from 02:00 to 03:00 is 03:30. Fields beyond their range carry (24:00 is the
  /// next midnight, month 13 the next January); the result saturates at the ends of `Instant`.
  public func instant(
    localYear year: Int, month: Int = 1, day: Int = 1, hour: Int = 0, minute: Int = 0, second: Int = 0
  ) -> Instant {
    func bounded(_ field: Int) -> Int { min(max(field, -1_000_000_000), 1_000_000_000) }
    let months = min(max(year, -10_000), 10_000) * 12 + bounded(month) - 1
    let (wholeYear, monthIndex) = Self.floorDivide(months, by: 12)
    let days = CivilDate.days(year: wholeYear, month: monthIndex + 1, day: 1) + bounded(day) - 1
    let local = Int64(days) * 86_400 + Int64(bounded(hour)) * 3600 + Int64(bounded(minute) * 60 + bounded(second))
    let (scaled, overflow) = utcSeconds(local: local).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? (local < 0 ? .distantPast : .distantFuture) : Instant(nanoseconds: scaled)
  }

  /// Walks the stretches of constant offset that could hold the local time, oldest first.
  private func utcSeconds(local: Int64) -> Int64 {
    let reach = Int64(Self.offsetSecondsMax)
    var start = local - reach
    var offset = Int64(type(at: start).offset)
    while true {
      let candidate = local - offset
      guard let end = transition(after: start), candidate >= end else { return candidate }
      let next = Int64(type(at: end).offset)
      // Past the end by the old offset and not yet at it by the new one: skipped.
      if local - next < end { return candidate }
      (start, offset) = (end, next)
    }
  }

  /// The first change of the type later than `time`; nil when none follows.
  private func transition(after time: Int64) -> Int64? {
    let index = upperBound(time)
    if index < times.count { return times[index] }
    return rule?.transitions(around: time).first { $0.time > time }?.time
  }

  private func type(at time: Int64) -> LocalType {
    let index = upperBound(time)
    if index == times.count, let rule { return rule.type(at: time) }
    return index == 0 ? types[0] : types[Int(typeIndices[index - 1])]
  }

  /// How many transitions are at or before `time`.
  private func upperBound(_ time: Int64) -> Int {
    var (low, high) = (0, times.count)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private static func seconds(_ instant: Instant) -> Int64 {
    let nanos = instant.nanoseconds
    return nanos / 1_000_000_000 - (nanos % 1_000_000_000 < 0 ? 1 : 0)
  }

  fileprivate static func floorDivide(_ a: Int, by b: Int) -> (quotient: Int, rest: Int) {
    let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
    return rest < 0 ? (quotient - 1, rest + b) : (quotient, rest)
  }
}

private struct LocalType: Hashable, Sendable {
  var offset: Int
  var isDaylight: Bool
  var abbreviation: String
}

/// Reads front to back; every read is checked against the end.
private struct TzifReader {
  let bytes: [UInt8]
  let name: String
  var at = 0

  init(bytes: [UInt8], name: String) { (self.bytes, self.name) = (bytes, name) }

  struct Header {
    var version: UInt8
    var utcCount, standardCount, leapCount, timeCount, typeCount, letterCount: Int
  }

  mutating func take(_ count: Int) throws(TimeZoneFault) -> ArraySlice<UInt8> {
    guard count <= bytes.count - at else {
      throw .malformed(name, "ends at byte \(bytes.count), \(count) more expected after byte \(at)")
    }
    defer { at += count }
    return bytes[at..<at + count]
  }

  mutating func integer(bytes count: Int) throws(TimeZoneFault) -> Int64 {
    let raw = try take(count).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return count == 4 ? Int64(Int32(truncatingIfNeeded: raw)) : Int64(bitPattern: raw)
  }

  mutating func header() throws(TimeZoneFault) -> Header {
    let start = at
    guard try Array(take(4)) == Array("TZif".utf8) else {
      throw .malformed(name, "byte \(start) does not start \"TZif\"")
    }
    let version = try take(16)[start + 4]
    guard [0, 0x32, 0x33, 0x34].contains(version) else {
      throw .malformed(name, "version byte \(version), 0 or \"2\" to \"4\" expected")
    }
    var counts: [Int] = []
    for _ in 0..<6 {
      let count = try integer(bytes: 4)
      guard (0...Int64(TimeZoneRules.byteCountMax)).contains(count) else {
        throw .malformed(name, "a count of \(count) in the header at byte \(start)")
      }
      counts.append(Int(count))
    }
    return Header(
      version: version, utcCount: counts[0], standardCount: counts[1], leapCount: counts[2], timeCount: counts[3],
      typeCount: counts[4], letterCount: counts[5])
  }

  mutating func skip(_ header: Header, timeBytes: Int) throws(TimeZoneFault) {
    _ = try take(header.timeCount * (timeBytes + 1) + header.typeCount * 6 + header.letterCount)
    _ = try take(header.leapCount * (timeBytes + 4) + header.standardCount + header.utcCount)
  }

  mutating func block(_ header: Header, timeBytes: Int) throws(TimeZoneFault) -> TimeZoneRules {
    guard header.leapCount == 0 else {
      throw .unsupported(name, "counts \(header.leapCount) leap seconds; UTC of this machine does not")
    }
    guard (1...256).contains(header.typeCount), header.timeCount <= TimeZoneRules.transitionCountMax else {
      throw .malformed(name, "\(header.typeCount) types and \(header.timeCount) transitions")
    }
    var times: [Int64] = []
    for _ in 0..<header.timeCount {
      // A file's earliest time can lie before the universe; the clamp keeps the sums of local times in range.
      let time = max(try integer(bytes: timeBytes), -(1 << 59))
      guard time > times.last ?? .min, time <= 1 << 59 else {
        throw .malformed(name, "transition \(times.count) is out of order")
      }
      times.append(time)
    }
    let indices = try Array(take(header.timeCount))
    guard indices.allSatisfy({ Int($0) < header.typeCount }) else {
      throw .malformed(name, "a transition to a type that is not there, of \(header.typeCount)")
    }
    var raw: [(offset: Int, isDaylight: Bool, letter: Int)] = []
    for _ in 0..<header.typeCount {
      let offset = Int(try integer(bytes: 4))
      guard abs(offset) <= TimeZoneRules.offsetSecondsMax else {
        throw .malformed(name, "an offset of \(offset) s from UTC")
      }
      let flags = try Array(take(2))
      raw.append((offset, flags[0] != 0, Int(flags[1])))
    }
    let letters = try Array(take(header.letterCount))
    _ = try take(header.standardCount + header.utcCount)
    var types: [LocalType] = []
    for type in raw {
      guard type.letter < letters.count, let end = letters[type.letter...].firstIndex(of: 0),
        letters[type.letter..<end].allSatisfy({ (0x21...0x7e).contains($0) })
      else { throw .malformed(name, "an abbreviation at letter \(type.letter) of \(letters.count)") }
      let abbreviation = String(decoding: letters[type.letter..<end], as: UTF8.self)
      types.append(LocalType(offset: type.offset, isDaylight: type.isDaylight, abbreviation: abbreviation))
    }
    return TimeZoneRules(name: name, types: types, times: times, typeIndices: indices, rule: nil)
  }

  /// Nil for an empty footer: the last type holds on.
  mutating func footer() throws(TimeZoneFault) -> PosixRule? {
    guard try take(1).first == 0x0a, let end = bytes[at...].firstIndex(of: 0x0a) else {
      throw .malformed(name, "no footer between newlines after byte \(at)")
    }
    let text = bytes[at..<end]
    if text.isEmpty { return nil }
    guard let rule = PosixRule(text) else {
      throw .malformed(name, "the footer \"\(String(decoding: text.prefix(80), as: UTF8.self))\" is no TZ rule")
    }
    return rule
  }
}

/// `CET-1CEST,M3.5.0,M10.5.0/3`: standard time, and the two changes a year when there are any.
private struct PosixRule: Hashable, Sendable {
  var standard: LocalType
  var summer: Summer?

  struct Summer: Hashable, Sendable {
    var type: LocalType
    var start, end: Change
  }

  struct Change: Hashable, Sendable {
    var day: Day
    /// Local seconds from midnight, −167 to +167 hours (RFC 8536 section 3.3.1).
    var secondOfDay: Int
  }

  enum Day: Hashable, Sendable {
    /// 1...365; 29 February does not count.
    case julian(Int)
    /// 0...365; 29 February counts.
    case ordinal(Int)
    /// Week 5 is the last; weekday 0 is Sunday.
    case weekday(month: Int, week: Int, weekday: Int)
  }

  init?(_ text: ArraySlice<UInt8>) {
    var scan = TextScanner(rest: text)
    guard let name = scan.abbreviation(), let west = scan.time(hoursMax: 24) else { return nil }
    standard = LocalType(offset: -west, isDaylight: false, abbreviation: name)
    guard !scan.rest.isEmpty else { return }
    guard let summerName = scan.abbreviation() else { return nil }
    var offset = standard.offset + 3600
    if scan.rest.first != UInt8(ascii: ",") {
      guard let west = scan.time(hoursMax: 24) else { return nil }
      offset = -west
    }
    guard scan.skip(","), let start = scan.change(), scan.skip(","), let end = scan.change(), scan.rest.isEmpty
    else { return nil }
    let type = LocalType(offset: offset, isDaylight: true, abbreviation: summerName)
    summer = Summer(type: type, start: start, end: end)
  }

  func type(at time: Int64) -> LocalType {
    guard let summer else { return standard }
    let last = transitions(around: time).last { $0.time <= time }
    return last?.startsSummer == false ? standard : summer.type
  }

  /// The changes of the years before, of and after `time`, ascending; at one instant the start of summer is last, so
  /// that a rule whose summers touch is summer all year.
  func transitions(around time: Int64) -> [(time: Int64, startsSummer: Bool)] {
    guard let summer else { return [] }
    let days = TimeZoneRules.floorDivide(Int(time), by: 86_400).quotient
    let year = CivilDate.civil(days: days).year
    var changes: [(time: Int64, startsSummer: Bool)] = []
    for year in year - 1...year + 1 {
      let (start, end) = (summer.start.localSeconds(year: year), summer.end.localSeconds(year: year))
      changes.append((start - Int64(standard.offset), true))
      changes.append((end - Int64(summer.type.offset), false))
    }
    return changes.sorted { ($0.time, $0.startsSummer ? 1 : 0) < ($1.time, $1.startsSummer ? 1 : 0) }
  }
}

extension PosixRule.Change {
  /// Seconds since 1970 as if local time were UTC.
  fileprivate func localSeconds(year: Int) -> Int64 {
    let january = CivilDate.days(year: year, month: 1, day: 1)
    let march = CivilDate.days(year: year, month: 3, day: 1)
    let days =
      switch day {
      case .julian(let number): number < 60 ? january + number - 1 : march + number - 60
      case .ordinal(let number): january + number
      case .weekday(let month, let week, let weekday):
        Self.day(year: year, month: month, week: week, weekday: weekday)
      }
    return Int64(days) * 86_400 + Int64(secondOfDay)
  }

  private static func day(year: Int, month: Int, week: Int, weekday: Int) -> Int {
    let first = CivilDate.days(year: year, month: month, day: 1)
    let following = CivilDate.days(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
    // 1970-01-01, day 0, was a Thursday.
    let firstWeekday = TimeZoneRules.floorDivide(first + 4, by: 7).rest
    let day = first + TimeZoneRules.floorDivide(weekday - firstWeekday, by: 7).rest + (week - 1) * 7
    return day < following ? day : day - 7
  }
}

private struct TextScanner {
  var rest: ArraySlice<UInt8>

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }

  mutating func number(max: Int) -> Int? {
    let digits = rest.prefix { (0x30...0x39).contains($0) }
    guard (1...3).contains(digits.count) else { return nil }
    rest = rest.dropFirst(digits.count)
    let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    return value <= max ? value : nil
  }

  /// Three letters or more, or letters, digits and signs in angle brackets.
  mutating func abbreviation() -> String? {
    let isQuoted = skip("<")
    let letters = rest.prefix {
      (0x61...0x7a).contains($0 | 0x20) || isQuoted && ((0x30...0x39).contains($0) || $0 == 0x2b || $0 == 0x2d)
    }
    guard (3...32).contains(letters.count) else { return nil }
    rest = rest.dropFirst(letters.count)
    guard !isQuoted || skip(">") else { return nil }
    return String(decoding: letters, as: UTF8.self)
  }

  /// `[+|-]hh[:mm[:ss]]` in seconds.
  mutating func time(hoursMax: Int) -> Int? {
    let isNegative = skip("-")
    if !isNegative { _ = skip("+") }
    guard let hours = number(max: hoursMax) else { return nil }
    var seconds = hours * 3600
    for unit in [60, 1] where skip(":") {
      guard let part = number(max: 59) else { return nil }
      seconds += part * unit
    }
    return isNegative ? -seconds : seconds
  }

  mutating func change() -> PosixRule.Change? {
    guard let day = day() else { return nil }
    guard skip("/") else { return PosixRule.Change(day: day, secondOfDay: 2 * 3600) }
    return time(hoursMax: 167).map { PosixRule.Change(day: day, secondOfDay: $0) }
  }

  private mutating func day() -> PosixRule.Day? {
    if skip("J") { return number(max: 365).flatMap { $0 >= 1 ? .julian($0) : nil } }
    guard skip("M") else { return number(max: 365).map { .ordinal($0) } }
    guard let month = number(max: 12), month >= 1, skip("."), let week = number(max: 5), week >= 1, skip("."),
      let weekday = number(max: 6)
    else { return nil }
    return .weekday(month: month, week: week, weekday: weekday)
  }
}
