import Glibc
import Testing

/// A running Tests/Peers/fault_server.py; ends with this object.
final class FaultPeer {
  private static let answerMs: Int32 = 30_000

  let port: UInt16
  private let process: pid_t
  private let commands: Int32
  private let answers: Int32

  init(_ arguments: String...) throws {
    var folders = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    folders.removeLast(3)
    let root = folders.joined(separator: "/")
    let python = unsafe getenv("TWIND_TEST_PYTHON").map { unsafe String(cString: $0) } ?? root + "/.venv/bin/python"
    var down: [Int32] = [0, 0]
    var up: [Int32] = [0, 0]
    try #require(unsafe pipe(&down) == 0 && pipe(&up) == 0)
    for end in down + up { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var wiring = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&wiring)
    unsafe posix_spawn_file_actions_adddup2(&wiring, down[0], 0)
    unsafe posix_spawn_file_actions_adddup2(&wiring, up[1], 1)
    var words = unsafe ([python, root + "/Tests/Peers/fault_server.py"] + arguments).map { unsafe strdup($0) } + [nil]
    var child: pid_t = 0
    let started = unsafe posix_spawn(&child, python, &wiring, nil, &words, nil)
    unsafe posix_spawn_file_actions_destroy(&wiring)
    unsafe words.forEach { unsafe free($0) }
    close(down[0])
    close(up[1])
    try #require(started == 0, "cannot start \(python): make the test venv, or set TWIND_TEST_PYTHON")
    (process, commands, answers) = (child, down[1], up[0])
    port = try #require(UInt16(exactly: Self.number("port", in: try Self.line(answers)) ?? 0))
  }

  deinit {
    close(commands)
    close(answers)
    kill(process, SIGTERM)
    waitpid(process, nil, 0)
  }

  @discardableResult
  func say(_ command: String) throws -> String {
    let bytes = Array("\(command)\n".utf8)
    try #require(unsafe write(commands, bytes, bytes.count) == bytes.count)
    return try Self.line(answers)
  }

  /// `requests`, `connections`, `open`.
  func count(_ key: String) throws -> Int { try #require(Self.number(key, in: try say("stats"))) }

  /// How many requests of functions that write have arrived.
  func writeRequests() throws -> Int {
    let stats = try say("stats")
    return (5...24).reduce(0) {
      $0 + (Self.number(String($1), in: String(stats.split(separator: "functions").last ?? "")) ?? 0)
    }
  }

  private static func number(_ key: String, in text: String) -> Int? {
    guard let place = text.firstRange(of: "\"\(key)\": ") else { return nil }
    return Int(text[place.upperBound...].prefix { $0.isNumber })
  }

  private static func line(_ file: Int32) throws -> String {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while byte != 10 {
      var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      let came = unsafe poll(&waiting, 1, answerMs) > 0 && read(file, &byte, 1) == 1
      try #require(came, "the fault server ended or hangs")
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
