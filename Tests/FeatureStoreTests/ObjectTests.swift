import Seams
import Sodium
import Testing
import TwinCore

@testable import FeatureStore

@Suite("Objects are kept by their hash, on the same axes as numbers") struct ObjectTests {
  let site = Site()
  private static let all = Instant.distantPast ..< .distantFuture

  private func opened() throws -> SiteStore {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    try store.add(1, [1])
    return store
  }

  @Test("small and large contents come back, each version over its time", arguments: [0, 5, 100_000, 100_001, 300_000])
  func roundTrip(size: Int) throws {
    let store = try opened()
    var random = Seeded(UInt64(size))
    let first = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
    let second = Array("a note".utf8)
    let hash = try store.put(object: "camera", mediaType: "image/png", first, reason: "daily")
    #expect(hash == Sodium.blake2b256(first))
    try store.commit()
    try store.add(2, [2])
    try store.put(
      object: "camera", mediaType: "text/plain", second, effective: .second(100)..<Instant.second(200), reason: "shift")
    try store.commit()
    try store.add(3, [3])
    try store.commit()
    let reader = try StoreReader(directory: site.path)
    let found = try reader.objects("camera", effective: .second(0)..<Instant.second(300))
    #expect(found.map(\.mediaType) == ["image/png", "text/plain", "image/png"])
    #expect(found.map(\.effective.lowerBound) == [.second(0), .second(100), .second(200)])
    #expect(try found.map { try reader.content(of: $0) } == [first, second, first])
    #expect(site.names("blob").isEmpty == (size <= ObjectVersion.inlineMax))
    // As it was known before the second one.
    let before = try reader.objects("camera", effective: Self.all, asOf: .second(2))
    #expect(before.map(\.hash) == [hash] && before[0].effective == Self.all)
    #expect(try reader.objects("camera", effective: Self.all, asOf: .second(1)).isEmpty)
  }

  @Test("the same content is kept once")
  func once() throws {
    let store = try opened()
    let content = [UInt8](repeating: 7, count: 200_000)
    for name in ["a", "b"] { try store.put(object: name, mediaType: "audio/wav", content, reason: "") }
    try store.commit()
    for name in ["c", "d"] { try store.put(object: name, mediaType: "text/plain", [1, 2], reason: "") }
    try store.commit()
    try store.put(object: "e", mediaType: "text/plain", [1, 2], reason: "")
    try store.commit()
    #expect(site.names("blob").count == 1 && site.names("blob/" + site.names("blob")[0]).count == 1)
    for name in ["a", "b", "c", "e"] {
      let found = try store.reader.objects(name, effective: Self.all)
      #expect(try store.reader.content(of: found[0]).count == (name < "c" ? 200_000 : 2))
    }
  }

  @Test("a file that is not what its name says is named, and everything else stays readable")
  func damaged() throws {
    let store = try opened()
    let hash = try store.put(
      object: "plan", mediaType: "application/pdf", [UInt8](repeating: 1, count: 150_000), reason: "")
    try store.put(object: "note", mediaType: "text/plain", [5], reason: "")
    try store.commit()
    try site.damage("blob/\(hash.hex.prefix(2))/\(hash.hex)", at: 777)
    let reader = try StoreReader(directory: site.path)
    let plan = try reader.objects("plan", effective: Self.all)[0]
    #expect(fault { () throws(StoreError) in _ = try reader.content(of: plan) }?.kind == .corrupt)
    #expect(reader.badBodies.map(\.row) == ["content \(hash.hex)"])
    #expect(try reader.content(of: reader.objects("note", effective: Self.all)[0]) == [5])
    // Given again, it is whole again.
    try store.put(object: "plan", mediaType: "application/pdf", [UInt8](repeating: 1, count: 150_000), reason: "again")
    #expect(try reader.content(of: plan).count == 150_000)
  }

  @Test("what cannot be kept is refused")
  func refused() throws {
    let store = try opened()
    let long = String(repeating: "x", count: 2000)
    #expect(
      fault { () throws(StoreError) in try store.put(object: "a", mediaType: long, [1], reason: "") }?.kind == .tooBig)
    #expect(
      fault { () throws(StoreError) in try store.put(object: "a", mediaType: "a/b", [1], reason: long) }?.kind
        == .tooBig)
  }

  @Test("a vector point is read back as vectors, with corrections of single numbers")
  func vectors() throws {
    let store = try site.open()
    try store.register(
      FrameLayout(
        group: 0, points: ["x", "v[0]", "v[1]", "v[2]", "y"], scales: [1, 0.1, 0.1, 0, 1],
        units: Array(repeating: "m/s", count: 5), variances: Array(repeating: 0, count: 5),
        provenance: Array(repeating: "test", count: 5)),
      at: .second(0))
    for second in 1...4 as ClosedRange<Int64> {
      try store.add(
        second, [9, 0.5, Double(second), .pi, 9], qualities: second == 3 ? [.good, .good, .failed, .good, .good] : nil)
    }
    try store.commit()
    try store.correct(
      point: "v[0]", samples: [CorrectedSample(effective: .second(2), value: 7)], reason: "axis", by: "kim")
    try store.retract(point: "v[2]", effective: .second(4)..<Instant.second(5), reason: "axis", by: "kim")
    try store.commit()
    let found = try store.reader.vectors(point: "v", effective: Self.all)
    #expect(found.dimension == 3 && found.effective == (1...4).map { .second($0) })
    #expect(found.qualities == [.good, .good, .failed, .never])
    #expect(Array(found[0]) == [0.5, 1, .pi] && Array(found[1]) == [7, 2, .pi])
    #expect(found[2].allSatisfy(\.isNaN) && found[3].allSatisfy(\.isNaN))
    #expect(try store.reader.vectors(point: "w", effective: Self.all).dimension == 0)
  }
}

@Suite("Corrections are refused where they cannot be") struct CorrectionFaultTests {
  let site = Site()

  @Test("an unknown point, two samples at one instant, an empty stretch, a long text, a meaning that is none")
  func refused() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    try store.add(1, [1])
    try store.commit()
    let sample = CorrectedSample(effective: .second(1), value: 2)
    func kind(_ body: () throws(StoreError) -> Void) -> StoreError.Kind? { fault(body)?.kind }
    #expect(
      kind { () throws(StoreError) in try store.correct(point: "no", samples: [sample], reason: "", by: "") }
        == .notFound)
    #expect(
      kind { () throws(StoreError) in try store.correct(point: "g0.0", samples: [sample, sample], reason: "", by: "") }
        == .duplicate)
    #expect(
      kind { () throws(StoreError) in
        try store.correct(
          point: "g0.0", samples: [CorrectedSample(effective: .distantFuture, value: 1)], reason: "", by: "")
      } == .tooBig)
    #expect(
      kind { () throws(StoreError) in
        try store.retract(point: "g0.0", effective: .second(1)..<Instant.second(1), reason: "", by: "")
      } == .notFound)
    #expect(
      kind { () throws(StoreError) in
        try store.correct(
          point: "g0.0", samples: [sample], reason: String(repeating: "x", count: 1025), by: "")
      } == .tooBig)
    #expect(
      kind { () throws(StoreError) in
        try store.revise(point: "g0.0", meaning: Meaning(unit: "Cel", factor: 0), reason: "")
      } == .layout)
    #expect(
      kind { () throws(StoreError) in
        try store.define(
          feature: "f", FeatureDefinition(.rolling(point: "g0.0", .mean, window: .zero, every: .zero)), reason: "")
      } == .layout)
    try store.add(2, [2])
    #expect(
      kind { () throws(StoreError) in
        try store.correct(point: "g0.0", samples: [sample], reason: "", by: "", tick: 1)
      } == .outOfOrder)
    try store.commit()
    #expect(
      try store.read(points: ["g0.0"], effective: .second(0)..<Instant.second(9))[0].samples.map(\.value) == [1, 2])
  }

  @Test("more samples than one row holds become several, and read as one")
  func split() throws {
    let store = try site.open()
    try store.register(.test(scales: [1]), at: .second(0))
    try store.add(1, [1])
    try store.commit()
    let samples = (0..<10_000 as Range<Int64>).map { CorrectedSample(effective: .second($0), value: Double($0)) }
    try store.insert(point: "g0.0", samples: samples, reason: "logger read out", by: "kim")
    try store.commit()
    let all = Instant.distantPast ..< .distantFuture
    #expect(try store.versions(family: "overlay", subject: "g0.0", overlapping: all).count == 3)
    #expect(
      try store.read(points: ["g0.0"], effective: all)[0].samples.map(\.value) == (0..<10_000).map { Double($0) })
  }
}
