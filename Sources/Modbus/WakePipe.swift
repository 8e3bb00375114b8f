import Glibc

/// Ends a poll on another thread. Any thread may wake; one thread waits and clears.
struct WakePipe: ~Copyable, Sendable {
  let readEnd: Int32
  private let writeEnd: Int32

  /// nil when the process has no descriptors left.
  init?() {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    _ = Glibc.close(readEnd)
    _ = Glibc.close(writeEnd)
  }

  /// A full pipe is awake already, so the result does not matter.
  borrowing func wake() {
    var byte: UInt8 = 1
    _ = unsafe write(writeEnd, &byte, 1)
  }

  borrowing func clear() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while unsafe read(readEnd, &bytes, bytes.count) > 0 {}
  }
}
