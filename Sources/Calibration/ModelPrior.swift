public import LinearAlgebra
public import Models
public import TwinCore

/// What sites of one kind hold in common of a model before the data of any of them: the ground that deltas are counted
/// from.
///
/// Canonical form: [1, structure, means, information (lower triangle), limits, [basis, …]]. The structure is the model
/// without any site's names; two sites whose bytes are the same can be added.
public struct ModelPrior: Sendable, Equatable {
  /// Of the parameters, without their asset; for people.
  public let names: [String]
  /// Of the logarithms.
  public let means: [Double]
  /// The inverse of their covariance.
  public let information: Matrix
  /// How far a logarithm may lie from its mean.
  public let limits: [Double]
  /// By output and horizon; empty where sites share no residual heads.
  public let heads: [SharedBasis]
  private let structure: [UInt8]

  /// The priors of a template, or, with `means` and `information`, what earlier rounds made of them.
  public init(
    _ definition: ModelDefinition, heads: [SharedBasis] = [], means: [Double]? = nil, information: Matrix? = nil
  ) {
    let physics = definition.physics
    names = physics.parameters.map { Self.ownName($0.name) }
    self.means = means ?? physics.parameters.map { Elementary.log($0.prior) }
    self.information = information ?? .diagonal(physics.parameters.map { 1 / ($0.spread * $0.spread) })
    limits = physics.parameters.map(\.limit)
    self.heads = heads
    let count = names.count
    precondition(self.means.count == count && self.means.allSatisfy(\.isFinite), "one number a parameter")
    precondition(self.information.rows == count && Cholesky(self.information) != nil, "a prior that is proper")
    var writer = CanonicalWriter(reservingBytes: 4096)
    writer.array(3)
    writer.integer(definition.stepNanoseconds)
    writer.array(definition.horizons.count)
    for horizon in definition.horizons { writer.integer(horizon) }
    Self.nameless(physics).encode(to: &writer)
    structure = writer.bytes
  }

  public var bytes: [UInt8] {
    var writer = CanonicalWriter(reservingBytes: structure.count + 4096)
    writer.array(6)
    writer.integer(1)
    writer.bytes(structure)
    writer.doubles(means)
    writer.doubles(ModelDelta.triangle(information))
    writer.doubles(limits)
    writer.array(heads.count)
    for head in heads { head.encode(to: &writer) }
    return writer.bytes
  }

  private static func ownName(_ name: String) -> String {
    name.split(separator: ".").last.map(String.init) ?? name
  }

  /// The same terms over the same units, whatever the site calls them, and whatever is expected of its noise.
  private static func nameless(_ physics: BilinearModel) -> BilinearModel {
    var bare = physics
    for index in bare.states.indices {
      bare.states[index].name = ""
      (bare.states[index].initialMean, bare.states[index].initialVariance) = (0, 1)
      bare.states[index].noiseIntensity = 0
    }
    for index in bare.inputs.indices { bare.inputs[index].name = "" }
    for index in bare.parameters.indices {
      bare.parameters[index].name = ownName(bare.parameters[index].name)
      (bare.parameters[index].prior, bare.parameters[index].spread) = (1, 1)
    }
    for index in bare.outputs.indices {
      bare.outputs[index].name = ""
      bare.outputs[index].noiseVariance = 1
    }
    return bare
  }
}

/// The units and the cosines in which all sites of one kind describe what physics leaves out of one forecast.
///
/// A site's own learner works in units of its own inputs, which differ from site to site: its weights cannot be added.
/// Statistics that are to be added are gathered in these units instead, which are handed out with the prior.
public struct SharedBasis: Sendable, Equatable {
  public var seed: UInt64
  public var features: Int
  public var scale: Double
  /// By input.
  public var centre: [Double]
  public var unit: [Double]
  /// Of the residual.
  public var targetUnit: Double
  /// Of a weight, per variance of the residual in its unit.
  public var priorVariance: Double

  public init(
    seed: UInt64, features: Int = 150, scale: Double = 2, centre: [Double], unit: [Double], targetUnit: Double,
    priorVariance: Double = 20
  ) {
    (self.seed, self.features, self.scale) = (seed, features, scale)
    (self.centre, self.unit) = (centre, unit)
    (self.targetUnit, self.priorVariance) = (targetUnit, priorVariance)
    precondition(problems.isEmpty, problems.joined(separator: ", "))
  }

  /// Cosines, inputs, one.
  public var order: Int { features + centre.count + 1 }

  /// What is wrong with it: empty if nothing.
  public var problems: [String] {
    var found: [String] = []
    if !(1...1024).contains(features) { found.append("\(features) features") }
    if !(1...128).contains(centre.count) || unit.count != centre.count {
      found.append("\(unit.count) units for \(centre.count) inputs")
    }
    if !(scale > 0 && scale.isFinite) { found.append("a scale of \(scale)") }
    if !centre.allSatisfy(\.isFinite) { found.append("a centre that is not finite") }
    for value in unit + [targetUnit] where !(value > 0 && value.isFinite) { found.append("a unit of \(value)") }
    if !(priorVariance > 1e-6 && priorVariance <= 1e6) { found.append("a prior variance of \(priorVariance)") }
    return found
  }

  public func encode(to writer: inout CanonicalWriter) {
    writer.array(8)
    writer.integer(1)
    writer.unsigned(seed)
    writer.integer(features)
    writer.double(scale)
    writer.doubles(centre)
    writer.doubles(unit)
    writer.double(targetUnit)
    writer.double(priorVariance)
  }
}
