import LinearAlgebra
import Testing
import TwinCore

@testable import Models

/// Readings of the sketched room for so many steps, some of them missing.
private func record(steps: Int, seed: UInt64, missing: Int = 5) -> ObservationTable {
  var plant = SketchedRoom.Plant(seed: seed)
  var draws = Philox(seed: seed, stream: 9)
  var (inputs, outputs) = ([Double](), [Double]())
  for step in 0..<steps {
    let readings = plant.next()
    // They held until now: the row before.
    if step > 0 { inputs += readings[0..<2] }
    outputs.append(step > 0 && draws.index(below: missing) == 0 ? .nan : readings[2])
  }
  inputs += [4, 500]
  return ObservationTable(secondsPerStep: 900, steps: steps, inputs: inputs, outputs: outputs)
}

private let theta = [Elementary.log(3.5e7), Elementary.log(300)]

/// What all readings together say of all states at once: one Gaussian of steps × states, conditioned by elimination.
private func conditioned(_ model: BilinearModel, _ data: ObservationTable) -> (means: [Double], covariance: Matrix) {
  let (n, steps) = (model.states.count, data.steps)
  var transition = Transition(model, logParameters: theta, seconds: data.secondsPerStep)
  var mean = model.states.map(\.initialMean)
  if let first = data.outputs.first(where: \.isFinite) { mean[model.settledState(output: 0)] = first }
  var prior = mean
  var joint = Matrix(rows: n * steps, columns: n * steps)
  for index in 0..<n { joint[index, index] = model.states[index].initialVariance }
  for step in 1..<steps {
    let inputs = Array(data.inputs[(step - 1) * 2..<step * 2])
    let (phi, noise) = (transition.phi(inputs: inputs)!, transition.noise(inputs: inputs)!)
    transition.advance(&mean, inputs: inputs)
    prior += mean
    for earlier in 0..<step * n {
      for row in 0..<n {
        let sum = (0..<n).reduce(0) { $0 + phi[row, $1] * joint[(step - 1) * n + $1, earlier] }
        (joint[step * n + row, earlier], joint[earlier, step * n + row]) = (sum, sum)
      }
    }
    for row in 0..<n {
      for column in 0..<n {
        joint[step * n + row, step * n + column] =
          noise[row, column] + (0..<n).reduce(0) { $0 + joint[step * n + row, (step - 1) * n + $1] * phi[column, $1] }
      }
    }
  }
  let read = (0..<steps).filter { data.outputs[$0].isFinite }
  let size = n * steps
  var shown = Matrix(rows: read.count, columns: size)
  for (row, step) in read.enumerated() { shown[row, step * n] = 1 }
  let shared = shown.times(joint)
  let innovation =
    shared.times(shown.transposed()) + .diagonal(read.map { _ in model.outputs[0].noiseVariance })
  let right = Matrix(rows: read.count, columns: 1, read.map { data.outputs[$0] - prior[$0 * n] })
  let weights = innovation.solved(right)!
  let gained = shared.transposed().times(weights)
  let covariance = joint - shared.transposed().times(innovation.solved(shared)!)
  return (zip(prior, gained.elements).map { $0 + $1 }, covariance)
}

@Suite struct `Looking back over a record` {
  @Test(arguments: [1, 2, 3, 17, 50])
  func `finds what all readings together say of all states`(steps: Int) throws {
    let model = SketchedRoom.physics()
    let data = record(steps: steps, seed: UInt64(steps) + 200)
    let path = try #require(Smoother.smooth(model, logParameters: theta, data: data))
    let (means, covariance) = conditioned(model, data)
    var worst = 0.0
    _ = InnovationLikelihood.negativeLogLikelihood(model, logParameters: theta, data: data) { _, _, innovation in
      worst = max(worst, innovation.normalised.magnitude)
    }
    // What is beyond the gate counts as less than it says, and is then no Gaussian any more.
    try #require(worst < Innovation.gate, "take another seed")
    for place in means.indices {
      let deviation = covariance[place, place].squareRoot()
      #expect(abs(path.states[place] - means[place]) < 1e-4 * deviation, "step \(place / 2) of \(steps)")
      #expect(abs(path.variances[place] / covariance[place, place] - 1) < 1e-4, "step \(place / 2) of \(steps)")
    }
    for step in 0..<steps where data.outputs[step].isFinite {
      #expect(abs(path.residuals[step] + path.states[2 * step] - data.outputs[step]) < 1e-12)
    }
    #expect(path.residuals.map(\.isNaN) == data.outputs.map(\.isNaN))
  }

  @Test func `puts the same path together again, bit for bit`() throws {
    for seed in UInt64(1)...8 {
      let model = SketchedRoom.physics()
      let data = record(steps: 300, seed: seed)
      let path = try #require(Smoother.smooth(model, logParameters: theta, data: data))
      let again = try #require(path.simulated(model, inputs: path.inputs))
      #expect(again.map(\.bitPattern) == path.states.map(\.bitPattern), "seed \(seed)")
    }
  }

  @Test func `answers other inputs as the plant would`() throws {
    let model = SketchedRoom.physics()
    let data = record(steps: 200, seed: 3)
    let path = try #require(Smoother.smooth(model, logParameters: theta, data: data))
    var inputs = path.inputs
    for step in 100..<200 { inputs[2 * step + 1] += 1000 }
    let other = try #require(path.simulated(model, inputs: inputs))
    for step in 0...100 { #expect(other[2 * step].bitPattern == path.states[2 * step].bitPattern) }
    // 1 kW into 35 MJ/K over one step, and towards 1000/300 K in the end.
    #expect(abs(other[202] - path.states[202] - 1000 * 900 / 3.5e7) < 2e-4)
    let late = other[398] - path.states[398]
    #expect(abs(late - 1000 / 300 * (1 - Elementary.exp(-99 * 900 * 300 / 3.5e7))) < 1e-9)
  }

  @Test func `bridges a gap, and says how little it knows there`() throws {
    let model = SketchedRoom.physics()
    var data = record(steps: 400, seed: 4, missing: 1000)
    for step in 150..<250 { data.outputs[step] = .nan }
    for step in 180..<200 { (data.inputs[2 * step], data.inputs[2 * step + 1]) = (.nan, .nan) }
    let path = try #require(Smoother.smooth(model, logParameters: theta, data: data))
    #expect(path.variances[2 * 200] > 10 * path.variances[2 * 100])
    #expect(path.inputs.allSatisfy { $0.isFinite })
    #expect(path.states.allSatisfy { $0.isFinite } && path.variances.allSatisfy { $0 > 0 })
  }

  @Test func `gives no path where the numbers allow none`() {
    let model = SketchedRoom.physics()
    let data = record(steps: 20, seed: 5)
    #expect(Smoother.smooth(model, logParameters: [-700, 700], data: data) == nil)
    let empty = ObservationTable(secondsPerStep: 900, steps: 0, inputs: [], outputs: [])
    #expect(Smoother.smooth(model, logParameters: theta, data: empty) == nil)
    let path = Smoother.smooth(model, logParameters: theta, data: data)
    var inputs = path?.inputs ?? []
    inputs[7] = .infinity
    #expect(path?.simulated(model, inputs: inputs) == nil)
  }
}

@Suite struct `An ensemble of parameters` {
  private let observer = JointObserver(
    SketchedRoom.physics(), logParameters: theta, covariance: Matrix(rows: 2, columns: 2, [0.04, 0.012, 0.012, 0.01]))

  @Test func `has the covariance of the observer, and the calibration in its middle`() {
    let ensemble = ParameterEnsemble(observer, members: 1001, seed: 4)
    #expect(ensemble.member(0) == theta)
    var sums = [0.0, 0, 0]
    for member in 1..<1001 {
      let deviation = zip(ensemble.member(member), theta).map { $0 - $1 }
      sums[0] += deviation[0] * deviation[0] / 1000
      sums[1] += deviation[0] * deviation[1] / 1000
      sums[2] += deviation[1] * deviation[1] / 1000
    }
    for (found, wanted) in zip(sums, [0.04, 0.012, 0.01]) { #expect(abs(found / wanted - 1) < 0.15) }
    // Its members come in pairs to either side of it.
    for index in theta.indices {
      let middle = (ensemble.member(7)[index] + ensemble.member(8)[index]) / 2
      #expect(abs(middle - theta[index]) < 1e-12)
    }
  }

  @Test func `stays within the limits, and survives being written down`() throws {
    let wide = JointObserver(
      SketchedRoom.physics(), logParameters: theta, covariance: .diagonal([100, 100]))
    let ensemble = ParameterEnsemble(wide, members: 65, seed: 1)
    let priors = SketchedRoom.physics().priorLogParameters
    for member in 0..<65 {
      for (value, prior) in zip(ensemble.member(member), priors) { #expect(abs(value - prior) <= 3 + 1e-12) }
    }
    var writer = CanonicalWriter(reservingBytes: 256)
    ensemble.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    let read = try ParameterEnsemble(from: &reader)
    #expect(read == ensemble)
    #expect(read.member(9) == ensemble.member(9))
  }
}
