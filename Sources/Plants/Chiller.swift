/// A quadratic in two temperatures around the rating point, where it is 1.
///
/// The form of DOE-2 (CAP-FT, EIR-FT) with the origin moved, so that the coefficients can be read.
struct Biquadratic: Hashable, Sendable {
  var leaving: Double
  var leavingSquared: Double
  var entering: Double
  var enteringSquared: Double
  var product: Double

  /// °C: leaving chilled water, entering condenser water (AHRI 550/590 in round numbers).
  static let rating = (leaving: 6.7, entering: 29.4)

  func callAsFunction(leaving: Double, entering: Double) -> Double {
    let x = leaving - Self.rating.leaving
    let y = entering - Self.rating.entering
    return 1 + self.leaving * x + leavingSquared * x * x + self.entering * y + enteringSquared * y * y + product * x * y
  }
}

/// A water-cooled screw chiller: what it can, what it takes, and the logic of its own controller.
///
/// Source of the model: DOE-2.1E Engineers Manual and EnergyPlus Engineering Reference, "Electric Chiller Model Based
/// on Fluid Temperature Differences": power = capacity × CAP-FT × EIR × EIR-FT × EIR-PLR.
struct Chiller: Hashable, Sendable {
  /// The codes of the run state register.
  enum RunState: Double, Sendable {
    case stopped = 0
    case starting = 1
    case running = 2
    case fault = 9
  }

  /// What it meets in one tick. Temperatures in °C, flow in kg/s.
  struct Conditions {
    var returnT: Double
    var flow: Double
    var supplyT: Double
    var setpoint: Double
    var condenserT: Double
    var isTripped: Bool
  }

  /// W and W/W at the rating point.
  var ratedCapacity = 220_000.0
  var ratedCOP = 5.6
  var capacityCurve = Biquadratic(
    leaving: 0.034, leavingSquared: -0.0005, entering: -0.0095, enteringSquared: -0.00012, product: 0.0002)
  var inputCurve = Biquadratic(
    leaving: -0.026, leavingSquared: 0.0004, entering: 0.023, enteringSquared: 0.00028, product: -0.0005)

  private(set) var state = RunState.running
  /// Seconds in this state.
  private(set) var age = 3_600.0
  /// W taken from the chilled water.
  private(set) var cooling = 0.0
  /// W at the terminals.
  private(set) var power = 0.0
  private var idle = 0.0

  /// Seconds: pre-lubrication, least run, least rest, and how long too little load is borne.
  static let startSeconds = 60.0
  static let runSecondsMin = 300.0
  static let restSecondsMin = 300.0
  static let idleSecondsMax = 300.0
  /// Least share of the capacity that the slide valve reaches; below it hot gas makes up the difference.
  static let partLoadMin = 0.15
  /// Seconds for the slide valve to follow.
  static let loaderSeconds = 45.0
  /// K above the setpoint that starts a rested compressor.
  static let startBand = 1.0
  /// °C that the leaving water is never cooled below, and kg/s that the flow switch wants.
  static let leavingMin = 3.0
  static let flowMin = 2.0
  /// W of control, crankcase heater and oil pump.
  static let standbyPower = 150.0
  static let oilPumpPower = 1_100.0
  /// J/(kg·K)
  static let water = 4_186.0

  init(cooling: Double) { self.cooling = cooling }

  /// W that it can take at these temperatures.
  func capacity(leaving: Double, entering: Double) -> Double {
    ratedCapacity * max(0.1, capacityCurve(leaving: leaving, entering: entering))
  }

  /// Input at a part load as a share of the input at full load; a slide valve with economiser.
  static func partLoadInput(_ share: Double) -> Double { 0.14 + 0.38 * share + 0.48 * share * share }

  /// W of the compressor for a cooling of `load` W.
  func compressorPower(load: Double, leaving: Double, entering: Double) -> Double {
    let full = capacity(leaving: leaving, entering: entering)
    let share = min(1, max(Self.partLoadMin, load / full))
    return full / ratedCOP * max(0.2, inputCurve(leaving: leaving, entering: entering)) * Self.partLoadInput(share)
  }

  /// One tick. All the heat that it takes and all the power of its compressor leave through the condenser.
  mutating func step(seconds: Double, _ now: Conditions) {
    age += seconds
    move(now)
    guard state == .running else {
      cooling = 0
      power = state == .starting ? Self.oilPumpPower : Self.standbyPower
      return
    }
    let stream = now.flow * Self.water
    let full = capacity(leaving: now.supplyT, entering: now.condenserT)
    let wanted = min(full, max(0, stream * (now.returnT - max(now.setpoint, Self.leavingMin))))
    cooling += (wanted - cooling) * min(1, seconds / Self.loaderSeconds)
    // The freeze limit acts on the valve at once: a loader that lags must not take the water below it.
    cooling = min(cooling, max(0, stream * (now.returnT - Self.leavingMin)))
    power = compressorPower(load: cooling, leaving: now.supplyT, entering: now.condenserT)
    idle = wanted < full * Self.partLoadMin / 2 ? idle + seconds : 0
  }

  /// W that leave through the condenser: standby and oil pump heat the machine room instead.
  var rejected: Double { state == .running ? cooling + power : 0 }
  var isRunning: Bool { state == .running }

  private mutating func move(_ now: Conditions) {
    if state != .fault, now.isTripped || (state != .stopped && now.flow < Self.flowMin) { return enter(.fault) }
    switch state {
    case .stopped:
      let isWarm = now.supplyT > now.setpoint + Self.startBand
      if isWarm, now.flow >= Self.flowMin, age >= Self.restSecondsMin { enter(.starting) }
    case .starting:
      if age >= Self.startSeconds { enter(.running) }
    case .running:
      if age >= Self.runSecondsMin, idle >= Self.idleSecondsMax { enter(.stopped) }
    case .fault:
      // The fault register is reset with its cause; the rest of the compressor counts from here.
      if !now.isTripped, now.flow >= Self.flowMin { enter(.stopped) }
    }
  }

  private mutating func enter(_ next: RunState) {
    (state, age, idle) = (next, 0, 0)
  }
}
