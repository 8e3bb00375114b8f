import FeatureStore
import SQLite
import Seams
import Simulation
import Testing
import TwinCore

@Suite("Closing a day on a disk that fails for a moment") struct DayFaultTests {
  private static let day: Int64 = 86_400
  private let disk = SimulatedDisk(seed: 1)

  init() throws {
    try disk.makeDirectory(SiteWorkload.directory)
    try disk.syncDirectory("/")
  }

  /// A frame each ten minutes from `first` through `last`, numbered so.
  private func fill(_ store: SiteStore, _ numbers: ClosedRange<Int64>) throws {
    let layout = FrameLayout(
      group: 0, points: ["p"], scales: [1], units: ["Cel"], variances: [0.01], provenance: ["test"])
    try store.register(layout, at: Instant(nanoseconds: 0))
    for number in numbers { try add(store, number, at: number * 600) }
  }

  private func add(_ store: SiteStore, _ number: Int64, at second: Int64) throws {
    let instant = Instant(nanoseconds: second * 1_000_000_000)
    let first = try store.append(
      Frame(
        group: 0, effective: instant, observed: instant, uptime: Uptime(nanoseconds: number), values: [Double(number)],
        qualities: [.good]))
    try store.append(
      tick: TickRecord(
        number: number, instant: Instant(nanoseconds: number * 600 * 1_000_000_000),
        uptime: Uptime(nanoseconds: number), boot: 1, frames: first..<first + 1, mustBeKept: false, bytes: []))
    try store.commit()
  }

  private func found(_ store: SiteStore) throws -> [Double] {
    var values: [Double] = []
    try store.ticks(from: .min) { _, frames in
      values += frames.map { $0.values[0] }
      return true
    }
    return values
  }

  private func names(_ disk: SimulatedDisk) throws -> [String] {
    try disk.names(in: SiteWorkload.directory + "/data").filter { $0.hasPrefix("1970-01-01") }
  }

  @Test("a body that cannot be read keeps the day open", arguments: 0..<8)
  func unreadable(skip: Int) throws {
    let store = try SiteWorkload.open(disk, seed: 2)
    try fill(store, 1...200)
    disk.fail(.read, skip: skip, times: 9, path: ".tws")
    try? store.closeDays(before: Instant(nanoseconds: 2 * Self.day * 1_000_000_000))
    disk.failNoMore()
    #expect(try names(disk) == ["1970-01-01.tws"])
    let again = try SiteWorkload.open(disk.powerCut(seed: 3), seed: 4)
    #expect(try found(again) == (1...200).map(Double.init))
  }

  @Test("an open file that cannot be removed takes nothing along that comes later")
  func leftover() throws {
    let end = Instant(nanoseconds: Self.day * 1_000_000_000 + 1)
    var leftovers = 0
    for seed in 0..<8 as Range<UInt64> {
      let disk = SimulatedDisk(seed: seed)
      try disk.makeDirectory(SiteWorkload.directory)
      try disk.syncDirectory("/")
      let store = try SiteWorkload.open(disk, seed: 2)
      try fill(store, 1...200)
      disk.fail(.remove, path: ".tws")
      #expect(throws: StoreError.self) { try store.closeDays(before: end) }
      // A call that fails may have done its work.
      if try names(disk) == ["1970-01-01.twc", "1970-01-01.tws"] { leftovers += 1 }
      // Late, and sealed: the log lets go of it.
      try add(store, 201, at: 60)
      try store.close()
      let again = try SiteWorkload.open(disk.powerCut(seed: 3), seed: 4)
      #expect(try found(again) == (1...201).map(Double.init), "seed \(seed)")
    }
    #expect(leftovers > 0)
  }
}

@Suite("Putting an object again whose first putting failed") struct ObjectFaultTests {
  @Test("makes it durable", arguments: 0..<12 as Range<UInt64>)
  func again(seed: UInt64) throws {
    let disk = SimulatedDisk(seed: seed)
    try disk.makeDirectory(SiteWorkload.directory)
    try disk.syncDirectory("/")
    let store = try SiteWorkload.open(disk, seed: seed)
    let content = [UInt8](repeating: 7, count: SiteMemory.objectBytes)
    let put = { _ = try store.put(object: "plan", mediaType: "text/plain", content, reason: "test") }
    // The first to be flushed is the folder that has the file.
    disk.fail(.syncDirectory)
    #expect(throws: StoreError.self) { try put() }
    try put()
    try store.commit()
    let next = try SiteWorkload.open(disk.powerCut(seed: seed), seed: seed)
    let found = try next.objects("plan", effective: .distantPast ..< .distantFuture)
    #expect(try found.map { try next.content(of: $0) } == [content])
  }
}
