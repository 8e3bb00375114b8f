import ArgumentParser
import StatusAPI
import TwinCore

struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model", abstract: "What the site's models forecast, how well, and which version is at work.",
    subcommands: [
      List.self, Show.self, Compare.self, Lineage.self, Drift.self, Promote.self, Rollback.self, Retire.self,
      WatchAnew.self, Train.self,
    ], defaultSubcommand: List.self)

  /// What a model's standing means to a script. Nothing rests on one that is not calibrated, so that it is well.
  static func exit(_ model: API.ModelGlance) -> ExitMeaning {
    switch model.standing {
    case .ok, .uncalibrated: .well
    case .suspect: .attention
    case .drifting: .alarm
    case .stale, .unknown: .unknown
    }
  }

  /// The worst of several; unknown is worse than well and better than attention.
  static func exit(_ models: API.Models) -> ExitMeaning {
    let order: [ExitMeaning] = [.alarm, .attention, .unknown]
    let all = models.models.map { exit($0) }
    return order.first(where: all.contains) ?? .well
  }

  /// What `compare` found: 0 better, 1 not decided yet, 2 not better, 3 nothing to compare.
  static func exitCompared(_ model: API.Model) -> ExitMeaning {
    guard let evidence = model.evidence else { return .unknown }
    switch evidence.finding {
    case "better": return .well
    case "open": return .attention
    case "not_better": return .alarm
    default: return .unknown
    }
  }

  static func exitLineage(_ model: API.Model) -> ExitMeaning { model.lineage.isEmpty ? .unknown : .well }

  struct List: Verb {
    static let configuration = CommandConfiguration(
      abstract: "All models.",
      discussion: "Leaves with 0 ok or not calibrated, 1 suspect, 2 drift, 3 stale: the worst of them.")
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      try session.get(Session.path("models"), as: API.Models.self, exit: ModelCommand.exit) { $0.models($1) }
    }
  }

  struct Show: Verb {
    static let configuration = CommandConfiguration(
      abstract: "One model: its forecasts, how they did, its parameters.",
      discussion: """
        --plot draws the last day with the forecast ahead, and errors and coverage by day; --svg draws them into a \
        file. Leaves as model list.
        """)
    @Argument(help: "The model, as ahu-air.") var model: String
    @OptionGroup var picture: Picture
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let answer = try session.model(model)
      let charts = try picture.isWanted ? session.forecastCharts(answer.data) : []
      return try session.show(answer, exit: ModelCommand.exit(answer.data.glance), charts, picture) {
        $0.model($1)
      }
    }
  }

  struct Compare: Verb {
    static let configuration = CommandConfiguration(
      abstract: "The version at work beside those that would replace it.",
      discussion: "Leaves with 0 the challenger is better, 1 not decided yet, 2 it is not better, 3 nothing to compare."
    )
    @Argument(help: "The model, as ahu-air.") var model: String
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let answer = try session.model(model)
      return session.show(answer, exit: ModelCommand.exitCompared(answer.data)) { $0.modelCompared($1) }
    }
  }

  struct Lineage: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Which versions there were, who or what put them to work, and why.",
      discussion: "Leaves with 3 when the record tells of none.")
    @Argument(help: "The model, as ahu-air.") var model: String
    @OptionGroup var options: Options

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      let answer = try session.model(model)
      return session.show(answer, exit: ModelCommand.exitLineage(answer.data)) { $0.modelLineage($1) }
    }
  }

  struct Drift: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Whether the plant is still the one that was modelled.",
      discussion: """
        With a model: what its watches see and saw; --plot and --svg draw its parameters by day with two standard \
        deviations. Leaves as model list.
        """)
    @Argument(help: "The model, as ahu-air; all of them otherwise.") var model: String?
    @OptionGroup var picture: Picture
    @OptionGroup var options: Options

    func validate() throws {
      guard model != nil || !picture.isWanted else { throw ValidationError("name the model that is to be drawn") }
    }

    func perform(_ session: Session) throws(APIProblem) -> Outcome {
      guard let model else {
        return try session.get(Session.path("models"), as: API.Models.self, exit: ModelCommand.exit) {
          $0.modelDrifts($1)
        }
      }
      let answer = try session.model(model)
      let charts = try picture.isWanted ? session.driftCharts(answer.data) : []
      return try session.show(answer, exit: ModelCommand.exit(answer.data.glance), charts, picture) {
        $0.modelDrift($1)
      }
    }
  }

  /// How what is shown may be drawn as well.
  struct Picture: ParsableArguments {
    @Flag(help: "Draw it in the terminal as well.") var plot = false
    @Option(help: "Draw it into this file.", completion: .file(extensions: ["svg"])) var svg: String?

    var isWanted: Bool { plot || svg != nil }
  }
}

extension Session {
  func model(_ id: String) throws(APIProblem) -> StatusClient.Answer<API.Model> {
    try client.get(Session.path("models", id), as: API.Model.self)
  }

  /// The answer in words, with its charts below and in the file.
  fileprivate func show(
    _ answer: StatusClient.Answer<API.Model>, exit: ExitMeaning, _ charts: [Chart], _ picture: ModelCommand.Picture,
    _ lines: (Screen, API.Model) -> [String]
  ) throws(APIProblem) -> Outcome {
    let screen = Screen(style: style, for: answer.document)
    var text = lines(screen, answer.data)
    if picture.plot {
      text +=
        charts.isEmpty ? ["", "nothing to draw before the second day"] : charts.flatMap { [""] + screen.chart($0) }
    }
    if let file = picture.svg {
      let drawing = ChartDrawing(
        title: "\(answer.document.site), model \(answer.data.glance.id)",
        subtitle: screen.modelHead(answer.data.glance),
        charts: charts, offsetS: screen.offsetS)
      try WholeFile.write(file, Array(drawing.svg.utf8))
      text.append("drawn: \(file)")
    }
    return Outcome(screen.finish(text), json: answer.bytes, exit: exit)
  }

  private func history(of model: API.Model) throws(APIProblem) -> API.ModelHistory {
    try client.get(Session.path("models", model.glance.id, "history"), as: API.ModelHistory.self).data
  }

  private static let dayNanoseconds: Int64 = 86_400_000_000_000

  fileprivate func forecastCharts(_ model: API.Model) throws(APIProblem) -> [Chart] {
    var charts: [Chart] = []
    for output in model.outputs {
      let since = (model.glance.at?.instant ?? Stream.now).advanced(byNanoseconds: -Self.dayNanoseconds)
      let path = Session.path("points", output.point, "history")
      let read = try client.get(
        "\(path)?since=\(StatusClient.escaped(since.rfc3339))&limit=10000", as: API.History.self)
      charts.append(ModelCharts.forecast(output, at: model.glance.at?.instant, read.data))
    }
    return charts + ModelCharts.scores(try history(of: model))
  }

  fileprivate func driftCharts(_ model: API.Model) throws(APIProblem) -> [Chart] {
    ModelCharts.parameters(model, try history(of: model))
  }
}
