import Glibc
import Testing

/// A running Tests/Peers/fault_server.py. Ends with this object.
final class FaultServer {
  private static let answerMs: Int32 = 30_000

  let port: UInt16
  private let process: pid_t
  private let input: Int32
  private let output: Int32

  init(_ arguments: [String] = [], faults: [String] = []) throws {
    let words = [Self.root + "/Tests/Peers/fault_server.py"] + arguments + faults.flatMap { ["--fault", $0] }
    (process, input, output) = try Self.spawn([Self.python] + words)
    let greeting = try Self.line(from: output)
    port = UInt16(try #require(Self.number("port", in: greeting)))
  }

  deinit {
    _ = close(input)
    _ = kill(process, SIGTERM)
    _ = waitpid(process, nil, 0)
    _ = close(output)
  }

  /// One command of the server's stdin and its answer, a line of JSON.
  @discardableResult
  func say(_ command: String) throws -> String {
    let bytes = Array((command + "\n").utf8)
    try #require(unsafe write(input, bytes, bytes.count) == bytes.count)
    return try Self.line(from: output)
  }

  func stat(_ key: String) throws -> Int { try #require(Self.number(key, in: say("stats"))) }

  /// Runs a Python program and returns its first line of output.
  static func firstLine(ofProgram text: String, _ arguments: [String]) throws -> String {
    let (process, input, output) = try spawn([python, "-c", text] + arguments)
    defer {
      _ = close(input)
      _ = close(output)
      _ = kill(process, SIGTERM)
      _ = waitpid(process, nil, 0)
    }
    return try line(from: output)
  }

  /// The number behind the first `"key": ` in `text`.
  private static func number(_ key: String, in text: String) -> Int? {
    guard let found = text.firstRange(of: "\"\(key)\": ") else { return nil }
    return Int(text[found.upperBound...].prefix { $0.isNumber })
  }

  private static var python: String {
    unsafe getenv("TWIND_TEST_PYTHON").map { unsafe String(cString: $0) } ?? root + "/.venv/bin/python"
  }

  private static var root: String {
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
  }

  private static func spawn(_ words: [String]) throws -> (pid_t, Int32, Int32) {
    var toChild: [Int32] = [-1, -1]
    var fromChild: [Int32] = [-1, -1]
    try #require(unsafe pipe(&toChild) == 0 && pipe(&fromChild) == 0)
    for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { _ = unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let status = unsafe posix_spawn(&process, words[0], &actions, nil, &arguments, nil)
    _ = close(toChild[0])
    _ = close(fromChild[1])
    try #require(status == 0, "cannot start \(words[0]): make the test venv, or set TWIND_TEST_PYTHON")
    return (process, toChild[1], fromChild[0])
  }

  private static func line(from descriptor: Int32) throws -> String {
    var bytes: [UInt8] = []
    while bytes.last != UInt8(ascii: "\n") {
      var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      var byte: UInt8 = 0
      let isThere = unsafe poll(&watched, 1, answerMs) == 1 && read(descriptor, &byte, 1) == 1
      try #require(isThere, "the fault server ended or hangs")
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A thread for something that blocks; `join` waits for its end.
final class Worker {
  private var thread: pthread_t = 0

  init(_ body: @escaping @Sendable () -> Void) {
    let box = unsafe Unmanaged.passRetained(Box(body))
    unsafe pthread_create(
      &thread, nil,
      { raw in
        unsafe Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
  }

  func join() { _ = pthread_join(thread, nil) }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}

func pause(ms: UInt32) { _ = usleep(ms * 1000) }

/// splitmix64, so that a failing seed is enough to see the failure again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
}
