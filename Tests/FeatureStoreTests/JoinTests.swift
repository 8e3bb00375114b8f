import Testing
import TwinCore

@testable import FeatureStore

@Suite("A training set is joined without a leak") struct JoinTests {
  private func column(
    _ join: JoinLabels, _ samples: KnownSamples, meanings: [MeaningRevision] = [], revision: FeatureRevision? = nil
  ) -> JoinedColumn {
    var walk: JoinWalk?
    return join.column(
      of: .point("p"), samples, meanings: meanings, storedUnit: "Cel", revision: revision, sharing: &walk)
  }

  /// Per label, by going through everything: the last instant up to it of what was known then.
  private func naive(
    _ said: OverlayStackTests.Said, label: Int64, tick: Int64, ageMax: Int64
  ) -> (effective: Int64, value: Double, quality: Quality, tick: Int64)? {
    let known = said.known(.min..<label + 1, through: tick)
    guard let row = known.effective.indices.last, label - known.effective[row] <= ageMax else { return nil }
    return (known.effective[row], known.values[row], known.qualities[row], known.ticks[row])
  }

  @Test("the same rows as a quadratic join, and none that was not known", arguments: 0..<60 as Range<UInt64>)
  func model(seed: UInt64) {
    var random = Seeded(seed)
    let (said, frames, overlays) = OverlayStackTests.history(&random)
    // Labels may be far from what is known at them, on either side.
    let lag = Int64.random(in: -20...20, using: &random)
    let labels = (0..<50).map { _ in Int64.random(in: 0..<100, using: &random) }.sorted()
    let isFixed = Bool.random(using: &random)
    let ticks = labels.map { isFixed ? 40 : $0 + lag }
    let ageMax = Bool.random(using: &random) ? Int64.max : .random(in: 0...20, using: &random)
    let join = JoinLabels(instants: labels, knownThrough: ticks, ageMax: ageMax)
    let column = column(join, KnownSamples(frames: frames, overlays: overlays))
    for row in labels.indices {
      let truth = naive(said, label: labels[row], tick: ticks[row], ageMax: ageMax)
      #expect(column.effective[row] == truth.map { Instant(nanoseconds: $0.effective) } ?? .distantPast, "seed \(seed)")
      #expect(column.qualities[row] == truth?.quality ?? .never, "seed \(seed)")
      if let truth, truth.quality.hasValue { #expect(column.values[row] == truth.value, "seed \(seed)") }
      if let truth { #expect(truth.tick <= ticks[row] && truth.effective <= labels[row], "a leak, seed \(seed)") }
    }
  }

  @Test("a meaning counts from the tick at which it was known")
  func meaning() {
    var frames = SampleColumns()
    for instant in 0..<10 as Range<Int64> { frames.append(instant, tick: instant, value: 10, quality: .good) }
    let always = Instant.distantPast ..< .distantFuture
    let meanings = [
      MeaningRevision(meaning: Meaning(unit: "K", factor: 2), effective: always, tick: 3, reason: ""),
      MeaningRevision(
        meaning: Meaning(unit: "K", factor: 3, valid: 0...20), effective: always, tick: 6, reason: ""),
    ]
    let labels = Array(0..<10 as Range<Int64>)
    let join = JoinLabels(instants: labels, knownThrough: labels, ageMax: .max)
    let column = column(join, KnownSamples(frames: frames, overlays: []), meanings: meanings)
    #expect(column.values == [10, 10, 10, 20, 20, 20, 30, 30, 30, 30])
    #expect(column.qualities.map(\.isUsable) == [true, true, true, true, true, true, false, false, false, false])
    #expect(column.unit == nil)
    let later = JoinLabels(instants: labels, knownThrough: labels.map { _ in 5 }, ageMax: .max)
    #expect(self.column(later, KnownSamples(frames: frames, overlays: []), meanings: meanings).unit == "K")
  }

  @Test("a defined feature is made of the window as it was known at the label", arguments: 0..<30 as Range<UInt64>)
  func windows(seed: UInt64) {
    var random = Seeded(seed)
    let (said, frames, overlays) = OverlayStackTests.history(&random)
    let labels = (0..<50).map { _ in Int64.random(in: 0..<100, using: &random) }.sorted()
    let every = Duration.nanoseconds(Int64.random(in: 0...7, using: &random))
    let definition = FeatureDefinition(
      .rolling(point: "p", .allCases.randomElement(using: &random)!, window: .nanoseconds(9), every: every))
    let revision = FeatureRevision(
      name: "f", version: 4, definition: definition, effective: .distantPast ..< .distantFuture, tick: 1, reason: "")
    let join = JoinLabels(instants: labels, knownThrough: labels, ageMax: .max)
    let column = column(join, KnownSamples(frames: frames, overlays: overlays), revision: revision)
    for (row, label) in labels.enumerated() {
      let step = every.wholeNanoseconds
      let limit = step > 0 ? label - label % step : label
      let known = said.known(.min..<limit + 1, through: label)
      let last = known.effective.last ?? .min
      let end = step > 0 ? limit : last
      guard known.count > 0, last > end - 9 else {
        #expect(column.effective[row] == .distantPast, "seed \(seed)")
        continue
      }
      var window = FeatureWindow()
      for index in 0..<known.count where known.effective[index] > end - 9 && known.qualities[index].isUsable {
        window.append(known.effective[index], known.values[index])
      }
      let truth = definition.value(of: window, end: end)
      #expect(column.effective[row] == Instant(nanoseconds: end), "seed \(seed)")
      #expect(column.qualities[row] == truth.quality, "seed \(seed)")
      #expect(column.values[row].bitPattern == truth.value.bitPattern, "seed \(seed)")
    }
    #expect(column.version == 4)
  }

  @Test("frames that came in order take a short way, labels in any order a detour; the rows are the same")
  func ways() {
    var random = Seeded(5)
    for seed in 0..<40 as Range<UInt64> {
      var frames = SampleColumns()
      for instant in 0..<80 as Range<Int64> where Int.random(in: 0..<3, using: &random) > 0 {
        frames.append(
          instant, tick: instant + 2, value: Double(instant), quality: Bool.random(using: &random) ? .good : .failed)
      }
      let labels = (0..<60).map { _ in Int64.random(in: -5..<99, using: &random) }
      let order = labels.indices.sorted { labels[$0] < labels[$1] }
      let join = JoinLabels(
        instants: order.map { labels[$0] }, knownThrough: order.map { labels[$0] }, ageMax: 30,
        rows: order.map { Int32($0) })
      let plain = column(join, KnownSamples(frames: frames, overlays: []))
      // A change of nothing: it takes the other way.
      let nothing = Overlay(
        tick: 0, effective: 1000..<1001, operation: .retract, grounds: Grounds(reason: "", by: ""))
      #expect(column(join, KnownSamples(frames: frames, overlays: [nothing])) == plain, "seed \(seed)")
      for (row, label) in labels.enumerated() {
        let last = (0..<frames.count).last { frames.effective[$0] <= label && frames.ticks[$0] <= label }
        let place = last.flatMap { label - frames.effective[$0] <= 30 ? $0 : nil }
        #expect(plain.effective[row] == place.map { Instant(nanoseconds: frames.effective[$0]) } ?? .distantPast)
        #expect(plain.qualities[row] == place.map { frames.qualities[$0] } ?? .never)
      }
    }
  }

  @Test("the tree of bits is a set", arguments: [1, 63, 64, 65, 4096, 5000, 300_000])
  func bits(count: Int) {
    var random = Seeded(UInt64(count))
    var (bits, truth) = (RankedBits(count: count), Set<Int>())
    for _ in 0..<2000 {
      let number = Int.random(in: 0..<count, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        bits.remove(number)
        truth.remove(number)
      case 1 where count > 1:
        let range = number..<min(count, number + count / 4)
        bits.remove(range)
        truth = truth.filter { !range.contains($0) }
      default:
        bits.insert(number)
        truth.insert(number)
      }
      let asked = Int.random(in: 0..<count, using: &random)
      #expect(bits.last(through: asked) == truth.filter { $0 <= asked }.max())
    }
  }
}
