import Glibc
import Synchronization
import Testing

/// A program that a test started, with its output in a file. Whatever becomes of the test, it ends with this object.
final class Program {
  let pid: pid_t
  private let log: String
  private let input: Int32
  private var code: Int32?
  private var linesRead = 0
  private static let spawning = Mutex(())

  /// - Parameter log: Takes standard output and standard error.
  init(_ path: String, _ arguments: [String], log: String, environment changes: [String: String] = [:]) throws {
    self.log = log
    let out = unsafe open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    try #require(out >= 0, "\(log) cannot be made: errno \(errno)")
    var wiring = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&wiring)
    unsafe posix_spawn_file_actions_adddup2(&wiring, out, 1)
    unsafe posix_spawn_file_actions_adddup2(&wiring, out, 2)
    var words = unsafe ([path] + arguments).map { unsafe strdup($0) } + [nil]
    var settings = unsafe Self.environment(changes).map { unsafe strdup($0) } + [nil]
    var child: pid_t = 0
    var failure: Int32 = 0
    var ends: [Int32] = [-1, -1]
    // One at a time: a pipe is closed in other children only once that is said of it.
    Self.spawning.withLock { _ in
      failure = unsafe pipe(&ends)
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      unsafe posix_spawn_file_actions_adddup2(&wiring, ends[0], 0)
      if failure == 0 { failure = unsafe posix_spawn(&child, path, &wiring, nil, &words, &settings) }
    }
    unsafe posix_spawn_file_actions_destroy(&wiring)
    unsafe words.forEach { unsafe free($0) }
    unsafe settings.forEach { unsafe free($0) }
    close(ends[0])
    close(out)
    (pid, input) = (child, ends[1])
    try #require(failure == 0, "\(path) cannot be started: errno \(failure)")
  }

  deinit {
    kill()
    close(input)
  }

  /// What it was started in, without what would change how twind behaves.
  private static func environment(_ changes: [String: String]) -> [String] {
    var values: [String] = []
    var entry = unsafe environ
    while let text = unsafe entry.pointee {
      let pair = unsafe String(cString: text)
      let isOurs = pair.hasPrefix("TWIND_") && !pair.hasPrefix("TWIND_TEST_")
      if !isOurs, !pair.hasPrefix("NOTIFY_SOCKET="), !pair.hasPrefix("LD_PRELOAD=") { values.append(pair) }
      unsafe entry += 1
    }
    return values + changes.map { "\($0.key)=\($0.value)" }
  }

  /// 128 and more for a signal, as a shell says it; nil while it runs.
  var exitCode: Int32? {
    if let code { return code }
    var status: Int32 = 0
    guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return nil }
    code = status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    return code
  }

  var isRunning: Bool { exitCode == nil }

  func send(_ signal: Int32) {
    if isRunning { _ = Glibc.kill(pid, signal) }
  }

  /// At once, as a power cut would; returns when it is gone.
  func kill() {
    guard isRunning else { return }
    _ = Glibc.kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
    code = 128 + SIGKILL
  }

  /// Its exit code, once it has ended by itself.
  func end() async throws -> Int32 { try await eventually("process \(pid) ends\n\(output)") { exitCode } }

  var output: String { String(decoding: bytes(of: log), as: UTF8.self) }

  /// The next whole line of its output.
  func line() async throws -> String {
    try await eventually("a line of \(log)") {
      let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
      guard lines.count > linesRead + 1 else {
        try #require(isRunning, "it ended: \(output)")
        return nil
      }
      linesRead += 1
      return String(lines[linesRead - 1])
    }
  }

  func say(_ line: String) throws {
    let bytes = Array("\(line)\n".utf8)
    try #require(unsafe write(input, bytes, bytes.count) == bytes.count)
  }
}

/// Looks again and again until there is something. The limit only ends a test that would hang.
func eventually<T>(
  _ what: @autoclosure () -> String, seconds: Int = 60, _ look: () throws -> T?
) async throws -> T {
  let deadline = ContinuousClock.now + .seconds(seconds)
  while true {
    if let found = try look() { return found }
    guard ContinuousClock.now < deadline else { throw Never(what: what()) }
    try await Task.sleep(for: .milliseconds(20))
  }
}

/// Waits until something holds.
func until(_ what: @autoclosure () -> String, seconds: Int = 60, _ holds: () throws -> Bool) async throws {
  _ = try await eventually(what(), seconds: seconds) { try holds() ? true : nil }
}

struct Never: Error, CustomStringConvertible {
  var what: String
  var description: String { "this never came: \(what)" }
}

/// All of a file, or as much as there is.
func bytes(of path: String) -> [UInt8] {
  let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return [] }
  defer { close(file) }
  var all: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = unsafe read(file, &chunk, chunk.count)
    guard count > 0 else { return all }
    all += chunk[..<count]
  }
}

func write(_ text: String, to path: String) throws {
  let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  try #require(file >= 0, "\(path): errno \(errno)")
  defer { close(file) }
  let bytes = Array(text.utf8)
  try #require(unsafe Glibc.write(file, bytes, bytes.count) == bytes.count)
}

/// A few of these tests at a time: each runs processes of its own, and other suites want the processors too.
struct Berthed: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    await Harbour.shared.enter()
    do {
      try await function()
    } catch {
      await Harbour.shared.leave()
      throw error
    }
    await Harbour.shared.leave()
  }
}

extension Trait where Self == Berthed {
  static var berthed: Self { Berthed() }
}

private actor Harbour {
  static let shared = Harbour()

  private var free = 4
  private var waiting: [CheckedContinuation<Void, Swift.Never>] = []

  func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}
