import FeatureStore
import TwinCore

/// A frame as it must come back: bit for bit where there is a value.
struct StoredFrame: Equatable {
  let group: Int32
  var sequence: Int64
  let effective: Int64
  let observed: Int64
  let uptime: Int64
  private(set) var qualities: [UInt8]
  private(set) var bits: [UInt64]

  init(_ frame: Frame, observed: Instant) {
    (group, sequence, effective) = (frame.group, frame.sequence, frame.effective.nanoseconds)
    (self.observed, uptime) = (observed.nanoseconds, frame.uptime.nanoseconds)
    qualities = frame.qualities.map(\.rawValue)
    bits = frame.values.indices.map { frame.qualities[$0].hasValue ? frame.values[$0].bitPattern : 0 }
  }
}

/// What may be gone: nothing up to `all`, and by the keep of single points nothing before the others.
struct Cuts {
  var all = Int64.min
  /// Of all points of group 1.
  var group1 = Int64.min
  /// Of the first point of group 2.
  var first2 = Int64.min

  func take(_ frame: StoredFrame) -> Bool {
    // A frame of one point goes with it.
    frame.effective <= all || frame.group == 1 && frame.effective < group1
      || frame.group == 2 && frame.bits.count == 1 && frame.effective < first2
  }
}

extension StoredFrame {
  /// Without what a point's keep may have taken from a frame that stays.
  func since(_ cuts: Cuts) -> StoredFrame {
    guard group == 2, effective < cuts.first2 else { return self }
    var frame = self
    (frame.qualities[0], frame.bits[0]) = (Quality.never.rawValue, 0)
    return frame
  }

  var withoutSequence: StoredFrame {
    var frame = self
    frame.sequence = 0
    return frame
  }
}

struct StoredTick: Equatable {
  let tick: TickRecord
  var frames: [StoredFrame]

  /// Drops frames of days that may be gone. Where a tick lost one, nobody knows the sequences of the others, nor the
  /// order among those of a group.
  mutating func forget(_ cuts: Cuts) {
    frames = frames.map { $0.since(cuts) }
    guard frames.count < tick.frames.count || frames.contains(where: { cuts.take($0) }) else { return }
    frames.removeAll { cuts.take($0) }
    for index in frames.indices { frames[index].sequence = 0 }
    frames.sort { ($0.group, $0.effective) < ($1.group, $1.effective) }
  }

  func difference(to other: StoredTick) -> String {
    if tick != other.tick { return "\(tick), found \(other.tick)" }
    let list = { (frames: [StoredFrame]) in
      frames.map { "\($0.group):\($0.sequence) at \($0.effective) \($0.qualities) \($0.bits)" }.joined(separator: "; ")
    }
    return "tick \(tick.number) with frames \(list(frames)), found \(list(other.frames))"
  }
}

/// A change of the past of one point.
struct StoredChange: Equatable {
  enum What: Equatable {
    case sample(Int64, UInt64)
    case nothing(Range<Int64>)
  }

  /// Frames never have such an instant.
  static let mark: Int64 = 777_777
  static let points = ["c", "d"]

  var point: String
  var what: What
}

/// What a store holds, or what of it is to be made durable together.
struct SiteMemory: Equatable {
  var ticks: [StoredTick] = []
  var decisions: [DecisionEntry] = []
  var events: [EventEntry] = []
  /// nil takes away what was there before; only where changes are told.
  var leases: [String: [UInt8]?] = [:]
  var facts: [String: [UInt8]?] = [:]
  var versions: [VersionEntry] = []
  /// By name: the byte of which the object's content consists.
  var objects: [String: UInt8] = [:]
  var checkpoint: Checkpoint?
  /// In the order in which they were made.
  var changes: [StoredChange] = []
  /// By point and instant: what changes leave.
  private var corrected: [String: [Int64: UInt64]] = [:]

  static let objectNames = ["o0", "o1"]
  /// Above what site.db takes.
  static let objectBytes = ObjectVersion.inlineMax + 1

  /// Adds what comes later.
  func adding(_ later: SiteMemory) -> SiteMemory {
    var sum = self
    let (known, ids) = (ticks.last?.tick.number ?? .min, Set(decisions.map(\.id)))
    sum.ticks += later.ticks.filter { $0.tick.number > known }
    sum.decisions += later.decisions.filter { !ids.contains($0.id) }
    sum.events += later.events.filter { !events.contains($0) }
    sum.versions += later.versions.filter { !versions.contains($0) }
    for (point, bytes) in later.leases { sum.leases[point] = bytes.map { .some($0) } }
    for (key, bytes) in later.facts { sum.facts[key] = bytes.map { .some($0) } }
    sum.objects.merge(later.objects) { $1 }
    sum.checkpoint = later.checkpoint ?? checkpoint
    sum.changes += later.changes
    return sum
  }

  /// Without what a retention may have taken.
  func since(_ cuts: Cuts) -> SiteMemory {
    var rest = self
    rest.ticks = ticks.filter { $0.tick.instant.nanoseconds > cuts.all }
    for index in rest.ticks.indices { rest.ticks[index].forget(cuts) }
    rest.decisions = decisions.filter { $0.instant.nanoseconds > cuts.all }
    rest.events = events.filter { $0.instant.nanoseconds > cuts.all }
    for change in changes {
      switch change.what {
      case .sample(let instant, let bits): rest.corrected[change.point, default: [:]][instant] = bits
      case .nothing(let range):
        rest.corrected[change.point] = rest.corrected[change.point]?.filter { !range.contains($0.key) }
      }
    }
    rest.changes = []
    for point in StoredChange.points {
      let cut = point == "d" ? max(cuts.all, cuts.group1) : cuts.all
      rest.corrected[point] = (rest.corrected[point] ?? [:]).filter { $0.key > cut }
    }
    return rest
  }

  /// Everything that a store tells.
  init(of store: SiteStore) throws(StoreError) {
    let cursor = try store.ticks(from: .min)
    while let (tick, frames) = try cursor.next() {
      ticks.append(StoredTick(tick: tick, frames: frames.map { StoredFrame($0, observed: $0.observed) }))
    }
    decisions = try store.decisions(limit: .max).reversed()
    events = Self.sorted(try store.events(limit: .max))
    for lease in try store.openLeases() { leases[lease.point] = .some(lease.bytes) }
    for fact in try store.facts(prefix: "") { facts[fact.key] = .some(fact.bytes) }
    versions = try store.versions(
      family: "test", subject: nil, overlapping: Instant(nanoseconds: .min)..<Instant(nanoseconds: .max))
    for name in Self.objectNames {
      guard let last = try store.objects(name, effective: .distantPast ..< .distantFuture).last else { continue }
      let content = try store.content(of: last)
      objects[name] = content.first
      if content != Array(repeating: content[0], count: Self.objectBytes) { objects[name] = nil }
    }
    checkpoint = try store.latestCheckpoint()
    for series in try store.read(points: StoredChange.points, effective: .distantPast ..< .distantFuture) {
      for sample in series.samples where sample.effective.nanoseconds % 1_000_000 == StoredChange.mark {
        corrected[series.point, default: [:]][sample.effective.nanoseconds] = sample.value.bitPattern
      }
    }
  }

  init() {}

  static func sorted(_ events: [EventEntry]) -> [EventEntry] {
    events.sorted { ($0.tick, $0.subject) < ($1.tick, $1.subject) }
  }

  /// Where two differ first, for people.
  func difference(to other: SiteMemory) -> String {
    if let (mine, its) = zip(ticks, other.ticks).first(where: { $0 != $1 }) { return mine.difference(to: its) }
    if ticks.count != other.ticks.count {
      return "ticks to \(ticks.last?.tick.number ?? 0), found to \(other.ticks.last?.tick.number ?? 0)"
        + " (\(ticks.count), found \(other.ticks.count))"
    }
    if decisions != other.decisions { return "decisions \(decisions.map(\.id)), found \(other.decisions.map(\.id))" }
    if events != other.events { return "\(events.count) events, found \(other.events.count)" }
    if leases != other.leases { return "leases \(leases), found \(other.leases)" }
    if facts != other.facts { return "facts \(facts), found \(other.facts)" }
    if objects != other.objects { return "objects \(objects), found \(other.objects)" }
    if versions != other.versions {
      return "versions \(versions.map(\.subject)), found \(other.versions.map(\.subject))"
    }
    if corrected != other.corrected { return "corrections \(corrected), found \(other.corrected)" }
    return "checkpoint \(checkpoint?.tick ?? 0), found \(other.checkpoint?.tick ?? 0)"
  }
}
