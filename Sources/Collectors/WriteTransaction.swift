public import TwinCore

/// A setpoint to be written by its point's profile.
public struct WriteTransaction: Sendable, Equatable {
  public var device: String
  public var point: String
  /// In the point's unit.
  public var value: Double

  public init(device: String, point: String, value: Double) {
    (self.device, self.point, self.value) = (device, point, value)
  }
}

/// How a write ended. Only `verified` says that the device does what was asked.
public struct WriteResult: Sendable, Equatable {
  public enum Outcome: Sendable, Equatable {
    /// Read back within the tolerance and in time.
    case verified
    /// Confirmed, yet the point still showed something else when the time was over.
    case mismatch
    /// The device answered a step with this exception code; earlier steps of the sequence stand.
    case refused(UInt8)
    /// At least one request left, and what came of it is not known.
    case unknown(BusFault)
    /// Nothing left.
    case unsent(BusFault)
  }

  public var outcome: Outcome
  /// The value that the registers written stand for; what was asked, where none were.
  public var written: Double
  /// Steps of the sequence that the device confirmed.
  public var stepsConfirmed: Int
  /// When the last step was confirmed.
  public var confirmed: Uptime?
  /// The last read-back.
  public var reading: PointReading?
}

/// A point as just read, outside of the polls.
public struct PointReading: Sendable, Equatable {
  public var value: Double
  public var quality: Quality
  public var registers: [UInt16]
  public var effective: Instant
  public var uptime: Uptime
}
