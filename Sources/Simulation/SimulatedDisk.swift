public import Seams
import Synchronization

/// A volume in memory that loses, tears, refuses and fills as devices do, the same way for the same seed.
///
/// To the process, what was written is there at once. What a restart after `powerCut` finds is durable only as far as
/// `FileStore` promises: pages of files after their `sync`, names after `syncDirectory` of their directory, and
/// anything else by the seed's whim. A rename is whole or did not happen. Directories cannot be renamed or removed.
///
/// Threading: any; each call is one step under a lock.
public final class SimulatedDisk: FileStore {
  private let state: Mutex<DiskState>
  private let syncHook = Mutex<(@Sendable (String) -> Void)?>(nil)

  /// `capacity` in bytes, of which files take blocks of 4 KiB. It bounds the memory, some times over: pages and device
  /// are held apart.
  public convenience init(seed: UInt64, capacity: Int = 64 << 20) {
    precondition(capacity >= 0, "a volume of \(capacity) bytes")
    self.init(DiskState(capacity: capacity, seed: seed))
  }

  private init(_ state: consuming sending DiskState) { self.state = Mutex(state) }

  public func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    let path = DiskPath.clean(path)
    let file = try state.withLock { (state) throws(FileFault) in try state.open(path, access) }
    return SimulatedFile(file, on: self, path: path, access)
  }

  public func names(in directory: String) throws(FileFault) -> [String] {
    try state.withLock { (state) throws(FileFault) in try state.list(DiskPath.clean(directory)) }
  }

  public func makeDirectory(_ path: String) throws(FileFault) {
    try state.withLock { (state) throws(FileFault) in try state.makeDirectory(DiskPath.clean(path)) }
  }

  public func rename(_ path: String, to target: String) throws(FileFault) {
    try state.withLock { (state) throws(FileFault) in
      try state.rename(DiskPath.clean(path), to: DiskPath.clean(target))
    }
  }

  public func remove(_ path: String) throws(FileFault) {
    try state.withLock { (state) throws(FileFault) in try state.remove(DiskPath.clean(path)) }
  }

  public func syncDirectory(_ path: String) throws(FileFault) {
    let path = DiskPath.clean(path)
    syncHook.withLock { $0 }?(path)
    try state.withLock { (state) throws(FileFault) in try state.syncDirectory(path) }
  }

  public func freeBytes(at path: String) throws(FileFault) -> Int64 {
    try state.withLock { (state) throws(FileFault) in try state.freeBytes(path) }
  }

  /// Loses power. This disk refuses every call from now on; what it gives is the volume as the next start finds it.
  /// Without a seed the disk's own decides. Each call may give another of the outcomes that are possible.
  public func powerCut(seed: UInt64? = nil) -> SimulatedDisk {
    SimulatedDisk(
      state.withLock { state in
        state.turnOff()
        return state.afterCut(seed: seed ?? state.random.next())
      })
  }

  /// Ends the process, not the machine: this disk refuses every call, and the one given has all that was written, as
  /// little of it durable as before.
  public func kill() -> SimulatedDisk {
    SimulatedDisk(
      state.withLock { state in
        let next = state.afterKill()
        state.turnOff()
        return next
      })
  }

  /// Lets the power go in the middle of the step that comes after `count` more; that step and every call after it
  /// throw.
  public func losePower(afterSteps count: Int) { state.withLock { $0.stepsLeft = count + 1 } }

  public var isPowerLost: Bool { state.withLock { $0.isOff } }

  /// Lets the next `times` calls of a sort fail, after `skip` that succeed; only on paths that end in `path`.
  public func fail(_ call: DiskCall, _ kind: FileFault.Kind = .io, skip: Int = 0, times: Int = 1, path: String = "") {
    state.withLock {
      $0.planned.append(PlannedFault(call: call, kind: kind, skip: skip, times: times, pathEnd: path))
    }
  }

  /// Takes back what `fail` planned.
  public func failNoMore() { state.withLock { $0.planned = [] } }

  public var odds: DiskOdds {
    get { state.withLock { $0.odds } }
    set { state.withLock { $0.odds = newValue } }
  }

  /// Lets pages that were being overwritten in place read as zeros after a cut, with what stood beside: devices that
  /// give no promise for a page they are writing. Off, sectors are old or new.
  public func zeroOverwritten(_ isOn: Bool) { state.withLock { $0.isZeroing = isOn } }

  /// Called with the path before each sync, on the thread that asked for it and outside the lock: a hook that waits is
  /// a disk that stalls, and other files stay usable meanwhile.
  public func onSync(_ hook: (@Sendable (String) -> Void)?) { syncHook.withLock { $0 = hook } }

  public var counts: DiskCounts { state.withLock { $0.counts } }
  /// Space taken, in whole blocks.
  public var usedBytes: Int { state.withLock { $0.used } }
  /// Every file as a program sees it, by absolute path.
  public var contents: [String: [UInt8]] { state.withLock { $0.contents } }

  fileprivate func hookSync(_ path: String) { syncHook.withLock { $0 }?(path) }

  fileprivate func with<Result>(
    _ body: (inout DiskState) throws(FileFault) -> sending Result
  ) throws(FileFault) -> sending Result {
    try state.withLock { (state) throws(FileFault) in try body(&state) }
  }
}

private final class SimulatedFile: OpenFile {
  private let file: Int
  private let disk: SimulatedDisk
  private let path: String
  private let access: FileAccess

  init(_ file: Int, on disk: SimulatedDisk, path: String, _ access: FileAccess) {
    (self.file, self.disk, self.path, self.access) = (file, disk, path, access)
  }

  deinit { try? disk.with { (state) throws(FileFault) in state.close(file) } }

  var size: Int64 {
    get throws(FileFault) { try disk.with { (state) throws(FileFault) in Int64(try state.size(file, path)) } }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    try disk.with { (state) throws(FileFault) in
      unsafe try state.read(file, path, into: buffer, at: try place(offset))
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    try needWritable()
    try disk.with { (state) throws(FileFault) in unsafe try state.write(file, path, bytes, at: try place(offset)) }
  }

  func truncate(to size: Int64) throws(FileFault) {
    try needWritable()
    try disk.with { (state) throws(FileFault) in try state.truncate(file, path, to: try place(size)) }
  }

  func sync() throws(FileFault) {
    disk.hookSync(path)
    try disk.with { (state) throws(FileFault) in try state.sync(file, path) }
  }

  private func needWritable() throws(FileFault) {
    if case .read = access { throw FileFault(.notPermitted, path: path, "write \(path): opened for reading") }
  }

  /// Offsets far beyond any volume stay clear of overflow.
  private func place(_ offset: Int64) throws(FileFault) -> Int {
    guard (0..<1 << 48).contains(offset) else {
      throw FileFault(.failed, path: path, "offset \(offset) in \(path)")
    }
    return Int(offset)
  }
}
