import Glibc
import Testing

/// Listens on 127.0.0.1 and never accepts.
final class DeafListener {
  let port: UInt16
  private let descriptor: Int32

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = descriptor
    let status = unsafe withUnsafeMutablePointer(to: &name) { own in
      unsafe own.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(bound, $0, size) | listen(bound, 0) | getsockname(bound, $0, &size)
      }
    }
    try #require(status == 0)
    port = UInt16(bigEndian: name.sin_port)
  }

  deinit { _ = close(descriptor) }
}
