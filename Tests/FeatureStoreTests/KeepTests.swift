import FeatureStore
import Seams
import SeriesCodec
import Testing
import TwinCore

@Suite("What a point's keep has ended") struct KeepTests {
  private static let day: Int64 = 86_400
  private static let step: Int64 = 600
  private static let canary = "canary-of-a-correction"
  private static let points = ["a1", "a2", "b1", "b2", "n"]
  let site = Site()

  /// Groups: `a` is kept for a day, of `b` the first point, `n` as long as anything.
  private static let layouts = [["a1", "a2"], ["b1", "b2"], ["n"]].enumerated().map { group, points in
    FrameLayout(
      group: Int32(group), points: points, scales: points.map { _ in 0 }, units: points.map { _ in "Cel" },
      variances: points.map { _ in 0.01 }, provenance: points.map { _ in "test" })
  }

  private static let retention = Retention(keep: .seconds(1000 * day), keepDecisions: .seconds(1000 * day))
  /// When what is kept for a day ends with the first day.
  private static let later = Instant.second(2 * day + 36_000)

  private func open(_ files: any FileStore = SystemFileStore()) throws -> SiteStore {
    let store = try site.open(files: files)
    for layout in Self.layouts { try store.register(layout, at: .second(0)) }
    let keep = Self.day * 1_000_000_000
    let anything = DataPolicy(export: .raw)
    var policies = ["n": anything, "b2": anything]
    for point in ["a1", "a2", "b1"] { policies[point] = DataPolicy(export: .raw, keepNanoseconds: keep) }
    try store.register(policies: policies)
    return store
  }

  private func frames(_ number: Int64, at second: Int64) -> [Frame] {
    var random = Seeded(UInt64(number))
    return Self.layouts.map { layout in
      .test(
        group: layout.group, at: second, values: layout.points.map { _ in Double.random(in: 0...1, using: &random) })
    }
  }

  /// Three days with corrections, the first one closed while all of it was to be kept.
  private func fill(_ store: SiteStore) throws {
    for number in 1...(3 * Self.day / Self.step - 20) {
      let second = number * Self.step
      try store.add(tick: number, at: .second(second), frames(number, at: second))
      if number % 30 == 0 { try store.commit() }
    }
    for (point, reason) in [("a1", Self.canary), ("n", "neighbour")] {
      for first in [Self.day / 2, Self.day - 1800] {
        let samples = (0..<6).map {
          CorrectedSample(effective: .second(first + $0 * Self.step), value: Double(7000 + $0) / 3)
        }
        // One that reaches into the next day stays with what it says of that.
        let isWithin = first < Self.day / 2 + 1
        try store.correct(point: point, samples: samples, reason: isWithin ? reason : "both days", by: "test")
      }
    }
    try store.commit()
    try store.closeDays(before: .second(Self.day + 40_000))
    try store.keepRollups(ofDayAt: .second(0))
  }

  private func prune(_ store: SiteStore, now: Instant = later) throws {
    var rounds = 0
    while try !store.prune(Self.retention, now: now).isDone {
      rounds += 1
      try #require(rounds < 1000)
    }
  }

  private static func range(_ day: Int64) -> Range<Instant> {
    .second(day * Self.day)..<Instant.second((day + 1) * Self.day)
  }

  private func read(_ store: SiteStore, _ day: Int64) throws -> [String: [PointSeries.Sample]] {
    Dictionary(
      uniqueKeysWithValues: try store.read(points: Self.points, effective: Self.range(day)).map {
        ($0.point, $0.samples)
      })
  }

  private func bytes(_ path: String) throws -> [UInt8] {
    let file = try SystemFileStore().open(path, .read)
    return try file.read(Int(file.size), at: 0)
  }

  /// Every file of the site.
  private func everything() throws -> [(name: String, bytes: [UInt8])] {
    var found: [(String, [UInt8])] = []
    for folder in ["log", "data"] {
      for name in site.names(folder) { found.append((name, try bytes("\(site.path)/\(folder)/\(name)"))) }
    }
    for name in ["site.db", "site.db-wal"] where site.names(".").contains(name) {
      found.append((name, try bytes("\(site.path)/\(name)")))
    }
    return found
  }

  /// Pieces of bodies and texts that must not be found anywhere.
  private func canaries(_ store: SiteStore) throws -> [[UInt8]] {
    var found = [Array(Self.canary.utf8)]
    for unit in try store.units(day: "1970-01-01") where unit.kind == .frames && unit.group == 0 {
      let body = try store.bytes(of: unit)
      // The end is of the last column's numbers; what comes before may be times, which other groups share.
      for start in stride(from: body.count / 2, to: body.count - 24, by: 37) {
        found.append(Array(body[start..<start + 24]))
      }
    }
    return found
  }

  private func contains(_ bytes: [UInt8], _ piece: [UInt8]) -> Bool { bytes.firstRange(of: piece) != nil }

  @Test("is gone from reads, rollups, units and files, and all else stays")
  func gone() throws {
    var store: SiteStore! = try open()
    try fill(store)
    let canaries = try canaries(store)
    #expect(canaries.count > 10)
    let (first, second) = (try read(store, 0), try read(store, 1))
    let rollups = RollupReader(store)
    let means = try rollups.rollup(points: Self.points, effective: Self.range(0), step: .hour)
    #expect(means.allSatisfy { !$0.rows.isEmpty })
    let units = try store.units(day: "1970-01-01")
    try store.close()
    store = try open()
    #expect(try everything().contains { file in canaries.contains { contains(file.bytes, $0) } })
    try prune(store)
    for _ in 0..<2 {
      let found = try read(store, 0)
      #expect(found["a1"] == [] && found["a2"] == [])
      #expect(found["b1"]?.allSatisfy { $0.quality == .never && $0.value.isNaN } ?? false)
      #expect(found["b2"] == first["b2"] && found["n"] == first["n"])
      let next = try read(store, 1)
      #expect(next == second)
      let again = try RollupReader(store).rollup(points: Self.points, effective: Self.range(0), step: .hour)
      #expect(again[0].rows.isEmpty && again[1].rows.isEmpty && again[2].rows.allSatisfy { $0.count == 0 })
      #expect(again[3] == means[3] && again[4] == means[4])
      let left = try store.units(day: "1970-01-01")
      #expect(!left.contains { $0.kind != .overlay && $0.group == 0 && $0.kind != .ticks })
      #expect(!left.contains { $0.subject == "a1" })
      let neighbour = units.filter { $0.kind == .frames && $0.group == 2 }.map(\.hash)
      #expect(left.filter { $0.kind == .frames && $0.group == 2 }.map(\.hash) == neighbour)
      for unit in left where unit.mayLeave { _ = try store.bytes(of: unit) }
      let lapses = try store.lapses(day: "1970-01-01")
      #expect(lapses.map(\.points) == [["a1", "a2"], ["b1"]])
      #expect(lapses.allSatisfy { $0.rows == first["b2"]?.count })
      #expect(try store.lapses(of: "n") == [] && store.lapses(of: "a1").map(\.day) == ["1970-01-01"])
      #expect(try store.stats().badBodies == [])
      // What is written once stays.
      let file = try bytes("\(site.path)/data/1970-01-01.twc")
      try prune(store)
      #expect(try bytes("\(site.path)/data/1970-01-01.twc") == file)
      try store.close()
      for file in try everything() {
        let found = canaries.count { contains(file.bytes, $0) }
        #expect(found == 0, "\(file.name)")
      }
      store = try open()
    }
    let beside = try StoreReader(directory: site.path)
    #expect(try beside.read(points: ["a1"], effective: Self.range(0))[0].samples == [])
    #expect(try log(store).count == Int(3 * Self.day / Self.step - 20))
  }

  @Test("goes again when it comes late, and does not come back from a reader's memory")
  func late() throws {
    let store = try open()
    try fill(store)
    let rollups = RollupReader(store)
    _ = try rollups.rollup(points: Self.points, effective: Self.range(0), step: .minute)
    try prune(store)
    #expect(
      try rollups.rollup(points: ["b1"], effective: Self.range(0), step: .minute)[0].rows.allSatisfy { $0.count == 0 })
    let before = try read(store, 0)
    let number = store.lastTickNumber + 1
    try store.add(tick: number, at: Self.later, frames(number, at: 33_333))
    try store.commit()
    try store.closeDays(before: .second(2 * Self.day + 20_000))
    try prune(store, now: .second(2 * Self.day + 40_000))
    let after = try read(store, 0)
    #expect(after["a1"] == [] && after["n"]?.count == (before["n"]?.count ?? 0) + 1)
    #expect(after["b1"]?.allSatisfy { $0.quality == .never } ?? false)
    #expect(try store.lapses(of: "a2").map(\.rows) == [(before["n"]?.count ?? 0) + 1])
  }

  @Test("and what may leave are asked of the pack's last word at every unit")
  func lastWord() throws {
    let store = try open()
    try fill(store)
    let beside = try StoreReader(directory: site.path)
    let units = try store.units(day: "1970-01-01").filter { $0.kind == .frames && $0.group == 2 || $0.subject == "n" }
    #expect(units.count > 2)
    for unit in units { #expect(try store.bytes(of: unit) == beside.bytes(of: unit)) }
    var astray = units[0]
    astray.ticks = 1_000_000...1_000_001
    #expect(fault { () throws(StoreError) in _ = try store.bytes(of: astray) }?.kind == .notFound)
    try store.register(policies: [:])
    try store.commit()
    for unit in units {
      #expect(fault { () throws(StoreError) in _ = try store.bytes(of: unit) }?.kind == .notAllowed)
      #expect(fault { () throws(StoreError) in _ = try beside.bytes(of: unit) }?.kind == .notAllowed)
      #expect(try beside.verify(unit) == unit.length)
    }
  }

  @Test("takes nothing else along where the process ends at any step")
  func steps() throws {
    var store: SiteStore! = try open()
    try fill(store)
    let (first, second) = (try read(store, 0), try read(store, 1))
    try store.close()
    store = nil
    var step = 0
    while true {
      let files = FaultyFiles()
      var isDone = false
      do {
        let store = try open(files)
        try store.commit()
        files.set { $0.stepsLeft = step }
        if (try? prune(store)) != nil { isDone = true }
        files.set { $0.stepsLeft = 0 }
      }
      let again = try open()
      let found = try read(again, 0)
      #expect(found["n"] == first["n"] && found["b2"] == first["b2"], "step \(step)")
      #expect(found["a1"] == first["a1"] || found["a1"]?.count == 0 || found["a1"]?.count ?? 0 < 10, "step \(step)")
      #expect(try read(again, 1) == second, "step \(step)")
      #expect(try again.stats().badBodies == [], "step \(step)")
      if isDone { break }
      step += 1
    }
    #expect(step > 3)
  }
}
