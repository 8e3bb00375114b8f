import Glibc
import TwinCore

/// Tells systemd what the daemon is doing (sd_notify(3), the datagram protocol); silent where no one listens.
struct ServiceNotifier: Sendable {
  private let path: String?
  /// How often systemd wants to hear that the daemon lives, nanoseconds; nil when it does not watch.
  let watchdogNanoseconds: Int64?

  /// From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  init(environment: [String: String]) {
    path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    let isMine = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
    watchdogNanoseconds =
      isMine ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.map { $0.saturatingMultiply(1000) } : nil
  }

  func ready(_ status: String) { send("READY=1\nSTATUS=\(status)") }
  func status(_ text: String) { send("STATUS=\(text)") }
  /// What follows is a start, not an end: systemd waits for the next `ready`.
  func reloading(at uptime: Uptime) { send("RELOADING=1\nMONOTONIC_USEC=\(uptime.nanoseconds / 1000)") }
  func stopping() { send("STOPPING=1") }
  /// Fed by the control loop alone: a loop that hangs must be seen.
  func alive() { send("WATCHDOG=1") }

  private func send(_ message: String) {
    guard let path else { return }
    let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return }
    defer { close(file) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    // An abstract socket is written with @ for its leading zero byte.
    let isAbstract = name.first == 64
    if isAbstract { name[0] = 0 }
    let size = MemoryLayout.size(ofValue: address.sun_path)
    guard name.count < size else { return }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1))
    let text = Array(message.utf8)
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        // A listener that does not read must not hold up the control loop: the message is lost, and the next one tries.
        _ = unsafe sendto(file, text, text.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), generic, length)
      }
    }
  }
}

extension Int64 {
  func saturatingMultiply(_ other: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
