public import TwinCore

/// Linear regression that learns one pair at a time and forgets only where something new arrives.
///
/// Recursive least squares with a ridge prior. With `forgetting` below 1 the information along the present regressor
/// alone is discounted (Kulhavý and Kárný, "Tracking of slowly varying parameters by directional forgetting", 1984),
/// and a small `alertness` is added to every variance (Bittanti, Bolzern and Campi, 1990), so that no direction is ever
/// closed to news. Growth stops where the trace of the covariance would exceed the prior's: what is not excited keeps
/// what it knows, however long.
public struct RecursiveRegression: Sendable, Equatable {
  public static let orderMax = 4096

  public let order: Int
  public let priorVariance: Double
  public let forgetting: Double
  public let alertness: Double
  public private(set) var weights: [Double]
  /// Of the weights, per unit of the noise's variance: order × order, row after row, symmetric to the bit.
  public private(set) var covariance: [Double]
  public private(set) var count: Int64 = 0
  private var gain: Scratch

  /// `alertness` is added to each weight's variance at each step; it needs forgetting.
  public init(order: Int, priorVariance: Double, forgetting: Double = 1, alertness: Double = 0) {
    precondition((1...Self.orderMax).contains(order), "a regression of order \(order)")
    precondition(priorVariance > 0 && priorVariance.isFinite, "a prior variance of \(priorVariance)")
    precondition(forgetting > 0.5 && forgetting <= 1, "a forgetting factor of \(forgetting)")
    precondition(alertness >= 0 && alertness < priorVariance, "an alertness of \(alertness)")
    (self.order, self.priorVariance) = (order, priorVariance)
    (self.forgetting, self.alertness) = (forgetting, alertness)
    weights = Array(repeating: 0, count: order)
    covariance = Array(repeating: 0, count: order * order)
    gain = Scratch(order)
    forgetCovariance()
  }

  public var trace: Double {
    var sum = 0.0
    for index in 0..<order { sum += covariance[index * order + index] }
    return sum
  }

  /// What the weights say of a regressor.
  public func predict(_ regressor: UnsafeBufferPointer<Double>) -> Double {
    precondition(regressor.count == order, "\(regressor.count) values for \(order) weights")
    return unsafe weights.withUnsafeBufferPointer { unsafe dot($0, regressor) }
  }

  /// The variance of what the weights say of a regressor, per unit of the noise's: small where much was learnt.
  public mutating func spread(_ regressor: UnsafeBufferPointer<Double>) -> Double {
    unsafe project(regressor)
  }

  /// Takes in one pair; false, and nothing is changed, if a number is not finite or would make one.
  @discardableResult
  public mutating func learn(_ regressor: UnsafeBufferPointer<Double>, _ target: Double) -> Bool {
    let spread = unsafe project(regressor)
    return unsafe learn(regressor, target, spread: spread)
  }

  /// The same, right after `spread(_:)` was asked for this regressor and said so much.
  mutating func learn(_ regressor: UnsafeBufferPointer<Double>, _ target: Double, spread: Double) -> Bool {
    let error = unsafe target - predict(regressor)
    guard error.isFinite, spread.isFinite, spread >= 0 else {
      // A negative spread of sound numbers is rounding that has eaten the covariance: its prior is a safe place.
      if error.isFinite, spread.isFinite { forgetCovariance() }
      return false
    }
    let step = error / (1 + spread)
    for index in 0..<order {
      let moved = weights[index] + gain.values[index] * step
      guard moved.isFinite else {
        for undone in 0..<index { weights[undone] -= gain.values[undone] * step }
        return false
      }
      weights[index] = moved
    }
    updateCovariance(spread)
    count += 1
    return true
  }

  /// Leaves the weights and knows as little of them as at the start.
  public mutating func forgetCovariance() {
    for index in covariance.indices { covariance[index] = 0 }
    for index in 0..<order { covariance[index * order + index] = priorVariance }
  }

  /// gain ← P·φ; gives φ·P·φ.
  private mutating func project(_ regressor: UnsafeBufferPointer<Double>) -> Double {
    precondition(regressor.count == order, "\(regressor.count) values for \(order) weights")
    let order = order
    return unsafe gain.values.withUnsafeMutableBufferPointer { gain in
      unsafe covariance.withUnsafeBufferPointer { covariance in
        for index in 0..<order { unsafe gain[index] = 0 }
        var row = 0
        // P is symmetric, so that its rows serve as columns; four at a time pass the gain through registers once.
        while row + 4 <= order {
          let (a, b) = unsafe (regressor[row], regressor[row + 1])
          let (c, d) = unsafe (regressor[row + 2], regressor[row + 3])
          let start = row * order
          for index in 0..<order {
            let first = unsafe a * covariance[start + index] + b * covariance[start + order + index]
            let second =
              unsafe c * covariance[start + 2 * order + index] + d * covariance[start + 3 * order + index]
            unsafe gain[index] += first + second
          }
          row += 4
        }
        while row < order {
          let a = unsafe regressor[row]
          for index in 0..<order { unsafe gain[index] += a * covariance[row * order + index] }
          row += 1
        }
      }
      return unsafe dot(UnsafeBufferPointer(gain), regressor)
    }
  }

  /// P ← P − c·k·kᵀ with k = P·φ: c = 1/(1 + ζ) without forgetting, else from ε = λ − (1 − λ)/ζ, which is negative,
  /// and P grows, where little new has come.
  private mutating func updateCovariance(_ spread: Double) {
    guard spread > 0x1p-300 else { return }
    var factor = (forgetting * spread - (1 - forgetting)) / (spread * forgetting * (1 + spread))
    let traceMax = Double(order) * priorVariance
    if factor < 0 {
      let allowed = traceMax - trace
      var squares = 0.0
      for value in gain.values { squares += value * value }
      if -factor * squares > allowed { factor = -max(0, allowed) / squares }
    }
    // The root, so that the products are the same bits on both sides of the diagonal.
    let root = factor.magnitude.squareRoot()
    for index in 0..<order { gain.values[index] *= root }
    let sign = factor < 0 ? 1.0 : -1.0
    let order = order
    unsafe gain.values.withUnsafeBufferPointer { gain in
      unsafe covariance.withUnsafeMutableBufferPointer { covariance in
        for row in 0..<order {
          let value = unsafe sign * gain[row]
          let start = row * order
          for index in 0..<order { unsafe covariance[start + index] += value * gain[index] }
        }
      }
    }
    guard alertness > 0, trace + Double(order) * alertness <= traceMax else { return }
    for index in 0..<order { covariance[index * order + index] += alertness }
  }

  /// Canonical form: eight items; of the covariance the lower triangle, row after row.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    writer.integer(order)
    writer.double(priorVariance)
    writer.double(forgetting)
    writer.double(alertness)
    writer.integer(count)
    writer.doubles(weights)
    var triangle: [Double] = []
    triangle.reserveCapacity(order * (order + 1) / 2)
    for row in 0..<order { triangle += covariance[row * order...row * order + row] }
    writer.doubles(triangle)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(7, version: 1)
    let order = try reader.int()
    let (prior, forgetting, alertness) = (try reader.double(), try reader.double(), try reader.double())
    guard (1...Self.orderMax).contains(order), prior > 0, prior.isFinite, forgetting > 0.5, forgetting <= 1,
      alertness >= 0, alertness < prior
    else { throw CanonicalFault("regression of order \(order), prior \(prior), forgetting \(forgetting)") }
    self.init(order: order, priorVariance: prior, forgetting: forgetting, alertness: alertness)
    count = try reader.integer()
    weights = try reader.finiteDoubles(order)
    let triangle = try reader.finiteDoubles(order * (order + 1) / 2)
    guard count >= 0 else { throw CanonicalFault("regression of \(count) pairs") }
    var next = 0
    for row in 0..<order {
      for column in 0...row {
        covariance[row * order + column] = triangle[next]
        covariance[column * order + row] = triangle[next]
        next += 1
      }
      guard covariance[row * order + row] >= 0 else { throw CanonicalFault("a weight of negative variance") }
    }
  }
}
