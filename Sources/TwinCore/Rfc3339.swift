extension Instant {
  /// RFC 3339 in UTC with milliseconds, `2026-01-13T07:15:00.000Z`.
  public var rfc3339: String { rfc3339(offsetSeconds: 0) }

  /// RFC 3339 at a fixed offset from UTC; `Z` when the offset is zero.
  public func rfc3339(offsetSeconds: Int) -> String {
    let civil = CivilDate(self, offsetSeconds: offsetSeconds)
    let millis = Int(Self.floorMod(nanoseconds, 1_000_000_000) / 1_000_000)
    var text = "\(padded(civil.year, 4))-\(padded(civil.month, 2))-\(padded(civil.day, 2))"
    text += "T\(padded(civil.hour, 2)):\(padded(civil.minute, 2)):\(padded(civil.second, 2)).\(padded(millis, 3))"
    guard offsetSeconds != 0 else { return text + "Z" }
    let size = abs(offsetSeconds)
    return text + (offsetSeconds < 0 ? "-" : "+") + "\(padded(size / 3600, 2)):\(padded(size / 60 % 60, 2))"
  }

  /// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`; nil for anything else.
  public init?(rfc3339 text: String) {
    let bytes = Array(text.utf8)
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= bytes.count else { return nil }
      var value = 0
      for byte in bytes[range] {
        guard byte >= 48, byte <= 57 else { return nil }
        value = value * 10 + Int(byte - 48)
      }
      return value
    }
    guard bytes.count >= 20, bytes[4] == 45, bytes[7] == 45, bytes[10] == 84 || bytes[10] == 116 || bytes[10] == 32,
      bytes[13] == 58, bytes[16] == 58, let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...CivilDate.days(inMonth: month, year: year)).contains(day), hour < 24, minute < 60,
      second < 61
    else { return nil }
    var at = 19
    var fraction: Int64 = 0
    if bytes[at] == 46 {
      at += 1
      var scale: Int64 = 100_000_000
      let first = at
      while at < bytes.count, bytes[at] >= 48, bytes[at] <= 57 {
        fraction += Int64(bytes[at] - 48) * scale
        scale /= 10
        at += 1
      }
      guard at > first else { return nil }
    }
    guard at < bytes.count else { return nil }
    var offset = 0
    if bytes[at] == 90 || bytes[at] == 122 {
      guard at + 1 == bytes.count else { return nil }
    } else {
      guard bytes[at] == 43 || bytes[at] == 45, at + 6 == bytes.count, bytes[at + 3] == 58,
        let hours = number(at + 1..<at + 3), let minutes = number(at + 4..<at + 6), hours < 24, minutes < 60
      else { return nil }
      offset = (hours * 3600 + minutes * 60) * (bytes[at] == 45 ? -1 : 1)
    }
    let days = CivilDate.days(year: year, month: month, day: day)
    let seconds = Int64(days) * 86_400 + Int64(hour * 3600 + minute * 60 + second - offset)
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return nil }
    self.init(nanoseconds: scaled.saturatingAdd(fraction))
  }

  @inlinable static func floorMod(_ a: Int64, _ b: Int64) -> Int64 {
    let r = a % b
    return r < 0 ? r + b : r
  }
}

/// A date and time of day in the proleptic Gregorian calendar at a fixed offset from UTC.
public struct CivilDate: Hashable, Sendable {
  public var year: Int, month: Int, day: Int
  public var hour: Int, minute: Int, second: Int
  /// 1 is Monday, 7 is Sunday (ISO 8601).
  public var weekday: Int

  public init(_ instant: Instant, offsetSeconds: Int = 0) {
    let nanos = instant.nanoseconds
    // Rounded down without a difference, which would overflow at the earliest instant.
    let seconds = nanos / 1_000_000_000 - (nanos % 1_000_000_000 < 0 ? 1 : 0) + Int64(offsetSeconds)
    let ofDay = Int(Instant.floorMod(seconds, 86_400))
    let days = Int((seconds - Int64(ofDay)) / 86_400)
    (year, month, day) = Self.civil(days: days)
    (hour, minute, second) = (ofDay / 3600, ofDay / 60 % 60, ofDay % 60)
    weekday = Int(Instant.floorMod(Int64(days) + 3, 7)) + 1
  }

  public var secondOfDay: Int { hour * 3600 + minute * 60 + second }

  /// Days from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
  public static func days(year: Int, month: Int, day: Int) -> Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  static func days(inMonth month: Int, year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : (month + month / 8) % 2 == 0 ? 30 : 31
  }

  static func civil(days: Int) -> (year: Int, month: Int, day: Int) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

func padded(_ number: Int, _ width: Int) -> String {
  let digits = String(abs(number))
  return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
}
