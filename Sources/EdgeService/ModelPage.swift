import Models
import SiteKernel
import StatusAPI
import TwinCore

/// One model as the socket shows it: physics' numbers back in the units of the points that show them.
struct ModelPage: Sendable {
  let definition: ModelDefinition
  /// Of the site, by index.
  let points: [PointDefinition]

  static let scoreDays = 7
  static let traceDays = 30

  func glance(_ slot: borrowing ModelSlot) -> API.ModelGlance {
    let run = slot.champion
    return API.ModelGlance(
      id: definition.id, asset: definition.asset, templates: definition.templates, stepS: definition.stepSeconds,
      version: run.version.number, candidate: Self.hex(run.version.candidate), calibrated: run.version.isCalibrated,
      trusted: run.isTrusted, drift: drift(run), challenger: slot.challenger?.version.number,
      learnedSteps: run.learned, at: run.step < 0 ? nil : Timestamp(run.instant), scores: scores(run))
  }

  /// Everything but what the record tells.
  func detail(_ slot: borrowing ModelSlot) -> API.Model {
    let run = slot.champion
    let others =
      [("champion", run)] + (slot.challenger.map { [("challenger", $0)] } ?? [])
      + (slot.previous.map { [("previous", $0)] } ?? [])
    return API.Model(
      glance: glance(slot), grounds: definition.grounds, inputs: inputs,
      outputs: definition.outputs.indices.map { output($0, run) },
      parameters: run.observer.model.parameters.indices.map { parameter($0, run) }, biases: biases(run),
      runs: others.map { contender($0, $1) },
      evidence: slot.challenger == nil ? nil : evidence(slot.evidence),
      retrospect: slot.previous == nil ? nil : evidence(slot.retrospect))
  }

  func history(_ run: ModelRun) -> API.ModelHistory {
    var days: [Int64: [API.ModelScore]] = [:]
    for output in definition.outputs.indices {
      for horizon in definition.horizons.indices {
        for (day, score) in run.daily(output: output, horizon: horizon) {
          days[day, default: []].append(shown(score, output: output, horizon: horizon))
        }
      }
    }
    let model = run.observer.model
    return API.ModelHistory(
      model: definition.id,
      days: days.sorted { $0.key < $1.key }.map { API.ModelDay(at: begin(of: $0.key, run), scores: $0.value) },
      parameters: model.parameters.indices.map { parameter in
        API.ModelParameterHistory(
          name: model.parameters[parameter].name, unit: model.parameters[parameter].unit,
          days: run.parameterHistory(parameter).map { trace($0, run) })
      })
  }

  private func drift(_ run: ModelRun) -> API.ModelDrift {
    let verdict = run.drift.verdict
    let level = run.drift.level
    return API.ModelDrift(
      word: verdict.word, text: verdict.text(run.observer.model), level: level.isFinite ? min(max(level, 0), 1) : 1,
      response: run.ladder.response.word, next: next(verdict, isCalibrated: run.version.isCalibrated))
  }

  /// One thing to do about a verdict.
  private func next(_ verdict: DriftVerdict, isCalibrated: Bool) -> String? {
    let anew = "twinctl model watch \(definition.id) --reason \"…\""
    let train = "twinctl model train \(definition.id) --reason \"…\""
    switch verdict {
    case .stale: return "find out who is silent: twinctl devices"
    case _ where !isCalibrated: return "have it fitted to the record: \(train)"
    case .ok: return nil
    case .suspect(.unexplained): return "wait: the cause is being weighed"
    case .suspect(.garbage(_, let output)): return "look at \(id(definition.outputs[output].point))"
    case .drift(.sensor(let output)):
      return "check the sensor of \(id(definition.outputs[output].point)); when it is mended: \(anew)"
    case .drift(.actuator(let input)):
      return "check what \(name(ofInput: input)) moves; when it is mended: \(anew)"
    case .drift(.fouling), .drift(.regime):
      return "look at \(definition.asset); to learn it as it is now: \(train)"
    }
  }

  private func name(ofInput input: Int) -> String {
    if case .point(let binding) = definition.inputs[input].source { return id(binding.point) }
    return definition.physics.inputs[input].name
  }

  private var inputs: [API.ModelInput] {
    zip(definition.physics.inputs, definition.inputs).map { input, binding in
      switch binding.source {
      case .point(let source):
        API.ModelInput(name: input.name, unit: input.unit, point: id(source.point), outlook: binding.outlook.word)
      case .constant(let value):
        API.ModelInput(name: input.name, unit: input.unit, constant: value, outlook: binding.outlook.word)
      }
    }
  }

  private func output(_ output: Int, _ run: ModelRun) -> API.ModelOutput {
    let binding = definition.outputs[output]
    let (mean, variance) = run.observer.estimate(output: output)
    let isKnown = run.forecast(of: output, horizon: 0) != nil
    return API.ModelOutput(
      name: definition.physics.outputs[output].name, point: id(binding.point), unit: unit(binding.point),
      estimate: isKnown
        ? API.Uncertain(
          value: binding.written(mean), stddev: binding.width(max(0, variance).squareRoot()), unit: unit(binding.point))
        : nil,
      forecasts: definition.horizons.indices.compactMap { forecast(output, $0, run) },
      innovation: run.innovations[output].map { innovation in
        API.ModelInnovation(
          unit: differenceUnit(binding.point), value: innovation.value / binding.scale,
          stddev: binding.width(max(0, innovation.variance).squareRoot()), normalised: innovation.normalised,
          accepted: innovation.isAccepted)
      }, refused: run.refusals[output]?.text)
  }

  private func forecast(_ output: Int, _ horizon: Int, _ run: ModelRun) -> API.ModelForecast? {
    guard let forecast = run.forecast(of: output, horizon: horizon), forecast.radius.isFinite else { return nil }
    let binding = definition.outputs[output]
    let ahead = Int64(definition.horizons[horizon]) * definition.stepNanoseconds
    let (mean, half) = (binding.written(forecast.mean), binding.width(forecast.radius))
    return API.ModelForecast(
      horizonS: Double(ahead) / 1e9, at: Timestamp(run.instant.advanced(byNanoseconds: ahead)), mean: mean,
      low: mean - half, high: mean + half)
  }

  private func parameter(_ index: Int, _ run: ModelRun) -> API.ModelParameter {
    let parameter = run.observer.model.parameters[index]
    let (steady, now) = (Self.interval(index, run.observer), Self.interval(index, run.adaptive))
    return API.ModelParameter(
      name: parameter.name, unit: parameter.unit, value: steady.value, low: steady.low, high: steady.high,
      prior: parameter.prior, identified: !run.adaptive.isParameterFrozen[index], now: now.value, nowLow: now.low,
      nowHigh: now.high, trace: run.parameterHistory(index).suffix(Self.traceDays).map { trace($0, run) })
  }

  private static func interval(_ parameter: Int, _ observer: JointObserver) -> (
    value: Double, low: Double, high: Double
  ) {
    let (at, order) = (observer.model.states.count + parameter, observer.mean.count)
    return spread(observer.mean[at], max(0, observer.covariance[at * order + at]).squareRoot())
  }

  /// Two standard deviations of the logarithm to either side.
  private static func spread(_ logarithm: Double, _ deviation: Double) -> (value: Double, low: Double, high: Double) {
    (
      Elementary.exp(logarithm), Elementary.exp(logarithm - 2 * deviation), Elementary.exp(logarithm + 2 * deviation)
    )
  }

  private func trace(_ day: (day: Int64, logarithm: Double, deviation: Double), _ run: ModelRun) -> API.ModelTrace {
    let (value, low, high) = Self.spread(day.logarithm, day.deviation)
    return API.ModelTrace(at: begin(of: day.day, run), value: value, low: low, high: high)
  }

  /// Days are counted in steps; the last step's time tells what the others are.
  private func begin(of day: Int64, _ run: ModelRun) -> Timestamp {
    let steps = day * definition.stepsPerDay - run.step
    return Timestamp(run.instant.advanced(byNanoseconds: steps * definition.stepNanoseconds))
  }

  private func biases(_ run: ModelRun) -> [API.ModelBias] {
    let (model, order) = (run.observer.model, run.observer.mean.count)
    return model.states.indices.filter { model.states[$0].isBias }.map { state in
      API.ModelBias(
        name: model.states[state].name, unit: model.states[state].unit, value: run.observer.mean[state],
        stddev: max(0, run.observer.covariance[state * order + state]).squareRoot())
    }
  }

  private func contender(_ role: String, _ run: ModelRun) -> API.ModelContender {
    API.ModelContender(
      role: role, version: run.version.number, candidate: Self.hex(run.version.candidate),
      manifest: Self.hex(run.version.manifest), parent: Self.hex(run.version.parent),
      calibrated: run.version.isCalibrated, learnedSteps: run.learned, scores: scores(run))
  }

  private func evidence(_ evidence: PairedEvidence) -> API.ModelEvidence {
    API.ModelEvidence(
      finding: evidence.finding.word, blocks: evidence.blocks,
      blockS: Double(evidence.block) * definition.stepSeconds, gain: evidence.blocks > 0 ? evidence.mean : nil,
      low: evidence.lowerBound, high: evidence.upperBound)
  }

  private func scores(_ run: ModelRun) -> [API.ModelScore] {
    definition.outputs.indices.flatMap { output in
      definition.horizons.indices.map { horizon in
        shown(
          run.score(output: output, horizon: horizon, lastDays: Self.scoreDays), output: output, horizon: horizon)
      }
    }
  }

  private func shown(_ score: ForecastScore, output: Int, horizon: Int) -> API.ModelScore {
    let binding = definition.outputs[output]
    return API.ModelScore(
      output: definition.physics.outputs[output].name, point: id(binding.point),
      horizonS: Double(definition.horizons[horizon]) * definition.stepSeconds, unit: differenceUnit(binding.point),
      count: score.count, rmse: score.rootMeanSquare.map(binding.width),
      persistenceRmse: score.persistence.map(binding.width), coverage: score.coverage,
      halfWidth: score.meanRadius.map(binding.width))
  }

  private func id(_ point: PointIndex) -> String { points[point.position].id }
  private func unit(_ point: PointIndex) -> String { points[point.position].unit }

  private func differenceUnit(_ point: PointIndex) -> String {
    UnitCode(ucum: unit(point))?.difference.ucum ?? unit(point)
  }

  /// The template at its priors was never handed over.
  private static func hex(_ digest: Digest) -> String? { digest == .zero ? nil : digest.hex }
}

extension PointBinding {
  /// What the point would show: `read` undone.
  func written(_ value: Double) -> Double { (value - offset) / scale }
  /// A width in the physics' unit as one in the point's.
  func width(_ value: Double) -> Double { value / scale.magnitude }
}

extension DriftResponse {
  var word: String {
    switch self {
    case .none: "none"
    case .widenIntervals: "widen_intervals"
    case .raiseProcessNoise: "raise_process_noise"
    case .recalibrateInShadow: "recalibrate_in_shadow"
    case .fallBack: "fall_back"
    }
  }
}

extension InputBinding.Outlook {
  var word: String {
    switch self {
    case .hold: "hold"
    case .yesterday: "yesterday"
    case .shifted: "shifted"
    }
  }
}

extension PairedEvidence.Finding {
  var word: String {
    switch self {
    case .open: "open"
    case .better: "better"
    case .notBetter: "not_better"
    }
  }
}
