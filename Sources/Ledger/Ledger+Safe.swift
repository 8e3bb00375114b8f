import Provenance
import Seams
public import Sync
public import TwinCore

// `safe` of a log is the size of its newest kept checkpoint at or below `durable`. Under `.onCommit` everything that is
// committed is durable; under `.onConfirmation` what a backup or a standby was confirmed to hold.
extension Ledger {
  /// Entries that one checkpoint is reckoned over at a time.
  private static let pageEntries: Int64 = 4096
  /// Logs that one transaction confirms.
  private static let pageLogs: Int64 = 256

  public func keep(_ checkpoints: [KeptCheckpoint]) throws(LedgerFault) {
    try answering { () throws(LedgerError) in
      try write { (store) throws(LedgerError) in
        let sorted = checkpoints.sorted { a, b in
          a.log == b.log ? a.size < b.size : (a.log.site, a.log.description) < (b.log.site, b.log.description)
        }
        for checkpoint in sorted { try keep(checkpoint, in: store) }
      }
    }
  }

  private func keep(_ checkpoint: KeptCheckpoint, in store: any LedgerConnection) throws(LedgerError) {
    guard var row = try LogRow.lock(checkpoint.log, in: store), checkpoint.size > row.checkpointed,
      let frontier = try Self.frontier(at: checkpoint.size, of: row, in: store), frontier.root == checkpoint.root
    else { return }
    try store.run(
      "INSERT INTO checkpoints(place, root, note) VALUES(?1, ?2, ?3)", .integer(row.place(checkpoint.size)),
      .bytes(checkpoint.root.bytes), .text(checkpoint.note))
    (row.base, row.checkpointed) = (frontier, checkpoint.size)
    if policy == .onCommit || row.durable >= checkpoint.size {
      (row.safe, row.receipt) = (checkpoint.size, checkpoint.note)
    }
    try row.write(in: store, at: clock.instant)
  }

  /// The tree of a stored log at one size; nil where it cannot be told: beyond its end, or before a declared loss.
  static func frontier(
    at size: UInt64, of row: LogRow, in store: any LedgerConnection
  ) throws(LedgerError) -> MerkleFrontier? {
    if size == row.head.next { return row.head.frontier }
    guard size >= row.base.size, size < row.head.next else { return nil }
    var frontier = row.base
    while frontier.size < size {
      let hashes = try store.list(
        "SELECT entry FROM entries WHERE place >= ?1 AND place < ?2 ORDER BY place LIMIT ?3",
        .integer(row.place(frontier.size)), .integer(row.place(size)), .integer(pageEntries)
      ) { Merkle.leafHash($0.bytes(0)) }
      guard !hashes.isEmpty else { throw LedgerError(.corrupt, "log \(row.id) lacks entry \(frontier.size)") }
      for hash in hashes { frontier.append(hash) }
    }
    return frontier
  }

  // MARK: backups and standbys

  /// Notes where every log stands; what is copied from now on holds that much. Answers the mark for `confirmBackup`.
  /// A later mark replaces one that was never confirmed.
  public func beginBackup() throws(LedgerError) -> UInt64 {
    try write { (store) throws(LedgerError) in try Self.mark(in: store) }
  }

  private static func mark(in store: any LedgerConnection) throws(LedgerError) -> UInt64 {
    try store.run("UPDATE ledger SET backup_begun = backup_begun + 1")
    try store.run("DELETE FROM marks")
    try store.run("INSERT INTO marks(log, next) SELECT id, next FROM logs WHERE next > durable")
    return try store.first("SELECT backup_begun FROM ledger") { UInt64($0.integer(0)) } ?? 0
  }

  /// The copy that was begun at `mark` survives the loss of this store: `safe` follows, some logs after others.
  public func confirmBackup(upTo mark: UInt64) throws(LedgerError) {
    var last: Int64 = 0
    while true {
      let next = try write { (store) throws(LedgerError) -> Int64? in
        let begun = try store.first("SELECT backup_begun FROM ledger") { $0.integer(0) } ?? 0
        guard mark > 0, begun == Int64(clamping: mark) else {
          throw LedgerError(.outOfRange, "backup \(mark) is not the one begun last, which is \(begun)")
        }
        let logs = try store.list(
          "SELECT log FROM marks WHERE log > ?1 ORDER BY log LIMIT ?2", .integer(last), .integer(Self.pageLogs)
        ) { $0.integer(0) }
        if let first = logs.first, let last = logs.last {
          try Self.confirm(first, last, in: store)
          return last
        }
        try store.run("DELETE FROM marks")
        try store.run("UPDATE ledger SET backup_confirmed = backup_begun")
        return nil
      }
      guard let next else { return }
      last = next
    }
  }

  private static func confirm(
    _ first: Int64, _ last: Int64, in store: any LedgerConnection
  ) throws(LedgerError) {
    try store.run(
      "SELECT id FROM logs WHERE id >= ?1 AND id <= ?2 ORDER BY id FOR UPDATE", .integer(first), .integer(last))
    try store.run(
      """
      UPDATE logs SET durable = (SELECT m.next FROM marks m WHERE m.log = logs.id)
      WHERE id >= ?1 AND id <= ?2 AND EXISTS (SELECT 1 FROM marks m WHERE m.log = logs.id AND m.next > logs.durable)
      """, .integer(first), .integer(last))
    let newest = try store.list(
      """
      SELECT l.id, l.safe, (SELECT max(c.place) FROM checkpoints c
        WHERE c.place > l.id << \(LedgerSchema.sequenceBits)
          AND c.place <= (l.id << \(LedgerSchema.sequenceBits)) + l.durable)
      FROM logs l WHERE l.id >= ?1 AND l.id <= ?2
      """, .integer(first), .integer(last)
    ) { (id: $0.integer(0), safe: $0.integer(1), place: $0.optionalInteger(2)) }
    for row in newest {
      guard let place = row.place, place & LedgerSchema.sequenceMax > row.safe else { continue }
      try store.run(
        "UPDATE logs SET safe = ?2, receipt = (SELECT c.note FROM checkpoints c WHERE c.place = ?3) WHERE id = ?1",
        .integer(row.id), .integer(place & LedgerSchema.sequenceMax), .integer(place))
    }
  }

  /// Writes a whole copy of a ledger in a file to `path`, which must not be there, and confirms it once it is on the
  /// device. Another machine's disk is what makes it a backup: mount that, or copy and call `confirmBackup` yourself.
  public func backUp(to path: String) throws(LedgerError) {
    let mark = try beginBackup()
    try copyFile(to: path)
    try confirmBackup(upTo: mark)
  }

  /// For a server with asynchronous standbys: notes where every log stands and the server's position, to be asked for
  /// with `confirmReplicas`.
  public func beginReplication() throws(LedgerError) -> ReplicaMark {
    let mark = try beginBackup()
    return ReplicaMark(mark: mark, position: try serverPosition(standbys: 1).written)
  }

  /// Confirms a mark if at least `standbys` of the server have flushed what it covers; false where they have not yet.
  public func confirmReplicas(_ mark: ReplicaMark, standbys: Int = 1) throws(LedgerError) -> Bool {
    precondition((1...16).contains(standbys), "\(standbys) standbys")
    guard let flushed = try serverPosition(standbys: standbys).flushed, try isReached(mark.position, by: flushed)
    else { return false }
    try confirmBackup(upTo: mark.mark)
    return true
  }
}

/// A state of all logs on a server, as its standbys will come to hold it.
public struct ReplicaMark: Equatable, Sendable {
  let mark: UInt64
  /// Of the write-ahead log.
  let position: String
}

/// What a foundation writes down outside its store, to know a store that came from an older backup.
public struct LedgerWitness: Equatable, Sendable {
  public let term: UInt64
  public let foundationSize: UInt64
  public let foundationRoot: Digest
  public let backupConfirmed: UInt64

  public init(term: UInt64, foundationSize: UInt64, foundationRoot: Digest, backupConfirmed: UInt64) {
    (self.term, self.foundationSize, self.foundationRoot) = (term, foundationSize, foundationRoot)
    self.backupConfirmed = backupConfirmed
  }
}

/// How a store differs from what was seen of it before.
public enum LedgerRewind: Equatable, Sendable {
  /// Leaves that were there are gone: sites and witnesses that saw them will freeze.
  case foundationShorter(now: UInt64, seen: UInt64)
  /// The same number of leaves or more, but others.
  case foundationDiffers(at: UInt64)
  /// A confirmed backup is newer than this store: sites may have deleted what it does not hold.
  case backupOlder(now: UInt64, seen: UInt64)
  case termLower(now: UInt64, seen: UInt64)
}

extension Ledger {
  public func witness() throws(LedgerError) -> LedgerWitness {
    try read { (store) throws(LedgerError) in
      let (term, _, confirmed) = try Self.counters(in: store)
      let head = try FoundationTree(store).frontier()
      return LedgerWitness(
        term: term, foundationSize: head.size, foundationRoot: head.root, backupConfirmed: confirmed)
    }
  }

  /// Empty where the store goes on from what was seen. Ask it before the first write after a start.
  public func rewinds(since seen: LedgerWitness) throws(LedgerError) -> [LedgerRewind] {
    try read { (store) throws(LedgerError) in
      var found: [LedgerRewind] = []
      let (term, begun, _) = try Self.counters(in: store)
      let tree = FoundationTree(store)
      let size = try tree.size()
      if size < seen.foundationSize {
        found.append(.foundationShorter(now: size, seen: seen.foundationSize))
      } else if try tree.frontier(at: seen.foundationSize).root != seen.foundationRoot {
        found.append(.foundationDiffers(at: seen.foundationSize))
      }
      // A copy knows that it was begun, not yet that it was confirmed.
      if begun < seen.backupConfirmed { found.append(.backupOlder(now: begun, seen: seen.backupConfirmed)) }
      if term < seen.term { found.append(.termLower(now: term, seen: seen.term)) }
      return found
    }
  }

  private static func counters(
    in store: any LedgerConnection
  ) throws(LedgerError) -> (term: UInt64, begun: UInt64, confirmed: UInt64) {
    let sql = "SELECT term, backup_begun, backup_confirmed FROM ledger"
    return try store.first(sql) { (UInt64($0.integer(0)), UInt64($0.integer(1)), UInt64($0.integer(2))) } ?? (0, 0, 0)
  }
}
