import TwinCore

/// The innovations of one output: whitened, then watched for their mean and their variance.
struct OutputWatch: Sendable, Equatable {
  private var whitener: Whitener
  private var mean: MeanWatch
  private var variance: VarianceWatch
  /// Steps in which an alarm is a lesson: plants have habits that no threshold knows beforehand.
  private var trial: Int

  init(runLength: Double, reference: Int, trial: Int) {
    self.trial = trial
    // A season moves what is usual; four references long it is followed.
    whitener = Whitener(reference: reference, horizon: 4 * reference)
    mean = MeanWatch(runLength: runLength)
    variance = VarianceWatch(runLength: runLength)
  }

  var level: Double { max(mean.level, variance.level) }

  mutating func update(_ normalised: Double, learns: Bool) -> (whitened: Double, outcome: WatchOutcome) {
    guard let white = whitener.whiten(normalised, learns: learns) else { return (0, .quiet) }
    let (shift, spread) = (mean.update(white), variance.update(white))
    guard trial == 0 else {
      trial -= 1
      if shift == .alarm { mean.harden() }
      if spread == .alarm { variance.harden() }
      return (white, .quiet)
    }
    return (white, shift == .alarm || spread == .alarm ? .alarm : .quiet)
  }

  mutating func skip() { whitener.skip() }

  func encode(to writer: inout CanonicalWriter) {
    whitener.encode(to: &writer)
    mean.encode(to: &writer)
    variance.encode(to: &writer)
    writer.integer(trial)
  }

  init(from reader: inout CanonicalReader, like watch: OutputWatch) throws(CanonicalFault) {
    whitener = try Whitener(from: &reader)
    mean = try MeanWatch(from: &reader)
    variance = try VarianceWatch(from: &reader)
    trial = try reader.int()
    guard trial >= 0 else { throw CanonicalFault("a trial of \(trial) steps") }
    guard mean.runLength == watch.mean.runLength, variance.runLength == watch.variance.runLength else {
      throw CanonicalFault("run length \(mean.runLength) where the settings make \(watch.mean.runLength)")
    }
  }
}

/// The mean of a slow signal over one day after another: between days little is remembered, and a day's shape is gone.
struct DayMean: Sendable, Equatable {
  let steps: Int
  private var sum = 0.0
  private var count = 0

  init(stepSeconds: Double) { steps = max(1, Int((86400 / stepSeconds).nearestInteger)) }

  /// The day's mean, in its last step.
  mutating func add(_ value: Double) -> Double? {
    sum += value
    count += 1
    guard count >= steps else { return nil }
    defer { (sum, count) = (0, 0) }
    return sum / Double(count)
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.double(sum)
    writer.integer(count)
  }

  init(from reader: inout CanonicalReader, like day: DayMean) throws(CanonicalFault) {
    steps = day.steps
    (sum, count) = (try reader.double(), try reader.int())
    guard sum.isFinite, (0..<max(1, steps)).contains(count) else {
      throw CanonicalFault("day of \(count) steps, sum \(sum)")
    }
  }
}

/// What the physics leaves out, day by day: a disturbance that comes too slowly for the innovations.
struct BiasWatch: Sendable, Equatable {
  private static let referenceDays = 14
  private static let horizonDays = 90

  private var day: DayMean
  private var whitener = Whitener(reference: referenceDays, horizon: horizonDays)
  private var mean: MeanWatch
  /// Days, as the steps of `OutputWatch`.
  private var trial: Int

  init(_ settings: DriftWatch.Settings, years: Double) {
    day = DayMean(stepSeconds: settings.stepSeconds)
    trial = settings.trialSteps / day.steps
    let seconds = Double(day.steps) * settings.stepSeconds
    mean = MeanWatch(runLength: min(1e12, max(10, years * DriftWatch.secondsPerYear / seconds)))
  }

  var level: Double { mean.level }

  mutating func update(_ value: Double, learns: Bool) -> WatchOutcome {
    guard let daily = day.add(value), let white = whitener.whiten(daily, learns: learns) else { return .quiet }
    let outcome = mean.update(white)
    guard trial == 0 else {
      trial -= 1
      if outcome == .alarm { mean.harden() }
      return .quiet
    }
    return outcome
  }

  func encode(to writer: inout CanonicalWriter) {
    day.encode(to: &writer)
    whitener.encode(to: &writer)
    mean.encode(to: &writer)
    writer.integer(trial)
  }

  init(from reader: inout CanonicalReader, like watch: BiasWatch) throws(CanonicalFault) {
    day = try DayMean(from: &reader, like: watch.day)
    whitener = try Whitener(from: &reader)
    mean = try MeanWatch(from: &reader)
    trial = try reader.int()
    guard trial >= 0 else { throw CanonicalFault("a trial of \(trial) days") }
    guard mean.runLength == watch.mean.runLength else {
      throw CanonicalFault("run length \(mean.runLength) where the settings make \(watch.mean.runLength)")
    }
  }
}

/// A parameter's daily mean against where it was calibrated, in the standard deviations of the calibration.
///
/// An estimate wanders with a memory of about a month, so that a year is as many chances to stray as it has months.
struct ParameterWatch: Sendable, Equatable {
  private static let monthsPerYear = 12.0
  /// Smaller deviations of ln θ are nobody's concern, however well it is known.
  private static let deviationMin = 0.01

  /// Standard deviations that are let be.
  let bound: Double
  private var day: DayMean
  private var origin = 0.0
  private var deviation = 0.0
  private(set) var level = 0.0
  /// Steps in which the estimate finds its place after a calibration.
  private var trial: Int
  /// Days in a row beyond the bound, and how many make fouling: a week of odd weather is none.
  private var beyond = 0
  private let beyondMin: Int

  init(_ settings: DriftWatch.Settings, years: Double) {
    day = DayMean(stepSeconds: settings.stepSeconds)
    trial = settings.trialSteps
    beyondMin = settings.trialSteps > 0 ? 14 : 1
    bound = Self.bound(chance: min(0.5, 1 / (Self.monthsPerYear * years)))
  }

  /// The c beyond which a normal value lies with this chance, on both sides together, from Q(c) ≤ φ(c)/c.
  static func bound(chance: Double) -> Double {
    var c = 2.0
    for _ in 0..<32 { c = max(1, 2 * Elementary.log(2 / (chance * c * 2.5066282746310002))).squareRoot() }
    return c
  }

  mutating func update(_ logarithm: Double, variance: Double) {
    trial = max(0, trial - 1)
    if deviation == 0 || trial > 0 {
      origin = logarithm
      deviation = max(Self.deviationMin, (variance.isFinite ? max(0, variance) : 0).squareRoot())
    }
    guard let daily = day.add(logarithm) else { return }
    let distance = (daily - origin).magnitude / (deviation * bound)
    beyond = distance >= 1 ? beyond + 1 : 0
    level = beyond >= beyondMin ? 1 : min(0.99, distance)
  }

  func encode(to writer: inout CanonicalWriter) {
    day.encode(to: &writer)
    for value in [origin, deviation, level] { writer.double(value) }
    writer.integer(trial)
    writer.integer(beyond)
  }

  init(from reader: inout CanonicalReader, like watch: ParameterWatch) throws(CanonicalFault) {
    bound = watch.bound
    day = try DayMean(from: &reader, like: watch.day)
    beyondMin = watch.beyondMin
    (origin, deviation, level) = (try reader.double(), try reader.double(), try reader.double())
    (trial, beyond) = (try reader.int(), try reader.int())
    guard trial >= 0, beyond >= 0 else { throw CanonicalFault("a trial of \(trial) steps, \(beyond) days beyond") }
    guard origin.isFinite, deviation >= 0, deviation.isFinite, (0...1).contains(level) else {
      throw CanonicalFault("parameter watch at \(origin) ± \(deviation), level \(level)")
    }
  }
}
