import ArgumentParser
import StatusAPI
import TwinCore

struct PointsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "points", abstract: "What is measured, held and believed.",
    subcommands: [List.self, Get.self, History.self], defaultSubcommand: List.self)

  struct List: Verb {
    static let configuration = CommandConfiguration(abstract: "Points by pattern, one line each.")
    @Argument(help: "A point or a pattern, as 'chiller-1.*'.") var pattern = "*"
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get("/v1/points?match=\(StatusClient.escaped(pattern))", as: API.Points.self) { $0.points($1) }
    }
  }

  struct Get: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Everything about one point.", discussion: "Leaves with 3 when it has no value.")
    @Argument(help: "The point, as chiller-1.chw_supply_t.") var point: String
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(
        Session.path("points", point), as: API.Point.self, exit: { $0.value.value == nil ? .unknown : .well }
      ) { $0.point($1) }
    }
  }

  struct History: Verb {
    static let configuration = CommandConfiguration(abstract: "Stored samples of one point, oldest first.")
    @Argument(help: "The point, as chiller-1.chw_supply_t.") var point: String
    @Option(name: .long, help: "How far back, as 2h.", transform: Options.duration) var since: Int64?
    @Option(name: .long, help: "At most so many samples, the newest.") var limit = 500
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      var path = Session.path("points", point, "history") + "?limit=\(limit)"
      if let since {
        let begin = Stream.now.advanced(byNanoseconds: -since)
        path += "&since=\(StatusClient.escaped(begin.rfc3339))"
      }
      return try session.get(path, as: API.History.self) { $0.history($1) }
    }
  }
}
