import Glibc

/// A listening unix socket that belongs to this process alone.
///
/// A lock file beside the socket (`PATH.lock`, flock(2)) is held as long as it listens, so that a second daemon can
/// neither replace the socket nor take a living one for a dead daemon's left-over. The mode is set before bind(2):
/// Linux gives the file the mode of the socket's own inode, so that at no time anybody else can open it.
struct BoundSocket: Sendable {
  static let socketMode: mode_t = 0o660
  static let directoryMode: mode_t = 0o750
  static let backlog: Int32 = 64

  let path: String
  let socket: Int32
  private let lock: Int32
  private let inode: ino_t

  /// Throws `api.socket_path`, `api.socket_directory`, `api.socket_in_use` or `api.socket`.
  static func open(_ path: String) throws(APIProblem) -> BoundSocket {
    guard path.hasPrefix("/"), path.utf8.count < UnixAddress.pathMax else {
      throw problem(
        "socket_path", "\"\(path)\" cannot be the path of a socket",
        cause: "it must begin with / and have less than \(UnixAddress.pathMax) bytes", next: "choose a shorter --socket"
      )
    }
    try secureDirectory(of: path)
    let lock = try takeLock(path)
    do throws(APIProblem) {
      try removeStale(path)
      let socket = try listen(path)
      var info = stat()
      guard unsafe lstat(path, &info) == 0 else { throw failed("lstat", path, errno) }
      return BoundSocket(path: path, socket: socket, lock: lock, inode: info.st_ino)
    } catch {
      close(lock)
      throw error
    }
  }

  /// Removes the file when it is still ours, then lets the next daemon in. The listening descriptor is closed by its
  /// channel.
  func release() {
    var info = stat()
    if unsafe lstat(path, &info) == 0, info.st_ino == inode { unsafe unlink(path) }
    close(lock)
  }

  private static func secureDirectory(of path: String) throws(APIProblem) {
    let end = path.lastIndex(of: "/")!
    let directory = end == path.startIndex ? "/" : String(path[..<end])
    if unsafe mkdir(directory, directoryMode) != 0, errno != EEXIST { throw failed("mkdir", directory, errno) }
    var info = stat()
    guard unsafe stat(directory, &info) == 0 else { throw failed("stat", directory, errno) }
    guard info.st_mode & S_IFMT == S_IFDIR, info.st_mode & 0o022 == 0 || info.st_mode & S_ISVTX != 0 else {
      throw problem(
        "socket_directory", "\(directory) cannot hold the socket",
        cause: "others may write there and could put a socket of their own in its place",
        next: "chmod 0750 \(directory)")
    }
  }

  private static func takeLock(_ path: String) throws(APIProblem) -> Int32 {
    let name = path + ".lock"
    let lock = unsafe Glibc.open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw failed("open", name, errno) }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(lock)
      if code == EWOULDBLOCK { throw inUse(path, "\(name) is locked") }
      throw failed("flock", name, code)
    }
    return lock
  }

  /// Under the lock: a socket that nobody answers is a dead daemon's; anything else stays where it is.
  private static func removeStale(_ path: String) throws(APIProblem) {
    var info = stat()
    guard unsafe lstat(path, &info) == 0 else {
      if errno == ENOENT { return }
      throw failed("lstat", path, errno)
    }
    guard info.st_mode & S_IFMT == S_IFSOCK else {
      throw problem(
        "socket_path", "\(path) exists and is no socket", cause: "it was not made by twind and is left alone",
        next: "move it away, or choose another --socket")
    }
    let probe = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { throw failed("socket", path, errno) }
    defer { close(probe) }
    if UnixAddress.connect(probe, path) == 0 { throw inUse(path, "another process answers on it") }
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw failed("unlink", path, errno) }
  }

  private static func listen(_ path: String) throws(APIProblem) -> Int32 {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(AF_UNIX, type, 0)
    guard socket >= 0 else { throw failed("socket", path, errno) }
    // A umask can only have taken bits away at bind; chmod gives them back.
    guard fchmod(socket, socketMode) == 0, UnixAddress.bind(socket, path) == 0, unsafe chmod(path, socketMode) == 0,
      Glibc.listen(socket, backlog) == 0
    else {
      let code = errno
      close(socket)
      throw failed("bind", path, code)
    }
    return socket
  }

  private static func inUse(_ path: String, _ cause: String) -> APIProblem {
    problem(
      "socket_in_use", "another twind serves \(path)", cause: cause,
      next: "stop the other one, or give this one its own --socket")
  }

  private static func failed(_ call: String, _ path: String, _ code: Int32) -> APIProblem {
    problem(
      "socket", "the status socket cannot be opened",
      cause: "\(call) \(path): \(unsafe String(cString: strerror(code)))",
      next: "see that the directory exists and belongs to the daemon's user")
  }

  private static func problem(_ what: String, _ title: String, cause: String, next: String) -> APIProblem {
    APIProblem(status: 0, code: "api.\(what)", title: title, cause: cause, next: next)
  }
}

/// `sockaddr_un` for bind(2) and connect(2).
enum UnixAddress {
  /// `sun_path` with its closing zero.
  static let pathMax = 108

  /// 0, or -1 with errno.
  static func connect(_ socket: Int32, _ path: String) -> Int32 {
    unsafe with(path) { unsafe Glibc.connect(socket, $0, $1) }
  }

  /// 0, or -1 with errno.
  static func bind(_ socket: Int32, _ path: String) -> Int32 {
    unsafe with(path) { unsafe Glibc.bind(socket, $0, $1) }
  }

  private static func with(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    guard path.utf8.count < pathMax else {
      errno = ENAMETOOLONG
      return -1
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { place in
      for (index, byte) in path.utf8.enumerated() { unsafe place[index] = byte }
    }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe call($0, size) }
    }
  }
}
