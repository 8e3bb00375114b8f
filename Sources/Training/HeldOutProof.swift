import Models

/// Two runs over one history, compared on the part that neither numbers were fitted to: as the kernel compares a
/// challenger with its champion.
struct HeldOutProof: Sendable {
  private(set) var candidate: ModelRun
  private(set) var champion: ModelRun
  private(set) var evidence: PairedEvidence
  /// By output and horizon: the champion's mean squared error, in which losses are counted. Moves slowly.
  private var scales: [Double]
  /// Samples that both have seen.
  private(set) var seen = 0

  init(candidate: ModelRun, champion: ModelRun, _ model: ModelDefinition) {
    (self.candidate, self.champion) = (candidate, champion)
    evidence = PairedEvidence(block: model.horizons.last ?? 1)
    scales = Array(repeating: 0, count: model.outputs.count * model.horizons.count)
  }

  mutating func take(_ sample: ModelSample, isHeldOut: Bool, _ model: ModelDefinition) {
    candidate.step(sample, model)
    champion.step(sample, model)
    seen += 1
    for cell in scales.indices where champion.squaredErrors[cell].isFinite {
      let error = champion.squaredErrors[cell]
      scales[cell] = scales[cell] > 0 ? scales[cell] + 0.01 * (error - scales[cell]) : error
    }
    guard isHeldOut else { return }
    evidence.add(champion: loss(champion.squaredErrors), challenger: loss(candidate.squaredErrors))
  }

  private func loss(_ squaredErrors: [Double]) -> Double {
    var (sum, count) = (0.0, 0)
    for (error, scale) in zip(squaredErrors, scales) where error.isFinite && scale > 0 {
      sum += error / scale
      count += 1
    }
    return count > 0 ? sum / Double(count) : .nan
  }
}
