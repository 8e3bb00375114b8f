import LinearAlgebra
import Testing
import TwinCore

@testable import Models

private typealias Model = BilinearModel

/// A random walk seen directly, which has a textbook answer.
private func walk(noise: Double, variance: Double) -> Model {
  Model(
    states: [.init(name: "x", unit: "1", initialMean: 0, initialVariance: 100, noiseIntensity: noise)], inputs: [],
    parameters: [], outputs: [.init(name: "y", unit: "1", state: 0, noiseVariance: variance)], terms: [])
}

@Suite struct `The joint observer` {
  @Test func `is the Kalman filter where nothing multiplies`() {
    var observer = JointObserver(walk(noise: 0.01, variance: 0.25))
    observer.settle(output: 0, value: 10)
    #expect(observer.estimate(output: 0) == (10, 0.25))
    observer.predict([], seconds: 50)
    let innovation = observer.update(output: 0, value: 12)
    // Prior 0.25 + 0.5, gain 0.75.
    #expect(abs(observer.mean[0] - 11.5) < 1e-12 && abs(observer.covariance[0] - 0.1875) < 1e-12)
    #expect(innovation.value == 2 && abs(innovation.variance - 1) < 1e-12 && innovation.isAccepted)
    #expect(abs(innovation.normalised - 2) < 1e-12)
    observer.noiseScale = 10
    observer.predict([], seconds: 50)
    #expect(abs(observer.covariance[0] - 5.1875) < 1e-12)
  }

  @Test func `moves its covariance by the derivatives of the step`() throws {
    let (model, inputs) = (ObserverStand.zone(), [3.0, 24, 0.7, 0.5])
    var observer = JointObserver(model)
    // Some updates first, so that everything goes with everything.
    for value in [21.0, 21.5, 20.5] {
      observer.update(output: 0, value: value)
      observer.predict(inputs, seconds: 900)
    }
    let (mean, before) = (observer.mean, observer.matrix)
    func stepped(_ mean: [Double]) throws -> [Double] {
      let system = model.systemMatrix(logParameters: Array(mean[3...]), inputs: inputs).scaled(by: 900)
      return try #require(system.exponential()).times(Array(mean[..<3]) + [1])
    }
    var jacobian = Matrix.identity(8)
    for column in 0..<8 {
      var (up, down) = (mean, mean)
      up[column] += 1e-5
      down[column] -= 1e-5
      let (a, b) = (try stepped(up), try stepped(down))
      for row in 0..<3 { jacobian[row, column] = (a[row] - b[row]) / 2e-5 }
    }
    var transition = Transition(model, logParameters: Array(mean[3...]), seconds: 900)
    let found = transition.noise(inputs: inputs)
    let noise = try #require(found)
    var wanted = jacobian.times(before).times(jacobian.transposed())
    for row in 0..<3 { for column in 0..<3 { wanted[row, column] += noise[row, column] } }
    observer.predict(inputs, seconds: 900)
    let next = try stepped(mean)
    for index in 0..<3 { #expect(abs(observer.mean[index] - next[index]) < 1e-10) }
    #expect(Array(observer.mean[3...]) == Array(mean[3...]))
    for row in 0..<8 {
      for column in 0..<8 {
        let scale = (wanted[row, row] * wanted[column, column]).squareRoot()
        #expect(abs(observer.matrix[row, column] - wanted[row, column]) < 1e-7 * scale, "\(row), \(column)")
      }
    }
  }

  @Test func `gives way to an outlier as to a reading at the gate, and moves no parameter for it`() {
    let model = ObserverStand.zone()
    var start = JointObserver(model)
    for value in [20.5, 21, 20.8] {
      start.update(output: 0, value: value)
      start.predict([3.0, 24, 0.7, 0.5], seconds: 900)
    }
    let (mean, variance) = start.estimate(output: 0)
    let deviation = (variance + model.outputs[0].noiseVariance).squareRoot()
    var atGate = start
    let last = atGate.update(output: 0, value: mean + 5.999 * deviation)
    #expect(last.isAccepted)
    for far in [mean + 1e6 * deviation, 1e300, -1e300, -.greatestFiniteMagnitude] {
      var observer = start
      let innovation = observer.update(output: 0, value: far)
      #expect(!innovation.isAccepted && innovation.normalised.isFinite && innovation.value.isFinite)
      #expect(abs(observer.mean[0] - mean) <= 1.001 * abs(atGate.mean[0] - mean))
      #expect(observer.mean[0] != mean, "or a plant that did jump would never be found")
      #expect(Array(observer.mean[3...]) == Array(start.mean[3...]))
      #expect(observer.covariance[0] > 0.9 * start.covariance[0] && Cholesky(observer.matrix) != nil)
    }
  }

  @Test func `refuses what is no number and keeps its state`() {
    var observer = JointObserver(ObserverStand.zone())
    observer.update(output: 0, value: 21)
    let before = observer
    for bad in [Double.nan, .infinity, -.infinity] {
      let innovation = observer.update(output: 0, value: bad)
      #expect(innovation.value.isNaN && innovation.normalised.isNaN && !innovation.isAccepted)
      observer.settle(output: 0, value: bad)
      for place in 0..<4 {
        var inputs = [3.0, 24, 0.7, 0.5]
        inputs[place] = bad
        let isDone = observer.predict(inputs, seconds: 900)
        #expect(!isDone)
      }
      #expect(observer == before)
    }
    // Finite, but no step of it is.
    let isWildDone = observer.predict([0, 1e300, 1e300, 0], seconds: 900)
    #expect(!isWildDone && observer == before)
    let isDone = observer.predict([3, 24, 0.7, 0.5], seconds: 900)
    #expect(isDone && observer != before)
  }

  @Test func `leaves a frozen parameter alone, and one within its limit`() {
    var model = ObserverStand.zone()
    model.parameters[0].limit = 0.05
    model.parameters[3].walk = 1e-6
    let truth = zip(model.priorLogParameters, [0.5, 0.3, -0.3, 0.3, 0.5]).map { $0 + $1 }
    let table = ObserverStand.record(of: model, logParameters: truth, steps: 500, seconds: 900, seed: 3).table
    var observer = JointObserver(model)
    observer.isParameterFrozen[3] = true
    observer.isParameterFrozen[4] = true
    let before = observer
    observer.follow(table)
    for index in [6, 7] {
      #expect(observer.mean[index] == before.mean[index])
      #expect(abs(observer.matrix[index, index] - before.matrix[index, index]) < 1e-12)
    }
    #expect(abs(observer.mean[3] - model.priorLogParameters[0]) <= 0.05 + 1e-12)
    #expect(observer.mean[5] != before.mean[5])
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>) func `finds the parameters of a zone`(seed: UInt64) {
    let model = ObserverStand.zone()
    let truth = zip(model.priorLogParameters, [0.4, -0.4, 0.3, -0.3, 0.5]).map { $0 + $1 }
    let table = ObserverStand.record(of: model, logParameters: truth, steps: 96 * 30, seconds: 900, seed: seed).table
    var observer = JointObserver(model)
    observer.follow(table)
    var isFound = 0
    for index in 0..<5 {
      let (error, deviation) = (
        observer.mean[3 + index] - truth[index], observer.matrix[3 + index, 3 + index].squareRoot()
      )
      #expect(
        abs(error) < 4 * deviation + 0.02, "\(model.parameters[index].name): \(error) ± \(deviation), seed \(seed)")
      if abs(error) < 0.1 { isFound += 1 }
    }
    #expect(isFound >= 4, "seed \(seed)")
  }

  @Test func `is as surprised as it says`() {
    let model = ObserverStand.zone(spread: 0.3)
    for seed in 11...13 as ClosedRange<UInt64> {
      var noise = ObserverNoise(seed: seed)
      let truth = model.priorLogParameters.map { $0 + 0.3 * noise.normal() }
      let table = ObserverStand.record(of: model, logParameters: truth, steps: 4000, seconds: 900, seed: seed).table
      var observer = JointObserver(model)
      var (sum, count, lagged, last) = (0.0, 0.0, 0.0, 0.0)
      observer.follow(table) { step, innovation in
        guard step > 500 else { return }
        sum += innovation.normalised * innovation.normalised
        lagged += innovation.normalised * last
        last = innovation.normalised
        count += 1
      }
      #expect(sum / count > 0.8 && sum / count < 1.25, "seed \(seed): \(sum / count)")
      #expect(abs(lagged / sum) < 0.06, "white, seed \(seed): \(lagged / sum)")
    }
  }
}
