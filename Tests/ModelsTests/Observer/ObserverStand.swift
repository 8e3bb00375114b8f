import LinearAlgebra
import TwinCore

@testable import Models

/// Seeded normal numbers: SplitMix64 (Steele, Lea & Flood 2014) and Box & Muller 1958.
struct ObserverNoise {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Above 0, at most 1.
  mutating func uniform() -> Double { (Double(bits() >> 11) + 1) / Double(1 << 53) }

  mutating func normal() -> Double {
    let radius = (-2 * Elementary.log(uniform())).squareRoot()
    return radius * Elementary.cos(6.283185307179586 * uniform())
  }

  mutating func normals(_ factor: Cholesky) -> [Double] {
    factor.lower.times((0..<factor.lower.rows).map { _ in normal() })
  }
}

/// Plants and records for the observer's tests.
enum ObserverStand {
  typealias Model = BilinearModel

  /// A zone of air and mass under ventilation, and the heat that nobody measures. kJ/K, kW/K, kW; 8 states in all.
  static func zone(noise: Double = 1, spread: Double = 0.5, readingVariance: Double = 0.0025) -> Model {
    func to(_ row: Int, _ from: Model.Column, _ scale: Double, _ powers: [Model.Power], by: [Int] = []) -> Model.Term {
      Model.Term(row: row, column: from, scale: scale, powers: powers, multipliers: by)
    }
    let (air, mass, bias) = (0, 1, 2)
    let (outdoor, supply, flow, people) = (0, 1, 2, 3)
    let perAir = Model.Power(0, -1)
    let perMass = Model.Power(1, -1)
    return Model(
      states: [
        .init(name: "air", unit: "Cel", initialMean: 20, initialVariance: 4, noiseIntensity: 1e-7 * noise),
        .init(name: "mass", unit: "Cel", initialMean: 20, initialVariance: 4, noiseIntensity: 1e-8 * noise),
        .init(
          name: "heat", unit: "kW", initialMean: 0, initialVariance: 0.25, noiseIntensity: 1e-5 * noise, isBias: true),
      ],
      inputs: ["outdoor", "supply", "flow", "people"].map { .init(name: $0, unit: "1") },
      parameters: [
        .init(name: "C_air", unit: "kJ/K", prior: 1500, spread: spread),
        .init(name: "C_mass", unit: "kJ/K", prior: 30_000, spread: spread),
        .init(name: "G_mass", unit: "kW/K", prior: 2, spread: spread),
        .init(name: "G_outdoor", unit: "kW/K", prior: 0.2, spread: spread),
        .init(name: "g_people", unit: "kW", prior: 5, spread: spread),
      ],
      outputs: [.init(name: "air", unit: "Cel", state: air, noiseVariance: readingVariance)],
      terms: [
        to(air, .state(mass), 1, [.init(2, 1), perAir]), to(air, .state(air), -1, [.init(2, 1), perAir]),
        to(air, .input(outdoor), 1, [.init(3, 1), perAir]), to(air, .state(air), -1, [.init(3, 1), perAir]),
        to(air, .input(supply), 1.006, [perAir], by: [flow]), to(air, .state(air), -1.006, [perAir], by: [flow]),
        to(air, .input(people), 1, [.init(4, 1), perAir]), to(air, .state(bias), 1, [perAir]),
        to(mass, .state(air), 1, [.init(2, 1), perMass]), to(mass, .state(mass), -1, [.init(2, 1), perMass]),
        to(bias, .state(bias), -1 / 21_600, []),
      ])
  }

  /// A model of any shape: decaying states with random couplings, powers and multipliers.
  static func random(states: Int, parameters: Int, seed: UInt64, rate: Double = 1e-3) -> Model {
    var noise = ObserverNoise(seed: seed)
    func pick(_ count: Int) -> Int { Int(noise.bits() % UInt64(count)) }
    var terms = (0..<states).map { row in
      Model.Term(
        row: row, column: .state(row), scale: -rate * (0.2 + 3 * noise.uniform()),
        powers: [.init(pick(parameters), pick(2) == 0 ? 1 : -1)])
    }
    for _ in 0..<2 * states + 4 {
      let column: Model.Column =
        switch pick(4) {
        case 0: .input(pick(3))
        case 1: .one
        default: .state(pick(states))
        }
      terms.append(
        Model.Term(
          row: pick(states), column: column, scale: 0.3 * rate * noise.normal(),
          powers: (0..<pick(3)).map { _ in .init(pick(parameters), pick(5) - 2) }, multipliers: pick(3) == 0 ? [2] : [])
      )
    }
    return Model(
      states: (0..<states).map {
        .init(name: "x\($0)", unit: "1", initialMean: noise.normal(), initialVariance: 1, noiseIntensity: 1e-5)
      },
      inputs: (0..<3).map { .init(name: "u\($0)", unit: "1") },
      parameters: (0..<parameters).map { .init(name: "p\($0)", unit: "1", prior: 0.5 + noise.uniform(), spread: 0.2) },
      outputs: [.init(name: "y", unit: "1", state: 0, noiseVariance: 0.01)], terms: terms)
  }

  /// Weather by the day, ventilation and people by day's hours, all of them varied enough to be told apart.
  static func zoneInputs(step: Int, noise: inout ObserverNoise) -> [Double] {
    let hour = Double(step % 96) / 4
    let isDay = hour > 7 && hour < 19
    let outdoor = 5 + 5 * Elementary.sin(hour / 24 * 6.283185307179586) + 0.5 * noise.normal()
    let pulse = noise.uniform()
    return [outdoor, 14 + 14 * pulse, isDay || pulse > 0.8 ? 0.3 + noise.uniform() : 0.05, isDay ? noise.uniform() : 0]
  }

  /// A record of the model at `logParameters` with noise in it; what moved the states is the model's own noise.
  static func record(
    of model: Model, logParameters: [Double], steps: Int, seconds: Double, seed: UInt64
  ) -> (table: ObservationTable, states: [Double]) {
    var noise = ObserverNoise(seed: seed)
    var transition = Transition(model, logParameters: logParameters, seconds: seconds)
    var x = model.states.map { $0.initialMean + $0.initialVariance.squareRoot() * noise.normal() }
    var (inputs, outputs): ([Double], [Double]) = ([], [])
    for step in 0..<steps {
      let row = zoneInputs(step: step, noise: &noise)
      inputs += row
      outputs += model.outputs.map { x[$0.state] + $0.noiseVariance.squareRoot() * noise.normal() }
      transition.advance(&x, inputs: row)
      if let spread = transition.noise(inputs: row), let factor = Cholesky(spread) {
        x = zip(x, noise.normals(factor)).map { $0 + $1 }
      }
    }
    return (ObservationTable(secondsPerStep: seconds, steps: steps, inputs: inputs, outputs: outputs), x)
  }
}

extension JointObserver {
  @discardableResult mutating func predict(_ inputs: [Double], seconds: Double) -> Bool {
    unsafe inputs.withUnsafeBufferPointer { unsafe predict($0, seconds: seconds) }
  }

  var matrix: Matrix { Matrix(rows: mean.count, columns: mean.count, covariance) }

  /// Runs over a record, one update for each reading and one prediction for each row.
  mutating func follow(_ table: ObservationTable, each: (Int, Innovation) -> Void = { _, _ in }) {
    let (width, outputs) = (model.inputs.count, model.outputs.count)
    for step in 0..<table.steps {
      for output in 0..<outputs where table.outputs[step * outputs + output].isFinite {
        each(step, update(output: output, value: table.outputs[step * outputs + output]))
      }
      predict(Array(table.inputs[step * width..<(step + 1) * width]), seconds: table.secondsPerStep)
    }
  }
}
