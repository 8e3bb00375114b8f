public import SQLite
public import Seams
public import TwinCore
public import TwinGraph

/// The twin graph with its whole past: one file, `graph.db`, written by the process that holds the site's lock.
///
/// What `apply` has taken survives a loss of power. A batch is taken as a whole, and only if the graph then holds the
/// rules of the ontology at every instant that it touches: at each, not at the present one alone.
/// Threading: one thread at a time; calls block on the disk.
public final class GraphStore {
  /// Reads what is stored, also what the last batch has brought.
  public let reader: GraphReader
  let database: Database
  let writes: WriteStatements
  private var numberLast: Int64
  private var keyLast: Int64
  private(set) public var tickLast: Int64
  /// The latest instant of any batch.
  private(set) public var knownLast: Instant
  /// Keys of ids, as far as they were asked for.
  private var keys: [String: Int64] = [:]
  private static let keysMax = 65_536

  /// Opens the graph in `directory`, which must exist, making `graph.db` if it is not there, and bringing one of an
  /// older version forward. Throws `graph_store.newer_version` or `graph_store.not_a_graph` without touching the file.
  /// `files` are those of `vfs`.
  public init(
    directory: String, files: any FileStore = SystemFileStore(), vfs: FileStoreVFS? = nil
  ) throws(GraphStoreError) {
    let path = directory + "/" + Schema.fileName
    try Schema.refuseForeign(path, files)
    let database = try storing { () throws(SQLiteFault) in try Database(path: path, access: .create, vfs: vfs) }
    self.database = database
    let version = try Schema.version(of: database)
    try storing { () throws(SQLiteFault) in try database.useDurableLog() }
    version == 0 ? try Schema.create(in: database) : try Schema.migrate(database, from: version)
    reader = try GraphReader(database: database)
    writes = try WriteStatements(database)
    let ends = try Query(
      database,
      """
      SELECT coalesce(max(last_number), 0), coalesce(max(tick), 0), coalesce(max(known_ns), \(Int64.min)),
        (SELECT coalesce(max(key), 0) FROM names) FROM batches
      """)
    _ = try ends.step()
    (numberLast, tickLast) = (ends.integer(0), ends.integer(1))
    (knownLast, keyLast) = (Instant(nanoseconds: ends.integer(2)), ends.integer(3))
    ends.reset()
  }

  /// The number of the last change; 0 before the first.
  public var changeLast: Int64 { numberLast }

  /// Takes all changes of a batch, durable on return, or none. Gives their numbers in the feed. Throws the problem's
  /// code with its path (`graph.cycle`, …) for what would contradict the ontology.
  @discardableResult
  public func apply(_ batch: GraphBatch) throws(GraphStoreError) -> ClosedRange<Int64>? {
    guard batch.changes.count <= GraphBatch.changesMax else {
      throw GraphStoreError(.tooBig, "\(batch.changes.count) changes where at most \(GraphBatch.changesMax) may be")
    }
    guard batch.tick >= tickLast else {
      throw GraphStoreError(.outOfOrder, "a batch of tick \(batch.tick) after tick \(tickLast)")
    }
    guard batch.source.utf8.count <= 64, batch.reason.utf8.count <= Ontology.textBytesMax else {
      throw GraphStoreError(
        .tooBig, "a source of more than 64 bytes, or a reason of more than \(Ontology.textBytesMax)")
    }
    guard !batch.changes.isEmpty else { return nil }
    try writes.begin.run()
    do throws(GraphStoreError) {
      var transaction = GraphTransaction(store: self, number: numberLast, key: keyLast)
      for change in batch.changes { try transaction.write(change) }
      try transaction.check()
      let known = max(knownLast, batch.instant)
      try writes.insertBatch(batch, last: transaction.number, known: known)
      try writes.commit.run()
      defer { (numberLast, keyLast) = (transaction.number, transaction.key) }
      (tickLast, knownLast) = (batch.tick, known)
      return numberLast + 1...transaction.number
    } catch {
      // SQLite has already rolled back after some errors (full, I/O).
      if database.isInTransaction { try? writes.rollback.run() }
      keys.removeAll(keepingCapacity: true)
      reader.forgetIDs()
      throw error
    }
  }

  /// Makes the present graph what the pack declares, from `instant` on: the difference is applied, so a second call
  /// changes nothing. Only what came from the pack is taken out again; what others have added stays. Gives the
  /// number of changes.
  @discardableResult
  public func seed(from graph: TwinGraph, tick: Int64, instant: Instant) throws(GraphStoreError) -> Int {
    // A clock that was set back must not let the plant begin in 1970.
    let from = max(instant, knownLast)
    let difference = GraphDifference(from: try reader.snapshot(at: from), to: graph)
    var changes: [GraphChange] = []
    for edge in difference.removedEdges where try isFromPack(.edge(edge), at: from) {
      changes.append(GraphChange(.noEdge(edge), from: from))
    }
    for node in difference.removed where try isFromPack(.node(node.id), at: from) {
      changes.append(GraphChange(.noNode(node.id), from: from))
    }
    changes += (difference.added + difference.changed.map(\.after)).map { GraphChange(.node($0), from: from) }
    changes += difference.addedEdges.map { GraphChange(.edge($0), from: from) }
    try apply(GraphBatch(changes, tick: tick, instant: instant, source: Self.packSource))
    return changes.count
  }

  public static let packSource = "pack"

  /// Keeps how far a consumer of the feed has come; never back. Durable on return.
  public func setMark(of consumer: String, to number: Int64) throws(GraphStoreError) {
    guard number <= numberLast else {
      throw GraphStoreError(.outOfOrder, "a mark at \(number) where the feed ends at \(numberLast)")
    }
    try writes.mark.bind(1, consumer)
    try writes.mark.bind(2, number)
    try writes.mark.run()
  }

  // MARK: for a transaction

  func key(of id: String) throws(GraphStoreError) -> Int64? {
    if let key = keys[id] { return key }
    guard let key = try reader.key(of: id) else { return nil }
    remember(id, key)
    return key
  }

  func remember(_ id: String, _ key: Int64) {
    if keys.count >= Self.keysMax { keys.removeAll(keepingCapacity: true) }
    keys[id] = key
  }

  private func isFromPack(_ subject: GraphSubject, at instant: Instant) throws(GraphStoreError) -> Bool {
    guard let number = try writes.numberHolding(subject, at: instant, of: self) else { return false }
    return try reader.batch(of: number).source == Self.packSource
  }
}
