public import Calibration
import Harnesses
public import Models
public import Provenance
import Sodium
public import TwinCore

/// How the candidate did on the part of the history that it was not fitted to: one output, one horizon.
public struct HeldOutScore: Sendable, Equatable {
  public var output: String
  public var unit: String
  /// Seconds ahead.
  public var aheadSeconds: Double
  public var candidate: ForecastScore
  public var champion: ForecastScore
}

/// A trained model, before it is signed.
public struct TrainingProduct: Sendable {
  public let model: ModelDefinition
  public let result: CalibrationResult
  /// Champion against candidate, on the part kept apart.
  public let evidence: PairedEvidence
  public let scores: [HeldOutScore]
  public let window: Range<Instant>
  public let heldOutSteps: Int
  let run: ModelRun
  let parent: ModelVersion
  let settings: TrainingSettings
  let history: Digest

  init(_ job: TrainingJob, _ result: CalibrationResult, _ proof: HeldOutProof) {
    let model = job.model
    (self.model, self.result, evidence, run) = (model, result, proof.evidence, proof.candidate)
    (window, settings, history) = (job.history.window, job.settings, job.history.digest)
    parent = job.champion?.version ?? ModelVersion()
    heldOutSteps = job.history.samples.count - job.split.fitted
    let day = job.split.heldOutDay
    func score(_ run: ModelRun, _ output: Int, _ horizon: Int) -> ForecastScore {
      run.daily(output: output, horizon: horizon).filter { $0.day >= day }.reduce(ForecastScore()) { $0 + $1.score }
    }
    scores = model.physics.outputs.enumerated().flatMap { output, port in
      model.horizons.enumerated().map { place, steps in
        HeldOutScore(
          output: port.name, unit: port.unit, aheadSeconds: Double(steps) * model.stepSeconds,
          candidate: score(proof.candidate, output, place), champion: score(proof.champion, output, place))
      }
    }
  }

  /// Whether the part kept apart shows it to be better than what is at work.
  public var isBetter: Bool { evidence.finding == .better }

  /// The artefact is the run; the candidate that carries it names the manifest.
  ///
  /// - Parameter source: Where the history is from, as `record of ticks 4…9412`.
  public func manifest(codeVersion: String, madeBy: String, source: String) throws(TrainingFault) -> ReleaseManifest {
    let figures = scores.prefix(24).flatMap { score -> [NamedScore] in
      let key = "\(score.output)@\(Int(score.aheadSeconds.rounded()))s"
      return [
        ("rmse.\(key)", score.candidate.rootMeanSquare), ("rmse-before.\(key)", score.champion.rootMeanSquare),
        ("rmse-persistence.\(key)", score.candidate.persistence), ("coverage-90.\(key)", score.candidate.coverage),
      ].compactMap { name, value in value.flatMap { $0.isFinite ? NamedScore(name, $0) : nil } }
    }
    let origin = ArtefactOrigin(
      madeBy: madeBy,
      trainedOn: [DataWindow(source: source, from: window.lowerBound, to: window.upperBound, digest: history)],
      codeVersion: codeVersion,
      hyperparameters: [
        NamedText("days", "\(settings.days)"), NamedText("held-out-share", "\(settings.heldOutShare)"),
        NamedText("iterations-max", "\(settings.iterationsMax)"), NamedText("starts", "\(settings.starts)"),
      ],
      seed: settings.seed, scores: figures, base: parent.isCalibrated ? parent.candidate : nil)
    do throws(ProvenanceFault) {
      return try ReleaseManifest(
        name: "model/\(model.id)", version: UInt64(parent.number + 1), kind: "model", bytes: runBytes, origin: origin)
    } catch {
      throw TrainingFault(.candidateRefused, error.message, remedy: error.remedy)
    }
  }

  public func candidate(_ manifest: ReleaseManifest) -> ModelCandidate {
    ModelCandidate(
      model: model.id, shape: Sodium.blake2b256(model.shape), parent: parent.candidate,
      manifest: Sodium.blake2b256(manifest.payload), evidence: evidence, run: runBytes)
  }

  private var runBytes: [UInt8] {
    var writer = CanonicalWriter(reservingBytes: 1 << 20)
    run.encode(to: &writer)
    return writer.bytes
  }
}
