import Models
import Testing
import TwinCore

@Suite struct ModelRunTests {
  let definition = SketchedRoom.definition()

  func run(_ steps: Int, seed: UInt64 = 3, from run: ModelRun? = nil) -> ModelRun {
    var plant = SketchedRoom.Plant(seed: seed)
    var run = run ?? ModelRun(definition)
    for step in 0..<steps { run.step(.of(plant.next(), step: Int64(step)), definition) }
    return run
  }

  func bytes(_ run: ModelRun) -> [UInt8] {
    var writer = CanonicalWriter()
    run.encode(to: &writer)
    return writer.bytes
  }

  @Test func sameSamplesGiveTheSameBits() { #expect(bytes(run(300)) == bytes(run(300))) }

  @Test(arguments: [1, 40, 250]) func goesOnAfterASaveWithTheSameBits(at cut: Int) throws {
    var plant = SketchedRoom.Plant(seed: 11)
    var whole = ModelRun(definition)
    var part: ModelRun?
    for step in 0..<400 {
      let sample = ModelSample.of(plant.next(), step: Int64(step))
      whole.step(sample, definition)
      if step == cut {
        var reader = CanonicalReader(bytes(whole))
        part = try ModelRun(from: &reader, definition)
        #expect(reader.isAtEnd)
      } else {
        part?.step(sample, definition)
      }
    }
    #expect(try bytes(whole) == bytes(#require(part)))
  }

  @Test func forecastsBetterThanStayingAsItIs() throws {
    let run = run(960)
    for horizon in 0..<3 {
      let score = run.score(output: 0, horizon: horizon, lastDays: 5)
      let (error, persistence) = try (#require(score.rootMeanSquare), #require(score.persistence))
      // One step ahead the reading's own noise is most of what there is.
      #expect(error < (horizon == 0 ? 0.9 : 0.7) * persistence, "horizon \(horizon): \(error) of \(persistence)")
    }
  }

  @Test func intervalsHoldWhatTheyPromise() throws {
    let coverage = try #require(run(2_000).coverage(lastDays: 15))
    #expect((0.87...0.93).contains(coverage), "\(coverage)")
  }

  @Test func knowsNothingBeforeItsInputs() {
    var run = ModelRun(definition)
    var sample = ModelSample.of([5, 1000, 20], step: 0)
    sample.inputs = [.nan, 1000]
    run.step(sample, definition)
    #expect(run.forecast(of: 0, horizon: 0) == nil)
  }

  /// What is wrong with a reading, and the name it must get.
  static let garbage: [(String, @Sendable (Double) -> Double, GarbageCause)] = [
    ("a thousand times", { $0 * 1000 }, .unit(factor: 1000)),
    ("far off", { _ in 4e5 }, .jump),
  ]

  @Test(arguments: garbage.indices) func garbageMovesNothing(of kind: Int) throws {
    let (name, spoil, cause) = Self.garbage[kind]
    var plant = SketchedRoom.Plant(seed: 5)
    var run = ModelRun(definition)
    for step in 0..<200 { run.step(.of(plant.next(), step: Int64(step)), definition) }
    let before = run.observer.estimate(output: 0).mean
    var readings = plant.next()
    readings[2] = spoil(readings[2])
    run.step(.of(readings, step: 200), definition)
    #expect(run.refusals[0] == cause, "\(name)")
    #expect(run.innovations[0] == nil)
    #expect(abs(run.observer.estimate(output: 0).mean - before) < 2)
  }

  @Test func aReadingThatIsNoNumberIsAMissingOne() {
    var plant = SketchedRoom.Plant(seed: 5)
    var run = ModelRun(definition)
    for step in 0..<200 { run.step(.of(plant.next(), step: Int64(step)), definition) }
    var readings = plant.next()
    readings[2] = .nan
    run.step(.of(readings, step: 200), definition)
    #expect(run.innovations[0] == nil)
    #expect(run.forecast(of: 0, horizon: 0) != nil)
  }

  @Test func aLongGapBeginsTheStatesAnewAndKeepsTheParameters() {
    var plant = SketchedRoom.Plant(seed: 8)
    var run = ModelRun(definition)
    for step in 0..<400 { run.step(.of(plant.next(), step: Int64(step)), definition) }
    let parameters = run.adaptive.mean.suffix(2)
    var sample = ModelSample.of(plant.next(), step: 4_000)
    sample.elapsed = 3_600
    run.step(sample, definition)
    #expect(run.forecast(of: 0, horizon: 0) != nil)
    #expect(zip(run.adaptive.mean.suffix(2), parameters).allSatisfy { abs($0 - $1) < 0.05 })
  }

  @Test func cutBytesAreRefused() {
    let whole = bytes(run(30))
    for cut in stride(from: 0, to: whole.count, by: max(1, whole.count / 97)) {
      var reader = CanonicalReader(Array(whole.prefix(cut)))
      #expect(throws: CanonicalFault.self) { try ModelRun(from: &reader, definition) }
    }
  }
}

@Suite struct PairedEvidenceTests {
  @Test func isQuietOnEquals() {
    var better = 0
    for seed in 0..<400 {
      var random = Philox(seed: UInt64(seed))
      var evidence = PairedEvidence(block: 4)
      for _ in 0..<4 * 20 { evidence.add(champion: 1 + random.normal(), challenger: 1 + random.normal()) }
      if let bound = evidence.lowerBound, bound > 0 { better += 1 }
    }
    // One in twenty by chance.
    #expect((6...40).contains(better), "\(better) of 400")
  }

  @Test func findsABetterOneAndAWorseOne() {
    var random = Philox(seed: 2)
    var up = PairedEvidence(block: 24)
    var down = PairedEvidence(block: 24)
    for _ in 0..<24 * 12 {
      up.add(champion: 1 + 0.3 * random.normal(), challenger: 0.6 + 0.3 * random.normal())
      down.add(champion: 0.6 + 0.3 * random.normal(), challenger: 1 + 0.3 * random.normal())
    }
    #expect(up.finding == .better)
    #expect(down.finding == .notBetter)
  }

  @Test func saysNothingEarlyAndEndsAtLast() {
    var evidence = PairedEvidence(block: 2)
    for _ in 0..<14 { evidence.add(champion: 2, challenger: 1) }
    #expect(evidence.finding == .open)
    var flat = PairedEvidence(block: 1)
    var random = Philox(seed: 9)
    for _ in 0..<120 {
      let loss = random.uniform()
      flat.add(champion: loss, challenger: loss)
    }
    #expect(flat.finding == .notBetter)
  }
}
