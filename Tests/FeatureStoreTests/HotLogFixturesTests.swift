import Seams
import Testing
import TwinCore

@testable import FeatureStore

/// A log in a folder of its own, and what is read from it.
struct LogBed {
  let folder = ScratchFolder()
  let files = PlannedFiles()
  var layouts: [Int64: FrameLayout] = [
    1: .test(group: 0, scales: [0.1, 0, 1, 0.01]), 2: .test(group: 1, scales: [0.5]),
  ]

  var directory: String { folder.path + "/log" }

  /// What opening or reading gave.
  struct Told {
    var records: [LogRecord] = []
    var bad: [BadBody] = []
    var summary = LogReplay.Summary()
    var commits: [Int64] { records.map(\.commit) }
  }

  func open() throws(StoreError) -> (log: HotLog, told: Told) {
    var told = Told()
    let log = try HotLog(
      files: files, directory: directory, layouts: layouts, { told.records.append($0) }, bad: { told.bad.append($0) })
    told.summary = log.recovery
    return (log, told)
  }

  func read() throws(StoreError) -> Told {
    var told = Told()
    told.summary = try HotLog.read(
      files: files, directory: directory, layouts: layouts, { told.records.append($0) }, bad: { told.bad.append($0) })
    return told
  }

  func append(_ commits: ClosedRange<Int64>, to log: HotLog) throws(StoreError) {
    for commit in commits { try log.append(.test(commit), layouts: layouts) }
  }

  /// The only file, or the one at `index` in order of names.
  func name(_ index: Int = 0) throws -> String {
    try #require(folder.names("log").dropFirst(index).first)
  }
  func bytes(_ index: Int = 0) throws -> [UInt8] { try folder.bytes("log/" + name(index)) }
  func write(_ bytes: [UInt8], _ index: Int = 0) throws { try folder.write(bytes, to: "log/" + name(index)) }

  /// Where the records of a file begin, by hopping over its headers.
  func offsets(_ index: Int = 0) throws -> [Int] {
    let bytes = try bytes(index)
    var offsets: [Int] = []
    var offset = FileHead.size
    while let header = LogRecordHeader(bytes, at: offset, offset: Int64(offset)) {
      offsets.append(offset)
      offset += header.recordSize
    }
    return offsets
  }
}

extension LogRecord {
  /// Commit n: tick n, a frame of each of the groups 0 and 1, and now and then a decision and a fact.
  static func test(_ commit: Int64) -> LogRecord {
    let first = commit * 2 - 1
    let number = Double(commit)
    var record = LogRecord(commit: commit)
    record.frames = [
      LaidFrame(
        frame: .test(
          group: 0, sequence: first, at: commit,
          values: [(number * 3).truncatingRemainder(dividingBy: 100) * 0.1, number * 0.7, number, 0.25]),
        layout: 1),
      LaidFrame(frame: .test(group: 1, sequence: first + 1, at: commit, values: [21.5]), layout: 2),
    ]
    record.ticks = [.test(commit, frames: first..<first + 2, bytes: [UInt8](repeating: UInt8(commit & 255), count: 9))]
    if commit % 3 == 0 {
      record.records.decisions = [.test(commit)]
      record.records.facts = [NamedBytes(name: "n", bytes: [UInt8(commit & 255)])]
    }
    return record
  }

  /// The same in everything that the log promises: values bit for bit, NaN where the quality has none.
  func isStored(as other: LogRecord) -> Bool {
    commit == other.commit && ticks == other.ticks && records == other.records && frames.count == other.frames.count
      && zip(frames, other.frames).allSatisfy { a, b in
        a.layout == b.layout && b.frame.isStoredAs(a.frame) && a.frame.measures == b.frame.measures
      }
  }
}

/// Whatever a log may be given.
struct LogGenerator {
  var random: Seeded
  private(set) var layouts: [Int64: FrameLayout] = [:]
  private var current: [Int32: Int64] = [:]
  private var measures: [Int32: [CellMeasure]] = [:]
  private var sequence: Int64
  private var tick: Int64
  private var second: Int64 = 1_790_000_000

  init(_ seed: UInt64) {
    random = Seeded(seed)
    (sequence, tick) = (Int64.random(in: 1...1 << 40, using: &random), Int64.random(in: 0...1 << 40, using: &random))
  }

  private mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }
  private mutating func bytes(_ max: Int) -> [UInt8] { (0..<roll(max + 1)).map { _ in UInt8(roll(256)) } }
  private mutating func integer() -> Int64 {
    [.min, .max, 0, -1, second * 1_000_000_000, Int64(bitPattern: random.next())][roll(6)]
  }
  private mutating func instant() -> Instant {
    roll(20) == 0
      ? Instant(nanoseconds: integer()) : Instant(nanoseconds: second * 1_000_000_000 + Int64(roll(9)) * 1_000_000)
  }
  private mutating func text() -> String { ["", "chiller-1", "ünïcode ☃", "a\nb"][roll(4)] }

  private mutating func value(_ scale: Double) -> Double {
    switch roll(12) {
    case 0:
      [
        .nan, -.infinity, -0.0, 1e300, .leastNonzeroMagnitude, Double(bitPattern: 0x7FF8_0000_0000_1234),
        9_007_199_254_740_994, -9_007_199_254_740_991,
      ][roll(8)]
    case 1: Double(bitPattern: random.next())
    default: Double(roll(2000) - 1000) * (scale > 0 ? scale : 0.37)
    }
  }

  mutating func record(_ commit: Int64) -> LogRecord {
    var record = LogRecord(commit: commit)
    second += Int64(roll(3))
    for _ in 0..<roll(3) { record.records.layouts.append(register()) }
    for _ in 0..<roll(3) {
      let first = sequence
      for _ in 0..<roll(6) { addFrame(to: &record) }
      guard roll(5) > 0 else { continue }
      tick += Int64(1 + roll(3))
      record.ticks.append(
        TickRecord(
          number: tick, instant: instant(), uptime: Uptime(nanoseconds: integer()), boot: Int64(roll(3)),
          frames: first..<sequence, mustBeKept: roll(2) == 0, bytes: bytes(40)))
      for index in record.frames.indices where record.frames[index].frame.sequence >= first && roll(9) > 0 {
        record.frames[index].frame.observed = record.ticks[record.ticks.count - 1].instant
      }
      sequence += roll(4) == 0 ? Int64(roll(5)) : 0
    }
    addRecords(to: &record)
    return record
  }

  private mutating func register() -> LayoutEntry {
    let group = Int32([0, 1, 2, 7, Int(Int32.max)][roll(5)])
    let scales = (0..<1 + roll(20)).map { _ in [0, 0.1, 0.01, 1, 3, 1e-300][roll(6)] }
    let version = Int64(layouts.count + 1)
    let layout = FrameLayout.test(group: group, scales: scales)
    (layouts[version], current[group], measures[group]) = (layout, version, nil)
    return LayoutEntry(version: version, layout: layout, registered: instant())
  }

  private mutating func addFrame(to record: inout LogRecord) {
    let groups = current.keys.sorted()
    guard !groups.isEmpty else { return }
    let group = groups[roll(groups.count)]
    guard let version = current[group], let scales = layouts[version]?.scales else { return }
    let qualities = scales.map { _ in roll(8) == 0 ? Quality.allCases[roll(5)] : .good }
    var told = measures[group] ?? scales.map { _ in CellMeasure() }
    for column in told.indices where roll(6) == 0 {
      told[column] = CellMeasure(
        variance: UInt8(roll(256)), confidence: UInt8(roll(256)), provenance: UInt16(roll(65_536)),
        stamp: UInt16(roll(65_536)))
    }
    let hasMeasures = roll(3) == 0
    if hasMeasures { measures[group] = told }
    record.frames.append(
      LaidFrame(
        frame: Frame(
          group: group, sequence: sequence, effective: instant(), observed: instant(),
          uptime: Uptime(nanoseconds: roll(9) == 0 ? integer() : second * 1_000_000), values: scales.map { value($0) },
          qualities: qualities, measures: hasMeasures ? told : []),
        layout: version))
    sequence += 1
  }

  private mutating func addRecords(to record: inout LogRecord) {
    for _ in 0..<max(0, roll(6) - 3) {
      record.records.decisions.append(
        DecisionEntry(id: text(), tick: integer(), instant: instant(), kind: text(), point: text(), bytes: bytes(60)))
      record.records.events.append(
        EventEntry(tick: integer(), instant: instant(), kind: text(), subject: text(), bytes: bytes(60)))
      record.records.facts.append(NamedBytes(name: text(), bytes: roll(2) == 0 ? nil : bytes(9)))
      record.records.leases.append(NamedBytes(name: text(), bytes: roll(2) == 0 ? nil : bytes(9)))
      let (a, b) = (integer(), integer())
      record.records.versions.append(
        VersionEntry(
          family: text(), subject: text(), effective: Instant(nanoseconds: min(a, b))..<Instant(nanoseconds: max(a, b)),
          tick: integer(), bytes: bytes(20)))
    }
  }
}
