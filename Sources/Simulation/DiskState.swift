import Seams

/// What a simulated disk is, without its lock.
struct DiskState {
  /// One change of names that the journal may or may not have when the power goes; all of it or nothing.
  private struct NameChange {
    var directories: [String]
    /// nil: the name is gone.
    var names: [(path: String, file: Int?)]
  }

  /// The number that stands for every directory; files count from 1.
  static let directory = 0
  /// How often the system writes a page back, or its journal, beside what it is told to.
  private static let writeBackOdds = 0.03

  let capacity: Int
  var random: SeededRandom
  var odds = DiskOdds()
  var counts = DiskCounts()
  var planned: [PlannedFault] = []
  /// Whether pages that were being overwritten may read as zeros after a cut.
  var isZeroing = false
  /// Steps until the power goes; nil while it stays.
  var stepsLeft: Int?
  private(set) var isOff = false
  private(set) var used = 0
  private var names: [String: Int] = ["/": DiskState.directory]
  private var deviceNames: [String: Int] = ["/": DiskState.directory]
  private var changes: [NameChange] = []
  private var files: [Int: CachedFile] = [:]
  private var handles: [Int: Int] = [:]
  private var fileLast = 0

  init(capacity: Int, seed: UInt64) {
    self.capacity = capacity
    random = SeededRandom(seed: seed)
  }

  var free: Int { max(0, capacity - used) }

  /// Counts a call and throws where it fails as a whole. Gives the fault that a call which does a part of its work has
  /// to throw in the end.
  mutating func begin(_ call: DiskCall, _ path: String) throws(FileFault) -> FileFault? {
    guard !isOff else { throw Self.powerFault(call, path) }
    if call.isStep {
      counts.steps += 1
      if let left = stepsLeft {
        stepsLeft = left - 1
        if left <= 1 {
          isOff = true
          return Self.powerFault(call, path)
        }
      }
      if random.chance(Self.writeBackOdds) { writeBack() }
    }
    if let kind = plannedFault(of: call, path) ?? (random.chance(odds.probability(of: call)) ? .io : nil) {
      counts.faults += 1
      return FileFault(kind, path: path, "\(call.rawValue) \(path): fault of the simulated disk")
    }
    return nil
  }

  private static func powerFault(_ call: DiskCall, _ path: String) -> FileFault {
    FileFault(.io, path: path, "\(call.rawValue) \(path): the power is off")
  }

  private mutating func plannedFault(of call: DiskCall, _ path: String) -> FileFault.Kind? {
    guard let index = planned.firstIndex(where: { $0.call == call && path.hasSuffix($0.pathEnd) }) else { return nil }
    guard planned[index].skip == 0 else {
      planned[index].skip -= 1
      return nil
    }
    let kind = planned[index].kind
    planned[index].times -= 1
    if planned[index].times <= 0 { planned.remove(at: index) }
    return kind
  }

  private mutating func writeBack() {
    if random.chance(0.3) {
      for change in changes { Self.apply(change, to: &deviceNames) }
      changes = []
    }
    let known = files.keys.sorted()
    guard let file = known.randomElement(using: &random) else { return }
    counts.deviceBytes += (files[file]?.writeBack(&random) ?? 0) * CachedFile.pageBytes
  }

  mutating func open(_ path: String, _ access: FileAccess) throws(FileFault) -> Int {
    let fault = try begin(.open, path)
    if let file = names[path] {
      if let fault { throw fault }
      guard file != Self.directory else { throw FileFault(.failed, path: path, "open \(path): is a directory") }
      handles[file, default: 0] += 1
      return file
    }
    guard case .create = access else {
      throw fault ?? FileFault(.notFound, path: path, "open \(path): no such file")
    }
    try needParent(of: path, "open")
    // A create that fails may leave the name behind, as a create cut short does.
    guard fault == nil || random.chance(0.5) else { throw fault ?? Self.powerFault(.open, path) }
    fileLast += 1
    files[fileLast] = CachedFile()
    change([(path, fileLast)])
    if let fault { throw fault }
    handles[fileLast, default: 0] += 1
    return fileLast
  }

  mutating func close(_ file: Int) {
    handles[file, default: 1] -= 1
    if handles[file] == 0 { handles[file] = nil }
    sweep()
  }

  mutating func list(_ directory: String) throws(FileFault) -> [String] {
    if let fault = try begin(.list, directory) { throw fault }
    return names.keys.filter { $0 != "/" && DiskPath.parent(of: $0) == directory }.map(DiskPath.last(of:)).sorted()
  }

  mutating func makeDirectory(_ path: String) throws(FileFault) {
    let fault = try begin(.makeDirectory, path)
    if let existing = names[path] {
      guard existing == Self.directory else { throw FileFault(.failed, path: path, "make \(path): is a file") }
      if let fault { throw fault }
      return
    }
    try needParent(of: path, "make")
    if fault == nil || random.chance(0.5) { change([(path, Self.directory)]) }
    if let fault { throw fault }
  }

  mutating func rename(_ path: String, to target: String) throws(FileFault) {
    let fault = try begin(.rename, path)
    guard let file = names[path] else { throw FileFault(.notFound, path: path, "rename \(path): no such file") }
    try needParent(of: target, "rename")
    guard file != Self.directory, names[target] != Self.directory else {
      throw FileFault(.failed, path: path, "rename \(path) to \(target): directories keep their names here")
    }
    if path != target, fault == nil || random.chance(0.5) { change([(path, nil), (target, file)]) }
    if let fault { throw fault }
  }

  mutating func remove(_ path: String) throws(FileFault) {
    let fault = try begin(.remove, path)
    guard let file = names[path] else {
      if let fault { throw fault }
      return
    }
    guard file != Self.directory else { throw FileFault(.failed, path: path, "remove \(path): is a directory") }
    if fault == nil || random.chance(0.5) { change([(path, nil)]) }
    if let fault { throw fault }
  }

  mutating func syncDirectory(_ path: String) throws(FileFault) {
    let fault = try begin(.syncDirectory, path)
    guard names[path] == Self.directory else {
      throw FileFault(.notFound, path: path, "sync \(path): no such directory")
    }
    if let fault { throw fault }
    counts.directorySyncs += 1
    // Changes of this directory, and earlier ones of directories that share a change with it, in order.
    var directories: Set = [path]
    var kept: [NameChange] = []
    var done: [NameChange] = []
    for change in changes.reversed() {
      if directories.isDisjoint(with: change.directories) {
        kept.append(change)
      } else {
        directories.formUnion(change.directories)
        done.append(change)
      }
    }
    for change in done.reversed() { Self.apply(change, to: &deviceNames) }
    changes = kept.reversed()
    sweep()
  }

  private func needParent(of path: String, _ action: String) throws(FileFault) {
    guard path != "/", names[DiskPath.parent(of: path)] == Self.directory else {
      throw FileFault(.notFound, path: path, "\(action) \(path): no such directory")
    }
  }

  private mutating func change(_ names: [(path: String, file: Int?)]) {
    let change = NameChange(directories: names.map { DiskPath.parent(of: $0.path) }, names: names)
    Self.apply(change, to: &self.names)
    changes.append(change)
    sweep()
  }

  private static func apply(_ change: NameChange, to names: inout [String: Int]) {
    for (path, file) in change.names { names[path] = file }
  }

  /// Lets go of files that have no name, not even after a cut, and are not open; they took space until they had no name
  /// and were closed.
  private mutating func sweep() {
    let visible = Set(names.values).union(handles.keys)
    used = visible.reduce(0) { $0 + (files[$1]?.blocksBytes ?? 0) }
    let reachable = visible.union(deviceNames.values).union(changes.flatMap { $0.names.compactMap(\.file) })
    if files.count > reachable.count - 1 { files = files.filter { reachable.contains($0.key) } }
  }

  mutating func freeBytes(_ path: String) throws(FileFault) -> Int64 {
    if let fault = try begin(.size, path) { throw fault }
    return Int64(free)
  }

  mutating func size(_ file: Int, _ path: String) throws(FileFault) -> Int {
    if let fault = try begin(.size, path) { throw fault }
    return files[file]?.bytes.count ?? 0
  }

  mutating func read(
    _ file: Int, _ path: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(FileFault) -> Int {
    if let fault = try begin(.read, path) { throw fault }
    let size = files[file]?.bytes.count ?? 0
    let count = min(buffer.count, max(0, size - offset))
    counts.reads += 1
    counts.readBytes += count
    guard count > 0 else { return 0 }
    unsafe files[file]?.bytes.withUnsafeBytes {
      unsafe buffer.copyMemory(from: .init(rebasing: $0[offset..<offset + count]))
    }
    return count
  }

  mutating func write(
    _ file: Int, _ path: String, _ bytes: UnsafeRawBufferPointer, at offset: Int
  ) throws(FileFault) {
    var fault = try begin(.write, path)
    var count = bytes.count
    let before = files[file]?.blocksBytes ?? 0
    let room = before + free - offset
    if fault == nil, count > room, CachedFile.blocksBytes(offset + count) > before + free {
      count = min(count, max(0, room))
      counts.faults += 1
      fault = FileFault(.full, path: path, "write \(path): no space left on the simulated disk")
    } else if fault != nil {
      count = min(random.below(bytes.count + 1), max(0, room))
    }
    unsafe files[file]?.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
    used += (files[file]?.blocksBytes ?? 0) - before
    counts.writes += 1
    counts.writtenBytes += count
    if let fault { throw fault }
  }

  mutating func truncate(_ file: Int, _ path: String, to size: Int) throws(FileFault) {
    let fault = try begin(.truncate, path)
    let before = files[file]?.blocksBytes ?? 0
    guard CachedFile.blocksBytes(size) <= before + free else {
      throw FileFault(.full, path: path, "truncate \(path): no space left on the simulated disk")
    }
    if fault == nil || random.chance(0.5) { files[file]?.truncate(to: size, &random) }
    used += (files[file]?.blocksBytes ?? 0) - before
    if let fault { throw fault }
  }

  mutating func sync(_ file: Int, _ path: String) throws(FileFault) {
    let fault = try begin(.sync, path)
    if let fault {
      if !isOff { files[file]?.failSync(&random) }
      throw fault
    }
    counts.syncs += 1
    counts.deviceBytes += (files[file]?.sync() ?? 0) * CachedFile.pageBytes
  }

  /// The disk as the machine's next start finds it.
  func afterCut(seed: UInt64) -> DiskState {
    var random = SeededRandom(seed: seed)
    var next = DiskState(capacity: capacity, seed: random.next())
    next.isZeroing = isZeroing
    var left = deviceNames
    // A journal keeps the order of changes; what the seam promises does not.
    let (fate, prefix) = (random.below(4), random.below(changes.count + 1))
    for (index, change) in changes.enumerated() {
      let isThere = fate == 0 ? false : fate == 1 ? true : fate == 2 ? index < prefix : random.chance(0.5)
      if isThere { Self.apply(change, to: &left) }
    }
    for path in left.keys.sorted() where path != "/" {
      // Parents sort before what they hold, so that a lost directory takes all of it along.
      if left[DiskPath.parent(of: path)] != Self.directory { left[path] = nil }
    }
    (next.names, next.deviceNames) = (left, left)
    for file in Set(left.values).sorted() where file != Self.directory {
      next.files[file] = CachedFile(files[file]?.cut(zeroing: isZeroing, &random) ?? [])
    }
    next.fileLast = fileLast
    next.sweep()
    return next
  }

  /// The disk as the machine has it after its process ended; nothing of the page cache is lost.
  func afterKill() -> DiskState {
    var next = self
    (next.stepsLeft, next.isOff, next.planned, next.odds) = (nil, false, [], DiskOdds())
    next.handles = [:]
    next.sweep()
    return next
  }

  mutating func turnOff() { isOff = true }

  /// Bytes of every file as a program sees them, by path.
  var contents: [String: [UInt8]] {
    names.filter { $0.value != Self.directory }.compactMapValues { files[$0]?.bytes }
  }
}

/// Absolute paths without `.`, `..` or empty parts.
enum DiskPath {
  static func clean(_ path: String) -> String {
    "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
  }

  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  static func last(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }
}
