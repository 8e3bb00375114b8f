import LinearAlgebra
import Models
import Testing
import TwinCore

@testable import Harnesses

private func question(
  _ changes: [InputChange], days: Int = 3, seed: UInt64 = 1, members: Int = 33
) throws -> Counterfactual {
  try Counterfactual(
    HeatedRoom.physics, ParameterEnsemble(HeatedRoom.observer, members: members),
    record: HeatedRoom.days(days, seed: seed).record, begin: HeatedRoom.begin, seen: HeatedRoom.seen, changes: changes)
}

private func ask(_ question: Counterfactual) throws -> CounterfactualAnswer {
  var question = question
  while try question.advance() {}
  return try #require(question.answer)
}

private let heatMore = InputChange(input: 1, .offset(500), during: HeatedRoom.instant(96)..<HeatedRoom.instant(288))

@Suite struct `What would have been` {
  @Test(arguments: UInt64(1)...5)
  func `is what the same plant does in the same weather under other inputs`(seed: UInt64) throws {
    let answer = try ask(try question([heatMore], seed: seed))
    let was = HeatedRoom.days(3, seed: seed).air
    let would = HeatedRoom.days(3, seed: seed, extra: 500, from: 96).air
    let output = answer.outputs[0]
    #expect(answer.rows == 192)
    #expect(answer.instant(ofRow: 0) == HeatedRoom.instant(96))
    for row in 0..<answer.rows {
      let truth = would[96 + row] - was[96 + row]
      let found = output.differences[row]
      #expect(abs(found.value - truth) < 1e-9, "row \(row), seed \(seed)")
      #expect(found.low <= truth && truth <= found.high)
      #expect(abs(output.factual[row] - was[96 + row]) < 0.08)
    }
    #expect(output.differences[0].value == 0)
    #expect(output.atEnd.value > 1)
    // 5 % of two parameters is 5 to 10 % of their quotient.
    let width = output.atEnd.high - output.atEnd.low
    #expect(width > 0.05 * output.atEnd.value && width < 0.4 * output.atEnd.value)
    #expect(output.largest.value >= output.atEnd.value)
    #expect(answer.inputs.map(\.name) == ["heat"])
    #expect(answer.inputs[0].mean == 500)
  }

  @Test func `is the same twice, and when it was put aside between any two members`() throws {
    let whole = try ask(try question([heatMore], members: 9))
    #expect(try ask(try question([heatMore], members: 9)) == whole)
    for pause in 0...9 {
      var question = try question([heatMore], members: 9)
      for _ in 0..<pause { try question.advance() }
      var writer = CanonicalWriter(reservingBytes: 1 << 16)
      question.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      let restored = try Counterfactual(from: &reader)
      #expect(reader.isAtEnd)
      #expect(try ask(restored) == whole)
    }
  }

  @Test func `asks of constants, offsets and series alike`() throws {
    let stretch = HeatedRoom.instant(100)..<HeatedRoom.instant(110)
    let held = HeatedRoom.days(3, seed: 1).record
    let series = (0..<288).map { 100..<110 ~= $0 ? held.inputs[2 * $0 + 1] + 250 : 6999 }
    let byOffset = try ask(try question([InputChange(input: 1, .offset(250), during: stretch)], members: 1))
    let bySeries = try ask(try question([InputChange(input: 1, .series(series), during: stretch)], members: 1))
    #expect(byOffset == bySeries)
    let constant = try ask(try question([InputChange(input: 1, .constant(3000), during: stretch)], members: 1))
    #expect(constant.inputs[0].other[..<10].allSatisfy { $0 == 3000 })
    #expect(constant.inputs[0].other[10...].elementsEqual(constant.inputs[0].factual[10...]))
  }

  @Test func `refuses what the model has never seen, and what changes nothing`() throws {
    let day = HeatedRoom.instant(96)..<HeatedRoom.instant(192)
    let cases: [(InputChange, String)] = [
      (InputChange(input: 1, .constant(7701), during: day), "counterfactual.outside_history"),
      (InputChange(input: 0, .offset(-40), during: day), "counterfactual.outside_history"),
      (InputChange(input: 1, .constant(.infinity), during: day), "counterfactual.outside_history"),
      (InputChange(input: 1, .offset(0), during: day), "counterfactual.nothing_changed"),
      (
        InputChange(input: 1, .constant(1), during: HeatedRoom.instant(900)..<HeatedRoom.instant(901)),
        "counterfactual.nothing_changed"
      ),
      (InputChange(input: 2, .constant(1), during: day), "counterfactual.no_such_input"),
    ]
    for (change, code) in cases {
      let fault = #expect(throws: CounterfactualFault.self) { try question([change]) }
      #expect(fault?.code == code)
    }
    // A tenth of the range beyond it is within reach.
    _ = try question([InputChange(input: 1, .constant(7699), during: day)])
  }

  @Test func `refuses bytes that no question was`() throws {
    var writer = CanonicalWriter(reservingBytes: 1 << 16)
    try question([heatMore], members: 3).encode(to: &writer)
    for cut in stride(from: 0, to: writer.bytes.count, by: 997) {
      var reader = CanonicalReader(Array(writer.bytes[..<cut]))
      #expect(throws: CanonicalFault.self) { _ = try Counterfactual(from: &reader) }
    }
  }
}

/// The room as a model of a site, and its samples.
private enum Recorded {
  static let definition = ModelDefinition(
    id: "room", asset: "room", templates: ["zone.one-mass"], stepNanoseconds: 900_000_000_000,
    physics: HeatedRoom.physics,
    inputs: [
      InputBinding(.point(PointBinding(PointIndex(0)))), InputBinding(.point(PointBinding(PointIndex(1)))),
    ], outputs: [PointBinding(PointIndex(2))], horizons: [1])

  static func run(isCalibrated: Bool = true) -> ModelRun {
    var run = ModelRun(definition)
    run.begin(
      HeatedRoom.physics, logParameters: HeatedRoom.truth, covariance: .diagonal([0.0025, 0.0025]),
      isIdentified: [true, true])
    if isCalibrated {
      run.version = ModelVersion(number: 1, candidate: Digest(hex: String(repeating: "ab", count: 32))!)
    }
    return run
  }

  /// A sample's inputs held in the step before it; `gapBefore` is a step that comes late.
  static func samples(days: Int, gap: (before: Int, steps: Int64)? = nil) -> [ModelSample] {
    let record = HeatedRoom.days(days, seed: 1).record
    var late: Int64 = 0
    return (1..<record.steps).map { step in
      var elapsed: Int64 = 1
      if let gap, gap.before == step { (elapsed, late) = (gap.steps, gap.steps - 1) }
      return ModelSample(
        step: Int64(step) + late, instant: HeatedRoom.instant(step + Int(late)), elapsed: elapsed,
        inputs: Array(record.inputs[2 * (step - 1)..<2 * step]), outputs: [record.outputs[step]])
    }
  }

  static func ask(
    _ samples: [ModelSample], _ change: InputChange, days: Int, run: ModelRun = run()
  ) throws -> Counterfactual {
    try Counterfactual(
      run, definition, history: ModelHistory(samples), changes: [change], through: HeatedRoom.instant(days * 96),
      members: 9)
  }
}

@Suite struct `What would have been, of a model at work` {
  private let lastDay = InputChange(input: 1, .offset(500), during: HeatedRoom.instant(576)..<HeatedRoom.instant(672))

  @Test func `is asked over the samples that it saw`() throws {
    let question = try Recorded.ask(Recorded.samples(days: 7), lastDay, days: 7)
    // Four days before the question, not all of them.
    #expect(question.begin == HeatedRoom.instant(192))
    let answer = try ask(question)
    #expect(answer.instant(ofRow: 0) == HeatedRoom.instant(576))
    let was = HeatedRoom.days(7, seed: 1).air
    let would = HeatedRoom.days(7, seed: 1, extra: 500, from: 576).air
    for row in 0..<answer.rows {
      #expect(abs(answer.outputs[0].differences[row].value - (would[576 + row] - was[576 + row])) < 1e-9)
    }
  }

  @Test func `is refused of guesses, of nothing, and across a gap`() throws {
    let week = Recorded.samples(days: 7)
    func code(_ samples: [ModelSample], _ run: ModelRun = Recorded.run()) -> String? {
      do {
        _ = try Recorded.ask(samples, lastDay, days: 10, run: run)
        return nil
      } catch {
        return (error as? CounterfactualFault)?.code
      }
    }
    #expect(code(week) == nil)
    #expect(code(week, Recorded.run(isCalibrated: false)) == "counterfactual.uncalibrated")
    #expect(code([]) == "counterfactual.no_record")
    #expect(code(Array(week.suffix(40))) == "counterfactual.no_record")
    // A short gap is bridged; a long one before the question begins the record anew; one within it ends the matter.
    #expect(code(Recorded.samples(days: 7, gap: (600, 50))) == nil)
    #expect(code(Recorded.samples(days: 7, gap: (600, 97))) == "counterfactual.gap")
    #expect(code(Recorded.samples(days: 7, gap: (300, 200))) == nil)
    let unread = week.map { sample in
      var sample = sample
      sample.inputs[1] = .nan
      return sample
    }
    #expect(code(unread) == "counterfactual.not_known")
  }

  @Test func `begins after a long gap before the question`() throws {
    let question = try Recorded.ask(Recorded.samples(days: 7, gap: (300, 200)), lastDay, days: 7)
    #expect(question.begin == HeatedRoom.instant(499))
  }
}
