import Glibc
import Testing
import TwinCore

@testable import Models

private let seeds: ClosedRange<UInt64> = unsafe getenv("TWIND_TEST_LONG") != nil ? 1...200 : 1...40

@Suite struct `A watch names what has changed` {
  /// Share of seeds in which the verdict is the expected one, and all that came.
  private func outcomes(_ fault: DriftStand.Fault, steps: Int) -> [(seed: UInt64, verdict: DriftVerdict, delay: Int)] {
    seeds.map { seed in
      var stand = DriftStand(seed: seed)
      for _ in 0..<700 { _ = stand.step() }
      var delay = 0
      while delay < steps {
        let verdict = stand.step(fault, side: Int(seed % 2), since: delay)
        delay += 1
        if case .drift = verdict { return (seed, verdict, delay) }
      }
      return (seed, stand.watch.verdict, delay)
    }
  }

  private func expect(_ fault: DriftStand.Fault, steps: Int = 200, _ isRight: (UInt64, DriftVerdict) -> Bool) {
    let all = outcomes(fault, steps: steps)
    let wrong = all.filter { !isRight($0.seed, $0.verdict) }
    #expect(
      Double(wrong.count) <= 0.1 * Double(all.count),
      "\(wrong.count) of \(all.count): \(wrong.prefix(12))")
  }

  @Test func `a sensor that reads too high`() {
    expect(.sensor) { $1 == .drift(.sensor(output: Int($0 % 2))) }
  }

  @Test func `a coil that heats less than asked`() {
    expect(.coil) { $1 == .drift(.actuator(input: DriftStand.supplySetpoint)) }
  }

  @Test func `a fan that stands still at one speed`() {
    expect(.stuckFlow) { $1 == .drift(.actuator(input: DriftStand.flow)) }
  }

  @Test func `a plant that is used otherwise`() { expect(.heat) { $1 == .drift(.regime) } }

  @Test func `a coil that fouls over weeks`() {
    expect(.fouling, steps: 4000) { $1 == .drift(.fouling(parameter: 0)) }
  }

  @Test func `and nothing where nothing has`() {
    var alarmed: [UInt64] = []
    let steps = 2000
    for seed in seeds {
      var stand = DriftStand(seed: seed, alarmsPerYear: 0.1)
      for _ in 0..<steps where stand.step() != .ok {
        alarmed.append(seed)
        break
      }
    }
    // What is usual is learnt from 300 steps, and the rate asked for is kept to a factor of two and what chance adds.
    let years = Double(seeds.count * steps) * DriftStand.stepSeconds / DriftWatch.secondsPerYear
    #expect(Double(alarmed.count) <= 2 + 2 * 0.1 * years, "seeds \(alarmed)")
  }

  @Test func `and silence is no evidence, however long`() {
    var stand = DriftStand(seed: 5)
    for _ in 0..<500 { _ = stand.step() }
    stand.isSilent = { _ in true }
    for _ in 0..<3000 { #expect(stand.step() == .stale) }
    stand.isSilent = { _ in false }
    // The observer has lost the plant meanwhile and says so by its variance.
    for _ in 0..<96 { #expect(stand.step() == .ok) }
  }

  @Test func `and a sensor that repeats is one`() {
    var stand = DriftStand(seed: 6)
    for _ in 0..<400 { _ = stand.step() }
    stand.watch.refuse(.constant, output: 1)
    #expect(stand.step() == .drift(.sensor(output: 1)))
  }

  @Test func `saved and restored in the middle it goes on with the same bits`() throws {
    var stand = DriftStand(seed: 4)
    for step in 0..<900 {
      _ = stand.step(step < 800 ? .none : .sensor)
      guard step % 150 == 10 || step > 800 && step % 9 == 0 else { continue }
      var writer = CanonicalWriter()
      stand.watch.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      let restored = try DriftWatch(from: &reader, DriftStand.model, stand.watch.settings)
      #expect(restored == stand.watch && reader.isAtEnd)
      for cut in [1, writer.bytes.count / 2, writer.bytes.count - 1] {
        var short = CanonicalReader(Array(writer.bytes[..<cut]))
        #expect(throws: CanonicalFault.self) {
          _ = try DriftWatch(from: &short, DriftStand.model, stand.watch.settings)
        }
      }
      stand.watch = restored
    }
  }

  /// In a process of its own: the witness looks at free blocks, which tests beside it would take.
  @Test func `and allocates nothing`() async {
    await #expect(processExitsWith: .success) {
      let model = BilinearModel(
        states: [.init(name: "x", unit: "1", initialMean: 0, initialVariance: 1, noiseIntensity: 1)],
        inputs: [.init(name: "u", unit: "1")], parameters: [],
        outputs: [.init(name: "y", unit: "1", state: 0, noiseVariance: 1)],
        terms: [.init(row: 0, column: .input(0), scale: 1)])
      var watch = DriftWatch(model, .init(stepSeconds: 900, referenceSteps: 32, actuators: [0]))
      var noise = DriftNoise(seed: 1)
      let (mean, covariance, inputs) = ([0.0], [1.0], [1.0])
      func run() {
        for _ in 0..<50 {
          watch.read(output: 0, innovation: noise.normal(), variance: 1)
          _ = watch.step(mean: mean, covariance: covariance, inputs: inputs)
        }
      }
      run()
      precondition(
        AllocationWitness.sees { _ = Array(repeating: watch.level, count: 20) } == true, "the witness is awake")
      precondition(AllocationWitness.sees(run) == false, "a step of the watch allocates")
    }
  }
}
