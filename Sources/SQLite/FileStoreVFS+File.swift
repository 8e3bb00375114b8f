// A file of `FileStoreVFS` as SQLite holds it: `FileSlot.size` bytes that SQLite allocates.
//
//   sqlite3_file     pMethods, the same table for every file
//   pointer          OpenedFile, retained from xOpen to xClose

import CSQLite
import Seams
import Synchronization

/// The part of SQLite's memory for a file that is ours.
enum FileSlot {
  private static let offset = unsafe MemoryLayout<sqlite3_file>.stride
  static let size = Int32(offset + MemoryLayout<Int>.size)

  /// Takes a reference, which `empty` gives back.
  static func fill(_ slot: UnsafeMutablePointer<sqlite3_file>, with file: OpenedFile) {
    let pointer = unsafe Unmanaged.passRetained(file).toOpaque()
    unsafe UnsafeMutableRawPointer(slot).storeBytes(of: pointer, toByteOffset: offset, as: UnsafeMutableRawPointer.self)
    unsafe slot.pointee.pMethods = methods.table
  }

  static func empty(_ slot: UnsafeMutablePointer<sqlite3_file>) -> OpenedFile {
    unsafe slot.pointee.pMethods = nil
    return unsafe held(slot).takeRetainedValue()
  }

  static func file(_ slot: UnsafeMutablePointer<sqlite3_file>?) -> OpenedFile {
    unsafe held(slot!).takeUnretainedValue()
  }

  private static func held(_ slot: UnsafeMutablePointer<sqlite3_file>) -> Unmanaged<OpenedFile> {
    unsafe .fromOpaque(UnsafeRawPointer(slot).load(fromByteOffset: offset, as: UnsafeMutableRawPointer.self))
  }
}

/// One open file of one connection.
final class OpenedFile {
  let file: any OpenFile
  let path: String
  let vfs: FileStoreVFS
  private let isTemporary: Bool
  /// Its name may not be on the device, though its bytes are: the first sync sees to that too.
  private var mayBeNew: Bool

  init(_ file: any OpenFile, path: String, of vfs: FileStoreVFS, mayBeNew: Bool, isTemporary: Bool) {
    (self.file, self.path, self.vfs) = (file, path, vfs)
    (self.mayBeNew, self.isTemporary) = (mayBeNew, isTemporary)
  }

  func sync() throws(FileFault) {
    try file.sync()
    guard mayBeNew else { return }
    try vfs.syncDirectory(of: path)
    mayBeNew = false
  }

  func close() {
    _ = lock(FileLocks.none)
    if isTemporary { try? vfs.files.remove(path) }
  }

  func lock(_ level: Int32) -> Bool {
    let owner = ObjectIdentifier(self)
    return vfs.shared.withLock { $0.locks.set(level, of: path, owner: owner) }
  }

  var isReserved: Bool { vfs.shared.withLock { $0.locks.isReserved(path) } }
}

/// Who holds which of SQLite's locks (sqlite.org/lockingv3.html §3), among the connections of one VFS.
struct FileLocks {
  static let none = SQLITE_LOCK_NONE
  private var levels: [String: [ObjectIdentifier: Int32]] = [:]

  /// Rises to a level or falls to it; false where another connection is in the way.
  mutating func set(_ level: Int32, of path: String, owner: ObjectIdentifier) -> Bool {
    var holders = levels[path] ?? [:]
    let highest = holders.filter { $0.key != owner }.values.max() ?? Self.none
    let isRise = level > holders[owner] ?? Self.none
    let bound =
      switch level {
      case SQLITE_LOCK_SHARED: SQLITE_LOCK_PENDING
      case SQLITE_LOCK_EXCLUSIVE: SQLITE_LOCK_SHARED
      default: SQLITE_LOCK_RESERVED
      }
    let isFree = !isRise || highest < bound
    if isFree {
      holders[owner] = level == Self.none ? nil : level
    } else if level == SQLITE_LOCK_EXCLUSIVE, highest < SQLITE_LOCK_RESERVED {
      // No new readers, so that those that read come to an end.
      holders[owner] = SQLITE_LOCK_PENDING
    }
    levels[path] = holders.isEmpty ? nil : holders
    return isFree
  }

  func isReserved(_ path: String) -> Bool { levels[path]?.values.contains { $0 >= SQLITE_LOCK_RESERVED } ?? false }
}

/// The table of methods, made once and never freed.
@safe private struct Methods: @unchecked Sendable {
  // @unchecked: nobody writes to it after `init`.
  let table: UnsafePointer<sqlite3_io_methods>

  init() {
    let made = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    unsafe made.initialize(to: sqlite3_io_methods())
    // Version 1: no shared memory and no mapping.
    unsafe made.pointee.iVersion = 1
    unsafe made.pointee.xClose = closeFile
    unsafe made.pointee.xRead = readFile
    unsafe made.pointee.xWrite = writeFile
    unsafe made.pointee.xTruncate = truncateFile
    unsafe made.pointee.xSync = syncFile
    unsafe made.pointee.xFileSize = sizeOfFile
    unsafe made.pointee.xLock = lockFile
    unsafe made.pointee.xUnlock = unlockFile
    unsafe made.pointee.xCheckReservedLock = checkReserved
    unsafe made.pointee.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
    unsafe made.pointee.xSectorSize = { _ in 4096 }
    unsafe made.pointee.xDeviceCharacteristics = characteristics
    unsafe table = UnsafePointer(made)
  }
}

private let methods = Methods()

private func closeFile(_ slot: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
  unsafe FileSlot.empty(slot!).close()
  return SQLITE_OK
}

private func readFile(
  _ slot: UnsafeMutablePointer<sqlite3_file>?, _ bytes: UnsafeMutableRawPointer?, _ count: Int32, _ offset: Int64
) -> Int32 {
  let buffer = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))
  do throws(FileFault) {
    let filled = try unsafe FileSlot.file(slot).file.read(into: buffer, at: offset)
    guard filled < buffer.count else { return SQLITE_OK }
    unsafe buffer[filled...].initializeMemory(as: UInt8.self, repeating: 0)
    return IOCode.shortRead
  } catch {
    return IOCode.read
  }
}

private func writeFile(
  _ slot: UnsafeMutablePointer<sqlite3_file>?, _ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: Int64
) -> Int32 {
  do throws(FileFault) {
    try unsafe FileSlot.file(slot).file.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: offset)
    return SQLITE_OK
  } catch {
    return IOCode.of(error, IOCode.write)
  }
}

private func truncateFile(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ size: Int64) -> Int32 {
  do throws(FileFault) {
    try unsafe FileSlot.file(slot).file.truncate(to: size)
    return SQLITE_OK
  } catch {
    return IOCode.of(error, IOCode.truncate)
  }
}

private func syncFile(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32) -> Int32 {
  do throws(FileFault) {
    try unsafe FileSlot.file(slot).sync()
    return SQLITE_OK
  } catch {
    return IOCode.of(error, IOCode.sync)
  }
}

private func sizeOfFile(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ size: UnsafeMutablePointer<Int64>?) -> Int32 {
  do throws(FileFault) {
    unsafe size!.pointee = try FileSlot.file(slot).file.size
    return SQLITE_OK
  } catch {
    return IOCode.size
  }
}

private func lockFile(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ level: Int32) -> Int32 {
  unsafe FileSlot.file(slot).lock(level) ? SQLITE_OK : SQLITE_BUSY
}

private func unlockFile(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ level: Int32) -> Int32 {
  // Falling is never refused.
  _ = unsafe FileSlot.file(slot).lock(level)
  return SQLITE_OK
}

private func checkReserved(_ slot: UnsafeMutablePointer<sqlite3_file>?, _ answer: UnsafeMutablePointer<Int32>?) -> Int32
{
  unsafe answer!.pointee = FileSlot.file(slot).isReserved ? 1 : 0
  return SQLITE_OK
}

private func characteristics(_ slot: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
  unsafe FileSlot.file(slot).vfs.isPowersafe ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0
}
