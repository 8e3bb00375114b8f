import LinearAlgebra
import Models
import TwinCore

/// A room of one mass, heated, with known numbers and known disturbances: what was, and what would have been.
enum HeatedRoom {
  static let begin = Instant(rfc3339: "2026-01-13T00:00:00Z")!
  static let truth = [Elementary.log(3.5e7), Elementary.log(300)]

  static let physics = BilinearModel(
    states: [
      .init(name: "air", unit: "Cel", initialMean: 20, initialVariance: 25, noiseIntensity: 1e-7),
      .init(name: "bias", unit: "W", initialMean: 0, initialVariance: 1e4, noiseIntensity: 0.1, isBias: true),
    ],
    inputs: [.init(name: "outdoor", unit: "Cel"), .init(name: "heat", unit: "W")],
    parameters: [
      .init(name: "capacity", unit: "J/K", prior: 2e7, spread: 1),
      .init(name: "loss", unit: "W/K", prior: 200, spread: 1),
    ],
    outputs: [.init(name: "air", unit: "Cel", state: 0, noiseVariance: 4e-4)],
    terms: [
      .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1), .init(1, 1)]),
      .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1), .init(1, 1)]),
      .init(row: 0, column: .input(1), scale: 1, powers: [.init(0, -1)]),
      .init(row: 0, column: .state(1), scale: 1, powers: [.init(0, -1)]),
      .init(row: 1, column: .state(1), scale: -1 / 86_400),
    ])

  /// So many days, with a heater that switches; `extra` W more from a step on, for the same weather and disturbances.
  static func days(_ days: Int, seed: UInt64, extra: Double = 0, from start: Int = 0) -> (
    record: ObservationTable, air: [Double]
  ) {
    var random = Philox(seed: seed)
    var transition = Transition(physics, logParameters: truth, seconds: 900)
    var (state, heat) = ([20.0, 0.0], 0.0)
    var (inputs, outputs, air) = ([Double](), [Double](), [Double]())
    for step in 0..<days * 96 {
      air.append(state[0])
      outputs.append(state[0] + 0.02 * random.normal())
      if step % 5 == 0 { heat = random.uniform() < 0.5 ? 500 : 6500 }
      let outdoor = 4 + 5 * Elementary.sin(6.283185307179586 * Double(step) / 96) + 0.3 * random.normal()
      let row = [outdoor, heat + (step >= start ? extra : 0)]
      inputs += row
      _ = transition.advance(&state, inputs: row)
      state[0] += 0.01 * random.normal()
    }
    return (ObservationTable(secondsPerStep: 900, steps: days * 96, inputs: inputs, outputs: outputs), air)
  }

  static func instant(_ step: Int) -> Instant { begin.advanced(byNanoseconds: Int64(step) * 900_000_000_000) }

  /// Knows its parameters to 5 %.
  static let observer = JointObserver(physics, logParameters: truth, covariance: .diagonal([0.0025, 0.0025]))
  static let seen: [ClosedRange<Double>?] = [-5...15, 0...7000]
}
