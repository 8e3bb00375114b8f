/// Something that breaks in a simulated plant.
public enum Breakage: Hashable, Sendable {
  /// An instrument shows so much too much, in its own unit.
  case sensorBias(String, Double)
  /// An instrument keeps what it shows when this begins.
  case sensorStuck(String)
  /// The coil has lost a share of its surface, 0 to 0.95.
  case coilFouling(Double)
  /// The pump runs at a share of full speed, 0 to 1, whatever is written.
  case pumpStuck(Double)
  /// The chiller trips, and stays in fault until this is healed.
  case chillerTrip
  /// The make-up air comes in as humid as it is outdoors.
  case dryerFailed
  /// A write of the setpoint is acknowledged and dropped: the register keeps its value.
  case setpointDropped
  /// A write of the setpoint is acknowledged and reads back, but the machine keeps what it had.
  case setpointDetached

  /// The words of the text form.
  public static let kinds = ["bias", "stuck", "fouling", "pump", "trip", "dryer", "dropped", "detached"]

  /// Reads `KIND[.SIGNAL][:SIZE][@SECONDS]`, as in `bias.hall-a.zone_t:0.5@600`: what, and from which plant second on.
  ///
  /// Errors: `plants.bad_breakage`. Whether the signal exists, `inject` tells.
  public static func parse(_ text: String) throws(PlantFault) -> (breakage: Breakage, after: Double) {
    let timed = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let sized = timed[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let named = sized[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let after = try timed.count > 1 ? number(timed[1], in: 0...1e9, of: text, "seconds") : 0
    let signal = named.count > 1 ? String(named[1]) : nil
    func size(_ range: ClosedRange<Double>) throws(PlantFault) -> Double {
      guard sized.count > 1 else { throw .badBreakage(text, "\(named[0]) wants a size") }
      return try number(sized[1], in: range, of: text, "size")
    }
    func alone(_ breakage: Breakage) throws(PlantFault) -> Breakage {
      guard sized.count == 1 else { throw .badBreakage(text, "\(named[0]) takes no size") }
      return breakage
    }
    let breakage: Breakage
    switch (named[0], signal) {
    case ("bias", let name?): breakage = .sensorBias(name, try size(-1e9...1e9))
    case ("stuck", let name?): breakage = try alone(.sensorStuck(name))
    case ("bias", nil), ("stuck", nil): throw .badBreakage(text, "\(named[0]) wants a signal")
    case ("fouling", nil): breakage = .coilFouling(try size(0...0.95))
    case ("pump", nil): breakage = .pumpStuck(try size(0...1))
    case ("trip", nil): breakage = try alone(.chillerTrip)
    case ("dryer", nil): breakage = try alone(.dryerFailed)
    case ("dropped", nil): breakage = try alone(.setpointDropped)
    case ("detached", nil): breakage = try alone(.setpointDetached)
    default: throw .badBreakage(text, "kind \"\(sized[0])\" is not known")
    }
    return (breakage, after)
  }

  private static func number(
    _ text: Substring, in range: ClosedRange<Double>, of whole: String, _ what: String
  ) throws(PlantFault) -> Double {
    guard let value = Double(text), range.contains(value) else {
      throw .badBreakage(
        whole, "\(what) \"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// Whether the numbers are within what `parse` would take.
  var isSound: Bool {
    switch self {
    case .sensorBias(_, let offset): offset.isFinite
    case .coilFouling(let share): (0...0.95).contains(share)
    case .pumpStuck(let speed): (0...1).contains(speed)
    case .sensorStuck, .chillerTrip, .dryerFailed, .setpointDropped, .setpointDetached: true
    }
  }
}

/// What all active breakages together do to the machines in one tick.
struct Damage: Hashable, Sendable {
  var fouling = 0.0
  var pumpSpeed: Double?
  var isTripped = false
  var isHumid = false
  var dropsSetpoint = false
  var detachesSetpoint = false

  mutating func add(_ breakage: Breakage) {
    switch breakage {
    case .coilFouling(let share): fouling = max(fouling, share)
    case .pumpStuck(let speed): pumpSpeed = speed
    case .chillerTrip: isTripped = true
    case .dryerFailed: isHumid = true
    case .setpointDropped: dropsSetpoint = true
    case .setpointDetached: detachesSetpoint = true
    case .sensorBias, .sensorStuck: break
    }
  }
}
