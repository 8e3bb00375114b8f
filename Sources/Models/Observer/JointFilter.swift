import LinearAlgebra
import TwinCore

/// The arithmetic of a `JointObserver` over memory that the observer owns: what follows from the model alone.
struct JointFilter: Sendable {
  let states: Int
  let parameters: Int
  let coefficients: Coefficients
  let hold: ZeroOrderHold
  private let intensities: [Double]
  private let walks: [Double]
  private let lowest: [Double]
  private let highest: [Double]
  /// By state and parameter: what its variance never falls below.
  let floors: [Double]

  // Offsets into the memory, behind that of the step.
  private let theta: Int
  private let entries: Int
  private let product: Int
  private let block: Int
  private let gain: Int
  private let work: Int
  /// Of a mean and covariance apart from the observer's own.
  let apart: Int
  let size: Int

  var order: Int { states + parameters }

  init(_ model: BilinearModel) {
    coefficients = Coefficients(model)
    (states, parameters) = (model.states.count, model.parameters.count)
    hold = ZeroOrderHold(states: states, driven: 1, parameters: parameters)
    intensities = model.states.map(\.noiseIntensity)
    walks = model.parameters.map(\.walk)
    let centres = model.priorLogParameters
    lowest = zip(centres, model.parameters).map { $0 - $1.limit }
    highest = zip(centres, model.parameters).map { $0 + $1.limit }
    floors =
      model.states.map { CovarianceUpdate.floor(initialVariance: $0.initialVariance) }
      + model.parameters.map { CovarianceUpdate.floor(initialVariance: $0.spread * $0.spread) }
    let order = states + parameters
    var offset = hold.size
    func take(_ count: Int) -> Int {
      defer { offset += (count + 1) & ~1 }
      return offset
    }
    theta = take(2 * parameters)
    entries = take(coefficients.entryPositions.count)
    product = take(states * order)
    block = take(states * states + states)
    gain = take(order)
    work = take(CovarianceUpdate.scratch(order: order))
    apart = take(order + order * order)
    size = offset
  }

  /// One step of time; false, with mean and covariance kept, where an input is not finite or a result would not be.
  @unsafe func predict(
    _ mean: UnsafeMutablePointer<Double>, _ covariance: UnsafeMutablePointer<Double>,
    _ memory: UnsafeMutablePointer<Double>, inputs: UnsafeBufferPointer<Double>, seconds: Double, noiseScale: Double,
    isFrozen: [Bool]
  ) -> Bool {
    let (theta, entries) = unsafe (memory + self.theta, memory + self.entries)
    for index in 0..<parameters {
      let logarithm = unsafe mean[states + index]
      unsafe theta[index] = Elementary.exp(logarithm)
      unsafe theta[parameters + index] = Elementary.exp(-logarithm)
    }
    guard unsafe inputs.allSatisfy(\.isFinite) else { return false }
    unsafe coefficients.evaluate(theta: theta, inputs: inputs, into: memory + hold.system, entries: entries)
    guard
      unsafe hold.solve(
        memory, seconds: seconds, intensities: intensities, entries: entries, of: coefficients, from: mean),
      unsafe propagate(mean, covariance, memory, noiseScale: noiseScale)
    else { return false }
    for index in 0..<parameters where !isFrozen[index] {
      let place = (states + index) * (order + 1)
      unsafe covariance[place] += walks[index] * seconds * noiseScale
    }
    unsafe CovarianceUpdate.keep(covariance, order: order, floors: floors, scratch: memory + work)
    return true
  }

  /// x ← Φ·x + Γ and P ← F·P·Fᵀ + Q with F = [Φ, S; 0, I], once all of it has been found finite.
  private func propagate(
    _ mean: UnsafeMutablePointer<Double>, _ covariance: UnsafeMutablePointer<Double>,
    _ memory: UnsafeMutablePointer<Double>, noiseScale: Double
  ) -> Bool {
    let (change, noise) = unsafe (memory + hold.change, memory + hold.noise)
    let sensitivity = unsafe memory + hold.sensitivity
    let (product, block) = unsafe (memory + self.product, memory + self.block)
    let moved = unsafe block + states * states
    for row in 0..<states {
      let line = unsafe change + row * hold.width
      unsafe moved[row] = mean[row] + (Dense.dot(line, mean, count: states) + line[states])
    }
    // [Φ, S]·P
    unsafe product.update(from: covariance, count: states * order)
    unsafe Dense.addProduct(
      to: product, change, stride: hold.width, covariance, rows: states, inner: states, columns: order)
    unsafe Dense.addProduct(
      to: product, sensitivity, stride: parameters, covariance + states * order, rows: states, inner: parameters,
      columns: order)
    for row in 0..<states {
      let line = unsafe product + row * order
      for column in 0...row {
        let byState = unsafe Dense.dot(line, change + column * hold.width, count: states)
        let byParameter = unsafe Dense.dot(line + states, sensitivity + column * parameters, count: parameters)
        let rest = unsafe noiseScale * noise[row * states + column]
        unsafe block[row * states + column] = line[column] + (byState + byParameter) + rest
      }
      for column in row + 1..<states { unsafe block[row * states + column] = 0 }
    }
    guard unsafe Dense.isFinite(block, count: states * states + states),
      unsafe Dense.isFinite(product, count: states * order)
    else { return false }
    unsafe mean.update(from: moved, count: states)
    for row in 0..<states {
      for column in 0...row {
        let value = unsafe block[row * states + column]
        unsafe covariance[row * order + column] = value
        unsafe covariance[column * order + row] = value
      }
      for column in states..<order {
        let value = unsafe product[row * order + column]
        unsafe covariance[row * order + column] = value
        unsafe covariance[column * order + row] = value
      }
    }
    return true
  }

  /// Takes in a reading of one state. Beyond the gate it moves states as one at the gate would, and no parameter.
  @unsafe func update(
    _ mean: UnsafeMutablePointer<Double>, _ covariance: UnsafeMutablePointer<Double>,
    _ memory: UnsafeMutablePointer<Double>, state: Int, noise: Double, value: Double, isFrozen: [Bool]
  ) -> Innovation {
    let (gain, work) = unsafe (memory + self.gain, memory + self.work)
    let innovation = unsafe CovarianceUpdate.takeIn(
      value, mean, covariance, order: order, state: state, noise: noise, isFrozen: isFrozen, gain: gain, scratch: work)
    guard innovation.value.isFinite else { return innovation }
    for index in 0..<parameters {
      unsafe mean[states + index] = min(max(mean[states + index], lowest[index]), highest[index])
    }
    unsafe CovarianceUpdate.keep(covariance, order: order, floors: floors, scratch: work)
    return innovation
  }
}
