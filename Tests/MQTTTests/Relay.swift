import Broker
import Glibc
import Synchronization

/// A TCP relay on 127.0.0.1 that can stop forwarding without closing anything, or close everything at once.
final class Relay: Sendable {
  private static let waitMs: Int32 = 10

  private enum Mode { case forwarding, silent, cut, over }

  let port: UInt16
  private let mode = Mutex(Mode.forwarding)

  init(to target: UInt16) throws {
    let listener = LoopbackSocket()
    port = try listener.listen()
    let descriptor = dup(listener.descriptor)
    Thread.start { [self] in serve(LoopbackSocket(descriptor: descriptor), target) }
  }

  /// From now on nothing passes, and both sides believe that all is well.
  func hush() { mode.withLock { $0 = .silent } }
  /// Closes every connection; new ones are served.
  func cut() { mode.withLock { $0 = .cut } }
  func stop() { mode.withLock { $0 = .over } }

  private func serve(_ listener: LoopbackSocket, _ target: UInt16) {
    var pairs: [(LoopbackSocket, LoopbackSocket)] = []
    while true {
      let now = mode.withLock { mode in
        defer { if mode == .cut { mode = .forwarding } }
        return mode
      }
      if now == .over { return }
      if now == .cut { pairs.removeAll() }
      if Self.isReadable(listener.descriptor, pairs.isEmpty ? Self.waitMs : 1) {
        let (near, far) = (LoopbackSocket(descriptor: accept(listener.descriptor, nil, nil)), LoopbackSocket())
        if far.connect(port: target) { pairs.append((near, far)) }
      }
      guard now == .forwarding else {
        _ = usleep(5_000)
        continue
      }
      pairs.removeAll { !Self.forward($0.0, $0.1) || !Self.forward($0.1, $0.0) }
    }
  }

  /// False at the end of the stream.
  private static func forward(_ from: LoopbackSocket, _ to: LoopbackSocket) -> Bool {
    guard isReadable(from.descriptor, 1) else { return true }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe recv(from.descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return false }
    return unsafe send(to.descriptor, bytes, count, Int32(MSG_NOSIGNAL)) == count
  }

  private static func isReadable(_ descriptor: Int32, _ milliseconds: Int32) -> Bool {
    var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&watched, 1, milliseconds) == 1
  }
}

/// Threads for what blocks in a test.
enum Thread {
  static func start(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Box(body))
    let status = unsafe pthread_create(
      &thread, nil,
      { raw in
        unsafe Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    precondition(status == 0)
    pthread_detach(thread)
  }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
