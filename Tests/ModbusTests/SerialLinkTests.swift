import Glibc
import Modbus
import Seams
import Synchronization
import Testing

/// A serial line inside the process: the link opens `path`, a thread answers at the other end.
private final class Line: Sendable {
  /// Says for each request frame (without checksum) what bytes come back, each followed by a pause in milliseconds.
  typealias Device = @Sendable (_ request: [UInt8], _ nth: Int) -> [([UInt8], UInt32)]

  let path: String
  private let end: Int32
  private let worker: Worker

  init(_ device: @escaping Device) throws {
    let end = posix_openpt(O_RDWR | O_NOCTTY)
    try #require(end >= 0 && grantpt(end) == 0 && unlockpt(end) == 0)
    var name = [CChar](repeating: 0, count: 64)
    try #require(unsafe ptsname_r(end, &name, name.count) == 0)
    path = String(decoding: name.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
    self.end = end
    let slave = open(path, O_RDWR | O_NOCTTY)
    worker = Worker {
      Self.answer(end, device)
      _ = close(slave)
    }
  }

  deinit {
    stopping.store(true, ordering: .relaxed)
    worker.join()
    _ = close(end)
  }

  private let stopping = Atomic(false)
}
