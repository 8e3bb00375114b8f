import Harnesses
import Models
import TwinCore

/// Which part of a history is fitted to, and which is kept apart to judge by: whole days of the model's steps at the
/// end.
struct TrainingSplit: Sendable, Equatable {
  /// Samples before this one are fitted to.
  var fitted: Int
  /// The first day, in steps over steps a day, that is kept apart.
  var heldOutDay: Int64

  /// A day's course must have been seen twice before a third day says anything about it.
  static let fittedDaysMin: Int64 = 2
  /// Of the fitted steps that must have a reading.
  static let readingShareMin = 0.25
  /// Readings for each unknown.
  static let readingsPerUnknown = 8

  init(_ history: ModelHistory, _ model: ModelDefinition, share: Double) throws(TrainingFault) {
    let day = model.stepsPerDay
    guard let first = history.samples.first?.step, let last = history.samples.last?.step else {
      throw Self.tooLittle(model, "no step", days: Self.fittedDaysMin + 1)
    }
    let heldOut = max(day, Int64((Double(last - first + 1) * share).rounded()))
    // Beginning with a day of the count, so that its scores can be told from those of the fit.
    heldOutDay = (last + 1 - heldOut) / day
    let begin = heldOutDay * day
    guard begin - first >= Self.fittedDaysMin * day else {
      let hours = (last - first + 1) * 24 / day
      throw Self.tooLittle(
        model, "\(hours / 24) days and \(hours % 24) hours", days: Self.fittedDaysMin + 1)
    }
    fitted = history.samples.firstIndex { $0.step >= begin } ?? history.samples.count
    let unknowns = model.physics.parameters.count + model.physics.outputs.count + 1
    let wanted = max(Self.readingsPerUnknown * unknowns, Int(Self.readingShareMin * Double(begin - first)))
    let readings = history.samples.prefix(fitted).count { $0.outputs.contains(where: \.isFinite) }
    guard readings >= wanted else {
      throw TrainingFault(
        .tooLittleData,
        "model \(model.id) has readings in \(readings) of \(begin - first) steps to be fitted to, wanted \(wanted)",
        remedy: "look which of its points are silent (twinctl points), and train when they have been read long enough")
    }
    let apart = history.samples.dropFirst(fitted).count { $0.outputs.contains(where: \.isFinite) }
    guard apart >= Int(day) / 4 else {
      throw TrainingFault(
        .tooLittleData,
        "model \(model.id) has readings in \(apart) of the steps kept apart to judge by, wanted \(day / 4)",
        remedy: "look which of its points are silent (twinctl points), and train again a day after they came back")
    }
    for (place, input) in model.physics.inputs.enumerated()
    where !history.samples.prefix(fitted).contains(where: { $0.inputs[place].isFinite }) {
      throw TrainingFault(
        .tooLittleData, "input \(input.name) of model \(model.id) has no reading at all",
        remedy: "see why its point is silent (twinctl points), or leave the input out of models.yaml")
    }
  }

  private static func tooLittle(_ model: ModelDefinition, _ seen: String, days: Int64) -> TrainingFault {
    TrainingFault(
      .tooLittleData, "model \(model.id) has \(seen) of history, wanted \(days) days and some hours",
      remedy: "let the site record for \(days + 1) days, then train again; until then the template forecasts")
  }
}
