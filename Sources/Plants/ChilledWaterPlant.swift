public import TwinCore

/// A chilled-water plant and the hall that it cools: weather, hall, coil, loop, pump, chiller, tower, meters.
///
/// Physics in ticks of one second of plant time, each an explicit step whose flows leave one node and enter another, so
/// that energy is kept to rounding. A span shorter than a tick is carried on: how spans are cut does not matter.
public struct ChilledWaterPlant: SimulatedPlant {
  /// What a controller writes; nil leaves a register alone.
  public struct Inputs: Hashable, Sendable {
    /// °C
    public var setpoint: Double?
    /// Share of full speed.
    public var pumpSpeed: Double?
    /// Seconds; arms or refreshes the watchdog, 0 disarms it.
    public var watchdog: Double?

    public init(setpoint: Double? = nil, pumpSpeed: Double? = nil, watchdog: Double? = nil) {
      (self.setpoint, self.pumpSpeed, self.watchdog) = (setpoint, pumpSpeed, watchdog)
    }
  }

  /// Energy that has passed each boundary since the start, J.
  public struct Ledger: Hashable, Sendable {
    /// From the hall's air into the water, condensation included.
    public internal(set) var coil = 0.0
    /// Pump work, all of which warms the loop.
    public internal(set) var pump = 0.0
    /// From the loop into the chiller.
    public internal(set) var evaporator = 0.0
    /// Electricity of the running compressor, and of the chiller in all.
    public internal(set) var compressor = 0.0
    public internal(set) var chiller = 0.0
    /// From the chiller into the condenser water, and from there into the air.
    public internal(set) var condenser = 0.0
    public internal(set) var tower = 0.0
    /// Electricity of everything.
    public internal(set) var plant = 0.0
  }

  /// °C, what the chiller falls back to by itself.
  public static let setpointDefault = 6.5
  public static let tickSeconds = 1.0
  /// Longest span of plant time in one step, s; a longer one is our bug.
  public static let spanSecondsMax = 366 * 86_400.0
  public static let breakagesMax = 32

  /// Plant seconds per second of the caller. The watchdog counts the caller's: the gateway lives on that clock.
  public let acceleration: Double
  public internal(set) var ledger = Ledger()

  var chiller = Chiller(cooling: 120_000)
  var hall = Hall()
  var tower = CoolingTower(basin: 22)
  var pump = Pump(ratedFlow: 11, ratedPressure: 210_000, ratedEfficiency: 0.68, speed: 0.8)
  /// °C after the evaporator and before it.
  var supplyT = 6.5
  var returnT = 10.5
  var setpointRegister = Self.setpointDefault
  var setpointInForce = Self.setpointDefault
  var pumpSpeedRegister = 0.8
  /// s; zero is disarmed.
  var watchdogRegister = 0.0
  var watchdogLeft = 0.0
  var planned: [(breakage: Breakage, from: Int64)] = []
  var damage = Damage()
  var frozen: [String: Double] = [:]
  var tick: Int64 = 0
  var now: Weather.State
  var exchange = Hall.Exchange()
  var occupancy = 0.0
  let seed: UInt64
  private let localStart: Double
  private var carriedMicroseconds: Int64 = 0
  private let weather: Weather
  private let people: SeededNoise

  /// J/K of each side of the loop: 1.6 m³ of water.
  static let loopCapacity = 1_600.0 * 4_186
  private static let tickMicroseconds: Int64 = 1_000_000
  private static let warmUpTicks: Int64 = 3 * 3600
  /// Ticks that the weather is held.
  private static let weatherTicks: Int64 = 60

  /// At `start` on a site `offsetSeconds` ahead of UTC, three hours into an undisturbed run.
  public init(
    seed: UInt64, start: Instant = Instant(nanoseconds: 0), offsetSeconds: Int = 0, acceleration: Double = 1
  ) {
    precondition(acceleration >= 1e-3 && acceleration <= 1e5, "acceleration \(acceleration) is not in 0.001...100000")
    (self.seed, self.acceleration) = (seed, acceleration)
    localStart = Double(start.nanoseconds / 1_000_000_000 + Int64(offsetSeconds))
    weather = Weather(seed: seed)
    people = SeededNoise(seed: seed, name: "hall-a.occupancy")
    tick = -Self.warmUpTicks
    now = weather.state(at: localStart + Double(tick))
    hall.humidityRatio = MoistAir.humidityRatio(vapourPressure: MoistAir.saturationPressure(Hall.dryerDewPoint))
    while tick < 0 { advance() }
    ledger = Ledger()
  }

  /// Moves on by `seconds` of the caller, times the acceleration.
  public mutating func step(seconds: Double) {
    precondition(seconds >= 0 && seconds * acceleration <= Self.spanSecondsMax, "span of \(seconds) s")
    carriedMicroseconds += Int64((seconds * acceleration * 1e6).nearestInteger)
    while carriedMicroseconds >= Self.tickMicroseconds {
      carriedMicroseconds -= Self.tickMicroseconds
      advance()
    }
  }

  /// Writes, then moves on; false when a write was refused.
  @discardableResult
  public mutating func step(seconds: Double, inputs: Inputs) -> Bool {
    var taken = true
    if let value = inputs.setpoint { taken = set(Self.setpointName, value) && taken }
    if let value = inputs.pumpSpeed { taken = set(Self.pumpSpeedName, value) && taken }
    if let value = inputs.watchdog { taken = set(Self.watchdogName, value) && taken }
    step(seconds: seconds)
    return taken
  }

  /// Plant seconds since the start, whole ticks.
  public var elapsedSeconds: Double { Double(tick) }

  /// Breaks something `after` so many seconds of plant time from now.
  ///
  /// Errors: `plants.unknown_signal`, `plants.bad_breakage`, `plants.too_many_breakages`.
  public mutating func inject(_ breakage: Breakage, after seconds: Double = 0) throws(PlantFault) {
    guard breakage.isSound, seconds >= 0, seconds <= 1e9 else {
      throw .badBreakage("\(breakage)", "a number is out of its range")
    }
    switch breakage {
    case .sensorBias(let name, _), .sensorStuck(let name):
      let known = Self.instruments
      guard known.contains(name) else { throw .unknownSignal(name, among: known) }
    default: break
    }
    guard planned.count < Self.breakagesMax else { throw .tooMany(Self.breakagesMax) }
    planned.append((breakage, tick + Int64(seconds)))
    suffer()
  }

  /// Repairs it, whether or not it has begun.
  public mutating func heal(_ breakage: Breakage) {
    planned.removeAll { $0.breakage == breakage }
    if case .sensorStuck(let name) = breakage { frozen[name] = nil }
    suffer()
  }

  private mutating func advance() {
    tick += 1
    let seconds = Self.tickSeconds
    let local = localStart + Double(tick)
    if tick % Self.weatherTicks == 0 { now = weather.state(at: local) }
    occupancy = Hall.occupancy(at: local, noise: people)
    if !planned.isEmpty { suffer() }
    watch(seconds: seconds / acceleration)
    if !damage.detachesSetpoint { setpointInForce = setpointRegister }
    pump.drive(towards: damage.pumpSpeed ?? pumpSpeedRegister, seconds: seconds)
    let (supply, back, basin) = (supplyT, returnT, tower.basin)
    let stream = pump.flow * Hall.water
    hall.isDried = !damage.isHumid
    exchange = hall.step(
      seconds: seconds, weather: now, occupancy: occupancy, waterT: supply, flow: pump.flow, fouling: damage.fouling)
    chiller.step(
      seconds: seconds,
      Chiller.Conditions(
        returnT: back, flow: pump.flow, supplyT: supply, setpoint: setpointInForce, condenserT: basin,
        isTripped: damage.isTripped))
    supplyT += (stream * (back - supply) - chiller.cooling) * seconds / Self.loopCapacity
    returnT += (stream * (supply - back) + exchange.toWater + pump.power) * seconds / Self.loopCapacity
    let given = tower.step(
      seconds: seconds, heat: chiller.rejected, isRunning: chiller.isRunning, weather: now)
    record(given: given, seconds: seconds)
  }

  private mutating func record(given: Double, seconds: Double) {
    ledger.coil += exchange.toWater * seconds
    ledger.pump += pump.power * seconds
    ledger.evaporator += chiller.cooling * seconds
    if chiller.isRunning { ledger.compressor += chiller.power * seconds }
    ledger.chiller += chiller.power * seconds
    ledger.condenser += chiller.rejected * seconds
    ledger.tower += given * seconds
    ledger.plant += power * seconds
  }

  /// W of everything that the meter sees.
  var power: Double { chiller.power + pump.power + tower.power + hall.fanPower }

  /// Brings `damage` and the frozen instruments up to this tick.
  private mutating func suffer() {
    damage = Damage()
    for plan in planned where plan.from <= tick {
      damage.add(plan.breakage)
      if case .sensorStuck(let name) = plan.breakage, frozen[name] == nil { frozen[name] = shown(name) }
    }
  }

  /// Lets the device's own watchdog run; when it lapses the chiller takes its own setpoint back, and disarms.
  private mutating func watch(seconds: Double) {
    guard watchdogRegister > 0 else { return }
    watchdogLeft -= seconds
    guard watchdogLeft <= 0 else { return }
    (watchdogRegister, watchdogLeft, setpointRegister) = (0, 0, Self.setpointDefault)
  }
}
