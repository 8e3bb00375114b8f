import Glibc
import Synchronization

/// A thread that runs one function to its end, deaf to SIGPIPE: OpenSSL writes to sockets that may be closed.
@safe final class LinkThread: @unchecked Sendable {
  // @unchecked: `thread` is written in `init` alone.
  private var thread = pthread_t()
  private let isJoined = Mutex(false)

  /// `name` is shown by `ps -L`, at most 15 characters.
  init(name: String, _ body: @escaping @Sendable () -> Void) {
    let box = unsafe Unmanaged.passRetained(Body(name, body))
    let result = unsafe pthread_create(
      &thread, nil,
      { raw in
        let body = unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue()
        body.run()
        return nil
      }, box.toOpaque())
    precondition(result == 0, "cannot start thread \(name): errno \(result)")
  }

  deinit {
    if !isJoined.withLock({ $0 }) { pthread_detach(thread) }
  }

  /// Waits for the end, except on the thread itself or after another caller.
  func join() {
    guard pthread_equal(thread, pthread_self()) == 0 else { return }
    let isMine = isJoined.withLock { joined in
      defer { joined = true }
      return !joined
    }
    if isMine { _ = pthread_join(thread, nil) }
  }

  private final class Body {
    private let name: String
    private let body: @Sendable () -> Void

    init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }

    func run() {
      var signals = sigset_t()
      unsafe sigemptyset(&signals)
      unsafe sigaddset(&signals, SIGPIPE)
      unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
      tellName()
      body()
    }

    private func tellName() {
      let file = unsafe open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { return }
      let bytes = Array(name.utf8.prefix(15))
      _ = unsafe write(file, bytes, bytes.count)
      _ = close(file)
    }
  }
}

/// Wakes a thread that waits in poll(2). Any thread may ring.
final class WakePipe: Sendable {
  /// To be watched for POLLIN.
  let readEnd: Int32
  private let writeEnd: Int32

  init() {
    var ends: [Int32] = [-1, -1]
    precondition(unsafe pipe(&ends) == 0, "no file descriptors left for a broker link")
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    _ = close(readEnd)
    _ = close(writeEnd)
  }

  /// A full pipe is as good as one more byte.
  func ring() {
    var byte: UInt8 = 0
    _ = unsafe write(writeEnd, &byte, 1)
  }

  func drain() {
    var bytes = [UInt8](repeating: 0, count: 256)
    while unsafe read(readEnd, &bytes, bytes.count) == bytes.count {}
  }

  /// Waits for a ring, at most `milliseconds`; -1 waits for ever.
  func wait(milliseconds: Int32) {
    var watched = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
    _ = unsafe poll(&watched, 1, milliseconds)
    drain()
  }
}
