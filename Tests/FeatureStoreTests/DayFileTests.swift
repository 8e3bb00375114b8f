import Seams
import SeriesCodec
import Synchronization
import Testing
import TwinCore

@testable import FeatureStore

@Suite("A day file") struct DayFileTests {
  @Test("gives back what was appended, reopened for either")
  func roundTrip() throws {
    let bed = DayBed()
    bed.files.plan.withLock { $0.flushes = true }
    let file = try bed.appending()
    #expect(file.entries.isEmpty && file.day == DayBed.day && file.form == .open)
    let entries = try bed.append(0..<9, to: file)
    #expect(file.entries == entries && DayBed.numbers(file) == Array(0..<9))
    try file.sync()
    let reader = try bed.reading()
    #expect(reader.entries == entries && DayBed.numbers(reader) == Array(0..<9))
    #expect(reader.day == DayBed.day && reader.cutBytes == 0)
    let again = try bed.appending()
    try bed.append(9..<20, to: again)
    try again.sync()
    #expect(DayBed.numbers(try bed.reading()) == Array(0..<20))
    #expect(again.bytes == Int64(try bed.folder.bytes(DayBed.openName).count))
  }

  @Test("gives back what was closed, by its index")
  func closed() throws {
    let bed = DayBed()
    try bed.close(0..<20)
    var bad: [BadBody] = []
    let file = try bed.reading(bed.closed) { bad.append($0) }
    #expect(file.form == .closed && file.day == DayBed.day && bad.isEmpty)
    #expect(DayBed.numbers(file) == Array(0..<20))
    #expect(try bed.folder.names() == [DayBed.closedName])
    #expect(file.bytes == Int64(try bed.folder.bytes(DayBed.closedName).count))
    try bed.close(0..<0)
    #expect(try bed.reading(bed.closed).entries.isEmpty)
  }

  @Test("adds at most 90 bytes to a body, 170 once it is closed")
  func overhead() throws {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<100, to: file)
    #expect(file.bytes - 32 <= 100 * (100 + 90))
    try bed.close(0..<100)
    #expect(try bed.reading(bed.closed).bytes <= 100 * (100 + 170))
  }

  @Test("is opened without reading bodies")
  func hops() throws {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<40, size: 50_000, to: file)
    try file.sync()
    try bed.close(0..<40, size: 50_000)
    bed.files.plan.withLock { $0.bytesRead = 0 }
    #expect(try bed.reading().entries.count == 40)
    #expect(bed.files.plan.withLock { $0.bytesRead } <= 41 * 8192)
    bed.files.plan.withLock { ($0.bytesRead, $0.reads) = (0, 0) }
    #expect(try bed.reading(bed.closed).entries.count == 40)
    #expect(bed.files.plan.withLock { $0.bytesRead } <= 40 * 100)
    #expect(bed.files.plan.withLock { $0.reads } == 3)
  }

  @Test("finds the bodies that meet a range as looking at each would")
  func ranges() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    var random = Seeded(seed)
    let bed = DayBed()
    let file = try bed.appending()
    let writer = try ClosedDayWriter(files: bed.files, path: bed.closed, day: DayBed.day)
    for number in 0..<300 {
      var key = DayBed.key(number)
      (key.kind, key.group) = (
        BodyKind.allCases.randomElement(using: &random) ?? .frames, Int32.random(in: -1...1, using: &random)
      )
      key.effectiveMin = Int64.random(in: 0...1000, using: &random)
      key.effectiveMax = key.effectiveMin + Int64.random(in: 0...(number % 50 == 0 ? 500 : 20), using: &random)
      key.tickFirst = Int64(number) + Int64.random(in: 0...5, using: &random)
      key.tickLast = key.tickFirst + Int64.random(in: 0...9, using: &random)
      try file.append(DayBed.body(number), key)
      try writer.append(DayBed.body(number), key)
    }
    try writer.finish()
    try file.sync()
    for opened in [file, try bed.reading(), try bed.reading(bed.closed)] {
      for _ in 0..<300 {
        let kind = BodyKind.allCases.randomElement(using: &random) ?? .frames
        let group = Int32.random(in: -1...2, using: &random)
        let low = Int64.random(in: -5...1010, using: &random)
        let range = low...low + Int64.random(in: 0...60, using: &random)
        let own = opened.entries.filter { $0.key.kind == kind && $0.key.group == group }
        let byTime = own.filter { ($0.key.effectiveMin...$0.key.effectiveMax).overlaps(range) }
          .sorted { ($0.key.effectiveMin, $0.offset) < ($1.key.effectiveMin, $1.offset) }
        try #require(opened.entries(kind, group: group, effective: range) == byTime, "seed \(seed)")
        let byTick = own.filter { ($0.key.tickFirst...$0.key.tickLast).overlaps(range) }
          .sorted { ($0.key.tickFirst, $0.offset) < ($1.key.tickFirst, $1.offset) }
        try #require(opened.entries(kind, group: group, ticks: range) == byTick, "seed \(seed)")
      }
      #expect(opened.groups(.frames) == [-1, 0, 1])
      #expect(opened.entries(.frames, group: 0, ticks: .min ... .max).count > 10)
    }
  }

  @Test("keeps keys with any numbers in them")
  func keys() throws {
    let bed = DayBed()
    let file = try bed.appending()
    let (low, high) = (Int64.min, Int64.max)
    var keys: [BodyKey] = []
    for (number, (effective, ticks)) in [(low...high, low...high), (low...low, high...high), (0...0, -1...1)]
      .enumerated()
    {
      keys.append(
        BodyKey(
          kind: .rollup, group: [.min, .max, 0][number], layout: [low, high, 0][number], effective: effective,
          ticks: ticks, rows: [0, Int(Int32.max), 1][number], tier: UInt8(number * 127),
          hash: DayBed.hash(DayBed.body(number)), length: 100))
      try file.append(DayBed.body(number), keys[number])
    }
    try file.sync()
    #expect(try bed.reading().entries.map(\.key) == keys)
    #expect(try bed.reading().entries(.rollup, group: .max, ticks: high...high).map(\.key) == [keys[1]])
  }

  @Test("refuses a newer version, another day, and more in a closed file, untouched")
  func refusals() throws {
    let bed = DayBed()
    try bed.append(0..<2, to: bed.appending())
    let path = bed.open
    #expect(
      fault { () throws(StoreError) in
        _ = try DayFile(files: bed.files, appending: path, day: DayBed.day + 1, bad: { _ in })
      }?.kind == .corrupt)
    try bed.close(0..<2)
    #expect(
      fault { () throws(StoreError) in
        _ = try DayFile(files: bed.files, appending: bed.closed, day: DayBed.day, bad: { _ in })
      }?.kind == .corrupt)
    var newer = try bed.folder.bytes(DayBed.openName) + [1, 2, 3]
    newer[8] = 2
    let sum = Checksum.crc32c(newer[16..<32], continuing: Checksum.crc32c(newer[..<12]))
    for index in 0..<4 { newer[12 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
    try bed.folder.write(newer, to: DayBed.openName)
    #expect(fault { () throws(StoreError) in _ = try bed.appending() }?.kind == .newerVersion)
    #expect(fault { () throws(StoreError) in _ = try bed.reading() }?.kind == .newerVersion)
    #expect(try bed.folder.bytes(DayBed.openName) == newer)
  }
}
