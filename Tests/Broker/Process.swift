public import Glibc

/// Programs started by tests. Only what was started here is ever ended.
public enum Process {
  /// Starts a program with both outputs appended to a file and nothing to read.
  public static func spawn(_ words: [String], output: String) throws(BrokerFault) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // A test's thread may have signals blocked, which a child would inherit: then it could not be asked to end.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { _ = unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let status = unsafe posix_spawn(&process, words[0], &actions, &attributes, &arguments, nil)
    guard status == 0 else { throw BrokerFault("cannot start \(words[0]): errno \(status); is it installed?") }
    return process
  }

  /// Whether it is gone; then its number is no longer ours.
  public static func hasEnded(_ process: pid_t) -> Bool { waitpid(process, nil, WNOHANG) == process }

  /// Ends it and waits.
  public static func end(_ process: pid_t) {
    _ = Glibc.kill(process, SIGKILL)
    _ = waitpid(process, nil, 0)
  }
}

/// A TCP socket on 127.0.0.1. Closes with this object.
public final class LoopbackSocket {
  public let descriptor: Int32

  public init(descriptor: Int32? = nil) {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    self.descriptor = descriptor ?? socket(AF_INET, kind, 0)
  }

  deinit { _ = close(descriptor) }

  /// The port it got; nil when it cannot be had.
  public func bind(port: UInt16) -> UInt16? {
    var name = Self.name(port)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let status = unsafe withUnsafeMutablePointer(to: &name) { own in
      unsafe own.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.bind(descriptor, $0, size) | getsockname(descriptor, $0, &size)
      }
    }
    return status == 0 ? UInt16(bigEndian: name.sin_port) : nil
  }

  /// Binds to a free port and listens.
  public func listen() throws(BrokerFault) -> UInt16 {
    guard let port = bind(port: 0), Glibc.listen(descriptor, 16) == 0 else {
      throw BrokerFault("cannot listen: errno \(errno)")
    }
    return port
  }

  public func connect(port: UInt16) -> Bool {
    var name = Self.name(port)
    let (descriptor, size) = (descriptor, socklen_t(MemoryLayout<sockaddr_in>.size))
    return unsafe withUnsafeMutablePointer(to: &name) { own in
      unsafe own.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.connect(descriptor, $0, size) == 0 }
    }
  }

  private static func name(_ port: UInt16) -> sockaddr_in {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    name.sin_port = port.bigEndian
    return name
  }
}
