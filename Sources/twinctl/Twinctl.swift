import ArgumentParser
import Glibc
import StatusAPI

/// The command line of a site: talks to the daemon through its public socket and uses nothing private.
@main
struct Twinctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "twinctl", abstract: "See what a twind site does, why, and step in.",
    discussion: """
      Leaves with 0 well, 1 attention, 2 alarm, 3 unknown, 4 refused; from 64 on there was no answer: \
      64 usage, 69 twind not reachable, 70 bug, 75 try again, 77 not permitted, 78 configuration.
      """,
    version: release,
    subcommands: [
      StatusCommand.self, DevicesCommand.self, PointsCommand.self, WatchCommand.self, WhyCommand.self,
      EnvelopeCommand.self, OverrideCommand.self, ModeCommand.self, AlarmsCommand.self, CollectCommand.self,
      DataCommand.self, ModelCommand.self, GraphCommand.self, ReplayCommand.self, WhatIfCommand.self,
      SupportCommand.self, MetricsCommand.self, PackCommand.self, KeysCommand.self, SyncCommand.self,
      AuditCommand.self, FleetCommand.self, VersionCommand.self, ExplainCommand.self,
    ])

  static let release = API.release

  /// As ArgumentParser's own, but under `-o json` a usage error is a document too.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let status = exitCode(for: error)
      // A verb that ends by an exit code has said what there is to say.
      if !(error is ExitCode), status == .validationFailure, wantsJSON(CommandLine.arguments) {
        let problem = APIProblem(
          status: 400, code: "cli.usage", title: "the command line is not understood", cause: message(for: error),
          next: "twinctl --help")
        Stream.out(Session.json(problem, at: Stream.now))
        Glibc.exit(ExitMeaning.usage.rawValue)
      }
      exit(withError: error)
    }
  }

  static func wantsJSON(_ arguments: [String]) -> Bool {
    zip(arguments, arguments.dropFirst() + [""]).contains { word, following in
      ["-ojson", "-o=json", "--output=json"].contains(word) || ["-o", "--output"].contains(word) && following == "json"
    }
  }
}
