/// Spans of time as people write and read them, always in whole nanoseconds.
public enum DurationText {
  private static let units: [(code: String, nanoseconds: Int64)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000),
    ("ms", 1_000_000), ("us", 1000), ("ns", 1),
  ]

  /// Nanoseconds of `500 ms`, `2s`, `1.5 h` or `4 h 23 min`: units from large to small, each at most once.
  ///
  /// Nil for anything else, for signs, for digits finer than a nanosecond and for more than 292 years.
  public static func parse(_ text: String) -> Int64? {
    guard text.utf8.count <= Quantity.textLengthMax else { return nil }
    var scan = DecimalScanner(text)
    var total: Int64 = 0
    var remaining = units[...]
    repeat {
      let whole = scan.digits()
      let fraction = scan.skip(".") ? scan.digits() : nil
      guard !whole.isEmpty, fraction?.isEmpty != true else { return nil }
      scan.skipSpaces()
      let word = scan.word()
      guard let index = remaining.firstIndex(where: { $0.code == word }),
        let part = nanoseconds(whole, fraction ?? [], unit: remaining[index].nanoseconds)
      else { return nil }
      let (sum, overflow) = total.addingReportingOverflow(part)
      guard !overflow else { return nil }
      total = sum
      remaining = remaining[(index + 1)...]
      if !scan.isAtEnd { scan.skipSpaces() } else { return total }
    } while !scan.isAtEnd
    return nil
  }

  /// Decimal digits times a unit, in whole numbers; nil when that is no whole number of nanoseconds.
  private static func nanoseconds(_ whole: ArraySlice<UInt8>, _ fraction: ArraySlice<UInt8>, unit: Int64) -> Int64? {
    var total: Int64 = 0
    for digit in whole {
      let (shifted, overflow) = total.multipliedReportingOverflow(by: 10)
      let (sum, carry) = shifted.addingReportingOverflow(Int64(digit - 0x30))
      guard !overflow, !carry else { return nil }
      total = sum
    }
    let (scaled, overflow) = total.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    total = scaled
    // Each digit is worth a tenth of the one before; the rest of that division must stay zero.
    var place = unit
    for digit in fraction where !(digit == 0x30 && place % 10 != 0) {
      guard place % 10 == 0 else { return nil }
      place /= 10
      let (sum, overflow) = total.addingReportingOverflow(Int64(digit - 0x30) * place)
      guard !overflow else { return nil }
      total = sum
    }
    return total
  }

  /// Short, for people, rounded down: `1.9 s`, `5 min 30 s`, `41 min`, `4 h 23 min`, `2 d 4 h`.
  public static func short(nanoseconds: Int64) -> String {
    guard nanoseconds >= 0 else { return "-" + short(nanoseconds: nanoseconds == .min ? .max : -nanoseconds) }
    guard let index = units.firstIndex(where: { nanoseconds >= $0.nanoseconds }) else { return "0 s" }
    let unit = units[index]
    let (count, rest) = nanoseconds.quotientAndRemainder(dividingBy: unit.nanoseconds)
    let head = "\(count) \(unit.code)"
    switch unit.code {
    case "d", "h", "min":
      let finer = units[index + 1]
      let second = rest / finer.nanoseconds
      // From ten minutes on, seconds are noise.
      return second == 0 || unit.code == "min" && count >= 10 ? head : "\(head) \(second) \(finer.code)"
    case "s":
      let tenth = rest / 100_000_000
      return tenth == 0 || count >= 10 ? head : "\(count).\(tenth) s"
    default:
      return head
    }
  }

  /// The form for packs and records that `parse` reads back exactly: the largest unit that leaves a whole number.
  public static func exact(nanoseconds: Int64) -> String {
    let unit = units.first { nanoseconds != 0 && nanoseconds % $0.nanoseconds == 0 } ?? ("s", 1_000_000_000)
    return "\(nanoseconds / unit.nanoseconds) \(unit.code)"
  }
}
