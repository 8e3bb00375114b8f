import Testing
import TwinCore

@testable import Models

extension ResidualLearner {
  fileprivate mutating func says(_ inputs: [Double]) -> ResidualEstimate {
    unsafe inputs.withUnsafeBufferPointer { unsafe predict($0) }
  }

  @discardableResult
  fileprivate mutating func see(_ inputs: [Double], _ residual: Double) -> Refusal? {
    unsafe inputs.withUnsafeBufferPointer { unsafe learn($0, residual: residual) }
  }

  /// Predicts and learns; the squares of physics' error and of the corrected one.
  fileprivate mutating func score(_ inputs: [Double], _ residual: Double) -> (physics: Double, corrected: Double) {
    let left = residual - says(inputs).value
    see(inputs, residual)
    return (residual * residual, left * left)
  }
}

private let small = ResidualLearner.Settings(
  seed: 7, features: 60, scale: 0.5, priorVariance: 4, forgetting: 0.995, settling: 50)

@Suite struct `The residual learner` {
  /// What physics leaves out is a curve in two of three inputs.
  @Test(arguments: [0, 1, 2] as [UInt64]) func `gains where the physics is wrong`(seed: UInt64) {
    var random = Philox(seed: seed)
    var learner = ResidualLearner(small, inputs: 3)
    var sums = (physics: 0.0, corrected: 0.0)
    for step in 0..<3000 {
      let inputs = (0..<3).map { 20 + Double($0) * 30 * random.normal() + random.normal() }
      let residual = 0.5 * Elementary.tanh(inputs[1] / 30) + 0.2 * random.normal()
      let squares = learner.score(inputs, residual)
      if step >= 1000 {
        sums.physics += squares.physics
        sums.corrected += squares.corrected
      }
    }
    #expect((sums.corrected / sums.physics).squareRoot() < 0.65, "seed \(seed)")
    #expect(learner.trust > 0.5)
  }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 6, 7] as [UInt64]) func `costs next to nothing where the physics is right`(
    seed: UInt64
  ) {
    var random = Philox(seed: seed, stream: 1)
    var learner = ResidualLearner(small, inputs: 3)
    var sums = (physics: 0.0, corrected: 0.0)
    var (slow, residual) = ([0.0, 0, 0], 0.0)
    for _ in 0..<3000 {
      // Inputs and errors that move slowly look as if they had to do with each other.
      for index in 0..<3 { slow[index] += 0.05 * (random.normal() - slow[index]) }
      residual = (seed & 1 == 0 ? 0 : 0.9) * residual + random.normal()
      let squares = learner.score(slow, residual)
      sums.physics += squares.physics
      sums.corrected += squares.corrected
    }
    #expect((sums.corrected / sums.physics).squareRoot() < 1.02, "seed \(seed)")
  }

  /// Over any stretch, and whatever the residuals do: here they know what the learner is about to say.
  @Test(arguments: [0, 1, 2, 3] as [UInt64]) func `cannot do more harm than the ledger lends`(seed: UInt64) {
    var random = Philox(seed: seed, stream: 2)
    var learner = ResidualLearner(small, inputs: 2)
    var worst = 0.0
    var excess = 0.0
    for step in 0..<8000 {
      let inputs = [random.normal(), random.normal()]
      let said = learner.says(inputs).value
      let isHostile = step / 400 % 2 == 1
      let residual = isHostile && said != 0 ? (said > 0 ? -1.0 : 1.0) : inputs[0].clamped(1)
      // The largest sum over any stretch that ends here.
      let harm = (residual - said) * (residual - said) - (1 + TrustGate.allowance) * residual * residual
      excess = max(0, excess) + harm
      worst = max(worst, excess)
      learner.see(inputs, residual)
    }
    // Residuals are within 1, so is what is typical of them to a quarter; a correction is at most three times that.
    let typical = 1.26
    let step = 3 * typical * (3 * typical + 2)
    #expect(worst <= TrustGate.credit * typical * typical + step, "seed \(seed): \(worst)")
    #expect(worst > 0.5)
  }

  @Test(arguments: [-0.5, 0, 0.4, 1, 2]) func `is trusted with the share that would have served best`(share: Double) {
    var random = Philox(seed: 2)
    var gate = TrustGate()
    var sum = 0.0
    for step in 0..<4000 {
      let offer = random.normal()
      let trust = gate.value
      if step >= 1000 { sum += trust / 3000 }
      gate.score(residual: share * offer + 0.3 * random.normal(), offer: offer, used: trust * offer, typical: 1)
    }
    #expect(abs(sum - max(0, min(1, share))) < 0.07, "\(sum)")
  }

  /// Skill alone would be deceived: mostly the correction is right, and now and then it costs twenty times as much.
  @Test(arguments: [10, 20, 40]) func `is stopped by the ledger where skill is deceived`(every: Int) {
    var random = Philox(seed: 1, stream: UInt64(every))
    var gate = TrustGate()
    var (excess, worst, largest, used) = (0.0, 0.0, 0.0, 0)
    for step in 0..<20_000 {
      let offer = random.normal()
      let correction = gate.value * offer
      let isHostile = step % every == 0
      let residual = isHostile ? -20 * offer : offer + 0.3 * random.normal()
      let harm =
        (residual - correction) * (residual - correction) - (1 + TrustGate.allowance) * residual * residual
      excess = max(0, excess) + harm
      (worst, largest) = (max(worst, excess), max(largest, harm))
      used += correction != 0 ? 1 : 0
      gate.score(residual: residual, offer: offer, used: correction, typical: 1)
    }
    #expect(worst <= TrustGate.credit + largest, "\(worst), one step \(largest)")
    #expect(used > 20)
  }

  @Test func `is not trusted any more soon after its corrections have turned harmful`() {
    var random = Philox(seed: 3)
    var learner = ResidualLearner(small, inputs: 2)
    for _ in 0..<2000 {
      let inputs = [random.normal(), random.normal()]
      learner.see(inputs, inputs[0] + 0.1 * random.normal())
    }
    #expect(learner.trust > 0.9)
    var steps = 0
    while learner.trust > 0 {
      let inputs = [random.normal(), random.normal()]
      learner.see(inputs, -inputs[0] + 0.1 * random.normal())
      steps += 1
      guard steps < 40 else { break }
    }
    #expect(steps < 40)
    // And it is believed again once it has learnt the new law.
    for _ in 0..<4000 {
      let inputs = [random.normal(), random.normal()]
      learner.see(inputs, -inputs[0] + 0.1 * random.normal())
    }
    #expect(learner.trust > 0.8)
  }

  @Test func `says nothing outside the region where it has learnt, and never much`() {
    var random = Philox(seed: 4)
    var learner = ResidualLearner(small, inputs: 2)
    for _ in 0..<1000 {
      let inputs = [random.normal(), 0.3 * random.normal()]
      learner.see(inputs, 2 * inputs[0])
    }
    #expect(abs(learner.says([1, 0]).value - 2) < 0.3)
    // Nine spreads away, or within each one's own spread but against all they have had in common.
    for far in [[9, 0], [0, 3], [-1e9, 0], [1e99, 1e99]] { #expect(learner.says(far).value == 0, "\(far)") }
    for _ in 0..<2000 {
      let said = learner.says([3 * random.normal(), random.normal()])
      #expect(abs(said.value) <= 3 * learner.deviation && abs(said.offer) <= 3 * learner.deviation)
    }
  }

  @Test func `bears an outlier`() {
    var random = Philox(seed: 5)
    var learner = ResidualLearner(small, inputs: 1)
    for step in 0..<2000 {
      let inputs = [random.normal()]
      learner.see(inputs, step % 97 == 96 ? 1e9 : inputs[0] + 0.1 * random.normal())
    }
    #expect(abs(learner.says([1]).raw - 1) < 0.4)
    #expect(learner.deviation < 3)
  }

  /// An old regime that the inputs tell from the new one is not forgotten while the new one is learnt.
  @Test func `knows the old regime when it comes back`() {
    var random = Philox(seed: 6)
    var learner = ResidualLearner(small, inputs: 2)
    func error(_ regime: Double, steps: Int) -> Double {
      var sum = 0.0
      for _ in 0..<steps {
        let inputs = [random.normal(), regime + 0.2 * random.normal()]
        let residual = (regime > 0 ? 1 : -0.6) * Elementary.sin(2 * inputs[0]) + 0.2 * random.normal()
        sum += learner.score(inputs, residual).corrected
      }
      return (sum / Double(steps)).squareRoot()
    }
    // Both are seen, so that the units fit; then each for long.
    for _ in 0..<4 {
      _ = error(1, steps: 20)
      _ = error(-1, steps: 20)
    }
    _ = error(1, steps: 3000)
    let before = error(1, steps: 1000)
    _ = error(-1, steps: 4000)
    let after = error(1, steps: 1000)
    #expect(after <= 1.1 * before, "\(before), then \(after)")
  }

  @Test func `begins anew when its inputs outgrow their units`() {
    var random = Philox(seed: 7)
    var learner = ResidualLearner(small, inputs: 2)
    for _ in 0..<300 { learner.see([random.normal(), 0], 0.1 * random.normal()) }
    #expect(learner.restarts == 0)
    for _ in 0..<3000 {
      let inputs = [random.normal(), 500 + 300 * random.normal()]
      learner.see(inputs, Elementary.tanh((inputs[1] - 500) / 300))
    }
    #expect(learner.restarts > 0 && learner.restarts < 40)
    #expect(abs(learner.says([0, 800]).value - Elementary.tanh(1)) < 0.2)
  }

  @Test func `refuses what is no number, and names it`() {
    var random = Philox(seed: 8)
    var learner = ResidualLearner(small, inputs: 2)
    for _ in 0..<200 { learner.see([random.normal(), random.normal()], random.normal()) }
    let before = learner
    #expect(learner.see([0, .nan], 1) == .input(1))
    #expect(learner.see([-.infinity, 0], 1) == .input(0))
    #expect(learner.see([1e200, 0], 1) == .input(0))
    #expect(learner.see([0, 0], .nan) == .residual)
    #expect(learner.see([0, 0], -1e200) == .residual)
    #expect(learner.says([.nan, 0]) == .none)
    #expect(learner == before)
  }

  @Test(arguments: [10, 120, 700]) func `survives its bytes to the bit`(steps: Int) throws {
    var random = Philox(seed: 9)
    var learner = ResidualLearner(small, inputs: 3)
    func inputs() -> [Double] { (0..<3).map { _ in random.normal() } }
    for _ in 0..<steps { learner.see(inputs(), random.normal()) }
    var writer = CanonicalWriter()
    learner.encode(to: &writer)
    var reader = CanonicalReader(writer.bytes)
    var restored = try ResidualLearner(from: &reader)
    #expect(restored == learner && reader.isAtEnd)
    for _ in 0..<300 {
      let (point, residual) = (inputs(), random.normal())
      #expect(learner.says(point) == restored.says(point))
      learner.see(point, residual)
      restored.see(point, residual)
    }
    #expect(restored == learner)
    for length in stride(from: 0, to: writer.bytes.count, by: 501) {
      var cut = CanonicalReader(Array(writer.bytes[..<length]))
      #expect(throws: CanonicalFault.self) { try ResidualLearner(from: &cut) }
    }
  }
}
