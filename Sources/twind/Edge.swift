import ArgumentParser
import EdgeService
import Glibc
import Logging
import Seams
import ServiceLifecycle
import SitePack
import TwinCore
import UnixSignals

/// Where the daemon's configuration is.
struct ConfigurationOption: ParsableArguments {
  @Option(name: .long, help: "The daemon's configuration.", completion: .file(extensions: ["yaml"]))
  var config = "/etc/twind/edge.yaml"

  /// Reads and checks it; prints every problem, and ends with 78 when one is an error.
  func load() throws -> EdgeConfiguration {
    let (configuration, problems): (EdgeConfiguration, [PackProblem])
    do throws(EdgeFault) {
      (configuration, problems) = try EdgeConfiguration.load(config, environment: environment())
    } catch {
      complain(error)
      throw ExitCode(78)
    }
    for problem in problems { complain("twind: \(problem)") }
    if problems.contains(where: { $0.severity == .error }) { throw ExitCode(78) }
    return configuration
  }
}

struct Edge: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs a site on its gateway, until SIGTERM.")

  @OptionGroup var options: ConfigurationOption

  func run() async throws {
    ProcessMemory.keepSmall()
    let configuration = try options.load()
    let level = Logger.Level(rawValue: configuration.log) ?? .info
    LoggingSystem.bootstrap { label in
      var handler = StreamLogHandler.standardError(label: label)
      handler.logLevel = level
      return handler
    }
    let log = Logger(label: "twind")
    do throws(EdgeFault) {
      while try await runOnce(configuration, log) {}
    } catch {
      complain(error)
      throw ExitCode(error.code == "api.socket_in_use" || error.code == "store.locked" ? 75 : 78)
    }
  }

  /// True when the daemon is to be opened again, with a pack that was taken up.
  private func runOnce(_ configuration: EdgeConfiguration, _ log: Logger) async throws(EdgeFault) -> Bool {
    let daemon = try await EdgeDaemon.open(
      configuration, environment: environment(), clock: SystemClock(assumed: configuration.isClockAssumed), log: log)
    try await serve(daemon, log)
    return daemon.isToReopen
  }

  private func serve(_ daemon: EdgeDaemon, _ log: Logger) async throws(EdgeFault) {
    var group = ServiceGroupConfiguration(
      services: [.init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: log)
    // Below the unit's TimeoutStopSec: giving leases back to a silent device takes its time-outs.
    group.maximumGracefulShutdownDuration = .seconds(20)
    group.maximumCancellationDuration = .seconds(5)
    do {
      try await ServiceGroup(configuration: group).run()
    } catch let fault as EdgeFault {
      throw fault
    } catch {
      throw EdgeFault("stopped", "the daemon stopped: \(error)", remedy: "read the log above; systemd starts it again")
    }
  }
}

struct RevertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert", abstract: "Gives back the setpoints that an earlier run left open.",
    discussion: "The unit runs it after every stop. With nothing open it does nothing, and says so with -v.")

  @OptionGroup var options: ConfigurationOption
  @Flag(name: .shortAndLong, help: "Says also that nothing was open.") var verbose = false

  func run() async throws {
    let configuration = try options.load()
    do throws(any Error) {
      let done = try LeaseRecovery.revert(directory: configuration.state)
      for lease in done { print("\(lease.point) → \(lease.value): \(lease.outcome.name)") }
      if done.isEmpty && verbose { print("nothing was open") }
      if done.contains(where: { $0.outcome != .confirmed }) {
        complain("twind: some setpoints could not be given back; they stay recorded, and the next start tries again")
        throw ExitCode(5)
      }
    } catch let fault as any Fault {
      complain(fault)
      throw ExitCode(fault.isRetriable || fault.code == "store.locked" ? 75 : 78)
    }
  }
}

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Checks the daemon's configuration, and the pack that it names.")

  @OptionGroup var options: ConfigurationOption

  func run() async throws {
    let configuration = try options.load()
    do throws(EdgeFault) {
      let summary = try EdgeDaemon.check(configuration)
      print(summary)
    } catch {
      complain(error)
      throw ExitCode(65)
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

/// The process's environment.
func environment() -> [String: String] {
  var values: [String: String] = [:]
  var entry = unsafe environ
  while let text = unsafe entry.pointee {
    let pair = unsafe String(cString: text)
    if let split = pair.firstIndex(of: "=") {
      values[String(pair[..<split])] = String(pair[pair.index(after: split)...])
    }
    unsafe entry += 1
  }
  return values
}
