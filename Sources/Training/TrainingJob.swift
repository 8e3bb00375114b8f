import Calibration
public import Harnesses
public import Models
public import TwinCore

/// A model's training as a value: calibrate on the fitted part of a history, then run model and champion over all of it
/// and compare them on the part kept apart.
///
/// Advanced step by step, saved and resumed at any point: the same model, history, champion and settings give the same
/// bits, however often it was interrupted. No clock, no file.
public struct TrainingJob: Sendable {
  public enum Phase: String, Sendable {
    case calibrating
    case proving
    case done
  }

  public struct Progress: Sendable, Equatable {
    public var phase: Phase
    /// Of the whole training, 0 to 1.
    public var share: Double
    /// −ln posterior so far.
    public var cost: Double
  }

  public let model: ModelDefinition
  public let history: ModelHistory
  public let champion: ModelRun?
  public let settings: TrainingSettings
  let split: TrainingSplit
  private var calibration: Calibration
  private var proof: HeldOutProof?
  private var isDone = false

  /// Samples to one advance while proving.
  private static let stride = 64
  /// Of the whole, what calibrating takes.
  private static let calibratingShare = 0.8

  /// - Parameter champion: The run at work, as it stands; nil where only the template is.
  public init(
    _ model: ModelDefinition, _ history: ModelHistory, champion: ModelRun?, _ settings: TrainingSettings
  ) throws(TrainingFault) {
    (self.model, self.history, self.champion, self.settings) = (model, history, champion, settings)
    split = try TrainingSplit(history, model, share: settings.heldOutShare)
    let table = history.split(at: split.fitted).before.table(model)
    calibration = Calibration(CalibrationProblem(model.physics, table), settings.calibration)
  }

  /// What it depends on: a saved state goes on with the same alone.
  public func identity(hash: Hash) -> Digest {
    var writer = CanonicalWriter(reservingBytes: 1 << 16)
    writer.digest(hash(model.shape))
    model.physics.encode(to: &writer)
    writer.digest(history.digest)
    settings.encode(to: &writer)
    champion?.encode(to: &writer)
    return hash(writer.bytes)
  }

  public var progress: Progress {
    let share = Self.calibratingShare
    guard let proof else {
      return Progress(phase: .calibrating, share: share * calibration.progress, cost: calibration.cost)
    }
    let proved = Double(proof.seen) / Double(max(1, history.samples.count))
    return Progress(
      phase: isDone ? .done : .proving, share: isDone ? 1 : share + (1 - share) * proved, cost: calibration.cost)
  }

  /// One iteration of the calibration, or some steps of the proof; a fraction of a second to a few.
  @discardableResult
  public mutating func advance() throws(TrainingFault) -> Progress {
    if !calibration.isDone {
      calibration.advance()
    } else if proof == nil {
      proof = try begin()
    } else if let seen = proof?.seen, seen < history.samples.count {
      for sample in history.samples[seen..<min(seen + Self.stride, history.samples.count)] {
        proof?.take(sample, isHeldOut: sample.step >= split.heldOutDay * model.stepsPerDay, model)
      }
    } else {
      isDone = true
    }
    return progress
  }

  private func begin() throws(TrainingFault) -> HeldOutProof {
    guard let result = calibration.result else {
      throw TrainingFault(
        .noFit, "no start of the calibration of model \(model.id) could run it over its history",
        remedy: "look at its priors and the units of its points: twinctl pack check --models")
    }
    var run = ModelRun(model)
    run.begin(
      result.model, logParameters: result.logParameters, covariance: result.covariance,
      isIdentified: result.findings.map(\.isIdentified))
    return HeldOutProof(candidate: run, champion: champion?.rewound(model) ?? ModelRun(model), model)
  }

  /// What came of it; nil before it is done.
  public func product() -> TrainingProduct? {
    guard isDone, let proof, let result = calibration.result else { return nil }
    return TrainingProduct(self, result, proof)
  }

  /// What an interrupted training goes on from. The proof is short, and is made anew.
  public func encode(to writer: inout CanonicalWriter) { calibration.encode(to: &writer) }

  /// Goes on where `encode` left it, with the same model, history, champion and settings.
  public mutating func resume(from reader: inout CanonicalReader) throws(CanonicalFault) {
    calibration = try Calibration(calibration.problem, settings.calibration, resuming: &reader)
    (proof, isDone) = (nil, false)
  }
}
