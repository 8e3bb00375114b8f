import TwinCore

/// Where the inputs have been: their mean and covariance, and how far a new one lies from them.
///
/// The first `settling` inputs fix the units (a mean and a spread for each input) in which features are made. Where
/// they have lain since is followed slowly; when one has come to spread twice as far as its unit says, the units no
/// longer fit, and `outgrown` asks for new ones.
struct Support: Sendable, Equatable {
  /// So many inputs, at most, does the present shape remember.
  static let memory = 5000.0
  /// Added to every variance, in units: an input that hardly moved is not therefore far away.
  static let softening = 0.05
  /// Of a unit: what varies less than this part of its own size does not vary.
  static let leastSpread = 1e-6

  let inputs: Int
  let settling: Int
  private(set) var count = 0
  private(set) var centre: [Double]
  /// Variances while settling, then spreads.
  private(set) var unit: [Double]
  /// Of what has been since, in units.
  private var mean: [Double]
  private var shape: [Double]
  private var factor: [Double]
  private var scratch: Scratch

  init(inputs: Int, settling: Int) {
    (self.inputs, self.settling) = (inputs, settling)
    centre = Array(repeating: 0, count: inputs)
    unit = centre
    mean = centre
    shape = Array(repeating: 0, count: inputs * inputs)
    factor = shape
    scratch = Scratch(inputs)
  }

  var isSettled: Bool { count >= settling }

  /// An input in units.
  @inline(__always)
  func standard(_ value: Double, _ input: Int) -> Double { (value - centre[input]) / unit[input] }

  /// Whether some input spreads at least twice as far as its unit.
  var isOutgrown: Bool {
    guard count >= 2 * settling else { return false }
    for input in 0..<inputs where shape[input * inputs + input] > 4 { return true }
    return false
  }

  /// Takes the present shape for new units.
  mutating func renew() {
    for input in 0..<inputs {
      centre[input] += mean[input] * unit[input]
      unit[input] *= max(1, shape[input * inputs + input].squareRoot())
    }
    beginShape()
  }

  mutating func add(_ x: UnsafeBufferPointer<Double>) {
    count += 1
    guard count > settling else { return unsafe settle(x) }
    let part = max(1 / Double(count - settling + 1), 1 / Self.memory)
    for input in 0..<inputs {
      scratch.values[input] = unsafe standard(x[input], input).clamped(100) - mean[input]
      mean[input] += part * scratch.values[input]
    }
    for row in 0..<inputs {
      for column in 0...row {
        let product = scratch.values[row] * scratch.values[column]
        let old = shape[row * inputs + column]
        let new = (1 - part) * (old + part * product)
        shape[row * inputs + column] = new
        shape[column * inputs + row] = new
      }
    }
    factorise()
  }

  /// 1 within the support, 0 outside, between them where it fades.
  mutating func weight(_ x: UnsafeBufferPointer<Double>) -> Double {
    let distance = unsafe squaredDistance(x)
    let root = Double(inputs).squareRoot()
    let (inner, outer) = ((root + 2.5) * (root + 2.5), (root + 4) * (root + 4))
    return max(0, min(1, (outer - distance) / (outer - inner)))
  }

  /// Mahalanobis'.
  private mutating func squaredDistance(_ x: UnsafeBufferPointer<Double>) -> Double {
    var sum = 0.0
    for row in 0..<inputs {
      var value = unsafe standard(x[row], row).clamped(1e6) - mean[row]
      for column in 0..<row { value -= factor[row * inputs + column] * scratch.values[column] }
      value /= factor[row * inputs + row]
      scratch.values[row] = value
      sum += value * value
    }
    return sum
  }

  /// Welford's mean and sum of squares.
  private mutating func settle(_ x: UnsafeBufferPointer<Double>) {
    for input in 0..<inputs {
      let before = unsafe x[input] - centre[input]
      centre[input] += before / Double(count)
      unit[input] += unsafe before * (x[input] - centre[input])
    }
    guard isSettled else { return }
    for input in 0..<inputs {
      let spread = (unit[input] / Double(count)).squareRoot()
      unit[input] = max(spread, Self.leastSpread * max(1, centre[input].magnitude))
    }
    beginShape()
  }

  private mutating func beginShape() {
    count = settling
    for index in shape.indices { shape[index] = 0 }
    for input in 0..<inputs {
      mean[input] = 0
      shape[input * inputs + input] = 1
    }
    factorise()
  }

  /// Cholesky's factor of the softened shape.
  private mutating func factorise() {
    for row in 0..<inputs {
      for column in 0...row {
        var value = shape[row * inputs + column] + (row == column ? Self.softening : 0)
        for index in 0..<column { value -= factor[row * inputs + index] * factor[column * inputs + index] }
        if row == column {
          factor[row * inputs + row] = max(value, Self.softening / 2).squareRoot()
        } else {
          factor[row * inputs + column] = value / factor[column * inputs + column]
        }
      }
    }
  }

  /// Canonical form: six items.
  func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.integer(count)
    writer.doubles(centre)
    writer.doubles(unit)
    writer.doubles(mean)
    writer.doubles(shape)
  }

  init(from reader: inout CanonicalReader, inputs: Int, settling: Int) throws(CanonicalFault) {
    try reader.structure(5, version: 1)
    self.init(inputs: inputs, settling: settling)
    count = try reader.int()
    centre = try reader.finiteDoubles(inputs)
    unit = try reader.finiteDoubles(inputs)
    mean = try reader.finiteDoubles(inputs)
    shape = try reader.finiteDoubles(inputs * inputs)
    guard count >= 0, !isSettled || unit.allSatisfy({ $0 > 0 }) else {
      throw CanonicalFault("support of \(count) inputs in units \(unit)")
    }
    if isSettled { factorise() }
  }
}

extension Double {
  /// Within ±bound.
  @inline(__always)
  func clamped(_ bound: Double) -> Double { Swift.max(-bound, Swift.min(bound, self)) }
}
