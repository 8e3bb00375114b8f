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

/// Waits for signals and hands each to `take`, until a terminating one was taken.
enum SignalThread {
  static func start(_ signals: [Int32], _ take: @escaping @Sendable (Int32) -> Void) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    // Blocked here, before any other thread exists, so that only the waiting one ever sees them.
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    let waited = set
    BackgroundThread.start("signals") {
      var set = waited
      while true {
        var signal: Int32 = 0
        guard unsafe sigwait(&set, &signal) == 0 else { continue }
        take(signal)
        if signal == SIGTERM || signal == SIGINT { return }
      }
    }
  }
}
