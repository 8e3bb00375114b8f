import Calibration
import Models
import Testing
import TwinCore

/// A room of one mass behind a wall, heated, whose numbers are known.
enum Synthetic {
  static func room(noise: Double = 1e-6, reading: Double = 0.01) -> BilinearModel {
    BilinearModel(
      states: [
        .init(name: "air", unit: "Cel", initialMean: 20, initialVariance: 25, noiseIntensity: noise)
      ],
      inputs: [.init(name: "outdoor", unit: "Cel"), .init(name: "heat", unit: "W")],
      parameters: [
        .init(name: "capacity", unit: "J/K", prior: 2e7, spread: 1),
        .init(name: "loss", unit: "W/K", prior: 200, spread: 1),
      ],
      outputs: [.init(name: "air", unit: "Cel", state: 0, noiseVariance: reading)],
      terms: [
        .init(row: 0, column: .input(0), scale: 1, powers: [.init(0, -1), .init(1, 1)]),
        .init(row: 0, column: .state(0), scale: -1, powers: [.init(0, -1), .init(1, 1)]),
        .init(row: 0, column: .input(1), scale: 1, powers: [.init(0, -1)]),
      ])
  }

  /// So many days at 15 minutes under a switching heater and a daily wave outdoors.
  static func record(capacity: Double, loss: Double, days: Int, seed: UInt64, model: BilinearModel) -> ObservationTable
  {
    var random = Philox(seed: seed)
    let steps = days * 96
    var transition = Transition(
      model, logParameters: [Elementary.log(capacity), Elementary.log(loss)], seconds: 900)
    let deviation = (model.states[0].noiseIntensity * 900).squareRoot()
    var (x, inputs, outputs) = ([20.0], [Double](), [Double]())
    var heat = 0.0
    for step in 0..<steps {
      outputs.append(x[0] + model.outputs[0].noiseVariance.squareRoot() * random.normal())
      if step % 6 == 0 { heat = random.uniform() < 0.5 ? 0 : 6000 }
      let row = [5 + 6 * Elementary.sin(6.283185307 * Double(step) / 96), heat]
      inputs += row
      _ = transition.advance(&x, inputs: row)
      x[0] += deviation * random.normal()
    }
    return ObservationTable(secondsPerStep: 900, steps: steps, inputs: inputs, outputs: outputs)
  }
}

@Suite struct CalibrationOnSyntheticTests {
  @Test func findsTheTruthWithinItsInterval() throws {
    let model = Synthetic.room()
    let table = Synthetic.record(capacity: 3.2e7, loss: 310, days: 5, seed: 7, model: model)
    var calibration = Calibration(CalibrationProblem(model, table))
    var rounds = 0
    while !calibration.isDone, rounds < 1000 {
      calibration.advance()
      rounds += 1
    }
    let result = try #require(calibration.result)
    print(rounds, result.findings, result.meanSquare, result.iterations)
    #expect(result.findings[0].low < 3.2e7 && 3.2e7 < result.findings[0].high)
    #expect(result.findings[1].low < 310 && 310 < result.findings[1].high)
    #expect(result.findings.allSatisfy { $0.isIdentified })
  }
}
