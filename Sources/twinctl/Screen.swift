import StatusAPI
import TwinCore

/// How text may look where it goes.
struct Style: Sendable, Equatable {
  var width = 120
  var isColour = false
  var isUnicode = true
  /// Times in UTC, not the site's.
  var isUTC = false

  /// From here on two columns stand side by side.
  static let wide = 100
}

/// Where and when a text is read: what is needed to turn an answer into lines. Pure; nothing here looks at a clock.
struct Screen: Sendable, Equatable {
  var style: Style
  var now: Instant
  var offsetS: Int
  var clockTrusted: Bool

  init(style: Style, now: Instant, offsetS: Int = 0, clockTrusted: Bool = true) {
    (self.style, self.now, self.clockTrusted) = (style, now, clockTrusted)
    self.offsetS = style.isUTC ? 0 : offsetS
  }

  init<Content>(style: Style, for document: API.Document<Content>) {
    self.init(
      style: style, now: document.generatedAt.instant, offsetS: document.utcOffsetS ?? 0,
      clockTrusted: document.clockTrusted ?? true)
  }

  var isWide: Bool { style.width >= Style.wide }

  /// `14:03:20 +01:00`, with `~` when the gateway's clock is not synchronised.
  var timeOfDay: String {
    let civil = CivilDate(now, offsetSeconds: offsetS)
    let size = abs(offsetS)
    let zone =
      offsetS == 0 ? "Z" : " " + (offsetS < 0 ? "-" : "+") + "\(Self.two(size / 3600)):\(Self.two(size / 60 % 60))"
    return (clockTrusted ? "" : "~") + Self.clock(civil, seconds: true) + zone
  }

  /// Time of day in the site's time; seconds within the hour, the date on another day.
  func time(_ at: Timestamp) -> String {
    let civil = CivilDate(at.instant, offsetSeconds: offsetS)
    let today = CivilDate(now, offsetSeconds: offsetS)
    let away = now.nanoseconds(since: at.instant).magnitude
    let isNear = away < 3_600_000_000_000
    let clock = Self.clock(civil, seconds: isNear && civil.second != 0)
    guard (civil.year, civil.month, civil.day) != (today.year, today.month, today.day), !isNear else { return clock }
    return "\(civil.year)-\(Self.two(civil.month))-\(Self.two(civil.day)) \(clock)"
  }

  /// In whole minutes from one minute on: nobody counts the seconds of what is past.
  func ago(_ seconds: Double) -> String {
    let size = abs(seconds)
    let span = Self.span(size >= 60 ? (size / 60).rounded(.down) * 60 : size)
    return seconds < 0 ? "in \(span)" : "\(span) ago"
  }

  /// Seconds from `at` until now; negative for what is to come.
  func age(_ at: Timestamp) -> Double { Double(now.nanoseconds(since: at.instant)) / 1e9 }

  static func span(_ seconds: Double) -> String {
    guard seconds.isFinite else { return "?" }
    if (0..<1).contains(seconds) { return seconds < 0.1 ? "0 s" : "0.\(Int(seconds * 10)) s" }
    // Clamped to what Int64 holds, about 285 years.
    return DurationText.short(nanoseconds: Int64(min(max(seconds, -9e9), 9e9) * 1e9))
  }

  private static func clock(_ civil: CivilDate, seconds: Bool) -> String {
    "\(two(civil.hour)):\(two(civil.minute))" + (seconds ? ":\(two(civil.second))" : "")
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// Invisible marks for the three colours; `finish` turns them into what the terminal knows, or takes them away.
  enum Mark: String, CaseIterable {
    case alarm = "\u{E000}"
    case attention = "\u{E001}"
    case override = "\u{E002}"
    case end = "\u{E003}"

    var escape: String {
      switch self {
      case .alarm: "\u{1B}[31;1m"
      case .attention: "\u{1B}[33m"
      case .override: "\u{1B}[7m"
      case .end: "\u{1B}[0m"
      }
    }
  }

  func marked(_ text: String, _ mark: Mark) -> String { mark.rawValue + text + Mark.end.rawValue }

  /// The number of places a text takes.
  static func width(_ text: String) -> Int {
    text.reduce(0) { $0 + ($1.unicodeScalars.first.map { (0xE000...0xE003).contains($0.value) } == true ? 0 : 1) }
  }

  static func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - Self.width(text)))
    return right ? space + text : text + space
  }

  /// The lines as they are printed: no trailing space, no control character that came from outside, colours only
  /// where wanted.
  func finish(_ lines: [String]) -> String {
    lines.map { line in
      var text = ""
      for scalar in plain(line).unicodeScalars {
        if let mark = Mark(rawValue: String(scalar)) {
          text += style.isColour ? mark.escape : ""
        } else if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
          text += "?"
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }.joined()
  }

  /// The text in the characters that the terminal has. Applied before widths are counted, as some grow.
  func plain(_ text: String) -> String {
    guard !style.isUnicode, !text.utf8.allSatisfy({ $0 < 128 }) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      if scalar.isASCII || (0xE000...0xE003).contains(scalar.value) {
        result.unicodeScalars.append(scalar)
      } else {
        result += Self.ascii[scalar] ?? "?"
      }
    }
  }

  private static let ascii: [Unicode.Scalar: String] = [
    "·": "|", "°": "deg", "–": "-", "−": "-", "—": "-", "≥": ">=", "≤": "<=", "×": "x", "±": "+/-", "…": "...",
    "→": "->", "█": "#", "░": ":", "✓": "ok", "²": "2", "³": "3", "µ": "u", "μ": "u", "€": "EUR ", "≈": "~", "Ω": "Ohm",
    "\u{A0}": " ", "\u{2009}": " ", "\u{202F}": " ", "’": "'", "‘": "'", "“": "\"", "”": "\"",
    "é": "e", "è": "e", "à": "a", "ç": "c", "ä": "a", "ö": "o", "ü": "u", "ß": "ss", "ø": "o", "å": "a",
  ]
}
