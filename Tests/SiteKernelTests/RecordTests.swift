import Agents
import Guard
import Sodium
import Testing
import TwinCore

@testable import SiteKernel

@Suite struct `What is told` {
  @Test func `a record survives its canonical bytes and tells the whole decision`() throws {
    var plant = Plant()
    var records: [DecisionRecord] = []
    for number in 0..<40 {
      plant.values[3] = 25 + Double(number / 10)
      for decision in plant.step(after: 20) {
        records.append(
          DecisionRecord(
            decision, of: plant.outcome, at: plant.instant, mode: plant.kernel.mode, in: plant.kernel.definition))
      }
    }
    plant.values[2] = 0
    plant.step()
    for decision in plant.outcome.decisions + plant.step(plant.override(99)) {
      records.append(
        DecisionRecord(decision, of: plant.outcome, at: plant.instant, mode: .auto, in: plant.kernel.definition))
    }
    #expect(Set(records.map(\.actor)) == ["policy weather", "guard", "person ann"])
    #expect(Set(records.map(\.disposition)).isSuperset(of: [.permit, .keep, .revert, .refuse]))
    for record in records {
      var writer = CanonicalWriter()
      record.encode(to: &writer)
      var reader = CanonicalReader(writer.bytes)
      let back = try DecisionRecord(from: &reader)
      var again = CanonicalWriter()
      back.encode(to: &again)
      // Bytes, not values: a margin may be no number.
      #expect(again.bytes == writer.bytes && reader.isAtEnd)
      #expect(back.point == "c.setpoint" && back.envelope == "setpoint" && back.rules.count == record.rules.count)
    }
  }

  @Test func `what moved a value adds up to the move`() {
    var plant = Plant()
    var draw = SeededDraw(seed: 71)
    var moves = 0
    var last = 0.0
    for _ in 0..<200 {
      plant.values[1] = draw.between(5, 30)
      plant.values[3] = draw.between(5, 25)
      for decision in plant.step(after: 60) where decision.isCarriedOut {
        guard decision.verdict.disposition == .permit else { continue }
        let effect = decision.proposal.contributions.reduce(0) { $0 + $1.effect }
        if !decision.proposal.contributions.isEmpty {
          moves += 1
          #expect(abs(last + effect - decision.proposal.value) < 1e-9, "seed 71")
          #expect(decision.proposal.contributions.allSatisfy { $0.effect != 0 })
        }
        last = decision.proposal.value
      }
    }
    #expect(moves > 50)
  }

  @Test func `a record is due for news, alarms, and every quarter of an hour`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil), mode: .observe)
    plant.step()
    var due: [Int64] = []
    for elapsed in stride(from: Int64(10), through: 1900, by: 10) {
      plant.step()
      if plant.outcome.isRecordDue { due.append(elapsed) }
    }
    #expect(due == [900, 1800])
    plant.values[2] = 0
    plant.step()
    #expect(plant.outcome.isRecordDue && plant.outcome.alarms.count == 1)
  }

  @Test func `a changed pack keeps what it still has`() throws {
    var plant = Plant()
    for _ in 0..<3 { plant.step() }
    plant.step(plant.override(23), .shelve(alarm: 2, forNanoseconds: hour, by: "ann", reason: "works"))
    var site = Sites.chiller()
    // A new point in front, other numbers for all the others, no bypass, a new envelope.
    site.points.insert(Sites.point("n.new"), at: 0)
    let moved = { (point: PointIndex) in PointIndex(point.position + 1) }
    site.groups = site.groups.map { GroupDefinition(points: $0.points.map(moved)) }
    site.derived = []
    site.policies = []
    site.envelopes = [
      Envelope(
        id: "new", point: PointIndex(0), hard: 0...1, fallback: Fallback(value: 0), leaseNanoseconds: second,
        deadMan: .deviceWatchdog, representation: .float64),
      Envelope(
        id: "setpoint", point: moved(Place.setpoint), hard: 10...30, fallback: Fallback(value: 20),
        leaseNanoseconds: 600 * second, deadMan: .deviceWatchdog, representation: .steps(scale: 0.1, offset: 0)),
    ]
    site.alarms = [site.alarms[2]]
    site.alarms[0].cause = nil
    let kernel = try SiteKernel(site, resuming: plant.kernel.checkpoint(), hash: Sodium.blake2b256)
    #expect(
      kernel.image[moved(Place.outdoor)] == plant.kernel.image[Place.outdoor] && kernel.image[PointIndex(0)] == .never)
    #expect(kernel.safety.memory[1] == plant.kernel.safety.memory[0] && !kernel.safety.memory[0].hasOpenLease)
    #expect(kernel.holds[0] == nil && kernel.holds[1] == plant.kernel.holds[0])
    #expect(kernel.alarms.states == [plant.kernel.alarms.states[2]])
    #expect(kernel.lastTick == plant.number && kernel.fingerprint == plant.outcome.fingerprint)
    site.id = "acme.other"
    #expect(throws: CanonicalFault.self) {
      _ = try SiteKernel(site, resuming: plant.kernel.checkpoint(), hash: Sodium.blake2b256)
    }
  }

  @Test func `writes that are remembered count as made and open`() {
    var kernel = SiteKernel(Sites.chiller(writesPerDay: 5), hash: Sodium.blake2b256)
    kernel.remember(writes: [("c.setpoint", 21), ("gone.point", 3), ("c.setpoint", .nan)])
    let memory = kernel.safety.memory[0]
    #expect(memory.tokens == 3 && memory.isPending && memory.written == 20)
    kernel.skip(toTick: 40)
    kernel.skip(toTick: 30)
    #expect(kernel.lastTick == 40)
  }

  @Test func `schedules follow local time where the clock is trusted`() {
    var plant = Plant()
    plant.instant = Instant(rfc3339: "2026-01-13T06:59:50Z")!
    plant.step(after: 5)
    #expect(plant.kernel.image[Place.price].value == 0.2)
    plant.step(after: 5)
    #expect(plant.kernel.image[Place.price].value == 0.3 && plant.kernel.image[Place.warmer].value == 26)
    var doubtful = plant.tick(after: 5)
    doubtful.isClockTrusted = false
    plant.kernel.step(doubtful, into: &plant.outcome)
    #expect(plant.kernel.image[Place.price].quality == .failed)
  }
}

@Suite struct `Alarms` {
  private func events(_ plant: Plant) -> [String] {
    plant.outcome.alarms.map { "\(plant.kernel.definition.alarms[Int($0.alarm)].id) \($0.kind)" }
  }

  @Test func `are raised after their delay and cleared by their own condition`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil), mode: .observe)
    plant.step()
    plant.values[1] = 55
    for _ in 0..<2 { plant.step() }
    plant.values[1] = 49
    plant.step()
    plant.values[1] = 55
    for _ in 0..<3 {
      plant.step()
      #expect(events(plant).isEmpty, "a break starts the delay again")
    }
    plant.step()
    #expect(events(plant) == ["hot raised"] && plant.kernel.alarms.isShown(1))
    #expect(plant.kernel.alarms.states[1].activeSince == plant.instant)
    plant.step(.acknowledge(alarm: 1, by: "ann"), .acknowledge(alarm: 0, by: "ann"), .acknowledge(alarm: 99, by: "ann"))
    #expect(events(plant) == ["hot acknowledged"] && plant.kernel.alarms.states[1].isAcknowledged)
    plant.values[1] = 47
    plant.step()
    #expect(events(plant).isEmpty)
    plant.speaks = [1, 2]
    for _ in 0..<9 { plant.step() }
    #expect(
      !plant.kernel.alarms.states[1].isKnown && plant.kernel.alarms.states[1].activeSince != nil,
      "unknown clears nothing")
    plant.speaks = [0, 1, 2]
    plant.values[1] = 44
    plant.step()
    #expect(events(plant) == ["hot cleared"] && !plant.kernel.alarms.states[1].isAcknowledged)
  }

  @Test func `are explained by their root cause`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil), mode: .observe)
    plant.values[1] = 70
    for _ in 0..<5 { plant.step() }
    let book = { plant.kernel.alarms }
    #expect(book().rootCause(of: 2) == 1 && book().isShown(1) && !book().isShown(2))
    plant.values[2] = 0
    plant.step()
    #expect(book().rootCause(of: 2) == 0 && book().rootCause(of: 1) == 0 && book().rootCause(of: 0) == nil)
    #expect(book().isShown(0) && !book().isShown(1) && !book().isShown(2))
  }

  @Test func `are shelved for a while`() {
    var plant = Plant(Sites.chiller(policyPeriod: nil), mode: .observe)
    plant.values[2] = 0
    plant.step()
    plant.step(.shelve(alarm: 0, forNanoseconds: 60 * second, by: "ann", reason: "works"))
    #expect(events(plant) == ["pump shelved"] && !plant.kernel.alarms.isShown(0))
    for _ in 0..<5 { plant.step() }
    #expect(!plant.kernel.alarms.isShown(0))
    plant.step()
    #expect(events(plant) == ["pump unshelved"] && plant.kernel.alarms.isShown(0))
    plant.step(.shelve(alarm: 0, forNanoseconds: .max, by: "ann", reason: "works"))
    plant.step(.unshelve(alarm: 0, by: "ann"), .shelve(alarm: 77, forNanoseconds: 1, by: "ann", reason: ""))
    #expect(events(plant) == ["pump unshelved"] && plant.kernel.alarms.isShown(0))
  }
}
