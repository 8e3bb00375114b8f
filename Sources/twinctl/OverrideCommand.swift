import ArgumentParser
import StatusAPI
import TwinCore

struct OverrideCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "override", abstract: "Hold a point by hand, for a while and for a reason.",
    subcommands: [List.self, Set.self, Clear.self], defaultSubcommand: List.self)

  struct List: Verb {
    static let configuration = CommandConfiguration(abstract: "Overrides in force.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("overrides"), as: API.Overrides.self) { $0.overrides($1) }
    }
  }

  struct Set: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Hold a point at a value.",
      discussion: "A value outside the envelope is refused, with the nearest allowed one. It ends by itself.")
    @Argument(help: "The point, as chiller-1.chw_supply_sp.") var point: String
    @Argument(help: "A number in the point's unit, or with its own: '42 [degF]'.") var value: Setpoint
    @Option(name: .customLong("for"), help: "How long, as 2h.", transform: Options.duration) var span: Int64
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "holds \(point) at \(value.text) for \(DurationText.short(nanoseconds: span)): \(reason.reason)"
      if write.dryRun {
        let answer = try session.testEnvelope(point, value)
        return session.would(sentence, answer, exit: EnvelopeCommand.Test.exit(answer.data)) { $0.envelopeTest($1) }
      }
      try session.confirm(sentence, target: point, write)
      return try session.write(
        "PUT", Session.path("overrides", point),
        API.OverrideRequest(value: value.value, unit: value.unit, forS: Double(span) / 1e9, reason: reason.reason))
    }
  }

  struct Clear: Verb {
    static let configuration = CommandConfiguration(abstract: "Give a point back.")
    @Argument(help: "The point, as chiller-1.chw_supply_sp.") var point: String
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "gives \(point) back to the mode in force"
      if write.dryRun {
        return session.would(sentence, try session.client.get(Session.path("overrides"), as: API.Overrides.self)) {
          $0.overrides($1)
        }
      }
      try session.confirm(sentence, target: point, write)
      return try session.write("DELETE", Session.path("overrides", point))
    }
  }
}
