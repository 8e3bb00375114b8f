import Seams
import SeriesCodec
import Testing
import TwinCore

@testable import FeatureStore

@Suite("Whatever its bytes are a hot log") struct HotLogFuzzTests {
  @Test("tells no record that was not written, and opens")
  func files() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    var random = Seeded(seed)
    let bed = LogBed()
    let log = try bed.open().log
    try bed.append(1...70, to: log)
    log.rotate(firstTick: 71)
    try bed.append(71...100, to: log)
    let whole = [try bed.bytes(0), try bed.bytes(1)]
    for round in 0..<fuzzRounds {
      let bent = Int.random(in: 0...1, using: &random)
      try bed.write(whole[bent].mutated(&random), bent)
      try bed.write(whole[1 - bent], 1 - bent)
      let told = try bed.read()
      try #require(zip(told.commits, told.commits.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed) round \(round)")
      for record in told.records {
        let written = LogRecord.test(record.commit)
        try #require(
          record.ticks == written.ticks && record.records == written.records
            && record.frames.allSatisfy { found in written.frames.contains { $0.frame.isStoredAs(found.frame) } },
          "seed \(seed) round \(round) commit \(record.commit)")
      }
      let opened = try bed.open()
      try #require(opened.told.commits == told.commits, "seed \(seed) round \(round)")
      try opened.log.append(.test(1000), layouts: bed.layouts)
      try #require(try bed.read().commits == told.commits + [1000], "seed \(seed) round \(round)")
      for name in try bed.folder.names("log") { try SystemFileStore().remove("\(bed.directory)/\(name)") }
      try bed.folder.write(whole[0], to: "log/0000000000000001.twl")
      try bed.folder.write(whole[1], to: "log/0000000000000047.twl")
    }
  }

  @Test("unpacks a body whose checksum is right and whose content is not, or refuses it")
  func bodies() throws {
    let seed = UInt64.random(in: 0...UInt64(Int64.max))
    var generator = LogGenerator(seed)
    var writer = LogBodyWriter()
    var bodies: [[UInt8]] = []
    for commit in 1...30 {
      var body: [UInt8] = []
      try writer.write(generator.record(Int64(commit)), layouts: generator.layouts, into: &body)
      bodies.append(body)
    }
    var random = Seeded(seed)
    var refused = 0
    for _ in 0..<fuzzRounds {
      var reader = LogBodyReader(layouts: generator.layouts)
      for body in bodies {
        let bent = Int.random(in: 0..<4, using: &random) == 0 ? body.mutated(&random) : body
        do throws(CodecFault) {
          _ = try reader.read(bent, in: 0..<bent.count, commit: 1) { _, _ in }
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 0, "seed \(seed)")
  }

  @Test("asks for no memory that its bytes do not pay for")
  func bombs() throws {
    // One section of frames that claims a great many, of many columns.
    for (frames, columns) in [(FrameSection.framesMax, 1), (2000, FrameSection.columnsMax)] {
      var section = ByteWriter()
      section.varint(UInt64(frames))
      section.zigzag(1)
      section.varint(UInt64(frames))
      for frame in 0..<frames {
        section.byte(frame == 0 ? 2 + 4 + 32 : 1 + 4 + 32)
        if frame > 0 { section.zigzag(-1) }
        if frame == 0 {
          section.zigzag(1)
          section.varint(UInt64(columns))
        }
        section.zigzag(0)
        section.zigzag(0)
        for _ in 0..<(columns + 7) / 8 { section.byte(0) }
      }
      var body = ByteWriter()
      body.byte(3)
      body.varint(UInt64(section.bytes.count))
      body.append(section.bytes)
      let layout = FrameLayout.test(group: 0, scales: Array(repeating: 1, count: columns))
      var reader = LogBodyReader(layouts: [1: layout])
      var lost: String?
      let record = try reader.read(body.bytes, in: 0..<body.bytes.count, commit: 1) { lost = $1 }
      let cells = record.frames.reduce(0) { $0 + $1.frame.values.count }
      #expect(cells <= FrameSection.cellsMax)
      #expect((lost == nil) == (frames * columns <= FrameSection.cellsMax))
    }
  }
}
