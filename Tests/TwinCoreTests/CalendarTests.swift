import Testing

@testable import TwinCore

@Suite struct `Calendar dates and RFC 3339` {
  @Test func `agree with Python's datetime`() throws {
    let lines = try vectorLines("calendar.txt")
    #expect(lines.count > 1000)
    for line in lines {
      let numbers = line[..<9].map { Int($0)! }
      let instant = Instant(nanoseconds: Int64(numbers[0]) * 1_000_000_000)
      let date = CivilDate(instant, offsetSeconds: numbers[1])
      #expect(
        [date.year, date.month, date.day, date.hour, date.minute, date.second, date.weekday] == Array(numbers[2...]),
        "\(line)")
      #expect(date.secondOfDay == numbers[5] * 3600 + numbers[6] * 60 + numbers[7])
      #expect(instant.rfc3339(offsetSeconds: numbers[1]) == line[9])
      #expect(Instant(rfc3339: String(line[9])) == instant, "\(line)")
    }
  }

  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01 00:00:00Z", 0),
    ("1970-01-01T00:00:00.5Z", 500_000_000),
    ("1970-01-01T00:00:00.123456789Z", 123_456_789), ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
    ("1969-12-31T23:59:59.999999999Z", -1), ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T18:30:00-05:30", 0),
    ("1972-06-30T23:59:60Z", 78_796_800_000_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
    ("2262-04-11T23:47:16.854775807Z", .max),
  ]) func `text that is a time`(text: String, nanoseconds: Int64) {
    #expect(Instant(rfc3339: text)?.nanoseconds == nanoseconds)
  }

  @Test(arguments: [
    "", "2026", "2026-01-13", "2026-01-13T07:15Z", "2026-01-13T07:15:00", "2026-1-13T07:15:00Z", "2026-00-13T07:15:00Z",
    "2026-13-13T07:15:00Z", "2026-01-00T07:15:00Z", "2026-01-32T07:15:00Z", "2026-02-29T07:15:00Z",
    "2026-04-31T00:00:00Z",
    "1900-02-29T00:00:00Z", "2026-06-31T00:00:00Z", "2026-09-31T00:00:00Z", "2026-11-31T00:00:00Z",
    "2026-01-13T24:00:00Z",
    "2026-01-13T07:60:00Z", "2026-01-13T07:15:61Z", "2026-01-13T07:15:00.Z", "2026-01-13T07:15:00,5Z",
    "2026-01-13T07:15:00+1:00",
    "2026-01-13T07:15:00+0100", "2026-01-13T07:15:00+24:00", "2026-01-13T07:15:00+01:60", "2026-01-13T07:15:00Z ",
    " 2026-01-13T07:15:00Z", "2026-01-13T07:15:00ZZ", "+026-01-13T07:15:00Z", "２026-01-13T07:15:00Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z", "2026-01-13T07:15:00.", "2026-01-13T07:15:00.5", "2026/01/13T07:15:00Z",
  ]) func `text that is none`(text: String) { #expect(Instant(rfc3339: text) == nil) }

  @Test func `the ends of time have dates`() {
    #expect(Instant.distantPast.rfc3339 == "1677-09-21T00:12:43.145Z")
    #expect(Instant.distantFuture.rfc3339 == "2262-04-11T23:47:16.854Z")
    #expect(CivilDate(.distantPast, offsetSeconds: -86_400).day == 20)
  }

  @Test func `every day of eight centuries follows the one before`() {
    var (year, month, day) = (1600, 1, 1)
    for days in CivilDate.days(year: 1600, month: 1, day: 1)..<CivilDate.days(year: 2400, month: 1, day: 1) {
      let found = CivilDate.civil(days: days)
      guard found == (year, month, day) else {
        Issue.record("\(days) is \(found), not \(year)-\(month)-\(day)")
        return
      }
      if CivilDate.days(year: year, month: month, day: day) != days {
        Issue.record("\(year)-\(month)-\(day) is not \(days)")
      }
      day += 1
      if day > CivilDate.days(inMonth: month, year: year) { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month) = (year + 1, 1) }
    }
    #expect((year, month, day) == (2400, 1, 1))
  }

  @Test func `any text is answered, and a time is its own text again`() {
    var draw = SeededDraw(seed: 51)
    let alphabet = Array("0123456789-:TtZz+. ".utf8)
    for _ in 0..<20_000 {
      var bytes = Array("2026-02-28T23:59:59.250+01:30".utf8)
      for _ in 0...(draw.next() % 3) {
        let place = Int(draw.next() % UInt64(bytes.count))
        switch draw.next() % 3 {
        case 0: bytes[place] = alphabet[Int(draw.next() % UInt64(alphabet.count))]
        case 1: bytes.remove(at: place)
        default: bytes.insert(UInt8(truncatingIfNeeded: draw.next()), at: place)
        }
      }
      guard let instant = Instant(rfc3339: String(decoding: bytes, as: UTF8.self)) else { continue }
      let whole = Instant(nanoseconds: instant.nanoseconds - Instant.floorMod(instant.nanoseconds, 1_000_000))
      #expect(Instant(rfc3339: instant.rfc3339) == whole, "\(String(decoding: bytes, as: UTF8.self)), seed 51")
    }
  }
}
