import Glibc
import TwinCore

/// One connection of a client; closed when it goes.
struct ClientSocket: ~Copyable {
  private let file: Int32
  private let path: String
  private let deadlineMs: Int64

  /// Throws what a person can act on: not running, crashed and not permitted are three different things.
  init(_ path: String, timeoutMs: Int) throws(APIProblem) {
    self.path = path
    deadlineMs = Self.nowMs() + Int64(timeoutMs)
    file = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { throw Self.failed("socket", path, errno) }
    var limit = timeval(tv_sec: timeoutMs / 1000, tv_usec: timeoutMs % 1000 * 1000)
    // On a unix socket the send time-out also bounds connect(2) while the daemon's backlog is full.
    unsafe setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    guard UnixAddress.connect(file, path) == 0 else {
      // Not closed here: a value that is whole is given to `deinit` although its init throws.
      throw Self.unreachable(path, errno)
    }
  }

  deinit { close(file) }

  /// A peer that refuses early may close before all is sent: what it answered is still read.
  func send(_ bytes: [UInt8]) throws(APIProblem) {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.send(file, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
        continue
      }
      let code = errno
      if code == EINTR { continue }
      if code == EPIPE || code == ECONNRESET { return }
      throw code == EAGAIN ? Self.timeout(path) : Self.failed("send", path, code)
    }
  }

  /// Some bytes; empty at the end. Waits until the connection's deadline, or at most `silenceMs` when that is given.
  func receive(silenceMs: Int? = nil) throws(APIProblem) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 16 * 1024)
    let until = silenceMs.map { Self.nowMs() + Int64($0) } ?? deadlineMs
    while true {
      var wait = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      let left = until - Self.nowMs()
      guard left > 0 else { throw Self.timeout(path) }
      let ready = unsafe poll(&wait, 1, Int32(clamping: left))
      if ready < 0, errno != EINTR { throw Self.failed("poll", path, errno) }
      guard ready > 0 else { continue }
      let count = unsafe bytes.withUnsafeMutableBytes { unsafe recv(file, $0.baseAddress!, $0.count, 0) }
      if count >= 0 { return Array(bytes.prefix(count)) }
      let code = errno
      if code == EINTR || code == EAGAIN { continue }
      if code == ECONNRESET { return [] }
      throw Self.failed("recv", path, code)
    }
  }

  private static func nowMs() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  static func timeout(_ path: String) -> APIProblem {
    APIProblem(
      status: 504, code: "api.timeout", title: "twind does not answer in time",
      cause: "connected to \(path), then silence",
      next: "try again; if it stays so: systemctl status twind")
  }

  private static func failed(_ call: String, _ path: String, _ code: Int32) -> APIProblem {
    APIProblem(
      status: 0, code: "api.unreachable", title: "twind cannot be reached",
      cause: "\(call) \(path): \(unsafe String(cString: strerror(code)))", next: "systemctl status twind")
  }

  static func unreachable(_ path: String, _ code: Int32) -> APIProblem {
    switch code {
    case ENOENT, ENOTDIR:
      return APIProblem(
        status: 0, code: "api.not_running", title: "twind is not running here", cause: "there is no socket at \(path)",
        next: "systemctl start twind; if it runs elsewhere: --socket PATH")
    case ECONNREFUSED:
      return APIProblem(
        status: 0, code: "api.crashed", title: "twind has crashed or was killed",
        cause: "\(path) is there, but nobody answers", next: "journalctl -u twind -n 50; then: systemctl restart twind")
    case EACCES, EPERM: return denied(path)
    case EAGAIN, ETIMEDOUT: return timeout(path)
    default: return failed("connect", path, code)
    }
  }
}

extension ClientSocket {
  /// Names the group that may read, and tells a login that is older than its membership from a missing one.
  private static func denied(_ path: String) -> APIProblem {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    var info = stat()
    var next = "ask the site's administrator for access to \(directory.isEmpty ? "/" : directory)"
    var cause = "your user may not open \(path)"
    if unsafe stat(directory, &info) == 0, let group = Accounts.group(info.st_gid) {
      let user = Accounts.user(getuid()) ?? "uid \(getuid())"
      if group.members.contains(user) {
        cause = "you are in group \(group.name), but this login started before that"
        next = "log out and in, or: sg \(group.name) -c 'twinctl …'"
      } else {
        cause = "\(user) is not in group \(group.name)"
        next = "ask the site's administrator: usermod -aG \(group.name) \(user); then log in again"
      }
    }
    return APIProblem(
      status: 403, code: "api.socket_denied", title: "no permission to talk to twind", cause: cause, next: next)
  }
}
