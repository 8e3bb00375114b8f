import LinearAlgebra
import TwinCore

/// How likely a stretch of record is to a model whose parameters stay as they are: a Kalman filter over the states
/// alone (Schweppe 1965; Kristensen, Madsen & Jørgensen 2004).
public enum InnovationLikelihood {
  /// −ln L of one pass over `data`, constants included; beyond the gate it grows like Huber's function and no faster.
  /// Infinite where the parameters allow no step.
  ///
  /// Noise intensities and variances are those of the model. Every reading's innovation is given to `each`.
  public static func negativeLogLikelihood(
    _ model: BilinearModel, logParameters: [Double], data: ObservationTable,
    each: (_ step: Int, _ output: Int, _ innovation: Innovation) -> Void = { _, _, _ in }
  ) -> Double {
    let (width, outputs) = (model.inputs.count, model.outputs.count)
    precondition(data.inputs.count == data.steps * width, "\(data.inputs.count) inputs in \(data.steps) steps")
    precondition(data.outputs.count == data.steps * outputs, "\(data.outputs.count) outputs in \(data.steps) steps")
    let held = data.withInputsHeld()
    var filter = StateFilter(model, logParameters: logParameters, seconds: data.secondsPerStep)
    let start = filter
    var (sum, unknown) = (0.0, 0)
    for step in 0..<data.steps {
      // What the states did while nobody knew what drove them says nothing of the parameters.
      if isDark(step, width, data) {
        unknown += 1
      } else {
        if unknown > Self.heldSteps { filter = start }
        unknown = 0
      }
      for output in 0..<outputs {
        let value = data.outputs[step * outputs + output]
        guard value.isFinite else { continue }
        let innovation = filter.update(output: output, value: value)
        sum += cost(of: innovation)
        each(step, output, innovation)
      }
      let isDone = unsafe held.inputs.withUnsafeBufferPointer { inputs in
        unsafe filter.predict(UnsafeBufferPointer(rebasing: inputs[step * width..<(step + 1) * width]))
      }
      guard isDone, sum.isFinite else { return .infinity }
    }
    return sum
  }

  /// Inputs that were known may stand in for so many steps in which none is; after more of them the states begin anew.
  static let heldSteps = 4

  private static func isDark(_ step: Int, _ width: Int, _ data: ObservationTable) -> Bool {
    width > 0 && !(0..<width).contains { data.inputs[step * width + $0].isFinite }
  }

  /// −ln of the density of one innovation.
  private static func cost(of innovation: Innovation) -> Double {
    let lnTwoPi = 1.8378770664093453
    let (size, gate) = (innovation.normalised.magnitude, Innovation.gate)
    let square = size <= gate ? size * size : 2 * gate * size - gate * gate
    return (lnTwoPi + Elementary.log(innovation.variance) + square) / 2
  }
}

/// A Kalman filter over a model's states, its parameters fixed.
struct StateFilter {
  private let outputs: [BilinearModel.Output]
  private let order: Int
  private let floors: [Double]
  private var transition: Transition
  var mean: [Double]
  var covariance: [Double]
  private var gain: [Double]
  private var product: [Double]
  private var work: [Double]

  init(_ model: BilinearModel, logParameters: [Double], seconds: Double) {
    (outputs, order) = (model.outputs, model.states.count)
    transition = Transition(model, logParameters: logParameters, seconds: seconds)
    floors = model.states.map { CovarianceUpdate.floor(initialVariance: $0.initialVariance) }
    mean = model.states.map(\.initialMean)
    covariance = Matrix.diagonal(model.states.map(\.initialVariance)).elements
    gain = Array(repeating: 0, count: order)
    product = Array(repeating: 0, count: order * order)
    work = Array(repeating: 0, count: CovarianceUpdate.scratch(order: order))
    keep()
  }

  /// False where the numbers allow no step.
  mutating func predict(_ inputs: UnsafeBufferPointer<Double>) -> Bool {
    guard unsafe transition.advance(&mean, inputs: inputs) else { return false }
    unsafe transition.propagate(&covariance, product: &product)
    keep()
    return true
  }

  mutating func update(output: Int, value: Double) -> Innovation {
    let innovation = unsafe CovarianceUpdate.takeIn(
      value, &mean, &covariance, order: order, state: outputs[output].state, noise: outputs[output].noiseVariance,
      isFrozen: [], gain: &gain, scratch: &work)
    keep()
    return innovation
  }

  private mutating func keep() {
    unsafe CovarianceUpdate.keep(&covariance, order: order, floors: floors, scratch: &work)
  }
}
