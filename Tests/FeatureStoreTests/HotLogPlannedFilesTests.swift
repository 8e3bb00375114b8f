import FeatureStore
import Glibc
import Seams
import Synchronization
import Testing
import TwinCore

/// A folder that goes with the test, and what it holds with it.
final class ScratchFolder {
  let path: String

  init() {
    var template = Array("/tmp/twind-files-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if unsafe unlink(path) == 0 { return }
    for name in (try? SystemFileStore().names(in: path)) ?? [] { remove("\(path)/\(name)") }
    _ = unsafe rmdir(path)
  }

  func bytes(_ name: String) throws -> [UInt8] {
    let file = try SystemFileStore().open("\(path)/\(name)", .read)
    return try file.read(Int(try file.size), at: 0)
  }

  /// Replaces the file.
  func write(_ bytes: [UInt8], to name: String) throws {
    let file = try SystemFileStore().open("\(path)/\(name)", .create)
    try file.truncate(to: 0)
    try file.write(bytes, at: 0)
  }

  func names(_ folder: String = "") throws -> [String] { try SystemFileStore().names(in: "\(path)/\(folder)") }

  /// Every file's bytes by its name.
  func contents(_ folder: String) throws -> [String: [UInt8]] {
    var found: [String: [UInt8]] = [:]
    for name in try names(folder) { found[name] = try bytes("\(folder)/\(name)") }
    return found
  }
}

/// The system's files, with faults where a plan says so.
final class PlannedFiles: FileStore {
  enum Call: Sendable { case write, sync, syncDirectory, truncate, rename }

  struct Plan: Sendable {
    /// Calls of this kind that still succeed before one fails; nil: none fails.
    var left: Int?
    var call = Call.write
    var kind = FileFault.Kind.io
    /// Bytes that a failing write brings to the file all the same.
    var written = 0
    /// A failing sync forgets what was written since the last one.
    var forgets = false
    /// Once: the call after the failing one succeeds. Else all of its kind fail from then on.
    var isOnce = true
    /// The cut after a write that failed fails too.
    var thenTruncate = false
    /// Whether the device is asked too. What a test reads comes from the system's memory, flushed or not.
    var flushes = false
    /// Offsets that cannot be read.
    var unreadable: Range<Int64>?
    var bytesRead: Int64 = 0
    var reads = 0
  }

  let plan = Mutex(Plan())
  fileprivate let system = SystemFileStore()

  func fail(
    _ call: Call, after left: Int = 0, _ kind: FileFault.Kind = .io, written: Int = 0, forgets: Bool = false,
    isOnce: Bool = true
  ) {
    plan.withLock {
      ($0.left, $0.call, $0.kind, $0.written) = (left, call, kind, written)
      ($0.forgets, $0.isOnce) = (forgets, isOnce)
    }
  }

  /// From now on all goes well.
  func heal() { plan.withLock { $0.left = nil } }

  /// The plan of a call that is to fail; nil when it may go on.
  fileprivate func fault(_ call: Call) -> Plan? {
    plan.withLock { plan in
      guard plan.call == call, let left = plan.left else { return nil }
      guard left == 0 else {
        plan.left = left - 1
        return nil
      }
      let failing = plan
      if plan.thenTruncate {
        (plan.thenTruncate, plan.call) = (false, .truncate)
      } else if plan.isOnce {
        plan.left = nil
      }
      return failing
    }
  }

  fileprivate func check(_ call: Call, _ path: String) throws(FileFault) {
    if let plan = fault(call) { throw FileFault(plan.kind, path: path, "\(call) fails by plan") }
  }

  func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    let file = try system.open(path, access)
    return PlannedFile(file, path: path, owner: self, syncedSize: try file.size)
  }
  func names(in directory: String) throws(FileFault) -> [String] { try system.names(in: directory) }
  func makeDirectory(_ path: String) throws(FileFault) { try system.makeDirectory(path) }
  func rename(_ path: String, to target: String) throws(FileFault) {
    try check(.rename, path)
    try system.rename(path, to: target)
  }
  func remove(_ path: String) throws(FileFault) { try system.remove(path) }
  func syncDirectory(_ path: String) throws(FileFault) {
    try check(.syncDirectory, path)
    if plan.withLock({ $0.flushes }) { try system.syncDirectory(path) }
  }
  func freeBytes(at path: String) throws(FileFault) -> Int64 { try system.freeBytes(at: path) }
}

private final class PlannedFile: OpenFile {
  private let file: any OpenFile
  private let path: String
  private let owner: PlannedFiles
  private var syncedSize: Int64

  init(_ file: any OpenFile, path: String, owner: PlannedFiles, syncedSize: Int64) {
    (self.file, self.path, self.owner, self.syncedSize) = (file, path, owner, syncedSize)
  }

  var size: Int64 { get throws(FileFault) { try file.size } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    let range = offset..<offset + Int64(buffer.count)
    let isUnreadable = owner.plan.withLock { plan in
      plan.bytesRead += Int64(buffer.count)
      plan.reads += 1
      return plan.unreadable?.overlaps(range) ?? false
    }
    if isUnreadable { throw FileFault(.io, path: path, "a sector that cannot be read") }
    return unsafe try file.read(into: buffer, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    if let plan = owner.fault(.write) {
      unsafe try file.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(plan.written)), at: offset)
      throw FileFault(plan.kind, path: path, "write fails by plan")
    }
    unsafe try file.write(bytes, at: offset)
  }

  func truncate(to size: Int64) throws(FileFault) {
    try owner.check(.truncate, path)
    try file.truncate(to: size)
  }

  func sync() throws(FileFault) {
    if let plan = owner.fault(.sync) {
      if plan.forgets, try file.size > syncedSize { try file.truncate(to: syncedSize) }
      throw FileFault(plan.kind, path: path, "sync fails by plan")
    }
    if owner.plan.withLock({ $0.flushes }) { try file.sync() }
    syncedSize = try file.size
  }
}

/// Rounds of the fuzz tests: `TWIND_FUZZ_ROUNDS`, else few.
let fuzzRounds: Int = {
  guard let text = unsafe getenv("TWIND_FUZZ_ROUNDS") else { return 40 }
  return Int(unsafe String(cString: text)) ?? 40
}()

extension [UInt8] {
  /// Bent at some places: bytes changed, zeroed, cut out, doubled, or the end cut off.
  func mutated(_ random: inout Seeded) -> [UInt8] {
    var bytes = self
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let end = Swift.min(bytes.count, place + Int.random(in: 1...64, using: &random))
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 2: for index in place..<end { bytes[index] = 0 }
      case 3: bytes.removeSubrange(place..<end)
      case 4: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 5: for index in place..<end { bytes[index] = UInt8.random(in: 0...255, using: &random) }
      default: bytes.removeSubrange(place...)
      }
    }
    return bytes
  }
}
