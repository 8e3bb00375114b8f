import CSQLite
public import Seams
import Synchronization

/// SQLite's files on a `FileStore` other than the system's own (sqlite.org/vfs.html): databases on simulated disks.
///
/// There is no shared memory, so a database in WAL mode has one connection, with its locks held to the end; `Database`
/// sees to it. Temporary files stay in memory. Clock and random numbers come from the seed.
///
/// Threading: any, through connections that each keep to one thread.
@safe public final class FileStoreVFS: @unchecked Sendable {
  // @unchecked: the pointers are set once and freed in `deinit`; what changes is under a lock.

  /// One past the longest path, its NUL included.
  private static let pathBytesMax: Int32 = 1024
  /// 2026-01-01T00:00:00Z as SQLite counts: milliseconds since noon of 24 November 4714 BC.
  private static let startMs: Int64 = 212_633_985_600_000
  private static let serial = Atomic<UInt64>(0)

  struct Shared {
    var locks = FileLocks()
    var random: UInt64
    var nowMs = FileStoreVFS.startMs
  }

  let files: any FileStore
  /// Whether bytes beside those written survive a loss of power (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
  let isPowersafe: Bool
  let shared: Mutex<Shared>
  /// As SQLite knows it, unique in this process.
  let name: String
  private let nameBytes: UnsafeMutablePointer<CChar>
  private let registered: UnsafeMutablePointer<sqlite3_vfs>

  public init(files: any FileStore, seed: UInt64 = 0, isPowersafe: Bool = true) {
    (self.files, self.isPowersafe) = (files, isPowersafe)
    shared = Mutex(Shared(random: seed))
    name = "twind-\(Self.serial.add(1, ordering: .relaxed).newValue)"
    let text = name.utf8CString
    let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
    unsafe text.withUnsafeBufferPointer { unsafe bytes.initialize(from: $0.baseAddress!, count: $0.count) }
    unsafe nameBytes = bytes
    unsafe registered = .allocate(capacity: 1)
    unsafe registered.initialize(to: sqlite3_vfs())
    unsafe registered.pointee.iVersion = 2
    unsafe registered.pointee.szOsFile = FileSlot.size
    unsafe registered.pointee.mxPathname = Self.pathBytesMax
    unsafe registered.pointee.zName = UnsafePointer(nameBytes)
    // Not retained: every connection holds this object for longer than SQLite uses the pointer.
    unsafe registered.pointee.pAppData = Unmanaged.passUnretained(self).toOpaque()
    unsafe registered.pointee.xOpen = openFile
    unsafe registered.pointee.xDelete = deleteFile
    unsafe registered.pointee.xAccess = accessFile
    unsafe registered.pointee.xFullPathname = copyFullPath
    unsafe registered.pointee.xRandomness = fillRandom
    unsafe registered.pointee.xSleep = sleepNot
    unsafe registered.pointee.xCurrentTime = tellDay
    unsafe registered.pointee.xCurrentTimeInt64 = tellMs
    let code = unsafe sqlite3_vfs_register(registered, 0)
    precondition(code == SQLITE_OK, "SQLite refuses a VFS: code \(code)")
  }

  deinit {
    unsafe sqlite3_vfs_unregister(registered)
    unsafe registered.deallocate()
    unsafe nameBytes.deallocate()
  }

  /// SplitMix64; from the seed, so that a run can be repeated.
  fileprivate func random() -> UInt8 {
    shared.withLock { shared in
      shared.random &+= 0x9E37_79B9_7F4A_7C15
      var mixed = shared.random
      mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
      mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
      return UInt8(truncatingIfNeeded: mixed ^ mixed >> 31)
    }
  }

  /// A clock that rises by a millisecond each time it is read.
  fileprivate func nextMs() -> Int64 {
    shared.withLock { shared in
      shared.nowMs += 1
      return shared.nowMs
    }
  }

  fileprivate func open(_ path: String, _ flags: Int32) throws(FileFault) -> OpenedFile {
    let mayCreate = flags & SQLITE_OPEN_CREATE != 0
    let access: FileAccess = mayCreate ? .create : flags & SQLITE_OPEN_READWRITE != 0 ? .write : .read
    return OpenedFile(
      try files.open(path, access), path: path, of: self, mayBeNew: mayCreate,
      isTemporary: flags & SQLITE_OPEN_DELETEONCLOSE != 0)
  }

  func syncDirectory(of path: String) throws(FileFault) {
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    try files.syncDirectory(slash == path.startIndex ? "/" : String(path[..<slash]))
  }

  /// As SQLite's own VFS has it, an empty file counts as none.
  fileprivate func exists(_ path: String) throws(FileFault) -> Bool {
    do throws(FileFault) {
      return try files.open(path, .read).size > 0
    } catch {
      if error.kind == .notFound { return false }
      throw error
    }
  }
}

/// Result codes that are sums in sqlite3.h, which Swift does not import.
enum IOCode {
  static let read: Int32 = SQLITE_IOERR | 1 << 8
  static let shortRead: Int32 = SQLITE_IOERR | 2 << 8
  static let write: Int32 = SQLITE_IOERR | 3 << 8
  static let sync: Int32 = SQLITE_IOERR | 4 << 8
  static let syncDirectory: Int32 = SQLITE_IOERR | 5 << 8
  static let truncate: Int32 = SQLITE_IOERR | 6 << 8
  static let size: Int32 = SQLITE_IOERR | 7 << 8
  static let delete: Int32 = SQLITE_IOERR | 10 << 8
  static let access: Int32 = SQLITE_IOERR | 13 << 8

  /// A full volume is told as such whatever the call was.
  static func of(_ fault: FileFault, _ otherwise: Int32) -> Int32 {
    fault.kind == .full ? SQLITE_FULL : otherwise
  }
}

private func vfs(_ pointer: UnsafeMutablePointer<sqlite3_vfs>?) -> FileStoreVFS {
  unsafe Unmanaged<FileStoreVFS>.fromOpaque(pointer!.pointee.pAppData).takeUnretainedValue()
}

private func openFile(
  _ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?,
  _ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32, _ given: UnsafeMutablePointer<Int32>?
) -> Int32 {
  // Unless the methods are set, SQLite does not close the file.
  unsafe file!.pointee.pMethods = nil
  // A file without a name is a temporary one, which `temp_store` keeps in memory.
  guard let name = unsafe name else { return SQLITE_CANTOPEN }
  let path = unsafe String(cString: name)
  do throws(FileFault) {
    unsafe FileSlot.fill(file!, with: try vfs(pointer).open(path, flags))
  } catch {
    return IOCode.of(error, SQLITE_CANTOPEN)
  }
  if let given = unsafe given { unsafe given.pointee = flags }
  return SQLITE_OK
}

private func deleteFile(
  _ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?, _ syncDirectory: Int32
) -> Int32 {
  let (vfs, path) = unsafe (vfs(pointer), String(cString: name!))
  do throws(FileFault) { try vfs.files.remove(path) } catch { return IOCode.of(error, IOCode.delete) }
  guard syncDirectory != 0 else { return SQLITE_OK }
  do throws(FileFault) { try vfs.syncDirectory(of: path) } catch { return IOCode.of(error, IOCode.syncDirectory) }
  return SQLITE_OK
}

private func accessFile(
  _ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?, _ flags: Int32,
  _ answer: UnsafeMutablePointer<Int32>?
) -> Int32 {
  do throws(FileFault) {
    unsafe answer!.pointee = try vfs(pointer).exists(String(cString: name!)) ? 1 : 0
  } catch {
    return IOCode.of(error, IOCode.access)
  }
  return SQLITE_OK
}

/// Paths are absolute as they come.
private func copyFullPath(
  _ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ name: UnsafePointer<CChar>?, _ count: Int32,
  _ path: UnsafeMutablePointer<CChar>?
) -> Int32 {
  let text = unsafe String(cString: name!).utf8CString
  guard text.count <= Int(count), text.first == 0x2F else { return SQLITE_CANTOPEN }
  unsafe text.withUnsafeBufferPointer { unsafe path!.update(from: $0.baseAddress!, count: $0.count) }
  return SQLITE_OK
}

private func fillRandom(
  _ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ count: Int32, _ bytes: UnsafeMutablePointer<CChar>?
) -> Int32 {
  let vfs = unsafe vfs(pointer)
  for index in 0..<Int(count) { unsafe bytes![index] = CChar(bitPattern: vfs.random()) }
  return count
}

/// Nobody else uses the disk meanwhile: waiting would change nothing.
private func sleepNot(_ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ microseconds: Int32) -> Int32 { microseconds }

private func tellMs(_ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ now: UnsafeMutablePointer<Int64>?) -> Int32 {
  unsafe now!.pointee = unsafe vfs(pointer).nextMs()
  return SQLITE_OK
}

private func tellDay(_ pointer: UnsafeMutablePointer<sqlite3_vfs>?, _ now: UnsafeMutablePointer<Double>?) -> Int32 {
  unsafe now!.pointee = Double(unsafe vfs(pointer).nextMs()) / 86_400_000
  return SQLITE_OK
}
