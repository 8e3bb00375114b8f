import Calibration
import Harnesses
import Models
import Provenance
import Seams
import Sodium
import Testing
import TwinCore

@testable import Training

@Suite("A model is trained on its own history")
struct TrainingTests {
  private func trained(_ history: ModelHistory, _ settings: TrainingSettings = TrainingSettings(starts: 2)) throws
    -> TrainingProduct
  {
    var job = try TrainingJob(Room.model(), history, champion: nil, settings)
    for _ in 0..<20_000 where try job.advance().phase == .done { break }
    return try #require(job.product())
  }

  @Test("the parameters come out, the part kept apart is forecast better than by the template and by persistence")
  func learns() throws {
    let product = try trained(Room.history(Room.readings(960, seed: 7)))
    let tau = try #require(product.result.findings.first { $0.name == "tau" })
    #expect(tau.low < Room.tau && Room.tau < tau.high, "tau \(tau.value), \(tau.low) to \(tau.high)")
    for score in product.scores {
      let candidate = try #require(score.candidate.rootMeanSquare)
      #expect(score.candidate.count > 150)
      #expect(candidate <= 1.02 * (try #require(score.champion.rootMeanSquare)), "\(score)")
      #expect(candidate < (try #require(score.candidate.persistence)), "\(score)")
    }
    let coverage = try #require(product.scores[0].candidate.coverage)
    #expect(0.8...0.99 ~= coverage)
    #expect(product.heldOutSteps >= 192)
  }

  @Test("stretches without readings are no news: it learns from the rest")
  func holes() throws {
    var readings = Room.readings(960, seed: 8)
    for step in 200..<260 { readings[step] = [.nan, .nan, .nan] }
    for step in stride(from: 300, to: 500, by: 3) { readings[step][0] = .nan }
    let product = try trained(Room.history(readings))
    let tau = try #require(product.result.findings.first { $0.name == "tau" })
    #expect(tau.low < Room.tau && Room.tau < tau.high, "tau \(tau.value), \(tau.low) to \(tau.high)")
    #expect(product.scores.allSatisfy { $0.candidate.rootMeanSquare?.isFinite ?? false })
  }

  @Test("saved at any moment, resumed: the same bits", arguments: [1, 9, 40])
  func resumes(_ interruption: Int) throws {
    let history = Room.history(Room.readings(480, seed: 9))
    let settings = TrainingSettings(starts: 2, iterationsMax: 20)
    let whole = try trained(history, settings)
    var job = try TrainingJob(Room.model(), history, champion: nil, settings)
    var round = 0
    while try job.advance().phase != .done {
      round += 1
      guard round % interruption == 0 else { continue }
      var writer = CanonicalWriter()
      job.encode(to: &writer)
      guard job.progress.phase == .calibrating else { continue }
      job = try TrainingJob(Room.model(), history, champion: nil, settings)
      var reader = CanonicalReader(writer.bytes)
      try job.resume(from: &reader)
    }
    let product = try #require(job.product())
    let manifests = try [whole, product].map { try $0.manifest(codeVersion: "1", madeBy: "a", source: "b") }
    #expect(whole.candidate(manifests[0]).bytes == product.candidate(manifests[1]).bytes)
  }

  @Test("too little is refused, with what to do", arguments: [0, 1, 96, 250])
  func tooLittle(_ steps: Int) throws {
    let history = Room.history(Room.readings(max(1, steps), seed: 1))
    let fault = #expect(throws: TrainingFault.self) {
      _ = try TrainingJob(Room.model(), history, champion: nil, TrainingSettings())
    }
    #expect(fault?.kind == .tooLittleData)
    #expect(fault?.message.contains("room") ?? false)
    #expect(fault?.remedy.isEmpty == false)
  }

  @Test("days without readings, and an input that was never read, are refused by name")
  func silent() throws {
    let readings = Room.readings(960, seed: 2)
    let silent = readings.map { [Double.nan, $0[1], $0[2]] }
    let blind = readings.map { [$0[0], Double.nan, $0[2]] }
    let ended = readings.enumerated().map { $0 < 700 ? $1 : [.nan, $1[1], $1[2]] }
    for (history, word) in [(silent, "readings in 0"), (blind, "outdoor"), (ended, "kept apart")] {
      let fault = #expect(throws: TrainingFault.self) {
        _ = try TrainingJob(Room.model(), Room.history(history), champion: nil, TrainingSettings())
      }
      #expect(fault?.kind == .tooLittleData)
      #expect(fault?.message.contains(word) ?? false, "\(fault?.message ?? "")")
    }
  }

  @Test("whole days are kept apart, at the end, never less than one")
  func split() throws {
    for steps in [400, 480, 961, 2000] {
      let history = Room.history(Room.readings(steps, seed: 3))
      let split = try TrainingSplit(history, Room.model(), share: 0.2)
      let apart = history.samples.dropFirst(split.fitted)
      #expect(apart.count >= 96 && Double(apart.count) >= 0.2 * Double(steps - 1) - 1)
      #expect(apart.first.map { $0.step == split.heldOutDay * 96 } ?? false)
    }
  }
}
