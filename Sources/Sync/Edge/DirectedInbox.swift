import TwinCore

/// Entries of the foundation's log for this site, handed over in order, each until it is taken once.
struct DirectedInbox {
  static let pauseMin = Duration.seconds(5)
  static let pauseMax = Duration.seconds(300)

  /// The first that is not taken.
  private(set) var next: UInt64
  private var waiting: [UInt64: DirectedEntry] = [:]
  /// Handed over, not answered.
  private var handed: UInt64?
  private var refusals = 0
  private(set) var retryAt: Uptime?

  init(next: UInt64) { self.next = next }

  /// Whether it is news; one beyond the window is left to be sent again.
  mutating func offer(_ entry: DirectedEntry) -> Bool {
    guard entry.sequence >= next, entry.sequence - next < UInt64(SyncLimits.directedWindow) else { return false }
    return waiting.updateValue(entry, forKey: entry.sequence) == nil
  }

  /// The entry to hand over now.
  mutating func handOver(at now: Uptime) -> DirectedEntry? {
    guard handed == nil, retryAt.map({ now >= $0 }) ?? true, let entry = waiting[next] else { return nil }
    (handed, retryAt) = (next, nil)
    return entry
  }

  /// Whether the inbox moved on.
  mutating func answer(_ sequence: UInt64, _ answer: DirectedAnswer, at now: Uptime) -> Bool {
    guard handed == sequence else { return false }
    handed = nil
    switch answer {
    case .taken:
      waiting[sequence] = nil
      next += 1
      refusals = 0
      return true
    case .later:
      let pause = Self.pauseMin.wholeNanoseconds << Int64(min(refusals, 6))
      retryAt = now.advanced(byNanoseconds: min(pause, Self.pauseMax.wholeNanoseconds))
      refusals += 1
      return false
    }
  }

  /// Whether entries came that do not follow: the ones before them were lost on the way.
  var hasHole: Bool { !waiting.isEmpty && waiting[next] == nil }
}
