public import FeatureStore
public import Models
public import SiteKernel
import Sodium
public import TwinCore

/// What a model would have seen over a stretch of the record: the same samples that the kernel gave it.
public struct ModelHistory: Sendable {
  /// In order, at most `samplesMax`: beyond it the oldest went.
  public var samples: [ModelSample]
  public var window: Range<Instant>
  /// Over every sample's bits.
  public var digest: Digest
  /// That were fed; nil where the samples are from elsewhere than a site's record.
  public var ticks: ClosedRange<Int64>?

  /// A year of steps of three minutes.
  public static let samplesMax = 1 << 18
  /// A gap is given to a table as so many rows at most: the states are unknown again by then.
  static let gapRowsMax: Int64 = 96

  public init(_ samples: [ModelSample], ticks: ClosedRange<Int64>? = nil) {
    self.samples = samples.suffix(Self.samplesMax)
    self.ticks = ticks
    let first = self.samples.first?.instant ?? Instant(nanoseconds: 0)
    let last = self.samples.last?.instant ?? first
    window = first..<max(first, last).advanced(byNanoseconds: 1)
    digest = Self.digest(self.samples)
  }

  private static func digest(_ samples: [ModelSample]) -> Digest {
    var hash = Blake2b()
    var writer = CanonicalWriter(reservingBytes: 512)
    for sample in samples {
      writer.reset()
      writer.array(5)
      writer.integer(sample.step)
      writer.instant(sample.instant)
      writer.integer(sample.elapsed)
      writer.doubles(sample.inputs)
      writer.doubles(sample.outputs)
      hash.update(writer.bytes)
    }
    return hash.finish()
  }

  /// How many samples brought at least one reading.
  public var readings: Int { samples.count { $0.outputs.contains(where: \.isFinite) } }

  /// The first `count` samples, and the others.
  public func split(at count: Int) -> (before: ModelHistory, after: ModelHistory) {
    (ModelHistory(Array(samples.prefix(count))), ModelHistory(Array(samples.dropFirst(count))))
  }
}

extension ModelHistory {
  /// The histories of several models from one walk along the record, each of the samples from `since` on.
  ///
  /// The kernel is stepped without policies, envelopes, alarms and models: the picture of the plant is what it is, and
  /// nothing is decided twice. The record must be of layouts that are the site's own; see `LayoutHistory`.
  ///
  /// - Parameter progress: Called every 1,000 ticks with the tick's instant; false ends the walk there.
  public static func collect(
    _ models: [ModelDefinition], of site: SiteDefinition, over cursor: TickCursor, since: Instant = .distantPast,
    progress: (Instant) -> Bool = { _ in true }
  ) throws(StoreError) -> [ModelHistory] {
    var plain = site
    (plain.envelopes, plain.policies, plain.alarms, plain.models) = ([], [], [], [])
    var kernel = SiteKernel(plain, hash: { _ in .zero })
    var outcome = Outcome()
    var feeds = models.map { ModelFeed($0) }
    var samples: [[ModelSample]] = models.map { _ in [] }
    var ticks: ClosedRange<Int64>?
    var walked = 0
    while let (record, frames) = try cursor.next() {
      // What was recorded under other layouts would be read as other points.
      guard record.number > kernel.lastTick, record.instant >= since else { continue }
      guard let (tick, _) = try? Replay.decode(record, frames) else { continue }
      for case .session(true, _, _) in tick.commands { for index in feeds.indices { feeds[index].rebase() } }
      kernel.step(tick, into: &outcome)
      ticks = (ticks?.lowerBound ?? tick.number)...tick.number
      for (index, model) in models.enumerated()
      where feeds[index].take(kernel.image, at: tick.instant, isClockTrusted: tick.isClockTrusted, model) {
        samples[index].append(feeds[index].sample)
        // In halves, so that what is dropped costs nothing per sample.
        if samples[index].count >= 2 * samplesMax { samples[index].removeFirst(samplesMax) }
      }
      walked += 1
      if walked % 1000 == 0, !progress(tick.instant) { break }
    }
    return samples.map { ModelHistory($0, ticks: ticks) }
  }

  /// Of one model.
  public static func collect(
    _ model: ModelDefinition, of site: SiteDefinition, over cursor: TickCursor, since: Instant = .distantPast
  ) throws(StoreError) -> ModelHistory {
    try collect([model], of: site, over: cursor, since: since)[0]
  }

  /// As rows for a calibration: a sample's inputs held in the step before it, its outputs were read at its end.
  public func table(_ model: ModelDefinition) -> ObservationTable {
    let (width, height) = (model.inputs.count, model.outputs.count)
    var inputs: [Double] = []
    var outputs: [Double] = []
    inputs.reserveCapacity(samples.count * width)
    outputs.reserveCapacity(samples.count * height)
    var steps = 0
    for sample in samples {
      for _ in 1..<max(1, min(sample.elapsed, Self.gapRowsMax)) where steps > 0 {
        inputs.append(contentsOf: repeatElement(.nan, count: width))
        outputs.append(contentsOf: repeatElement(.nan, count: height))
        steps += 1
      }
      // They held until now: the row before.
      if steps > 0 { inputs.append(contentsOf: sample.inputs) }
      outputs.append(contentsOf: sample.outputs)
      steps += 1
    }
    // What holds after the last reading is not known.
    if steps > 0 { inputs.append(contentsOf: repeatElement(.nan, count: width)) }
    // Nothing read and something unknown: an outage, in which what a constant or a plan says is no help.
    for step in 0..<steps where !(0..<height).contains(where: { outputs[step * height + $0].isFinite }) {
      guard (0..<width).contains(where: { inputs[step * width + $0].isNaN }) else { continue }
      for input in 0..<width { inputs[step * width + input] = .nan }
    }
    return ObservationTable(secondsPerStep: model.stepSeconds, steps: steps, inputs: inputs, outputs: outputs)
  }
}

/// Since when the record holds the layouts that a site has now.
public enum LayoutHistory {
  /// The past before it must not be read with the site's points; `distantPast` where nothing else was ever recorded.
  ///
  /// A group that had another layout, and then its present one again without a new registration, counts from the
  /// first session of the present pack after that.
  public static func begin(
    of layouts: [FrameLayout], in reader: StoreReader, pack: Digest
  ) throws(StoreError) -> Instant {
    var begin = Instant.distantPast
    var isUnregistered = false
    for layout in layouts {
      let known = reader.layouts.values.filter { $0.layout.group == layout.group }
      guard let other = known.filter({ $0.layout.points != layout.points }).map(\.registered).max() else { continue }
      let own = known.filter { $0.layout.points == layout.points && $0.registered > other }.map(\.registered).min()
      begin = max(begin, own ?? other)
      if own == nil { isUnregistered = true }
    }
    guard isUnregistered else { return begin }
    let sessions = try reader.events(limit: 10_000)
      .filter { $0.kind == "session" && $0.subject == pack.hex && $0.instant > begin }
    return sessions.map(\.instant).min() ?? .distantFuture
  }
}
