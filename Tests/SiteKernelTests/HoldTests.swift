import Guard
import Testing
import TwinCore

@testable import SiteKernel

@Suite struct `A person's hand on a setpoint` {
  @Test func `is permitted, renewed every third of the lease, and given back when its time is over`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    let decided = plant.step(plant.override(23))
    #expect(decided.map(\.verdict.disposition) == [.permit] && decided[0].request == 7 && decided[0].isNews)
    #expect(plant.values[0] == 23)
    var renewals: [Int64] = []
    var back: [Int64] = []
    for elapsed in stride(from: Int64(10), through: 1850, by: 10) {
      for decision in plant.step() {
        switch decision.verdict.disposition {
        case .keep:
          renewals.append(elapsed)
          #expect(!decision.isNews || elapsed == 200, "a renewal is no news")
          #expect(decision.isCarriedOut && decision.verdict.value == 23)
        case .revert: back.append(elapsed)
        default: Issue.record("\(decision)")
        }
      }
    }
    #expect(renewals == [200, 400, 600, 800, 1000, 1200, 1400, 1600])
    #expect(back == [1800] && plant.values[0] == 20 && plant.kernel.holds[0] == nil)
  }

  @Test func `keeps the policy away, which then resumes`() {
    var plant = Plant()
    plant.step()
    plant.step()
    let before = plant.values[0]
    plant.step(plant.override(23, minutes: 5))
    var told = 0
    for _ in 0..<29 {
      for decision in plant.step() where decision.isNews { told += 1 }
      #expect(plant.values[0] == 23)
    }
    #expect(told == 1, "that the policy has to wait is told once")
    for _ in 0..<10 { plant.step() }
    #expect(plant.values[0] == before && plant.kernel.safety.memory[0].hasOpenLease)
    #expect(plant.log.map(\.value) == [before, 23, before])
  }

  @Test func `refused, writes nothing and holds nothing`() {
    for (value, rule) in [(40.0, Rule.range), (.nan, .finite), (-.infinity, .finite)] {
      var plant = Plant(Sites.chiller(policyPeriod: nil))
      plant.step()
      let decided = plant.step(plant.override(value))
      #expect(
        decided.map(\.verdict.disposition) == [.refuse] && decided[0].verdict.binding == rule
          && !decided[0].isCarriedOut)
      #expect(plant.kernel.holds[0] == nil && plant.kernel.safety.memory[0].heldUntil == nil && plant.log.isEmpty)
    }
  }

  @Test(arguments: [Mode.observe, .shadow, .local]) func `is refused where the mode forbids it`(mode: Mode) {
    var plant = Plant(Sites.chiller(policyPeriod: nil), mode: mode)
    plant.step()
    #expect(plant.step(plant.override(23)).map(\.verdict.disposition) == [.refuse])
    #expect(plant.log.isEmpty && plant.kernel.holds[0] == nil)
  }

  @Test func `ends when let go, and answers`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.step(.release(request: 1, point: Place.setpoint, by: "ann"))
    #expect(plant.outcome.answers == [Answer(request: 1, kind: .nothingHeld)])
    plant.step(plant.override(23))
    let decided = plant.step(.release(request: 2, point: Place.setpoint, by: "ann"))
    #expect(plant.outcome.answers == [Answer(request: 2, kind: .done)])
    #expect(decided.map(\.verdict.disposition) == [.revert] && decided[0].verdict.binding == .operatorHold)
    plant.step(.override(request: 3, point: Place.flow, value: 1, forNanoseconds: 1, by: "ann", reason: ""))
    #expect(plant.outcome.answers == [Answer(request: 3, kind: .noEnvelope)])
  }

  @Test func `does not fight a hand at the device`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.step(plant.override(23))
    plant.step()
    plant.values[0] = 17
    for _ in 0..<21 { plant.step() }
    #expect(plant.kernel.holds[0] == nil)
    #expect(plant.log.map(\.value) == [23, 20], "the lease is given back, the hand not overwritten with 23")
  }

  @Test func `waits for a write whose outcome is unknown, and ends with what its lease came to`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.outcomeOfWrites = .unknown
    plant.step(plant.override(23))
    for _ in 0..<25 { plant.step() }
    #expect(plant.kernel.holds[0] != nil && plant.kernel.safety.memory[0].isPending)
    plant.step(.gaveBack(point: Place.setpoint, value: 20, outcome: .confirmed))
    #expect(plant.kernel.holds[0] == nil && !plant.kernel.safety.memory[0].hasOpenLease)
    #expect(!plant.kernel.safety.memory[0].isPending)
  }

  @Test func `ends at a broken interlock, and is not taken up again`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.step(plant.override(23))
    plant.values[2] = 0
    let decided = plant.step()
    #expect(
      decided.map(\.verdict.disposition) == [.revert] && decided[0].verdict.binding == .interlock && decided[0].isNews)
    #expect(plant.values[0] == 20 && plant.kernel.holds[0] == nil)
    plant.values[2] = 1
    for _ in 0..<60 { #expect(plant.step().isEmpty) }
    #expect(plant.log.map(\.value) == [23, 20])
  }

  @Test func `outlives no outcome of an older write`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.outcomeOfWrites = .unknown
    let first = plant.step(plant.override(23))[0].id
    plant.inbox = []
    plant.step(plant.override(24))
    plant.inbox = [.settled(first, point: Place.setpoint, outcome: .confirmed, readBack: 23)]
    plant.step()
    #expect(plant.kernel.safety.memory[0].isPending, "the younger write is still out")
  }
}
