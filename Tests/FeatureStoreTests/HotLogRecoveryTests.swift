import Seams
import SeriesCodec
import Synchronization
import Testing
import TwinCore

@testable import FeatureStore

@Suite("After a crash a hot log") struct HotLogRecoveryTests {
  /// A log of commits 1 to `count` in one file.
  private func bed(_ count: Int64) throws -> LogBed {
    let bed = LogBed()
    try bed.append(1...count, to: bed.open().log)
    return bed
  }

  /// Opens, appends, and opens again: what was right goes on to be so.
  private func expectGoesOn(_ bed: LogBed, from commit: Int64, _ comment: Comment? = nil) throws {
    let (log, told) = try bed.open()
    try #require(told.commits.last ?? 0 == commit, comment)
    try bed.append(commit + 1...commit + 2, to: log)
    let again = try bed.open().told
    try #require(Array(again.commits.suffix(2)) == [commit + 1, commit + 2], comment)
    try #require(again.records.suffix(2).allSatisfy { $0.isStored(as: .test($0.commit)) }, comment)
    try #require(again.summary.cutRecords == 0, comment)
  }

  @Test("cuts off a last record that is torn at any byte")
  func torn() throws {
    let bed = try bed(3)
    let whole = try bed.bytes()
    let last = try bed.offsets()[2]
    for length in last..<whole.count {
      try bed.write(Array(whole[..<length]))
      let told = try bed.read()
      try #require(told.commits == [1, 2] && told.bad.isEmpty, "at \(length)")
      try #require(told.summary.cutRecords == (length == last ? 0 : 1), "at \(length)")
      try #require(told.summary.cutBytes == Int64(length - last), "at \(length)")
      if length % 7 == 0 { try expectGoesOn(bed, from: 2, "at \(length)") }
    }
  }

  @Test("cuts off a last record whose pages came back as zeros")
  func zeroed() throws {
    let bed = try bed(3)
    let (whole, last) = (try bed.bytes(), try bed.offsets()[2])
    for start in [last, last + 8, last + LogRecordHeader.size, last + LogRecordHeader.size + 5] {
      var bytes = whole
      for index in start..<bytes.count { bytes[index] = 0 }
      try bed.write(bytes)
      let told = try bed.read()
      #expect(told.commits == [1, 2] && told.bad.isEmpty && told.summary.cutRecords == 1)
      try expectGoesOn(bed, from: 2)
    }
  }

  @Test("cuts off garbage behind the end", arguments: [1, 31, 32, 4096, 300_000])
  func garbage(count: Int) throws {
    let bed = try bed(3)
    var random = Seeded(UInt64(count))
    let garbage = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    try bed.write(try bed.bytes() + garbage)
    let told = try bed.read()
    #expect(told.commits == [1, 2, 3] && told.bad.isEmpty && told.summary.cutBytes == Int64(count))
    try expectGoesOn(bed, from: 3)
  }

  @Test("reports a bad record in front of a good one, and gives the rest", arguments: [true, false])
  func damage(isHeader: Bool) throws {
    let bed = try bed(150)
    var bytes = try bed.bytes()
    let offsets = try bed.offsets()
    bytes[offsets[9] + (isHeader ? 9 : LogRecordHeader.size + 20)] ^= 0x10
    try bed.write(bytes)
    let (log, told) = try bed.open()
    #expect(told.commits == Array(1...9) + Array(11...150))
    let name = try bed.name()
    let reason = isHeader ? "no record where one should begin" : "commit 10 does not match its checksum"
    #expect(
      told.bad.first
        == BadBody(row: "log/\(name) at \(offsets[9])", reason: reason + "; commits 10 to 10 are missing"))
    // The histories begin anew with the key record of commit 65.
    for record in told.records {
      let expected = LogRecord.test(record.commit)
      if (11...64).contains(record.commit) {
        #expect(record.frames.isEmpty && record.ticks == expected.ticks && record.records == expected.records)
      } else {
        #expect(record.isStored(as: expected))
      }
    }
    #expect(told.summary.framesLost == 54 * 2 && told.bad.count == 55)
    #expect(told.bad.last?.row == "log/\(name) commit 64")
    #expect(told.bad.last?.reason == "2 frames are lost: the history of group 0 is missing")
    // Nothing of the file was cut, and it goes on.
    #expect(try bed.bytes() == bytes)
    try bed.append(151...151, to: log)
    #expect(try bed.read().commits.last == 151)
  }

  @Test("reads around a sector that the device cannot give any more")
  func unreadable() throws {
    let bed = try bed(150)
    let offsets = try bed.offsets()
    let place = Int64(offsets[60])
    bed.files.plan.withLock { $0.unreadable = place..<place + 1 }
    let told = try bed.read()
    #expect(told.commits.first == 1 && told.commits.last == 150)
    #expect(told.commits.count < 150 && told.commits.count > 20)
    #expect(told.bad.first?.reason.contains("are missing") == true)
  }

  @Test("reads a file whose header is damaged, and begins another")
  func damagedHeader() throws {
    let bed = try bed(3)
    var bytes = try bed.bytes()
    bytes[20] ^= 1
    try bed.write(bytes)
    let (log, told) = try bed.open()
    #expect(told.commits == [1, 2, 3])
    #expect(told.bad == [BadBody(row: "log/\(try bed.name())", reason: "its header does not match its checksum")])
    try bed.append(4...4, to: log)
    #expect(try bed.folder.names("log").count == 2)
    #expect(try bed.read().commits == [1, 2, 3, 4])
    try log.remove(filesEndingBefore: 4)
    #expect(try bed.read().commits == [4])
  }

  @Test("takes away a file that was made and never flushed", arguments: [0, 5, 32, 4096])
  func blank(size: Int) throws {
    let bed = try bed(3)
    let zeros = [UInt8](repeating: 0, count: size)
    try bed.folder.write(zeros, to: "log/0000000000000009.twl")
    let before = try bed.folder.names("log")
    #expect(try bed.read().bad.isEmpty)
    #expect(try bed.folder.names("log") == before)
    let (log, told) = try bed.open()
    #expect(told.commits == [1, 2, 3] && told.bad.isEmpty)
    #expect(try bed.folder.names("log").count == 1)
    try bed.append(4...4, to: log)
    #expect(try bed.read().commits == [1, 2, 3, 4])
  }

  @Test("begins a file again that has a header and no record")
  func headerOnly() throws {
    let bed = try bed(3)
    let log = try bed.open().log
    log.rotate(firstTick: 4)
    try bed.append(4...4, to: log)
    try bed.write(Array(try bed.bytes(1)[..<FileHead.size]), 1)
    try expectGoesOn(bed, from: 3)
    #expect(try bed.folder.names("log").count == 2)
  }

  @Test("leaves a file of which nothing can be read, and names it")
  func foreign() throws {
    let bed = try bed(3)
    let text = Array("this is not a file of the log, whoever put it here".utf8)
    try bed.folder.write(text, to: "log/0000000000000009.twl")
    try bed.folder.write(text, to: "log/readme.txt")
    let (log, told) = try bed.open()
    #expect(told.commits == [1, 2, 3])
    #expect(
      told.bad
        == [BadBody(row: "log/0000000000000009.twl", reason: "neither its header nor any record can be read")])
    try bed.append(4...4, to: log)
    #expect(
      try bed.folder.names("log")
        == ["0000000000000001.twl", "0000000000000009.twl", "000000000000000a.twl", "readme.txt"])
    #expect(try bed.folder.bytes("log/0000000000000009.twl") == text)
    #expect(try bed.read().commits == [1, 2, 3, 4])
  }

  @Test("refuses a newer version before it touches anything")
  func newer() throws {
    let bed = try bed(3)
    // The first file is torn: it would be cut.
    let log = try bed.open().log
    log.rotate(firstTick: 4)
    try bed.append(4...4, to: log)
    try bed.write(Array(try bed.bytes(0).dropLast(3)), 0)
    var newer = try bed.bytes(1)
    newer[8] = 2
    let sum = Checksum.crc32c(newer[16..<32], continuing: Checksum.crc32c(newer[..<12]))
    for index in 0..<4 { newer[12 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
    try bed.write(newer, 1)
    let before = try bed.folder.contents("log")
    #expect(fault { () throws(StoreError) in _ = try bed.open() }?.kind == .newerVersion)
    #expect(fault { () throws(StoreError) in _ = try bed.read() }?.kind == .newerVersion)
    #expect(try bed.folder.contents("log") == before)
  }

  @Test("names commits whose file is gone")
  func gap() throws {
    let bed = LogBed()
    let log = try bed.open().log
    for first in [Int64(1), 4, 7] {
      log.rotate(firstTick: first)
      try bed.append(first...first + 2, to: log)
    }
    try SystemFileStore().remove("\(bed.directory)/0000000000000004.twl")
    let told = try bed.read()
    #expect(told.commits == [1, 2, 3, 7, 8, 9])
    #expect(
      told.bad == [BadBody(row: "log/0000000000000007.twl at 32", reason: "commits 4 to 6 are missing")])
  }

  @Test("reports a record that stands in the wrong order")
  func repeated() throws {
    let bed = try bed(3)
    let (bytes, offsets) = (try bed.bytes(), try bed.offsets())
    // Commit 2 once more behind commit 3, with a header that is right for its place, then commit 4.
    var second = Array(bytes[offsets[1]..<offsets[2]])
    let place = Int64(bytes.count)
    let header = try #require(LogRecordHeader(bytes, at: offsets[1], offset: Int64(offsets[1])))
    second.replaceSubrange(..<LogRecordHeader.size, with: header.bytes(at: place))
    try bed.write(bytes + second)
    #expect(try bed.read().commits == [1, 2, 3])
    let log = try bed.open().log
    try bed.append(4...4, to: log)
    #expect(try bed.read().commits == [1, 2, 3, 4])
  }
}
