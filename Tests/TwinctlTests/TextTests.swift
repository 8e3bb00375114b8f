import ArgumentParser
import StatusAPI
import Testing
import TwinCore

@testable import twinctl

@Suite("Values read as people write them")
struct TextTests {
  @Test(arguments: [
    (0.0, "0.0"), (6.5, "6.5"), (4, "4.0"), (7.3333, "7.333"), (11.25, "11.25"), (99.999, "100.0"), (123.45, "123.5"),
    (1000, "1000"), (1234.5, "1234.5"), (124_600, "124 600"), (-3.5, "−3.5"), (-0.0001, "−0.0001"), (0.05, "0.05"),
    (1.3e-41, "1.3e-41"), (-0.00001, "−1e-05"), (.nan, "?"), (1e20, "1e+20"),
  ])
  func number(value: Double, text: String) { #expect(Screen.number(value) == text) }

  @Test(arguments: [
    (API.Quantity(6.5, unit: "Cel"), "6.5 °C"), (API.Quantity(nil, unit: "Cel", quality: .failed), "no value (failed)"),
    (API.Quantity(6.5, unit: "Cel", quality: .suspect), "6.5 °C (suspect)"), (API.Quantity(3, unit: "1"), "3.0"),
    (API.Quantity(3, unit: "furlong"), "3.0 furlong"),
  ])
  func quantity(quantity: API.Quantity, text: String) { #expect(Screen.quantity(quantity) == text) }

  @Test(arguments: [
    (0.3, 2, "+0.30"), (-0.104, 2, "−0.10"), (-0.001, 2, "+0.00"), (0.001, 4, "+0.0010"), (12_345.678, 0, "+12 346"),
  ])
  func signed(value: Double, places: Int, text: String) { #expect(Screen.signed(value, places: places) == text) }

  @Test(arguments: [
    (0.04, "0 s"), (0.4, "0.4 s"), (1.8, "1.8 s"), (48.7, "48 s"), (2483, "41 min"), (15_800, "4 h 23 min"),
    (.nan, "?"),
    (1e300, "104166 d 16 h"),
  ])
  func span(seconds: Double, text: String) { #expect(Screen.span(seconds) == text) }

  private let screen = Screen(
    style: Style(), now: Instant(rfc3339: "2026-11-22T13:03:20Z")!, offsetS: 3600)

  @Test(arguments: [
    ("2026-11-22T12:21:57Z", "13:21:57"), ("2026-11-22T08:40:11Z", "09:40"), ("2026-11-22T15:00:00Z", "16:00"),
    ("2026-11-21T10:00:00Z", "2026-11-21 11:00"), ("2026-11-22T23:30:00Z", "2026-11-23 00:30"),
  ])
  func time(at: String, text: String) throws {
    #expect(screen.time(Timestamp(try #require(Instant(rfc3339: at)))) == text)
  }

  @Test(arguments: [(3600, "14:03:20 +01:00"), (0, "13:03:20Z"), (-12_600, "09:33:20 -03:30")])
  func offset(offsetS: Int, text: String) {
    #expect(Screen(style: Style(), now: screen.now, offsetS: offsetS).timeOfDay == text)
    #expect(Screen(style: Style(isUTC: true), now: screen.now, offsetS: offsetS).timeOfDay == "13:03:20Z")
    #expect(Screen(style: Style(), now: screen.now, offsetS: offsetS, clockTrusted: false).timeOfDay == "~" + text)
  }

  @Test("no text of the plant can drive the terminal")
  func control() {
    #expect(screen.finish(["a\u{1B}[2J\u{7}\u{9B}b\nc"]) == "a?[2J??b?c\n")
  }

  @Test("wrapping loses no word and keeps the width", arguments: [10, 20, 79])
  func wrapping(width: Int) {
    let text = "check the RS-485 side of the gateway, then: twinctl collect test chiller-1"
    let lines = screen.wrapped(text, width: width)
    #expect(lines.joined(separator: " ") == text)
    #expect(lines.allSatisfy { $0.count <= max(width, 10) })
  }

  @Test(arguments: [("5.5", 5.5, nil), ("42 [degF]", 42, "[degF]"), ("-1e1", -10, nil), ("12 kW", 12, "kW")])
  func setpoint(text: String, value: Double, unit: String?) {
    #expect(Setpoint(argument: text) == Setpoint(value: value, unit: unit))
  }

  @Test(arguments: ["", "x", "nan", "inf", "5 parsecs", "1,5"])
  func noSetpoint(text: String) { #expect(Setpoint(argument: text) == nil) }
}

@Suite("Exit codes")
struct ExitTests {
  @Test(
    arguments: [
      (0, "api.not_running", 69), (0, "cli.config", 78), (400, "api.invalid", 64), (403, "api.not_permitted", 77),
      (404, "api.not_found", 64), (408, "api.request_timeout", 75), (409, "envelope.out_of_range", 4),
      (412, "api.stale", 4),
      (422, "api.idempotency_reused", 64), (500, "api.encoding", 70), (503, "api.busy", 75), (504, "api.timeout", 75),
    ] as [(Int, String, Int32)])
  func problems(status: Int, code: String, exit: Int32) {
    #expect(ExitMeaning(APIProblem(status: status, code: code, title: "t", next: "n")).rawValue == exit)
  }

  @Test(
    arguments: [("well", 0), ("attention", 1), ("alarm", 2), ("unknown", 3), ("", 3), ("WELL", 3)] as [(String, Int32)])
  func states(state: String, exit: Int32) {
    #expect(ExitMeaning(state: state).rawValue == exit)
    #expect(ExitMeaning(state: state).zeroed(true) == .well)
  }

  @Test func zeroKeepsRefusals() {
    #expect(ExitMeaning.refused.zeroed(true) == .refused)
    #expect(ExitMeaning.unavailable.zeroed(true) == .unavailable)
  }
}

@Suite("The table of error codes")
struct ErrorGuideTests {
  @Test func unique() { #expect(Set(ErrorGuide.entries.map(\.code)).count == ErrorGuide.entries.count) }

  @Test(arguments: ErrorGuide.entries.map(\.code))
  func wellFormed(code: String) throws {
    let entry = try #require(ErrorGuide.entry(code))
    #expect(code.split(separator: ".").count == 2)
    #expect(entry.meaning.hasSuffix("."))
    #expect(entry.remedy.hasSuffix("."))
  }
}

@Suite("The watched table")
struct WatchTableTests {
  private let start = Instant(rfc3339: "2026-11-22T13:00:00Z")!

  private func event(_ second: Int64, _ value: Double?) -> API.Event {
    let at = Timestamp(start.advanced(byNanoseconds: second * 1_000_000_000))
    return API.Event(
      kind: "value", at: at, point: "a.b", value: API.Quantity(value, unit: "Cel", quality: .good, at: at))
  }

  private func lines(_ table: WatchTable, at second: Int64) -> [String] {
    let screen = Screen(style: Style(), now: start.advanced(byNanoseconds: second * 1_000_000_000))
    return screen.finish(table.lines(screen)).split(separator: "\n").map(String.init)
  }

  @Test("marks what changed, and shows the age of what has gone silent")
  func life() {
    var table = WatchTable([API.Point(id: "a.b", device: "a", value: API.Quantity(nil, unit: "Cel", quality: .never))])
    #expect(lines(table, at: 0).last == "   a.b    no value (never)  never read")
    table.take(event(1, 6.5))
    table.take(event(3, 6.5))
    #expect(lines(table, at: 4).last == "   a.b    6.5 °C  1 s")
    table.take(event(5, 6.6))
    #expect(lines(table, at: 5).last == "*  a.b    6.6 °C  0 s")
    #expect(lines(table, at: 11).last == "*  a.b    6.6 °C  6 s")
    #expect(lines(table, at: 12).last == "*  a.b    silent for 7 s  7 s")
    table.take(API.Event(kind: "gap", at: Timestamp(start), dropped: 120))
    #expect(lines(table, at: 12).first == "13:00:12Z  gap: 120 events lost")
  }
}
