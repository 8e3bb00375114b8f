/// What a model's numbers must be before anything is computed with them; the same at the site and the foundation.
public struct ModelCheck: Equatable, Sendable {
  /// Bytes of the encoded model.
  public let bytesMax: UInt64
  public let valuesMax: Int
  /// Of the Euclidean norm of all values together.
  public let normMax: Double

  /// Traps on a bound that bounds nothing.
  public init(bytesMax: UInt64, valuesMax: Int, normMax: Double) {
    precondition(valuesMax >= 1 && normMax > 0 && normMax.isFinite, "a model check needs bounds")
    (self.bytesMax, self.valuesMax, self.normMax) = (bytesMax, valuesMax, normMax)
  }

  /// The first thing wrong with a model of `shape`, which is the length of each of its layers; nil when nothing is.
  public func problem(
    _ values: [Double], shape: [Int], wantedShape: [Int], size: UInt64, name: String
  ) -> ProvenanceFault? {
    if size > bytesMax { return .artefact(name, "\(size) bytes, at most \(bytesMax) are taken") }
    if shape != wantedShape { return .artefact(name, "its shape is \(shape.prefix(16)), wanted \(wantedShape)") }
    guard values.count <= valuesMax, Self.fits(values.count, shape) else {
      return .artefact(name, "\(values.count) values do not fit its shape, or are more than \(valuesMax)")
    }
    if let index = Self.firstUnusable(values) {
      return .artefact(name, "value \(index) is \(values[index]): not finite, or denormal")
    }
    let norm = Self.norm(values)
    guard norm <= normMax else { return .artefact(name, "its norm is \(norm), at most \(normMax)") }
    return nil
  }

  /// The first value that is NaN, infinite or denormal: denormals make some processors very slow, and no trained weight
  /// is one.
  public static func firstUnusable(_ values: [Double]) -> Int? {
    values.firstIndex { !$0.isFinite || $0.isSubnormal }
  }

  /// The Euclidean norm, scaled so that it overflows only where the result does; NaN if a value is.
  public static func norm(_ values: [Double]) -> Double {
    if values.contains(where: \.isNaN) { return .nan }
    let scale = values.reduce(0) { max($0, $1.magnitude) }
    guard scale > 0, scale.isFinite else { return scale }
    return scale * values.reduce(0) { $0 + ($1 / scale) * ($1 / scale) }.squareRoot()
  }

  private static func fits(_ count: Int, _ shape: [Int]) -> Bool {
    var rest = count
    for length in shape {
      guard length >= 0, length <= rest else { return false }
      rest -= length
    }
    return rest == 0
  }
}
