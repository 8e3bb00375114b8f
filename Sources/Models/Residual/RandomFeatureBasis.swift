public import TwinCore

/// Cosines of random directions whose inner products approximate a Gaussian kernel: a smooth function of the inputs
/// becomes linear in them.
///
/// φ_j(x) = √(2/D)·cos(ω_j·x + β_j), ω ~ N(0, 1/scale²), β ~ U(0, 2π). The same seed is the same basis on every
/// machine, so that sites can share weights. Source: Rahimi and Recht, "Random features for large-scale kernel
/// machines" (2007).
public struct RandomFeatureBasis: Sendable, Equatable {
  public static let featuresMax = 4096
  public static let inputsMax = 256

  public let seed: UInt64
  public let inputs: Int
  public let features: Int
  /// How far apart two inputs are before their values have little to do with each other.
  public let scale: Double
  /// Input after input, so that evaluation runs along the features.
  private let directions: [Double]
  private let phases: [Double]
  private let height: Double

  public init(seed: UInt64, inputs: Int, features: Int, scale: Double) {
    precondition((1...Self.inputsMax).contains(inputs), "a basis over \(inputs) inputs")
    precondition((1...Self.featuresMax).contains(features), "a basis of \(features) features")
    precondition(scale > 0 && scale.isFinite, "a scale of \(scale)")
    (self.seed, self.inputs, self.features, self.scale) = (seed, inputs, features, scale)
    var directions = Philox(seed: seed, stream: 1)
    var phases = Philox(seed: seed, stream: 2)
    self.directions = (0..<inputs * features).map { _ in directions.normal() / scale }
    self.phases = (0..<features).map { _ in phases.uniform() * 2 * .pi }
    height = (2 / Double(features)).squareRoot()
  }

  /// `x` has `inputs` values, `into` receives `features`.
  public func evaluate(_ x: UnsafeBufferPointer<Double>, into values: UnsafeMutableBufferPointer<Double>) {
    precondition(x.count == inputs && values.count == features, "\(x.count) inputs, room for \(values.count) features")
    unsafe phases.withUnsafeBufferPointer { phases in
      for index in 0..<features { unsafe values[index] = phases[index] }
    }
    unsafe directions.withUnsafeBufferPointer { directions in
      for input in 0..<inputs {
        let value = unsafe x[input]
        let start = input * features
        for index in 0..<features { unsafe values[index] += value * directions[start + index] }
      }
    }
    for index in 0..<features { unsafe values[index] = height * Elementary.cos(values[index]) }
  }

  /// Canonical form: five items; the directions follow from the seed.
  public func encode(to writer: inout CanonicalWriter) {
    writer.array(5)
    writer.integer(1)
    writer.unsigned(seed)
    writer.integer(inputs)
    writer.integer(features)
    writer.double(scale)
  }

  public init(from reader: inout CanonicalReader) throws(CanonicalFault) {
    try reader.structure(4, version: 1)
    let seed = try reader.unsigned()
    let (inputs, features, scale) = (try reader.int(), try reader.int(), try reader.double())
    guard (1...Self.inputsMax).contains(inputs), (1...Self.featuresMax).contains(features), scale > 0, scale.isFinite
    else { throw CanonicalFault("basis of \(features) features over \(inputs) inputs with scale \(scale)") }
    self.init(seed: seed, inputs: inputs, features: features, scale: scale)
  }
}
