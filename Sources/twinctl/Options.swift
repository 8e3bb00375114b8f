import ArgumentParser
import Glibc
import StatusAPI
import TwinCore

enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, jsonl }

enum Colour: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

/// What every verb understands.
struct Options: ParsableArguments {
  @Option(name: .long, help: "The daemon's socket. Default: $TWIND_SOCKET, else \(StatusServer.socketDefault).")
  var socket: String?

  @Option(name: [.short, .customLong("output")], help: "text, or json: one document on stdout, also on failure.")
  var output: Format = .text

  @Flag(name: .long, help: "Show times in UTC, not in the site's time.")
  var utc = false

  @Option(name: .long, help: "auto, always or never. NO_COLOR and TERM=dumb switch auto off.")
  var color: Colour = .auto

  @Flag(name: .long, help: "Leave with 0 where the answer would be 1 to 3.")
  var exitZero = false

  @Option(name: .long, help: "How long to wait for the daemon.", transform: Self.duration)
  var timeout: Int64?

  /// Nanoseconds of `2h`, `30 min`.
  static func duration(_ text: String) throws -> Int64 {
    guard let nanoseconds = DurationText.parse(text), nanoseconds > 0 else {
      throw ValidationError("\"\(text)\" is no span of time; write it like 2h or 30min")
    }
    return nanoseconds
  }

  func validate() throws {
    guard output != .jsonl else { throw ValidationError("jsonl is for streams: twinctl watch") }
  }
}

/// For a write: scripts pass `--yes`, and anyone may ask first what would happen.
struct WriteOptions: ParsableArguments {
  @Flag(name: .long, help: "Do not ask.")
  var yes = false

  @Flag(name: .long, help: "Say what would happen; change nothing.")
  var dryRun = false
}

/// Why something is changed; the record keeps it.
struct Reason: ParsableArguments {
  @Option(name: .long, help: "Why, in a few words; it is kept in the record.")
  var reason: String
}

extension Style {
  /// What the terminal on `file` can show, from its size and the environment.
  static func of(_ file: Int32, color: Colour, utc: Bool) -> Style {
    let isTerminal = isatty(file) == 1
    var style = Style()
    style.isUTC = utc
    if let columns = environment("COLUMNS").flatMap(Int.init), columns > 0 {
      style.width = columns
    } else if isTerminal {
      var size = winsize()
      if unsafe ioctl(file, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { style.width = Int(size.ws_col) }
    }
    style.width = min(max(style.width, 40), 400)
    let locale = environment("LC_ALL") ?? environment("LC_CTYPE") ?? environment("LANG") ?? ""
    let folded = locale.lowercased()
    style.isUnicode = folded.contains("utf-8") || folded.contains("utf8")
    switch color {
    case .always: style.isColour = true
    case .never: style.isColour = false
    case .auto: style.isColour = isTerminal && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
    }
    return style
  }

  /// Nil when it is unset or empty.
  static func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    let text = unsafe String(cString: value)
    return text.isEmpty ? nil : text
  }
}
