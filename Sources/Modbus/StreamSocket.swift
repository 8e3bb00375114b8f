import Glibc
import Seams

/// One TCP connection as a client: every call returns by its deadline, however the peer dribbles. Closes on `deinit`.
struct StreamSocket: ~Copyable {
  /// Unacknowledged data and idle probes give a dead peer up after about this long.
  private static let deadPeerMs: Int32 = 20_000
  private static let idleBeforeProbeS: Int32 = 10
  private static let probeIntervalS: Int32 = 5
  private static let probes: Int32 = 2

  private let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { _ = Glibc.close(descriptor) }

  /// Tries the addresses of `host` in turn until one answers or the deadline is over. A name that is not an address is
  /// looked up by the resolver, in its own time: site files had better name addresses.
  static func connect(host: String, port: UInt16, by deadline: Deadline) throws(LinkFault) -> StreamSocket {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let status = unsafe getaddrinfo(host, String(port), &hints, &found)
    guard status == 0, let first = unsafe found else {
      let why = unsafe gai_strerror(status).map { unsafe String(cString: $0) } ?? "no address"
      throw LinkFault(.unreachable, "host \"\(host)\": \(why)", remedy: "check the host name, or give its address")
    }
    defer { unsafe freeaddrinfo(first) }
    var last: LinkFault?
    var next: UnsafeMutablePointer<addrinfo>? = unsafe first
    while let address = unsafe next {
      do throws(LinkFault) {
        return try unsafe connect(to: address.pointee, name: "\(host):\(port)", by: deadline)
      } catch {
        last = error
      }
      unsafe next = address.pointee.ai_next
    }
    throw last ?? unreachable("\(host):\(port)", "no address")
  }

  /// Sends all of `bytes`.
  borrowing func send(_ bytes: [UInt8], by deadline: Deadline) throws(LinkFault) {
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { raw in
        unsafe Glibc.send(descriptor, raw.baseAddress! + done, raw.count - done, Int32(MSG_NOSIGNAL))
      }
      let code = errno
      if count > 0 {
        done += count
      } else if code == EAGAIN {
        try wait(for: Int16(POLLOUT), by: deadline)
      } else if code != EINTR {
        throw Self.lost(code)
      }
    }
  }

  /// Appends one to `most` bytes, waiting for the first.
  borrowing func receive(into bytes: inout [UInt8], atMost most: Int, by deadline: Deadline) throws(LinkFault) {
    // The deadline is looked at even if bytes are there, or a peer that dribbles would never let go.
    repeat { try wait(for: Int16(POLLIN), by: deadline) } while try receiveNow(into: &bytes, atMost: most) == 0
  }

  /// Appends what is there, at most `most` bytes, and returns how many; 0 when nothing is.
  borrowing func receiveNow(into bytes: inout [UInt8], atMost most: Int) throws(LinkFault) -> Int {
    var chunk = [UInt8](repeating: 0, count: most)
    while true {
      let count = unsafe chunk.withUnsafeMutableBytes { raw in
        unsafe recv(descriptor, raw.baseAddress, raw.count, 0)
      }
      let code = errno
      if count > 0 {
        bytes += chunk.prefix(count)
        return count
      }
      if count == 0 { throw Self.lost(0) }
      if code == EAGAIN { return 0 }
      if code != EINTR { throw Self.lost(code) }
    }
  }

  private borrowing func wait(for events: Int16, by deadline: Deadline) throws(LinkFault) {
    guard try Self.poll(descriptor, events, by: deadline) else {
      throw LinkFault(
        .timeout, "no complete reply in time", remedy: "check that the device is on, or raise its timeout")
    }
  }

  /// False when the deadline was first.
  private static func poll(_ descriptor: Int32, _ events: Int16, by deadline: Deadline) throws(LinkFault) -> Bool {
    while true {
      let left = deadline.milliseconds
      guard left > 0 else { return false }
      var watched = pollfd(fd: descriptor, events: events, revents: 0)
      let count = unsafe Glibc.poll(&watched, 1, left)
      let code = errno
      if count > 0 { return true }
      if count < 0, code != EINTR { throw lost(code) }
    }
  }

  private static func connect(
    to address: addrinfo, name: String, by deadline: Deadline
  ) throws(LinkFault) -> StreamSocket {
    let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = unsafe Glibc.socket(address.ai_family, flags, address.ai_protocol)
    guard descriptor >= 0 else { throw unreachable(name, reason(errno)) }
    let socket = StreamSocket(descriptor: descriptor)
    socket.setOptions()
    if unsafe Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return socket }
    let code = errno
    guard code == EINPROGRESS || code == EINTR else { throw unreachable(name, reason(code)) }
    guard try poll(descriptor, Int16(POLLOUT), by: deadline) else { throw unreachable(name, "no answer in time") }
    var outcome: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let status = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &outcome, &size)
    guard status == 0, outcome == 0 else { throw unreachable(name, reason(outcome)) }
    return socket
  }

  /// A kernel without one of these still carries the link, so refusals are not errors.
  private borrowing func setOptions() {
    let transport = Int32(IPPROTO_TCP)
    set(transport, TCP_NODELAY, 1)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(transport, TCP_KEEPIDLE, Self.idleBeforeProbeS)
    set(transport, TCP_KEEPINTVL, Self.probeIntervalS)
    set(transport, TCP_KEEPCNT, Self.probes)
    set(transport, TCP_USER_TIMEOUT, Self.deadPeerMs)
  }

  private borrowing func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func lost(_ code: Int32) -> LinkFault {
    LinkFault(
      .closed, code == 0 ? "the device closed the connection" : "the connection broke: \(reason(code))",
      remedy: "open the link again; if it recurs, look for a second client on a device that serves one")
  }

  private static func unreachable(_ name: String, _ why: String) -> LinkFault {
    LinkFault(.unreachable, "\(name): \(why)", remedy: "check that the device is on and its port open")
  }
}

/// The system's words for an errno.
func reason(_ code: Int32) -> String {
  var text = [CChar](repeating: 0, count: 128)
  return unsafe text.withUnsafeMutableBufferPointer { buffer in
    unsafe strerror_r(code, buffer.baseAddress!, buffer.count) == 0
      ? String(cString: buffer.baseAddress!) : "errno \(code)"
  }
}

/// The end of one wait, on the monotonic clock.
struct Deadline {
  /// Longer waits are cut: no bus question is worth an hour.
  private static let millisecondsMax = 3_600_000

  private let end: ContinuousClock.Instant

  init(milliseconds: Int) {
    end = .now + .milliseconds(min(max(milliseconds, 0), Self.millisecondsMax))
  }

  /// What is left, rounded up so that a poll with it does not wake early; 0 when over.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = (end - .now).components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
