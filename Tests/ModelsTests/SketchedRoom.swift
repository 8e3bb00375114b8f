import Models
import TwinCore

/// A room of one mass with a heater and weather, whose numbers are known: what the models here are tried on.
enum SketchedRoom {
  static let stepSeconds = 900.0

  static func physics(capacity: Double = 2e7, loss: Double = 200, spread: Double = 1) -> BilinearModel {
    BilinearModel(
      states: [
        .init(name: "air", unit: "Cel", initialMean: 20, initialVariance: 25, noiseIntensity: 1e-7),
        .init(name: "bias", unit: "W", initialMean: 0, initialVariance: 1e4, noiseIntensity: 0.1, isBias: true),
      ],
      inputs: [.init(name: "outdoor", unit: "Cel"), .init(name: "heat", unit: "W")],
      parameters: [
        .init(name: "capacity", unit: "J/K", prior: capacity, spread: spread),
        .init(name: "loss", unit: "W/K", prior: loss, spread: spread),
      ],
      outputs: [.init(name: "air", unit: "Cel", state: 0, noiseVariance: 4e-4)],
      terms: [
        .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1), .init(1, 1)]),
        .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1), .init(1, 1)]),
        .init(row: 0, column: .input(1), scale: 1, powers: [.init(0, -1)]),
        .init(row: 0, column: .state(1), scale: 1, powers: [.init(0, -1)]),
        .init(row: 1, column: .state(1), scale: -1 / 86_400),
      ])
  }

  static func definition(_ physics: BilinearModel = physics()) -> ModelDefinition {
    ModelDefinition(
      id: "room", asset: "room", templates: ["zone.one-mass"], stepNanoseconds: 900_000_000_000, physics: physics,
      inputs: [
        InputBinding(.point(PointBinding(PointIndex(0))), outlook: .shifted),
        InputBinding(.point(PointBinding(PointIndex(1)))),
      ],
      outputs: [PointBinding(PointIndex(2))], horizons: [1, 4, 24])
  }

  /// What the sensors say, step by step: outdoor, heat, air. The room's own numbers are twice and half the priors.
  struct Plant {
    var truth = (capacity: 3.5e7, loss: 300.0)
    var bias = 0.0
    private var random: Philox
    private var transition: Transition
    private var state = [20.0, 0.0]
    private var heat = 0.0
    private(set) var step: Int64 = 0

    init(seed: UInt64) {
      random = Philox(seed: seed)
      transition = Transition(
        SketchedRoom.physics(), logParameters: [Elementary.log(3.5e7), Elementary.log(300)], seconds: 900)
    }

    mutating func next() -> [Double] {
      heat += 0.1 * (3500 + 2500 * Elementary.sin(6.283185307179586 * Double(step) / 37) - heat) + 60 * random.normal()
      let outdoor = 4 + 5 * Elementary.sin(6.283185307179586 * Double(step) / 96) + 0.3 * random.normal()
      _ = transition.advance(&state, inputs: [outdoor, heat])
      state[0] += 0.01 * random.normal()
      step += 1
      return [outdoor, heat, state[0] + bias + 0.02 * random.normal()]
    }
  }
}

extension ModelSample {
  static func of(_ readings: [Double], step: Int64) -> ModelSample {
    var sample = ModelSample(inputs: 2, outputs: 1)
    sample.step = step
    sample.instant = Instant(nanoseconds: step * 900_000_000_000)
    sample.inputs = [readings[0], readings[1]]
    sample.outputs = [readings[2]]
    return sample
  }
}
