import Calibration
import Glibc
import LinearAlgebra
import Models
import Testing
import TwinCore

/// Runs to the end, bounded.
func finished(_ calibration: Calibration) -> Calibration {
  var calibration = calibration
  var rounds = 0
  while !calibration.isDone, rounds < 5000 {
    calibration.advance()
    rounds += 1
  }
  return calibration
}

/// What a calibration says of its certainty is true: over many rooms whose numbers are known.
@Suite struct CalibrationProofTests {
  private static let isLong = unsafe getenv("TWIND_TEST_LONG") != nil

  @Test func `covers the truth as often as its intervals say`() throws {
    let seeds: UInt64 = Self.isLong ? 500 : 50
    let days = Self.isLong ? 4 : 2
    let model = Synthetic.room()
    var (inside, count, squares, portmanteaus) = (0, 0, 0.0, 0)
    for seed in 1...seeds {
      var random = Philox(seed: seed, stream: 99)
      let truth = model.parameters.map { $0.prior * Elementary.exp(0.5 * random.normal()) }
      let table = Synthetic.record(capacity: truth[0], loss: truth[1], days: days, seed: seed, model: model)
      let problem = CalibrationProblem(model, table)
      #expect(problem.problems() == [], "seed \(seed)")
      let result = try #require(finished(Calibration(problem, .init(seed: seed, starts: 1))).result, "seed \(seed)")
      for (finding, value) in zip(result.findings, truth) {
        inside += finding.low < value && value < finding.high ? 1 : 0
        count += 1
      }
      squares += result.meanSquare
      portmanteaus += Whiteness.isWhite(result.autocorrelation, count: result.readings) ? 1 : 0
      #expect(result.problems() == [], "seed \(seed)")
    }
    let share = Double(inside) / Double(count)
    print("seeds \(seeds), inside \(share), mean square \(squares / Double(seeds)), white \(portmanteaus)")
    #expect(Self.isLong ? (0.93...0.97).contains(share) : (0.88...1).contains(share))
    #expect((0.8...1.25).contains(squares / Double(seeds)))
    #expect(Double(portmanteaus) >= 0.9 * Double(seeds))
  }

  @Test func `resumed after any step gives the same bits`() throws {
    let model = Synthetic.room()
    let table = Synthetic.record(capacity: 3e7, loss: 150, days: 2, seed: 5, model: model)
    let (problem, settings) = (CalibrationProblem(model, table), Calibration.Settings(seed: 4, starts: 2, screening: 2))
    let whole = finished(Calibration(problem, settings))
    for every in [1, 2, 3, 7] {
      var calibration = Calibration(problem, settings)
      var rounds = 0
      while !calibration.isDone, rounds < 2000 {
        calibration.advance()
        rounds += 1
        guard rounds % every == 0 else { continue }
        var writer = CanonicalWriter()
        calibration.encode(to: &writer)
        var reader = CanonicalReader(writer.bytes)
        calibration = try Calibration(problem, settings, resuming: &reader)
        #expect(reader.isAtEnd)
      }
      #expect(calibration == whole && calibration.result == whole.result, "interrupted every \(every)")
    }
    // Between any two steps it may also be given up and begun again.
    #expect(finished(Calibration(problem, settings)) == whole)
  }

  @Test func `says which parameter the data tell nothing of, and leaves it where it was`() throws {
    var model = Synthetic.room()
    // A gain that no input drives.
    model.inputs.append(.init(name: "sun", unit: "W/m2"))
    model.parameters.append(.init(name: "aperture", unit: "m2", prior: 3, spread: 1))
    model.terms.append(.init(row: 0, column: .input(2), scale: 1, powers: [.init(2, 1), .init(0, -1)]))
    let plain = Synthetic.record(capacity: 3e7, loss: 250, days: 3, seed: 11, model: Synthetic.room())
    var inputs: [Double] = []
    for step in 0..<plain.steps { inputs += [plain.inputs[2 * step], plain.inputs[2 * step + 1], 0] }
    let table = ObservationTable(secondsPerStep: 900, steps: plain.steps, inputs: inputs, outputs: plain.outputs)
    let result = try #require(finished(Calibration(CalibrationProblem(model, table))).result)
    #expect(result.findings.map(\.isIdentified) == [true, true, false])
    #expect((result.findings[2].value / 3 - 1).magnitude < 1e-3)
    #expect((result.findings[2].deviation - 1).magnitude < 0.05)
  }

  @Test func `profile of a parameter agrees with its interval where the data are many`() throws {
    let model = Synthetic.room()
    let table = Synthetic.record(capacity: 3e7, loss: 250, days: 4, seed: 3, model: model)
    let problem = CalibrationProblem(model, table)
    let result = try #require(finished(Calibration(problem, .init(starts: 1))).result)
    let profile = try #require(ProfileLikelihood(of: "loss", problem, result))
    let (low, high) = profile.interval
    let finding = result.findings[1]
    #expect((Elementary.log(try #require(low) / finding.low)).magnitude < 0.3 * finding.deviation)
    #expect((Elementary.log(try #require(high) / finding.high)).magnitude < 0.3 * finding.deviation)
    #expect(profile.points.allSatisfy { $0.excess > -0.05 })
    #expect(ProfileLikelihood(of: "no such", problem, result) == nil)
  }

  @Test func `innovations that are not white are told from white ones`() {
    var random = Philox(seed: 1)
    let white = (0..<2000).map { _ in random.normal() }
    var last = 0.0
    let red = white.map { value -> Double in
      last = 0.2 * last + value
      return last
    }
    #expect(Whiteness.isWhite(Whiteness.autocorrelation(white, lags: 24), count: 2000))
    #expect(!Whiteness.isWhite(Whiteness.autocorrelation(red, lags: 24), count: 2000))
    var calledRed = 0
    for seed: UInt64 in 0..<400 {
      var random = Philox(seed: seed, stream: 5)
      let series = (0..<300).map { _ in random.normal() }
      if !Whiteness.isWhite(Whiteness.autocorrelation(series, lags: 20), count: 300, level: 0.05) { calledRed += 1 }
    }
    #expect((8...36).contains(calledRed), "\(calledRed) of 400 at 5 %")
  }
}

/// Records that can teach nothing are refused by name, before or after the fit, and never make a model that is
/// believed.
@Suite struct GarbageRecordTests {
  private static let model = Synthetic.room()
  private static let sound = Synthetic.record(capacity: 3e7, loss: 250, days: 3, seed: 21, model: model)

  private static func changed(_ change: (inout ObservationTable) -> Void) -> CalibrationProblem {
    var table = sound
    change(&table)
    return CalibrationProblem(model, table)
  }

  @Test func `a sound one is not refused`() throws {
    let problem = CalibrationProblem(Self.model, Self.sound)
    #expect(problem.problems() == [])
    #expect(try #require(finished(Calibration(problem)).result).problems() == [])
  }

  @Test func `by what is missing, constant, repeated or of another unit`() {
    func first(_ change: (inout ObservationTable) -> Void) -> String { Self.changed(change).problems().first ?? "" }
    #expect(first { $0.outputs = $0.outputs.map { _ in .nan } } == "air has 0 readings: 48 at least are wanted")
    #expect(
      first { for step in 0..<260 { $0.outputs[step] = .infinity } } == "air has 28 readings: 48 at least are wanted")
    #expect(
      first { $0.outputs = $0.outputs.map { _ in 21 } } == "air never reads anything but 21.0, while outdoor moves")
    #expect(first { for step in 0..<$0.steps { $0.inputs[2 * step] = .nan } } == "outdoor is never known")
    #expect(first { for step in 0..<200 { $0.inputs[2 * step] = .nan } }.hasPrefix("outdoor is known in 88 of 288"))
    #expect(first { $0.inputs[3] = 1e300 }.hasPrefix("heat reads 1e+300"))
    #expect(first { $0.outputs = $0.outputs.map { 1000 * $0 } }.contains("another unit, or another sensor"))
    #expect(
      first {
        for step in stride(from: 1, to: $0.steps, by: 2) {
          $0.outputs[step] = $0.outputs[step - 1]
          for index in 0..<2 { $0.inputs[2 * step + index] = $0.inputs[2 * step - 2 + index] }
        }
      }.hasPrefix("144 of 288 rows repeat the row before"))
    #expect(
      Self.changed {
        $0.outputs[7] = .nan; $0.inputs[9] = .nan
      }.problems() == [])
  }

  /// What looks like numbers of a plant is found out by the fit.
  @Test(arguments: ["heat in kW", "heat in mW", "output a thousandth", "outdoor a thousandth", "sensors swapped"])
  func `or by what a fit to them comes to`(kind: String) throws {
    let problem = Self.changed { table in
      for step in 0..<table.steps {
        switch kind {
        case "heat in kW": table.inputs[2 * step + 1] /= 1000
        case "heat in mW": table.inputs[2 * step + 1] *= 1000
        case "output a thousandth": table.outputs[step] /= 1000
        case "outdoor a thousandth": table.inputs[2 * step] *= 1000
        default: swap(&table.outputs[step], &table.inputs[2 * step])
        }
      }
    }
    let result = finished(Calibration(problem)).result
    let found = problem.problems() + (result.map { $0.problems() } ?? ["no start could run the model"])
    print(kind, found, result?.findings.map { "\($0.value) \($0.deviation)" } ?? [])
    #expect(!found.isEmpty)
    if let result {
      #expect(result.logParameters.allSatisfy(\.isFinite) && result.covariance.elements.allSatisfy(\.isFinite))
    }
  }
}
