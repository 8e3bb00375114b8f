import Guard
import Testing
import TwinCore

@testable import SiteKernel

@Suite struct `What is held is given back` {
  @Test func `at once when an interlock breaks`() {
    var plant = Plant()
    plant.step()
    plant.step()
    #expect(plant.kernel.safety.memory[0].hasOpenLease)
    plant.values[2] = 0
    let decided = plant.of(plant.step())
    #expect(decided[0].verdict.disposition == .revert && decided[0].isCarriedOut && decided[0].verdict.value == 20)
    #expect(!plant.kernel.safety.memory[0].hasOpenLease && plant.values[0] == 20)
    let writes = plant.log.count
    for _ in 0..<60 { plant.step() }
    #expect(plant.log.count == writes, "and nothing more is written while it lasts")
    plant.values[2] = 1
    for _ in 0..<12 { plant.step() }
    #expect(plant.kernel.safety.memory[0].hasOpenLease)
  }

  @Test func `at once when a required input is stale`() {
    var plant = Plant()
    plant.step()
    plant.step()
    plant.speaks = [1, 2]
    var reverted: [Int64] = []
    for elapsed in stride(from: Int64(10), through: 300, by: 10) {
      for decision in plant.of(plant.step()) where decision.verdict.disposition == .revert && decision.isCarriedOut {
        reverted.append(elapsed)
        #expect(decision.verdict.binding == .fresh)
      }
    }
    #expect(reverted == [70], "60 s without a reading is still fresh")
  }

  @Test(arguments: [Mode.observe, .shadow, .advise, .local]) func `when the mode may no longer hold it`(mode: Mode) {
    var plant = Plant()
    plant.step()
    plant.step()
    let decided = plant.of(plant.step(.setMode(mode, by: "ann")))
    #expect(decided[0].verdict.disposition == .revert && decided[0].isCarriedOut && decided[0].verdict.isExecutable)
    #expect(decided[0].verdict.binding == .mode && plant.values[0] == 20 && plant.kernel.mode == mode)
    let writes = plant.log.count
    for _ in 0..<100 { plant.step() }
    #expect(plant.log.count == writes, "nothing is written in \(mode) by itself")
  }

  @Test func `but a person's lease lives on in advise`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.step(plant.override(23))
    plant.step(.setMode(.advise, by: "ann"))
    for _ in 0..<50 { plant.step() }
    #expect(plant.values[0] == 23 && plant.kernel.holds[0] != nil)
    plant.step(.setMode(.shadow, by: "ann"))
    #expect(plant.values[0] == 20 && plant.kernel.holds[0] == nil)
  }

  @Test func `a fallback with a rule goes on, where the mode lets it write`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    plant.step(
      .override(request: 1, point: Place.bypass, value: 80, forNanoseconds: 60 * second, by: "ann", reason: "test"))
    for _ in 0..<6 { plant.step() }
    #expect(plant.values[4] == 25, "the fallback follows the weather")
    plant.values[3] = 31
    plant.step()
    plant.step()
    #expect(plant.values[4] == 31)
    let news = (0..<20).reduce(0) { sum, _ in sum + plant.step().count }
    #expect(news == 0, "nothing to tell while it stands still")
    for mode in [Mode.shadow, .observe, .local] {
      plant.step(.setMode(mode, by: "ann"))
      plant.values[3] += 1
      for _ in 0..<5 { plant.step() }
      #expect(plant.values[4] == 31, "\(mode)")
    }
  }

  @Test func `a latch waits for a person`() {
    var plant = Plant(Sites.chiller(latching: true))
    plant.step()
    plant.step()
    plant.values[2] = 0
    plant.step()
    plant.values[2] = 1
    let writes = plant.log.count
    for _ in 0..<30 { plant.step() }
    #expect(plant.log.count == writes && plant.kernel.safety.memory[0].isLatched)
    plant.step(.reset(point: Place.setpoint, by: "ann"))
    for _ in 0..<12 { plant.step() }
    #expect(plant.log.count == writes + 1 && plant.kernel.safety.memory[0].hasOpenLease)
  }

  @Test func `equal values are not written again, and renewals are no news`() {
    var plant = Plant()
    for _ in 0..<200 { plant.step() }
    #expect(plant.log.count == 1)
    var (renewals, news) = (0, 0)
    for _ in 0..<60 {
      for decision in plant.step() {
        #expect(decision.verdict.disposition == .keep && decision.isCarriedOut)
        renewals += 1
        if decision.isNews { news += 1 }
      }
    }
    #expect(renewals == 10 && news == 0)
    plant.values[3] = 30
    for _ in 0..<12 { plant.step() }
    #expect(plant.log.count == 2)
  }

  @Test func `a new boot starts every span again`() {
    let rate = RateLimit(risingPerSecond: 0.01, fallingPerSecond: 0.01, windowNanoseconds: 600 * second)
    var plant = Plant(Sites.chiller(hold: 300 * second, rate: rate, policyPeriod: nil, writesPerDay: 10))
    plant.step()
    plant.step(plant.override(21, minutes: 60))
    plant.step(.shelve(alarm: 1, forNanoseconds: hour, by: "ann", reason: "works"))
    for _ in 0..<60 { plant.step() }
    let held = plant.kernel.holds[0]!.until.nanoseconds - plant.uptime
    let shelved = plant.kernel.alarms.states[1].shelvedUntil!.nanoseconds - plant.uptime
    let tokens = plant.kernel.safety.memory[0].tokens

    plant.uptime = 5 * second
    plant.step(.session(isNewBoot: true, mode: nil, ceiling: .auto), after: 0)
    let memory = plant.kernel.safety.memory[0]
    #expect(plant.kernel.image.now == Uptime(nanoseconds: 5 * second) && plant.kernel.mode == .auto)
    #expect(plant.kernel.holds[0].map { $0.until.nanoseconds - plant.uptime } == held)
    #expect(memory.heldUntil.map { $0.nanoseconds - plant.uptime } == held)
    #expect(plant.kernel.alarms.states[1].shelvedUntil.map { $0.nanoseconds - plant.uptime } == shelved)
    #expect(memory.changedAt == Uptime(nanoseconds: plant.uptime) && memory.tokens == tokens)
    #expect(memory.tokensAt == Uptime(nanoseconds: plant.uptime), "nothing is earned for the time in between")
    let moved = plant.step(plant.override(22), after: 100)
    #expect(moved[0].verdict.disposition == .refuse && moved[0].verdict.binding == .hold)
  }

  @Test func `after a new boot the policies speak at once`() {
    var plant = Plant()
    for _ in 0..<20 { plant.step() }
    plant.uptime = 5 * second
    let decided = plant.of(plant.step(.session(isNewBoot: true, mode: nil, ceiling: .auto), after: 0))
    #expect(decided.map(\.verdict.disposition) == [.keep] && plant.kernel.safety.memory[0].hasOpenLease)
  }

  @Test func `a policy that takes over from a person again is news`() {
    var plant = Plant()
    plant.step()
    let value = plant.values[0]
    plant.step(plant.override(23))
    plant.step(.release(request: 8, point: Place.setpoint, by: "ann"))
    var back: [Decision] = []
    for _ in 0..<6 { back += plant.of(plant.step()) }
    #expect(back.map(\.verdict.value) == [value] && back[0].isNews && back[0].isCarriedOut)
  }

  @Test(arguments: [hour, -hour, 48 * hour, -48 * hour]) func `a step of the wall clock changes nothing`(by span: Int64)
  {
    let rate = RateLimit(risingPerSecond: 0.01, fallingPerSecond: 0.01, windowNanoseconds: 60 * second)
    var (steady, stepped) = (Plant(Sites.chiller(rate: rate)), Plant(Sites.chiller(rate: rate)))
    for number in 0..<200 {
      if number == 50 { stepped.instant.nanoseconds += span }
      if number == 60 {
        steady.inbox.append(steady.override(19.5, minutes: 5))
        stepped.inbox.append(stepped.override(19.5, minutes: 5))
      }
      let weather = 25 + Double(number % 7)
      steady.values[3] = weather
      stepped.values[3] = weather
      #expect(steady.step() == stepped.step())
      #expect(steady.kernel.safety.memory == stepped.kernel.safety.memory)
    }
    #expect(steady.values == stepped.values && steady.log.count > 5)
  }

  @Test func `a reading that was overtaken or comes from the future is not believed`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil))
    plant.step()
    var late = plant.tick(after: 10)
    late.frames = [late.frames[0]]
    late.frames[0].uptime = Uptime(nanoseconds: plant.uptime - second)
    late.frames[0].values[1] = 99
    plant.kernel.step(late, into: &plant.outcome)
    #expect(plant.kernel.image[Place.temperature].value == 12)
    plant.number += 1
    var early = plant.tick(after: 20)
    early.frames[0].uptime = .never
    plant.kernel.step(early, into: &plant.outcome)
    let state = plant.kernel.image[Place.temperature]
    #expect(state.uptime == early.uptime && state.freshUntil == early.uptime.advanced(byNanoseconds: 60 * second))
  }
}
