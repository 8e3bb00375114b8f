import Seams
import SeriesCodec
import Synchronization
import Testing
import TwinCore

@testable import FeatureStore

@Suite("A day file that was hurt") struct DayFileFaultTests {
  /// Bodies 0 to 5 flushed, 6 to 9 not.
  private func bed() throws -> (bed: DayBed, bytes: [UInt8], entries: [DayFile.Entry]) {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<6, to: file)
    try file.sync()
    try bed.append(6..<10, to: file)
    return (bed, try bed.folder.bytes(DayBed.openName), file.entries)
  }

  private func end(_ entry: DayFile.Entry) -> Int { Int(entry.offset) + entry.key.length }

  @Test("loses a torn end, and no more, at any byte")
  func torn() throws {
    let (bed, bytes, entries) = try bed()
    for length in end(entries[7])...bytes.count {
      try bed.folder.write(Array(bytes[..<length]), to: DayBed.openName)
      let whole = entries.prefix { end($0) <= length }.count
      var bad: [BadBody] = []
      let reader = try bed.reading { bad.append($0) }
      try #require(DayBed.numbers(reader) == Array(0..<whole) && bad.isEmpty, "at \(length)")
      try #require(reader.cutBytes == Int64(length - end(entries[whole - 1])))
      try #require(try bed.folder.bytes(DayBed.openName).count == length)
      guard length % 5 == 0 else { continue }
      let writer = try bed.appending { bad.append($0) }
      try #require(writer.entries.count == whole && bad.isEmpty, "at \(length)")
      try bed.append(20..<22, to: writer)
      try writer.sync()
      try #require(DayBed.numbers(try bed.reading()) == Array(0..<whole) + [20, 21], "at \(length)")
    }
  }

  @Test("loses bodies that were not flushed from the first bad one on")
  func unflushed() throws {
    let (bed, whole, entries) = try bed()
    var bytes = whole
    for index in 0..<20 { bytes[Int(entries[7].offset) + 30 + index] = 0 }
    try bed.folder.write(bytes, to: DayBed.openName)
    var bad: [BadBody] = []
    let writer = try bed.appending { bad.append($0) }
    #expect(DayBed.numbers(writer) == Array(0..<7) && bad.isEmpty)
    #expect(writer.cutBytes == Int64(bytes.count) - writer.bytes)
    #expect(Int(writer.bytes) == end(entries[6]))
    #expect(try bed.folder.bytes(DayBed.openName).count == end(entries[6]))
  }

  @Test("loses headers that were not flushed, with what is behind them")
  func unflushedHeader() throws {
    let (bed, whole, entries) = try bed()
    var bytes = whole
    bytes[Int(entries[7].offset) - 20] ^= 1
    try bed.folder.write(bytes, to: DayBed.openName)
    var bad: [BadBody] = []
    #expect(DayBed.numbers(try bed.reading { bad.append($0) }) == Array(0..<7) + [8, 9])
    #expect(bad.isEmpty, "nobody was told that it was there")
    #expect(DayBed.numbers(try bed.appending { bad.append($0) }) == Array(0..<7) && bad.isEmpty)
  }

  @Test("keeps every other body when a flushed one is bad", arguments: [true, false])
  func damage(isHeader: Bool) throws {
    let (bed, whole, entries) = try bed()
    var bytes = whole
    bytes[Int(entries[2].offset) + (isHeader ? -20 : 20)] ^= 1
    try bed.folder.write(bytes, to: DayBed.openName)
    var bad: [BadBody] = []
    for file in [try bed.reading { bad.append($0) }, try bed.appending { bad.append($0) }] {
      #expect(DayBed.numbers(file) == [0, 1] + Array(3..<10))
      #expect(file.entries.count == (isHeader ? 9 : 10))
      guard !isHeader else { continue }
      let error = fault { () throws(StoreError) in _ = try file.read(file.entries[2]) }
      #expect(error?.kind == .corrupt && error?.message.contains("\(entries[2].offset)") == true)
    }
    let place = BadBody(
      row: "data/\(DayBed.openName) at \(end(entries[1]))", reason: "no body where one should begin")
    #expect(bad == (isHeader ? [place, place] : []))
    #expect(try bed.folder.bytes(DayBed.openName) == bytes)
  }

  @Test("tells a body that is not the one its key names")
  func hash() throws {
    let bed = DayBed()
    let file = try bed.appending()
    let entry = try file.append(DayBed.body(1), DayBed.key(2))
    #expect(try file.read(entry) == DayBed.body(1))
    #expect(fault { () throws(StoreError) in _ = try file.read(entry, hash: DayBed.hash) }?.kind == .corrupt)
  }

  @Test("tells a body in a sector that cannot be read")
  func unreadable() throws {
    let (bed, _, entries) = try bed()
    let file = try bed.reading()
    bed.files.plan.withLock { $0.unreadable = entries[3].offset..<entries[3].offset + 1 }
    #expect(fault { () throws(StoreError) in _ = try file.read(entries[3]) }?.kind == .corrupt)
    #expect(try file.read(entries[4]) == DayBed.body(4))
  }

  @Test("is begun again when it was made and never flushed", arguments: [0, 7, 32, 5000])
  func blank(size: Int) throws {
    let bed = DayBed()
    try bed.folder.write([UInt8](repeating: 0, count: size), to: DayBed.openName)
    #expect(try bed.reading().entries.isEmpty)
    var bad: [BadBody] = []
    let file = try bed.appending { bad.append($0) }
    try bed.append(0..<3, to: file)
    try file.sync()
    #expect(DayBed.numbers(try bed.reading { bad.append($0) }) == [0, 1, 2] && bad.isEmpty)
  }

  @Test("is set aside when nothing of it can be read")
  func foreign() throws {
    let bed = DayBed()
    let text = Array("somebody put a text under the name of a day's file".utf8)
    try bed.folder.write(text, to: DayBed.openName)
    #expect(fault { () throws(StoreError) in _ = try bed.reading() }?.kind == .corrupt)
    var bad: [BadBody] = []
    let file = try bed.appending { bad.append($0) }
    #expect(bad.map(\.row) == ["data/\(DayBed.openName)"])
    try bed.append(0..<3, to: file)
    try file.sync()
    #expect(DayBed.numbers(try bed.reading()) == [0, 1, 2])
    #expect(try bed.folder.bytes(DayBed.openName + ".bad") == text)
  }

  @Test("gets its header again when only that is damaged")
  func header() throws {
    let (bed, whole, _) = try bed()
    var bytes = whole
    bytes[17] ^= 4
    try bed.folder.write(bytes, to: DayBed.openName)
    var bad: [BadBody] = []
    #expect(DayBed.numbers(try bed.reading { bad.append($0) }) == Array(0..<10))
    #expect(bad.map(\.reason) == ["its header does not match its checksum"])
    #expect(DayBed.numbers(try bed.appending()) == Array(0..<10))
    #expect(try bed.folder.bytes(DayBed.openName) == whole)
  }

  @Test("is read by hopping when its index is damaged", arguments: [1, 20, 40, 300])
  func index(fromEnd: Int) throws {
    let bed = DayBed()
    try bed.close(0..<10)
    var bytes = try bed.folder.bytes(DayBed.closedName)
    bytes[bytes.count - fromEnd] ^= 0x80
    try bed.folder.write(bytes, to: DayBed.closedName)
    var bad: [BadBody] = []
    let file = try bed.reading(bed.closed) { bad.append($0) }
    #expect(DayBed.numbers(file) == Array(0..<10))
    #expect(bad == [BadBody(row: "data/\(DayBed.closedName)", reason: "its index does not match its checksum")])
  }
}

@Suite("When the disk fails a day file") struct DayFileDiskTests {
  @Test("writes again what a failed sync may have lost", arguments: [true, false])
  func sync(forgets: Bool) throws {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<3, to: file)
    try file.sync()
    try bed.append(3..<6, to: file)
    bed.files.fail(.sync, forgets: forgets)
    #expect(fault { () throws(StoreError) in try file.sync() }?.kind == .io)
    try bed.append(6..<8, to: file)
    try file.sync()
    #expect(DayBed.numbers(file) == Array(0..<8))
    var bad: [BadBody] = []
    #expect(DayBed.numbers(try bed.reading { bad.append($0) }) == Array(0..<8) && bad.isEmpty)
  }

  @Test("does not take a name for durable that is not")
  func directory() throws {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<2, to: file)
    bed.files.fail(.syncDirectory, isOnce: false)
    #expect(fault { () throws(StoreError) in try file.sync() }?.kind == .io)
    #expect(fault { () throws(StoreError) in try file.sync() }?.kind == .io)
    bed.files.heal()
    try file.sync()
    #expect(DayBed.numbers(try bed.appending()) == [0, 1])
  }

  @Test("does not open for appending before the last bytes are flushed")
  func opening() throws {
    let bed = DayBed()
    try bed.append(0..<2, to: bed.appending())
    for call in [PlannedFiles.Call.write, .sync, .syncDirectory] {
      bed.files.fail(call)
      #expect(fault { () throws(StoreError) in _ = try bed.appending() }?.kind == .io, "\(call)")
    }
    #expect(DayBed.numbers(try bed.appending()) == [0, 1])
  }

  @Test("takes a body again for which there was no space", arguments: [0, 50, 150])
  func full(written: Int) throws {
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<3, to: file)
    for kind in [PlannedFiles.Call.write, .truncate] {
      bed.files.fail(.write, .full, written: written)
      bed.files.plan.withLock { $0.thenTruncate = kind == .truncate }
      let number = file.entries.count
      #expect(
        fault { () throws(StoreError) in try bed.append(number..<number + 1, to: file) }?.kind == .diskFull)
      #expect(file.entries.count == number)
      bed.files.heal()
      try bed.append(number..<number + 1, to: file)
    }
    try file.sync()
    #expect(DayBed.numbers(try bed.appending()) == Array(0..<5))
  }

  @Test("flushes by itself before much waits")
  func bound() throws {
    let bed = DayBed()
    let file = try bed.appending()
    let body = [UInt8](repeating: 1, count: 1 << 20)
    var key = DayBed.key(0)
    key.length = body.count
    for _ in 0..<4 { try file.append(body, key) }
    bed.files.fail(.sync)
    #expect(fault { () throws(StoreError) in try file.append(body, key) }?.kind == .io)
    try file.append(body, key)
    #expect(try bed.appending().entries.count == 5)
  }

  @Test("has either the whole closed file or none, whatever fails")
  func closing() throws {
    let calls: [PlannedFiles.Call] = [.write, .sync, .rename, .syncDirectory, .truncate]
    for call in calls {
      for after in 0..<8 {
        let bed = DayBed()
        bed.files.fail(call, after: after, .full, written: 30)
        let error = fault { () throws(StoreError) in try bed.close(0..<5) }
        let names = try bed.folder.names()
        try #require(names == [DayBed.closedName] || (error != nil && names.isEmpty), "\(call) after \(after)")
        guard !names.isEmpty else { continue }
        var bad: [BadBody] = []
        #expect(DayBed.numbers(try bed.reading(bed.closed) { bad.append($0) }) == Array(0..<5) && bad.isEmpty)
      }
    }
  }

  @Test("leaves nothing of a closing that was given up")
  func cancelled() throws {
    let bed = DayBed()
    let writer = try ClosedDayWriter(files: bed.files, path: bed.closed, day: DayBed.day)
    try writer.append(DayBed.body(1), DayBed.key(1))
    #expect(try bed.folder.names() == [DayBed.closedName + ClosedDayWriter.suffix])
    writer.cancel()
    #expect(try bed.folder.names().isEmpty)
  }
}

@Suite("Whatever its bytes are a day file") struct DayFileFuzzTests {
  @Test("tells no body that was not appended, and goes on")
  func files() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    var random = Seeded(seed)
    let bed = DayBed()
    let file = try bed.appending()
    try bed.append(0..<20, to: file)
    try file.sync()
    try bed.append(20..<30, to: file)
    try bed.close(0..<30)
    let (open, closed) = (try bed.folder.bytes(DayBed.openName), try bed.folder.bytes(DayBed.closedName))
    for round in 0..<fuzzRounds {
      try bed.folder.write(open.mutated(&random), to: DayBed.openName)
      try bed.folder.write(closed.mutated(&random), to: DayBed.closedName)
      for path in [bed.open, bed.closed] {
        var numbers: [Int] = []
        let error = fault { () throws(StoreError) in numbers = DayBed.numbers(try bed.reading(path)) }
        try #require(error == nil || error?.kind == .corrupt, "seed \(seed) round \(round)")
        try #require(Set(numbers).isSubset(of: 0..<30), "seed \(seed) round \(round)")
      }
      let opened = try bed.appending()
      let before = DayBed.numbers(opened)
      try bed.append(40..<41, to: opened)
      try opened.sync()
      try #require(DayBed.numbers(try bed.reading()) == before + [40], "seed \(seed) round \(round)")
    }
  }
}
