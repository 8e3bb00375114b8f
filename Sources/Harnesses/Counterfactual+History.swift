public import Models
public import TwinCore

extension Counterfactual {
  /// Time for the states to forget how they began.
  static let leadNanoseconds: Int64 = 4 * 86_400_000_000_000
  /// No state outlasts a longer gap.
  static let gapSteps: Int64 = 96

  /// Asks a model at work, by the history that it would have seen.
  ///
  /// The record is taken from some days before the first change to `end`; inputs are held against the whole history.
  /// Errors: `counterfactual.uncalibrated`, `.no_record`, `.gap`, and those of the other initialiser.
  public init(
    _ run: ModelRun, _ definition: ModelDefinition, history: ModelHistory, changes: [InputChange], through end: Instant,
    members: Int = 65
  ) throws(CounterfactualFault) {
    guard run.version.isCalibrated else { throw .notCalibrated(definition.id) }
    let start = changes.map(\.stretch.lowerBound).min() ?? end
    let samples = try Self.contiguous(history.samples, definition, from: start, through: end)
    guard let first = samples.first else { throw .noRecord(definition.id) }
    let seen = definition.inputs.indices.map { input -> ClosedRange<Double>? in
      let values = history.samples.lazy.map { $0.inputs[input] }.filter(\.isFinite)
      guard let low = values.min(), let high = values.max() else { return nil }
      return low...high
    }
    try self.init(
      run.observer.model, ParameterEnsemble(run.observer, members: members),
      record: ModelHistory(samples).table(definition), begin: first.instant, seen: seen, changes: changes)
  }

  /// The samples up to `end` since some days before `start`, or since the last gap before it.
  private static func contiguous(
    _ samples: [ModelSample], _ definition: ModelDefinition, from start: Instant, through end: Instant
  ) throws(CounterfactualFault) -> [ModelSample] {
    var found: [ModelSample] = []
    let lead = start.advanced(byNanoseconds: -leadNanoseconds)
    for sample in samples where sample.instant >= lead && sample.instant <= end {
      if sample.elapsed > gapSteps, !found.isEmpty {
        guard sample.instant <= start else { throw .gap(sample.instant) }
        found.removeAll()
      }
      found.append(sample)
    }
    guard found.count > 2, found.contains(where: { $0.instant <= start }),
      definition.outputs.indices.allSatisfy({ output in found.contains { $0.outputs[output].isFinite } })
    else { throw .noRecord(definition.id) }
    return found
  }
}
