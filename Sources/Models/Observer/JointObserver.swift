public import LinearAlgebra
public import TwinCore

/// Follows the states of a model together with the logarithms of its parameters: an extended Kalman filter (Ljung 1979;
/// Bacher & Madsen 2011) whose derivatives are exact.
///
/// What it is given must be of the model's shape; what is not finite is refused and leaves the state as it was. Once
/// used, predicting, updating and forecasting allocate nothing.
public struct JointObserver: Sendable {
  public let model: BilinearModel
  /// The states, then ln of the parameters.
  public private(set) var mean: [Double]
  /// Of states and logarithms, row after row; symmetric and positive definite at all times.
  public private(set) var covariance: [Double]
  /// Multiplies the noise of the states and the walk of the parameters: 1 is what the model says.
  public var noiseScale: Double = 1 {
    didSet { precondition(noiseScale > 0 && noiseScale.isFinite, "a noise scale of \(noiseScale)") }
  }
  /// By parameter. A frozen one stays where it is, and what is not known of it is still reckoned with.
  public var isParameterFrozen: [Bool] {
    didSet { precondition(isParameterFrozen.count == model.parameters.count, "one for each parameter") }
  }
  private let filter: JointFilter
  /// Means nothing between two calls.
  private var memory: [Double]

  /// At the priors. The model must be sound.
  public init(_ model: BilinearModel) {
    self.init(
      model, logParameters: model.priorLogParameters,
      covariance: .diagonal(model.parameters.map { $0.spread * $0.spread }))
  }

  /// At what a calibration found; `covariance` is that of the logarithms.
  public init(_ model: BilinearModel, logParameters: [Double], covariance: Matrix) {
    let (states, parameters) = (model.states.count, model.parameters.count)
    precondition(logParameters.count == parameters && logParameters.allSatisfy(\.isFinite), "one number a parameter")
    precondition(covariance.rows == parameters && covariance.columns == parameters, "a covariance of the parameters")
    precondition(covariance.elements.allSatisfy(\.isFinite), "a covariance of numbers")
    var joint = Matrix(rows: states + parameters, columns: states + parameters)
    for (index, state) in model.states.enumerated() { joint[index, index] = state.initialVariance }
    for row in 0..<parameters {
      for column in 0..<parameters {
        joint[states + row, states + column] = (covariance[row, column] + covariance[column, row]) / 2
      }
    }
    self.init(model, mean: model.states.map(\.initialMean) + logParameters, joint: joint.elements)
  }

  private init(_ model: BilinearModel, mean: [Double], joint: [Double]) {
    (self.model, self.mean, covariance) = (model, mean, joint)
    filter = JointFilter(model)
    memory = Array(repeating: 0, count: filter.size)
    isParameterFrozen = Array(repeating: false, count: model.parameters.count)
    keep()
  }

  private mutating func keep() {
    unsafe CovarianceUpdate.keep(&covariance, order: filter.order, floors: filter.floors, scratch: &memory)
  }

  /// Puts the state that an output shows, or whose mean it shows, where its first reading is, with what is uncertain of
  /// a reading; what was known of how it goes with others is forgotten.
  public mutating func settle(output: Int, value: Double) {
    guard value.isFinite else { return }
    let (state, order) = (model.settledState(output: output), filter.order)
    mean[state] = value
    for index in 0..<order {
      covariance[state * order + index] = 0
      covariance[index * order + state] = 0
    }
    covariance[state * order + state] = model.outputs[output].noiseVariance
    keep()
  }

  /// The states as if nothing had been seen yet; the parameters as they are.
  public mutating func restart() {
    let order = filter.order
    for (index, state) in model.states.enumerated() {
      mean[index] = state.initialMean
      for other in 0..<order {
        covariance[index * order + other] = 0
        covariance[other * order + index] = 0
      }
      covariance[index * order + index] = state.initialVariance
    }
    keep()
  }

  /// One step of time with inputs held; false, with the state kept, where an input is not finite or the result would
  /// not be.
  @discardableResult
  public mutating func predict(_ inputs: UnsafeBufferPointer<Double>, seconds: Double) -> Bool {
    precondition(inputs.count == model.inputs.count, "\(inputs.count) of \(model.inputs.count) inputs")
    precondition(seconds > 0 && seconds.isFinite, "a step of \(seconds) s")
    return unsafe filter.predict(
      &mean, &covariance, &memory, inputs: inputs, seconds: seconds, noiseScale: noiseScale,
      isFrozen: isParameterFrozen)
  }

  /// Takes in one reading. One that is beyond the gate moves the states as one at the gate would, and no parameter.
  @discardableResult
  public mutating func update(output: Int, value: Double) -> Innovation {
    let shown = model.outputs[output]
    return unsafe filter.update(
      &mean, &covariance, &memory, state: shown.state, noise: shown.noiseVariance, value: value,
      isFrozen: isParameterFrozen)
  }

  /// Of the state that an output shows, without a reading's noise.
  public func estimate(output: Int) -> (mean: Double, variance: Double) {
    let state = model.outputs[output].state
    return (mean[state], covariance[state * (filter.order + 1)])
  }

  /// What the readings will be after each of so many steps; the state stays as it is.
  ///
  /// `inputs` is steps × inputs; `means` and `variances`, noise of a reading included, are steps × outputs, row after
  /// row. Returns how many steps were written: fewer where an input is not finite or a result would not be.
  @discardableResult
  public mutating func forecast(
    steps: Int, inputs: UnsafeBufferPointer<Double>, seconds: Double, means: inout [Double], variances: inout [Double]
  ) -> Int {
    let (width, outputs, order) = (model.inputs.count, model.outputs.count, filter.order)
    precondition(steps >= 0 && inputs.count == steps * width, "\(inputs.count) inputs for \(steps) steps of \(width)")
    precondition(means.count >= steps * outputs && variances.count >= steps * outputs, "room for every step")
    precondition(seconds > 0 && seconds.isFinite, "a step of \(seconds) s")
    let (place, size) = (filter.apart, order * order)
    for index in 0..<order { memory[place + index] = mean[index] }
    for index in 0..<size { memory[place + order + index] = covariance[index] }
    for step in 0..<steps {
      let row = unsafe UnsafeBufferPointer(rebasing: inputs[step * width..<(step + 1) * width])
      let isWritten = unsafe memory.withUnsafeMutableBufferPointer { [filter, noiseScale, isParameterFrozen] memory in
        let base = memory.baseAddress!
        return unsafe filter.predict(
          base + place, base + place + order, base, inputs: row, seconds: seconds, noiseScale: noiseScale,
          isFrozen: isParameterFrozen)
      }
      guard isWritten else { return step }
      for (index, output) in model.outputs.enumerated() {
        means[step * outputs + index] = memory[place + output.state]
        variances[step * outputs + index] =
          memory[place + order + output.state * (order + 1)] + output.noiseVariance
      }
    }
    return steps
  }
}

extension JointObserver: Equatable {
  public static func == (a: JointObserver, b: JointObserver) -> Bool {
    a.mean == b.mean && a.covariance == b.covariance && a.noiseScale == b.noiseScale
      && a.isParameterFrozen == b.isParameterFrozen && a.model == b.model
  }
}

// Canonical form: [1, model, mean, covariance (both as columns of doubles), noise scale, [is frozen, …]].
extension JointObserver {
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    model.encode(to: &writer)
    writer.doubles(mean)
    writer.doubles(covariance)
    writer.double(noiseScale)
    writer.array(isParameterFrozen.count)
    for isFrozen in isParameterFrozen { writer.bool(isFrozen) }
  }

  /// Refuses a state that the model cannot have: of another shape, not finite, not symmetric or not positive definite.
  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    let model = try BilinearModel(from: &reader)
    let order = model.states.count + model.parameters.count
    let mean = try reader.doubles(limit: order)
    let covariance = try reader.doubles(limit: order * order)
    let noiseScale = try reader.double()
    let count = try reader.array(limit: model.parameters.count)
    guard mean.count == order, covariance.count == order * order, count == model.parameters.count else {
      throw CanonicalFault("observer of \(mean.count) means and \(covariance.count) covariances for order \(order)")
    }
    guard mean.allSatisfy(\.isFinite), noiseScale > 0, noiseScale.isFinite else {
      throw CanonicalFault("observer with a mean that is not finite, or noise scale \(noiseScale)")
    }
    let matrix = Matrix(rows: order, columns: order, covariance)
    guard matrix == matrix.transposed(), Cholesky(matrix) != nil else {
      throw CanonicalFault("observer whose covariance is not symmetric positive definite")
    }
    var frozen: [Bool] = []
    for _ in 0..<count { frozen.append(try reader.bool()) }
    (self.model, self.mean, self.covariance) = (model, mean, covariance)
    (self.noiseScale, isParameterFrozen) = (noiseScale, frozen)
    filter = JointFilter(model)
    memory = Array(repeating: 0, count: filter.size)
  }
}
