import TwinCore

/// Why a reading is no measurement. Whoever learns from it that it is garbage keeps the state it had.
public enum GarbageCause: Sendable, Hashable {
  /// In another unit: the reading divided by the factor would fit.
  case unit(factor: Double)
  /// It fits another point, and that one's reading fits here.
  case swapped(with: Int)
  /// Bit for bit the same for longer than this point ever was.
  case constant
  /// The same reading at the same time once more.
  case repeated
  /// Older than the last one.
  case reversedTime
  case nonFinite
  /// Far from all that was seen, and nothing explains it.
  case jump

  /// For people: what happened and that nothing of it was used.
  public var text: String {
    let what =
      switch self {
      case .unit(let factor): "reads \(factor) times what fits, as if in another unit"
      case .swapped(let other): "reads what point \(other) should, and that one what this should"
      case .constant: "repeats the same value longer than it ever did"
      case .repeated: "came twice with the same time"
      case .reversedTime: "is older than the one before"
      case .nonFinite: "is no number"
      case .jump: "is far from all that was seen"
      }
    return "the reading \(what); the state before it is kept"
  }

  var rank: Int {
    switch self {
    case .unit: 0
    case .swapped: 1
    case .constant: 2
    case .repeated: 3
    case .reversedTime: 4
    case .nonFinite: 5
    case .jump: 6
    }
  }

  var detail: Double {
    switch self {
    case .unit(let factor): factor
    case .swapped(let other): Double(other)
    default: 0
    }
  }

  init?(rank: Int, detail: Double) {
    switch rank {
    case 0:
      guard detail.isFinite, detail != 0 else { return nil }
      self = .unit(factor: detail)
    case 1:
      guard detail >= 0, detail < 1e6, detail == detail.nearestInteger else { return nil }
      self = .swapped(with: Int(detail))
    case 2: self = .constant
    case 3: self = .repeated
    case 4: self = .reversedTime
    case 5: self = .nonFinite
    case 6: self = .jump
    default: return nil
    }
  }
}
