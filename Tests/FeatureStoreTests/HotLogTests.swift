import Seams
import SeriesCodec
import Synchronization
import Testing
import TwinCore

@testable import FeatureStore

@Suite("A hot log") struct HotLogTests {
  @Test("gives back every record bit for bit, reopened and rotated at any time")
  func roundTrip() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    for round in 0..<max(10, fuzzRounds / 4) {
      let comment: Comment = "seed \(seed) round \(round)"
      var bed = LogBed()
      bed.layouts = [:]
      var generator = LogGenerator(seed &+ UInt64(round))
      var written: [LogRecord] = []
      var log = try bed.open().log
      for commit in 1...Int64(Int.random(in: 1...150, using: &generator.random)) {
        let record = generator.record(commit)
        try log.append(record, layouts: generator.layouts)
        written.append(record)
        switch Int.random(in: 0..<40, using: &generator.random) {
        case 0: log.rotate(firstTick: Int64.random(in: 0...1000, using: &generator.random))
        case 1:
          let (reopened, told) = try bed.open()
          try #require(told.records.count == written.count && told.bad.isEmpty, comment)
          log = reopened
        default: break
        }
      }
      let told = try bed.read()
      try #require(told.records.count == written.count && told.bad.isEmpty, comment)
      for (found, record) in zip(told.records, written) { try #require(found.isStored(as: record), comment) }
      #expect(told.summary == LogReplay.Summary(records: written.count), comment)
    }
  }

  @Test("takes at most 1.2 bytes a sample of polled registers, ticks and headers included")
  func density() throws {
    var bed = LogBed()
    let scales = (0..<20).map { [0.1, 0.01, 0.1, 1, 0.5][$0 % 5] }
    bed.layouts = [:]
    for group in 0..<50 { bed.layouts[Int64(group)] = .test(group: Int32(group), scales: scales) }
    var random = Seeded(11)
    let log = try bed.open().log
    let (commits, commonMs): (Int64, Int64) = (130, 1_790_000_000_000)
    for commit in 1...commits {
      var record = LogRecord(commit: commit)
      let first = commit * 50
      for group in 0..<50 {
        // Sensor noise of a few counts in two fifths of the points, slow or no change in the others.
        let values = scales.indices.map { column in
          let noise = column % 5 < 2 ? Double(Int.random(in: -20...20, using: &random)) : 0
          return (Double(1000 + column) + noise + (column % 5 == 3 ? Double(commit * 3) : 0)) * scales[column]
        }
        let effective = (commonMs + commit * 1000 + Int64(Int.random(in: 0...16, using: &random))) * 1_000_000
        record.frames.append(
          LaidFrame(
            frame: Frame(
              group: Int32(group), sequence: first + Int64(group), effective: Instant(nanoseconds: effective),
              observed: .second(commit), uptime: Uptime(nanoseconds: effective - 1_789_999_000_123_456_789),
              values: values, qualities: values.map { _ in .good }),
            layout: Int64(group)))
      }
      record.ticks = [.test(commit, frames: first..<first + 50, bytes: [UInt8](repeating: 7, count: 40))]
      try log.append(record, layouts: bed.layouts)
    }
    #expect(Double(log.bytes) / Double(commits * 1000) <= 1.2)
  }

  @Test("goes on in its file after it was opened again")
  func reopening() throws {
    let bed = LogBed()
    bed.files.plan.withLock { $0.flushes = true }
    try bed.append(1...70, to: bed.open().log)
    let (log, told) = try bed.open()
    #expect(told.commits == Array(1...70) && log.lastCommit == 70)
    try bed.append(71...80, to: log)
    #expect(try bed.folder.names("log") == ["0000000000000001.twl"])
    let all = try bed.read()
    #expect(all.commits == Array(1...80) && all.bad.isEmpty)
    #expect(all.records.allSatisfy { $0.isStored(as: .test($0.commit)) })
    #expect(log.bytes == Int64(try bed.bytes().count))
  }

  @Test("names a file by its first tick, or the next number above the last file's")
  func names() throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...2, to: log)
    log.rotate(firstTick: 0x2A)
    #expect(log.fileBytes == 0)
    try bed.append(3...4, to: log)
    log.rotate(firstTick: 3)
    try bed.append(5...5, to: log)
    #expect(
      try bed.folder.names("log") == ["0000000000000001.twl", "000000000000002a.twl", "000000000000002b.twl"])
    #expect(try bed.read().commits == Array(1...5))
  }

  @Test("unlinks files that end before a commit, never the one that is written")
  func removing() throws {
    let bed = LogBed()
    let log = try bed.open().log
    for first in [Int64(1), 4, 7] {
      log.rotate(firstTick: first)
      try bed.append(first...first + 2, to: log)
    }
    try log.remove(filesEndingBefore: 6)
    #expect(try bed.read().commits == Array(4...9))
    try log.remove(filesEndingBefore: 100)
    #expect(try bed.read().commits == Array(7...9))
    #expect(log.bytes == Int64(try bed.bytes().count))
    try bed.append(10...10, to: log)
    let told = try bed.open().told
    #expect(told.commits == Array(7...10) && told.bad.isEmpty)
  }

  @Test("refuses a record that is too big, and goes on")
  func tooBig() throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...2, to: log)
    var big = LogRecord.test(3)
    big.records.facts = [NamedBytes(name: "f", bytes: [UInt8](repeating: 1, count: HotLog.recordBytesMax))]
    #expect(fault { () throws(StoreError) in try log.append(big, layouts: bed.layouts) }?.kind == .tooBig)
    var many = LogRecord.test(3)
    many.frames = Array(repeating: many.frames[1], count: FrameSection.framesMax + 1)
    #expect(fault { () throws(StoreError) in try log.append(many, layouts: bed.layouts) }?.kind == .tooBig)
    try bed.append(3...4, to: log)
    let told = try bed.read()
    #expect(told.commits == [1, 2, 3, 4] && told.bad.isEmpty)
    #expect(told.records.allSatisfy { $0.isStored(as: .test($0.commit)) })
  }

  @Test("loses the frames of an unknown layout, and no others")
  func unknownLayout() throws {
    var bed = LogBed()
    try bed.append(1...5, to: bed.open().log)
    bed.layouts[1] = nil
    let told = try bed.read()
    #expect(told.commits == Array(1...5) && told.summary.framesLost == 5)
    #expect(told.records.allSatisfy { $0.frames == [LogRecord.test($0.commit).frames[1]] })
    #expect(told.bad.first?.reason == "1 frames are lost: the layout of group 0 is unknown")
  }

  @Test("hands on what its reader throws")
  func readerThrows() throws {
    let bed = LogBed()
    try bed.append(1...3, to: bed.open().log)
    var seen = 0
    let error = fault { () throws(StoreError) in
      try HotLog.read(
        files: bed.files, directory: bed.directory, layouts: bed.layouts,
        { record throws(StoreError) in
          seen += 1
          if record.commit == 2 { throw StoreError(.diskFull, "stop") }
        }, bad: { _ in })
    }
    #expect(error == StoreError(.diskFull, "stop") && seen == 2)
  }

  @Test("reads beside its writer without a trace")
  func beside() throws {
    let bed = LogBed()
    let log = try bed.open().log
    #expect(try bed.read().commits.isEmpty)
    try bed.append(1...4, to: log)
    // A record that is being written.
    let whole = try bed.bytes()
    try bed.write(Array(whole.dropLast(5)))
    let before = try bed.folder.contents("log")
    let told = try bed.read()
    #expect(told.commits == [1, 2, 3] && told.bad.isEmpty && told.summary.cutRecords == 1)
    #expect(try bed.folder.contents("log") == before)
    try bed.write(whole)
    #expect(try bed.read().commits == [1, 2, 3, 4])
  }
}
