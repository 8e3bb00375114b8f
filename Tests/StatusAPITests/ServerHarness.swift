import Glibc
import Seams
import Testing
import TwinCore

@testable import StatusAPI

/// How long a client waits: the server's requests share the pool with suites that compute for many seconds.
let patienceMs = 60_000

/// A directory of its own under /tmp, removed at the end.
func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  var template = Array("/tmp/twind-test-XXXXXX".utf8CString)
  try #require(unsafe mkdtemp(&template) != nil)
  let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  defer {
    for name in ["s", "s.lock"] { unsafe unlink("\(path)/\(name)") }
    unsafe rmdir(path)
  }
  return try await body(path)
}

/// Serves `source` in a new directory while `client` runs on a thread of its own: a client blocks, and the pool is
/// small.
func withServer(
  _ source: StubSource = StubSource(), operatorGroup: UInt32? = nil, limits: StatusServer.Limits = .init(),
  client: @escaping @Sendable (String) throws -> Void
) async throws {
  try await withDirectory { directory in
    let path = directory + "/s"
    try await withServer(at: path, source, operatorGroup: operatorGroup, limits: limits, client: client)
    #expect(unsafe access(path, F_OK) != 0, "the socket is removed at the end")
  }
}

func withServer(
  at path: String, _ source: StubSource = StubSource(), operatorGroup: UInt32? = nil,
  limits: StatusServer.Limits = .init(), client: @escaping @Sendable (String) throws -> Void
) async throws {
  let server = StatusServer(
    socketPath: path, operatorGroup: operatorGroup, source: source, clock: SystemClock(), limits: limits)
  let (listening, ready) = AsyncStream.makeStream(of: Never.self)
  let executor = ThreadExecutor(name: "client")
  defer { executor.stop() }
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      defer { ready.finish() }
      try await server.run { ready.finish() }
    }
    for await _ in listening {}
    do {
      try await withTaskExecutorPreference(executor) { try await blocking { try client(path) } }
    } catch {
      group.cancelAll()
      throw error
    }
    group.cancelAll()
    try await group.waitForAll()
  }
}

@concurrent private func blocking(_ body: @Sendable () throws -> Void) async throws { try body() }

/// Sends the text as it is and gives back all that comes until the server closes.
func raw(_ path: String, _ text: String, timeoutMs: Int = patienceMs) throws -> String {
  let socket = try ClientSocket(path, timeoutMs: timeoutMs)
  try socket.send(Array(text.utf8))
  return try drain(socket)
}

func drain(_ socket: borrowing ClientSocket) throws -> String {
  var bytes: [UInt8] = []
  while true {
    let more = try socket.receive()
    if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
    bytes += more
  }
}

/// Standard output and exit status of a shell command.
func shell(_ command: String) throws -> (output: String, status: Int32) {
  guard let pipe = unsafe popen(command, "r") else { return ("", -1) }
  var bytes: [UInt8] = []
  while true {
    let byte = unsafe fgetc(pipe)
    if byte < 0 { break }
    bytes.append(UInt8(truncatingIfNeeded: byte))
  }
  let status = unsafe pclose(pipe)
  return (String(decoding: bytes, as: UTF8.self), status >> 8 & 0xFF)
}
