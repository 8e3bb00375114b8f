import Calibration
import LinearAlgebra
import Models
import Testing
import TwinCore

/// A room that stands at its setpoint tells little; moves within limits tell more, and as much more as was foretold.
@Suite struct ExcitationPlanTests {
  private static let model = Synthetic.room()
  private static let truth = [3e7, 250.0].map { Elementary.log($0) }
  private static let steps = 96

  /// Heat as it is held while nobody asks for anything.
  private static let ahead = (0..<steps).flatMap { step in
    [5 + 2 * Elementary.sin(6.283185307 * Double(step) / 96), 3600]
  }

  private static func plan(low: Double = 0, high: Double = 6000) -> ExcitationPlan {
    ExcitationPlan(
      model, logParameters: truth, covariance: .diagonal([0.5, 0.5]), levers: [.init(input: 1, low: low, high: high)],
      ahead: ahead, secondsPerStep: 900)
  }

  private static func moved(_ plan: ExcitationPlan) -> [Double] {
    var inputs = ahead
    for move in plan.moves {
      for step in move.step..<steps { inputs[2 * step + move.input] = move.value }
    }
    return inputs
  }

  @Test func `stays within its limits, and holds what it moves`() {
    let plan = Self.plan(low: 1500, high: 5000)
    #expect(plan.moves.allSatisfy { (1500...5000).contains($0.value) && $0.input == 1 && $0.step < Self.steps })
    #expect(plan.moves.count > 4)
    for (a, b) in zip(plan.moves, plan.moves.dropFirst()) { #expect(b.step - a.step >= 4) }
    #expect(plan == Self.plan(low: 1500, high: 5000))
  }

  @Test func `teaches more than waiting, and wider limits more than narrow ones`() {
    let (wide, narrow) = (Self.plan(), Self.plan(low: 3400, high: 3800))
    #expect(wide.excited < wide.idle && wide.idle < wide.now)
    #expect(wide.excited < narrow.excited)
    #expect(wide.deviations[0].excited < 0.7 * wide.deviations[0].idle)
    #expect(wide.record.contains("\(wide.moves.count) moves"))
    #expect(wide.announcement == ["heat moves \(wide.moves.count) times in 1440 min, never outside 0.0…6000.0"])
  }

  @Test func `brings what it foretells when it is carried out`() throws {
    let plan = Self.plan()
    func deviations(_ inputs: [Double]) throws -> [Double] {
      var sum = [0.0, 0.0]
      for seed: UInt64 in 1...5 {
        var random = Philox(seed: seed, stream: 3)
        var transition = Transition(Self.model, logParameters: Self.truth, seconds: 900)
        var (x, outputs) = ([20.0], [Double]())
        for step in 0..<Self.steps {
          outputs.append(x[0] + 0.1 * random.normal())
          transition.advance(&x, inputs: Array(inputs[2 * step..<2 * step + 2]))
          x[0] += (1e-6 * 900).squareRoot() * random.normal()
        }
        let table = ObservationTable(secondsPerStep: 900, steps: Self.steps, inputs: inputs, outputs: outputs)
        let result = try #require(finished(Calibration(CalibrationProblem(Self.model, table), .init(starts: 1))).result)
        for index in 0..<2 { sum[index] += result.findings[index].deviation / 5 }
      }
      return sum
    }
    let (idle, excited) = (try deviations(Self.ahead), try deviations(Self.moved(plan)))
    #expect(excited[0] < 0.7 * idle[0], "\(excited) against \(idle)")
    for index in 0..<2 {
      #expect((excited[index] / plan.deviations[index].excited - 1).magnitude < 0.5, "\(excited) \(plan.deviations)")
    }
  }

  @Test func `makes no moves where none would help`() {
    let none = ExcitationPlan(
      Self.model, logParameters: Self.truth, covariance: .identity(2), levers: [], ahead: Self.ahead,
      secondsPerStep: 900)
    #expect(none.moves.isEmpty && none.excited == none.idle)
    #expect(none.announcement.count == 1)
  }
}
