import Glibc
import Seams
import StatusAPI
import Testing
import TwinCore

/// The built program against a served site: what goes to which stream, and how it leaves.
@Suite("The program", .serialized, .timeLimit(.minutes(2)))
struct ProgramTests {
  struct Run {
    var out: String
    var error: String
    var exit: Int32
  }

  /// Beside the tests, where the build puts it.
  static let program: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/twinctl"
  }()
  static let isBuilt = unsafe access(program, X_OK) == 0

  static func shell(_ command: String) -> (output: String, status: Int32) {
    guard let pipe = unsafe popen(command, "r") else { return ("", -1) }
    var bytes: [UInt8] = []
    while true {
      let byte = unsafe fgetc(pipe)
      if byte < 0 { break }
      bytes.append(UInt8(truncatingIfNeeded: byte))
    }
    return (String(decoding: bytes, as: UTF8.self), unsafe pclose(pipe) >> 8 & 0xFF)
  }

  /// A socket path in a directory of its own, with `source` behind it or nobody.
  func with(_ source: CannedSite?, _ body: @escaping @Sendable (_ run: (String) -> Run) throws -> Void) async throws {
    var template = Array("/tmp/twinctl-test-XXXXXX".utf8CString)
    try #require(unsafe mkdtemp(&template) != nil)
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { _ = Self.shell("rm -r \(directory)") }
    let run: @Sendable (String) -> Run = { arguments in
      // A watch has no end of its own.
      let limit = "timeout \(arguments.hasPrefix("watch") ? 4 : 60)"
      let environment = "env -u NO_COLOR COLUMNS=120 LC_ALL=C.UTF-8 TWIND_SOCKET=\(directory)/s"
      let command = "\(limit) \(environment) \(Self.program) \(arguments) </dev/null 2>\(directory)/e"
      let (out, exit) = Self.shell(command)
      return Run(out: out, error: Self.shell("cat \(directory)/e").output, exit: exit)
    }
    let executor = ThreadExecutor(name: "client")
    defer { executor.stop() }
    let client: @Sendable () async throws -> Void = {
      try await withTaskExecutorPreference(executor) { try await blocking { try body(run) } }
    }
    guard let source else { return try await client() }
    let server = StatusServer(socketPath: directory + "/s", operatorGroup: nil, source: source, clock: SystemClock())
    let (listening, ready) = AsyncStream.makeStream(of: Never.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        defer { ready.finish() }
        try await server.run { ready.finish() }
      }
      for await _ in listening {}
      defer { group.cancelAll() }
      try await client()
    }
  }

  @Test("a well site is one line and 0", .enabled(if: isBuilt))
  func well() async throws {
    try await with(CannedSite()) { run in
      let text = run("status")
      #expect(text.exit == 0)
      #expect(text.error.isEmpty)
      #expect(text.out.split(separator: "\n").count == 1)
      #expect(text.out.hasPrefix("lyon-01  well · auto · pack 14 signed"))
      #expect(!text.out.contains("\u{1B}"))
    }
  }

  @Test(
    "every verb prints one JSON document", .enabled(if: isBuilt),
    arguments: [
      ("status", "Status", 0), ("devices", "Devices", 3), ("devices show chiller-1", "Device", 2),
      ("points", "Points", 0),
      ("points get chiller-1.chw_supply_sp", "Point", 0), ("points history chiller-1.chw_supply_t", "History", 0),
      ("why", "Decisions", 0), ("why chiller-1.chw_supply_sp", "Decision", 0), ("why d-7f3a91 --full", "Decision", 0),
      ("envelope", "Envelopes", 0), ("envelope show chw-sp-safe", "Envelope", 0),
      ("envelope test chiller-1.chw_supply_sp 9.4", "EnvelopeTest", 1), ("override", "Overrides", 0),
      ("override set chiller-1.chw_supply_sp 5.5 --for 2h --reason test --yes", "Written", 0),
      ("override set chiller-1.chw_supply_sp 5.5 --for 2h --reason test --dry-run", "EnvelopeTest", 1),
      ("override clear chiller-1.chw_supply_sp --yes", "Written", 0), ("mode", "ModeState", 0),
      ("mode set advise --reason test --yes", "Written", 0), ("alarms", "Alarms", 2),
      ("alarms ack a-17 --yes", "Written", 0),
      ("alarms shelve a-17 --for 4h --reason test --yes", "Written", 0), ("collect test chiller-1", "CollectTest", 2),
      ("override set chiller-1.chw_supply_sp 4 --for 2h --reason test --yes", "Problem", 4),
      ("override set chiller-1.chw_supply_sp 5.5 --for 2h --reason test", "Problem", 64),
      ("model", "Models", 2), ("model list", "Models", 2), ("model show hall-a", "Model", 0),
      ("model show hall-a --plot", "Model", 0), ("model compare hall-a", "Model", 1),
      ("model lineage hall-a", "Model", 0), ("model drift", "Models", 2), ("model drift hall-a --plot", "Model", 0),
      ("model promote hall-a --reason test --yes", "Written", 0),
      ("model promote hall-a --reason test --dry-run", "Model", 0),
      ("model rollback hall-a --reason test --yes", "Written", 0),
      ("model retire hall-a --reason test --yes", "Written", 0),
      ("model watch hall-a --reason test --yes", "Written", 0),
      ("model train hall-a --reason test --yes", "Problem", 4), ("model promote hall-a --reason test", "Problem", 64),
      ("model show hal-a", "Problem", 64),
      ("devices show pump", "Problem", 64), ("explain nonsense", "Problem", 64), ("points --nonsense", "Problem", 64),
    ] as [(String, String, Int32)])
  func json(arguments: String, kind: String, exit: Int32) async throws {
    try await with(CannedSite()) { run in
      let answer = run(arguments + " -o json")
      #expect(answer.exit == exit, "\(answer)")
      #expect(answer.error.isEmpty)
      #expect(answer.out.hasSuffix("}\n"))
      struct Head: Codable { var api: String, kind: String }
      let head = try APIJSON.decode(Head.self, from: Array(answer.out.utf8))
      #expect(head.api == "twind/v1")
      #expect(head.kind == kind)
      // The exit code is of the answer, not of the format.
      #expect(run(arguments).exit == exit)
      #expect(run(arguments + " --exit-zero").exit == (exit <= 3 ? 0 : exit))
    }
  }

  @Test("watching prints a document a line, each event once although the stream breaks", .enabled(if: isBuilt))
  func watch() async throws {
    try await with(CannedSite()) { run in
      let lines = run("watch 'chiller-1.*'").out.split(separator: "\n")
      let events = try lines.map { try APIJSON.decode(API.Event.self, from: Array($0.utf8)) }
      #expect(events.map(\.id) == [1, 2, 3])
      #expect(lines[1].contains(#""value":null"#))
      let text = run("watch 'chiller-1.*' -o text --utc")
      #expect(text.out.hasPrefix("13:03"))
      #expect(text.out.contains("no value (failed)"))
    }
  }

  @Test("a model is drawn: in the terminal below its figures, and into a file of its own", .enabled(if: isBuilt))
  func drawn() async throws {
    try await with(CannedSite()) { run in
      let plain = run("model show hall-a")
      let plot = run("model show hall-a --plot")
      #expect(plot.out.hasPrefix(plain.out))
      #expect(plot.out.contains("hall-a.zone_t, read and forecast, °C"))
      #expect(plot.out.contains("┤"))
      let file = "/tmp/twinctl-test-model.\(getpid()).svg"
      defer { unsafe unlink(file) }
      #expect(run("model drift hall-a --svg \(file)").out.hasSuffix("drawn: \(file)\n"))
      let svg = Self.shell("cat \(file)").output
      #expect(svg.hasPrefix("<svg xmlns=") && svg.hasSuffix("</svg>\n"))
      #expect(svg.contains("C_air by day, J/K"))
      let denied = run("model show hall-a --svg /proc/no/such.svg")
      #expect(denied.exit != 0 && denied.out.isEmpty && denied.error.contains("/proc/no/such.svg"))
    }
  }

  @Test("a refusal goes to stderr and leaves stdout empty", .enabled(if: isBuilt))
  func refusal() async throws {
    try await with(CannedSite()) { run in
      let refused = run("override set chiller-1.chw_supply_sp 4 --for 2h --reason test --yes")
      #expect(refused.exit == 4)
      #expect(refused.out.isEmpty)
      #expect(
        refused.error.hasPrefix("refused: 4.0 °C is below envelope chw-sp-safe (5.5–9.0 °C). Nothing was written."))
    }
  }

  @Test("no daemon is 69, in words or as JSON", .enabled(if: isBuilt))
  func absent() async throws {
    try await with(nil) { run in
      let text = run("status")
      #expect(text.exit == 69)
      #expect(text.out.isEmpty)
      #expect(text.error.hasPrefix("error: twind is not running here [api.not_running]\n"))
      let json = run("status -o json --exit-zero")
      #expect(json.exit == 69)
      #expect(json.out.contains(#""code":"api.not_running""#))
      #expect(run("version").exit == 0)
      #expect(run("explain envelope.out_of_range").out.hasPrefix("envelope.out_of_range\n"))
    }
  }

  @Test(
    "usage errors are 64 and help is 0", .enabled(if: isBuilt),
    arguments: [
      ("status --wacth", 64), ("override set a.b x --for 2h --reason r", 64),
      ("override set a.b 1 --for soon --reason r", 64),
      ("override set a.b 1 --reason r", 64), ("mode set atuo --reason r", 64), ("watch -o json 'a.*'", 64),
      ("--help", 0),
      ("status -o jsonl", 64), ("model promote hall-a", 64), ("model drift --plot", 64),
    ] as [(String, Int32)])
  func usage(arguments: String, exit: Int32) async throws {
    try await with(nil) { run in #expect(run(arguments).exit == exit) }
  }
}

@concurrent private func blocking(_ body: @Sendable () throws -> Void) async throws { try body() }
