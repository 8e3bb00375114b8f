import Glibc
public import TwinCore

/// The files of a state directory: the system's, or a simulated disk that tears, fills and fails.
///
/// What was written survives a loss of power once `sync` of its file returned; a name that was made, renamed or removed
/// does once `syncDirectory` returned. Calls block; a file belongs to one thread at a time.
public protocol FileStore: Sendable {
  /// Opens a file; with `.create` it is made where it is missing.
  func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile
  /// Names in a directory, sorted, without `.` and `..`; empty where there is no such directory.
  func names(in directory: String) throws(FileFault) -> [String]
  /// Makes a directory where it is missing; its parent must be there.
  func makeDirectory(_ path: String) throws(FileFault)
  /// Replaces what was there.
  func rename(_ path: String, to target: String) throws(FileFault)
  /// No fault where there is no such file.
  func remove(_ path: String) throws(FileFault)
  func syncDirectory(_ path: String) throws(FileFault)
  /// Bytes that this user may still write on the volume of `path`.
  func freeBytes(at path: String) throws(FileFault) -> Int64
}

public enum FileAccess: Sendable {
  case read
  case write
  case create
}

/// An open file, closed when the last reference goes.
public protocol OpenFile: AnyObject {
  var size: Int64 { get throws(FileFault) }
  /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int
  /// Writes all of `bytes`, growing the file as needed; bytes between its end and `offset` become 0.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault)
  func truncate(to size: Int64) throws(FileFault)
  /// Flushes to the device. After a fault nothing may be concluded about what was written since the last success: the
  /// system forgets pages that it could not write.
  func sync() throws(FileFault)
}

extension OpenFile {
  /// Up to `count` bytes from `offset`.
  public func read(_ count: Int, at offset: Int64) throws(FileFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let filled: Int
    do {
      filled = try unsafe bytes.withUnsafeMutableBytes { unsafe try read(into: $0, at: offset) }
    } catch {
      throw (error as? FileFault) ?? FileFault(.failed, path: "", "\(error)")
    }
    bytes.removeLast(count - filled)
    return bytes
  }

  public func write(_ bytes: [UInt8], at offset: Int64) throws(FileFault) {
    do {
      try unsafe bytes.withUnsafeBytes { unsafe try write($0, at: offset) }
    } catch {
      throw (error as? FileFault) ?? FileFault(.failed, path: "", "\(error)")
    }
  }
}

/// Why a file could not be used.
public struct FileFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case notFound = "not_found"
    case notPermitted = "not_permitted"
    /// The volume, or this user's share of it, is full.
    case full
    /// The device failed.
    case io
    case failed
  }

  public let kind: Kind
  public let path: String
  public let message: String

  public init(_ kind: Kind, path: String, _ message: String) {
    (self.kind, self.path, self.message) = (kind, path, message)
  }

  public var code: String { "file.\(kind.rawValue)" }
  public var isRetriable: Bool { kind == .full || kind == .io }

  public var remedy: String {
    switch kind {
    case .notFound: "check that the path exists"
    case .notPermitted: "give the service's user the right to it"
    case .full: "free space on the volume"
    case .io: "look in the kernel's log for errors of the device"
    case .failed: "report this message together with the version of twind"
    }
  }
}

/// The files of this machine.
public struct SystemFileStore: FileStore {
  public init() {}

  public func open(_ path: String, _ access: FileAccess) throws(FileFault) -> any OpenFile {
    let flags: Int32 =
      switch access {
      case .read: O_RDONLY
      case .write: O_RDWR
      case .create: O_RDWR | O_CREAT
      }
    let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw Self.fault("open", path) }
    return SystemFile(descriptor, path: path)
  }

  public func names(in directory: String) throws(FileFault) -> [String] {
    guard let stream = unsafe opendir(directory) else {
      if errno == ENOENT { return [] }
      throw Self.fault("list", directory)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) {
        unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  public func makeDirectory(_ path: String) throws(FileFault) {
    guard unsafe mkdir(path, 0o750) == 0 || errno == EEXIST else { throw Self.fault("make", path) }
  }

  public func rename(_ path: String, to target: String) throws(FileFault) {
    guard unsafe Glibc.rename(path, target) == 0 else { throw Self.fault("rename", path) }
  }

  public func remove(_ path: String) throws(FileFault) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw Self.fault("remove", path) }
  }

  public func syncDirectory(_ path: String) throws(FileFault) {
    let descriptor = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.fault("open", path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw Self.fault("sync", path) }
  }

  public func freeBytes(at path: String) throws(FileFault) -> Int64 {
    var volume = statvfs()
    guard unsafe statvfs(path, &volume) == 0 else { throw Self.fault("ask the free space of", path) }
    let (bytes, overflow) = Int64(clamping: volume.f_bavail).multipliedReportingOverflow(by: Int64(volume.f_frsize))
    return overflow ? .max : bytes
  }

  /// Reads `errno`: nothing else may be called before.
  fileprivate static func fault(_ action: String, _ path: String) -> FileFault {
    let number = errno
    let kind: FileFault.Kind =
      switch number {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, EPERM, EROFS: .notPermitted
      case ENOSPC, EDQUOT, EFBIG: .full
      case EIO: .io
      default: .failed
      }
    let reason = unsafe String(cString: strerror(number))
    return FileFault(kind, path: path, "\(action) \(path): \(reason)")
  }
}

private final class SystemFile: OpenFile {
  private let descriptor: Int32
  private let path: String

  init(_ descriptor: Int32, path: String) { (self.descriptor, self.path) = (descriptor, path) }
  deinit { close(descriptor) }

  var size: Int64 {
    get throws(FileFault) {
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0 else { throw SystemFileStore.fault("ask the size of", path) }
      return Int64(status.st_size)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileFault) -> Int {
    var filled = 0
    while filled < buffer.count {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
      let count = unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + filled)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw SystemFileStore.fault("read", path) }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FileFault) {
    var written = 0
    while written < bytes.count {
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + written)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw SystemFileStore.fault("write", path) }
      written += count
    }
  }

  func truncate(to size: Int64) throws(FileFault) {
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw SystemFileStore.fault("truncate", path) }
  }

  func sync() throws(FileFault) {
    guard fdatasync(descriptor) == 0 else { throw SystemFileStore.fault("sync", path) }
  }
}
