public import FeatureStore
public import SiteKernel
public import TwinCore

/// What came of feeding recorded ticks to a kernel again.
public struct ReplayReport: Sendable, Equatable {
  public struct Difference: Sendable, Equatable {
    public var tick: Int64
    public var recorded: Digest
    public var replayed: Digest
  }

  public var firstTick: Int64?
  public var lastTick: Int64?
  public var from: Instant?
  public var through: Instant?
  public var ticks = 0
  public var decisions = 0
  /// The first tick whose fingerprint came out otherwise. From there on nothing is comparable.
  public var difference: Difference?
  /// Ticks that the log does not hold, after this one.
  public var gapAfter: Int64?
  /// The last fingerprints that were compared.
  public var recorded = Digest.zero
  public var replayed = Digest.zero
  /// A later tick belongs to another pack, and was not replayed.
  public var endsAtAnotherPack = false

  public init() {}

  public var isIdentical: Bool { difference == nil && gapAfter == nil }
}

/// The replay harness: the store, as it was known at the time, feeds the kernel; every recorded fingerprint must come
/// out again.
public enum Replay {
  /// Why a record cannot be replayed.
  public struct ReplayFault: Fault, Equatable {
    public let code: String
    public let message: String
    public let remedy: String
  }

  /// A tick as the log keeps it.
  public static func decode(
    _ record: TickRecord, _ frames: [Frame]
  ) throws(CanonicalFault) -> (tick: Tick, fingerprint: Digest) {
    var reader = CanonicalReader(record.bytes)
    var tick = try Tick(from: &reader)
    tick.frames = frames
    return (tick, try reader.digest())
  }

  /// Feeds the kernel every tick that the log holds after its own, up to `last`; stops at the first difference or gap,
  /// and before a session that began under another pack than `pack`.
  ///
  /// - Parameter progress: Called every 1,000 ticks with the tick's instant; false stops.
  public static func run(
    _ kernel: inout SiteKernel, over cursor: TickCursor, through last: Int64 = .max,
    sessions otherPacks: Set<Int64> = [], stopsAtDifference: Bool = true, progress: (Instant) -> Bool = { _ in true }
  ) throws(StoreError) -> ReplayReport {
    var report = ReplayReport()
    var outcome = Outcome()
    while let (record, frames) = try cursor.next(), record.number <= last {
      guard record.number > kernel.lastTick else { continue }
      if otherPacks.contains(record.number) {
        report.endsAtAnotherPack = true
        break
      }
      guard record.number == kernel.lastTick + 1 || kernel.lastTick == 0, frames.count == record.frames.count else {
        report.gapAfter = kernel.lastTick
        break
      }
      guard let (tick, recorded) = try? decode(record, frames) else {
        report.gapAfter = kernel.lastTick
        break
      }
      kernel.step(tick, into: &outcome)
      report.note(tick, outcome, recorded)
      if report.difference != nil, stopsAtDifference { break }
      if report.ticks % 1000 == 0, !progress(tick.instant) { break }
    }
    return report
  }
}

extension ReplayReport {
  fileprivate mutating func note(_ tick: Tick, _ outcome: Outcome, _ recorded: Digest) {
    if firstTick == nil { (firstTick, from) = (tick.number, tick.instant) }
    (lastTick, through) = (tick.number, tick.instant)
    ticks += 1
    decisions += outcome.decisions.count
    (self.recorded, replayed) = (recorded, outcome.fingerprint)
    if difference == nil, recorded != outcome.fingerprint {
      difference = Difference(tick: tick.number, recorded: recorded, replayed: outcome.fingerprint)
    }
  }
}
