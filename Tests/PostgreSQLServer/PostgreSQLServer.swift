import Glibc

/// A PostgreSQL server of the test's own: made in a folder below /tmp, reached through a socket there, gone with the
/// test process however that ends.
///
/// The server refuses to be root, so that as root it runs as `postgres`, or as `nobody` where that user is missing.
@safe public final class PostgreSQLServer: @unchecked Sendable {
  // @unchecked: what changes is the server's own process; a test that kills it has the server to itself.

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// One for all tests of a process; kill only a server that is the test's own.
  public static let shared = Result { () throws(Failure) in try PostgreSQLServer() }

  public let directory: String
  private let tools: String
  private let user: String
  /// Its other end waits for the end of this process, then stops the server and removes the folder.
  private let keeper: UnsafeMutablePointer<FILE>

  /// Makes and starts an empty server; as the standby of `primary` with a copy of what that holds.
  public init(standbyOf primary: PostgreSQLServer? = nil, settings: [String] = []) throws(Failure) {
    tools = try Self.findTools()
    user = geteuid() != 0 ? "" : unsafe getpwnam("postgres") == nil ? "nobody" : "postgres"
    var template = Array("/tmp/twind-pg-XXXXXX".utf8CString)
    guard let made = unsafe mkdtemp(&template) else { throw Failure(description: "mkdtemp: errno \(errno)") }
    let directory = unsafe String(cString: made)
    self.directory = directory
    if !user.isEmpty { try Self.run("chown \(user) \(directory)") }
    let script = """
      cat >/dev/null; p=$(head -1 \(directory)/data/postmaster.pid 2>/dev/null)
      [ -n "$p" ] && kill -QUIT $p 2>/dev/null
      n=0; while [ -n "$p" ] && kill -0 $p 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
      rm -rf \(directory)
      """
    // Its own session, so that Ctrl-C at a terminal does not end it before its work.
    guard let stream = unsafe popen("exec setsid sh -c '\(script)' >/dev/null 2>&1", "we") else {
      throw Failure(description: "popen: errno \(errno)")
    }
    unsafe keeper = stream
    if let primary {
      try asUser("\(tools)/pg_basebackup -h \(primary.directory) -U twind -D \(directory)/data -R -X stream -c fast")
    } else {
      try asUser("\(tools)/initdb -N -A trust -U twind -E UTF8 --locale=C -D \(directory)/data")
    }
    let lines = [
      "listen_addresses = ''", "unix_socket_directories = '\(directory)'", "max_connections = 40",
      "shared_buffers = 16MB", "max_wal_size = 256MB",
    ]
    guard let file = unsafe fopen(directory + "/data/postgresql.conf", "a") else {
      throw Failure(description: "postgresql.conf: errno \(errno)")
    }
    for line in lines + settings { unsafe fputs(line + "\n", file) }
    unsafe fclose(file)
    try start()
  }

  deinit { unsafe _ = pclose(keeper) }

  /// For `PostgreSQLConnection`.
  public var connectionString: String { "host=\(directory) user=twind dbname=postgres" }

  /// A place of its own for one test, in the same database.
  public func schema(_ name: String) throws(Failure) -> String {
    try asUser("\(tools)/psql -q -h \(directory) -U twind -d postgres -c \"CREATE SCHEMA \(name)\"")
    return "\(connectionString) options='-c search_path=\(name)'"
  }

  /// Starts it, or starts it again after `kill`; the remains of a killed server take a moment to go.
  public func start() throws(Failure) {
    var last: Failure?
    for _ in 0..<20 {
      do throws(Failure) {
        try asUser("\(tools)/pg_ctl start -w -t 30 -D \(directory)/data -l \(directory)/log")
        return
      } catch {
        last = error
        usleep(250_000)
      }
    }
    throw last!
  }

  /// SIGKILL to the postmaster: its children see that and end.
  public func kill() throws(Failure) {
    let text = try Self.run("head -1 \(directory)/data/postmaster.pid")
    guard let process = pid_t(text.filter(\.isNumber)), process > 1 else {
      throw Failure(description: "no process in postmaster.pid: \(text)")
    }
    guard Glibc.kill(process, SIGKILL) == 0 else { throw Failure(description: "kill: errno \(errno)") }
  }

  public func promote() throws(Failure) {
    try asUser("\(tools)/pg_ctl promote -w -t 30 -D \(directory)/data")
  }

  /// Runs one statement as the owner; gives its rows as text.
  @discardableResult
  public func sql(_ statement: String) throws(Failure) -> String {
    try asUser("\(tools)/psql -q -A -t -h \(directory) -U twind -d postgres -c \"\(statement)\"")
  }

  @discardableResult
  private func asUser(_ command: String) throws(Failure) -> String {
    // `cd`: the user may not enter where the tests run.
    let prefix = user.isEmpty ? "" : "setpriv --reuid=\(user) --regid=$(id -g \(user)) --clear-groups "
    return try Self.run("cd \(directory) && \(prefix)\(command)")
  }

  private static func findTools() throws(Failure) -> String {
    let found = try run("ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1").filter { !$0.isNewline }
    guard !found.isEmpty else {
      throw Failure(description: "no PostgreSQL server in /usr/lib/postgresql; next: apt-get install postgresql")
    }
    return found
  }

  @discardableResult
  private static func run(_ command: String) throws(Failure) -> String {
    var template = Array("/tmp/twind-pg-said-XXXXXX".utf8CString)
    let file = unsafe mkstemp(&template)
    guard file >= 0 else { throw Failure(description: "mkstemp: errno \(errno)") }
    let path = unsafe template.withUnsafeBufferPointer { unsafe String(cString: $0.baseAddress!) }
    defer {
      _ = close(file)
      unsafe _ = unlink(path)
    }
    // A file, not a pipe: a server that was started here would hold a pipe open.
    let status = unsafe system("{ \(command); } >\(path) 2>&1 </dev/null")
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe pread(file, &bytes, bytes.count, 0)
    let said = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    guard status == 0 else { throw Failure(description: "\(command)\n\(said)") }
    return said
  }
}
