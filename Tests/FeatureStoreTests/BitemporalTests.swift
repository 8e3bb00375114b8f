import Testing
import TwinCore

@testable import FeatureStore

@Suite("The store is a plain list of everything that was ever said") struct BitemporalTests {
  let site = Site()
  private static let points = ["p0", "p1", "p2"]
  private static let always = Instant.distantPast ..< .distantFuture

  /// What every answer is compared with.
  private struct Model {
    var said: [String: OverlayStackTests.Said] = [:]
    var meanings: [String: [MeaningRevision]] = [:]
    var ticks: [(number: Int64, instant: Instant)] = []

    /// The last tick before the first one that was counted after `asOf`.
    func tick(_ asOf: Instant?) -> Int64 {
      guard let asOf else { return .max }
      return ticks.prefix { $0.instant <= asOf }.last?.number ?? .min
    }

    func observed(_ tick: Int64) -> Instant { ticks.last { $0.number <= tick }?.instant ?? .distantPast }

    /// Stored samples.
    func samples(_ point: String, _ range: Range<Instant>, through tick: Int64) -> SampleColumns {
      said[point]?.known(range.lowerBound.nanoseconds..<range.upperBound.nanoseconds, through: tick) ?? SampleColumns()
    }

    func meaning(_ point: String, at instant: Int64, through tick: Int64) -> MeaningRevision? {
      meanings[point]?.last { $0.tick <= tick && $0.effective.contains(Instant(nanoseconds: instant)) }
    }

    func read(_ point: String, _ range: Range<Instant>, through tick: Int64) -> [PointSeries.Sample] {
      let samples = samples(point, range, through: tick)
      return (0..<samples.count).map { row in
        let meaning = meaning(point, at: samples.effective[row], through: tick)?.meaning
        let found = meaning?.read(samples.values[row], samples.qualities[row])
        return PointSeries.Sample(
          effective: Instant(nanoseconds: samples.effective[row]), observed: observed(samples.ticks[row]),
          value: found?.value ?? samples.values[row], quality: found?.quality ?? samples.qualities[row])
      }
    }
  }

  /// One site's life, step by step.
  private struct Life {
    var model = Model()
    /// As of an earlier tick the store may say that it cannot tell.
    var horizon = Int64.min
    var refusals = 0
    var random: Seeded
    var now: Int64 = 1_699_990_000
    var number: Int64 = 0
    private var layouts: [FrameLayout] = []

    init(_ seed: UInt64) { random = Seeded(seed) }

    mutating func register(_ store: SiteStore) throws {
      // A point may stand in two groups, and come and go.
      let second = Int.random(in: 0..<2, using: &random) == 0 ? ["p2", "p0"] : ["p2"]
      layouts = [Self.layout(0, ["p0", "p1"]), Self.layout(1, second)]
      for layout in layouts { try store.register(layout, at: .second(now)) }
    }

    private static func layout(_ group: Int32, _ points: [String]) -> FrameLayout {
      FrameLayout(
        group: group, points: points, scales: points.map { $0 == "p0" ? 0.1 : 0 }, units: points.map { _ in "Cel" },
        variances: points.map { _ in 0 }, provenance: points.map { _ in "test" })
    }

    private mutating func someInstant() -> Int64 {
      now - [0, 0, 600, 4000, 90_000].randomElement(using: &random)! + .random(in: -300...300, using: &random)
    }

    mutating func tick(_ store: SiteStore) throws {
      number += 1
      now += Int64.random(in: 1...900, using: &random)
      let isStep = Int.random(in: 0..<40, using: &random) == 0
      let instant = isStep ? [now - 3600, now + 3600, 5].randomElement(using: &random)! : now
      var frames: [Frame] = []
      for layout in layouts where Int.random(in: 0..<4, using: &random) > 0 {
        for _ in 0..<[1, 1, 1, 3].randomElement(using: &random)! {
          let isLate = Int.random(in: 0..<6, using: &random) == 0
          let values = layout.points.map {
            $0 == "p0" ? Double(Int.random(in: 0...500, using: &random)) * 0.1 : .random(in: -9...9, using: &random)
          }
          let qualities = layout.points.map { _ in
            Int.random(in: 0..<12, using: &random) == 0 ? Quality.failed : .good
          }
          frames.append(
            .test(
              group: layout.group, at: isLate ? someInstant() : now - .random(in: 0...60, using: &random),
              values: values, qualities: qualities))
        }
      }
      let stored = try store.add(tick: number, at: .second(instant), frames).1
      model.ticks.append((number, .second(instant)))
      for frame in stored {
        let layout = layouts.first { $0.group == frame.group }!
        for (column, point) in layout.points.enumerated() {
          model.said[point, default: .init()].all.append(
            (number, false, .sample(frame.effective.nanoseconds, frame.values[column], frame.qualities[column])))
        }
      }
    }

    /// A correction, late samples, a retraction or a meaning; known from the next tick.
    mutating func change(_ store: SiteStore) throws {
      let point = BitemporalTests.points.randomElement(using: &random)!
      let start = someInstant()
      let range = Instant.second(start)..<Instant.second(start + .random(in: 1...2000, using: &random))
      switch Int.random(in: 0..<8, using: &random) {
      case 0, 1:
        try store.retract(point: point, effective: range, reason: "r\(number)", cause: "c", by: "b")
        let stretch = range.lowerBound.nanoseconds..<range.upperBound.nanoseconds
        model.said[point, default: .init()].all.append((number + 1, true, .nothing(stretch)))
      case 2:
        let meaning = Meaning(
          unit: "K", factor: Double(Int.random(in: 1...3, using: &random)),
          offset: Double(Int.random(in: 0...2, using: &random)), valid: Bool.random(using: &random) ? nil : 0...60)
        let effective = Bool.random(using: &random) ? BitemporalTests.always : range
        try store.revise(point: point, meaning: meaning, effective: effective, reason: "r\(number)")
        model.meanings[point, default: []].append(
          MeaningRevision(meaning: meaning, effective: effective, tick: number + 1, reason: "r\(number)"))
      default:
        var samples: [CorrectedSample] = []
        let known = model.samples(point, range, through: .max).effective
        let fresh = (0..<Int.random(in: 1...5, using: &random)).map { _ in
          Int64.random(in: start...start + 2000, using: &random) * 1_000_000_000
        }
        for instant in Set(known + fresh) where Int.random(in: 0..<3, using: &random) > 0 {
          samples.append(
            CorrectedSample(
              effective: Instant(nanoseconds: instant), value: .random(in: 0...50, using: &random),
              quality: Int.random(in: 0..<9, using: &random) == 0 ? .suspect : .good))
        }
        try store.correct(point: point, samples: samples, reason: "r\(number)", cause: "c", by: "b")
        for sample in samples {
          model.said[point, default: .init()].all.append(
            (number + 1, true, .sample(sample.effective.nanoseconds, sample.value, sample.quality)))
        }
      }
    }

    /// Folds what lies further back than an hour; whole days only.
    mutating func fold(_ store: SiteStore) throws {
      var retention = Retention(keep: .seconds(9_000_000_000), keepDecisions: .seconds(9_000_000_000))
      retention.history = .seconds(3600)
      while try !store.prune(retention, now: .second(now)).isDone {}
      let edge = (now - 3600) / 86_400 * 86_400
      horizon = max(horizon, model.tick(Instant(nanoseconds: edge * 1_000_000_000 - 1)))
    }

    /// False where the store may and does refuse what was known then.
    mutating func asks(_ tick: Int64, _ body: () throws -> Void) throws -> Bool {
      do { try body() } catch let error as StoreError where error.kind == .folded {
        #expect(tick < horizon, "\(error)")
        refusals += 1
        return false
      }
      return true
    }

    mutating func range() -> Range<Instant> {
      let low = now - .random(in: -1000...120_000, using: &random)
      return .second(low)..<Instant.second(low + .random(in: 0...30_000, using: &random))
    }

    mutating func asOf() -> Instant? {
      Bool.random(using: &random) ? nil : .second(now - .random(in: -1000...100_000, using: &random))
    }
  }

  @Test("as of any instant on both axes, through restarts, seals and closed days", arguments: 0..<14 as Range<UInt64>)
  func model(seed: UInt64) throws {
    var life = Life(seed)
    var store: SiteStore! = try site.open()
    try life.register(store)
    try life.tick(store)
    try store.commit()
    try store.define(
      feature: "mean", FeatureDefinition(.rolling(point: "p0", .mean, window: .seconds(1800), every: .zero)),
      reason: "test")
    var rollups = RollupReader(store)
    for step in 1...240 {
      try life.tick(store)
      // Twice in a tick, so that the order within it counts.
      while Int.random(in: 0..<5, using: &life.random) == 0 { try life.change(store) }
      if Int.random(in: 0..<3, using: &life.random) == 0 { try store.commit() }
      switch Int.random(in: 0..<60, using: &life.random) {
      case 0:
        try store.commit()
        try store.closeDays(before: .second(life.now))
        try store.keepRollups(ofDayAt: .second(life.now - 86_400))
      case 1:
        try store.commit()
        if Bool.random(using: &life.random) { try store.close() }
        store = nil
        store = try site.open()
        rollups = RollupReader(store)
        try life.register(store)
      case 2: try life.register(store)
      default: break
      }
      if step % 40 == 0 {
        try store.commit()
        try check(&life, store.reader, rollups, "seed \(seed), step \(step)")
      }
    }
    try store.commit()
    let beside = try StoreReader(directory: site.path)
    try check(&life, beside, RollupReader(beside), "seed \(seed), beside")
    #expect(beside.badBodies == [])
  }

  @Test(
    "as of any instant that is told apart, while changes beyond a horizon are folded", arguments: 0..<8 as Range<UInt64>
  )
  func folding(seed: UInt64) throws {
    var life = Life(seed)
    var store: SiteStore! = try site.open()
    try life.register(store)
    try life.tick(store)
    try store.commit()
    try store.define(
      feature: "mean", FeatureDefinition(.rolling(point: "p0", .mean, window: .seconds(1800), every: .zero)),
      reason: "test")
    var folds = 0
    for step in 1...400 {
      try life.tick(store)
      while Int.random(in: 0..<3, using: &life.random) > 0 { try life.change(store) }
      if Int.random(in: 0..<3, using: &life.random) == 0 { try store.commit() }
      if step % 90 == 0 {
        try store.commit()
        try life.fold(store)
        folds += try store.versions(family: "overlay", subject: nil, overlapping: Self.always)
          .count { OverlayFold.isFold($0.bytes) }
      }
      if step % 130 == 0 {
        try store.commit()
        try store.close()
        store = try site.open()
        try life.register(store)
      }
      if step % 50 == 0 {
        try store.commit()
        try check(&life, store.reader, RollupReader(store), "seed \(seed), step \(step)")
      }
    }
    try store.commit()
    let beside = try StoreReader(directory: site.path)
    try check(&life, beside, RollupReader(beside), "seed \(seed), beside")
    #expect(beside.badBodies == [] && life.horizon > 0 && folds > 0)
  }

  private func check(_ life: inout Life, _ reader: StoreReader, _ rollups: RollupReader, _ comment: Comment) throws {
    let model = life.model
    for _ in 0..<12 {
      let (range, asOf) = (life.range(), life.asOf())
      let tick = model.tick(asOf)
      var found: [PointSeries] = []
      guard
        try life.asks(tick, { found = try reader.read(points: Self.points, effective: range, asOf: asOf) })
      else { continue }
      for (point, series) in zip(Self.points, found) {
        expectSame(series.samples, model.read(point, range, through: tick), comment)
        for (index, unit) in series.units.enumerated() {
          let end = index + 1 < series.units.count ? series.units[index + 1].start : series.samples.count
          for sample in series.samples[unit.start..<end] {
            let meaning = model.meaning(point, at: sample.effective.nanoseconds, through: tick)
            #expect(unit.unit == meaning?.meaning.unit ?? "Cel" && unit.revision == meaning?.tick, comment)
          }
        }
      }
    }
    for point in Self.points {
      let known = model.samples(point, life.range(), through: .max)
      for instant in known.effective.prefix(3) where life.horizon == .min {
        try checkHistory(model, reader, point, instant, comment)
      }
      try checkRollups(&life, rollups, point, comment)
    }
    try checkJoin(&life, reader, comment)
  }

  private func expectSame(_ found: [PointSeries.Sample], _ expected: [PointSeries.Sample], _ comment: Comment) {
    #expect(found.count == expected.count, comment)
    for (found, expected) in zip(found, expected) {
      #expect(found.effective == expected.effective && found.observed == expected.observed, comment)
      #expect(found.quality == expected.quality, comment)
      #expect(found.value.bitPattern == expected.value.bitPattern || !expected.quality.hasValue, comment)
    }
  }

  private func checkHistory(
    _ model: Model, _ reader: StoreReader, _ point: String, _ instant: Int64, _ comment: Comment
  ) throws {
    let history = try reader.history(point: point, at: Instant(nanoseconds: instant))
    var expected: [(tick: Int64, isChange: Bool, value: Double?)] = []
    for said in model.said[point]!.all {
      switch said.what {
      case .sample(instant, let value, _): expected.append((said.tick, said.isChange, value))
      case .nothing(let range) where range.contains(instant): expected.append((said.tick, said.isChange, nil))
      default: break
      }
    }
    let order = expected.indices.sorted {
      (expected[$0].tick, expected[$0].isChange ? 1 : 0, $0) < (expected[$1].tick, expected[$1].isChange ? 1 : 0, $1)
    }
    #expect(history.map(\.tick) == order.map { expected[$0].tick }, comment)
    for (version, place) in zip(history, order) {
      #expect(version.observed == model.observed(version.tick), comment)
      if version.quality.hasValue { #expect(version.value == expected[place].value, comment) }
      switch version.origin {
      case .frame: #expect(!expected[place].isChange, comment)
      case .correction(let grounds): #expect(expected[place].value != nil && grounds.by == "b", comment)
      case .retraction(let grounds): #expect(expected[place].value == nil && grounds.cause == "c", comment)
      }
    }
  }

  private func checkRollups(
    _ life: inout Life, _ rollups: RollupReader, _ point: String, _ comment: Comment
  ) throws {
    let (range, asOf) = (life.range(), life.asOf())
    guard !range.isEmpty else { return }
    let tick = life.model.tick(asOf)
    for step in Rollup.Step.allCases {
      var rolled: Rollup?
      guard
        try life.asks(
          tick, { rolled = try rollups.rollup(points: [point], effective: range, step: step, asOf: asOf)[0] }),
        let found = rolled
      else { continue }
      let low = range.lowerBound.nanoseconds.flooredMultiple(of: step.nanoseconds)
      let high = range.upperBound.nanoseconds.ceiledMultiple(of: step.nanoseconds)
      let samples = life.model.read(
        point, Instant(nanoseconds: low)..<Instant(nanoseconds: high), through: tick)
      // A step in which the unit changes has a row for each.
      let groups = Dictionary(grouping: samples) { $0.effective.nanoseconds.flooredMultiple(of: step.nanoseconds) }
      #expect(Set(found.rows.map(\.start.nanoseconds)) == Set(groups.keys), comment)
      for (start, samples) in groups {
        let rows = found.rows.filter { $0.start.nanoseconds == start }
        let good = samples.filter(\.quality.isUsable).map(\.value)
        #expect(rows.map(\.count).reduce(0, +) == good.count, comment)
        #expect(rows.map(\.bad).reduce(0, +) == samples.count - good.count, comment)
        guard let least = good.min(), let most = good.max() else { continue }
        let told = rows.filter { $0.count > 0 }
        // A valid range never narrows a tile that is rolled up before it is read, so the ends are those of the samples.
        #expect(told.map(\.minimum).min() == least && told.map(\.maximum).max() == most, comment)
        let sum = told.map { $0.mean * Double($0.count) }.reduce(0, +)
        #expect((sum - good.reduce(0, +)).magnitude <= 1e-9 * (1 + good.map(\.magnitude).reduce(0, +)), comment)
      }
    }
  }

  private func checkJoin(_ life: inout Life, _ reader: StoreReader, _ comment: Comment) throws {
    let model = life.model
    let labels = (0..<12).map { _ in Instant.second(life.now - .random(in: -500...60_000, using: &life.random)) }
    let age: Int64 = [1000, 20_000].randomElement(using: &life.random)!
    var columns: [JoinedColumn] = []
    guard
      try life.asks(
        labels.map(model.tick).min() ?? .min,
        {
          columns = try reader.join(
            labels: labels, Self.points.map { .point($0) } + [.feature("mean")], maxAge: .seconds(age))
        })
    else { return }
    for (row, label) in labels.enumerated() {
      let tick = model.tick(label)
      let range = label.advanced(byNanoseconds: -age * 1_000_000_000)..<label.advanced(byNanoseconds: 1)
      for (index, point) in Self.points.enumerated() {
        let last = model.read(point, range, through: tick).last
        #expect(columns[index].effective[row] == last?.effective ?? .distantPast, comment)
        #expect(columns[index].qualities[row] == last?.quality ?? .never, comment)
        if let last, last.quality.hasValue { #expect(columns[index].values[row] == last.value, comment) }
        // No leak: nothing that was learned later than the last tick that the label saw.
        if let last { #expect(model.ticks.contains { $0.number <= tick && $0.instant == last.observed }, comment) }
      }
      guard !model.ticks.isEmpty, tick >= 2 else { continue }
      let values = try reader.compute(feature: "mean", effective: range, asOf: label).stretches.flatMap(\.values)
      #expect(columns[3].effective[row] == values.last?.effective ?? .distantPast, comment)
      #expect(columns[3].qualities[row] == values.last?.quality ?? .never, comment)
      if let last = values.last, last.quality.hasValue {
        #expect(columns[3].values[row].bitPattern == last.value.bitPattern, comment)
      }
    }
    let instants = labels.map(\.nanoseconds).sorted()
    #expect(
      try reader.archive.ticks(asOf: instants) == instants.map { instant in try reader.archive.tick(asOf: instant) },
      comment)
  }
}
