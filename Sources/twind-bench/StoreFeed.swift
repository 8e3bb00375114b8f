import FeatureStore
import TwinCore

/// A store that takes a site in as the daemon does: a tick a second with its frames, and a commit every so many ticks.
///
/// What it spends is the store's alone: readings are made outside of the clock.
struct StoreFeed {
  /// Seconds of readings that are made at once.
  private static let pieceSeconds = 60

  let store: SiteStore
  private(set) var site: PolledSite
  private(set) var spent = Spent(wallSeconds: 0, cpuSeconds: 0)
  /// Of each commit, seconds.
  private(set) var commits: [Double] = []
  /// Given to the device meanwhile, as the kernel counts it: `write_bytes` of /proc/self/io.
  private(set) var deviceBytes: Int64 = 0
  private var next = 0

  init(_ site: PolledSite, directory: String) throws {
    self.site = site
    store = try SiteStore(directory: directory)
    for layout in site.layouts { try store.register(layout, at: PolledSite.begin) }
  }

  /// Takes `seconds` more in.
  mutating func take(seconds: Int, commitEvery: Int) throws {
    let end = next + seconds
    while next < end {
      let piece = next..<min(next + Self.pieceSeconds, end)
      let frames = piece.map { site.frames(second: $0) }
      let before = ProcessFacts.deviceBytes
      let begun = Spent.now
      for second in piece { try tick(second, frames[second - piece.lowerBound], commitEvery: commitEvery) }
      spent += Spent.now - begun
      deviceBytes += ProcessFacts.deviceBytes - before
      next = piece.upperBound
    }
  }

  /// At the pace of the plant: one tick in each real second.
  mutating func takeAtPace(seconds: Int, commitEvery: Int) throws {
    let begun = Spent.now
    for second in 0..<seconds {
      let frames = site.frames(second: next)
      Spent.sleep(until: begun.wallSeconds + Double(second + 1))
      let (before, start) = (ProcessFacts.deviceBytes, Spent.now)
      try tick(next, frames, commitEvery: commitEvery)
      spent += Spent.now - start
      deviceBytes += ProcessFacts.deviceBytes - before
      next += 1
    }
  }

  private mutating func tick(_ second: Int, _ frames: [Frame], commitEvery: Int) throws {
    let first = store.nextFrameSequence
    for frame in frames { try store.append(frame) }
    let instant = PolledSite.tickInstant(second)
    try store.append(
      tick: TickRecord(
        number: Int64(second + 1), instant: instant, uptime: PolledSite.uptime(at: instant), boot: 1,
        frames: first..<store.nextFrameSequence, mustBeKept: false, bytes: []))
    guard (second + 1) % commitEvery == 0 else { return }
    let start = Spent.now
    try store.commit()
    commits.append((Spent.now - start).wallSeconds)
  }

  /// Seconds below which 99 of 100 commits stay.
  var commitP99: Double { Percentile.of(commits, 0.99) }
}

enum Percentile {
  static func of(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
  }
}
