import Glibc

/// One connection of a `ModbusServer`, which closes it.
struct ServerClient {
  enum Look {
    case nothing
    case over
    /// The first bytes of the stream are one whole request.
    case request([UInt8])
  }

  /// A request that is not whole after this long ends its connection.
  private static let halfwayMax = Duration.seconds(2)
  /// A client that takes no answers this long is closed.
  private static let sendTimeoutS = 1
  private static let frameBytesMax = 260

  let descriptor: Int32
  private var halfwaySince: ContinuousClock.Instant?

  init(descriptor: Int32) {
    self.descriptor = descriptor
    var patience = timeval(tv_sec: Self.sendTimeoutS, tv_usec: 0)
    _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var on: Int32 = 1
    _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  var isHalfway: Bool { halfwaySince != nil }

  func close() { _ = Glibc.close(descriptor) }

  /// Looks at what is there without taking it.
  mutating func look() -> Look {
    var bytes = [UInt8](repeating: 0, count: Self.frameBytesMax)
    let flags = Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)
    let count = unsafe recv(descriptor, &bytes, bytes.count, flags)
    let code = errno
    if count == 0 { return .over }
    guard count > 0 else { return code == EAGAIN || code == EINTR ? .nothing : .over }
    bytes.removeLast(bytes.count - count)
    if bytes.count >= 6 {
      let length = 6 + Int(bytes.word(at: 4))
      guard bytes.word(at: 2) == 0, (8...Self.frameBytesMax).contains(length) else { return .over }
      if bytes.count >= length {
        halfwaySince = nil
        return .request(Array(bytes.prefix(length)))
      }
    }
    let since = halfwaySince ?? .now
    halfwaySince = since
    return .now - since > Self.halfwayMax ? .over : .nothing
  }

  /// Takes `count` bytes that are known to be there.
  func skip(_ count: Int) -> Bool {
    var rest = [UInt8](repeating: 0, count: count)
    return unsafe recv(descriptor, &rest, count, Int32(MSG_DONTWAIT)) == count
  }
}

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
