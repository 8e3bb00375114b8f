import LinearAlgebra
import Testing
import TwinCore

@testable import Models

@Suite struct `A forecast` {
  private let steps = 24
  private var inputs: [Double] {
    var inputs: [Double] = []
    for step in 0..<steps { inputs += [3, 20 + Double(step) / 2, step % 5 == 0 ? 0.9 : 0.2, 0.5] }
    return inputs
  }

  private func observer(spread: Double) -> JointObserver {
    let model = ObserverStand.zone(spread: spread)
    let table = ObserverStand.record(
      of: model, logParameters: model.priorLogParameters, steps: 60, seconds: 900, seed: 4
    ).table
    var observer = JointObserver(model)
    observer.follow(table)
    return observer
  }

  @Test func `is what predicting step by step comes to, and leaves the state as it was`() {
    var observer = observer(spread: 0.5)
    let before = observer
    var (means, variances) = ([Double](repeating: 0, count: steps), [Double](repeating: 0, count: steps))
    let written = unsafe inputs.withUnsafeBufferPointer {
      unsafe observer.forecast(steps: steps, inputs: $0, seconds: 900, means: &means, variances: &variances)
    }
    #expect(written == steps && observer == before)
    for step in 0..<steps {
      observer.predict(Array(inputs[step * 4..<step * 4 + 4]), seconds: 900)
      let (mean, variance) = observer.estimate(output: 0)
      #expect(means[step] == mean && variances[step] == variance + 0.0025)
    }
  }

  @Test func `ends where an input is no number`() {
    var (observer, inputs) = (observer(spread: 0.5), inputs)
    let before = observer
    inputs[4 * 10 + 1] = .nan
    var (means, variances) = ([Double](repeating: -1, count: steps), [Double](repeating: -1, count: steps))
    let written = unsafe inputs.withUnsafeBufferPointer {
      unsafe observer.forecast(steps: steps, inputs: $0, seconds: 900, means: &means, variances: &variances)
    }
    #expect(written == 10 && means[9] > 0 && means[10] == -1 && variances[10] == -1 && observer == before)
  }

  @Test func `is as wide as a crowd of plants`() throws {
    var observer = observer(spread: 0.15)
    let model = observer.model
    var (means, variances) = ([Double](repeating: 0, count: steps), [Double](repeating: 0, count: steps))
    unsafe inputs.withUnsafeBufferPointer {
      _ = unsafe observer.forecast(steps: steps, inputs: $0, seconds: 900, means: &means, variances: &variances)
    }
    let factor = try #require(Cholesky(observer.matrix))
    let plants = 3000
    var numbers = ObserverNoise(seed: 21)
    var (sums, squares) = ([Double](repeating: 0, count: steps), [Double](repeating: 0, count: steps))
    for _ in 0..<plants {
      let drawn = zip(observer.mean, numbers.normals(factor)).map { $0 + $1 }
      var x = Array(drawn[..<3])
      var transition = Transition(model, logParameters: Array(drawn[3...]), seconds: 900)
      var factors: [Double: Cholesky] = [:]
      for step in 0..<steps {
        let row = Array(inputs[step * 4..<step * 4 + 4])
        transition.advance(&x, inputs: row)
        if factors[row[2]] == nil, let noise = transition.noise(inputs: row) { factors[row[2]] = Cholesky(noise) }
        x = zip(x, numbers.normals(try #require(factors[row[2]]))).map { $0 + $1 }
        let difference = x[0] + 0.05 * numbers.normal() - means[step]
        sums[step] += difference
        squares[step] += difference * difference
      }
    }
    for step in 0..<steps {
      let mean = sums[step] / Double(plants)
      let ratio = (squares[step] / Double(plants) - mean * mean) / variances[step]
      #expect(abs(ratio - 1) < 0.15, "step \(step): \(ratio) of the variance")
      #expect(abs(mean) < 0.15 * variances[step].squareRoot(), "step \(step): off by \(mean)")
    }
  }
}

@Suite struct `The likelihood of a record` {
  @Test func `is that of its innovations`() {
    let model = ObserverStand.zone()
    var table = ObserverStand.record(
      of: model, logParameters: model.priorLogParameters, steps: 300, seconds: 900, seed: 6
    ).table
    table.outputs[20] = .nan
    table.inputs[4 * 30 + 1] = .nan
    var observer = JointObserver(model)
    // With nothing to learn the joint filter is the same filter.
    observer.isParameterFrozen = [true, true, true, true, true]
    var certain = model
    for index in certain.parameters.indices { certain.parameters[index].spread = 0 }
    observer = JointObserver(certain)
    observer.isParameterFrozen = [true, true, true, true, true]
    var (seen, sum) = ([Innovation](), 0.0)
    let found = InnovationLikelihood.negativeLogLikelihood(
      model, logParameters: model.priorLogParameters, data: table
    ) { _, _, innovation in
      seen.append(innovation)
      let size = innovation.normalised.magnitude
      let square = innovation.isAccepted ? size * size : 12 * size - 36
      sum += (1.8378770664093453 + Elementary.log(innovation.variance) + square) / 2
    }
    #expect(seen.count == 299 && abs(found - sum) < 1e-9 * abs(sum))
    var place = 0
    observer.follow(table.withInputsHeld()) { _, innovation in
      #expect(abs(innovation.value - seen[place].value) < 1e-6 && innovation.isAccepted == seen[place].isAccepted)
      #expect(abs(innovation.variance / seen[place].variance - 1) < 1e-6)
      place += 1
    }
    #expect(place == 299)
  }

  @Test func `is greatest near the truth`() {
    let model = ObserverStand.zone()
    let truth = zip(model.priorLogParameters, [0.3, -0.2, 0.2, -0.2, 0.3]).map { $0 + $1 }
    let table = ObserverStand.record(of: model, logParameters: truth, steps: 2000, seconds: 900, seed: 8).table
    let best = InnovationLikelihood.negativeLogLikelihood(model, logParameters: truth, data: table)
    for index in truth.indices {
      for by in [-0.7, 0.7] {
        var moved = truth
        moved[index] += by
        #expect(InnovationLikelihood.negativeLogLikelihood(model, logParameters: moved, data: table) > best + 2)
      }
    }
    #expect(
      InnovationLikelihood.negativeLogLikelihood(model, logParameters: truth.map { _ in 800 }, data: table) == .infinity
    )
  }

  @Test func `does not break by one wild reading`() {
    let model = ObserverStand.zone()
    var table = ObserverStand.record(
      of: model, logParameters: model.priorLogParameters, steps: 500, seconds: 900, seed: 12
    ).table
    func cost() -> Double {
      InnovationLikelihood.negativeLogLikelihood(model, logParameters: model.priorLogParameters, data: table)
    }
    let clean = cost()
    table.outputs[250] += 5
    let wild = cost()
    #expect(wild > clean + 10 && wild < clean + 2000)
  }
}
