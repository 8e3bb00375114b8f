import Broker
import Glibc
import Synchronization

/// Commands run to their end.
enum Shell {
  /// The exit code; what it prints is dropped.
  static func run(_ command: String) -> Int32 {
    let status = unsafe system("{ \(command); } > /dev/null 2>&1")
    return status >> 8 & 0xFF
  }
}

/// An `openssl s_server` that asks for a client certificate and says `greeting` to whoever connects. Ends with this
/// object.
final class TLSListener {
  let port: UInt16
  private let process: pid_t

  /// `certificate` is a path without its .crt and .key.
  init(_ options: String, certificate: String, _ broker: Broker, saying greeting: String = "sleep 60") throws {
    port = try Broker.freePort()
    let command =
      "\(greeting) | exec openssl s_server -quiet -accept 127.0.0.1:\(port) \(options) -Verify 2 "
      + "-cert \(certificate).crt -key \(certificate).key -cert_chain \(certificate).crt "
      + "-CAfile \(broker.folder)/ca.crt"
    process = try Process.spawn(["/usr/bin/setsid", "/bin/sh", "-c", command], output: "\(broker.folder)/listener.log")
    for _ in 0..<1_000 {
      if try Self.isListening(port) { return }
      _ = usleep(10_000)
    }
    throw BrokerFault("openssl does not listen: \(command)")
  }

  /// Looked up, not tried: a trial connection would swallow the greeting.
  private static func isListening(_ port: UInt16) throws -> Bool {
    let hex = String(port, radix: 16, uppercase: true)
    let local = "0100007F:" + String(repeating: "0", count: 4 - hex.count) + hex + " 00000000:0000 0A"
    return String(decoding: try TextFile.read("/proc/net/tcp"), as: UTF8.self).contains(local)
  }

  deinit {
    // The group that setsid made is this listener's alone.
    _ = kill(-process, SIGKILL)
    Process.end(process)
  }
}

/// Listens on 127.0.0.1, says the same to everybody, and closes.
final class Answerer: Sendable {
  let port: UInt16
  private let isOver = Atomic(false)

  init(_ answer: [UInt8]) throws {
    let listener = LoopbackSocket()
    port = try listener.listen()
    let descriptor = dup(listener.descriptor)
    Thread.start { [self] in
      let listener = LoopbackSocket(descriptor: descriptor)
      while !isOver.load(ordering: .relaxed) {
        var watched = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&watched, 1, 50) == 1 else { continue }
        let peer = LoopbackSocket(descriptor: accept(listener.descriptor, nil, nil))
        var hello = [UInt8](repeating: 0, count: 4_096)
        _ = unsafe recv(peer.descriptor, &hello, hello.count, 0)
        _ = unsafe send(peer.descriptor, answer, answer.count, Int32(MSG_NOSIGNAL))
      }
    }
  }

  deinit { isOver.store(true, ordering: .relaxed) }
}
