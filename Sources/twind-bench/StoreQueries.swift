import FeatureStore
import TwinCore

/// Reading two hours of a thousand points back, the page cache warm: from the open day, or from the closed one, whose
/// bodies are long and packed as well as can be.
enum StoreQueries {
  private static let hour = 3600 * PolledSite.second
  private static let rounds = 40
  private static let quietOf = 5
  /// Two hours after the day's data, when the corrections are made.
  private static let corrected = PolledSite.begin.advanced(byNanoseconds: 4 * hour)
  private static let afterwards = PolledSite.begin.advanced(byNanoseconds: 5 * hour)

  static func run(_ folder: String, isClosed: Bool) throws {
    let store = try SiteStore(directory: folder)
    let day = isClosed ? "closed_" : ""
    let ids = (0..<PolledSite.points).map { PolledSite.id(of: $0) }
    let half = PolledSite.begin.advanced(byNanoseconds: hour / 2)
    let range = half..<half.advanced(byNanoseconds: hour)
    let plain = try milliseconds { round in
      try expect(store.read(points: [ids[round * 37 % ids.count]], effective: range), samples: 3500)
    }
    print(Figure("store.\(day)range_1h_p50_ms", plain, "ms", .atMost(0.25)))
    try averages(store, ids, day)
    let latest = try milliseconds { _ in
      let found = try store.latest(points: ids)
      guard found.count == ids.count, found.allSatisfy({ $0 != nil }) else { throw BenchFault("no latest value") }
    }
    print(Figure("store.\(day)latest_1000_p50_ms", latest, "ms", .atMost(0.5)))
    try asOf(store, ids, day)
    try store.close()
  }

  /// One-minute means of ten points over two hours, from rollups that were kept.
  private static func averages(_ store: SiteStore, _ ids: [String], _ day: String) throws {
    try store.keepRollups(ofDayAt: PolledSite.begin)
    let reader = RollupReader(store)
    let all = PolledSite.begin..<PolledSite.begin.advanced(byNanoseconds: 2 * hour)
    let mean = try milliseconds { round in
      let first = round * 19 % (ids.count - 10)
      let rollups = try reader.rollup(points: Array(ids[first..<first + 10]), effective: all, step: .minute)
      guard rollups.allSatisfy({ $0.rows.count >= 120 }) else { throw BenchFault("a minute is missing") }
    }
    print(Figure("store.\(day)avg_1min_10x2h_p50_ms", mean, "ms", .atMost(0.5)))
  }

  /// A hundred points are corrected over twelve minutes: 1 % of all samples. Then one hour of such a point is read as
  /// it was known before, and as it is known now; the slower of the two is the figure.
  private static func asOf(_ store: SiteStore, _ ids: [String], _ day: String) throws {
    let points = ids.indices.filter { $0 % 10 == 3 }.map { ids[$0] }
    let range = PolledSite.begin..<PolledSite.begin.advanced(byNanoseconds: hour)
    let plain = try milliseconds { round in
      try expect(store.read(points: [points[round % points.count]], effective: range), samples: 3500)
    }
    let bytes = try store.stats().usedBytes
    let count = try correct(store, points)
    let more = try store.stats().usedBytes - bytes
    print(Figure("store.\(day)bytes_per_correction", Double(more) / Double(count), "B", .atMost(1.5)))
    let before = PolledSite.begin.advanced(byNanoseconds: 3 * hour)
    let past = try milliseconds { round in
      try expect(store.read(points: [points[round % points.count]], effective: range, asOf: before), samples: 3500)
    }
    let now = try milliseconds { round in
      let found = try store.read(points: [points[round % points.count]], effective: range, asOf: afterwards)
      try expect(found, samples: 3500)
      guard found[0].samples.contains(where: { $0.observed > before }) else { throw BenchFault("nothing is corrected") }
    }
    print(Figure("store.\(day)asof_1h_p50_ms", max(past, now), "ms", .atMost(0.25)))
    print(Figure("store.\(day)asof_over_plain", max(past, now) / plain, "x", .atMost(1.3)))
  }

  /// Gives the number of samples that were corrected.
  private static func correct(_ store: SiteStore, _ points: [String]) throws -> Int {
    let minutes = 60 * PolledSite.second
    let range =
      PolledSite.begin.advanced(byNanoseconds: 10 * minutes)..<PolledSite.begin.advanced(byNanoseconds: 22 * minutes)
    let layouts = PolledSite(.shared).layouts
    let scales = Dictionary(uniqueKeysWithValues: layouts.flatMap { zip($0.points, $0.scales) })
    var count = 0
    for point in points {
      let scale = scales[point] ?? 1
      let samples = try store.read(points: [point], effective: range)[0].samples
      count += samples.count
      try store.correct(
        point: point,
        samples: samples.map { sample in
          let value = ((sample.value / scale).rounded() + 5) * scale
          return CorrectedSample(effective: sample.effective, value: value, quality: sample.quality)
        },
        reason: "the sensor was bridged", by: "bench")
    }
    let tick = store.lastTickNumber + 1
    let frame = store.nextFrameSequence
    try store.append(
      tick: TickRecord(
        number: tick, instant: corrected, uptime: PolledSite.uptime(at: corrected), boot: 1, frames: frame..<frame,
        mustBeKept: false, bytes: []))
    try store.commit()
    return count
  }

  private static func expect(_ series: [PointSeries], samples: Int) throws {
    guard series.count == 1, series[0].samples.count >= samples, !series[0].isTruncated else {
      throw BenchFault("\(series.first?.samples.count ?? 0) samples where \(samples) or more are stored")
    }
  }

  /// The median of forty rounds, after some that warm up; of five times forty the quietest.
  static func milliseconds(_ body: (Int) throws -> Void) throws -> Double {
    for round in 0..<20 { try body(round) }
    var least = Double.infinity
    for block in 0..<quietOf {
      let times = try (0..<rounds).map { round in
        let start = Spent.now
        try body(block * rounds + round)
        return (Spent.now - start).wallSeconds * 1e3
      }
      least = min(least, Percentile.of(times, 0.5))
    }
    return least
  }
}
