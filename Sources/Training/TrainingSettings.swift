import Calibration
import TwinCore

/// How a model is trained.
public struct TrainingSettings: Sendable, Equatable {
  public var seed: UInt64
  /// The youngest days of the record that are used.
  public var days: Int
  /// Kept apart from the fit, at the end; never less than a day.
  public var heldOutShare: Double
  public var starts: Int
  public var iterationsMax: Int

  public static let daysMax = 400

  public init(seed: UInt64 = 1, days: Int = 30, heldOutShare: Double = 0.2, starts: Int = 3, iterationsMax: Int = 80) {
    precondition((1...Self.daysMax).contains(days), "\(days) days")
    precondition(heldOutShare > 0 && heldOutShare < 1, "a share held out of \(heldOutShare)")
    precondition(starts > 0 && iterationsMax > 0, "a training does something")
    (self.seed, self.days, self.heldOutShare) = (seed, days, heldOutShare)
    (self.starts, self.iterationsMax) = (starts, iterationsMax)
  }

  var calibration: Calibration.Settings {
    Calibration.Settings(seed: seed, starts: starts, iterationsMax: iterationsMax)
  }

  func encode(to writer: inout CanonicalWriter) {
    writer.array(6)
    writer.integer(1)
    writer.unsigned(seed)
    writer.integer(days)
    writer.double(heldOutShare)
    writer.integer(starts)
    writer.integer(iterationsMax)
  }
}
