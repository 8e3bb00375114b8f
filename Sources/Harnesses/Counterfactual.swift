public import Models
public import TwinCore

/// An input of a model that is to have been another.
public struct InputChange: Sendable, Equatable {
  public enum Replacement: Sendable, Equatable {
    case constant(Double)
    /// Added to what was.
    case offset(Double)
    /// One value for each step of the record, from its first one on; NaN leaves what was.
    case series([Double])
  }

  /// By position in the physics; values are in its unit.
  public var input: Int
  public var replacement: Replacement
  /// The steps that begin within it.
  public var stretch: Range<Instant>

  public init(input: Int, _ replacement: Replacement, during stretch: Range<Instant>) {
    (self.input, self.replacement, self.stretch) = (input, replacement, stretch)
  }
}

/// Why nobody can say what would have been.
public struct CounterfactualFault: Fault, Equatable {
  public let code: String
  public let message: String
  public let remedy: String
}

/// What a plant would have done under other inputs (Pearl: abduction, action, prediction).
///
/// The record tells which disturbances there must have been; they are kept, inputs are replaced, and the physics go the
/// way again. The same is asked of every member of an ensemble of parameters: member 0 is the calibration and gives the
/// two paths, all of them together the interval of their difference. It holds what the parameters leave open, not what
/// the physics leave out; inputs that a controller would have moved in answer stay as they were.
///
/// A value that is advanced member by member, may be put aside between two of them, and goes on with the same bits.
public struct Counterfactual: Sendable, Equatable {
  public let physics: BilinearModel
  let ensemble: ParameterEnsemble
  /// Of row 0.
  public let begin: Instant
  let record: ObservationTable
  /// steps × inputs, as they are to have been.
  let replaced: [Double]
  /// Before it nothing differs.
  let firstRow: Int
  /// The member to be asked next.
  var member = 0
  /// rows × outputs from `firstRow` on: of member 0.
  var factual: [Double] = []
  var other: [Double] = []
  /// members × rows × outputs: other less factual; NaN throughout for a member whose physics allow no step.
  var differences: [Double] = []

  /// A year of quarters of an hour, with what comes before it.
  public static let stepsMax = 40_000
  /// Of differences, in all.
  static let cellsMax = 1 << 24
  /// Beyond the range of an input that the model has seen, in parts of that range.
  public static let rangeMargin = 0.1

  /// - Parameters:
  ///   - begin: Of row 0 of `record`.
  ///   - seen: The history that the model knows its inputs from; by input, nil where it never knew one.
  ///
  /// Errors: `counterfactual.nothing_changed`, `.outside_history`, `.not_known`, `.too_long`, `.no_such_input`.
  public init(
    _ physics: BilinearModel, _ ensemble: ParameterEnsemble, record: ObservationTable, begin: Instant,
    seen: [ClosedRange<Double>?], changes: [InputChange]
  ) throws(CounterfactualFault) {
    precondition(seen.count == physics.inputs.count, "a range for each input")
    guard record.steps <= Self.stepsMax else { throw .tooLong(record.steps) }
    let held = record.withInputsHeld()
    let width = physics.inputs.count
    var (replaced, first) = (held.inputs, Int?.none)
    for change in changes {
      guard physics.inputs.indices.contains(change.input) else { throw .noSuchInput(change.input, of: width) }
      let name = physics.inputs[change.input].name
      guard let known = seen[change.input] else { throw .notKnown(name) }
      for step in 0..<record.steps {
        let at = begin.advanced(byNanoseconds: Self.nanoseconds(record.secondsPerStep * Double(step)))
        guard change.stretch.contains(at) else { continue }
        let place = step * width + change.input
        let value = change.value(at: step, was: replaced[place])
        guard value.isFinite || value.isNaN else { throw .outside(name, value, known) }
        guard !value.isNaN, value != held.inputs[place] else { continue }
        guard Self.admitted(known).contains(value) else { throw .outside(name, value, known) }
        replaced[place] = value
        first = min(first ?? step, step)
      }
    }
    // What is changed in the last row works after the end.
    guard let first, first < record.steps - 1 else { throw .nothingChanged }
    let cells = (record.steps - first) * physics.outputs.count * ensemble.members
    guard cells <= Self.cellsMax else { throw .tooLong(record.steps) }
    (self.physics, self.ensemble, self.begin, self.record) = (physics, ensemble, begin, held)
    (self.replaced, firstRow) = (replaced, first)
  }

  static func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }

  static func admitted(_ seen: ClosedRange<Double>) -> ClosedRange<Double> {
    let margin = (seen.upperBound - seen.lowerBound) * rangeMargin
    return seen.lowerBound - margin...seen.upperBound + margin
  }

  public var isDone: Bool { member == ensemble.members }

  /// Asks the next member; false when all have been asked.
  ///
  /// Errors: `counterfactual.no_path` where the calibration itself allows no step.
  @discardableResult
  public mutating func advance() throws(CounterfactualFault) -> Bool {
    guard !isDone else { return false }
    let paths = paths(of: ensemble.member(member))
    if member == 0 {
      guard let paths else { throw .noPath }
      (factual, other) = paths
    }
    if let paths {
      differences += zip(paths.other, paths.factual).map { $0 - $1 }
    } else {
      differences += repeatElement(.nan, count: factual.count)
    }
    member += 1
    return !isDone
  }

  /// What the outputs show with and without the change, from its first row on.
  private func paths(of logParameters: [Double]) -> (factual: [Double], other: [Double])? {
    guard let path = Smoother.smooth(physics, logParameters: logParameters, data: record),
      let again = path.simulated(physics, inputs: record.inputs), let other = path.simulated(physics, inputs: replaced)
    else { return nil }
    precondition(zip(again, path.states).allSatisfy { $0.bitPattern == $1.bitPattern }, "what was comes out again")
    return (shown(path.states), shown(other))
  }

  private func shown(_ states: [Double]) -> [Double] {
    let order = physics.states.count
    return (firstRow..<record.steps).flatMap { step in physics.outputs.map { states[step * order + $0.state] } }
  }
}

extension InputChange {
  fileprivate func value(at step: Int, was: Double) -> Double {
    switch replacement {
    case .constant(let value): value
    case .offset(let offset): was + offset
    case .series(let values): values.indices.contains(step) ? values[step] : .nan
    }
  }
}

extension CounterfactualFault {
  static func noSuchInput(_ input: Int, of count: Int) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.no_such_input", message: "the model has \(count) inputs, not one at \(input)",
      remedy: "name one of the model's inputs")
  }

  static func notKnown(_ name: String) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.not_known", message: "\(name) was never known in this record",
      remedy: "take a stretch of time in which it was read")
  }

  static func outside(_ name: String, _ value: Double, _ seen: ClosedRange<Double>) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.outside_history",
      message: "\(name) would have been \(value); the model has seen \(seen.lowerBound) to \(seen.upperBound)",
      remedy: "ask within what the model has seen, or try the value on the plant first")
  }

  static let nothingChanged = CounterfactualFault(
    code: "counterfactual.nothing_changed", message: "nothing would have been otherwise in this stretch of time",
    remedy: "name another value, or a stretch that the record holds")

  static func tooLong(_ steps: Int) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.too_long", message: "\(steps) steps are more than are asked at once",
      remedy: "take a shorter stretch of time")
  }

  static let noPath = CounterfactualFault(
    code: "counterfactual.no_path", message: "the model finds no way through this record",
    remedy: "look at the model: twinctl model show")

  static func notCalibrated(_ model: String) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.uncalibrated", message: "model \(model) stands at its template's guesses",
      remedy: "have it calibrated first; a guess would be given back as an answer")
  }

  static func noRecord(_ model: String) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.no_record", message: "the record holds nothing that model \(model) could go by",
      remedy: "take a stretch of time that the record holds without a gap")
  }

  static func gap(_ at: Instant) -> CounterfactualFault {
    CounterfactualFault(
      code: "counterfactual.gap", message: "the record has a gap before \(at.rfc3339) that no state outlasts",
      remedy: "take a stretch of time before or after it")
  }
}
