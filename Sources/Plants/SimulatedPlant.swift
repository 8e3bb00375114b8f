public import TwinCore

/// A plant that is a value: it moves only when stepped, and the same seed, writes and steps give the same bits.
///
/// Signals are addressed by local point id, `chiller-1.chw_supply_t`. What a step does not depend on: how a span is cut
/// into steps, the wall clock, the order of a dictionary.
public protocol SimulatedPlant: Sendable {
  /// What it offers, in a fixed order; ids are unique.
  var signals: [PlantSignal] { get }
  /// What the instruments show now, by id. Units are those of `signals`.
  var outputs: [String: Double] { get }
  /// Writes as a field device takes it; false is a refusal: unknown id, not writable, not finite or out of range.
  mutating func set(_ name: String, _ value: Double) -> Bool
  /// Moves on by a finite span of zero or more.
  mutating func step(seconds: Double)
}

/// One signal of a simulated plant.
public struct PlantSignal: Hashable, Sendable {
  /// How its value moves.
  public enum Course: Hashable, Sendable {
    case analogue
    /// Never falls; begins again at its lower bound beyond the upper one.
    case counter
    /// One of some codes, in the given order.
    case states([Double])
  }

  /// The local point id.
  public let name: String
  /// A UCUM code.
  public let unit: String
  /// What an instrument can show; of a writable signal, what is taken.
  public let range: ClosedRange<Double>
  public let isWritable: Bool
  /// What a register holds before it is written, where a counter begins, what an analogue signal swings around; nil
  /// leaves it to the plant.
  public let start: Double?
  public let course: Course

  /// Without a `course`, units of energy and volume from zero up are counters and everything else is analogue.
  public init(
    _ name: String, unit: String, range: ClosedRange<Double>, isWritable: Bool = false, start: Double? = nil,
    course: Course? = nil
  ) {
    (self.name, self.unit, self.range, self.isWritable) = (name, unit, range, isWritable)
    self.start = start
    self.course = course ?? (Self.counted.contains(unit) && range.lowerBound >= 0 && !isWritable ? .counter : .analogue)
  }

  private static let counted: Set<String> = [
    "J", "kJ", "MJ", "GJ", "W.h", "kW.h", "MW.h", "Wh", "kWh", "MWh", "m3", "L",
  ]
}

/// Why a simulated plant does not do what was asked of it.
public struct PlantFault: Fault, Equatable {
  public let code: String
  public let message: String
  public let remedy: String

  static func unknownSignal(_ name: String, among known: [String]) -> PlantFault {
    PlantFault(
      code: "plants.unknown_signal", message: "the plant has no signal \"\(name)\"",
      remedy: "name one of " + known.joined(separator: ", "))
  }

  static func badBreakage(_ text: String, _ why: String) -> PlantFault {
    PlantFault(
      code: "plants.bad_breakage", message: "breakage \"\(text)\": \(why)",
      remedy: "write KIND[.SIGNAL][:SIZE][@SECONDS] with KIND one of " + Breakage.kinds.joined(separator: ", "))
  }

  static func tooMany(_ limit: Int) -> PlantFault {
    PlantFault(
      code: "plants.too_many_breakages", message: "\(limit) breakages are injected, and that is the limit",
      remedy: "heal one of them first")
  }
}
