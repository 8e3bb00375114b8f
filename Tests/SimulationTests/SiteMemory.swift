import FeatureStore
import TwinCore

/// A frame as it must come back: bit for bit where there is a value.
struct StoredFrame: Equatable {
  let group: Int32
  var sequence: Int64
  let effective: Int64
  let observed: Int64
  let uptime: Int64
  let qualities: [UInt8]
  let bits: [UInt64]

  init(_ frame: Frame, observed: Instant) {
    (group, sequence, effective) = (frame.group, frame.sequence, frame.effective.nanoseconds)
    (self.observed, uptime) = (observed.nanoseconds, frame.uptime.nanoseconds)
    qualities = frame.qualities.map(\.rawValue)
    bits = frame.values.indices.map { frame.qualities[$0].hasValue ? frame.values[$0].bitPattern : 0 }
  }
}

extension StoredFrame {
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
  mutating func forget(through cutoff: Int64) {
    guard frames.count < tick.frames.count || frames.contains(where: { $0.effective <= cutoff }) else { return }
    frames.removeAll { $0.effective <= cutoff }
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
    return sum
  }

  /// Without what a retention may have taken.
  func since(_ cutoff: Int64) -> SiteMemory {
    var rest = self
    rest.ticks = ticks.filter { $0.tick.instant.nanoseconds > cutoff }
    for index in rest.ticks.indices { rest.ticks[index].forget(through: cutoff) }
    rest.decisions = decisions.filter { $0.instant.nanoseconds > cutoff }
    rest.events = events.filter { $0.instant.nanoseconds > cutoff }
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
    return "checkpoint \(checkpoint?.tick ?? 0), found \(other.checkpoint?.tick ?? 0)"
  }
}
