import LinearAlgebra
import Testing
import TwinCore

@testable import Models

/// ∂x⁺/∂ln θ of one step as the observer computes it.
private func sensitivity(_ model: BilinearModel, _ x: [Double], inputs: [Double], seconds: Double) -> Matrix? {
  let coefficients = Coefficients(model)
  let (states, parameters) = (model.states.count, model.parameters.count)
  let hold = ZeroOrderHold(states: states, driven: 1, parameters: parameters)
  let logarithms = model.priorLogParameters
  let theta = logarithms.map { Elementary.exp($0) } + logarithms.map { Elementary.exp(-$0) }
  var memory = [Double](repeating: .nan, count: hold.size)
  var entries = [Double](repeating: .nan, count: coefficients.entryPositions.count)
  let isSolved = unsafe inputs.withUnsafeBufferPointer { inputs in
    unsafe coefficients.evaluate(theta: theta, inputs: inputs, into: &memory, entries: &entries)
    return unsafe hold.solve(
      &memory, seconds: seconds, intensities: model.states.map(\.noiseIntensity), entries: entries, of: coefficients,
      from: x)
  }
  guard isSolved else { return nil }
  return Matrix(
    rows: states, columns: parameters, Array(memory[hold.sensitivity..<hold.sensitivity + states * parameters]))
}

/// The same by central differences of the matrix exponential, which knows nothing of derivatives.
private func differences(_ model: BilinearModel, _ x: [Double], inputs: [Double], seconds: Double) -> Matrix? {
  let (states, parameters) = (model.states.count, model.parameters.count)
  var result = Matrix(rows: states, columns: parameters)
  for parameter in 0..<parameters {
    func moved(_ by: Double) -> [Double]? {
      var logarithms = model.priorLogParameters
      logarithms[parameter] += by
      return model.systemMatrix(logParameters: logarithms, inputs: inputs).scaled(by: seconds).exponential()?
        .times(x + [1])
    }
    // Of fourth order: the error is below that of rounding.
    let step = 1e-3
    guard let a = moved(step), let b = moved(-step), let c = moved(2 * step), let d = moved(-2 * step) else {
      return nil
    }
    for row in 0..<states { result[row, parameter] = (8 * (a[row] - b[row]) - (c[row] - d[row])) / (12 * step) }
  }
  return result
}

@Suite struct `Derivatives of a step` {
  @Test(arguments: [1.0, 60, 900, 3600]) func `agree with central differences`(seconds: Double) throws {
    for seed in 1...25 as ClosedRange<UInt64> {
      let model = ObserverStand.random(
        states: 1 + Int(seed % 6), parameters: 1 + Int(seed % 9), seed: seed, rate: seed % 3 == 0 ? 0.03 : 1e-3)
      var noise = ObserverNoise(seed: seed)
      let (x, inputs) = (model.states.map(\.initialMean), [noise.normal(), noise.normal(), noise.uniform()])
      guard let wanted = differences(model, x, inputs: inputs, seconds: seconds), wanted.rowNorm < 1e4 else { continue }
      let found = try #require(sensitivity(model, x, inputs: inputs, seconds: seconds))
      #expect((found - wanted).rowNorm < 1e-8 * (1 + wanted.rowNorm), "seed \(seed)")
    }
  }

  @Test func `of a zone agree from a second to a week`() throws {
    let model = ObserverStand.zone()
    for seconds in [1.0, 30, 900, 86_400, 604_800] {
      let (x, inputs) = ([22.0, 19, 1.5], [-4.0, 28, 0.8, 1])
      let found = try #require(sensitivity(model, x, inputs: inputs, seconds: seconds))
      let wanted = try #require(differences(model, x, inputs: inputs, seconds: seconds))
      #expect((found - wanted).rowNorm < 1e-7 * wanted.rowNorm, "a step of \(seconds) s")
    }
  }

  @Test func `of a lag are known in full`() throws {
    // x⁺ = u + (x − u)·e^{−h/τ}: its derivative by ln τ is (x − u)·(h/τ)·e^{−h/τ}.
    for (tau, seconds) in [(1.0, 0.3), (1, 5), (1, 20), (300, 900), (1e6, 900), (1, 900)] {
      let model = BilinearModel(
        states: [.init(name: "x", unit: "1", initialMean: 0, initialVariance: 1, noiseIntensity: 1)],
        inputs: [.init(name: "u", unit: "1")],
        parameters: [.init(name: "tau", unit: "s", prior: tau, spread: 1)], outputs: [],
        terms: [
          .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1)]),
          .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1)]),
        ])
      let found = try #require(sensitivity(model, [3], inputs: [10], seconds: seconds))[0, 0]
      let wanted = -7 * (seconds / tau) * Elementary.exp(-seconds / tau)
      #expect(abs(found - wanted) < 1e-12 * wanted.magnitude + 1e-13, "time constant \(tau) s, step \(seconds) s")
    }
  }
}
