import TwinCore
import YAML

/// What an expression may speak of.
struct Scope {
  enum Kind: Equatable {
    case number(UnitCode)
    case truth
    /// By name; compared with `==` and `!=` only.
    case choice([String: Double])
    /// Text, or a register that serves another: no expression may read it.
    case unreadable(String)
  }

  struct Entry: Equatable {
    var index: PointIndex
    var kind: Kind
  }

  var points: [String: Entry] = [:]
  /// Devices and points that are declared and could not be read: who names them is not to blame.
  var broken: Set<String> = []

  /// Candidates compared for "did you mean": enough for a site, bounded for a typo in each of 10,000 lines.
  static let candidatesMax = 2000

  /// Whether a point and a hyphen begin the name.
  private func isDifference(_ name: String) -> Bool {
    name.utf8.count <= Token.textLengthMax
      && name.indices.contains { name[$0] == "-" && points[String(name[..<$0])] != nil }
  }

  func unknown(_ name: String, at offset: Int) -> ExpressionFault {
    let device = name.prefix { $0 != "." }
    let siblings = points.keys.filter { $0.hasPrefix(device + ".") }
    let near =
      isDifference(name)
      ? nil
      : nearest(to: name, among: siblings)
        ?? (points.count <= Self.candidatesMax ? nearest(to: name, among: points.keys) : nil)
    let hint =
      near.map { "did you mean \"\($0)\"?" }
      ?? (isDifference(name) ? "write spaces around - to subtract" : "points are written device.point")
    var fault = ExpressionFault("unknown_point", at: offset, "there is no point \"\(shortened(name))\"", hint)
    fault.isConsequence = broken.contains(String(device)) || broken.contains(name)
    return fault
  }
}

/// What a part of an expression gives.
enum ValueType: Equatable {
  /// A number without a unit: it takes the unit that stands on the other side.
  case bare
  case number(UnitCode)
  /// A product or quotient, in SI base units.
  case si(Dimension)
  case truth
  case choice([String: Double])
  /// A word that only the other side of a comparison can explain.
  case symbol(String)

  var shown: String {
    switch self {
    case .bare: "a number"
    case .number(let unit): unit == .one ? "a pure number" : unit.ucum
    case .si(let dimension): "a quantity of dimension \(dimension)"
    case .truth: "a truth value"
    case .choice: "a state"
    case .symbol(let name): "the word \"\(name)\""
    }
  }

  var isAffine: Bool { if case .number(let unit) = self { unit.isAffine } else { false } }

  /// Of numbers; nil otherwise. `bare` counts as pure.
  var dimension: Dimension? {
    switch self {
    case .bare: .one
    case .number(let unit): unit.dimension
    case .si(let dimension): dimension
    default: nil
    }
  }
}

extension UnitCode {
  /// One unit of each dimension of the table with its size in SI base units; a test holds them against each other.
  private static let anchors: [Dimension: (unit: UnitCode, factor: Double)] = {
    let coherent = [
      "K", "W/m2", "W/K", "W/(m2.K)", "J/K", "Pa", "N", "J", "kg", "kg/m3", "W", "A", "V", "Ohm", "lx", "Hz", "kg/s",
      "m3/s", "m/s", "m", "m2", "m3", "s", "1", "EUR", "EUR/m3", "[pH]",
    ]
    let scaled: [(String, Double)] = [
      ("kJ/(kg.K)", 1000.0), ("kJ/kg", 1000), ("A.h", 3600), ("uS/cm", 1e-4), ("kW.h/m2", 3.6e6),
      ("EUR/kW.h", 1 / 3.6e6), ("EUR/kW", 1e-3), ("EUR/h", 1 / 3600), ("EUR/t", 1e-3), ("kg{CO2}/kW.h", 1 / 3.6e6),
    ]
    var anchors: [Dimension: (unit: UnitCode, factor: Double)] = [:]
    for (code, factor) in coherent.map({ ($0, 1.0) as (String, Double) }) + scaled {
      guard let unit = UnitCode(ucum: code) else { preconditionFailure("the units table has no \(code)") }
      anchors[unit.dimension] = (unit, factor)
    }
    return anchors
  }()

  /// One of this unit in SI base units; of a temperature, one degree.
  var siFactor: Double? {
    if let anchor = Self.anchors[dimension], let factor = difference.convert(1, to: anchor.unit) {
      return factor * anchor.factor
    }
    for (suffix, seconds) in [("/s", 1.0), ("/min", 60), ("/h", 3600)] where ucum.hasSuffix(suffix) {
      guard let base = UnitCode(ucum: String(ucum.dropLast(suffix.count))), let factor = base.siFactor else { continue }
      return factor / seconds
    }
    return nil
  }
}
