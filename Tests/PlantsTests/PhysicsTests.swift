import Testing
import TwinCore

@testable import Plants

let waterHeat = 4_186.0

@Suite struct `Energy is kept` {
  /// Every joule that enters a node leaves it or is stored in it, whatever is written and whatever breaks.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func balances(seed: UInt64) throws {
    var plant = ChilledWaterPlant(seed: seed, start: seed == 2 ? winter : summer)
    try plant.inject(.coilFouling(0.4), after: 20_000)
    try plant.inject(.chillerTrip, after: 40_000)
    let draws = SeededNoise(seed: seed, name: "writes")
    let (supply, back, basin) = (plant.supplyT, plant.returnT, plant.tower.basin)
    for hour in 0..<36 as Range<Int64> {
      if hour == 15 { plant.heal(.chillerTrip) }
      plant.step(
        seconds: 3_600,
        inputs: .init(setpoint: 8 + 4 * draws.white(hour), pumpSpeed: 0.65 + 0.35 * draws.white(hour + 100)))
    }
    let ledger = plant.ledger
    #expect(ledger.evaporator > 1e9 && ledger.compressor > 1e8, "seed \(seed): it ran")
    let scale = ledger.condenser
    #expect((ledger.evaporator + ledger.compressor - ledger.condenser).magnitude < 1e-9 * scale, "seed \(seed)")
    let inBasin = CoolingTower.capacity * (plant.tower.basin - basin)
    #expect((ledger.condenser - ledger.tower - inBasin).magnitude < 1e-9 * scale, "seed \(seed)")
    let inLoop = ChilledWaterPlant.loopCapacity * (plant.supplyT - supply + plant.returnT - back)
    #expect((ledger.coil + ledger.pump - ledger.evaporator - inLoop).magnitude < 1e-9 * scale, "seed \(seed)")
  }

  @Test func `the meters count what flows past them`() {
    var plant = ChilledWaterPlant(seed: 4, start: summer)
    var joules = 0.0
    for _ in 0..<600 {
      plant.step(seconds: 1)
      joules += plant.power
    }
    #expect((plant.truth("meter-1.energy") * 3.6e6 - joules).magnitude < 1)
    #expect(plant.truth("meter-1.energy") > plant.truth("chiller-1.energy"))
  }
}

@Suite struct `First-order responses are exponential` {
  let calm = Weather.State(dryBulb: 10, dewPoint: 5, wetBulb: 7.5, solar: 0, cloud: 0)

  @Test(arguments: [600, 3_600, 20_000])
  func `an empty hall drifts to the outdoor temperature`(seconds: Int) {
    var hall = Hall()
    (hall.massConductance, hall.machineHeat, hall.peopleHeat, hall.fanPower) = (0, 0, 0, 0)
    for _ in 0..<seconds {
      _ = hall.step(seconds: 1, weather: calm, occupancy: 0, waterT: 7, flow: 0, fouling: 0)
    }
    let conductance = 1_800 + 0.3 * 1_006
    let expected = 10 + 14 * Elementary.exp(-Double(seconds) * conductance / 18e6)
    #expect((hall.airT - expected).magnitude < 1e-3)
  }

  @Test func `a constant gain lifts it by heat over conductance`() {
    var hall = Hall()
    (hall.massConductance, hall.machineHeat, hall.peopleHeat, hall.fanPower) = (0, 21_018, 0, 0)
    hall.airT = 10
    for _ in 0..<200_000 {
      _ = hall.step(seconds: 1, weather: calm, occupancy: 0, waterT: 7, flow: 0, fouling: 0)
    }
    #expect((hall.airT - 20).magnitude < 1e-6)
  }

  @Test func `a basin at rest cools through its walls`() {
    var tower = CoolingTower(basin: 30)
    for _ in 0..<50_000 { _ = tower.step(seconds: 1, heat: 0, isRunning: false, weather: calm) }
    let expected = 10 + 20 * Elementary.exp(-50_000 * CoolingTower.loss / CoolingTower.capacity)
    #expect((tower.basin - expected).magnitude < 1e-3)
  }
}

@Suite struct `Machines follow their laws` {
  @Test(arguments: [0.3, 0.5, 0.8, 1])
  func `flow, pressure and power follow the affinity laws`(speed: Double) {
    let full = Pump(ratedFlow: 11, ratedPressure: 210_000, ratedEfficiency: 0.68, speed: 1)
    var pump = full
    pump.speed = speed
    #expect((pump.flow / full.flow - speed).magnitude < 1e-12)
    #expect((pump.pressure / full.pressure - speed * speed).magnitude < 1e-12)
    let ratio = pump.power * pump.efficiency / (full.power * full.efficiency)
    #expect((ratio - speed * speed * speed).magnitude < 1e-12)
    #expect((full.power - 11 / 998 * 210_000 / 0.68).magnitude < 1e-9)
  }

  @Test func `the rating point is the rating`() {
    let chiller = Chiller(cooling: 0)
    #expect(chiller.capacity(leaving: 6.7, entering: 29.4) == 220_000)
    #expect((chiller.compressorPower(load: 220_000, leaving: 6.7, entering: 29.4) - 220_000 / 5.6).magnitude < 1e-6)
  }

  @Test(arguments: [18.0, 24, 29, 34], [40_000.0, 90_000, 150_000])
  func `warmer chilled water and colder condensers need less power`(entering: Double, load: Double) {
    let chiller = Chiller(cooling: 0)
    for leaving in stride(from: 4.0, to: 12, by: 0.5) {
      let here = chiller.compressorPower(load: load, leaving: leaving, entering: entering)
      #expect(here > chiller.compressorPower(load: load, leaving: leaving + 0.5, entering: entering))
      #expect(here < chiller.compressorPower(load: load, leaving: leaving, entering: entering + 1))
    }
  }

  @Test func `a higher setpoint gives the whole plant a higher COP`() {
    func cop(_ setpoint: Double) -> Double {
      var plant = ChilledWaterPlant(seed: 5, start: summer)
      plant.step(seconds: 86_400, inputs: .init(setpoint: setpoint))
      #expect((plant.supplyT - setpoint).magnitude < 0.3)
      #expect((plant.hall.airT - Hall.target).magnitude < 1.5)
      return plant.ledger.evaporator / plant.ledger.compressor
    }
    let cops = [5, 6.5, 8, 9.5].map(cop)
    #expect(cops == cops.sorted() && cops[3] > 1.05 * cops[0], "\(cops)")
    #expect(cops.allSatisfy { (3...9).contains($0) }, "\(cops)")
  }

  /// Effectiveness in closed form: NTU/(1 + NTU) for equal streams, 1 − e^−NTU for an endless one.
  @Test func `the coil is a counterflow exchanger`() {
    let equal = Hall.effectiveHeat(airStream: 1_000, waterStream: 1_000, conductance: 1_000, difference: 10)
    #expect((equal - 5_000).magnitude < 1e-6)
    let half = Hall.effectiveHeat(airStream: 1_000, waterStream: 2_000, conductance: 1_000, difference: 10)
    let decay = Elementary.exp(-0.5)
    #expect((half - 10_000 * (1 - decay) / (1 - decay / 2)).magnitude < 1e-6)
    let endless = Hall.effectiveHeat(airStream: 1_000, waterStream: 1e12, conductance: 2_000, difference: 10)
    #expect((endless - 10_000 * (1 - Elementary.exp(-2))).magnitude < 1e-4)
    #expect(Hall.effectiveHeat(airStream: 1_000, waterStream: 0, conductance: 2_000, difference: 10) == 0)
  }

  @Test func `the coil takes more with colder water, more flow and less dirt`() {
    let hall = Hall()
    let base = hall.exchange(waterT: 8, flow: 5, fouling: 0).sensible
    #expect(hall.exchange(waterT: 7, flow: 5, fouling: 0).sensible > base)
    #expect(hall.exchange(waterT: 8, flow: 6, fouling: 0).sensible > base)
    #expect(hall.exchange(waterT: 8, flow: 5, fouling: 0.3).sensible < base)
    #expect(hall.exchange(waterT: 8, flow: 0, fouling: 0).toWater == 0)
  }

  @Test func `a coil below the dew point dries the air, a warmer one does not`() {
    var hall = Hall()
    hall.humidityRatio = 0.010  // dew point 14 °C
    #expect(hall.exchange(waterT: 6, flow: 8, fouling: 0).latent > 0)
    #expect(hall.exchange(waterT: 16, flow: 8, fouling: 0).latent == 0)
  }

  @Test(arguments: [-5.0, 8, 18, 26])
  func `the tower never cools below the wet bulb`(wetBulb: Double) {
    let air = Weather.State(dryBulb: wetBulb + 4, dewPoint: wetBulb - 3, wetBulb: wetBulb, solar: 0, cloud: 0)
    var tower = CoolingTower(basin: 25)
    for _ in 0..<50_000 { _ = tower.step(seconds: 1, heat: 120_000, isRunning: true, weather: air) }
    #expect(tower.basin > max(wetBulb, CoolingTower.bypassFrom))
    #expect(tower.basin < max(wetBulb + 6, CoolingTower.target + 4))
  }
}

@Suite struct `The weather is that of a planet` {
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `over a year`(seed: UInt64) {
    let weather = Weather(seed: seed)
    var monthly = [Double](repeating: 0, count: 13)
    var last = weather.state(at: 0)
    for quarter in 0..<(365 * 96) {
      let now = weather.state(at: Double(quarter) * 900)
      #expect(now.dewPoint <= now.wetBulb && now.wetBulb <= now.dryBulb, "seed \(seed) at \(quarter)")
      #expect((now.dryBulb - last.dryBulb).magnitude < 1.5, "seed \(seed) at \(quarter)")
      #expect((-35...45).contains(now.dryBulb) && (0...1).contains(now.cloud))
      #expect((0...1_000).contains(now.solar))
      if quarter % 96 < 12 { #expect(now.solar == 0, "the sun at night, seed \(seed) at \(quarter)") }
      monthly[quarter / 96 / 30] += now.dryBulb / 2_880
      last = now
    }
    #expect(monthly[6] > monthly[0] + 10, "seed \(seed): July \(monthly[6]), January \(monthly[0])")
  }

  /// Psychrometric chart at sea level: 30 °C and 50 % is 18.4 °C dew point, 22.0 °C wet bulb; 20 °C and 50 %: 9.3,
  /// 13.8.
  @Test(arguments: [(30.0, 18.44, 22.0), (20, 9.27, 13.8), (10, 10, 10)])
  func `wet bulbs agree with the chart`(row: (dry: Double, dew: Double, wet: Double)) {
    #expect((MoistAir.wetBulb(dryBulb: row.dry, dewPoint: row.dew) - row.wet).magnitude < 0.15)
  }

  @Test func `dew point undoes vapour pressure`() {
    for t in stride(from: -20.0, through: 40, by: 5) {
      #expect((MoistAir.dewPoint(vapourPressure: MoistAir.saturationPressure(t)) - t).magnitude < 1e-9)
    }
  }
}
