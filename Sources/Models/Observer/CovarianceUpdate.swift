import LinearAlgebra

/// What every Kalman filter here does with a covariance, on memory of its caller.
enum CovarianceUpdate {
  /// Of a variance: what must be left of it when all before it is known. Far above rounding, far below any sensor.
  static let relativeFloor = 1e-10
  /// Of an initial variance: below it nobody knows anything, and a variance that shrinks for ever would reach zero.
  static let initialFloor = 1e-12
  static let absoluteFloor = 1e-18

  static func floor(initialVariance: Double) -> Double { max(initialVariance * initialFloor, absoluteFloor) }

  /// Elements of scratch that `keep` and `takeIn` want.
  static func scratch(order: Int) -> Int { order * (order + 2) }

  static func keep(
    _ p: UnsafeMutablePointer<Double>, order: Int, floors: UnsafePointer<Double>,
    scratch: UnsafeMutablePointer<Double>
  ) {
    unsafe Dense.keepPositiveDefinite(p, order: order, relative: relativeFloor, floors: floors, scratch: scratch)
  }

  /// Takes in a reading of one state; frozen parameters, which are the last of the vector, stay where they are.
  ///
  /// Beyond the gate it moves states as a reading at the gate would, and no parameter. `keep` must follow.
  static func takeIn(
    _ value: Double, _ mean: UnsafeMutablePointer<Double>, _ covariance: UnsafeMutablePointer<Double>, order: Int,
    state: Int, noise: Double, isFrozen: [Bool], gain: UnsafeMutablePointer<Double>,
    scratch: UnsafeMutablePointer<Double>
  ) -> Innovation {
    let prior = unsafe covariance[state * order + state]
    let variance = prior + noise
    guard value.isFinite else {
      return Innovation(value: .nan, variance: variance, isAccepted: false, normalised: .nan)
    }
    let deviation = variance.squareRoot()
    // The nearest number where the difference overflows.
    let bound = Double.greatestFiniteMagnitude
    let difference = unsafe min(max(value - mean[state], -bound), bound)
    let normalised = min(max(difference / deviation, -bound), bound)
    let isAccepted = normalised.magnitude <= Innovation.gate
    let weight = isAccepted ? 1 : Innovation.gate / normalised.magnitude
    // By how much the mean moves for each covariance with what was read.
    let pull = (isAccepted ? normalised : normalised < 0 ? -Innovation.gate : Innovation.gate) / deviation
    let states = order - isFrozen.count
    for index in 0..<order {
      let isHeld = index >= states && (!isAccepted || isFrozen[index - states])
      let shared = unsafe isHeld ? 0 : covariance[state * order + index]
      unsafe gain[index] = shared / variance * weight
      unsafe mean[index] += shared * pull
    }
    // The noise for which that gain is the best one; it stays finite where hardly anything is taken in.
    let inflated = variance / max(weight, 1e-12) - prior
    unsafe joseph(covariance, order: order, state: state, gain: gain, noise: inflated, scratch: scratch)
    return Innovation(value: difference, variance: variance, isAccepted: isAccepted, normalised: normalised)
  }

  /// P ← (I − K·hᵀ)·P·(I − K·hᵀ)ᵀ + R·K·Kᵀ for a reading of one state (Bucy & Joseph 1968): right for any gain.
  private static func joseph(
    _ p: UnsafeMutablePointer<Double>, order: Int, state: Int, gain: UnsafePointer<Double>, noise: Double,
    scratch: UnsafeMutablePointer<Double>
  ) {
    let (row, rest) = unsafe (scratch, scratch + order)
    let variance = unsafe p[state * order + state]
    for index in 0..<order {
      unsafe row[index] = p[state * order + index]
      unsafe rest[index] = noise * gain[index] - (row[index] - gain[index] * variance)
    }
    for index in 0..<order {
      for other in 0...index {
        let value = unsafe p[index * order + other] - gain[index] * row[other] + rest[index] * gain[other]
        unsafe p[index * order + other] = value
        unsafe p[other * order + index] = value
      }
    }
  }
}
