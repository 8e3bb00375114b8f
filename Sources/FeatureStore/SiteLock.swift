import Glibc

/// The right to write a site's directory: an advisory lock on `site.lock`, which the kernel ends with the process.
///
/// The file holds the owner's process id as decimal text, for the message that the next one gets; it is never removed.
final class SiteLock {
  private let file: Int32

  init(directory: String) throws(StoreError) {
    let path = directory + "/site.lock"
    let file = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard file >= 0 else {
      let cause = errno
      let kind: StoreError.Kind = cause == ENOSPC || cause == EDQUOT ? .diskFull : .cannotOpen
      throw StoreError(kind, "open \(path): errno \(cause)")
    }
    guard Self.take(file) else {
      let cause = errno
      let owner = Self.text(of: file)
      close(file)
      guard cause == EWOULDBLOCK else { throw StoreError(.cannotOpen, "lock \(path): errno \(cause)") }
      throw StoreError(.locked, "\(path) is held by process \(owner.isEmpty ? "unknown" : owner)")
    }
    self.file = file
    // The id is for people: a disk too full for it must not keep the daemon from starting.
    let text = Array("\(getpid())\n".utf8)
    if ftruncate(file, 0) == 0 {
      _ = unsafe text.withUnsafeBytes { unsafe pwrite(file, $0.baseAddress, $0.count, 0) }
    }
  }

  deinit { close(file) }

  /// A child that was forked and has not called exec yet holds a copy of its parent's lock: that is over in a moment.
  private static func take(_ file: Int32) -> Bool {
    for attempt in 0..<10 {
      if flock(file, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK else { return false }
      if attempt < 9 { usleep(10_000) }
    }
    errno = EWOULDBLOCK
    return false
  }

  private static func text(of file: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 20)
    let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, 0) }
    let digits = bytes.prefix(max(0, count)).prefix { (48...57).contains($0) }
    return String(decoding: digits, as: UTF8.self)
  }
}
