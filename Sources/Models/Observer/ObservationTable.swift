/// A stretch of record as a model sees it: one row a step.
///
/// The inputs of row k hold from k to k + 1; the outputs of row k are read at k.
public struct ObservationTable: Sendable, Equatable {
  public var secondsPerStep: Double
  public let steps: Int
  /// steps × inputs, row after row; NaN: not known, taken as the last one known.
  public var inputs: [Double]
  /// steps × outputs, row after row; NaN: no reading.
  public var outputs: [Double]

  public init(secondsPerStep: Double, steps: Int, inputs: [Double], outputs: [Double]) {
    precondition(secondsPerStep > 0 && secondsPerStep.isFinite, "a step takes time")
    precondition(steps >= 0, "\(steps) steps")
    let whole = steps == 0 ? inputs.isEmpty && outputs.isEmpty : inputs.count % steps + outputs.count % steps == 0
    precondition(whole, "\(inputs.count) inputs and \(outputs.count) outputs for \(steps) steps")
    (self.secondsPerStep, self.steps, self.inputs, self.outputs) = (secondsPerStep, steps, inputs, outputs)
  }

  /// The same with every input known: the last known one, before the first known one that, and 0 where none is known.
  public func withInputsHeld() -> ObservationTable {
    guard steps > 0 else { return self }
    var table = self
    let width = inputs.count / steps
    for column in 0..<width {
      var last = 0.0
      if let first = (0..<steps).first(where: { inputs[$0 * width + column].isFinite }) {
        last = inputs[first * width + column]
      }
      for step in 0..<steps {
        let index = step * width + column
        if inputs[index].isFinite { last = inputs[index] } else { table.inputs[index] = last }
      }
    }
    return table
  }
}
