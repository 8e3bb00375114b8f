import ArgumentParser
import StatusAPI
import TwinCore

struct AlarmsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alarms", abstract: "What needs a person.",
    subcommands: [List.self, Acknowledge.self, Shelve.self], defaultSubcommand: List.self)

  struct List: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Active, acknowledged and shelved alarms.",
      discussion: "Leaves with 2 when one is active, 1 when all are acknowledged or shelved, 0 when there is none.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("alarms"), as: API.Alarms.self, exit: Self.exit) { $0.alarms($1) }
    }

    static func exit(_ alarms: API.Alarms) -> ExitMeaning {
      if alarms.alarms.contains(where: { $0.state == "active" }) { return .alarm }
      return alarms.alarms.isEmpty ? .well : .attention
    }
  }

  struct Acknowledge: Verb {
    static let configuration = CommandConfiguration(commandName: "ack", abstract: "Say that you have seen it.")
    @Argument(help: "The alarm.") var alarm: String
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "acknowledges alarm \(alarm)"
      if write.dryRun { return try session.wouldTouchAlarm(sentence) }
      try session.confirm(sentence, target: alarm, write)
      return try session.write("POST", Session.path("alarms", alarm, "ack"))
    }
  }

  struct Shelve: Verb {
    static let configuration = CommandConfiguration(abstract: "Put it aside for a while; it comes back by itself.")
    @Argument(help: "The alarm.") var alarm: String
    @Option(name: .customLong("for"), help: "How long, as 4h.", transform: Options.duration) var span: Int64
    @OptionGroup var reason: Reason
    @OptionGroup var write: WriteOptions
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let sentence = "shelves alarm \(alarm) for \(DurationText.short(nanoseconds: span)): \(reason.reason)"
      if write.dryRun { return try session.wouldTouchAlarm(sentence) }
      try session.confirm(sentence, target: alarm, write)
      return try session.write(
        "POST", Session.path("alarms", alarm, "shelve"),
        API.ShelveRequest(forS: Double(span) / 1e9, reason: reason.reason))
    }
  }
}

extension Session {
  fileprivate func wouldTouchAlarm(_ sentence: String) throws(APIProblem) -> Outcome {
    would(sentence, try client.get(Session.path("alarms"), as: API.Alarms.self)) { $0.alarms($1) }
  }
}
