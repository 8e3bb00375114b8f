import StatusAPI
import TwinCore

extension Screen {
  func models(_ models: API.Models) -> [String] {
    guard !models.models.isEmpty else { return ["the site has no models; why: twinctl pack check --models"] }
    return table(
      [
        Column(title: "MODEL"), Column(title: "VERSION", isRight: true), Column(title: "STATE"),
        Column(title: "ERROR", isRight: true), Column(title: "STAYING", rank: 2, isRight: true),
        Column(title: "WITHIN", rank: 1, isRight: true), Column(title: "AHEAD", rank: 1, isRight: true),
        Column(title: "BESIDE", rank: 3), Column(title: "ASSET", rank: 4),
      ],
      models.models.map { model in
        let nearest = model.scores.first
        return [
          model.id, "\(model.version)", modelState(model), Self.difference(nearest?.rmse, nearest),
          Self.difference(nearest?.persistenceRmse, nearest), Self.share(nearest?.coverage),
          nearest.map { Self.span($0.horizonS) } ?? "", model.challenger.map { "version \($0)" } ?? "", model.asset,
        ]
      }) + modelsNext(models)
  }

  /// One model: what it is, what it forecasts and how that went, what it believes.
  func model(_ model: API.Model) -> [String] {
    let glance = model.glance
    var lines = wrapped(modelHead(glance), width: style.width)
    func add(_ label: String, _ text: String) { lines += labelled(label, text, label: 9) }
    add("made of", "\(glance.templates.joined(separator: " + ")), a step every \(Self.span(glance.stepS))")
    add("learned", modelLearned(glance))
    add("drift", modelVerdict(glance))
    if let evidence = model.evidence { add("beside", "version \(glance.challenger ?? 0): \(found(evidence))") }
    if let next = glance.drift.next { add("next", next) }
    lines += [""] + forecasts(model)
    lines += wrapped(
      "over 7 days: error and staying are root mean squares, within is of the 90 % interval", width: style.width)
    if !model.parameters.isEmpty { lines += [""] + parameters(model) }
    if !model.biases.isEmpty { lines += [""] + biases(model) }
    return lines
  }

  /// `ahu-air · ahu-1 · version 3 (8f2c91aa) · trusted`.
  func modelHead(_ glance: API.ModelGlance) -> String {
    let version =
      glance.candidate.map { "version \(glance.version) (\($0.prefix(8)))" } ?? "the template at its priors"
    return plain(
      [glance.id, glance.asset, version, glance.trusted ? "trusted" : "not trusted"].joined(separator: Self.separator))
  }

  /// In a word or three.
  func modelState(_ model: API.ModelGlance) -> String {
    let state = String(model.drift.word.map { $0 == "_" ? " " : $0 })
    switch model.standing {
    case .ok: return state
    case .uncalibrated: return "not calibrated"
    case .drifting: return marked(state, .alarm)
    case .suspect, .stale, .unknown: return marked(state, .attention)
    }
  }

  /// The versions side by side, and what their comparison has shown.
  func modelCompared(_ model: API.Model) -> [String] {
    var lines = wrapped(modelHead(model.glance), width: style.width)
    let names = ["champion": "AT WORK", "challenger": "BESIDE IT", "previous": "BEFORE IT"]
    let scores = model.runs.first?.scores ?? []
    lines += table(
      [Column(title: "POINT"), Column(title: "AHEAD", isRight: true)]
        + model.runs.map { run in
          Column(title: "\(names[run.role] ?? run.role.uppercased()): \(run.version)", isRight: true)
        },
      scores.indices.map { row in
        [scores[row].point, Self.span(scores[row].horizonS)]
          + model.runs.map { run in
            let score = run.scores.indices.contains(row) ? run.scores[row] : nil
            guard let score, score.count > 0 else { return "nothing scored" }
            return "\(Self.difference(score.rmse, score)), \(Self.share(score.coverage))"
          }
      })
    lines.append("root mean square error and coverage of the last 7 days")
    if let evidence = model.evidence {
      lines += labelled("beside it", found(evidence), label: 11)
    }
    if let evidence = model.retrospect {
      lines += labelled("before it", found(evidence), label: 11)
    }
    guard model.evidence == nil, model.retrospect == nil else { return lines }
    return lines
      + labelled("next", "it is alone: twinctl model train \(model.glance.id) --reason \"…\"", label: 11)
  }

  func modelLineage(_ model: API.Model) -> [String] {
    let head = wrapped(modelHead(model.glance), width: style.width)
    guard !model.lineage.isEmpty else { return head + ["the record tells of no other version"] }
    return head
      + table(
        [
          Column(title: "AT"), Column(title: "VERSION", rank: 1, isRight: true), Column(title: "WHAT"),
          Column(title: "BY", rank: 2), Column(title: "CANDIDATE", rank: 3), Column(title: "WHY"),
        ],
        model.lineage.map { event in
          [
            time(event.at), event.version.map { "\($0)" } ?? "", String(event.kind.map { $0 == "_" ? " " : $0 }),
            event.by ?? "", event.candidate.map { String($0.prefix(8)) } ?? "", event.text,
          ]
        })
  }

  /// A site's models in the status: one line, and none where there is nothing to say.
  func modelTally(_ tally: API.ModelTally) -> String {
    guard tally.ok < tally.total else { return "\(Self.plural(tally.total, "model")) ok" }
    let parts = [
      (tally.drifting, "drifting"), (tally.suspect, "suspect"), (tally.stale, "stale"),
      (tally.uncalibrated, "not calibrated"), (tally.ok, "ok"),
    ].filter { $0.0 > 0 }
    let first = parts.first.map { "\(Self.plural($0.0, "model")) \($0.1)" }
    return ([first ?? "no model"] + parts.dropFirst().map { "\($0.0) \($0.1)" }).joined(separator: ", ")
  }

  private func modelsNext(_ models: API.Models) -> [String] {
    models.models.flatMap { model in
      [.ok, .uncalibrated].contains(model.standing) || model.drift.next == nil
        ? [] : labelled(model.id, "\(model.drift.text); next: \(model.drift.next ?? "")", label: model.id.count + 2)
    }
  }

  private func modelLearned(_ glance: API.ModelGlance) -> String {
    guard let at = glance.at else { return "nothing yet: it waits for its first readings" }
    return "\(Self.grouped(glance.learnedSteps)) steps with readings, the last \(time(at)) (\(ago(age(at))))"
  }

  private func forecasts(_ model: API.Model) -> [String] {
    let rows = model.glance.scores.map { score -> [String] in
      let output = model.outputs.first { $0.name == score.output }
      let forecast = output?.forecasts.first { $0.horizonS == score.horizonS }
      let unit = output?.unit ?? score.unit
      let interval = forecast.map { "\(Self.number($0.low)) to \(Self.number($0.high))" } ?? ""
      return [
        score.point, Self.span(score.horizonS), forecast.map { Self.amount($0.mean, unit) } ?? "no forecast", interval,
        Self.difference(score.rmse, score), Self.difference(score.persistenceRmse, score), Self.share(score.coverage),
      ]
    }
    return table(
      [
        Column(title: "POINT"), Column(title: "AHEAD", isRight: true), Column(title: "FORECAST", isRight: true),
        Column(title: "90 % INTERVAL", rank: 1), Column(title: "ERROR", isRight: true),
        Column(title: "STAYING", rank: 3, isRight: true), Column(title: "WITHIN", rank: 2, isRight: true),
      ], rows)
  }

  private func parameters(_ model: API.Model) -> [String] {
    table(
      [
        Column(title: "PARAMETER"), Column(title: "VALUE", isRight: true), Column(title: "2 SD"),
        Column(title: "NOW", rank: 1, isRight: true), Column(title: "PRIOR", rank: 2, isRight: true),
        Column(title: "UNIT"), Column(title: "", rank: 3),
      ],
      model.parameters.map { parameter in
        [
          parameter.name, Self.compact(parameter.value),
          "\(Self.compact(parameter.low)) to \(Self.compact(parameter.high))",
          Self.compact(parameter.now), Self.compact(parameter.prior), Self.symbol(parameter.unit),
          parameter.identified ? "" : "the data do not tell of it",
        ]
      })
  }

  func biases(_ model: API.Model) -> [String] {
    table(
      [Column(title: "LEFT OUT"), Column(title: "VALUE", isRight: true), Column(title: "SD", isRight: true)],
      model.biases.map {
        [
          $0.name, "\(Self.compact($0.value)) \(Self.symbol($0.unit))",
          "\(Self.compact($0.stddev)) \(Self.differenceSymbol($0.unit))",
        ]
      })
  }

  /// What a comparison has shown so far.
  private func found(_ evidence: API.ModelEvidence) -> String {
    let blocks = "\(Self.plural(evidence.blocks, "block")) of \(Self.span(evidence.blockS))"
    guard let gain = evidence.gain else { return "nothing compared yet" }
    let bounds =
      if let low = evidence.low, let high = evidence.high {
        " (\(Self.signed(low * 100, places: 1)) to \(Self.signed(high * 100, places: 1)) %)"
      } else {
        ""
      }
    let finding =
      switch evidence.finding {
      case "better": "better"
      case "open": "not decided yet"
      case "not_better": "not better"
      default: evidence.finding
      }
    return "\(finding): it takes \(Self.signed(gain * 100, places: 1)) % off the squared error\(bounds), over \(blocks)"
  }

  static func difference(_ value: Double?, _ score: API.ModelScore?) -> String {
    guard let value, let score else { return "" }
    let symbol = symbol(score.unit)
    return symbol.isEmpty ? number(value) : "\(number(value)) \(symbol)"
  }

  static func share(_ value: Double?) -> String { value.map { "\(trimmed(($0 * 1000).rounded() / 10)) %" } ?? "" }
}
