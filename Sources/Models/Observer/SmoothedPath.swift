/// Where a model's states most likely were over a stretch of record, in the light of all of it, and what must have
/// disturbed them on their way.
///
/// Row k of `states` is at step k; row k of `disturbances` is what came to the states on the way from k to k + 1 beside
/// what the physics make of row k and of the inputs of row k.
public struct SmoothedPath: Sendable, Equatable {
  public let secondsPerStep: Double
  public let steps: Int
  public let logParameters: [Double]
  /// steps × inputs, each one known.
  public let inputs: [Double]
  /// steps × states.
  public internal(set) var states: [Double]
  /// steps × states: of the states.
  public let variances: [Double]
  /// (steps − 1) × states.
  public internal(set) var disturbances: [Double]
  /// steps × outputs: reading less the state shown; NaN where there was no reading.
  public internal(set) var residuals: [Double]
}

extension SmoothedPath {
  /// Takes the most likely states apart into physics and disturbances; nil where the physics allow no step.
  ///
  /// A sum rounds, so that a state that is put together again may differ from the most likely one in its last bit. The
  /// path is the one that was put together: whoever does so later gets its bits.
  init?(
    _ model: BilinearModel, logParameters: [Double], held data: ObservationTable, likely: [Double], variances: [Double]
  ) {
    let (order, width) = (model.states.count, model.inputs.count)
    (secondsPerStep, steps, self.logParameters) = (data.secondsPerStep, data.steps, logParameters)
    (inputs, self.variances) = (data.inputs, variances)
    var transition = Transition(model, logParameters: logParameters, seconds: data.secondsPerStep)
    states = Array(likely.prefix(order))
    states.reserveCapacity(likely.count)
    disturbances = []
    disturbances.reserveCapacity(likely.count)
    residuals = []
    var state = states
    for step in 1..<max(1, steps) {
      guard transition.advance(&state, inputs: Array(data.inputs[(step - 1) * width..<step * width])) else {
        return nil
      }
      for index in 0..<order {
        let disturbance = likely[step * order + index] - state[index]
        disturbances.append(disturbance)
        state[index] += disturbance
      }
      states += state
    }
    guard states.allSatisfy(\.isFinite) else { return nil }
    let outputs = model.outputs
    for step in 0..<steps {
      for (place, output) in outputs.enumerated() {
        residuals.append(data.outputs[step * outputs.count + place] - states[step * order + output.state])
      }
    }
  }

  /// The states under other inputs (steps × inputs), disturbed as they were; with the path's own inputs they come out
  /// as they are, bit for bit. Nil where an input is not finite or a state would not be.
  ///
  /// `model` is the one that the path is of.
  public func simulated(_ model: BilinearModel, inputs: [Double]) -> [Double]? {
    let (order, width) = (model.states.count, model.inputs.count)
    precondition(inputs.count == steps * width, "\(inputs.count) inputs for \(steps) steps of \(width)")
    precondition(states.count == steps * order, "a path of another model")
    var transition = Transition(model, logParameters: logParameters, seconds: secondsPerStep)
    var state = Array(states.prefix(order))
    var path = state
    path.reserveCapacity(states.count)
    for step in 1..<max(1, steps) {
      let isDone = unsafe inputs.withUnsafeBufferPointer { inputs in
        unsafe transition.advance(
          &state, inputs: UnsafeBufferPointer(rebasing: inputs[(step - 1) * width..<step * width]))
      }
      guard isDone else { return nil }
      for index in 0..<order { state[index] += disturbances[(step - 1) * order + index] }
      path += state
    }
    return path.allSatisfy(\.isFinite) ? path : nil
  }
}
