import Glibc

/// What stopped a test's broker from being there.
public struct BrokerFault: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// A mosquitto of one's own on 127.0.0.1, with the configuration and the access list that twind ships; paths and port
/// are replaced, nothing else. It has a folder of its own, and ends with this object.
public final class Broker {
  private static let program = "/usr/sbin/mosquitto"
  private static let startTriesMax = 5
  private static let waitsMax = 1_000
  private static let waitUs: UInt32 = 20_000
  private static let shippedFolder = "/etc/twind/broker"

  public let folder: String
  public let files: FleetFiles
  /// The same through every restart.
  public private(set) var port: UInt16 = 0
  private var process: pid_t = 0

  /// Starts one and waits until it accepts. `changes` are lines put at the end of the configuration.
  public init(changes: [String] = []) throws {
    var template = Array("/tmp/twind-broker.XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw BrokerFault("no folder: errno \(errno)") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    files = try FleetFiles(folder: folder)
    try TextFile.write(shipped("twind.acl"), "\(folder)/twind.acl")
    // The port is free when it is looked for; another process may be quicker.
    for attempt in 1... {
      port = try Self.freePort()
      try TextFile.write(configuration(changes), "\(folder)/mosquitto.conf")
      do {
        try start()
        return
      } catch {
        if attempt == Self.startTriesMax { throw error }
      }
    }
  }

  deinit {
    end(SIGKILL)
    _ = unsafe system("rm -rf '\(folder)'")
  }

  /// Starts it again on its port. It must not be running.
  public func start() throws {
    precondition(process == 0, "the broker runs already")
    process = try Process.spawn(
      [Self.program, "-c", "\(folder)/mosquitto.conf"], output: "\(folder)/mosquitto.log")
    for _ in 0..<Self.waitsMax {
      if Self.accepts(port) { return }
      if Process.hasEnded(process) {
        process = 0
        throw BrokerFault("mosquitto ended at once: \(log)")
      }
      _ = usleep(Self.waitUs)
    }
    end(SIGKILL)
    throw BrokerFault("mosquitto does not listen on \(port): \(log)")
  }

  /// As a power cut would: no wills, no good-byes.
  public func kill() { end(SIGKILL) }

  /// As an operator would.
  public func terminate() { end(SIGTERM) }

  /// Stops and continues it; its connections stay, and nothing answers meanwhile.
  public func freeze() { _ = Glibc.kill(process, SIGSTOP) }
  public func thaw() { _ = Glibc.kill(process, SIGCONT) }

  /// Makes it read its access list, certificates and revocation list again, and waits until it says so.
  public func reload() throws {
    let before = log.count
    guard Glibc.kill(process, SIGHUP) == 0 else { throw BrokerFault("no broker to reload") }
    for _ in 0..<Self.waitsMax {
      if log.dropFirst(before).contains("Reloading") { return }
      _ = usleep(Self.waitUs)
    }
    throw BrokerFault("mosquitto did not reload: \(log)")
  }

  public var log: String {
    (try? TextFile.read("\(folder)/mosquitto.log")).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private func end(_ signal: Int32) {
    guard process != 0 else { return }
    _ = Glibc.kill(process, signal)
    _ = waitpid(process, nil, 0)
    process = 0
  }

  private func configuration(_ changes: [String]) throws -> [UInt8] {
    let text = String(decoding: try shipped("mosquitto.conf"), as: UTF8.self)
    var lines = text.split(separator: "\n").map { line in
      String(line).replacing(Self.shippedFolder, with: folder)
    }
    guard let listener = lines.firstIndex(of: "listener 8883") else { throw BrokerFault("no listener is shipped") }
    lines[listener] = "listener \(port) 127.0.0.1"
    // As root it would become user mosquitto, who cannot read this folder.
    if getuid() == 0 { lines.insert("user root", at: 0) }
    lines.insert(contentsOf: ["log_dest stderr", "log_type all"], at: 0)
    return Array((lines + changes).joined(separator: "\n").utf8) + [UInt8(ascii: "\n")]
  }

  private func shipped(_ name: String) throws(BrokerFault) -> [UInt8] {
    // Beside the real folder Tests, wherever it was reached from.
    let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
    return try TextFile.read("\(tests)/../edge-config/broker/\(name)")
  }

  /// A port of 127.0.0.1 that nobody listens on.
  public static func freePort() throws(BrokerFault) -> UInt16 {
    let socket = LoopbackSocket()
    guard let port = socket.bind(port: 0) else { throw BrokerFault("no free port: errno \(errno)") }
    return port
  }

  private static func accepts(_ port: UInt16) -> Bool { LoopbackSocket().connect(port: port) }
}
