import Glibc
public import Seams
public import Sync
public import TwinCore

/// Where a foundation keeps what it was given.
public enum LedgerPlace: Sendable {
  /// A file and the files SQLite keeps beside it; one process has it open.
  case file(String)
  /// A libpq connection string; several workers may use one database, each through a `Ledger` of its own.
  case server(String)
}

/// When what is committed counts as kept for good.
public enum SafePolicy: Sendable, Equatable {
  /// At once: a single copy, by the operator's decision, or a server whose standbys confirm every commit.
  case onCommit
  /// When a backup or a standby was confirmed to hold it (`beginBackup`, `confirmReplicas`).
  case onConfirmation
}

/// The foundation's storage: sites, their logs, the foundation's own log, artefacts and what is directed to sites.
///
/// Threading: any thread; calls wait for each other and block on the disk or the server. What a call has returned from
/// is durable; what threw is undone, but for `ledger.unavailable` from a server that went away for longer than a call
/// waits for its answer about a COMMIT under way.
@safe public final class Ledger: SyncLedger, @unchecked Sendable {
  // @unchecked: all state is touched under `gate`.

  /// How often one call runs its transaction before it says `ledger.conflict`.
  static let attemptsMax = 6

  let clock: any SiteClock
  let policy: SafePolicy
  private let place: LedgerPlace
  private let notice: @Sendable (String) -> Void
  private let gate = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var connection: (any LedgerConnection)?
  private var heldTerm: UInt64 = 0

  /// Opens the store, making its tables where there are none and bringing older ones forward. Throws
  /// `ledger.newer_version` or `ledger.not_a_ledger` without changing anything. `notice` gets what a server says.
  public init(
    _ place: LedgerPlace, policy: SafePolicy, clock: any SiteClock,
    notice: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(LedgerError) {
    (self.place, self.policy, self.clock, self.notice) = (place, policy, clock, notice)
    unsafe pthread_mutex_init(gate, nil)
    let made = try connect()
    try transaction(made, .exclusive) { () throws(LedgerError) in try LedgerSchema.prepare(made) }
  }

  deinit {
    unsafe pthread_mutex_destroy(gate)
    unsafe gate.deallocate()
  }

  public var term: UInt64 {
    unsafe pthread_mutex_lock(gate)
    defer { unsafe pthread_mutex_unlock(gate) }
    return heldTerm
  }

  // MARK: transactions

  /// Runs `body` in one transaction under this foundation's lease. It may run again, so all it does is in the store.
  func write<Result>(
    _ body: (any LedgerConnection) throws(LedgerError) -> Result
  ) throws(LedgerError) -> Result {
    try exchange(.write) { (store, term) throws(LedgerError) in
      guard term <= heldTerm else {
        throw LedgerError(.leaseLost, "this foundation writes under term \(heldTerm), the store is at \(term)")
      }
      return try body(store)
    }
  }

  /// Runs `body` over one state of the store.
  func read<Result>(
    _ body: (any LedgerConnection) throws(LedgerError) -> Result
  ) throws(LedgerError) -> Result {
    try exchange(.read) { (store, _) throws(LedgerError) in try body(store) }
  }

  private func exchange<Result>(
    _ kind: LedgerTransaction, then: (Result) -> Void = { _ in },
    _ body: (any LedgerConnection, UInt64) throws(LedgerError) -> Result
  ) throws(LedgerError) -> Result {
    unsafe pthread_mutex_lock(gate)
    defer { unsafe pthread_mutex_unlock(gate) }
    var attempt = 1
    while true {
      let store = try connect()
      do throws(LedgerError) {
        let result = try transaction(store, kind) { () throws(LedgerError) in
          let term = kind == .read ? 0 : try store.first("SELECT term FROM ledger") { UInt64($0.integer(0)) } ?? 0
          return try body(store, term)
        }
        then(result)
        return result
      } catch {
        guard error.kind == .conflict, attempt < Self.attemptsMax else { throw error }
        // Whoever meets again next time does so at another moment.
        usleep(UInt32.random(in: 1_000...(4_000 << UInt32(attempt))))
        attempt += 1
      }
    }
  }

  private func transaction<Result>(
    _ store: any LedgerConnection, _ kind: LedgerTransaction, _ body: () throws(LedgerError) -> Result
  ) throws(LedgerError) -> Result {
    var isCommitting = false
    do throws(LedgerError) {
      try store.begin(kind)
      let result = try body()
      isCommitting = true
      do throws(LedgerError) {
        try store.commit()
      } catch {
        guard !store.isOpen, let name = store.transactionName, try wasCommitted(name) else { throw error }
      }
      return result
    } catch {
      // A COMMIT that SQLite refused (no room) leaves its transaction open.
      if store.isOpen || isCommitting { store.rollback() }
      if !store.isOpen { connection = nil }
      throw error
    }
  }

  /// Asks over a new connection what became of a COMMIT whose answer was lost.
  private func wasCommitted(_ name: String) throws(LedgerError) -> Bool {
    connection = nil
    for _ in 0..<Self.attemptsMax {
      if let answer = try? connect().isCommitted(name) { return answer }
      connection = nil
      usleep(500_000)
    }
    throw LedgerError(.unavailable, "the server went away during COMMIT of \(name); whether it took effect is unknown")
  }

  private func connect() throws(LedgerError) -> any LedgerConnection {
    if let connection, connection.isOpen { return connection }
    let made: any LedgerConnection =
      switch place {
      case .file(let path): try SQLiteLedger(path: path)
      case .server(let text): try PostgreSQLLedger(text, notice: notice)
      }
    connection = made
    return made
  }
}

// MARK: what one back end alone can do

extension Ledger {
  func copyFile(to path: String) throws(LedgerError) {
    unsafe pthread_mutex_lock(gate)
    defer { unsafe pthread_mutex_unlock(gate) }
    guard let file = try connect() as? SQLiteLedger else {
      throw LedgerError(.refused, "the ledger is on a server: back it up with pg_basebackup, then confirmBackup")
    }
    try file.copy(to: path)
    do throws(FileFault) {
      let files = SystemFileStore()
      try files.open(path, .write).sync()
      let slash = path.lastIndex(of: "/")
      try files.syncDirectory(slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? ".")
    } catch {
      throw LedgerError(error)
    }
  }

  func serverPosition(standbys: Int) throws(LedgerError) -> (written: String, flushed: String?) {
    try read { (store) throws(LedgerError) in try Self.server(store).positions(standbys: standbys) }
  }

  func isReached(_ position: String, by other: String) throws(LedgerError) -> Bool {
    try read { (store) throws(LedgerError) in try Self.server(store).isReached(position, by: other) }
  }

  private static func server(_ store: any LedgerConnection) throws(LedgerError) -> PostgreSQLLedger {
    guard let server = store as? PostgreSQLLedger else {
      throw LedgerError(.refused, "the ledger is a file: it has no standbys")
    }
    return server
  }
}

// MARK: the lease

extension Ledger {
  public struct Lease: Equatable, Sendable {
    /// In every acknowledgement; a site ignores those of a lower one than it has seen.
    public let term: UInt64
    /// The foundation that holds it.
    public let holder: String
    public let until: Instant
  }

  public func lease() throws(LedgerError) -> Lease {
    try read { (store) throws(LedgerError) in try Self.lease(in: store) }
  }

  /// Takes the lease for `holder` or, where that has it already, prolongs and joins it. Where another foundation has
  /// it, `ledger.lease_held` until it runs out; from then on, with a higher term, and the other writes no more.
  ///
  /// `above` is a term that sites have seen: a store that came from a backup may not know of it. Clocks of two
  /// foundations that differ make the take-over early or late, never double.
  @discardableResult
  public func takeLease(_ holder: String, for span: Duration, above: UInt64 = 0) throws(LedgerError) -> UInt64 {
    precondition(!holder.isEmpty && holder.utf8.count <= 128, "a foundation's name of 1 to 128 bytes")
    let now = clock.instant
    return try exchange(.exclusive, then: { heldTerm = $0 }) { (store, _) throws(LedgerError) in
      let lease = try Self.lease(in: store)
      guard lease.holder == holder || lease.holder.isEmpty || lease.until <= now else {
        throw LedgerError(
          .leaseHeld,
          "foundation \(lease.holder) has the lease of term \(lease.term) until "
            + "\(lease.until.nanoseconds / 1_000_000_000) s, it is \(now.nanoseconds / 1_000_000_000) s")
      }
      let term = lease.holder == holder && lease.term > above ? lease.term : max(lease.term, above) + 1
      guard let stored = Int64(exactly: term) else { throw LedgerError(.outOfRange, "term \(term)") }
      try store.run(
        "UPDATE ledger SET term = ?1, holder = ?2, lease_until_ns = ?3", .integer(stored), .text(holder),
        .integer(now.advanced(byNanoseconds: span.wholeNanoseconds).nanoseconds))
      return term
    }
  }

  /// Prolongs the lease; `ledger.lease_lost` where it is another's by now.
  public func renewLease(for span: Duration) throws(LedgerError) {
    let until = clock.instant.advanced(byNanoseconds: span.wholeNanoseconds)
    try write { (store) throws(LedgerError) in
      _ = try store.run("UPDATE ledger SET lease_until_ns = ?1", .integer(until.nanoseconds))
    }
  }

  private static func lease(in store: any LedgerConnection) throws(LedgerError) -> Lease {
    let sql = "SELECT term, holder, lease_until_ns FROM ledger"
    let found = try store.first(sql) {
      Lease(term: UInt64($0.integer(0)), holder: $0.text(1), until: Instant(nanoseconds: $0.integer(2)))
    }
    guard let found else { throw LedgerError(.corrupt, "table ledger is empty") }
    return found
  }
}
