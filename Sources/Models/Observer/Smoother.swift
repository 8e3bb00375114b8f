import LinearAlgebra

/// Looks back over a stretch of record with a model whose parameters stay as they are: the filter of
/// `InnovationLikelihood` forwards, then backwards what later readings say of earlier states (Rauch, Tung & Striebel
/// 1965), with the covariance in the form that stays positive semidefinite whatever rounding does.
///
/// The first reading of an output places its state. Missing readings and gaps are rows without numbers. Memory grows
/// with √steps·states² and steps·states: what the filter knew is computed again, segment by segment. For offline use:
/// it allocates.
public enum Smoother {
  /// Nil where the parameters, or the record's numbers, allow no step, and for an empty record.
  public static func smooth(_ model: BilinearModel, logParameters: [Double], data: ObservationTable) -> SmoothedPath? {
    let (width, outputs) = (model.inputs.count, model.outputs.count)
    precondition(data.inputs.count == data.steps * width, "\(data.inputs.count) inputs in \(data.steps) steps")
    precondition(data.outputs.count == data.steps * outputs, "\(data.outputs.count) outputs in \(data.steps) steps")
    guard data.steps > 0 else { return nil }
    let held = data.withInputsHeld()
    var sweep = Sweep(placed(model, data), logParameters: logParameters, data: held)
    guard let likely = sweep.run() else { return nil }
    return SmoothedPath(
      model, logParameters: logParameters, held: held, likely: likely.means, variances: likely.variances)
  }

  /// The model with its states beginning where their first readings are.
  private static func placed(_ model: BilinearModel, _ data: ObservationTable) -> BilinearModel {
    var placed = model
    for output in model.outputs.indices {
      let readings = (0..<data.steps).lazy.map { data.outputs[$0 * model.outputs.count + output] }
      if let first = readings.first(where: \.isFinite) {
        placed.states[model.settledState(output: output)].initialMean = first
      }
    }
    return placed
  }
}

/// One look back: forwards with a few resting places, backwards from one to the one before.
private struct Sweep {
  private let order: Int
  private let width: Int
  private let outputs: Int
  private let data: ObservationTable
  private var filter: StateFilter
  private var transition: Transition
  private let segment: Int
  /// By segment: what the filter expected of its first step, before that step's readings.
  private var rests: [(mean: [Double], covariance: [Double])] = []
  /// By step of one segment: what was known with the step's own readings, and what was expected of the next step.
  private var known: [(mean: [Double], covariance: [Double])] = []
  private var expected: [(mean: [Double], covariance: [Double])] = []
  private var means: [Double]
  private var variances: [Double]
  /// Of the step after, in the light of everything.
  private var later: (mean: [Double], covariance: Matrix)?

  init(_ model: BilinearModel, logParameters: [Double], data: ObservationTable) {
    (order, width, outputs) = (model.states.count, model.inputs.count, model.outputs.count)
    self.data = data
    filter = StateFilter(model, logParameters: logParameters, seconds: data.secondsPerStep)
    transition = Transition(model, logParameters: logParameters, seconds: data.secondsPerStep)
    segment = max(1, Int(Double(data.steps).squareRoot()))
    means = Array(repeating: 0, count: data.steps * order)
    variances = means
  }

  mutating func run() -> (means: [Double], variances: [Double])? {
    for start in stride(from: 0, to: data.steps, by: segment) {
      rests.append((filter.mean, filter.covariance))
      for step in start..<min(start + segment, data.steps) {
        read(step)
        guard predict(step) else { return nil }
      }
    }
    for place in rests.indices.reversed() {
      let steps = place * segment..<min((place + 1) * segment, data.steps)
      (filter.mean, filter.covariance) = rests[place]
      known.removeAll(keepingCapacity: true)
      expected.removeAll(keepingCapacity: true)
      for step in steps {
        read(step)
        known.append((filter.mean, filter.covariance))
        guard predict(step) else { return nil }
        expected.append((filter.mean, filter.covariance))
      }
      for step in steps.reversed() {
        guard lookBack(step, at: step - steps.lowerBound) else { return nil }
      }
    }
    return (means, variances)
  }

  private mutating func read(_ step: Int) {
    for output in 0..<outputs {
      let value = data.outputs[step * outputs + output]
      if value.isFinite { _ = filter.update(output: output, value: value) }
    }
  }

  private mutating func predict(_ step: Int) -> Bool {
    unsafe data.inputs.withUnsafeBufferPointer { inputs in
      unsafe filter.predict(UnsafeBufferPointer(rebasing: inputs[step * width..<(step + 1) * width]))
    }
  }

  /// x ← x + G·(x′ − x⁻) and P ← (I − GΦ)·P·(I − GΦ)ᵀ + G·(P′ + Q)·Gᵀ with G = P·Φᵀ·(P⁻)⁻¹.
  private mutating func lookBack(_ step: Int, at place: Int) -> Bool {
    var mean = known[place].mean
    var covariance = Matrix(rows: order, columns: order, known[place].covariance)
    if let later {
      let inputs = Array(data.inputs[step * width..<(step + 1) * width])
      guard let phi = transition.phi(inputs: inputs), let noise = transition.noise(inputs: inputs),
        let gain = gain(of: covariance, phi, expected: Matrix(rows: order, columns: order, expected[place].covariance))
      else { return false }
      let step = gain.times(zip(later.mean, expected[place].mean).map { $0 - $1 })
      for index in 0..<order { mean[index] += step[index] }
      let rest = Matrix.identity(order) - gain.times(phi)
      covariance =
        (rest.times(covariance).times(rest.transposed())
        + gain.times(later.covariance + noise).times(gain.transposed())).symmetrised()
    }
    guard mean.allSatisfy(\.isFinite), covariance.elements.allSatisfy(\.isFinite) else { return false }
    for index in 0..<order {
      means[step * order + index] = mean[index]
      variances[step * order + index] = covariance[index, index]
    }
    later = (mean, covariance)
    return true
  }

  private func gain(of covariance: Matrix, _ phi: Matrix, expected: Matrix) -> Matrix? {
    guard let factor = Cholesky(expected) else { return nil }
    let shared = phi.times(covariance)
    var gain = Matrix(rows: order, columns: order)
    for row in 0..<order {
      let solved = factor.solve((0..<order).map { shared[$0, row] })
      for column in 0..<order { gain[row, column] = solved[column] }
    }
    return gain
  }
}
