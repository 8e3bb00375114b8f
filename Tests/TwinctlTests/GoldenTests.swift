import FoundationEssentials
import StatusAPI
import Testing
import TwinCore

@testable import twinctl

/// One answer of the daemon as every terminal shows it. `TWIND_GOLDEN_UPDATE=1` writes the expected texts anew; read
/// the difference before you keep it.
@Suite("Screens are as they were agreed")
struct GoldenTests {
  static let folder = #filePath.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/Golden"
  static let cases: [String] = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []

  static let styles: [(name: String, style: Style)] = [
    ("120 columns", Style(width: 120)),
    ("80 columns", Style(width: 80)),
    ("120 columns, colour", Style(width: 120, isColour: true)),
    ("80 columns, ASCII, UTC", Style(width: 80, isUnicode: false, isUTC: true)),
  ]

  @Test("there are cases") func notEmpty() { #expect(Self.cases.count > 30) }

  @Test(arguments: cases)
  func screen(name: String) throws {
    let path = "\(Self.folder)/\(name)"
    let input = try read("\(path)/input.json")
    var text = ""
    for (title, style) in Self.styles {
      let (shown, exit) = try show(name, input, style)
      #expect(shown.hasSuffix("\n"))
      for line in shown.split(separator: "\n") where !style.isColour {
        #expect(line.count <= style.width, "\(name), \(title): \(line)")
        #expect(style.isUnicode || line.utf8.allSatisfy { $0 < 128 }, "\(name), \(title): \(line)")
      }
      text += "=== \(title), exit \(exit.rawValue)\n" + shown.map { $0 == "\u{1B}" ? "\\e" : String($0) }.joined()
    }
    if ProcessInfo.processInfo.environment["TWIND_GOLDEN_UPDATE"] == "1" {
      try Data(text.utf8).write(to: URL(filePath: "\(path)/expected.txt"))
    }
    #expect(text == String(decoding: try read("\(path)/expected.txt"), as: UTF8.self))
  }

  private func read(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

  private struct Kind: Codable { var kind: String }

  private func show(_ name: String, _ input: [UInt8], _ style: Style) throws -> (String, ExitMeaning) {
    func render<Content: Codable & Sendable & Equatable>(
      _ type: Content.Type, _ exit: (Content) -> ExitMeaning = { _ in .well }, _ lines: (Screen, Content) -> [String]
    ) throws -> (String, ExitMeaning) {
      let document = try APIJSON.decode(API.Document<Content>.self, from: input)
      let screen = Screen(style: style, for: document)
      return (screen.finish(lines(screen, document.data)), exit(document.data))
    }
    switch try APIJSON.decode(Kind.self, from: input).kind {
    case "Status":
      return try render(API.Status.self, { ExitMeaning(state: $0.state) }) {
        name.hasSuffix("quiet") ? [$0.statusLine($1)] : $0.status($1, verbose: name.hasSuffix("verbose"))
      }
    case "Problem": return try render(APIProblem.self, { ExitMeaning($0) }) { $0.problem($1) }
    case "Devices": return try render(API.Devices.self, DevicesCommand.List.exit) { $0.devices($1) }
    case "Device": return try render(API.Device.self, { DevicesCommand.exit($0.state) }) { $0.device($1) }
    case "Points": return try render(API.Points.self) { $0.points($1) }
    case "Point": return try render(API.Point.self, { $0.value.value == nil ? .unknown : .well }) { $0.point($1) }
    case "History": return try render(API.History.self) { $0.history($1) }
    case "Decision": return try render(API.Decision.self) { $0.why($1, full: name.hasSuffix("full")) }
    case "Decisions": return try render(API.Decisions.self) { $0.decisions($1) }
    case "Envelopes": return try render(API.Envelopes.self) { $0.envelopes($1) }
    case "Envelope": return try render(API.Envelope.self) { $0.envelope($1) }
    case "EnvelopeTest": return try render(API.EnvelopeTest.self, EnvelopeCommand.Test.exit) { $0.envelopeTest($1) }
    case "Overrides": return try render(API.Overrides.self) { $0.overrides($1) }
    case "ModeState": return try render(API.ModeState.self) { $0.mode($1) }
    case "Alarms": return try render(API.Alarms.self, AlarmsCommand.List.exit) { $0.alarms($1) }
    case "CollectTest": return try render(API.CollectTest.self, { $0.passed ? .well : .alarm }) { $0.collectTest($1) }
    case "Models":
      return try render(API.Models.self, ModelCommand.exit) {
        name.hasSuffix("drift") ? $0.modelDrifts($1) : $0.models($1)
      }
    case "Model":
      switch name.split(separator: "-").last {
      case "compare": return try render(API.Model.self, ModelCommand.exitCompared) { $0.modelCompared($1) }
      case "lineage": return try render(API.Model.self, ModelCommand.exitLineage) { $0.modelLineage($1) }
      case "drift": return try render(API.Model.self, { ModelCommand.exit($0.glance) }) { $0.modelDrift($1) }
      default: return try render(API.Model.self, { ModelCommand.exit($0.glance) }) { $0.model($1) }
      }
    case "ModelHistory":
      return try render(API.ModelHistory.self) { screen, history in
        ModelCharts.scores(history).flatMap { screen.chart($0) + [""] }
      }
    case "Written": return try render(API.Written.self) { $0.written($1) }
    case let kind: throw APIProblem(status: 0, code: "test.kind", title: "no screen for \(kind)", next: "add one")
    }
  }
}
