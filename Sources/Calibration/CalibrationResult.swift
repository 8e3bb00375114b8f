public import LinearAlgebra
public import Models
import TwinCore

/// What a calibration found of one parameter.
public struct ParameterFinding: Sendable, Equatable {
  public var name: String
  public var unit: String
  public var value: Double
  /// 95 % of such intervals hold the true value.
  public var low: Double
  public var high: Double
  /// Standard deviation of the logarithm, before and after the data.
  public var priorDeviation: Double
  public var deviation: Double
  /// Whether the data tell anything about it. One that they do not stays at its prior.
  public var isIdentified: Bool
}

/// What a calibration found.
public struct CalibrationResult: Sendable, Equatable {
  /// The model with its noise as found.
  public let model: BilinearModel
  public let logParameters: [Double]
  /// Logarithms of the parameters, then of the factors on the noise.
  let unknowns: [Double]
  /// Of the logarithms.
  public let covariance: Matrix
  public let findings: [ParameterFinding]
  /// −ln L of the record, priors left out.
  public let negativeLogLikelihood: Double
  public let iterations: Int
  /// Readings that it rests on.
  public let readings: Int
  /// Mean of squared normalised innovations; 1 where the noise is told right.
  public let meanSquare: Double
  /// Of the innovations of the first output, lag 1 on; white ones stay within ±2/√readings.
  public let autocorrelation: [Double]
  /// By output: how much less the root mean square of one-step errors is than that of "it stays as it is", as a share.
  public let skill: [Double]

  /// Below it a model is worth nothing.
  static let skillMin = 0.02

  /// A parameter whose uncertainty the data have not brought below this share of the prior's says nothing.
  static let identifiedShare = 0.7

  init(_ problem: CalibrationProblem, at unknowns: [Double], cost: Double, curvature: Matrix, iterations: Int) {
    let count = problem.model.parameters.count
    self.unknowns = unknowns
    let whole = Self.covariance(curvature, problem)
    var covariance = Matrix(rows: count, columns: count)
    for row in 0..<count { for column in 0..<count { covariance[row, column] = whole[row, column] } }
    var found = problem.logParameters(unknowns)
    findings = problem.model.parameters.enumerated().map { index, parameter in
      let deviation = covariance[index, index].squareRoot()
      let isIdentified = deviation < Self.identifiedShare * parameter.spread
      return ParameterFinding(
        name: parameter.name, unit: parameter.unit, value: Elementary.exp(found[index]),
        low: Elementary.exp(found[index] - 1.96 * deviation), high: Elementary.exp(found[index] + 1.96 * deviation),
        priorDeviation: parameter.spread, deviation: deviation, isIdentified: isIdentified)
    }
    for index in found.indices where !found[index].isFinite { found[index] = problem.start[index] }
    (logParameters, self.covariance) = (found, covariance)
    let model = problem.model(unknowns)
    self.model = model
    self.iterations = iterations
    var series: [Double] = []
    var (squares, readings) = (0.0, 0)
    let outputs = problem.model.outputs.count
    var before: [Double?] = Array(repeating: nil, count: outputs)
    var errors = Array(repeating: (own: 0.0, stayed: 0.0), count: outputs)
    let settling = min(24, problem.table.steps / 4)
    negativeLogLikelihood = InnovationLikelihood.negativeLogLikelihood(
      model, logParameters: found, data: problem.table
    ) { step, output, innovation in
      readings += 1
      let reading = problem.table.outputs[step * outputs + output]
      defer { before[output] = reading }
      guard step >= settling else { return }
      if let last = before[output] {
        errors[output].own += innovation.value * innovation.value
        errors[output].stayed += (reading - last) * (reading - last)
      }
      squares += innovation.normalised * innovation.normalised
      if output == 0 { series.append(innovation.normalised) }
    }
    self.readings = readings
    skill = errors.indices.map { output in
      // Beside a reading that never moved, an error below a sensor's own noise is none.
      let least = problem.model.outputs[output].noiseVariance * Double(readings)
      guard errors[output].stayed > 0 else { return errors[output].own <= least ? 1 : 0 }
      return 1 - (errors[output].own / errors[output].stayed).squareRoot()
    }
    let counted = max(1, readings - settling * problem.model.outputs.count)
    meanSquare = squares / Double(counted)
    autocorrelation = Whiteness.autocorrelation(series, lags: 24)
  }

  /// The inverse of the curvature. In units of the priors no direction is less certain than the prior, whatever
  /// rounding or a point short of the best has made of its curvature; the others keep theirs.
  private static func covariance(_ curvature: Matrix, _ problem: CalibrationProblem) -> Matrix {
    let spreads = (0..<curvature.rows).map { problem.spread($0) }
    var relative = curvature.symmetrised()
    for row in spreads.indices {
      for column in spreads.indices {
        let element = relative[row, column] * spreads[row] * spreads[column]
        relative[row, column] = element.isFinite ? element : row == column ? 1 : 0
      }
    }
    var covariance = SymmetricEigen(relative).mapped { 1 / max(1, $0) }
    for row in spreads.indices {
      for column in spreads.indices { covariance[row, column] *= spreads[row] * spreads[column] }
    }
    return covariance
  }
}

/// Whether innovations are white: what a model has left unexplained shows here.
public enum Whiteness {
  /// From lag 1 on.
  public static func autocorrelation(_ series: [Double], lags: Int) -> [Double] {
    let count = series.count
    guard count > lags, lags > 0 else { return [] }
    let mean = series.reduce(0, +) / Double(count)
    let power = series.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    guard power > 0 else { return Array(repeating: 0, count: lags) }
    return (1...lags).map { lag in
      (lag..<count).reduce(0) { $0 + (series[$1] - mean) * (series[$1 - lag] - mean) } / power
    }
  }

  /// Ljung and Box (1978): large where the series is not white; compare with a χ² of as many degrees as lags.
  public static func portmanteau(_ autocorrelation: [Double], count: Int) -> Double {
    autocorrelation.enumerated().reduce(0) { sum, entry in
      let lag = Double(entry.offset + 1)
      return sum + entry.element * entry.element / (Double(count) - lag)
    } * Double(count) * Double(count + 2)
  }

  /// Whether a series of so many values may well be white: of those that are, one in 1/`level` is called otherwise.
  ///
  /// χ² by Wilson and Hilferty's cube (1931): within 0.5 % from ten lags on.
  public static func isWhite(_ autocorrelation: [Double], count: Int, level: Double = 0.01) -> Bool {
    precondition(level > 0 && level < 1, "a level of \(level)")
    guard !autocorrelation.isEmpty else { return true }
    let degrees = Double(autocorrelation.count)
    let spread = 2 / (9 * degrees)
    let root = 1 - spread + Elementary.inverseNormal(1 - level) * spread.squareRoot()
    return portmanteau(autocorrelation, count: count) <= degrees * root * root * root
  }
}
