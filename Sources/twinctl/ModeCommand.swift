import ArgumentParser
import StatusAPI
import TwinCore

struct ModeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mode", abstract: "How far the daemon may go.",
    subcommands: [Show.self, Set.self], defaultSubcommand: Show.self)

  struct Show: Verb {
    static let configuration = CommandConfiguration(abstract: "The mode in force, and what limits it.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("mode"), as: API.ModeState.self) { $0.mode($1) }
    }
  }

  struct Set: Verb {
    static let configuration = CommandConfiguration(abstract: "Change the mode.")
    @Argument(help: "observe, shadow, advise, auto or local.") var mode: String
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func validate() throws {
      guard Mode(name: mode) == nil else { return }
      let names = Mode.allCases.map(\.name)
      let nearest = NearestName.of(mode, among: names).map { "; did you mean \($0)?" } ?? ""
      throw ValidationError("\"\(mode)\" is no mode (\(names.joined(separator: ", ")))\(nearest)")
    }

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "sets the mode of the site to \(mode): \(reason.reason)"
      if write.dryRun {
        return session.would(sentence, try session.client.get(Session.path("mode"), as: API.ModeState.self)) {
          $0.mode($1)
        }
      }
      try session.confirm(sentence, target: mode, write)
      return try session.write("PUT", Session.path("mode"), API.ModeRequest(mode: mode, reason: reason.reason))
    }
  }
}
