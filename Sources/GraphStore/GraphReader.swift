import SQLite
import Seams
public import TwinCore
public import TwinGraph

/// The twin graph as it was at any instant, as far as it was known at any other. Read-only; it may run beside the
/// daemon, in another process, and sees what is committed.
///
/// Memory: pages of the file that were read stay, at most `cacheBytes`. Threading: one thread at a time. No call leaves
/// a read open.
public final class GraphReader {
  /// Above, pages are read from the file again.
  public static let cacheBytes = 64 << 20
  /// Nodes that one answer holds at most.
  public static let nodesMax = 1_000_000

  let database: Database
  /// From which change on which version of the ontology wrote, the newest last.
  private var ontologies: [(first: Int64, version: Int)] = []
  /// Ids of keys that were asked for; forgotten when there are too many.
  private var ids: [Int64: String] = [:]
  private static let idsMax = 65_536

  /// What was decoded last: things of one kind that stand together mostly have the same properties.
  private var decoded: (body: [UInt8], type: NodeType, version: Int, properties: Properties)?

  /// Nodes without links of a kind, as far as that was seen.
  var bare = BareNodes()
  private let dataVersion: Query
  private var dataVersionLast: Int64 = -1

  let nodeAt: Query
  let linksAt: Query
  let linkedAt: Query
  let linkAny: Query
  private let keyOf: Query
  private let idOf: Query
  private let batchOf: Query
  private let begin: Query
  private let rollback: Query

  /// Opens `graph.db` in `directory`. Throws `graph_store.cannot_open` where there is none,
  /// `graph_store.newer_version`, `graph_store.not_a_graph`.
  public convenience init(directory: String) throws(GraphStoreError) {
    let path = directory + "/" + Schema.fileName
    try Schema.refuseForeign(path, SystemFileStore())
    let database = try storing { () throws(SQLiteFault) in try Database(path: path, access: .readOnly) }
    guard try Schema.version(of: database) != 0 else { throw GraphStoreError(.notAGraph, "\(path) is empty") }
    try self.init(database: database)
  }

  init(database: Database) throws(GraphStoreError) {
    self.database = database
    try storing { () throws(SQLiteFault) in try database.execute("PRAGMA cache_size = -\(Self.cacheBytes >> 10)") }
    nodeAt = try Query(
      database,
      """
      SELECT place, number, type, id, name, body FROM nodes
      WHERE place BETWEEN ?1 AND ?1 | \(Schema.nodeMask) AND from_ns <= ?4 AND number <= ?3 AND to_ns > ?4
      ORDER BY place LIMIT 1
      """)
    linksAt = try Query(
      database,
      """
      SELECT place, other, is_there FROM links
      WHERE place BETWEEN ?1 AND ?2 AND number <= ?3 AND from_ns <= ?4 AND to_ns > ?4 ORDER BY place
      """)
    // As `linksAt`, and the node at the other end as `nodeAt` gives it: one statement for all that is at a node.
    linkedAt = try Query(
      database,
      """
      SELECT n.place, n.number, n.type, n.id, n.name, n.body, l.place, l.other, l.is_there
      FROM links l LEFT JOIN nodes n ON n.place = (
        SELECT place FROM nodes
        WHERE place BETWEEN l.other << \(Schema.nodeBits) AND l.other << \(Schema.nodeBits) | \(Schema.nodeMask)
          AND from_ns <= ?4 AND number <= ?3 AND to_ns > ?4
        ORDER BY place LIMIT 1)
      WHERE l.place BETWEEN ?1 AND ?2 AND l.number <= ?3 AND l.from_ns <= ?4 AND l.to_ns > ?4 ORDER BY l.place
      """)
    linkAny = try Query(database, "SELECT 1 FROM links WHERE place BETWEEN ?1 AND ?2 LIMIT 1")
    dataVersion = try Query(database, "PRAGMA data_version")
    keyOf = try Query(database, "SELECT key FROM names WHERE id = ?1")
    idOf = try Query(database, "SELECT id FROM names WHERE key = ?1")
    batchOf = try Query(
      database,
      """
      SELECT last_number, tick, instant_ns, source, reason FROM batches
      WHERE last_number >= ?1 ORDER BY last_number LIMIT 1
      """)
    begin = try Query(database, "BEGIN")
    rollback = try Query(database, "ROLLBACK")
    let rows = try Query(database, "SELECT first_number, version FROM ontologies ORDER BY first_number")
    while try rows.step() { ontologies.append((rows.integer(0), Int(rows.integer(1)))) }
  }

  /// The number of the last change; 0 before the first.
  public var changeLast: Int64 {
    get throws(GraphStoreError) {
      let row = try Query(database, "SELECT coalesce(max(last_number), 0) FROM batches")
      defer { row.reset() }
      return try row.step() ? row.integer(0) : 0
    }
  }

  /// The node as it was at `instant`; nil where there was none.
  public func node(_ id: String, at instant: Instant, known: GraphKnown = .now) throws(GraphStoreError) -> GraphNode? {
    try reading { () throws(GraphStoreError) in
      guard let key = try self.key(of: id) else { return nil }
      try aim(at: instant, known)
      return try node(key)
    }
  }

  // MARK: inside of one read

  /// Runs `body` against one unchanging image of the file.
  func reading<Result>(_ body: () throws(GraphStoreError) -> Result) throws(GraphStoreError) -> Result {
    guard !database.isInTransaction else { return try body() }
    try begin.run()
    // A read leaves nothing that a failing rollback could lose.
    defer { try? rollback.run() }
    // Another connection has written: what was learned may hold no more. It also fixes the image that is read.
    if try dataVersion.step(), dataVersion.integer(0) != dataVersionLast {
      dataVersionLast = dataVersion.integer(0)
      bare.removeAll()
    }
    dataVersion.reset()
    return try body()
  }

  /// Sets the instant and what was known for `node` and `neighbours`.
  func aim(at instant: Instant, _ known: GraphKnown) throws(GraphStoreError) {
    let number = try self.number(known)
    for statement in [nodeAt, linksAt, linkedAt] {
      try statement.bind(3, number)
      try statement.bind(4, instant.nanoseconds)
    }
  }

  /// The last change that counts.
  func number(_ known: GraphKnown) throws(GraphStoreError) -> Int64 {
    let (column, value): (String, Int64)
    switch known {
    case .now: return .max
    case .change(let number): return number
    case .tick(let tick): (column, value) = ("tick", tick)
    case .instant(let instant): (column, value) = ("known_ns", instant.nanoseconds)
    }
    let statement = try Query(
      database,
      "SELECT last_number FROM batches WHERE \(column) <= ?1 ORDER BY \(column) DESC, last_number DESC LIMIT 1")
    try statement.bind(1, value)
    defer { statement.reset() }
    return try statement.step() ? statement.integer(0) : 0
  }

  func key(of id: String) throws(GraphStoreError) -> Int64? {
    try keyOf.bind(1, id)
    defer { keyOf.reset() }
    return try keyOf.step() ? keyOf.integer(0) : nil
  }

  func id(of key: Int64) throws(GraphStoreError) -> String {
    if let id = ids[key] { return id }
    try idOf.bind(1, key)
    defer { idOf.reset() }
    let id = try idOf.step() ? idOf.text(0) : ""
    if ids.count >= Self.idsMax { ids.removeAll(keepingCapacity: true) }
    ids[key] = id
    return id
  }

  /// Keys of a batch that was rolled back mean nothing.
  func forgetIDs() { ids.removeAll(keepingCapacity: true) }

  /// As `aim` has set it.
  func node(_ key: Int64) throws(GraphStoreError) -> GraphNode? {
    try nodeAt.bind(1, key << Schema.nodeBits)
    defer { nodeAt.reset() }
    return try nodeAt.step() ? try read(nodeAt) : nil
  }

  /// The node of a row `place, number, type, id, name, body`; nil for one that says that there is none, or has none.
  func read(_ row: Query) throws(GraphStoreError) -> GraphNode? {
    let code = row.integer(2)
    guard code != 0 else { return nil }
    let id = row.text(3)
    guard let type = NodeType(code: Int(code)) else {
      throw GraphStoreError(.corrupt, "\(database.path): \(id) is of type \(code), which no ontology has")
    }
    let properties = try properties(row.bytes(5), of: type, number: row.integer(1))
    return GraphNode(id: id, type: type, name: row.text(4), properties: properties)
  }

  /// What the change of a number has stored, as the ontology has it now.
  func properties(_ body: [UInt8], of type: NodeType, number: Int64) throws(GraphStoreError) -> Properties {
    let version = ontology(of: number)
    if let decoded, decoded.type == type, decoded.version == version, decoded.body == body {
      return decoded.properties
    }
    do throws(CanonicalFault) {
      let properties = try Ontology.decoded(body, of: type, version: version)
      decoded = (body, type, version, properties)
      return properties
    } catch {
      throw GraphStoreError(.corrupt, "\(database.path): properties of change \(number): \(error.message)")
    }
  }

  private func ontology(of number: Int64) -> Int {
    if let newest = ontologies.last, newest.first <= number { return newest.version }
    return ontologies.last { $0.first <= number }?.version ?? Ontology.version
  }

  /// Which batch a change was part of.
  struct Batch {
    var last: Int64
    var tick: Int64
    var instant: Instant
    var source: String
    var reason: String
  }

  func batch(of number: Int64) throws(GraphStoreError) -> Batch {
    try batchOf.bind(1, number)
    defer { batchOf.reset() }
    guard try batchOf.step() else {
      throw GraphStoreError(.corrupt, "\(database.path): change \(number) is of no batch")
    }
    return Batch(
      last: batchOf.integer(0), tick: batchOf.integer(1), instant: Instant(nanoseconds: batchOf.integer(2)),
      source: batchOf.text(3), reason: batchOf.text(4))
  }
}
