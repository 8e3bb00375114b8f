import CPostgreSQL
import Glibc

/// One connection to one server (libpq). When it breaks it stays broken: its owner opens another.
///
/// Threading: one thread at a time; calls block, none for longer than `callTimeoutMs` and each stage of opening for
/// longer than `connectTimeoutSeconds` a host.
@safe public final class PostgreSQLConnection {
  /// libpq itself waits no shorter than 2 s.
  public static let connectTimeoutSeconds = 5
  public static let callTimeoutMsDefault: Int32 = 30_000

  private let handle: OpaquePointer
  private let notices: NoticeBox
  private let callTimeoutMs: Int32
  private var statementCount = 0
  /// Nothing more can be asked: the answer to an earlier question may still come.
  private var isGivenUp = false

  /// Opens by a connection string, `host=a,b port=5432 dbname=twind target_session_attrs=read-write` or a URI: hosts
  /// are tried in order (PostgreSQL documentation §34.1.1). `notice` gets what the server says beside its answers.
  public init(
    _ connectionString: String, callTimeoutMs: Int32 = PostgreSQLConnection.callTimeoutMsDefault,
    notice: @escaping (String) -> Void = { _ in }
  ) throws(PostgreSQLFault) {
    // What comes before `dbname`, which holds the whole string, is a default; what comes after holds in any case.
    let settings: [(String, String)] = [
      ("application_name", "twind"), ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "\(callTimeoutMs)"), ("dbname", connectionString), ("client_encoding", "UTF8"),
      ("connect_timeout", "\(Self.connectTimeoutSeconds)"),
    ]
    guard let opened = unsafe Self.open(settings) else {
      throw PostgreSQLFault(.exhausted, "no memory for a connection")
    }
    unsafe handle = opened
    (notices, self.callTimeoutMs) = (NoticeBox(notice), callTimeoutMs)
    guard unsafe PQstatus(handle) == CONNECTION_OK else {
      throw Self.openingFault(reason)
    }
    // Not retained: this object holds the box for longer than libpq uses the pointer.
    unsafe PQsetNoticeProcessor(handle, passNotice, Unmanaged.passUnretained(notices).toOpaque())
    // Lets sends be waited for with a limit.
    guard unsafe PQsetnonblocking(handle, 1) == 0 else { throw lost("open") }
  }

  deinit { unsafe PQfinish(handle) }

  /// False once the connection broke or was given up.
  public var isOpen: Bool { unsafe !isGivenUp && PQstatus(handle) == CONNECTION_OK }
  public var isInTransaction: Bool { unsafe PQtransactionStatus(handle) != PQTRANS_IDLE }
  /// As 150018 for 15.18.
  public var serverVersion: Int { Int(unsafe PQserverVersion(handle)) }

  /// Runs statements without parameters, several when separated by `;`; gives the rows of the last, as text.
  @discardableResult
  public func execute(_ sql: String) throws(PostgreSQLFault) -> PostgreSQLRows {
    try send(sql) { unsafe PQsendQuery(handle, sql) }
  }

  /// Compiles one statement with parameters `$1`…, kept for many uses on this connection.
  public func prepare(_ sql: String) throws(PostgreSQLFault) -> PreparedQuery {
    statementCount += 1
    let name = "t\(statementCount)"
    _ = try send(sql) { unsafe PQsendPrepare(handle, name, sql, 0, nil) }
    return PreparedQuery(name: name, sql: sql)
  }

  /// Runs a statement that this connection prepared; rows come in binary.
  @discardableResult
  public func run(_ query: PreparedQuery, _ values: [PostgreSQLValue] = []) throws(PostgreSQLFault) -> PostgreSQLRows {
    let buffer = ParameterBuffer(values)
    let lengths = buffer.places.map { Int32($0?.count ?? 0) }
    // Text in binary is text: one format serves all.
    let formats = [Int32](repeating: 1, count: values.count)
    return try send(query.sql) {
      unsafe buffer.bytes.withUnsafeBytes { raw in
        // An empty value still needs an address, for a null pointer is NULL.
        let pointers = unsafe buffer.places.map { place -> UnsafePointer<CChar>? in
          guard let place else { return nil }
          guard let base = raw.baseAddress, place.count > 0 else { return unsafe emptyValue.pointer }
          return unsafe (base + place.offset).assumingMemoryBound(to: CChar.self)
        }
        return unsafe PQsendQueryPrepared(handle, query.name, Int32(values.count), pointers, lengths, formats, 1)
      }
    }
  }

  /// Runs `body` in one transaction: all of it is committed on return, or nothing happened; after
  /// `postgresql.disconnected` or `postgresql.timed_out` from the COMMIT itself either may be true.
  public func transaction<Result>(_ body: () throws(PostgreSQLFault) -> Result) throws(PostgreSQLFault) -> Result {
    try execute("BEGIN")
    do throws(PostgreSQLFault) {
      let result = try body()
      try commit()
      return result
    } catch {
      rollback()
      throw error
    }
  }

  /// Ends a transaction that `execute("BEGIN")` began.
  public func commit() throws(PostgreSQLFault) {
    // A transaction in which a statement failed answers COMMIT with ROLLBACK, and no error.
    let tag = try execute("COMMIT").tag
    guard tag == "COMMIT" else { throw PostgreSQLFault(.failed, "COMMIT: the server answered \(tag)") }
  }

  /// Nothing where there is no transaction; where the connection broke the server does it by itself.
  public func rollback() {
    guard isOpen, isInTransaction else { return }
    _ = try? execute("ROLLBACK")
  }

  // MARK: the exchange

  private func send(_ what: String, _ call: () -> Int32) throws(PostgreSQLFault) -> PostgreSQLRows {
    guard isOpen else { throw PostgreSQLFault(.disconnected, "\(what): the connection is closed") }
    let deadline = Self.nowMs() + Int64(callTimeoutMs)
    guard call() == 1 else { throw lost(what) }
    var pending = unsafe PQflush(handle)
    while pending == 1 {
      try wait(POLLIN | POLLOUT, until: deadline, what)
      guard unsafe PQconsumeInput(handle) == 1 else { throw lost(what) }
      pending = unsafe PQflush(handle)
    }
    guard pending == 0 else { throw lost(what) }
    var last: PostgreSQLRows?
    var first: PostgreSQLFault?
    while let rows = try next(until: deadline, what) {
      if first == nil { first = rows.fault(what) }
      last = rows
      // The loop would never end: nobody here feeds a COPY.
      precondition(!rows.isCopy, "COPY is not supported: \(what)")
    }
    if let first {
      isGivenUp = isGivenUp || first.kind == .disconnected
      throw first
    }
    guard let last else { throw lost(what) }
    return last
  }

  private func next(until deadline: Int64, _ what: String) throws(PostgreSQLFault) -> PostgreSQLRows? {
    while unsafe PQisBusy(handle) == 1 {
      try wait(POLLIN, until: deadline, what)
      guard unsafe PQconsumeInput(handle) == 1 else { throw lost(what) }
    }
    return unsafe PQgetResult(handle).map { unsafe PostgreSQLRows($0) }
  }

  private func wait(_ events: Int32, until deadline: Int64, _ what: String) throws(PostgreSQLFault) {
    var entry = pollfd(fd: unsafe PQsocket(handle), events: Int16(events), revents: 0)
    while true {
      let left = deadline - Self.nowMs()
      guard left > 0 else {
        isGivenUp = true
        throw PostgreSQLFault(.timedOut, "\(what): no answer in \(callTimeoutMs) ms")
      }
      let count = unsafe poll(&entry, 1, Int32(left))
      if count > 0 { return }
      if count < 0, errno != EINTR { throw lost(what) }
    }
  }

  private func lost(_ what: String) -> PostgreSQLFault {
    isGivenUp = true
    return PostgreSQLFault(.disconnected, "\(what): \(reason)")
  }

  private var reason: String {
    let text = unsafe PQerrorMessage(handle).map { unsafe String(cString: $0) } ?? ""
    return PostgreSQLRows.oneLine(text.isEmpty ? "no reason given" : text)
  }

  private static func openingFault(_ reason: String) -> PostgreSQLFault {
    // Before there is a session libpq hands out no SQLSTATE. A server that speaks another language than English is
    // taken for unreachable, which costs a later try.
    let passing = ["starting up", "shutting down", "recovery mode", "too many clients", "not accepting connections"]
    let isRefused = reason.contains("FATAL:") && !passing.contains { reason.contains($0) }
    return PostgreSQLFault(isRefused ? .refused : .unreachable, "connect: \(reason)")
  }

  private static func open(_ settings: [(String, String)]) -> OpaquePointer? {
    let copies = unsafe settings.flatMap { unsafe [strdup($0.0), strdup($0.1)] }
    defer { unsafe copies.forEach { unsafe free($0) } }
    var keywords: [UnsafePointer<CChar>?] = unsafe []
    var values: [UnsafePointer<CChar>?] = unsafe []
    for index in stride(from: 0, to: unsafe copies.count, by: 2) {
      unsafe keywords.append(UnsafePointer(copies[index]))
      unsafe values.append(UnsafePointer(copies[index + 1]))
    }
    unsafe keywords.append(nil)
    unsafe values.append(nil)
    return unsafe PQconnectdbParams(keywords, values, 1)
  }

  private static func nowMs() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}

/// A statement that one connection has compiled.
public struct PreparedQuery: Sendable {
  let name: String
  let sql: String
}

/// The answer to one statement, held whole in memory: bound what may come with LIMIT.
@safe public final class PostgreSQLRows {
  private let handle: OpaquePointer

  fileprivate init(_ handle: OpaquePointer) { unsafe self.handle = handle }

  deinit { unsafe PQclear(handle) }

  public var count: Int { Int(unsafe PQntuples(handle)) }
  /// Rows that an INSERT, UPDATE or DELETE has changed.
  public var changes: Int { unsafe PQcmdTuples(handle).flatMap { unsafe Int(String(cString: $0)) } ?? 0 }
  /// What was done, as `COMMIT` or `INSERT 0 1`.
  public var tag: String { unsafe PQcmdStatus(handle).map { unsafe String(cString: $0) } ?? "" }

  public func isNull(_ row: Int, _ column: Int) -> Bool {
    unsafe PQgetisnull(handle, Int32(row), Int32(column)) == 1
  }

  /// Of `int8`, `int4`, `int2` or `bool` in binary; 0 for NULL.
  public func integer(_ row: Int, _ column: Int) -> Int64 {
    precondition(unsafe PQfformat(handle, Int32(column)) == 1, "a number from a row that came as text")
    let value = unsafe raw(row, column)
    guard let first = unsafe value.first else { return 0 }
    precondition(value.count <= 8, "column \(column) is no integer: \(value.count) bytes")
    let head = value.count == 1 ? Int64(first) : Int64(Int8(bitPattern: first))
    return unsafe value.dropFirst().reduce(head) { $0 << 8 | Int64($1) }
  }

  /// Empty for NULL.
  public func text(_ row: Int, _ column: Int) -> String { unsafe String(decoding: raw(row, column), as: UTF8.self) }

  /// A copy; empty for NULL.
  public func bytes(_ row: Int, _ column: Int) -> [UInt8] { unsafe Array(raw(row, column)) }

  private func raw(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    precondition(row >= 0 && row < count, "row \(row) of \(count)")
    return unsafe UnsafeRawBufferPointer(
      start: PQgetvalue(handle, Int32(row), Int32(column)), count: Int(PQgetlength(handle, Int32(row), Int32(column))))
  }

  fileprivate var isCopy: Bool {
    let status = unsafe PQresultStatus(handle)
    return [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains { $0 == status }
  }

  fileprivate func fault(_ what: String) -> PostgreSQLFault? {
    let status = unsafe PQresultStatus(handle)
    guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE else { return nil }
    // No SQLSTATE: libpq made this result itself, as it does when the connection breaks.
    guard let state = unsafe PQresultErrorField(handle, Int32(UInt8(ascii: "C"))) else {
      let reason = unsafe PQresultErrorMessage(handle).map { unsafe String(cString: $0) } ?? "no reason given"
      return PostgreSQLFault(.disconnected, "\(what): \(Self.oneLine(reason))")
    }
    let reason = unsafe PQresultErrorField(handle, Int32(UInt8(ascii: "M"))).map { unsafe String(cString: $0) }
    return PostgreSQLFault(sqlState: unsafe String(cString: state), doing: what, because: reason ?? "no reason given")
  }

  static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: " ")
  }
}

private final class NoticeBox {
  let take: (String) -> Void

  init(_ take: @escaping (String) -> Void) { self.take = take }
}

private func passNotice(_ box: UnsafeMutableRawPointer?, _ text: UnsafePointer<CChar>?) {
  guard let box = unsafe box, let text = unsafe text else { return }
  unsafe Unmanaged<NoticeBox>.fromOpaque(box).takeUnretainedValue().take(
    PostgreSQLRows.oneLine(unsafe String(cString: text)))
}

/// An address for values without bytes.
@safe private struct EmptyValue: @unchecked Sendable {
  // @unchecked: one byte that nobody writes to after `init`.
  let pointer: UnsafePointer<CChar>

  init() {
    let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    unsafe byte.initialize(to: 0)
    unsafe pointer = UnsafePointer(byte)
  }
}

private let emptyValue = EmptyValue()
