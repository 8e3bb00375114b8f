public import TwinCore

/// What the kernel was given at one tick, as far as the frames do not already tell it.
public struct TickRecord: Sendable, Equatable {
  /// Rises by at least 1 from tick to tick, over restarts too.
  public var number: Int64
  public var instant: Instant
  public var uptime: Uptime
  /// Which start of the daemon; `uptime` compares within one only.
  public var boot: Int64
  /// The sequences of the frames that this tick was the first to carry; empty when there were none.
  public var frames: Range<Int64>
  /// Carries an operator's command or another input that may not be lost; never dropped from a full buffer.
  public var mustBeKept: Bool
  /// The other inputs, in canonical form; at most `StoreLimits.tickBytesMax`.
  public var bytes: [UInt8]

  public init(
    number: Int64, instant: Instant, uptime: Uptime, boot: Int64, frames: Range<Int64>, mustBeKept: Bool,
    bytes: [UInt8]
  ) {
    (self.number, self.instant, self.uptime, self.boot) = (number, instant, uptime, boot)
    (self.frames, self.mustBeKept, self.bytes) = (frames, mustBeKept, bytes)
  }
}

/// A decision record: why something was proposed, permitted, refused or written.
public struct DecisionEntry: Sendable, Equatable {
  /// Unique within the site.
  public var id: String
  public var tick: Int64
  public var instant: Instant
  public var kind: String
  /// The id of the point it is about.
  public var point: String
  /// The record in canonical form; at most `StoreLimits.recordBytesMax`.
  public var bytes: [UInt8]

  public init(id: String, tick: Int64, instant: Instant, kind: String, point: String, bytes: [UInt8]) {
    (self.id, self.tick, self.instant) = (id, tick, instant)
    (self.kind, self.point, self.bytes) = (kind, point, bytes)
  }

  /// What the row's checksum covers besides `bytes`.
  var key: String { "\(id)\n\(tick)\n\(instant.nanoseconds)\n\(kind)\n\(point)" }
}

/// Something that happened: a problem raised or cleared, drift, a change of mode.
public struct EventEntry: Sendable, Equatable {
  public var tick: Int64
  public var instant: Instant
  public var kind: String
  /// The id of what it is about; empty when it is the site.
  public var subject: String
  /// At most `StoreLimits.recordBytesMax`.
  public var bytes: [UInt8]

  public init(tick: Int64, instant: Instant, kind: String, subject: String, bytes: [UInt8]) {
    (self.tick, self.instant, self.kind) = (tick, instant, kind)
    (self.subject, self.bytes) = (subject, bytes)
  }

  var key: String { "\(tick)\n\(instant.nanoseconds)\n\(kind)\n\(subject)" }
}

/// A lease that was not given back yet.
public struct LeaseEntry: Sendable, Equatable {
  public var point: String
  public var bytes: [UInt8]

  public init(point: String, bytes: [UInt8]) { (self.point, self.bytes) = (point, bytes) }
}

/// The kernel's state after a tick.
public struct Checkpoint: Sendable, Equatable {
  public var tick: Int64
  public var instant: Instant
  public var reason: String
  public var bytes: [UInt8]

  public init(tick: Int64, instant: Instant, reason: String, bytes: [UInt8]) {
    (self.tick, self.instant, self.reason, self.bytes) = (tick, instant, reason, bytes)
  }

  var key: String { "\(tick)\n\(instant.nanoseconds)\n\(reason)" }
}

/// Proof that records are on the device. Only a commit that succeeded makes one.
public struct CommitReceipt: Sendable, Equatable {
  /// The last of everything that is durable, whichever commit wrote it; 0 when there is none.
  public let lastFrame: Int64
  public let lastTick: Int64
  /// What this commit wrote.
  public let frames: Int
  public let ticks: Int
  public let events: Int
  /// Ids of the decisions that this commit made durable.
  public let decisions: [String]

  init(lastFrame: Int64, lastTick: Int64, frames: Int = 0, ticks: Int = 0, events: Int = 0, decisions: [String] = []) {
    (self.lastFrame, self.lastTick) = (lastFrame, lastTick)
    (self.frames, self.ticks, self.events, self.decisions) = (frames, ticks, events, decisions)
  }

  public func covers(decision id: String) -> Bool { decisions.contains(id) }
}

/// One point's past, as it was known at some instant.
public struct PointSeries: Sendable, Equatable {
  public struct Sample: Sendable, Equatable {
    public var effective: Instant
    public var observed: Instant
    /// NaN unless `quality.hasValue`.
    public var value: Double
    public var quality: Quality

    public init(effective: Instant, observed: Instant, value: Double, quality: Quality) {
      (self.effective, self.observed, self.value, self.quality) = (effective, observed, value, quality)
    }
  }

  public var point: String
  /// Rising in `effective`, no two alike: of readings of one instant the last observed counts.
  public var samples: [Sample]
  /// Whether there were more samples than the limit; the earliest were given.
  public var isTruncated: Bool
  /// In which unit which samples are.
  public var units: [UnitStretch]

  public init(point: String, samples: [Sample] = [], isTruncated: Bool = false, units: [UnitStretch] = []) {
    (self.point, self.samples, self.isTruncated, self.units) = (point, samples, isTruncated, units)
  }
}

/// What cannot be trusted. It is passed over; everything else stays readable.
public struct BadBody: Sendable, Hashable {
  /// Where it is: a table of `site.db` and the row's key, `decisions 4711`, or a file and the place in it,
  /// `data/2026-07-03.twc 65536`.
  public var row: String
  public var reason: String
}

/// What bounds the store's memory and its rows. Sizes in bytes.
public struct StoreLimits: Sendable {
  /// Ticks go with their frames, oldest first, and are counted, while more frames than this are buffered: 16 MiB are
  /// half an hour of 1,000 points at 1 Hz. Ticks that must be kept stay; then the newest is refused.
  public var bufferedFrameBytes = 16 << 20
  /// As for frames, of the ticks' own bytes.
  public var bufferedTickBytes = 16 << 20
  /// Windows are sealed before their time while they take more: 1,000 points at 1 Hz take 5 MiB.
  public var windowBytes = 12 << 20
  /// Buffered events beyond this are dropped, oldest first.
  public var bufferedEvents = 10_000
  /// Buffered decisions beyond this are refused: what cannot be recorded is not done.
  public var bufferedDecisions = 10_000
  /// Whichever is reached first; the newest checkpoint always stays.
  public var checkpointsKept = 200
  public var checkpointBytesKept: Int64 = 64 << 20
  /// Never more pages in `site.db` than this; 0 for no bound but the disk.
  public var pagesMax: Int64 = 0

  /// Sealed bodies that the disk refuses wait in memory; with more of them nothing more is committed.
  static let waitingBytesMax = 8 << 20
  /// A trained model travels in a tick, whole.
  public static let tickBytesMax = 5 << 20
  public static let recordBytesMax = 4 << 20
  public static let checkpointBytesMax = 32 << 20

  public init() {}
}
