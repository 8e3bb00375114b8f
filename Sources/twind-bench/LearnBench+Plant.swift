import Calibration
import Models
import TwinCore

/// What learning comes to on a plant that somebody else modelled: figures of a fortnight and of a quarter.
enum PlantBench {
  private static let day = 96
  static let calibrationDays = 10
  /// Steps for which the worst stretch of coverage is told.
  private static let window = 500

  static func run(pack: String, point: String, fortnight path: String, quarter: String) throws {
    let model = try PlantModel(pack: pack, showing: point)
    let fortnight = try PlantRecord(path, of: model)
    try forecasts(model, fortnight, output: model.output(point))
    try onboarding(pack: pack, point: point, path)
    try coverage(model, try PlantRecord(quarter, of: model), output: model.output(point))
  }

  /// Calibrates on so many first days.
  static func calibrate(_ model: PlantModel, _ record: PlantRecord, _ rows: Range<Int>) throws -> CalibrationResult {
    let table = record.table(rows, model.definition)
    var calibration = Calibration(CalibrationProblem(model.definition.physics, table))
    var rounds = 0
    while !calibration.isDone {
      calibration.advance()
      rounds += 1
      guard rounds < 10_000 else { throw BenchFault("a calibration without end") }
    }
    guard let result = calibration.result else { throw BenchFault("a calibration without result") }
    return result
  }

  static func begun(_ definition: ModelDefinition, _ result: CalibrationResult) -> ModelRun {
    var run = ModelRun(definition, physics: result.model)
    run.begin(
      result.model, logParameters: result.logParameters, covariance: result.covariance,
      isIdentified: result.findings.map(\.isIdentified))
    return run
  }

  /// Ten days teach, the last four are scored: root mean squares at 15 min, 1 h and 6 h with inputs known, for the
  /// model and beside it for peers that see the same rows.
  private static func forecasts(_ model: PlantModel, _ record: PlantRecord, output: Int) throws {
    let definition = model.definition
    var result: CalibrationResult?
    let spent = try Spent.by { result = try calibrate(model, record, 0..<12 * day) }
    print(Figure("learn.calibration_12d_cpu_s", spent.cpuSeconds, "s", .atMost(20)))
    result = try calibrate(model, record, 0..<calibrationDays * day)
    guard let result else { return }
    var run = begun(definition, result)
    tell(result)
    var sample = ModelSample(inputs: definition.inputs.count, outputs: definition.outputs.count)
    var plan = Array(repeating: 0.0, count: (definition.horizons.last ?? 1) * definition.inputs.count)
    var watch = Onlooker(definition, result)
    for row in 0..<record.count {
      record.sample(row, definition, into: &sample)
      record.plan(after: row, definition, into: &plan)
      run.step(sample, definition, plan: plan)
      if ProcessFacts.isVerbose { watch.see(run, sample, record, definition, output) }
    }
    watch.tell()
    if ProcessFacts.isVerbose { print("# trust \(run.learners.map(\.trust)), verdict \(run.drift.verdict)") }
    let peer = Autoregression.errors(record, model, output: output, from: calibrationDays * day)
    for (place, (horizon, goal)) in zip(definition.horizons, [0.10, 0.14, 0.35]).enumerated() {
      let score = run.daily(output: output, horizon: place).filter { $0.day >= Int64(calibrationDays) }
        .reduce(ForecastScore()) { $0 + $1.score }
      guard let error = score.rootMeanSquare, let stayed = score.persistence else { throw BenchFault("nothing scored") }
      let name = "learn.rmse_k.\(["15min", "1h", "6h"][place])"
      print(Figure(name, error, "K", .atMost(goal), peers: ["arx_rls": peer[place], "persistence": stayed]))
      print(Figure("\(name).steps", Double(horizon), "", .none))
    }
  }

  /// For people who look into it.
  static func tell(_ result: CalibrationResult) {
    guard ProcessFacts.isVerbose else { return }
    for finding in result.findings {
      print(
        "# \(finding.name) \(finding.value) \(finding.low)…\(finding.high) \(finding.deviation)/\(finding.priorDeviation)"
          + (finding.isIdentified ? "" : " not identified"))
    }
    print("# skill \(result.skill), \(result.problems()), \(result.remarks())")
    print("# mean square \(result.meanSquare), \(result.iterations) iterations, -ln L \(result.negativeLogLikelihood)")
  }

  /// From point list and ten days to a model that has been held against days it did not see; all by the wall's clock.
  private static func onboarding(pack: String, point: String, _ path: String) throws {
    var skill = 0.0
    let spent = try Spent.by {
      let model = try PlantModel(pack: pack, showing: point)
      let record = try PlantRecord(path, of: model)
      let result = try calibrate(model, record, 0..<(calibrationDays - 2) * day)
      var run = begun(model.definition, result)
      var sample = ModelSample(inputs: model.definition.inputs.count, outputs: model.definition.outputs.count)
      for row in 0..<calibrationDays * day {
        record.sample(row, model.definition, into: &sample)
        run.step(sample, model.definition)
      }
      let score = run.score(output: model.output(point), horizon: 0, lastDays: 2)
      guard let error = score.rootMeanSquare, let stayed = score.persistence else { throw BenchFault("nothing scored") }
      skill = 1 - error / stayed
    }
    print(Figure("learn.onboarding_min", spent.wallSeconds / 60, "min", .atMost(30)))
    print(Figure("learn.onboarding_skill_percent", 100 * skill, "%", .none))
  }

  /// One step ahead over a quarter, scored from the eleventh day on.
  private static func coverage(_ model: PlantModel, _ record: PlantRecord, output: Int) throws {
    let definition = model.definition
    var run = begun(definition, try calibrate(model, record, 0..<calibrationDays * day))
    var sample = ModelSample(inputs: definition.inputs.count, outputs: definition.outputs.count)
    var plan = Array(repeating: 0.0, count: (definition.horizons.last ?? 1) * definition.inputs.count)
    var hits: [Bool] = []
    var width = 0.0
    let spent = Spent.by {
      for row in 0..<record.count {
        let issued = run.forecast(of: output, horizon: 0)
        record.sample(row, definition, into: &sample)
        record.plan(after: row, definition, into: &plan)
        run.step(sample, definition, plan: plan)
        guard row >= calibrationDays * day, let issued, sample.outputs[output].isFinite else { continue }
        hits.append((sample.outputs[output] - issued.mean).magnitude <= issued.radius)
        width += 2 * issued.radius
      }
    }
    guard hits.count > window else { throw BenchFault("\(hits.count) steps for coverage") }
    var inside = hits.prefix(window).count { $0 }
    var worst = inside
    for step in window..<hits.count {
      inside += (hits[step] ? 1 : 0) - (hits[step - window] ? 1 : 0)
      worst = min(worst, inside)
    }
    let whole = 100 * Double(hits.count { $0 }) / Double(hits.count)
    print(Figure("learn.plant_coverage90_percent", whole, "%", .atLeast(89.5)))
    print(Figure("learn.plant_coverage90_over_percent", whole, "%", .atMost(90.5)))
    print(Figure("learn.plant_coverage90_worst500_percent", 100 * Double(worst) / Double(window), "%", .atLeast(86)))
    print(Figure("learn.plant_interval90_width_k", width / Double(hits.count), "K", .none))
    print(Figure("learn.run_step_us", spent.cpuSeconds * 1e6 / Double(record.count), "us", .none))
  }
}

/// A linear autoregression with the model's inputs that learns as it goes: what a system identification toolbox does.
enum Autoregression {
  private static let lags = 4

  /// Root mean squares at the model's horizons, of forecasts issued with the inputs known.
  static func errors(_ record: PlantRecord, _ model: PlantModel, output: Int, from first: Int) -> [Double] {
    let definition = model.definition
    let inputs = definition.inputs.count
    let rows = (0..<record.count).map { row in
      definition.inputs.indices.map { record.input($0, at: row, definition) }
    }
    let values = (0..<record.count).map { record.output(output, at: $0, definition) }
    let (centre, scale) = standard(rows.dropFirst().prefix(first), inputs)
    func regressor(_ past: [Double], to row: Int) -> [Double] {
      let now = (0..<inputs).map { (rows[row][$0] - centre[$0]) / scale[$0] }
      let before = (0..<inputs).map { (rows[row - 1][$0] - centre[$0]) / scale[$0] }
      return past.map { ($0 - values[1]) / 10 } + now + before + [1]
    }
    var regression = RecursiveRegression(order: lags + 2 * inputs + 1, priorVariance: 1000, forgetting: 0.9995)
    let longest = definition.horizons.last ?? 1
    var squares = definition.horizons.map { _ in 0.0 }
    var counts = definition.horizons.map { _ in 0 }
    for row in lags + 1..<record.count {
      let past = (1...lags).map { values[row - $0] }
      unsafe regressor(past, to: row).withUnsafeBufferPointer {
        _ = unsafe regression.learn($0, values[row] - values[row - 1])
      }
      var ahead = (0..<lags).map { values[row - $0] }
      for step in 1...longest where row + step < record.count {
        let next =
          unsafe ahead[0]
          + regressor(ahead, to: row + step).withUnsafeBufferPointer { unsafe regression.predict($0) }
        ahead = [next] + ahead.dropLast()
        guard let place = definition.horizons.firstIndex(of: step), row + step >= first else { continue }
        squares[place] += (next - values[row + step]) * (next - values[row + step])
        counts[place] += 1
      }
    }
    return zip(squares, counts).map { ($0 / Double(max(1, $1))).squareRoot() }
  }

  private static func standard(_ rows: ArraySlice<[Double]>, _ inputs: Int) -> (centre: [Double], scale: [Double]) {
    let count = Double(rows.count)
    let centre = (0..<inputs).map { input in rows.reduce(0) { $0 + $1[input] } / count }
    let scale = (0..<inputs).map { input in
      let variance = rows.reduce(0) { $0 + ($1[input] - centre[input]) * ($1[input] - centre[input]) } / count
      return variance > 1e-12 ? variance.squareRoot() : 1
    }
    return (centre, scale)
  }
}

/// What people want to know of a run that does worse than it should: its verdicts, its refusals, and how the bare
/// physics would have done, with nothing learned and nothing widened.
private struct Onlooker {
  private var verdicts: [String] = []
  private var refusals: [String: Int] = [:]
  private var observer: JointObserver
  private var isSettled = false
  /// By horizon and row: forecasts of the bare physics.
  private var issued: [[Int: Double]]
  private var squares: [Double]
  private var counts: [Int]

  init(_ definition: ModelDefinition, _ result: CalibrationResult) {
    observer = JointObserver(result.model, logParameters: result.logParameters, covariance: result.covariance)
    observer.isParameterFrozen = Array(repeating: true, count: result.model.parameters.count)
    issued = definition.horizons.map { _ in [:] }
    squares = definition.horizons.map { _ in 0 }
    counts = definition.horizons.map { _ in 0 }
  }

  mutating func see(
    _ run: ModelRun, _ sample: ModelSample, _ record: PlantRecord, _ definition: ModelDefinition, _ output: Int
  ) {
    let row = Int(sample.step)
    let verdict = run.drift.verdict.word
    if !(verdicts.last ?? "").hasSuffix(verdict) { verdicts.append("\(row) \(verdict)") }
    for (place, refusal) in run.refusals.enumerated() {
      if let refusal { refusals["\(place) \(refusal.text)", default: 0] += 1 }
    }
    for place in issued.indices {
      guard let forecast = issued[place].removeValue(forKey: row), row >= 960 else { continue }
      squares[place] += (forecast - sample.outputs[output]) * (forecast - sample.outputs[output])
      counts[place] += 1
    }
    if isSettled {
      _ = unsafe sample.inputs.withUnsafeBufferPointer {
        unsafe observer.predict($0, seconds: definition.stepSeconds)
      }
    }
    guard sample.inputs.allSatisfy(\.isFinite) else { return }
    for (index, value) in sample.outputs.enumerated() {
      if isSettled {
        observer.update(output: index, value: value)
      } else {
        observer.settle(output: index, value: value)
      }
    }
    isSettled = true
    let (longest, outputs) = (definition.horizons.last ?? 1, definition.outputs.count)
    var plan = Array(repeating: 0.0, count: longest * definition.inputs.count)
    record.plan(after: row, definition, into: &plan)
    var means = Array(repeating: 0.0, count: longest * outputs)
    var variances = means
    _ = unsafe plan.withUnsafeBufferPointer {
      unsafe observer.forecast(
        steps: longest, inputs: $0, seconds: definition.stepSeconds, means: &means, variances: &variances)
    }
    for (place, horizon) in definition.horizons.enumerated() {
      issued[place][row + horizon] = means[(horizon - 1) * outputs + output]
    }
  }

  func tell() {
    guard ProcessFacts.isVerbose else { return }
    print("# verdicts \(verdicts.prefix(12)), refused \(refusals.sorted { $0.key < $1.key }.prefix(12))")
    print("# bare physics \(zip(squares, counts).map { ($0 / Double(max(1, $1))).squareRoot() })")
  }
}
