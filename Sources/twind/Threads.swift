import CLinux
import Glibc
import Modbus

/// Work that blocks for as long as the program lives, on threads of its own.
enum BackgroundThread {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ name: String, _ run: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = unsafe Unmanaged.passRetained(Body(run))
    let result = unsafe pthread_create(
      &thread, nil,
      { raw in
        let body = unsafe Unmanaged<Body>.fromOpaque(raw!).takeRetainedValue()
        body.run()
        return nil
      }, box.toOpaque())
    precondition(result == 0, "cannot start thread \(name): errno \(result)")
    unsafe clinux_thread_name(thread, name)
    pthread_detach(thread)
  }
}

enum ServerThread {
  static func start(_ server: ModbusServer) { BackgroundThread.start("modbus") { server.run() } }
}

/// Hands signals to a thread, until a terminating one was taken.
///
/// The runtime's threads exist before any code of ours, so a blocked signal would still reach one of them: a handler
/// writes the number into a pipe, which is all that a handler may do, and the thread reads it there.
enum SignalThread {
  // Written once, before the first handler is set.
  nonisolated(unsafe) private static var pipeEnd: Int32 = -1

  static func start(_ signals: [Int32], _ take: @escaping @Sendable (Int32) -> Void) {
    var ends: [Int32] = [-1, -1]
    let made = unsafe pipe(&ends)
    precondition(made == 0, "no descriptor left for signals")
    unsafe pipeEnd = ends[1]
    let source = ends[0]
    for number in signals {
      signal(number) { number in
        var byte = UInt8(truncatingIfNeeded: number)
        _ = unsafe write(SignalThread.pipeEnd, &byte, 1)
      }
    }
    BackgroundThread.start("signals") {
      var byte: UInt8 = 0
      while true {
        let count = unsafe read(source, &byte, 1)
        if count < 0, errno == EINTR { continue }
        guard count == 1 else { return }
        take(Int32(byte))
        if Int32(byte) == SIGTERM || Int32(byte) == SIGINT { return }
      }
    }
  }
}
