public import FeatureStore
import Guard
public import SiteKernel
public import TwinCore

/// Where another pack would have decided otherwise than the one that was at work.
public struct ShadowReport: Sendable, Equatable {
  /// One point on one tick at which the two began to want different things of it.
  public struct Parting: Sendable, Equatable {
    public var tick: Int64
    public var instant: Instant
    /// What is wanted of the point from there on; nil: nothing yet.
    public var recorded: Double?
    public var other: Double?
  }

  /// What came of one point.
  public struct Point: Sendable, Equatable {
    public var id: String
    /// New decisions; renewals do not count.
    public var recorded = 0
    public var other = 0
    /// Ticks on which the two wanted different things.
    public var ticksApart = 0
    /// The largest difference between the two.
    public var largest = 0.0
    /// The first ones, at most `partingsMax`.
    public var partings: [Parting] = []
  }

  public static let partingsMax = 100

  public var from: Instant?
  public var through: Instant?
  public var ticks = 0
  /// That either of the two decided about, by id.
  public var points: [Point] = []
  /// From this tick on the recorded side did not come out as it was recorded: another release recorded it. The two
  /// are compared all the same.
  public var otherwiseFrom: Int64?
  /// Ticks that the log does not hold, before this one; it ended there.
  public var endedAt: Int64?

  public init() {}

  public var isSame: Bool { points.allSatisfy { $0.ticksApart == 0 } }
}

/// The shadow harness over the record: the ticks that were, given a second time to a kernel of another pack, whose
/// wishes go nowhere.
///
/// The plant does not answer the other pack: its readings are those under the recorded one, so that what is compared is
/// decisions in the same situation and not their consequences.
public struct Shadow: Sendable {
  private var recorded: SiteKernel
  private var other: SiteKernel
  private var soFar = ShadowReport()
  private var outcome = Outcome()
  private var recordedWishes: [Double?]
  private var otherWishes: [Double?]
  private var isApart: [Bool]
  private var points: [Int: ShadowReport.Point] = [:]

  /// Why the ticks of one pack cannot be given to another; nil where they can.
  public static func objection(to other: SiteDefinition, beside recorded: SiteDefinition) -> String? {
    guard other.id == recorded.id else { return "it is of site \(other.id), the record of \(recorded.id)" }
    guard other.groups == recorded.groups else { return "it reads other groups of points" }
    let read = Set(recorded.groups.flatMap(\.points).map(\.position))
    let pairs = zip(other.points, recorded.points).enumerated()
    if let moved = pairs.first(where: { read.contains($0.offset) && $0.element.0.id != $0.element.1.id }) {
      return "\(moved.element.0.id) stands where the record has \(moved.element.1.id)"
    }
    guard read.allSatisfy({ $0 < other.points.count }) else { return "it has fewer points" }
    return nil
  }

  /// Two kernels at the same tick; there must be no objection to the other one.
  public init(_ recorded: SiteKernel, beside other: SiteKernel) {
    precondition(recorded.lastTick == other.lastTick, "both go on from the same tick")
    precondition(
      Self.objection(to: other.definition, beside: recorded.definition) == nil, "ticks mean the same to both")
    (self.recorded, self.other) = (recorded, other)
    let count = max(recorded.definition.points.count, other.definition.points.count)
    recordedWishes = Array(repeating: nil, count: count)
    otherWishes = recordedWishes
    isApart = Array(repeating: false, count: count)
  }

  /// Gives both the same tick; `fingerprint` is what the recorded side came to then.
  public mutating func step(_ tick: Tick, fingerprint: Digest? = nil) {
    recorded.step(tick, into: &outcome)
    if let fingerprint, fingerprint != outcome.fingerprint, soFar.otherwiseFrom == nil {
      soFar.otherwiseFrom = tick.number
    }
    for decision in outcome.decisions { note(decision, isRecorded: true) }
    other.step(tick, into: &outcome)
    for decision in outcome.decisions { note(decision, isRecorded: false) }
    if soFar.from == nil { soFar.from = tick.instant }
    soFar.through = tick.instant
    soFar.ticks += 1
    for point in points.keys.sorted() { compare(point, tick) }
  }

  private mutating func note(_ decision: Decision, isRecorded: Bool) {
    let point = decision.proposal.point.position
    guard isApart.indices.contains(point) else { return }
    let isWish = decision.verdict.disposition != .refuse
    let site = isRecorded ? recorded.definition : other.definition
    var entry = points[point] ?? ShadowReport.Point(id: site.points[point].id)
    if isRecorded {
      if isWish { recordedWishes[point] = decision.verdict.value }
      if decision.isNews { entry.recorded += 1 }
    } else {
      if isWish { otherWishes[point] = decision.verdict.value }
      if decision.isNews { entry.other += 1 }
    }
    points[point] = entry
  }

  private mutating func compare(_ point: Int, _ tick: Tick) {
    let (mine, theirs) = (recordedWishes[point], otherWishes[point])
    guard mine != theirs else {
      isApart[point] = false
      return
    }
    var entry = points[point] ?? ShadowReport.Point(id: "")
    entry.ticksApart += 1
    if let mine, let theirs { entry.largest = max(entry.largest, (theirs - mine).magnitude) }
    if !isApart[point], entry.partings.count < ShadowReport.partingsMax {
      entry.partings.append(
        ShadowReport.Parting(tick: tick.number, instant: tick.instant, recorded: mine, other: theirs))
    }
    isApart[point] = true
    points[point] = entry
  }

  /// Of the ticks so far.
  public var report: ShadowReport {
    var report = soFar
    report.points = points.values.sorted { $0.id < $1.id }
    return report
  }

  /// Walks along the record up to `last`; stops where the record ends, has a gap, or belongs to a third pack.
  ///
  /// - Parameter progress: Called every 1,000 ticks with the tick's instant; false stops.
  public mutating func run(
    over cursor: TickCursor, through last: Int64 = .max, sessions otherPacks: Set<Int64> = [],
    progress: (Instant) -> Bool = { _ in true }
  ) throws(StoreError) {
    while let (record, frames) = try cursor.next(), record.number <= last, !otherPacks.contains(record.number) {
      guard record.number > recorded.lastTick else { continue }
      guard record.number == recorded.lastTick + 1 || recorded.lastTick == 0, frames.count == record.frames.count,
        let (tick, fingerprint) = try? Replay.decode(record, frames)
      else {
        soFar.endedAt = record.number
        return
      }
      step(tick, fingerprint: fingerprint)
      if soFar.ticks % 1000 == 0, !progress(tick.instant) { return }
    }
  }
}
