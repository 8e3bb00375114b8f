import TwinCore

@testable import Models

/// Two coupled zones behind one coil, followed by an observer, with one fault from some step on.
struct DriftStand {
  enum Fault { case none, sensor, coil, stuckFlow, heat, fouling }

  static let stepSeconds = 900.0
  private static let capacity = 3e6
  private static let (loss, exchange, windowArea) = (250.0, 100.0, 6.0)

  static let (supplySetpoint, flow, outdoor, solar) = (0, 1, 2, 3)

  /// States: zones, supply air, then the biases of each; one parameter, the gain of the coil.
  static let model: BilinearModel = {
    typealias M = BilinearModel
    var terms: [M.Term] = []
    for zone in 0..<2 {
      let per = 1 / capacity
      terms += [
        .init(row: zone, column: .state(2), scale: 1006 * per, multipliers: [flow]),
        .init(row: zone, column: .state(zone), scale: -1006 * per, multipliers: [flow]),
        .init(row: zone, column: .state(zone), scale: -(loss + exchange) * per),
        .init(row: zone, column: .state(1 - zone), scale: exchange * per),
        .init(row: zone, column: .input(outdoor), scale: loss * per),
        .init(row: zone, column: .input(solar), scale: windowArea * per),
        .init(row: zone, column: .state(3 + zone), scale: per),
      ]
    }
    let rate = 1 / 900.0
    terms += [
      .init(row: 2, column: .state(2), scale: -rate),
      .init(row: 2, column: .input(outdoor), scale: rate),
      .init(row: 2, column: .input(supplySetpoint), scale: rate, powers: [.init(0, 1)]),
      .init(row: 2, column: .state(5), scale: rate),
    ]
    let zones = (0..<2).map {
      M.State(name: "zone-\($0)", unit: "Cel", initialMean: 20, initialVariance: 1, noiseIntensity: 1e-8)
    }
    let supply = M.State(name: "supply", unit: "Cel", initialMean: 20, initialVariance: 4, noiseIntensity: 1e-7)
    let heats = (0..<2).map {
      M.State(
        name: "heat-\($0)", unit: "W", initialMean: 0, initialVariance: 1e4, noiseIntensity: 0.3, isBias: true)
    }
    let lift = M.State(
      name: "lift", unit: "K", initialMean: 0, initialVariance: 0.1, noiseIntensity: 3e-6, isBias: true)
    return M(
      states: zones + [supply] + heats + [lift],
      // The setpoint as the lift over the outdoor air that it asks for.
      inputs: ["lift", "flow", "outdoor", "solar"].map { M.Input(name: $0, unit: "1") },
      parameters: [.init(name: "coil", unit: "1", prior: 1, spread: 0.02, walk: 1e-10)],
      outputs: (0..<3).map { M.Output(name: "t\($0)", unit: "Cel", state: $0, noiseVariance: 0.0025) },
      terms: terms)
  }()

  var noise: DriftNoise
  var observer: JointObserver
  var watch: DriftWatch
  private var truth: [Double] = [20, 20, 20, 0, 0, 0]
  private var inputs: [Double] = [20, 1, 5, 0]
  private(set) var steps = 0
  /// Steps in which no reading arrives.
  var isSilent: (Int) -> Bool = { _ in false }

  init(seed: UInt64, alarmsPerYear: Double = 0.1) {
    noise = DriftNoise(seed: seed)
    observer = JointObserver(Self.model)
    watch = DriftWatch(
      Self.model,
      .init(
        stepSeconds: Self.stepSeconds, alarmsPerYear: alarmsPerYear, referenceSteps: 300, actuators: [0, 1]))
  }

  /// One step of plant, observer and watch. `side` is the zone or the sign of the fault, `since` steps it has lasted.
  mutating func step(_ fault: Fault = .none, side: Int = 0, since: Int = 0) -> DriftVerdict {
    let hour = Double(steps) / 4
    if steps % 6 == 0 {
      inputs[Self.supplySetpoint] = 10 + 20 * noise.uniform()
      inputs[Self.flow] = 0.5 + 2 * noise.uniform()
    }
    inputs[Self.outdoor] = 5 + 5 * Elementary.sin(hour * 2 * .pi / 24)
    inputs[Self.solar] = 400 * max(0, Elementary.sin((hour - 6) * 2 * .pi / 24))
    advance(fault, side: side, since: since)
    unsafe inputs.withUnsafeBufferPointer { _ = unsafe observer.predict($0, seconds: Self.stepSeconds) }
    if !isSilent(steps) {
      for output in 0..<3 {
        var value = truth[output] + 0.05 * noise.normal()
        if fault == .sensor, output == side { value += 0.8 }
        let innovation = observer.update(output: output, value: value)
        watch.read(output: output, innovation: innovation.value, variance: innovation.variance)
      }
    }
    steps += 1
    return watch.step(mean: observer.mean, covariance: observer.covariance, inputs: inputs)
  }

  private mutating func advance(_ fault: Fault, side: Int, since: Int) {
    let flow = fault == .stuckFlow ? 1.2 : inputs[Self.flow]
    var gain = fault == .coil ? (side == 0 ? 0.8 : 0.85) : 1
    if fault == .fouling { gain = max(0.6, 1 - 0.0001 * Double(since)) }
    for _ in 0..<15 {
      let dt = Self.stepSeconds / 15
      var rates = [0.0, 0, 0]
      for zone in 0..<2 {
        let heat = truth[3 + zone] + (fault == .heat && zone == side ? 1500 * noise.normal() : 0)
        rates[zone] =
          (1006 * flow * (truth[2] - truth[zone]) + Self.loss * (inputs[Self.outdoor] - truth[zone])
            + Self.exchange * (truth[1 - zone] - truth[zone]) + Self.windowArea * inputs[Self.solar] + heat)
          / Self.capacity
      }
      rates[2] =
        (inputs[Self.outdoor] + gain * inputs[Self.supplySetpoint] + truth[5] - truth[2]) / 900
      for state in 0..<3 { truth[state] += dt * rates[state] }
    }
    for zone in 0..<2 {
      truth[zone] += 0.003 * noise.normal()
      truth[3 + zone] = 0.98 * truth[3 + zone] + 15 * noise.normal()
    }
    truth[2] += 0.01 * noise.normal()
    truth[5] = 0.98 * truth[5] + 0.02 * noise.normal()
  }
}
