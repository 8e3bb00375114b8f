import Calibration
import Models
import Testing
import TwinCore

/// Data choose among physics of one asset: what they bear, and no more.
@Suite struct ModelVariantTests {
  /// The synthetic room with walls behind its air, and a meter that shows the mean over the step.
  private static func walled(isMean: Bool) -> BilinearModel {
    var model = Synthetic.room()
    model.states.append(
      .init(name: "walls", unit: "Cel", initialMean: 15, initialVariance: 25, noiseIntensity: 1e-7))
    model.parameters += [
      .init(name: "C_walls", unit: "J/K", prior: 1e8, spread: 1),
      .init(name: "G_walls", unit: "W/K", prior: 300, spread: 1),
    ]
    for (row, capacity, other) in [(0, 0, 1), (1, 2, 0)] {
      let powers = [BilinearModel.Power(capacity, -1), BilinearModel.Power(3, 1)]
      model.terms.append(.init(row: row, column: .state(other), scale: 1, powers: powers))
      model.terms.append(.init(row: row, column: .state(row), scale: -1, powers: powers))
    }
    guard isMean else { return model }
    model.states.append(
      .init(
        name: "air.mean", unit: "Cel", initialMean: 0, initialVariance: 0, noiseIntensity: 0, isPerStep: true))
    model.terms.append(.init(row: 2, column: .state(0), scale: 1 / 900))
    model.outputs[0].state = 2
    return model
  }

  @Test func `are the model itself, each without a store, each with a plain meter`() throws {
    let variants = ModelVariant.all(of: Self.walled(isMean: true))
    #expect(variants.map(\.name) == ["", "without walls", "air at the end of the step"])
    for variant in variants {
      #expect(variant.model.problems() == [] && variant.model.inputs == Synthetic.room().inputs)
    }
    #expect(variants[2].model == Self.walled(isMean: false))
    // What flowed into the walls is gone with them.
    #expect(ModelVariant.all(of: Self.walled(isMean: false))[1].model == Synthetic.room())
    // Air that is shown cannot go, nor what lies between it and the walls.
    #expect(ModelVariant.all(of: Synthetic.room()).count == 1)
  }

  @Test(arguments: [1, 2, 3]) func `of a room without walls the one without is chosen`(seed: UInt64) throws {
    let table = Synthetic.record(capacity: 3e7, loss: 260, days: 3, seed: seed, model: Synthetic.room())
    #expect(try Self.choice(table) == "without walls", "seed \(seed)")
  }

  @Test(arguments: [1, 2, 3]) func `of a room with walls the one with them is chosen`(seed: UInt64) throws {
    let model = Self.walled(isMean: false)
    var random = Philox(seed: seed)
    var transition = Transition(
      model, logParameters: [1e7, 150, 1.2e8, 900].map { Elementary.log($0) }, seconds: 900)
    var (x, inputs, outputs, heat) = ([20.0, 14], [Double](), [Double](), 0.0)
    for step in 0..<4 * 96 {
      outputs.append(x[0] + 0.1 * random.normal())
      if step % 8 == 0 { heat = random.uniform() < 0.5 ? 0 : 9000 }
      let row = [5 + 6 * Elementary.sin(6.283185307 * Double(step) / 96), heat]
      inputs += row
      transition.advance(&x, inputs: row)
      x[0] += 0.03 * random.normal()
    }
    let table = ObservationTable(secondsPerStep: 900, steps: 4 * 96, inputs: inputs, outputs: outputs)
    #expect(try Self.choice(table) == "", "seed \(seed)")
  }

  private static func choice(_ table: ObservationTable) throws -> String {
    let trials = try ModelVariant.all(of: walled(isMean: false)).map { variant in
      let problem = CalibrationProblem(variant.model, table)
      let result = try #require(finished(Calibration(problem, .init(starts: 1))).result)
      return OrderSelection.Trial(name: variant.name, problem, result)
    }
    return trials[try #require(OrderSelection.best(trials))].name
  }
}
