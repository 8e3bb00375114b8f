public import Provenance

/// What an audit bundle holds, and the first thing that is wrong with it.
public struct AuditReport: Sendable, Equatable {
  /// Lists of ranges end here; `isCut` then says so.
  public static let rangesMax = 65_536

  /// One stream of one epoch.
  public struct Stream: Sendable, Equatable {
    public var stream: LogStream
    /// The first entry in the bundle; what came before is known by its chain and root.
    public var first: UInt64
    public var next: UInt64
    /// Entries below are covered by a checkpoint that a key of the site signed,
    public var signed: UInt64 = 0
    /// and by one that a known cosigner has seen.
    public var cosigned: UInt64 = 0
    /// Bodies that the site declared lost.
    public var gaps: [Range<UInt64>] = []
    /// Bodies that are missing and were not declared: dropped after they were safe, or redacted.
    public var redacted: [Range<UInt64>] = []
  }

  public struct Epoch: Sendable, Equatable {
    public var epoch: LogEpoch
    public var previous: LogEpoch?
    public var isClosed: Bool
    public var streams: [Stream] = []
  }

  public struct Problem: Sendable, Equatable, CustomStringConvertible {
    /// Byte of the file where the record begins that shows it.
    public var offset: Int64
    public var epoch: LogEpoch?
    public var stream: LogStream?
    /// The entry that is wrong, or that should stand there.
    public var sequence: UInt64?
    public var what: String

    public var description: String {
      var place = "byte \(offset)"
      if let epoch { place += ", epoch \(epoch.hex.prefix(8))" }
      if let stream { place += ", \(stream.name)" }
      if let sequence { place += " \(sequence)" }
      return "\(place): \(what)"
    }
  }

  public var site: SiteName?
  public var epochs: [Epoch] = []
  public var entries: UInt64 = 0
  public var isCut = false
  /// Nil: everything that is in the bundle is as it was written and signed.
  public var problem: Problem?

  public init() {}
}
