import Testing
import TwinCore

@testable import Plants

@Suite struct `The chiller guards its compressor` {
  /// Legal moves and least times, under random setpoints, pump speeds and trips.
  @Test(arguments: [11, 12, 13, 14] as [UInt64])
  func `whatever is asked`(seed: UInt64) throws {
    var plant = ChilledWaterPlant(seed: seed, start: winter)
    (plant.hall.machineHeat, plant.hall.peopleHeat) = (seed < 13 ? 0 : 60_000, 20_000)
    let draws = SeededNoise(seed: seed, name: "asked")
    var (state, since, seen) = (plant.chiller.state, Int64(-3_600), Set<Chiller.RunState>())
    for second in 0..<60_000 as Range<Int64> {
      if second % 900 == 0 {
        plant.write("chiller-1.chw_supply_sp", 8 + 4 * draws.white(second))
        plant.write("pump-1.speed", 0.65 + 0.35 * draws.white(second + 1))
      }
      if second % 9_000 == 7_000 { try plant.inject(.chillerTrip) }
      if second % 9_000 == 7_400 { plant.heal(.chillerTrip) }
      plant.step(seconds: 1)
      let next = plant.chiller.state
      guard next != state else { continue }
      let stay = Double(second - since)
      switch (state, next) {
      case (.running, .stopped): #expect(stay >= Chiller.runSecondsMin, "seed \(seed) at \(second)")
      case (.stopped, .starting): #expect(stay >= Chiller.restSecondsMin, "seed \(seed) at \(second)")
      case (.starting, .running): #expect(stay >= Chiller.startSeconds, "seed \(seed) at \(second)")
      case (_, .fault): #expect(plant.damage.isTripped, "seed \(seed) at \(second)")
      case (.fault, .stopped): #expect(!plant.damage.isTripped, "seed \(seed) at \(second)")
      default: Issue.record("\(state) to \(next), seed \(seed) at \(second)")
      }
      (state, since) = (next, second)
      seen.insert(next)
    }
    #expect(seen == [.stopped, .starting, .running, .fault], "seed \(seed)")
  }

  @Test func `without flow it trips, and comes back after its rest`() throws {
    var plant = ChilledWaterPlant(seed: 1, start: summer)
    try plant.inject(.pumpStuck(0))
    plant.step(seconds: 20)
    #expect(plant.outputs["chiller-1.run_state"] == 9 && plant.outputs["pump-1.speed"] == 0)
    #expect(plant.chiller.cooling == 0 && plant.truth("pump-1.flow") == 0)
    plant.heal(.pumpStuck(0))
    plant.step(seconds: 30)
    #expect(plant.outputs["chiller-1.run_state"] == 0)
    plant.step(seconds: 3_600)
    #expect(plant.outputs["chiller-1.run_state"] == 2 && plant.truth("chiller-1.chw_supply_t") < 8)
  }

  @Test func `water is never cooled to freezing`() throws {
    var plant = ChilledWaterPlant(seed: 1, start: winter)
    try plant.inject(.coilFouling(0.95))
    plant.write("chiller-1.chw_supply_sp", 4)
    plant.write("pump-1.speed", 0.3)
    for _ in 0..<7_200 {
      plant.step(seconds: 1)
      #expect(plant.supplyT > 2.9)
    }
  }
}

@Suite struct `The watchdog gives the setpoint back` {
  func armed(_ seconds: Double, acceleration: Double = 1) -> ChilledWaterPlant {
    var plant = ChilledWaterPlant(seed: 1, start: summer, acceleration: acceleration)
    plant.write("chiller-1.watchdog_s", seconds)
    plant.write("chiller-1.chw_supply_sp", 9)
    return plant
  }

  @Test(arguments: [1, 60] as [Double])
  func `when nobody refreshes it, in the caller's seconds`(acceleration: Double) {
    var plant = armed(60, acceleration: acceleration)
    plant.step(seconds: 59)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 9 && plant.outputs["chiller-1.watchdog_s"] == 60)
    plant.step(seconds: 1.1)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 6.5 && plant.outputs["chiller-1.watchdog_s"] == 0)
    plant.step(seconds: 1)
    #expect(plant.setpointInForce == 6.5)
  }

  @Test func `a refresh holds it off, a write of the setpoint does not`() {
    var plant = armed(60)
    for _ in 0..<5 { plant.step(seconds: 50, inputs: .init(watchdog: 60)) }
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 9)
    plant.step(seconds: 20, inputs: .init(setpoint: 8))
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 6.5)
  }

  @Test func `disarmed or never armed, it is quiet`() {
    var plant = armed(60)
    plant.write("chiller-1.watchdog_s", 0)
    plant.step(seconds: 7_200)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 9)
  }
}

@Suite struct `Writes are taken as a device takes them` {
  @Test(arguments: [
    ("chiller-1.chw_supply_sp", 3.9), ("chiller-1.chw_supply_sp", 12.1), ("chiller-1.chw_supply_sp", .nan),
    ("chiller-1.chw_supply_sp", .infinity), ("pump-1.speed", 0.29), ("pump-1.speed", -.infinity),
    ("chiller-1.watchdog_s", -1), ("chiller-1.chw_supply_t", 7), ("hall-a.zone_t", 20), ("nothing", 1), ("", 0),
  ])
  func `refused, and nothing changes`(write: (name: String, value: Double)) {
    var plant = ChilledWaterPlant(seed: 1)
    let before = plant.outputs
    plant.refuse(write.name, write.value)
    #expect(plant.outputs == before)
  }

  @Test(arguments: [4, 6.5, 12])
  func `taken, shown at once, and followed`(setpoint: Double) {
    var plant = ChilledWaterPlant(seed: 1, start: summer)
    plant.write("chiller-1.chw_supply_sp", setpoint)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == setpoint)
    plant.step(seconds: 3_600)
    #expect((plant.supplyT - setpoint).magnitude < 0.3)
  }

  @Test func `every signal is shown, inside its range`() {
    var plant = ChilledWaterPlant(seed: 9, start: summer)
    for _ in 0..<200 {
      let outputs = plant.outputs
      #expect(outputs.count == plant.signals.count)
      for signal in plant.signals { #expect(signal.range.contains(outputs[signal.name] ?? .nan), "\(signal.name)") }
      plant.step(seconds: 1_801)
    }
  }
}

@Suite struct `Breakages` {
  @Test func `a biased sensor lies by as much, from its time on`() throws {
    var (well, sick) = (ChilledWaterPlant(seed: 2), ChilledWaterPlant(seed: 2))
    try sick.inject(.sensorBias("hall-a.zone_t", 0.5), after: 10)
    for second in 1...20 {
      well.step(seconds: 1)
      sick.step(seconds: 1)
      let lie = sick.outputs["hall-a.zone_t"]! - well.outputs["hall-a.zone_t"]!
      #expect((lie - (second >= 10 ? 0.5 : 0)).magnitude < 1e-12, "second \(second)")
    }
    sick.heal(.sensorBias("hall-a.zone_t", 0.5))
    #expect(sick.outputs == well.outputs)
  }

  @Test func `a stuck sensor keeps what it showed; the plant goes on`() throws {
    var plant = ChilledWaterPlant(seed: 2, start: summer)
    let shown = plant.outputs["weather.outdoor_t"]
    try plant.inject(.sensorStuck("weather.outdoor_t"))
    plant.step(seconds: 20_000)
    #expect(plant.outputs["weather.outdoor_t"] == shown)
    plant.heal(.sensorStuck("weather.outdoor_t"))
    #expect(plant.outputs["weather.outdoor_t"] != shown)
  }

  @Test func `a dropped write is acknowledged and does not read back`() throws {
    var plant = ChilledWaterPlant(seed: 2, start: summer)
    try plant.inject(.setpointDropped)
    plant.write("chiller-1.chw_supply_sp", 10)
    plant.step(seconds: 3_600)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 6.5 && plant.supplyT < 7)
  }

  @Test func `a detached write is acknowledged, reads back, and does nothing`() throws {
    var plant = ChilledWaterPlant(seed: 2, start: summer)
    try plant.inject(.setpointDetached)
    plant.write("chiller-1.chw_supply_sp", 10)
    plant.step(seconds: 3_600)
    #expect(plant.outputs["chiller-1.chw_supply_sp"] == 10 && plant.supplyT < 7)
    plant.heal(.setpointDetached)
    plant.step(seconds: 3_600)
    #expect(plant.supplyT > 9)
  }

  @Test func `a fouled coil makes the hall warmer at the same load`() throws {
    var (well, sick) = (ChilledWaterPlant(seed: 2, start: summer), ChilledWaterPlant(seed: 2, start: summer))
    try sick.inject(.coilFouling(0.8))
    well.step(seconds: 54_000)
    sick.step(seconds: 54_000)
    #expect(sick.hall.airT > well.hall.airT + 1)
  }

  @Test func `without its dryer the hall gets as humid as the summer, and the coil drips`() throws {
    var plant = ChilledWaterPlant(seed: 2, start: summer)
    plant.step(seconds: 86_400)
    #expect(plant.hall.dewPoint < 4.5 && plant.exchange.latent == 0)
    try plant.inject(.dryerFailed)
    plant.step(seconds: 86_400)
    #expect(plant.hall.dewPoint > 9 && plant.exchange.latent > 100)
  }

  @Test(arguments: [
    ("bias.hall-a.zone_t:0.5@600", Breakage.sensorBias("hall-a.zone_t", 0.5), 600.0),
    ("stuck.meter-1.power@30", .sensorStuck("meter-1.power"), 30), ("fouling:0.4", .coilFouling(0.4), 0),
    ("pump:0.3@1", .pumpStuck(0.3), 1), ("trip@5", .chillerTrip, 5), ("dryer@9", .dryerFailed, 9),
    ("dropped", .setpointDropped, 0),
    ("detached@7.5", .setpointDetached, 7.5),
  ])
  func `are read from text`(row: (text: String, breakage: Breakage, after: Double)) throws {
    let read = try Breakage.parse(row.text)
    #expect(read.breakage == row.breakage && read.after == row.after)
  }

  @Test(arguments: [
    ("", "kind \"\" is not known"), ("zork:1", "kind \"zork\" is not known"), ("bias:1", "bias wants a signal"),
    ("bias.x", "bias wants a size"), ("bias.x:abc", "size \"abc\" is not a number from -1000000000.0 to 1000000000.0"),
    ("fouling:1.5", "size \"1.5\" is not a number from 0.0 to 0.95"), ("trip:1", "trip takes no size"),
    ("pump:nan", "size \"nan\" is not a number from 0.0 to 1.0"), ("stuck", "stuck wants a signal"),
    ("trip@-1", "seconds \"-1\" is not a number from 0.0 to 1000000000.0"), ("trip.x", "kind \"trip.x\" is not known"),
  ])
  func `bad text is told what is wrong with it`(row: (text: String, why: String)) {
    let fault = #expect(throws: PlantFault.self) { try Breakage.parse(row.text) }
    #expect(fault?.code == "plants.bad_breakage")
    #expect(fault?.message == "breakage \"\(row.text)\": \(row.why)")
  }

  @Test func `what cannot be broken is refused`() throws {
    var plant = ChilledWaterPlant(seed: 1)
    func code(_ breakage: Breakage, after: Double = 0) -> String? {
      do { try plant.inject(breakage, after: after) } catch { return error.code }
      return nil
    }
    #expect(code(.sensorStuck("no.such")) == "plants.unknown_signal")
    #expect(code(.sensorBias("chiller-1.chw_supply_sp", 1)) == "plants.unknown_signal")
    #expect(code(.sensorBias("hall-a.zone_t", .nan)) == "plants.bad_breakage")
    #expect(code(.coilFouling(2)) == "plants.bad_breakage")
    #expect(code(.chillerTrip, after: .infinity) == "plants.bad_breakage")
    for _ in 0..<ChilledWaterPlant.breakagesMax { #expect(code(.chillerTrip, after: 1e9) == nil) }
    #expect(code(.chillerTrip) == "plants.too_many_breakages")
  }
}
