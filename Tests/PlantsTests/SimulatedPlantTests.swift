import Testing
import TwinCore

@testable import Plants

@Suite struct `A simulated plant repeats itself` {
  @Test func `same seed, same bits; other seed, other plant`() {
    func run(_ seed: UInt64) -> [String: Double] {
      var plant = ChilledWaterPlant(seed: seed, start: summer)
      plant.step(seconds: 10_000, inputs: .init(setpoint: 8))
      return plant.outputs
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
  }

  @Test(arguments: [0.1, 0.25, 1, 7.3, 146])
  func `however a span is cut`(piece: Double) {
    var (whole, cut) = (ChilledWaterPlant(seed: 3, start: summer), ChilledWaterPlant(seed: 3, start: summer))
    whole.step(seconds: 730)
    for _ in 0..<Int((730 / piece).rounded()) { cut.step(seconds: piece) }
    #expect(whole.outputs == cut.outputs && whole.elapsedSeconds == 730)
  }

  @Test func `acceleration is only more of the same`() {
    var plain = ChilledWaterPlant(seed: 3, start: summer)
    var fast = ChilledWaterPlant(seed: 3, start: summer, acceleration: 60)
    plain.step(seconds: 3_600)
    fast.step(seconds: 60)
    #expect(plain.outputs == fast.outputs)
  }

  @Test func `the site's clock sets the sun`() {
    let here = ChilledWaterPlant(seed: 3, start: summer)
    let there = ChilledWaterPlant(seed: 3, start: summer, offsetSeconds: 12 * 3600)
    #expect(here.truth("weather.solar") == 0 && there.truth("weather.solar") > 100)
  }

  /// A change of the physics must be meant: these figures go into demonstrations and golden files.
  @Test func `a day of July, in round figures`() {
    var plant = ChilledWaterPlant(seed: 7, start: summer)
    plant.step(seconds: 86_400)
    #expect((600...720).contains(plant.truth("meter-1.energy")), "\(plant.truth("meter-1.energy")) kWh")
    #expect((300...400).contains(plant.truth("chiller-1.energy")), "\(plant.truth("chiller-1.energy")) kWh")
  }
}

@Suite struct `Signals without physics` {
  static let declared: [PlantSignal] = [
    PlantSignal("ahu-1.supply_t", unit: "Cel", range: -50...150),
    PlantSignal("ahu-1.co2", unit: "[ppm]", range: 0...5_000),
    PlantSignal("x.narrow", unit: "Cel", range: 100...101), PlantSignal("x.point", unit: "1", range: 3...3),
    PlantSignal("x.wide", unit: "", range: -.greatestFiniteMagnitude ... .greatestFiniteMagnitude),
    PlantSignal("x.endless", unit: "W", range: -.infinity ... .infinity),
    PlantSignal("meter.energy", unit: "kW.h", range: 0...4_294_967_295),
    PlantSignal("meter.small", unit: "W.h", range: 0...999), PlantSignal("x.far", unit: "1", range: 1e9...2e9),
    PlantSignal("ahu-1.mode", unit: "1", range: 0...7, course: .states([0, 2, 7])),
    PlantSignal("ahu-1.alarm", unit: "1", range: 0...1, start: 0, course: .states([0, 1])),
    PlantSignal("ahu-1.sp", unit: "Cel", range: 10...30, isWritable: true, start: 18),
    PlantSignal("ahu-1.sp2", unit: "Cel", range: 10...30, isWritable: true),
    PlantSignal("ahu-1.cmd", unit: "1", range: 0...9, isWritable: true, course: .states([0, 3])),
  ]

  @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
  func `stay in their ranges and move, for a month`(seed: UInt64) {
    var plant = SignalPlant(seed: seed, signals: Self.declared)
    var (lowest, highest) = (plant.outputs, plant.outputs)
    for _ in 0..<4_000 {
      plant.step(seconds: 648.5)
      for (name, value) in plant.outputs {
        lowest[name] = min(lowest[name]!, value)
        highest[name] = max(highest[name]!, value)
      }
    }
    for signal in Self.declared {
      let (low, high) = (lowest[signal.name]!, highest[signal.name]!)
      #expect(low.isFinite && high.isFinite && signal.range.contains(low) && signal.range.contains(high), "\(signal)")
      let stays =
        signal.isWritable || signal.name == "x.point" || signal.course != .analogue && signal.course != .counter
      #expect((low == high) == stays, "seed \(seed): \(signal.name) from \(low) to \(high)")
    }
    #expect(lowest["ahu-1.supply_t"]! > 5 && highest["ahu-1.supply_t"]! < 45)
    #expect([0, 2, 7].contains(plant.outputs["ahu-1.mode"]!) && plant.outputs["ahu-1.alarm"] == 0)
  }

  @Test func `counters never fall before they wrap`() {
    var plant = SignalPlant(seed: 1, signals: Self.declared)
    var (last, wraps) = (plant.outputs, 0)
    for _ in 0..<2_000 {
      plant.step(seconds: 60)
      let now = plant.outputs
      #expect(now["meter.energy"]! > last["meter.energy"]!)
      if now["meter.small"]! < last["meter.small"]! { wraps += 1 }
      last = now
    }
    #expect(wraps > 10)
  }

  @Test func `what is writable keeps what was written`() {
    var plant = SignalPlant(seed: 1, signals: Self.declared)
    #expect(plant.outputs["ahu-1.sp"] == 18)
    plant.write("ahu-1.sp", 21)
    plant.write("ahu-1.cmd", 3)
    plant.step(seconds: 1e6)
    #expect(plant.outputs["ahu-1.sp"] == 21 && plant.outputs["ahu-1.cmd"] == 3)
    for (name, value) in [("ahu-1.sp", 31), ("ahu-1.sp", .nan), ("ahu-1.cmd", 1), ("ahu-1.co2", 500), ("no", 1)] {
      plant.refuse(name, value)
    }
  }

  @Test func `one signal does not depend on the others`() {
    var (all, one) = (SignalPlant(seed: 1, signals: Self.declared), SignalPlant(seed: 1, signals: [Self.declared[0]]))
    all.step(seconds: 5_000)
    for _ in 0..<50 { one.step(seconds: 100) }
    #expect(all.outputs["ahu-1.supply_t"] == one.outputs["ahu-1.supply_t"])
    var other = SignalPlant(seed: 2, signals: [Self.declared[0]])
    other.step(seconds: 5_000)
    #expect(other.outputs != one.outputs)
  }

  @Test func `a repeated id counts once`() {
    let twice = [Self.declared[11], PlantSignal("ahu-1.sp", unit: "K", range: 0...1)]
    #expect(SignalPlant(seed: 1, signals: twice).signals == [Self.declared[11]])
  }
}

@Suite struct `Any pack gets a plant` {
  @Test func `physics where it is known, signals elsewhere`() {
    let asked = [
      PlantSignal("boiler-1.flow_t", unit: "Cel", range: 0...110),
      PlantSignal("chiller-1.chw_supply_sp", unit: "Cel", range: 5...9, isWritable: true),
      PlantSignal("chiller-1.chw_supply_t", unit: "Cel", range: -10...60),
      PlantSignal("boiler-1.flow_sp", unit: "Cel", range: 20...90, isWritable: true, start: 60),
    ]
    var plant = PackPlant(seed: 1, signals: asked, start: summer)
    #expect(plant.signals.map(\.name) == asked.map(\.name) && plant.outputs.count == 4)
    plant.write("chiller-1.chw_supply_sp", 9)
    plant.write("boiler-1.flow_sp", 70)
    plant.refuse("pump-1.speed", 0.5)
    plant.step(seconds: 3_600)
    #expect(plant.outputs["boiler-1.flow_sp"] == 70)
    #expect((plant.outputs["chiller-1.chw_supply_t"]! - 9).magnitude < 0.3)
  }

  @Test func `a pack that names none of it costs no physics`() {
    var plant = PackPlant(seed: 1, signals: [PlantSignal("a.b", unit: "V", range: 0...400)])
    plant.step(seconds: 10)
    #expect(plant.physics == nil && (220...240).contains(plant.outputs["a.b"]!))
  }
}
