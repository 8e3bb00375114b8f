public import LinearAlgebra
public import TwinCore

/// Where a model's numbers come from.
public struct ModelVersion: Sendable, Equatable {
  /// Counts the models that a site has taken up; 0 is the template at its priors.
  public var number: Int64
  /// Of the candidate as it was handed over; zero for the template at its priors.
  public var candidate: Digest
  /// Of the manifest that says what it was trained on, with what, and how it did.
  public var manifest: Digest
  /// The candidate of the version that it was trained to replace.
  public var parent: Digest

  public init(
    number: Int64 = 0, candidate: Digest = .zero, manifest: Digest = .zero, parent: Digest = .zero
  ) {
    (self.number, self.candidate, self.manifest, self.parent) = (number, candidate, manifest, parent)
  }

  /// Whether it has been fitted to data at all.
  public var isCalibrated: Bool { candidate != .zero }
}

/// Two forecasters of one thing, by their mean squared errors as issued.
struct Rivalry: Sendable, Equatable {
  var steady = 0.0
  var adaptive = 0.0
  var count: Int64 = 0

  /// Forecasts scored before the adaptive one may carry.
  static let scoredMin: Int64 = 192

  var prefersAdaptive: Bool { count >= Self.scoredMin && adaptive < 0.95 * steady }
  /// It has lost its way.
  var isAdaptiveLost: Bool { count >= 24 && adaptive > 4 * steady }

  mutating func add(steady: Double, adaptive: Double) {
    count += 1
    let part = max(0.005, 1 / Double(count))
    // One outlier counts for at most what nine usual ones do.
    let bound = count > 24 ? 9 * max(self.steady, self.adaptive) : .infinity
    self.steady += part * (min(bound, steady * steady) - self.steady)
    self.adaptive += part * (min(bound, adaptive * adaptive) - self.adaptive)
  }
}

/// One model at work: an observer, what it learned beside the physics, its intervals, its forecasts and its scores.
///
/// A pure value that is stepped by samples: the kernel runs it live and in shadow, training runs it over history, a
/// counterfactual over what was not. The same samples give the same bits. Nothing is allocated per step.
public struct ModelRun: Sendable, Equatable {
  public var version = ModelVersion()
  /// Whether its numbers come from data. The bare template forecasts, and nothing is held against it.
  public internal(set) var isFitted = false
  /// Follows the states; its parameters are those of the calibration.
  public internal(set) var observer: JointObserver
  /// Follows states and parameters. Its forecasts are taken where they have proved better; what its parameters do is
  /// watched. A joint filter may lose its way under a controller it has not seen, so it never carries a forecast alone.
  public internal(set) var adaptive: JointObserver
  /// By output and horizon: mean squared errors as issued of the steady forecast with its correction, and of the
  /// adaptive one.
  var rivals: [Rivalry]
  /// By output and horizon.
  public internal(set) var learners: [ResidualLearner]
  /// By output and horizon.
  public internal(set) var trackers: [QuantileTracker]
  public internal(set) var drift: DriftWatch
  /// By output: what is usual of the shortest forecast's errors.
  var moveScales: [MoveScale]
  /// What is done about the drift at present.
  public internal(set) var ladder: ResponseLadder
  /// Of outputs, then of inputs.
  var screen: GarbageScreen
  /// By output, then by input: why this step's reading was kept out; nil where it was not.
  public internal(set) var refusals: [GarbageCause?]
  /// The step of the last sample; -1 before the first.
  public internal(set) var step: Int64 = -1
  public internal(set) var instant = Instant.distantPast
  /// Steps that brought at least one reading that was taken in.
  public internal(set) var learned: Int64 = 0
  /// By output: how this step's reading differed from what was expected; nil where none was taken in.
  public internal(set) var innovations: [Innovation?]
  /// By output and horizon: this step's squared error of the forecast that was issued for it; NaN where there was none.
  public internal(set) var squaredErrors: [Double]
  var book: ForecastBook
  var memory: InputMemory
  var trace: ParameterTrace
  var regressors: RegressorBook
  /// By output: whether a first reading has placed its state.
  var isSettled: [Bool]
  /// Steps that passed while nobody stepped it.
  var pendingGap: Int64 = 0
  /// By output: the normalised innovations of the last two steps, youngest first.
  var recent: [Double]
  var scratch: Scratch

  /// Allocated once; carries nothing from one step to the next.
  struct Scratch: Sendable, Equatable {
    var inputs: [Double]
    /// By step ahead, from the present one on, and input.
    var ahead: [Double]
    /// By step ahead and output.
    var means: [Double]
    var variances: [Double]
    var adaptiveMeans: [Double]
    var adaptiveVariances: [Double]
    /// The steady states beside the adaptive parameters, as the watch sees them.
    var watched: [Double]
    var features: [Double]
    var outputs: [Double]
  }

  /// - Parameter physics: another than the definition's own, over the same inputs and outputs: what a candidate brings
  ///   when the data bear a smaller or a larger one.
  public init(_ definition: ModelDefinition, physics other: BilinearModel? = nil) {
    let physics = other ?? definition.physics
    let (outputs, inputs) = (physics.outputs.count, physics.inputs.count)
    let cells = outputs * definition.horizons.count
    let longest = definition.horizons.last ?? 1
    let day = Int(definition.stepsPerDay)
    let features = Regressors.count(of: physics)
    observer = JointObserver(physics)
    adaptive = observer
    observer.isParameterFrozen = Array(repeating: true, count: physics.parameters.count)
    rivals = Array(repeating: Rivalry(), count: cells)
    learners = (0..<cells).map {
      ResidualLearner(ResidualLearner.Settings(seed: UInt64($0) + 1), inputs: features)
    }
    trackers = (0..<cells).map {
      QuantileTracker(
        level: 0.9, ahead: min(QuantileTracker.aheadMax, definition.horizons[$0 % definition.horizons.count]))
    }
    drift = DriftWatch(physics, definition.driftSettings)
    moveScales = Array(repeating: MoveScale(), count: outputs)
    ladder = ResponseLadder(stepsPerRung: day)
    screen = GarbageScreen(points: outputs + inputs)
    refusals = Array(repeating: nil, count: outputs + inputs)
    innovations = Array(repeating: nil, count: outputs)
    squaredErrors = Array(repeating: .nan, count: cells)
    book = ForecastBook(outputs: outputs, horizons: definition.horizons, stepsPerDay: day)
    memory = InputMemory(inputs: inputs, stepsPerDay: day)
    trace = ParameterTrace(parameters: physics.parameters.count, stepsPerDay: day)
    regressors = RegressorBook(cells: cells, features: features, depth: longest + 1)
    isSettled = Array(repeating: false, count: outputs)
    recent = Array(repeating: 0, count: 2 * outputs)
    scratch = Scratch(
      inputs: Array(repeating: .nan, count: inputs),
      ahead: Array(repeating: 0, count: (longest + 1) * inputs), means: Array(repeating: 0, count: longest * outputs),
      variances: Array(repeating: 0, count: longest * outputs),
      adaptiveMeans: Array(repeating: 0, count: longest * outputs),
      adaptiveVariances: Array(repeating: 0, count: longest * outputs), watched: observer.mean,
      features: Array(repeating: 0, count: features),
      outputs: Array(repeating: .nan, count: outputs))
  }

  /// Starts both filters at what a calibration found. `isIdentified` says of which parameters the data told something;
  /// the others stay where they are.
  public mutating func begin(_ model: BilinearModel, logParameters: [Double], covariance: Matrix, isIdentified: [Bool])
  {
    observer = JointObserver(model, logParameters: logParameters, covariance: covariance)
    adaptive = observer
    observer.isParameterFrozen = Array(repeating: true, count: model.parameters.count)
    adaptive.isParameterFrozen = isIdentified.map { !$0 }
    isFitted = true
  }

  /// Whether decisions may rest on it.
  public var isTrusted: Bool { isFitted && ladder.response < .fallBack }

  /// What was forecast last for `horizons[horizon]` steps ahead; nil before the model is settled.
  public func forecast(of output: Int, horizon: Int) -> Forecast? {
    book.latest(output: output, horizon: horizon, at: step)
  }

  /// Days by number (steps over steps a day), youngest last.
  public func daily(output: Int, horizon: Int) -> [(day: Int64, score: ForecastScore)] {
    book.daily(output: output, horizon: horizon)
  }

  public func score(output: Int, horizon: Int, lastDays days: Int = 7) -> ForecastScore {
    book.total(output: output, horizon: horizon, lastDays: days)
  }

  /// Over all outputs, of the shortest horizon; nil before anything was scored.
  public func coverage(lastDays days: Int) -> Double? {
    (0..<book.outputs).map { book.total(output: $0, horizon: 0, lastDays: days) }
      .reduce(ForecastScore(), +).coverage
  }

  /// The value of a parameter day by day, youngest last, with the standard deviation of its logarithm.
  public func parameterHistory(_ parameter: Int) -> [(day: Int64, logarithm: Double, deviation: Double)] {
    trace.daily(parameter)
  }

  /// What is fingerprinted of it each step.
  public func encodeBelief(to writer: inout CanonicalWriter) {
    writer.integer(step)
    writer.doubles(observer.mean)
    // From the book, which a checkpoint has: several ticks may have the instant of one step.
    for output in 0..<book.outputs {
      for horizon in book.horizons.indices {
        writer.double(book.latest(output: output, horizon: horizon, at: step)?.mean ?? .nan)
      }
    }
  }
}
