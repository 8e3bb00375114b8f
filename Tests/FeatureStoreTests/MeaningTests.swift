import Testing
import TwinCore

@testable import FeatureStore

@Suite("What a stored number means is bound when it is read") struct MeaningTests {
  private static let always = Instant.distantPast ..< .distantFuture

  @Test(
    "value × factor + offset, without a rounding that is not needed",
    arguments: [
      (Meaning(unit: "Cel"), 21.3, 21.3), (Meaning(unit: "kW", factor: 10), 4.5, 45),
      (Meaning(unit: "Cel", offset: -273.15), 300, 300 - 273.15),
      (Meaning(unit: "Cel", factor: 0.1, offset: 5), -0.0, 5),
      (Meaning(unit: "Cel"), -0.0, -0.0),
    ] as [(Meaning, Double, Double)])
  func formula(meaning: Meaning, stored: Double, read: Double) {
    #expect(meaning.read(stored).bitPattern == read.bitPattern)
  }

  @Test("a value beyond the valid range is suspect, and no value becomes better")
  func valid() {
    let meaning = Meaning(unit: "Cel", factor: 2, valid: -10...50)
    #expect(meaning.read(25, .good) == (50, .good))
    #expect(meaning.read(25.5, .good) == (51, .suspect))
    #expect(meaning.read(20, .suspect) == (40, .suspect))
    let absent = meaning.read(20, .absent)
    #expect(absent.value.isNaN && absent.quality == .absent)
  }

  @Test(
    "what cannot be is told",
    arguments: [
      (Meaning(unit: "Cel"), nil), (Meaning(unit: "Cel", factor: 0), "factor 0.0 where a finite one, not 0, may be"),
      (Meaning(unit: "Cel", offset: .infinity), "offset inf where a finite one may be"),
      (Meaning(unit: "cel"), "unit \"cel\", which is not in the units table"),
    ] as [(Meaning, String?)])
  func defects(meaning: Meaning, defect: String?) {
    #expect(meaning.defect == defect)
  }

  @Test("a row comes back as it was said")
  func bytes() throws {
    for valid in [nil, -1.5...7.25] as [ClosedRange<Double>?] {
      let revision = MeaningRevision(
        meaning: Meaning(unit: "kW", factor: 0.1, offset: -3, valid: valid), effective: Self.always, tick: 12,
        reason: "transformer ratio was 10")
      #expect(try MeaningRevision(revision.bytes, tick: 12, effective: Self.always) == revision)
      #expect(throws: CanonicalFault.self) {
        try MeaningRevision(revision.bytes + [0], tick: 12, effective: Self.always)
      }
    }
  }

  @Test("each sample is read by the last word on its instant", arguments: 0..<150 as Range<UInt64>)
  func stretches(seed: UInt64) {
    var random = Seeded(seed)
    var samples = SampleColumns()
    for instant in 0..<100 as Range<Int64> where Bool.random(using: &random) {
      samples.append(instant, tick: 1, value: Double(instant), quality: .good)
    }
    let cut = Int.random(in: 0...samples.count, using: &random)
    var units = cut > 0 ? [UnitStretch(start: 0, unit: "Cel")] : []
    if cut < samples.count { units.append(UnitStretch(start: cut, unit: "K")) }
    let revisions = (0..<Int64.random(in: 0...6, using: &random)).map { tick in
      let first = Int64.random(in: -10..<100, using: &random)
      let range = Instant(nanoseconds: first)..<Instant(nanoseconds: first + .random(in: 0...80, using: &random))
      return MeaningRevision(
        meaning: Meaning(unit: "kW", factor: Double(tick + 2)), effective: range, tick: tick, reason: "")
    }
    var read = samples
    MeaningStack(revisions).apply(to: &read, units: &units)
    for row in 0..<samples.count {
      let last = revisions.last { $0.effective.contains(Instant(nanoseconds: samples.effective[row])) }
      #expect(read.values[row] == samples.values[row] * (last?.meaning.factor ?? 1), "seed \(seed)")
      let unit = units.last { $0.start <= row }
      #expect(unit?.unit == (last.map { _ in "kW" } ?? (row < cut ? "Cel" : "K")), "seed \(seed)")
      #expect(unit?.revision == last?.tick, "seed \(seed)")
    }
  }
}
