import ArgumentParser
import FoundationService
import Glibc
import Logging
import Seams
import ServiceLifecycle
import SitePack
import TwinCore
import UnixSignals

@main
struct Foundation: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twind-foundation", abstract: "The fleet's side of twind: takes in what sites tell, and answers.",
    subcommands: [RunCommand.self, WorkCommand.self, InitCommand.self, CheckCommand.self],
    defaultSubcommand: RunCommand.self)
}

/// Where the foundation's configuration is.
struct ConfigurationOption: ParsableArguments {
  @Option(name: .long, help: "The foundation's configuration.", completion: .file(extensions: ["yaml"]))
  var config = "/etc/twind/foundation.yaml"

  /// Reads and checks it; prints every problem, and ends with 78 when one is an error.
  func load() throws -> FoundationSettings {
    let (settings, problems): (FoundationSettings, [PackProblem])
    do throws(FoundationFault) {
      (settings, problems) = try FoundationSettings.load(config)
    } catch {
      complain(error)
      throw ExitCode(78)
    }
    for problem in problems { complain("twind-foundation: \(problem)") }
    if problems.contains(where: { $0.severity == .error }) { throw ExitCode(78) }
    return settings
  }
}

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs until SIGTERM.")

  @OptionGroup var options: ConfigurationOption
  @Option(help: "How many of the workers run here, the first ones, while `work` runs the others; all otherwise.")
  var workers: Int?

  func run() async throws {
    let settings = try options.load()
    let log = Serving.log(settings)
    try await Serving.guarded { () async throws(FoundationFault) in
      let clock = SystemClock(assumed: true)
      try await Serving.serve(FoundationDaemon.open(settings, workers: workers, clock: clock, log: log), log)
    }
  }
}

struct WorkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "work", abstract: "Runs some of a foundation's workers alone, here or on another machine.",
    discussion: """
      It needs the ledger on PostgreSQL, the configuration, and of the state directory keys/ingest.secret, challenge,
      authority/root.crt and tls/. The foundation itself runs the first ones: twind-foundation run --workers N.
      """)

  @OptionGroup var options: ConfigurationOption
  @Option(help: "The first of them, from 2 on.")
  var from: Int
  @Option(help: "The last of them.")
  var through: Int

  func validate() throws {
    guard from <= through else { throw ValidationError("--from \(from) is above --through \(through)") }
  }

  func run() async throws {
    let settings = try options.load()
    let log = Serving.log(settings)
    try await Serving.guarded { () async throws(FoundationFault) in
      let clock = SystemClock(assumed: true)
      try await Serving.serve(
        WorkersDaemon.open(settings, workers: from...through, clock: clock, log: log), log)
    }
  }
}

/// What `run` and `work` have in common.
enum Serving {
  static func log(_ settings: FoundationSettings) -> Logger {
    let level = Logger.Level(rawValue: settings.log) ?? .info
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
    return Logger(label: "twind-foundation")
  }

  /// Says what went wrong, and ends with 75 where another try later may go well.
  static func guarded(_ body: () async throws(FoundationFault) -> Void) async throws {
    do throws(FoundationFault) {
      try await body()
    } catch {
      complain(error)
      throw ExitCode(temporary.contains(error.code) ? 75 : 78)
    }
  }

  private static let temporary: Set = ["api.socket_in_use", "ledger.lease_held", "foundation.lease_lost"]

  static func serve(_ daemon: any Service, _ log: Logger) async throws(FoundationFault) {
    var group = ServiceGroupConfiguration(
      services: [.init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
    group.maximumGracefulShutdownDuration = .seconds(20)
    group.maximumCancellationDuration = .seconds(5)
    do {
      try await ServiceGroup(configuration: group).run()
    } catch let fault as FoundationFault {
      throw fault
    } catch {
      throw FoundationFault("stopped", "the foundation stopped: \(error)", remedy: "read the log above; start it again")
    }
  }
}

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "check", abstract: "Checks the configuration.")

  @OptionGroup var options: ConfigurationOption

  func run() async throws {
    let settings = try options.load()
    print(
      "ok: foundation \(settings.name) of fleet \(settings.fleet), \(settings.workers) workers, "
        + "broker \(settings.host):\(settings.port), \(settings.postgresql == nil ? "sqlite" : "postgresql")")
  }
}

struct InitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Makes keys, authorities, certificates and the broker's files, once.",
    discussion: """
      Repeat it after a failure, or for more workers: what is there is kept. Afterwards take the operator's keys
      (--keys) away from this machine: with them packs and envelopes are signed, and the next root.
      """)

  @OptionGroup var options: ConfigurationOption
  @Option(name: .long, help: "Where the offline keys go: best a stick.", completion: .directory)
  var keys: String
  @Option(
    name: .long,
    help: "A name or address of the broker, for its certificate; the first one comes from the configuration.")
  var brokerName: [String] = []

  func run() async throws {
    let settings = try options.load()
    do throws(FoundationFault) {
      let names = [settings.host] + brokerName.filter { $0 != settings.host }
      let made = try FoundationInit(
        settings, operatorKeys: keys, brokerNames: names, now: SystemClock(assumed: true).instant
      ).run()
      for line in made { print("made: \(line)") }
      print("next: start the broker, then: twind foundation --config \(options.config)")
    } catch {
      complain(error)
      throw ExitCode(error.code == "provenance.key_exists" ? 65 : 73)
    }
  }
}

/// A line on standard error, unbuffered.
func complain(_ text: String) {
  let bytes = Array((text + "\n").utf8)
  _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
}

func complain(_ fault: some Fault) {
  complain("error: \(fault.message) [\(fault.code)]\n  next  \(fault.remedy)")
}
