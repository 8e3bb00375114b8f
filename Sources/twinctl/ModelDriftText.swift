import StatusAPI
import TwinCore

extension Screen {
  static let levelCells = 10
  static let alertsMax = 10

  /// All models, the nearest to an alarm first.
  func modelDrifts(_ models: API.Models) -> [String] {
    guard !models.models.isEmpty else { return self.models(models) }
    let ranked = models.models.enumerated().sorted {
      ($1.element.drift.level, $0.offset) < ($0.element.drift.level, $1.offset)
    }.map(\.element)
    var lines = table(
      [
        Column(title: "MODEL"), Column(title: "STATE"), Column(title: "LEVEL"),
        Column(title: "DONE ABOUT IT", rank: 1),
      ],
      ranked.map { [$0.id, modelState($0), level($0.drift.level), Self.response($0.drift.response)] })
    for model in ranked where model.standing != .ok && model.standing != .uncalibrated {
      lines += labelled(model.id, model.drift.text, indent: 0, label: model.id.count + 2)
      if let next = model.drift.next { lines += labelled("next", next, indent: 2) }
    }
    return lines
  }

  /// What the watches of one model see, and what they said before.
  func modelDrift(_ model: API.Model) -> [String] {
    let drift = model.glance.drift
    var lines = wrapped(modelHead(model.glance), width: style.width)
    func add(_ label: String, _ text: String) { lines += labelled(label, text, label: 9) }
    add("verdict", modelVerdict(model.glance))
    add("level", "\(level(drift.level)) (an alarm at 1)")
    add("done", Self.response(drift.response))
    if let next = drift.next { add("next", next) }
    lines += [""] + innovations(model)
    if !model.parameters.isEmpty { lines += [""] + moves(model) }
    if !model.biases.isEmpty { lines += [""] + biases(model) }
    guard !model.alerts.isEmpty else { return lines }
    return lines + [""]
      + table(
        [Column(title: "AT"), Column(title: "WHAT"), Column(title: "BY", rank: 1), Column(title: "TEXT")],
        model.alerts.prefix(Self.alertsMax).map {
          [time($0.at), String($0.kind.map { $0 == "_" ? " " : $0 }), $0.by ?? "", $0.text]
        })
  }

  func modelVerdict(_ model: API.ModelGlance) -> String {
    switch model.standing {
    case .ok: model.drift.text
    case .uncalibrated:
      "not calibrated, so that this says little: \(model.drift.text)"
    case .drifting: marked(model.drift.text, .alarm)
    case .suspect, .stale, .unknown: marked(model.drift.text, .attention)
    }
  }

  /// `████░░░░░░ 0.4`
  private func level(_ level: Double) -> String {
    let cells = Int((min(max(level, 0), 1) * Double(Self.levelCells)).rounded())
    return String(repeating: "█", count: cells) + String(repeating: "░", count: Self.levelCells - cells)
      + " \(Self.trimmed((level * 100).rounded() / 100))"
  }

  /// How the last readings differed from what was expected of them.
  private func innovations(_ model: API.Model) -> [String] {
    table(
      [
        Column(title: "POINT"), Column(title: "SURPRISE", isRight: true), Column(title: "SD", rank: 1, isRight: true),
        Column(title: "IN SD", isRight: true), Column(title: ""),
      ],
      model.outputs.map { output in
        guard let innovation = output.innovation else {
          return [
            output.point, "none", "", "", output.refused.map { "kept out: it \($0)" } ?? "no reading in the last step",
          ]
        }
        return [
          output.point, "\(Self.number(innovation.value)) \(Self.symbol(innovation.unit))",
          "\(Self.number(innovation.stddev)) \(Self.symbol(innovation.unit))",
          Self.signed(innovation.normalised, places: 1), innovation.accepted ? "" : "an outlier: it moved little",
        ]
      })
  }

  /// Where the watching filter has gone from what was calibrated, those that moved most first.
  private func moves(_ model: API.Model) -> [String] {
    let moves = model.parameters.map { parameter -> (parameter: API.ModelParameter, move: Double?) in
      let spread = Elementary.log(parameter.high / parameter.low) / 4
      let move = Elementary.log(parameter.now / parameter.value) / spread
      return (parameter, move.isFinite && parameter.identified ? move : nil)
    }
    let ranked = moves.enumerated().sorted {
      ($1.element.move?.magnitude ?? -1, $0.offset) < ($0.element.move?.magnitude ?? -1, $1.offset)
    }.map(\.element)
    return table(
      [
        Column(title: "PARAMETER"), Column(title: "CALIBRATED", isRight: true), Column(title: "NOW", isRight: true),
        Column(title: "UNIT", rank: 1), Column(title: "MOVED"),
      ],
      ranked.map { parameter, move in
        [
          parameter.name, Self.compact(parameter.value), Self.compact(parameter.now), Self.symbol(parameter.unit),
          move.map { "\(Self.signed($0, places: 1)) sd" } ?? "the data do not tell of it",
        ]
      })
  }

  /// What is done about drift, in words.
  static func response(_ word: String) -> String {
    switch word {
    case "none": "nothing needed"
    case "widen_intervals": "intervals are widened"
    case "raise_process_noise": "it follows readings more closely"
    case "recalibrate_in_shadow": "it asks to be trained again"
    case "fall_back": "decisions no longer rest on it"
    default: word
    }
  }
}
