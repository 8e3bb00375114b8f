public import LinearAlgebra
import TwinCore

/// x⁺ = Φ·x + Γ(u) over one step with parameters fixed and inputs held: exact (Van Loan 1978), and kept for every
/// combination of the inputs that multiply states, of which a plant has few.
///
/// Advancing allocates nothing. A combination beyond the capacity takes the place of the one found longest ago.
public struct Transition: Sendable {
  public let seconds: Double
  private let states: Int
  private let inputs: Int
  private let coefficients: Coefficients
  private let hold: ZeroOrderHold
  private let intensities: [Double]
  /// Parameters, then their inverses.
  private let theta: [Double]
  private let capacity: Int
  private var filled = 0
  private var replaced = 0
  private var current = 0
  /// By place: the multipliers' values.
  private var keys: [Double]
  /// By place: Φ − I beside ∫e^{Aτ}dτ, of states × 2·states; then the noise covariance, of states × states.
  private var found: [Double]
  private var memory: [Double]
  /// M, then the change of the states.
  private var scratch: [Double]

  /// `cache` is how many combinations are kept.
  public init(_ model: BilinearModel, logParameters: [Double], seconds: Double, cache: Int = 64) {
    precondition(logParameters.count == model.parameters.count, "one logarithm for each parameter")
    precondition(seconds > 0 && seconds.isFinite, "a step takes time")
    precondition(cache > 0, "the last combination is kept at least")
    self.seconds = seconds
    (states, inputs, capacity) = (model.states.count, model.inputs.count, cache)
    coefficients = Coefficients(model)
    hold = ZeroOrderHold(states: states, driven: states, parameters: 0)
    intensities = model.states.map(\.noiseIntensity)
    theta = logParameters.map { Elementary.exp($0) } + logParameters.map { Elementary.exp(-$0) }
    keys = Array(repeating: 0, count: cache * coefficients.stateMultipliers.count)
    found = Array(repeating: 0, count: cache * 3 * states * states)
    memory = Array(repeating: 0, count: hold.size)
    scratch = Array(repeating: 0, count: states * (states + 1) + states)
  }

  /// False, with the state kept, where an input is not finite or the result would not be.
  @discardableResult
  public mutating func advance(_ x: inout [Double], inputs: [Double]) -> Bool {
    unsafe inputs.withUnsafeBufferPointer { unsafe advance(&x, inputs: $0) }
  }

  @discardableResult
  public mutating func advance(_ x: inout [Double], inputs: UnsafeBufferPointer<Double>) -> Bool {
    precondition(x.count == states && inputs.count == self.inputs, "a state and inputs of the model")
    guard unsafe select(inputs) else { return false }
    let place = current * 3 * states * states
    return unsafe scratch.withUnsafeMutableBufferPointer { [states, found] scratch in
      unsafe found.withUnsafeBufferPointer { found in
        unsafe Transition.move(&x, states: states, system: found.baseAddress! + place, scratch.baseAddress!)
      }
    }
  }

  /// Makes the system of these inputs the current one.
  private mutating func select(_ inputs: UnsafeBufferPointer<Double>) -> Bool {
    guard unsafe inputs.allSatisfy(\.isFinite) else { return false }
    unsafe coefficients.evaluate(theta: theta, inputs: inputs, into: &scratch, entries: nil)
    if unsafe filled > 0 && isKey(current, of: inputs) { return true }
    for place in 0..<filled where unsafe isKey(place, of: inputs) {
      current = place
      return true
    }
    for row in 0..<states {
      for column in 0..<states {
        memory[row * 2 * states + column] = scratch[row * (states + 1) + column]
        memory[row * 2 * states + states + column] = row == column ? 1 : 0
      }
    }
    guard
      unsafe hold.solve(
        &memory, seconds: seconds, intensities: intensities, entries: nil, of: coefficients, from: nil)
    else { return false }
    let place = filled < capacity ? filled : replaced
    if filled < capacity { filled += 1 } else { replaced = (replaced + 1) % capacity }
    let multipliers = coefficients.stateMultipliers
    for index in multipliers.indices { unsafe keys[place * multipliers.count + index] = inputs[multipliers[index]] }
    let block = states * states
    for index in 0..<2 * block { found[place * 3 * block + index] = memory[hold.change + index] }
    for index in 0..<block { found[place * 3 * block + 2 * block + index] = memory[hold.noise + index] }
    current = place
    return true
  }

  private func isKey(_ place: Int, of inputs: UnsafeBufferPointer<Double>) -> Bool {
    let multipliers = coefficients.stateMultipliers
    for index in multipliers.indices
    where unsafe keys[place * multipliers.count + index].bitPattern != inputs[multipliers[index]].bitPattern {
      return false
    }
    return true
  }

  /// x += (Φ − I)·x + ∫e^{Aτ}dτ·b with b the last column of M in `scratch`.
  private static func move(
    _ x: UnsafeMutablePointer<Double>, states: Int, system: UnsafePointer<Double>,
    _ scratch: UnsafeMutablePointer<Double>
  ) -> Bool {
    let change = unsafe scratch + states * (states + 1)
    for row in 0..<states {
      var sum = 0.0
      let line = unsafe system + row * 2 * states
      for index in 0..<states {
        unsafe sum += line[index] * x[index] + line[states + index] * scratch[index * (states + 1) + states]
      }
      unsafe change[row] = x[row] + sum
    }
    guard unsafe Dense.isFinite(change, count: states) else { return false }
    unsafe x.update(from: change, count: states)
    return true
  }

  /// P ← Φ·P·Φᵀ + Q with the system that was advanced by last.
  func propagate(_ covariance: UnsafeMutablePointer<Double>, product: UnsafeMutablePointer<Double>) {
    let block = states * states
    unsafe found.withUnsafeBufferPointer { found in
      let change = unsafe found.baseAddress! + current * 3 * block
      let noise = unsafe change + 2 * block
      unsafe product.update(from: covariance, count: block)
      unsafe Dense.addProduct(
        to: product, change, stride: 2 * states, covariance, rows: states, inner: states, columns: states)
      for row in 0..<states {
        let line = unsafe product + row * states
        for column in 0...row {
          let rest = unsafe Dense.dot(line, change + column * 2 * states, count: states) + noise[row * states + column]
          unsafe covariance[row * states + column] = line[column] + rest
          unsafe covariance[column * states + row] = covariance[row * states + column]
        }
      }
    }
  }

  /// Φ while the inputs are these; nil where they allow none.
  public mutating func phi(inputs: [Double]) -> Matrix? {
    precondition(inputs.count == self.inputs, "\(inputs.count) of \(self.inputs) inputs")
    guard unsafe inputs.withUnsafeBufferPointer({ unsafe select($0) }) else { return nil }
    var phi = Matrix.identity(states)
    for row in 0..<states {
      for column in 0..<states {
        phi[row, column] += found[current * 3 * states * states + row * 2 * states + column]
      }
    }
    return phi
  }

  /// Covariance of what noise adds in one step while the inputs are these; nil where they allow none.
  public mutating func noise(inputs: [Double]) -> Matrix? {
    precondition(inputs.count == self.inputs, "\(inputs.count) of \(self.inputs) inputs")
    guard unsafe inputs.withUnsafeBufferPointer({ unsafe select($0) }) else { return nil }
    let start = current * 3 * states * states + 2 * states * states
    return Matrix(rows: states, columns: states, Array(found[start..<start + states * states]))
  }
}
