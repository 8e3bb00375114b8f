import Testing
import TwinCore

@testable import FeatureStore

@Suite("A feature is a recipe with a version") struct FeatureTests {
  static let recipes: [FeatureDefinition.Recipe] = [
    .raw(point: "ahu.t"), .scaled(point: "ahu.t"),
    .rolling(point: "ahu.t", .mean, window: .seconds(60), every: .zero),
    .rolling(point: "ahu.t", .deviation, window: .seconds(600), every: .seconds(60)),
    .rolling(point: "ahu.t", .minimum, window: .seconds(60), every: .zero),
    .rolling(point: "ahu.t", .maximum, window: .seconds(60), every: .zero),
    .band(point: "ahu.t", lowHz: 0.1, highHz: 0.4, window: .seconds(60), every: .seconds(30)),
    .embedding(object: "camera.roof", model: Digest(bytes: Array(0..<32))!),
  ]

  @Test("that comes back as it was written", arguments: recipes)
  func bytes(recipe: FeatureDefinition.Recipe) throws {
    let range = Instant.second(5)..<Instant.distantFuture
    let revision = FeatureRevision(
      name: "f", version: 3, definition: FeatureDefinition(recipe), effective: range, tick: 9, reason: "first try")
    #expect(revision.definition.defect == nil)
    #expect(try FeatureRevision(revision.bytes, name: "f", version: 3, tick: 9, effective: range) == revision)
  }

  @Test(
    "whose unit follows from its point's",
    arguments: [
      (0, "Cel", "Cel"), (2, "Cel", "Cel"), (3, "Cel", "K"), (4, "[degF]", "[degF]"), (6, "Cel", "K2"),
      (6, "kW", "kW2"), (6, "m3/h", "(m3/h).(m3/h)"), (6, "1", "1"), (7, "Cel", "1"),
    ])
  func unit(recipe: Int, of unit: String, is expected: String) {
    #expect(FeatureDefinition(Self.recipes[recipe]).unit(of: unit) == expected)
  }

  @Test(
    "and that is refused when it cannot be",
    arguments: [
      .rolling(point: "p", .mean, window: .zero, every: .zero),
      .rolling(point: "p", .mean, window: .seconds(32 * 86_400), every: .zero),
      .rolling(point: "p", .mean, window: .seconds(1), every: .seconds(-1)),
      .band(point: "p", lowHz: 0.1, highHz: 0.2, window: .seconds(60), every: .zero),
      .band(point: "p", lowHz: 0.2, highHz: 0.1, window: .seconds(60), every: .seconds(1)),
      .band(point: "p", lowHz: 0.001, highHz: 0.002, window: .seconds(60), every: .seconds(1)),
      .band(point: "p", lowHz: 0.1, highHz: 1e6, window: .seconds(60), every: .seconds(1)),
    ] as [FeatureDefinition.Recipe])
  func defects(recipe: FeatureDefinition.Recipe) {
    #expect(FeatureDefinition(recipe).defect != nil)
  }

  @Test(
    "rolling statistics are those of the window, the same whatever is asked beside", arguments: 0..<30 as Range<UInt64>)
  func rolling(seed: UInt64) {
    var random = Seeded(seed)
    var samples = SampleColumns()
    var instant: Int64 = 0
    for _ in 0..<200 {
      instant += .random(in: 1...4, using: &random)
      samples.append(
        instant, tick: 1, value: .random(in: -50...50, using: &random),
        quality: Int.random(in: 0..<9, using: &random) == 0 ? .failed : .good)
    }
    let every = Int64.random(in: 0...5, using: &random)
    let definition = FeatureDefinition(
      .rolling(
        point: "p", .allCases.randomElement(using: &random)!, window: .nanoseconds(20), every: .nanoseconds(every)))
    let units = [UnitStretch(start: 0, unit: "Cel")]
    let all = FeatureCalculator(definition, samples, units: units, in: 0..<1000, limit: 10_000).values
    let part = FeatureCalculator(definition, samples, units: units, in: 100..<300, limit: 10_000).values
    #expect(part == all.filter { (100..<300).contains($0.effective.nanoseconds) }, "seed \(seed)")
    let ends =
      every == 0
      ? samples.effective
      : (0..<1000).filter { end in
        end % every == 0 && samples.effective.contains { $0 <= end && $0 > end - 20 }
      }
    #expect(all.map(\.effective.nanoseconds) == ends, "seed \(seed)")
    for value in all {
      let end = value.effective.nanoseconds
      let window = (0..<samples.count).filter {
        samples.effective[$0] <= end && samples.effective[$0] > end - 20 && samples.qualities[$0] == .good
      }.map { samples.values[$0] }
      let mean = window.reduce(0, +) / Double(window.count)
      let truth: Double?
      switch definition.recipe {
      case .rolling(_, .mean, _, _): truth = window.isEmpty ? nil : mean
      case .rolling(_, .minimum, _, _): truth = window.min()
      case .rolling(_, .maximum, _, _): truth = window.max()
      default:
        let squares = window.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
        truth = window.count > 1 ? (squares / Double(window.count - 1)).squareRoot() : nil
      }
      #expect(value.quality == (truth == nil ? .absent : .good), "seed \(seed)")
      if let truth { #expect((value.value - truth).magnitude <= 1e-9, "seed \(seed)") }
    }
    let few = FeatureCalculator(definition, samples, units: units, in: 0..<1000, limit: 5)
    #expect(few.values == Array(all.prefix(5)) && few.isTruncated)
  }

  @Test("a sine of amplitude A has the mean square A²/2 in its band, and nothing beside it")
  func band() {
    var samples = SampleColumns()
    // 4 per second over 64 seconds: 0.25 Hz with amplitude 3, 1 Hz with amplitude 2, and a level.
    for index in 1...256 as ClosedRange<Int64> {
      let t = Double(index) / 4
      let value = 20 + 3 * Elementary.sin(2 * .pi * 0.25 * t) + 2 * Elementary.cos(2 * .pi * t + 0.3)
      samples.append(index * 250_000_000, tick: 1, value: value, quality: .good)
    }
    func energy(_ low: Double, _ high: Double) -> FeatureSeries.Value? {
      let definition = FeatureDefinition(
        .band(point: "p", lowHz: low, highHz: high, window: .seconds(64), every: .seconds(64)))
      return FeatureCalculator(
        definition, samples, units: [UnitStretch(start: 0, unit: "Cel")], in: 64_000_000_000..<64_000_000_001,
        limit: 9
      ).values.first
    }
    #expect((energy(0.2, 0.3)!.value - 4.5).magnitude < 1e-9)
    #expect((energy(0.9, 1.1)!.value - 2).magnitude < 1e-9)
    #expect(energy(0.4, 0.8)!.value < 1e-12)
    #expect(energy(0.9, 1.1)?.quality == .good && energy(1.9, 2.1)?.quality == .suspect)
  }

  @Test("a window over a change of unit is suspect")
  func mixed() {
    var samples = SampleColumns()
    for instant in 0..<20 as Range<Int64> { samples.append(instant, tick: 1, value: 1, quality: .good) }
    let definition = FeatureDefinition(
      .rolling(point: "p", .mean, window: .nanoseconds(5), every: .zero))
    let found = FeatureCalculator(
      definition, samples, units: [UnitStretch(start: 0, unit: "Cel"), UnitStretch(start: 10, unit: "K")],
      in: 0..<20, limit: 99)
    #expect(found.values.map(\.quality.isUsable) == (0..<20).map { $0 < 10 || $0 > 13 })
    #expect(found.valueUnits.map(\.unit) == ["Cel", "K"] && found.valueUnits.map(\.start) == [0, 10])
  }
}
