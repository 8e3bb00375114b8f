public import Models
import TwinCore

/// What a calibration minimises: how unlikely a stretch of record is to the model, and how far its numbers are from
/// what was held before any data.
///
/// The unknowns are the logarithms of the parameters and of factors on the noise: one for each output, and one for the
/// states that share a noise intensity (a template gives equals to states that it holds to be alike).
public struct CalibrationProblem: Sendable, Equatable {
  public let model: BilinearModel
  public let table: ObservationTable
  /// By state: which noise factor is its; nil for one without noise.
  let noiseGroup: [Int?]
  let noiseGroups: Int
  /// Unknowns that are not to be found but given.
  private(set) var held: [Int: Double] = [:]

  /// Standard deviation of a noise factor's logarithm before any data: noise is seldom known within a factor of ten.
  static let noiseSpread = 3.0
  /// A noise factor may not leave e^±limit.
  static let noiseLimit = 12.0

  public init(_ model: BilinearModel, _ table: ObservationTable) {
    (self.model, self.table) = (model, table)
    var intensities: [(value: Double, isBias: Bool)] = []
    noiseGroup = model.states.map { state in
      guard state.noiseIntensity > 0 else { return nil }
      let key = (state.noiseIntensity, state.isBias)
      if let place = intensities.firstIndex(where: { $0 == key }) { return place }
      intensities.append(key)
      return intensities.count - 1
    }
    noiseGroups = intensities.count
  }

  /// Unknowns: parameters, then noise factors of states, then of outputs.
  public var count: Int { model.parameters.count + noiseGroups + model.outputs.count }

  /// The priors.
  public var start: [Double] {
    model.priorLogParameters + Array(repeating: 0, count: count - model.parameters.count)
  }

  func spread(_ unknown: Int) -> Double {
    unknown < model.parameters.count ? model.parameters[unknown].spread : Self.noiseSpread
  }

  /// The same problem with an unknown given.
  func holding(_ unknown: Int, at value: Double) -> CalibrationProblem {
    var problem = self
    problem.held[unknown] = value
    return problem
  }

  /// The same within what each unknown may be.
  func clamped(_ unknowns: [Double]) -> [Double] {
    let start = start
    return unknowns.indices.map { index in
      if let value = held[index] { return value }
      let reach = reach(index)
      return min(start[index] + reach, max(start[index] - reach, unknowns[index]))
    }
  }

  private func reach(_ unknown: Int) -> Double {
    unknown < model.parameters.count ? model.parameters[unknown].limit : Self.noiseLimit
  }

  /// What a parameter's logarithm may be.
  func range(_ parameter: Int) -> (low: Double, high: Double) {
    let centre = model.priorLogParameters[parameter]
    return (centre - reach(parameter), centre + reach(parameter))
  }

  public func logParameters(_ unknowns: [Double]) -> [Double] { Array(unknowns.prefix(model.parameters.count)) }

  /// The model with its noise scaled.
  public func model(_ unknowns: [Double]) -> BilinearModel {
    var scaled = model
    let parameters = model.parameters.count
    for (state, group) in noiseGroup.enumerated() {
      if let group { scaled.states[state].noiseIntensity *= Elementary.exp(unknowns[parameters + group]) }
    }
    for output in scaled.outputs.indices {
      scaled.outputs[output].noiseVariance *= Elementary.exp(unknowns[parameters + noiseGroups + output])
    }
    return scaled
  }

  /// −ln of the posterior density, up to a constant; infinite where the model cannot run.
  public func cost(_ unknowns: [Double]) -> Double {
    let start = start
    var sum = InnovationLikelihood.negativeLogLikelihood(
      model(unknowns), logParameters: logParameters(unknowns), data: table)
    for index in unknowns.indices {
      let distance = (unknowns[index] - start[index]) / spread(index)
      sum += 0.5 * distance * distance
    }
    return sum.isFinite ? sum : .infinity
  }

  /// −ln L alone.
  public func negativeLogLikelihood(_ unknowns: [Double]) -> Double {
    InnovationLikelihood.negativeLogLikelihood(model(unknowns), logParameters: logParameters(unknowns), data: table)
  }

  /// By differences: forward ones with a small step, or central ones.
  func gradient(_ unknowns: [Double], cost: Double, isCentral: Bool) -> [Double] {
    let step = isCentral ? 1e-3 : 1e-5
    var moved = unknowns
    return unknowns.indices.map { index in
      guard held[index] == nil else { return 0 }
      moved[index] = unknowns[index] + step
      let ahead = self.cost(moved)
      var slope = (ahead - cost) / step
      if isCentral {
        moved[index] = unknowns[index] - step
        slope = (ahead - self.cost(moved)) / (2 * step)
      }
      moved[index] = unknowns[index]
      return slope.isFinite ? slope : 0
    }
  }
}
