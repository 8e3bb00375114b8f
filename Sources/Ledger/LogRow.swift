import Provenance
import Sync
import TwinCore

/// A row of `logs`, locked by the transaction that read it.
struct LogRow {
  let id: Int64
  let site: Int64
  /// Why nothing may be appended; empty where it may.
  var barred: String
  var head: LogHead
  /// The tree at `base.size`, at or behind which every later checkpoint lies.
  var base: MerkleFrontier
  var checkpointed: UInt64
  var durable: UInt64
  var safe: UInt64
  var receipt: String?

  var stored: StoredLog { StoredLog(head: head, checkpointed: checkpointed, safe: safe, receipt: receipt) }

  func place(_ sequence: UInt64) -> Int64 { LedgerSchema.places(of: id, from: Int64(sequence)) }

  private static let columns =
    "l.id, l.site, l.barred, l.next, l.chain, l.nodes, l.base, l.base_nodes, l.checkpointed, l.durable, l.safe, l.receipt"

  /// Reads without a lock.
  static func read(_ log: LogName, in store: any LedgerConnection) throws(LedgerError) -> LogRow? {
    try find(log, "", in: store)
  }

  /// Locks the row to the end of the transaction, making it where site and epoch are there. Nil: they are not, or the
  /// log is new and nothing may be appended, for the reason that `whyNot` then tells.
  ///
  /// Who locks several locks them in the order of their names, else two workers may wait for each other.
  static func lock(_ log: LogName, in store: any LedgerConnection) throws(LedgerError) -> LogRow? {
    if let found = try find(log, " FOR UPDATE OF l", in: store) { return found }
    guard try whyNot(log, in: store) == nil, let site = try SiteRow.id(of: log.site, in: store) else { return nil }
    try store.run(
      """
      INSERT INTO logs(site, epoch, stream, barred, next, chain, nodes, base, base_nodes, checkpointed, durable, safe,
        claimed, changed_ns) VALUES(?1, ?2, ?3, '', 0, ?4, ?5, 0, ?5, 0, 0, 0, 0, 0)
      ON CONFLICT (site, epoch, stream) DO NOTHING
      """, .integer(site), .bytes(log.epoch.bytes), .integer(Int64(log.stream.rawValue)), .bytes(Digest.zero.bytes),
      .bytes([]))
    return try find(log, " FOR UPDATE OF l", in: store)
  }

  /// Why a log that has no row gets none; nil where it may. Locks the site, so that its standing stays meanwhile.
  static func whyNot(_ log: LogName, in store: any LedgerConnection) throws(LedgerError) -> String? {
    guard let site = try SiteRow.lock(log.site, in: store) else { return "the site is not enrolled" }
    if let reason = site.barred { return reason }
    let epoch = try store.first(
      "SELECT standing FROM epochs WHERE site = ?1 AND epoch = ?2", .integer(site.id), .bytes(log.epoch.bytes)
    ) { $0.integer(0) }
    return EpochStanding.barred(epoch)
  }

  private static func find(
    _ log: LogName, _ lock: String, in store: any LedgerConnection
  ) throws(LedgerError) -> LogRow? {
    let sql = """
      SELECT \(columns) FROM logs l WHERE l.site = (SELECT s.id FROM sites s WHERE s.name = ?1) AND l.epoch = ?2
        AND l.stream = ?3\(lock)
      """
    var isBroken = false
    let found = try store.first(
      sql, .text(log.site.description), .bytes(log.epoch.bytes), .integer(Int64(log.stream.rawValue))
    ) { row -> LogRow? in
      let made = LogRow(row, log)
      isBroken = made == nil
      return made
    }
    guard !isBroken else { throw LedgerError(.corrupt, "the head of \(log) is no head") }
    return found ?? nil
  }

  private init?(_ row: any LedgerRow, _ log: LogName) {
    guard let frontier = Self.frontier(row.integer(3), row.bytes(5)), let chain = Digest(bytes: row.bytes(4)),
      let base = Self.frontier(row.integer(6), row.bytes(7))
    else { return nil }
    (id, site, barred) = (row.integer(0), row.integer(1), row.text(2))
    head = LogHead(epoch: log.epoch, stream: log.stream, chain: chain, frontier: frontier)
    self.base = base
    (checkpointed, durable) = (UInt64(row.integer(8)), UInt64(row.integer(9)))
    (safe, receipt) = (UInt64(row.integer(10)), row.isNull(11) ? nil : row.text(11))
  }

  func write(in store: any LedgerConnection, at now: Instant) throws(LedgerError) {
    try store.run(
      """
      UPDATE logs SET next = ?2, chain = ?3, nodes = ?4, base = ?5, base_nodes = ?6, checkpointed = ?7, durable = ?8,
        safe = ?9, receipt = ?10, changed_ns = ?11 WHERE id = ?1
      """, .integer(id), .integer(Int64(head.next)), .bytes(head.chain.bytes), .bytes(Self.bytes(head.frontier)),
      .integer(Int64(base.size)), .bytes(Self.bytes(base)), .integer(Int64(checkpointed)), .integer(Int64(durable)),
      .integer(Int64(safe)), receipt.map { .text($0) } ?? .null, .integer(now.nanoseconds))
  }

  static func bytes(_ frontier: MerkleFrontier) -> [UInt8] { frontier.nodes.flatMap(\.bytes) }

  private static func frontier(_ size: Int64, _ bytes: [UInt8]) -> MerkleFrontier? {
    guard size >= 0, bytes.count % 32 == 0 else { return nil }
    let nodes = stride(from: 0, to: bytes.count, by: 32).compactMap { Digest(bytes: Array(bytes[$0..<$0 + 32])) }
    return MerkleFrontier(size: UInt64(size), nodes: nodes)
  }
}

extension EpochStanding {
  /// Why nothing may be appended to an epoch of this standing, nil being one that is not recorded.
  static func barred(_ raw: Int64?) -> String? {
    guard let raw, let standing = EpochStanding(rawValue: UInt8(clamping: raw)) else { return "the epoch is not known" }
    switch standing {
    case .open: return nil
    case .closed: return "the epoch is closed"
    case .awaitingApproval: return "the epoch awaits an operator's approval"
    }
  }
}

/// A row of `sites`.
struct SiteRow {
  let id: Int64
  let standing: SiteStandingCode
  let reason: String

  enum SiteStandingCode: Int64 {
    case active = 0
    case quarantined = 1
    case revoked = 2
  }

  /// Why nothing of the site is appended.
  var barred: String? {
    switch standing {
    case .active: nil
    case .quarantined: "the site is quarantined: \(reason)"
    case .revoked: "the site is revoked: \(reason)"
    }
  }

  static func id(of name: SiteName, in store: any LedgerConnection) throws(LedgerError) -> Int64? {
    try store.first("SELECT id FROM sites WHERE name = ?1", .text(name.description)) { $0.integer(0) }
  }

  static func existing(_ name: SiteName, in store: any LedgerConnection) throws(LedgerError) -> Int64 {
    guard let id = try id(of: name, in: store) else { throw LedgerError(.siteUnknown, "no site \(name) is enrolled") }
    return id
  }

  static func read(_ name: SiteName, in store: any LedgerConnection) throws(LedgerError) -> SiteRow? {
    try find(name, "", in: store)
  }

  static func lock(_ name: SiteName, in store: any LedgerConnection) throws(LedgerError) -> SiteRow? {
    try find(name, " FOR UPDATE", in: store)
  }

  private static func find(
    _ name: SiteName, _ lock: String, in store: any LedgerConnection
  ) throws(LedgerError) -> SiteRow? {
    try store.first("SELECT id, standing, reason FROM sites WHERE name = ?1\(lock)", .text(name.description)) {
      SiteRow(
        id: $0.integer(0), standing: SiteStandingCode(rawValue: $0.integer(1)) ?? .quarantined, reason: $0.text(2))
    }
  }

  /// Writes a site's standing and, with it, what its logs say about appending.
  static func stand(
    _ id: Int64, _ standing: SiteStandingCode, reason: String, in store: any LedgerConnection
  ) throws(LedgerError) {
    try store.run(
      "UPDATE sites SET standing = ?2, reason = ?3 WHERE id = ?1", .integer(id), .integer(standing.rawValue),
      .text(reason))
    let row = SiteRow(id: id, standing: standing, reason: reason)
    let logs = try store.list(
      """
      SELECT l.id, e.standing FROM logs l JOIN epochs e ON e.site = l.site AND e.epoch = l.epoch WHERE l.site = ?1
      ORDER BY l.epoch, l.stream FOR UPDATE OF l
      """, .integer(id)
    ) { ($0.integer(0), EpochStanding.barred($0.integer(1))) }
    for (log, epoch) in logs {
      try store.run("UPDATE logs SET barred = ?2 WHERE id = ?1", .integer(log), .text(row.barred ?? epoch ?? ""))
    }
  }
}
