import Seams
import Synchronization
import Testing
import TwinCore

@testable import FeatureStore

@Suite("When the disk fails a hot log") struct HotLogFaultTests {
  private func error(_ log: HotLog, _ bed: LogBed, _ commit: Int64) -> StoreError? {
    fault { () throws(StoreError) in try log.append(.test(commit), layouts: bed.layouts) }
  }

  private func expectAll(_ bed: LogBed, through commit: Int64) throws {
    for told in [try bed.read(), try bed.open().told] {
      #expect(told.commits == Array(1...commit) && told.bad.isEmpty)
      #expect(told.records.allSatisfy { $0.isStored(as: .test($0.commit)) })
    }
  }

  @Test("gives a file no more records after a sync that failed", arguments: [true, false])
  func sync(forgets: Bool) throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    bed.files.fail(.sync, forgets: forgets)
    #expect(error(log, bed, 4)?.kind == .io)
    #expect(log.lastCommit == 3 && log.fileBytes == 0)
    let first = try bed.bytes()
    try bed.append(4...6, to: log)
    #expect(try bed.bytes() == first)
    #expect(try bed.folder.names("log").count == 2)
    let key = try #require(LogRecordHeader(bed.bytes(1), at: FileHead.size, offset: Int64(FileHead.size)))
    #expect(key.isKey && key.commit == 4)
    try expectAll(bed, through: 6)
  }

  @Test("counts the later one of two records with one number")
  func duplicate() throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    bed.files.fail(.sync)
    var first = LogRecord.test(4)
    first.records.facts = [NamedBytes(name: "which", bytes: [1])]
    #expect(fault { () throws(StoreError) in try log.append(first, layouts: bed.layouts) } != nil)
    try bed.append(4...5, to: log)
    #expect(try bed.offsets(0).count == 4)
    try expectAll(bed, through: 5)
    #expect(try bed.read().summary.cutRecords == 1)
  }

  @Test("has what a failed sync left, when nothing came after it, and makes it durable")
  func syncThenRestart() throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    bed.files.fail(.sync)
    #expect(error(log, bed, 4) != nil)
    try expectAll(bed, through: 4)
    // Opening writes the last record again and flushes it: what fails there is told.
    for call in [PlannedFiles.Call.write, .sync, .syncDirectory] {
      bed.files.fail(call, after: call == .syncDirectory ? 1 : 0)
      #expect(fault { () throws(StoreError) in _ = try bed.open() }?.kind == .io, "\(call)")
    }
    let again = try bed.open().log
    try bed.append(5...5, to: again)
    try expectAll(bed, through: 5)
  }

  @Test("leaves no heap of files while every sync fails")
  func syncForLong() throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    bed.files.fail(.sync, isOnce: false)
    for _ in 0..<20 { #expect(error(log, bed, 4)?.kind == .io) }
    #expect(try bed.folder.names("log").count == 1)
    bed.files.heal()
    try bed.append(4...5, to: log)
    try expectAll(bed, through: 5)
  }

  @Test("cuts a record off again for which there was no space, and tries at the same place", arguments: [0, 1, 40])
  func full(written: Int) throws {
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    let before = try bed.bytes()
    bed.files.fail(.write, .full, written: written, isOnce: false)
    for _ in 0..<3 {
      #expect(error(log, bed, 4)?.kind == .diskFull)
      #expect(try bed.bytes() == before)
    }
    bed.files.heal()
    try bed.append(4...6, to: log)
    #expect(try bed.folder.names("log").count == 1)
    try expectAll(bed, through: 6)
  }

  @Test("begins a file for which there was no space", arguments: [0, 20, 50])
  func fullAtBirth(written: Int) throws {
    let bed = LogBed()
    let log = try bed.open().log
    bed.files.fail(.write, .full, written: written)
    #expect(error(log, bed, 1)?.kind == .diskFull)
    #expect(try bed.read().bad.isEmpty)
    try bed.append(1...3, to: log)
    #expect(try bed.folder.names("log").count == 1)
    try expectAll(bed, through: 3)
  }

  @Test("leaves a file alone that cannot even be cut")
  func truncation() throws {
    // A write that fails half way and a cut that fails too: two plans, so the first by a file that is full.
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...3, to: log)
    bed.files.failWriteThenTruncate(written: 50)
    #expect(error(log, bed, 4) != nil)
    #expect(log.fileBytes == 0)
    try bed.append(4...5, to: log)
    #expect(try bed.folder.names("log").count == 2)
    try expectAll(bed, through: 5)
  }

  @Test("does not count a file whose name may be lost")
  func directory() throws {
    let bed = LogBed()
    let log = try bed.open().log
    bed.files.fail(.syncDirectory)
    #expect(error(log, bed, 1)?.kind == .io)
    #expect(try bed.folder.names("log").isEmpty)
    try bed.append(1...2, to: log)
    try expectAll(bed, through: 2)
  }

  @Test("has every acknowledged record, whatever fails")
  func anything() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    for round in 0..<max(20, fuzzRounds / 2) {
      var random = Seeded(seed &+ UInt64(round))
      let bed = LogBed()
      var acknowledged: Int64 = 0
      var log = try bed.open().log
      for _ in 0..<40 {
        if Int.random(in: 0..<4, using: &random) == 0 {
          let call =
            [PlannedFiles.Call.write, .sync, .syncDirectory, .truncate].randomElement(using: &random) ?? .write
          bed.files.fail(
            call, after: Int.random(in: 0..<3, using: &random), Bool.random(using: &random) ? .full : .io,
            written: Int.random(in: 0...60, using: &random), forgets: Bool.random(using: &random))
        }
        if Int.random(in: 0..<8, using: &random) == 0 { log.rotate(firstTick: acknowledged + 1) }
        if error(log, bed, acknowledged + 1) == nil { acknowledged += 1 }
        guard Int.random(in: 0..<10, using: &random) == 0 else { continue }
        bed.files.heal()
        let (reopened, told) = try bed.open()
        try #require(told.bad.isEmpty, "seed \(seed) round \(round)")
        // One more than was acknowledged may be there: its sync failed, and yet it came to the disk.
        try #require(
          told.commits.elementsEqual(1..<acknowledged + 1) || told.commits.elementsEqual(1..<acknowledged + 2),
          "seed \(seed) round \(round)")
        try #require(told.records.allSatisfy { $0.isStored(as: .test($0.commit)) }, "seed \(seed) round \(round)")
        (log, acknowledged) = (reopened, reopened.lastCommit)
      }
    }
  }
}

extension PlannedFiles {
  /// The next write fails half way, and the cut after it fails too.
  func failWriteThenTruncate(written: Int) {
    fail(.write, .full, written: written)
    plan.withLock { $0.thenTruncate = true }
  }
}
