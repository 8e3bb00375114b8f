import Glibc

/// The right to write one sync.db: an advisory lock on a file beside it, which the kernel ends with the process. The
/// database itself is not locked for good, so that an export can read it meanwhile.
final class LogLock {
  private let file: Int32

  init(path: String) throws(DeltaLogFault) {
    let file = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard file >= 0 else {
      let cause = errno
      let isFull = cause == ENOSPC || cause == EDQUOT
      throw DeltaLogFault(isFull ? .diskFull : .cannotOpen, "open \(path): errno \(cause)")
    }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let cause = errno
      close(file)
      guard cause == EWOULDBLOCK else { throw DeltaLogFault(.cannotOpen, "lock \(path): errno \(cause)") }
      throw DeltaLogFault(.busy, "\(path) is held by another process")
    }
    self.file = file
  }

  deinit { close(file) }
}
