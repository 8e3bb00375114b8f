import Glibc
import LinearAlgebra
import Testing
import TwinCore

@testable import Models

private let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

@Suite struct `An observer that runs for years` {
  /// Gaps, outliers, a sensor that is stuck, readings and inputs that are no numbers; nothing is in the noise but that.
  @Test(arguments: [0.0, 1], [0.0025, 0]) func `keeps a covariance`(noise: Double, readingVariance: Double) {
    let model = ObserverStand.zone(noise: noise, readingVariance: readingVariance)
    let steps = isLong ? 1_000_000 : 100_000
    let seed: UInt64 = 17
    var numbers = ObserverNoise(seed: seed)
    var observer = JointObserver(model)
    var transition = Transition(model, logParameters: model.priorLogParameters, seconds: 900)
    var x = [21.0, 19, 0.5]
    var mode = 0
    for step in 0..<steps {
      if step % 200 == 0 { mode = Int(numbers.bits() % 5) }
      var inputs = ObserverStand.zoneInputs(step: step, noise: &numbers)
      transition.advance(&x, inputs: inputs)
      let reading = x[0] + 0.05 * numbers.normal()
      switch mode {
      case 0: break
      case 1: observer.update(output: 0, value: numbers.uniform() < 0.2 ? reading * 1e6 : reading)
      case 2: observer.update(output: 0, value: 20)
      case 3: observer.update(output: 0, value: numbers.uniform() < 0.5 ? .nan : reading)
      default: for _ in 0..<3 { observer.update(output: 0, value: reading) }
      }
      if mode == 3, numbers.uniform() < 0.1 { inputs[Int(numbers.bits() % 4)] = .infinity }
      observer.predict(inputs, seconds: 900)
      guard step % 10 == 0 || step + 1 == steps else { continue }
      let matrix = observer.matrix
      let isSound = matrix == matrix.transposed() && Cholesky(matrix) != nil && observer.mean.allSatisfy(\.isFinite)
      #expect(isSound, "step \(step), seed \(seed): \(observer.covariance)")
      if !isSound { return }
    }
    #expect(observer.mean[0].magnitude < 200 && observer.covariance.allSatisfy { $0.magnitude < 1e3 })
  }

  @Test func `goes on after a restart as if there had been none`() throws {
    let model = ObserverStand.zone()
    let table = ObserverStand.record(
      of: model, logParameters: model.priorLogParameters, steps: 400, seconds: 900, seed: 9
    ).table
    var whole = JointObserver(model)
    whole.isParameterFrozen[2] = true
    whole.noiseScale = 1.5
    for step in 0..<table.steps {
      whole.update(output: 0, value: table.outputs[step])
      whole.predict(Array(table.inputs[step * 4..<step * 4 + 4]), seconds: 900)
      guard step % 50 == 7 else { continue }
      var writer = CanonicalWriter()
      whole.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      var restored = try JointObserver(from: &reader)
      #expect(reader.isAtEnd && restored == whole)
      var going = whole
      for next in step + 1..<min(step + 40, table.steps) {
        let inputs = Array(table.inputs[next * 4..<next * 4 + 4])
        let value = table.outputs[next]
        let (a, b) = (restored.update(output: 0, value: value), going.update(output: 0, value: value))
        #expect(a == b)
        restored.predict(inputs, seconds: 900)
        going.predict(inputs, seconds: 900)
      }
      #expect(restored.mean.map(\.bitPattern) == going.mean.map(\.bitPattern))
      #expect(restored.covariance.map(\.bitPattern) == going.covariance.map(\.bitPattern))
    }
  }

  @Test func `takes no bytes that it would not have written`() throws {
    let observer = JointObserver(ObserverStand.zone())
    func refused(_ change: (inout [UInt8]) -> Void) -> Bool {
      var writer = CanonicalWriter()
      observer.encode(to: &writer)
      var bytes = writer.bytes
      change(&bytes)
      var reader = CanonicalReader(bytes)
      return (try? JointObserver(from: &reader)) == nil
    }
    #expect(!refused { _ in })
    var writer = CanonicalWriter()
    observer.encode(to: &writer)
    for length in 0..<writer.bytes.count { #expect(refused { $0.removeSubrange(length...) }) }
    // The covariance stands before the noise scale and the flags: 64 doubles, then 9 bytes, then 6.
    let end = writer.bytes.count - 15
    #expect(
      refused {
        $0[end - 1] = 0x7F; $0[end - 2] = 0xF8
      }, "not a number")
    #expect(refused { $0[end - 1] = 0xBF }, "a negative variance")
    #expect(refused { $0[end - 16] = 1 }, "not symmetric")
    #expect(refused { for place in end..<end + 9 where place > end { $0[place] = 0 } }, "a noise scale of zero")
  }

  /// In a process of its own: the witness looks at free blocks, which tests beside it would take.
  @Test func `allocates nothing once it has begun`() async {
    await #expect(processExitsWith: .success) {
      // As small as a model can be, so that none of its blocks is too large to be seen.
      let model = BilinearModel(
        states: [.init(name: "x", unit: "1", initialMean: 20, initialVariance: 1, noiseIntensity: 1e-4)],
        inputs: [.init(name: "u", unit: "1")], parameters: [.init(name: "tau", unit: "s", prior: 3600, spread: 0.3)],
        outputs: [.init(name: "y", unit: "1", state: 0, noiseVariance: 0.01)],
        terms: [
          .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1)], multipliers: [0]),
          .init(row: 0, column: .one, scale: 20, powers: [.init(0, -1)]),
        ])
      var observer = JointObserver(model)
      let inputs = [Double](repeating: 0.5, count: 8)
      var (means, variances) = ([Double](repeating: 0, count: 8), [Double](repeating: 0, count: 8))
      var transition = Transition(model, logParameters: model.priorLogParameters, seconds: 900, cache: 2)
      var x = [20.0]
      func run(_ rounds: Int) {
        for round in 0..<rounds {
          unsafe inputs.withUnsafeBufferPointer { inputs in
            let first = unsafe UnsafeBufferPointer(rebasing: inputs[0..<1])
            unsafe observer.predict(first, seconds: 900 + Double(round))
            observer.update(output: 0, value: 20 + Double(round) / 10)
            observer.update(output: 0, value: .nan)
            observer.update(output: 0, value: 1e9)
            unsafe observer.forecast(steps: 8, inputs: inputs, seconds: 900, means: &means, variances: &variances)
            unsafe transition.advance(&x, inputs: first)
          }
        }
      }
      run(2)
      precondition(AllocationWitness.sees {} == false, "the witness sees what is not there")
      precondition(AllocationWitness.sees { run(20) } == false, "a step of the observer allocates")
      var kept = 0.0
      let isSeen = AllocationWitness.sees { kept += [Double](repeating: 1, count: means.count).map { $0 + x[0] }[3] }
      precondition(isSeen == true, "the witness is awake")
      let before = observer
      precondition(AllocationWitness.sees { run(1) } == true, "a copy is made of what is shared")
      precondition(before != observer && kept > 0)
    }
  }
}
