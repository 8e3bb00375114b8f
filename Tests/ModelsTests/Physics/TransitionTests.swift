import LinearAlgebra
import Testing
import TwinCore

@testable import Models

private typealias Model = BilinearModel

/// A first-order lag: ẋ = (u − x)/τ with τ the parameter.
private func lag(_ tau: Double, noise: Double = 0) -> Model {
  Model(
    states: [.init(name: "x", unit: "1", initialMean: 0, initialVariance: 1, noiseIntensity: noise)],
    inputs: [.init(name: "u", unit: "1")],
    parameters: [.init(name: "tau", unit: "s", prior: tau, spread: 0.1)], outputs: [],
    terms: [
      .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1)]),
      .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1)]),
    ])
}

private func phi(_ transition: inout Transition, _ inputs: [Double]) throws -> Matrix {
  let found = transition.phi(inputs: inputs)
  return try #require(found)
}

private func noise(_ transition: inout Transition, _ inputs: [Double]) throws -> Matrix {
  let found = transition.noise(inputs: inputs)
  return try #require(found)
}

@Suite struct `A step of the physics` {
  @Test(arguments: [1e-5, 1e-3, 0.1]) func `is the matrix exponential`(rate: Double) throws {
    for seed in 1...25 as ClosedRange<UInt64> {
      let model = ObserverStand.random(states: 1 + Int(seed % 6), parameters: 4, seed: seed, rate: rate)
      var noise = ObserverNoise(seed: seed)
      let (logarithms, inputs) = (model.priorLogParameters, [noise.normal(), noise.normal(), noise.uniform()])
      var x = model.states.map(\.initialMean)
      let system = model.systemMatrix(logParameters: logarithms, inputs: inputs).scaled(by: 900)
      guard let wantedPhi = system.exponential(), wantedPhi.rowNorm < 1e6 else { continue }
      let wanted = wantedPhi.times(x + [1])
      var transition = Transition(model, logParameters: logarithms, seconds: 900)
      let isDone = transition.advance(&x, inputs: inputs)
      #expect(isDone)
      let scale = 1 + wanted.map(\.magnitude).reduce(0, max) + wantedPhi.rowNorm
      for (found, wanted) in zip(x, wanted) { #expect(abs(found - wanted) < 1e-11 * scale, "seed \(seed)") }
      let found = try phi(&transition, inputs)
      for row in 0..<x.count {
        for column in 0..<x.count { #expect(abs(found[row, column] - wantedPhi[row, column]) < 1e-11 * scale) }
      }
    }
  }

  @Test func `is exact where a second meets a quarter of an hour`() {
    for (tau, seconds) in [(1.0, 900.0), (1e-3, 900), (1e6, 1), (1e9, 900), (900, 900)] {
      var transition = Transition(lag(tau), logParameters: [Elementary.log(tau)], seconds: seconds)
      var x = [3.0]
      transition.advance(&x, inputs: [10])
      let decay = Elementary.exp(-seconds / tau)
      #expect(abs(x[0] - (10 - 7 * decay)) < 1e-13 * 10, "time constant \(tau) s, step \(seconds) s")
      // What the step adds is right to its own last digits, however small it is beside the state.
      var started = [0.0]
      transition.advance(&started, inputs: [1])
      let part = seconds / tau < 1e-3 ? seconds / tau * (1 - seconds / tau / 2) : 1 - decay
      #expect(abs(started[0] - part) < 1e-9 * part, "time constant \(tau) s, step \(seconds) s")
    }
  }

  @Test func `keeps a slow mode's digits beside a fast one`() {
    // A second and three years in one chain: ẋ0 = −x0 + u, ẋ1 = (x0 − x1)/1e8.
    let model = Model(
      states: (0..<2).map { .init(name: "\($0)", unit: "1", initialMean: 0, initialVariance: 1, noiseIntensity: 0) },
      inputs: [.init(name: "u", unit: "1")], parameters: [], outputs: [],
      terms: [
        .init(row: 0, column: .state(0), scale: -1), .init(row: 0, column: .input(0), scale: 1),
        .init(row: 1, column: .state(0), scale: 1e-8), .init(row: 1, column: .state(1), scale: -1e-8),
      ])
    var transition = Transition(model, logParameters: [], seconds: 900)
    var x = [0.0, 0.0]
    transition.advance(&x, inputs: [1])
    // x1 = 1 − e^{−εt} − ε·(e^{−εt} − e^{−t})/(1 − ε), expanded as far as doubles show it.
    let (slow, time) = (1e-8, 900.0)
    let part = slow * time
    let wanted = part * (1 - part / 2 * (1 - part / 3)) - slow * (1 - part) * (1 + slow)
    #expect(abs(x[1] - wanted) < 1e-13 * wanted)
  }

  @Test func `made of two halves is the same`() throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      let model = ObserverStand.random(states: 5, parameters: 4, seed: seed)
      let (logarithms, inputs) = (model.priorLogParameters, [0.4, -1, 0.7])
      var whole = Transition(model, logParameters: logarithms, seconds: 900)
      var half = Transition(model, logParameters: logarithms, seconds: 450)
      var (once, twice) = (model.states.map(\.initialMean), model.states.map(\.initialMean))
      whole.advance(&once, inputs: inputs)
      half.advance(&twice, inputs: inputs)
      half.advance(&twice, inputs: inputs)
      let scale = once.map(\.magnitude).reduce(1, max)
      for (a, b) in zip(once, twice) { #expect(abs(a - b) < 1e-12 * scale, "seed \(seed)") }
      let (half1, q) = (try phi(&half, inputs), try noise(&half, inputs))
      let added = half1.times(q).times(half1.transposed()) + q
      let found = try noise(&whole, inputs)
      #expect((added - found).rowNorm < 1e-12 * found.rowNorm, "seed \(seed)")
    }
  }

  @Test func `brings in the noise of Van Loan's block`() throws {
    for seed in 1...20 as ClosedRange<UInt64> {
      let (model, seconds) = (ObserverStand.random(states: 4, parameters: 3, seed: seed), 600.0)
      let inputs = [0.1, 0.2, 0.3]
      let system = model.systemMatrix(logParameters: model.priorLogParameters, inputs: inputs)
      var block = Matrix(rows: 8, columns: 8)
      for row in 0..<4 {
        for column in 0..<4 {
          block[row, column] = -system[row, column] * seconds
          block[4 + column, 4 + row] = system[row, column] * seconds
        }
        block[row, 4 + row] = model.states[row].noiseIntensity * seconds
      }
      let exponential = try #require(block.exponential())
      var (upper, phi) = (Matrix(rows: 4, columns: 4), Matrix(rows: 4, columns: 4))
      for row in 0..<4 {
        for column in 0..<4 {
          upper[row, column] = exponential[row, 4 + column]
          phi[column, row] = exponential[4 + row, 4 + column]
        }
      }
      var transition = Transition(model, logParameters: model.priorLogParameters, seconds: seconds)
      let found = try noise(&transition, inputs)
      #expect((phi.times(upper) - found).rowNorm < 1e-10 * found.rowNorm, "seed \(seed)")
      #expect(found == found.transposed() && Cholesky(found) != nil, "seed \(seed)")
    }
    // Of a lag it is known in full: q·τ/2·(1 − e^{−2t/τ}).
    var stiff = Transition(lag(1, noise: 4), logParameters: [0], seconds: 900)
    let settled = try noise(&stiff, [0])[0, 0]
    #expect(abs(settled - 2) < 1e-12)
  }

  @Test func `has its mean over the step beside its end`() {
    var model = lag(1200)
    model.states.append(
      .init(name: "mean", unit: "1", initialMean: 5, initialVariance: 1, noiseIntensity: 0, isPerStep: true))
    model.terms.append(.init(row: 1, column: .state(0), scale: 1 / 900))
    model.outputs = [.init(name: "y", unit: "1", state: 1, noiseVariance: 0.01)]
    var transition = Transition(model, logParameters: model.priorLogParameters, seconds: 900)
    var x = [3.0, 77]
    var observer = JointObserver(model)
    observer.settle(output: 0, value: 3)
    for _ in 0..<3 {
      let part = 900.0 / 1200
      let decay = Elementary.exp(-part)
      let wanted = [10 + (x[0] - 10) * decay, 10 + (x[0] - 10) * (1 - decay) / part]
      transition.advance(&x, inputs: [10])
      observer.predict([10], seconds: 900)
      for index in 0..<2 {
        #expect(abs(x[index] - wanted[index]) < 1e-12 && abs(observer.mean[index] - wanted[index]) < 1e-12)
      }
    }
  }

  @Test func `is the same whether it was kept or computed anew`() {
    let model = ObserverStand.zone()
    var kept = Transition(model, logParameters: model.priorLogParameters, seconds: 900, cache: 3)
    var noise = ObserverNoise(seed: 5)
    var (a, b) = ([20.0, 20, 0], [20.0, 20, 0])
    for _ in 0..<500 {
      let inputs = [noise.normal(), 20, Double(noise.bits() % 7) / 4, noise.uniform()]
      kept.advance(&a, inputs: inputs)
      var fresh = Transition(model, logParameters: model.priorLogParameters, seconds: 900)
      fresh.advance(&b, inputs: inputs)
      #expect(a.map(\.bitPattern) == b.map(\.bitPattern))
    }
  }

  @Test func `refuses what is no number and keeps the state`() {
    let model = ObserverStand.zone()
    var transition = Transition(model, logParameters: model.priorLogParameters, seconds: 900)
    var x = [20.0, 20, 0]
    for bad in [Double.nan, .infinity, -.infinity, 1e308] {
      let isDone = transition.advance(&x, inputs: [0, bad, bad, 0])
      #expect(!isDone && x == [20, 20, 0], "\(bad)")
    }
    let isDone = transition.advance(&x, inputs: [0, 20, 1, 0])
    #expect(isDone && x != [20, 20, 0])
  }

  @Test(arguments: [1, 1e300]) func `refuses a state that grows beyond all numbers`(rate: Double) {
    let model = Model(
      states: [.init(name: "x", unit: "1", initialMean: 1, initialVariance: 1, noiseIntensity: 1)], inputs: [],
      parameters: [], outputs: [], terms: [.init(row: 0, column: .state(0), scale: rate)])
    var transition = Transition(model, logParameters: [], seconds: 900)
    var x = [1.0]
    let isDone = transition.advance(&x, inputs: [Double]())
    let (phi, noise) = (transition.phi(inputs: []), transition.noise(inputs: []))
    #expect(!isDone && x == [1] && phi == nil && noise == nil)
  }
}
