import ArgumentParser
import Glibc
import Harnesses
import Seams
import StatusAPI
import Training
import TwinCore

/// Learns a site's models from its record, beside the daemon: reads the store, writes candidates into the folder
/// `learn`.
@main
struct Learn: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twind-learn",
    abstract: "Trains the models of a site on its own record, and hands them to its daemon.",
    discussion: """
      Reads the store beside the running daemon and changes nothing in it. Killed at any moment, it goes on where \
      it was. Leaves with 0, 65 when a model cannot be trained, 74 when a file cannot be read or written, 78 when pack \
      or state are not usable.
      """,
    version: API.release)

  @Option(help: "The daemon's state folder.", completion: .directory) var state = "/var/lib/twind"
  @Option(help: "The pack that the site runs.", completion: .directory) var pack: String
  @Option(help: "Only this model; may stand several times.") var model: [String] = []
  @Option(help: "Days of the record to learn from, the youngest.") var days: Int?
  @Option(help: "Of every choice by chance.") var seed: UInt64 = 1
  @Option(help: "Points from which the calibration starts.") var starts = 3
  @Flag(help: "Train now, and end. What happens where nothing else is said.") var once = false
  @Flag(help: "Train what the daemon asks for, if it asks, and end.") var ifAsked = false
  @Flag(help: "Train what the daemon asks for, whenever it asks, until SIGTERM.") var watch = false
  @Option(help: "Learn from this table instead: comma-separated, columns named by point ids.", completion: .file())
  var history: String?
  @Option(help: "The time between two rows of --history, as 900s or 15min.") var step: String?
  @Option(help: "The time of the first row of --history.") var from = "2020-01-01T00:00:00Z"
  @Option(name: .shortAndLong, help: "text or json.") var output = Output.text

  enum Output: String, ExpressibleByArgument {
    case text
    case json
  }

  func validate() throws {
    guard [once, ifAsked, watch].count(where: { $0 }) <= 1 else {
      throw ValidationError("--once, --if-asked and --watch say different things: give one")
    }
    if let days, !(1...TrainingSettings.daysMax).contains(days) {
      throw ValidationError("--days \(days): give 1 to \(TrainingSettings.daysMax)")
    }
    guard (1...64).contains(starts) else { throw ValidationError("--starts \(starts): give 1 to 64") }
    if history != nil {
      guard !watch, !ifAsked else { throw ValidationError("--history is learned from at once") }
      guard let step, DurationText.parse(step) ?? 0 > 0 else {
        throw ValidationError("--history needs --step, the time between two rows, as 900s")
      }
      guard Instant(rfc3339: from) != nil else {
        throw ValidationError("--from \(from) is no time as 2020-01-01T00:00:00Z")
      }
    }
  }

  func run() throws {
    var session = LearnSession(command: self)
    do throws(TrainingFault) {
      if watch {
        try session.watch()
      } else if ifAsked {
        try session.obey()
      } else if let history {
        try session.train(table: history)
      } else {
        try session.train(model, days: days)
      }
    } catch {
      session.complain(error)
      throw ExitCode(LearnSession.exit(error))
    }
    if session.hasFailed { throw ExitCode(65) }
  }
}
