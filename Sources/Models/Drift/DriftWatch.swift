public import TwinCore

/// Watches one model: whether its innovations keep mean and variance, whether its biases and parameters stay where they
/// were, and, once a watch is raised, what has changed.
///
/// A step is `read` or `refuse` for each output that has something, then `step`. An output without a reading adds
/// nothing to any watch: age is no evidence. All watches share one rate of false alarms.
public struct DriftWatch: Sendable, Equatable {
  public struct Settings: Sendable, Equatable {
    public var stepSeconds: Double
    /// Of the whole model, while nothing has changed.
    public var alarmsPerYear: Double
    /// Steps that teach what is usual, before anything is said.
    public var referenceSteps: Int
    /// Steps after those in which an alarm only hardens the watch that raised it; none where nothing is known of
    /// habits.
    public var trialSteps: Int
    /// Fresh steps after an alarm within which its cause is weighed.
    public var diagnosisSteps: Int
    /// Inputs that are commands or pass through an actuator, by position.
    public var actuators: [Int]

    public init(
      stepSeconds: Double, alarmsPerYear: Double = 0.1, referenceSteps: Int = 672, trialSteps: Int = 0,
      diagnosisSteps: Int = 16, actuators: [Int]
    ) {
      precondition(stepSeconds > 0 && alarmsPerYear > 0, "a step takes time and alarms are to be possible")
      precondition(referenceSteps >= 32 && diagnosisSteps >= 1, "a reference of 32 steps, a step of diagnosis")
      (self.stepSeconds, self.alarmsPerYear) = (stepSeconds, alarmsPerYear)
      precondition(trialSteps >= 0, "a trial of \(trialSteps) steps")
      (self.referenceSteps, self.trialSteps) = (referenceSteps, trialSteps)
      (self.diagnosisSteps, self.actuators) = (diagnosisSteps, actuators)
    }
  }

  static let secondsPerYear = 365.2425 * 86400
  /// Log-likelihood by which an explanation must lead to be taken before the time for it has passed.
  private static let clearLead = 5.0
  /// Steps of diagnosis before which nothing is decided.
  private static let diagnosisStepsMin = 4

  public let settings: Settings
  public private(set) var verdict = DriftVerdict.ok
  private var outputs: [OutputWatch]
  private var biases: [BiasWatch]
  private var parameters: [ParameterWatch]
  private var standing: [DriftRecord.Standing]
  private var record: DriftRecord
  private var refused: (cause: GarbageCause, output: Int)?
  private var hasAlarm = false
  private var diagnosed = 0
  private var onset = 0

  public init(_ model: BilinearModel, _ settings: Settings) {
    precondition(settings.actuators.allSatisfy(model.inputs.indices.contains), "actuators are inputs")
    self.settings = settings
    let signatures = FaultSignatures(model, actuators: settings.actuators)
    let watches = Double(2 * model.outputs.count + signatures.biases.count + model.parameters.count)
    // Every watch gets the same share of the alarms.
    let years = watches / settings.alarmsPerYear
    let steps = min(1e12, max(10, years * Self.secondsPerYear / settings.stepSeconds))
    outputs = model.outputs.map { _ in
      OutputWatch(runLength: steps, reference: settings.referenceSteps, trial: settings.trialSteps)
    }
    biases = signatures.biases.map { _ in BiasWatch(settings, years: years) }
    parameters = model.parameters.map { _ in ParameterWatch(settings, years: years) }
    standing = model.outputs.map { _ in DriftRecord.Standing() }
    record = DriftRecord(signatures, stepSeconds: settings.stepSeconds)
  }

  /// How near the nearest watch is to an alarm, 0 to 1.
  public var level: Double {
    max(outputs.map(\.level).max() ?? 0, biases.map(\.level).max() ?? 0, parameters.map(\.level).max() ?? 0)
  }

  /// The innovation of one output in this step, in the output's unit, with its variance as the filter has it.
  public mutating func read(output: Int, innovation: Double, variance: Double) {
    guard innovation.isFinite, variance.isFinite, variance > 0 else {
      return refuse(.nonFinite, output: output)
    }
    let deviation = variance.squareRoot()
    let isLearning = !isRaised
    let (whitened, outcome) = outputs[output].update(innovation / deviation, learns: isLearning)
    hasAlarm = hasAlarm || outcome == .alarm
    standing[output] = DriftRecord.Standing(
      isFresh: true, whitened: whitened, innovation: innovation, deviation: deviation)
  }

  /// What the output read in this step is no measurement, and was given to nobody.
  public mutating func refuse(_ cause: GarbageCause, output: Int) {
    outputs[output].skip()
    if refused == nil { refused = (cause, output) }
  }

  /// Whether something has been found, or is being weighed.
  var isRaised: Bool {
    switch verdict {
    case .suspect(.unexplained), .drift: true
    default: false
    }
  }

  /// Ends a step. `mean` and `covariance` are the observer's: n states and p logarithms, and (n + p)² numbers.
  public mutating func step(mean: [Double], covariance: [Double], inputs: [Double]) -> DriftVerdict {
    let isFresh = standing.contains { $0.isFresh }
    let isSound = mean.allSatisfy(\.isFinite) && inputs.allSatisfy(\.isFinite)
    defer { beginStep() }
    guard isFresh, isSound else {
      for output in outputs.indices { outputs[output].skip() }
      let garbage = refused.map { DriftEvidence.garbage($0.cause, output: $0.output) }
      verdict = verdict.following(stuckOutput() ?? garbage ?? .stale)
      return verdict
    }
    for output in outputs.indices where !standing[output].isFresh { outputs[output].skip() }
    record.append(mean: mean, inputs: inputs, standing: standing)
    watchStates(mean, covariance)
    verdict = verdict.following(stuckOutput() ?? evidence())
    return verdict
  }

  private mutating func beginStep() {
    for output in standing.indices { standing[output] = DriftRecord.Standing() }
    (refused, hasAlarm) = (nil, false)
  }

  /// A sensor that stands still needs no weighing.
  private func stuckOutput() -> DriftEvidence? {
    guard let refused, refused.cause == .constant else { return nil }
    return .found(.sensor(output: refused.output))
  }

  private mutating func watchStates(_ mean: [Double], _ covariance: [Double]) {
    let states = record.signatures.model.states.count
    let order = states + parameters.count
    for slot in biases.indices {
      let alarm = biases[slot].update(mean[record.signatures.biases[slot]], learns: !isRaised) == .alarm
      hasAlarm = hasAlarm || alarm
    }
    for index in parameters.indices {
      let variance = covariance[(states + index) * order + states + index]
      parameters[index].update(mean[states + index], variance: variance)
    }
  }

  private mutating func evidence() -> DriftEvidence {
    // What moved slowly and came first is the cause of what is seen fast.
    if let worn = parameters.indices.max(by: { parameters[$0].level < parameters[$1].level }),
      parameters[worn].level >= 1, verdict != .suspect(.unexplained)
    {
      return .found(.fouling(parameter: worn))
    }
    if verdict == .suspect(.unexplained) { return diagnosis() }
    if hasAlarm {
      (diagnosed, onset) = (0, record.onset(atLeast: 0))
      return .alarm
    }
    return refused.map { .garbage($0.cause, output: $0.output) } ?? .quiet
  }

  /// One more fresh step since the alarm.
  private mutating func diagnosis() -> DriftEvidence {
    diagnosed += 1
    onset = min(onset + 1, DriftRecord.window - 9)
    let isLast = diagnosed >= settings.diagnosisSteps
    guard isLast || diagnosed >= Self.diagnosisStepsMin else { return .quiet }
    let (kind, lead) = record.explanation(since: record.onset(atLeast: diagnosed))
    if isLast { return .found(kind ?? .regime) }
    guard let kind, kind != .regime, lead >= Self.clearLead else { return .quiet }
    return .found(kind)
  }

  /// The model was calibrated anew: what is usual is learnt again.
  public mutating func calibrated() { self = DriftWatch(record.signatures.model, settings) }

  /// Canonical form: version, verdict, refused output and cause as a verdict or null, steps of diagnosis, onset, then
  /// the watches and the record; only between steps, where nothing of a step is pending.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    verdict.encode(to: &writer)
    writer.integer(diagnosed)
    writer.integer(onset)
    writer.array(outputs.count)
    for watch in outputs { watch.encode(to: &writer) }
    writer.array(biases.count)
    for watch in biases { watch.encode(to: &writer) }
    writer.array(parameters.count)
    for watch in parameters { watch.encode(to: &writer) }
    record.encode(to: &writer)
  }

  public init(from reader: inout CanonicalReader, _ model: BilinearModel, _ settings: Settings) throws(CanonicalFault) {
    self.init(model, settings)
    try reader.structure(7, version: 1)
    verdict = try DriftVerdict(from: &reader)
    (diagnosed, onset) = (try reader.int(), try reader.int())
    guard diagnosed >= 0, (0..<DriftRecord.window).contains(onset) else {
      throw CanonicalFault("diagnosis of \(diagnosed) steps, onset \(onset)")
    }
    try Self.expect(outputs.count, &reader)
    for index in outputs.indices { outputs[index] = try OutputWatch(from: &reader, like: outputs[index]) }
    try Self.expect(biases.count, &reader)
    for index in biases.indices { biases[index] = try BiasWatch(from: &reader, like: biases[index]) }
    try Self.expect(parameters.count, &reader)
    for index in parameters.indices { parameters[index] = try ParameterWatch(from: &reader, like: parameters[index]) }
    record = try DriftRecord(from: &reader, record.signatures, stepSeconds: settings.stepSeconds)
  }

  private static func expect(_ count: Int, _ reader: inout CanonicalReader) throws(CanonicalFault) {
    let found = try reader.array()
    guard found == count else { throw CanonicalFault("\(found) watches where the model has \(count)") }
  }

  public static func == (a: Self, b: Self) -> Bool {
    a.settings == b.settings && a.verdict == b.verdict && a.outputs == b.outputs && a.biases == b.biases
      && a.parameters == b.parameters && a.standing == b.standing && a.record == b.record
      && a.refused?.cause == b.refused?.cause && a.refused?.output == b.refused?.output && a.hasAlarm == b.hasAlarm
      && a.diagnosed == b.diagnosed && a.onset == b.onset
  }
}
