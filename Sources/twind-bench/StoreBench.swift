import FeatureStore
import Seams
import TwinCore

/// What the site's memory costs: see docs/bench.md. Each part stands by itself, in a folder of its own.
enum StoreBench {
  /// Fifty devices with shared poll times, a commit each second; bodies sealed every ten minutes.
  static func polled(in folder: String) throws {
    var feed = try StoreFeed(PolledSite(.shared), directory: folder)
    try feed.take(seconds: PolledSite.seconds, commitEvery: 1)
    printIngest(feed, "1s", goal: 2e6)
    print(Figure("store.commit_p99_ms", feed.commitP99 * 1e3, "ms", .atMost(10)))
    try feed.store.close()
    let samples = Double(feed.site.samples)
    let data = folder + "/data"
    let hot = try ProcessFacts.bytes(in: data, suffix: ".tws")
    print(Figure("store.bytes_per_sample.a_hot", Double(hot) / samples, "B", .atMost(0.44)))
  }

  /// Closes the day that `polled` left.
  static func closePolled(_ folder: String) throws {
    // The readings once more: nothing else says how many there are.
    var site = PolledSite(.shared)
    for second in 0..<PolledSite.seconds { _ = site.frames(second: second) }
    try close(folder, samples: site.samples, "store.bytes_per_sample.a", goal: 0.32)
  }

  private static func close(_ folder: String, samples: Int, _ figure: String, goal: Double) throws {
    let store = try SiteStore(directory: folder)
    let before = ProcessFacts.deviceBytes
    let spent = try Spent.by {
      try store.closeDays(before: PolledSite.begin.advanced(byNanoseconds: 86_401 * PolledSite.second))
    }
    let device = ProcessFacts.deviceBytes - before
    try store.close()
    let cold = try ProcessFacts.bytes(in: folder + "/data", suffix: ".twc")
    print(Figure(figure, Double(cold) / Double(samples), "B", .atMost(goal)))
    let name = figure.split(separator: ".").last ?? ""
    print(Figure("store.close_per_cpu_s.\(name)", Double(samples) / spent.cpuSeconds, "/s", .none))
    print(Figure("store.close_device_bytes_per_sample.\(name)", Double(device) / Double(samples), "B", .none))
  }

  /// The same with a commit every five seconds.
  static func rarely(in folder: String) throws {
    var feed = try StoreFeed(PolledSite(.shared), directory: folder)
    try feed.take(seconds: PolledSite.seconds, commitEvery: 5)
    printIngest(feed, "5s", goal: 5e6)
    try feed.store.close()
  }

  /// Every point with a time of its own.
  static func apart(in folder: String) throws {
    var feed: StoreFeed? = try StoreFeed(PolledSite(.apart), directory: folder)
    try feed?.take(seconds: PolledSite.seconds, commitEvery: 10)
    let samples = feed?.site.samples ?? 0
    try feed?.store.close()
    feed = nil
    try close(folder, samples: samples, "store.bytes_per_sample.b", goal: 0.85)
  }

  private static func printIngest(_ feed: StoreFeed, _ name: String, goal: Double) {
    let samples = Double(feed.site.samples)
    print(Figure("store.ingest_per_cpu_s.fsync_\(name)", samples / feed.spent.cpuSeconds, "/s", .atLeast(goal)))
    print(Figure("store.fast_device_bytes_per_sample.fsync_\(name)", Double(feed.deviceBytes) / samples, "B", .none))
  }

  /// At the plant's own pace: what the device is given, with a commit every second or every five.
  ///
  /// Eight minutes are taken in beforehand as fast as they go: what a start costs is not counted. Where the paced time
  /// is too short for a sealing, what sealing ten minutes of all groups costs is added in proportion.
  static func pace(in folder: String, seconds: Int, commitEvery: Int) throws {
    var feed = try StoreFeed(PolledSite(.shared), directory: folder)
    try feed.take(seconds: 480, commitEvery: commitEvery)
    let (samples, device, cpu) = (feed.site.samples, feed.deviceBytes, feed.spent.cpuSeconds)
    try feed.takeAtPace(seconds: seconds, commitEvery: commitEvery)
    let paced = Double(feed.deviceBytes - device) / Double(feed.site.samples - samples)
    let before = ProcessFacts.deviceBytes
    try feed.store.close()
    let sealing = Double(ProcessFacts.deviceBytes - before) / Double(feed.site.samples)
    print(
      Figure(
        "store.device_bytes_per_sample.fsync_\(commitEvery)s", seconds < 600 ? paced + sealing : paced, "B",
        .atMost(commitEvery == 1 ? 9 : 4)))
    let percent = 100 * (feed.spent.cpuSeconds - cpu) / Double(seconds)
    print(Figure("store.cpu_percent.fsync_\(commitEvery)s", percent, "%", .none))
  }

  /// Anonymous memory of the store with 1,000 points, half an hour into a run: more than what was there before it.
  static func memory(in folder: String) throws {
    var site = PolledSite(.shared)
    // What making readings takes is there before.
    for second in 0..<60 { _ = site.frames(second: second) }
    let before = ProcessFacts.anonymousBytes
    var feed = try StoreFeed(PolledSite(.shared), directory: folder)
    var most: Int64 = 0
    for _ in 0..<1800 {
      try feed.take(seconds: 1, commitEvery: 1)
      most = max(most, ProcessFacts.anonymousBytes)
    }
    print(Figure("store.memory_mib", Double(most - before) / 1_048_576, "MiB", .atMost(16)))
    try feed.store.close()
  }
}
