import SQLite
import TwinCore
import TwinGraph

/// What a batch reads and writes, prepared once.
struct WriteStatements {
  let begin: Query
  let commit: Query
  let rollback: Query
  let mark: Query
  private let name: Query
  private let node: Query
  private let link: Query
  private let change: Query
  private let batch: Query
  /// The rows of a group, the newest first.
  let nodes: Query
  let links: Query
  private let linkNewest: Query

  init(_ database: Database) throws(GraphStoreError) {
    begin = try Query(database, "BEGIN IMMEDIATE")
    commit = try Query(database, "COMMIT")
    rollback = try Query(database, "ROLLBACK")
    mark = try Query(
      database,
      """
      INSERT INTO marks(consumer, number) VALUES(?1, ?2)
      ON CONFLICT(consumer) DO UPDATE SET number = max(number, excluded.number)
      """)
    name = try Query(database, "INSERT INTO names(key, id) VALUES(?1, ?2)")
    node = try Query(
      database,
      "INSERT INTO nodes(place, number, from_ns, to_ns, type, id, name, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
    link = try Query(
      database,
      "INSERT INTO links(place, number, from_ns, to_ns, other, is_there) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")
    change = try Query(database, "INSERT INTO changes(number, place) VALUES(?1, ?2)")
    batch = try Query(
      database,
      """
      INSERT INTO batches(last_number, tick, instant_ns, known_ns, source, reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
      """)
    nodes = try Query(
      database,
      "SELECT place, number, type, id, name, body, from_ns, to_ns FROM nodes WHERE place BETWEEN ?1 AND ?2 ORDER BY place"
    )
    links = try Query(
      database,
      """
      SELECT place, other, is_there, from_ns, to_ns, number FROM links
      WHERE place BETWEEN ?1 AND ?2 AND from_ns < ?4 AND to_ns > ?3 ORDER BY place
      """)
    linkNewest = try Query(database, "SELECT place FROM links WHERE place BETWEEN ?1 AND ?2 ORDER BY place LIMIT 1")
  }

  func insertName(_ id: String, key: Int64) throws(GraphStoreError) {
    try name.bind(1, key)
    try name.bind(2, id)
    try name.run()
  }

  /// `value` nil: there is no such node.
  func insertNode(
    _ value: GraphNode?, id: String, place: Int64, number: Int64, _ range: Range<Int64>
  ) throws(GraphStoreError) {
    try node.bind(1, place)
    try node.bind(2, number)
    try node.bind(3, range.lowerBound)
    try node.bind(4, range.upperBound)
    try node.bind(5, Int64(value?.type.code ?? 0))
    try node.bind(6, id)
    try node.bind(7, value?.name ?? "")
    try node.bind(8, value.map(Ontology.encoded) ?? [])
    try node.run()
    try insertChange(number, place)
  }

  /// Gives the place of the row.
  func insertLink(
    _ key: Int64, _ kind: Int, other: Int64, isThere: Bool, number: Int64, _ range: Range<Int64>
  ) throws(GraphStoreError) -> Int64 {
    let group = (key << 6 | Int64(kind)) << Schema.linkBits
    try linkNewest.bind(1, group)
    try linkNewest.bind(2, group | Schema.linkMask)
    let place = try linkNewest.step() ? linkNewest.integer(0) - 1 : group | Schema.linkMask
    linkNewest.reset()
    guard place >= group else { throw GraphStoreError(.tooBig, "more edges at one node than may ever be said") }
    try link.bind(1, place)
    try link.bind(2, number)
    try link.bind(3, range.lowerBound)
    try link.bind(4, range.upperBound)
    try link.bind(5, other)
    try link.bind(6, isThere ? 1 : 0)
    try link.run()
    return place
  }

  func insertChange(_ number: Int64, _ place: Int64) throws(GraphStoreError) {
    try change.bind(1, number)
    try change.bind(2, place)
    try change.run()
  }

  func insertBatch(_ value: GraphBatch, last: Int64, known: Instant) throws(GraphStoreError) {
    try batch.bind(1, last)
    try batch.bind(2, value.tick)
    try batch.bind(3, value.instant.nanoseconds)
    try batch.bind(4, known.nanoseconds)
    try batch.bind(5, value.source)
    try batch.bind(6, value.reason)
    try batch.run()
  }

  /// The number of the change that holds for a subject at an instant, as known now.
  func numberHolding(
    _ subject: GraphSubject, at instant: Instant, of store: GraphStore
  ) throws(GraphStoreError) -> Int64? {
    let at = instant.nanoseconds
    switch subject {
    case .node(let id):
      guard let key = try store.key(of: id) else { return nil }
      try nodes.bind(1, key << Schema.nodeBits)
      try nodes.bind(2, key << Schema.nodeBits | Schema.nodeMask)
      defer { nodes.reset() }
      while try nodes.step() {
        if nodes.integer(6) <= at, at < nodes.integer(7) { return nodes.integer(1) }
      }
      return nil
    case .edge(let edge):
      guard let from = try store.key(of: edge.from), let to = try store.key(of: edge.to) else { return nil }
      let group = (from << 6 | Int64(LinkKinds.kind(edge.type, isEnd: false))) << Schema.linkBits
      try links.bind(1, group)
      try links.bind(2, group | Schema.linkMask)
      try links.bind(3, at)
      try links.bind(4, at.saturatingAdd(1))
      defer { links.reset() }
      while try links.step() {
        if links.integer(1) == to { return links.integer(5) }
      }
      return nil
    }
  }
}
