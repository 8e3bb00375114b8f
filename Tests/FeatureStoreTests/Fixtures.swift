import FeatureStore
import Glibc
import Seams
import Synchronization
import TwinCore

/// A site's directory that goes with the test.
final class Site {
  let path: String

  init() {
    var template = Array("/tmp/twind-store-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit { Site.remove(path) }

  private static func remove(_ path: String) {
    let files = SystemFileStore()
    for name in (try? files.names(in: path)) ?? [] {
      if unsafe unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
    }
    _ = unsafe rmdir(path)
  }

  func open(
    _ limits: StoreLimits = StoreLimits(), files: any FileStore = SystemFileStore()
  ) throws(StoreError) -> SiteStore {
    try SiteStore(directory: path, limits: limits, files: files)
  }

  /// Files below the site's directory, by folder and name.
  func names(_ folder: String) -> [String] { (try? SystemFileStore().names(in: "\(path)/\(folder)")) ?? [] }

  /// Turns one bit of a file.
  func damage(_ name: String, at offset: Int64) throws {
    let file = try SystemFileStore().open("\(path)/\(name)", .write)
    let byte = try file.read(1, at: offset)
    try file.write([byte[0] ^ 0x10], at: offset)
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
struct Seeded: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

extension FrameLayout {
  /// Points `gG.0`, `gG.1`, … with the given scales.
  static func test(group: Int32 = 0, scales: [Double] = [0.1, 0, 1]) -> FrameLayout {
    FrameLayout(
      group: group, points: scales.indices.map { "g\(group).\($0)" }, scales: scales,
      units: scales.map { _ in "Cel" }, variances: scales.map { _ in 0.01 }, provenance: scales.map { _ in "test" })
  }
}

extension Frame {
  static func test(
    group: Int32 = 0, sequence: Int64 = 0, at second: Int64, observed: Int64? = nil, values: [Double],
    qualities: [Quality]? = nil
  ) -> Frame {
    Frame(
      group: group, sequence: sequence, effective: .second(second), observed: .second(observed ?? second),
      uptime: Uptime(nanoseconds: second * 1_000_000_000), values: values,
      qualities: qualities ?? values.map { _ in .good })
  }

  /// The same in everything that the store promises: bit for bit where there is a value.
  func isStoredAs(_ other: Frame) -> Bool {
    group == other.group && sequence == other.sequence && effective == other.effective && observed == other.observed
      && uptime == other.uptime && qualities == other.qualities && measures == other.measures
      && values.count == other.values.count
      && values.indices.allSatisfy {
        qualities[$0].hasValue ? values[$0].bitPattern == other.values[$0].bitPattern : other.values[$0].isNaN
      }
  }
}

extension Instant {
  static func second(_ number: Int64) -> Instant { Instant(nanoseconds: number * 1_000_000_000) }
}

extension TickRecord {
  static func test(
    _ number: Int64, frames: Range<Int64> = 0..<0, mustBeKept: Bool = false, bytes: [UInt8] = [1, 2, 3]
  ) -> TickRecord {
    TickRecord(
      number: number, instant: .second(number), uptime: Uptime(nanoseconds: number), boot: 1, frames: frames,
      mustBeKept: mustBeKept, bytes: bytes)
  }
}

extension DecisionEntry {
  static func test(_ number: Int64, point: String = "g0.0") -> DecisionEntry {
    DecisionEntry(
      id: "d\(number)", tick: number, instant: .second(number), kind: "proposal", point: point,
      bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 20))
  }
}

extension SiteStore {
  /// Appends a tick with frames, which get the sequences that are next; gives both as the store has to give them back.
  @discardableResult
  func add(tick number: Int64, at instant: Instant, _ frames: [Frame] = []) throws(StoreError) -> (TickRecord, [Frame])
  {
    let first = nextFrameSequence
    var stored: [Frame] = []
    for frame in frames.enumerated().sorted(by: { ($0.element.group, $0.offset) < ($1.element.group, $1.offset) }) {
      var frame = frame.element
      frame.observed = instant
      frame.sequence = try append(frame)
      stored.append(frame)
    }
    let tick = TickRecord(
      number: number, instant: instant, uptime: Uptime(nanoseconds: number * 7), boot: 1,
      frames: first..<nextFrameSequence, mustBeKept: false, bytes: [UInt8(truncatingIfNeeded: number), 2])
    try append(tick: tick)
    return (tick, stored)
  }

  /// One frame of group 0 with a tick of its own, numbered by the second.
  func add(_ second: Int64, _ values: [Double], qualities: [Quality]? = nil) throws(StoreError) {
    try add(tick: second, at: .second(second), [.test(at: second, values: values, qualities: qualities)])
  }
}

/// The system's files, until they are told to fail.
final class FaultyFiles: FileStore {
  struct Faults {
    /// Bytes that may still be written; nil: as many as you like.
    var space: Int64?
    var failingSyncs = 0
    /// Changes of files after which every other fails, as if the process were gone; nil: never.
    var stepsLeft: Int?
    var steps = 0
  }

  private let system = SystemFileStore()
  private let state = Mutex(Faults())

  func set(_ change: (inout Faults) -> Void) { state.withLock { change(&$0) } }
  var steps: Int { state.withLock { $0.steps } }

  fileprivate func step(_ path: String, writing bytes: Int = 0, isSync: Bool = false) throws(FileFault) {
    let fault = state.withLock { state -> FileFault? in
      state.steps += 1
      if let left = state.stepsLeft {
        guard left > 0 else { return FileFault(.io, path: path, "the process is gone") }
        state.stepsLeft = left - 1
      }
      if isSync, state.failingSyncs > 0 {
        state.failingSyncs -= 1
        return FileFault(.io, path: path, "sync of \(path): EIO")
      }
      if let space = state.space {
        guard space >= Int64(bytes) else { return FileFault(.full, path: path, "write \(path): no space") }
        state.space = space - Int64(bytes)
      }
      return nil
    }
    if let fault { throw fault }
  }

  func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    if case .create = access { try step(path) }
    return FaultyFile(try system.open(path, access), path, self)
  }

  func names(in directory: String) throws(FileFault) -> [String] { try system.names(in: directory) }
  func freeBytes(at path: String) throws(FileFault) -> Int64 { try system.freeBytes(at: path) }

  func makeDirectory(_ path: String) throws(FileFault) {
    try step(path)
    try system.makeDirectory(path)
  }

  func rename(_ path: String, to target: String) throws(FileFault) {
    try step(path)
    try system.rename(path, to: target)
  }

  func remove(_ path: String) throws(FileFault) {
    try step(path)
    try system.remove(path)
  }

  func syncDirectory(_ path: String) throws(FileFault) {
    try step(path, isSync: true)
    try system.syncDirectory(path)
  }
}

private final class FaultyFile: OpenFile {
  private let file: any OpenFile
  private let path: String
  private let files: FaultyFiles

  init(_ file: any OpenFile, _ path: String, _ files: FaultyFiles) {
    (self.file, self.path, self.files) = (file, path, files)
  }

  var size: Int64 { get throws(FileFault) { try file.size } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    unsafe try file.read(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    try files.step(path, writing: bytes.count)
    unsafe try file.write(bytes, at: offset)
  }

  func truncate(to size: Int64) throws(FileFault) {
    try files.step(path)
    try file.truncate(to: size)
  }

  func sync() throws(FileFault) {
    try files.step(path, isSync: true)
    try file.sync()
  }
}

/// Every tick of a store with its frames.
func log(_ store: SiteStore, from first: Int64 = .min, through last: Int64? = nil) throws -> [(TickRecord, [Frame])] {
  let cursor = try store.ticks(from: first, through: last)
  var found: [(TickRecord, [Frame])] = []
  while let next = try cursor.next() { found.append((next.tick, next.frames)) }
  return found
}

/// The error of a call into the store; nil when it has none.
func fault(_ body: () throws(StoreError) -> Void) -> StoreError? {
  do throws(StoreError) { try body() } catch { return error }
  return nil
}
