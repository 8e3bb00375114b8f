import SQLite
public import TwinCore
public import TwinGraph

extension GraphReader {
  /// The whole graph at an instant. Throws `graph_store.too_big` above `nodesMax` nodes.
  public func snapshot(at instant: Instant, known: GraphKnown = .now) throws(GraphStoreError) -> TwinGraph {
    let read = try reading { () throws(GraphStoreError) in try contents(at: instant, known) }
    guard let read else { throw GraphStoreError(.tooBig, "the graph has more than \(Self.nodesMax) nodes") }
    return TwinGraph(checked: read.nodes, edges: read.edges)
  }

  private func contents(
    at instant: Instant, _ known: GraphKnown
  ) throws(GraphStoreError) -> (nodes: [GraphNode], edges: [GraphEdge])? {
    let number = try self.number(known)
    var nodes: [GraphNode] = []
    var names: [Int64: String] = [:]
    let rows = try whole("place, number, type, id, name, body", "nodes", number, instant)
    var last: Int64 = -1
    while try rows.step() {
      let key = rows.integer(0) >> Schema.nodeBits
      guard key != last else { continue }
      last = key
      guard let node = try read(rows) else { continue }
      guard nodes.count < Self.nodesMax else {
        rows.reset()
        return nil
      }
      nodes.append(node)
      names[key] = node.id
    }
    var edges: [GraphEdge] = []
    let links = try whole("place, other, is_there", "links", number, instant)
    var group: Int64 = -1
    var told: Set<Int64> = []
    while try links.step() {
      let own = links.integer(0) >> Schema.linkBits
      guard own & 1 == 0, let type = EdgeType(code: Int(own >> 1 & 31)) else { continue }
      if own != group {
        group = own
        told.removeAll(keepingCapacity: true)
      }
      guard told.insert(links.integer(1)).inserted, links.integer(2) != 0 else { continue }
      guard let from = names[own >> 6], let to = names[links.integer(1)] else { continue }
      edges.append(GraphEdge(from, type, to))
    }
    return (nodes, edges)
  }

  private func whole(
    _ columns: String, _ table: String, _ number: Int64, _ instant: Instant
  ) throws(GraphStoreError) -> Query {
    let statement = try Query(
      database,
      "SELECT \(columns) FROM \(table) WHERE number <= ?1 AND from_ns <= ?2 AND to_ns > ?2 ORDER BY place")
    try statement.bind(1, number)
    try statement.bind(2, instant.nanoseconds)
    return statement
  }

  /// What made one graph of another: two instants, two states of knowledge, or both.
  public func difference(
    from old: (at: Instant, known: GraphKnown), to new: (at: Instant, known: GraphKnown)
  ) throws(GraphStoreError) -> GraphDifference {
    try reading { () throws(GraphStoreError) in
      GraphDifference(
        from: try snapshot(at: old.at, known: old.known), to: try snapshot(at: new.at, known: new.known))
    }
  }

  /// Everything that was ever said of a node and of the edges that begin or end at it, with both intervals, in the
  /// order in which it was learned; the newest `limit` statements.
  public func history(of id: String, limit: Int = 10_000) throws(GraphStoreError) -> [GraphVersion] {
    try reading { () throws(GraphStoreError) in
      guard let key = try key(of: id) else { return [] }
      var pieces = Self.pieces(try nodeRows(key, limit))
      for rows in try linkRows(key, limit) { pieces += Self.pieces(rows) }
      pieces.sort { ($0.number, $0.effective.lowerBound) < ($1.number, $1.effective.lowerBound) }
      var versions: [GraphVersion] = []
      for piece in pieces.suffix(limit) { versions.append(try version(piece)) }
      return versions
    }
  }

  private struct Row {
    var number: Int64
    var effective: Range<Int64>
    var statement: GraphChange.Statement
  }

  private struct Piece {
    var number: Int64
    var effective: Range<Int64>
    var statement: GraphChange.Statement
    var end: Int64?
  }

  /// Rows of one subject, oldest first, cut where a later one says otherwise.
  private static func pieces(_ rows: [Row]) -> [Piece] {
    var open: [Piece] = []
    var closed: [Piece] = []
    for row in rows {
      var left: [Piece] = []
      for piece in open {
        let common = piece.effective.clamped(to: row.effective)
        guard !common.isEmpty else {
          left.append(piece)
          continue
        }
        var part = piece
        part.effective = common
        part.end = row.number
        closed.append(part)
        for rest in [
          piece.effective.lowerBound..<common.lowerBound, common.upperBound..<piece.effective.upperBound,
        ] where !rest.isEmpty {
          part = piece
          part.effective = rest
          left.append(part)
        }
      }
      open = left + [Piece(number: row.number, effective: row.effective, statement: row.statement, end: nil)]
    }
    return closed + open
  }

  private func version(_ piece: Piece) throws(GraphStoreError) -> GraphVersion {
    let batch = try batch(of: piece.number)
    var superseded: GraphVersion.Superseded?
    if let end = piece.end {
      let by = try self.batch(of: end)
      superseded = GraphVersion.Superseded(number: end, tick: by.tick, instant: by.instant)
    }
    return GraphVersion(
      change: GraphChange(piece.statement, effective: piece.effective.instants), number: piece.number, tick: batch.tick,
      instant: batch.instant, source: batch.source, reason: batch.reason, superseded: superseded)
  }

  private func nodeRows(_ key: Int64, _ limit: Int) throws(GraphStoreError) -> [Row] {
    let rows = try Query(
      database,
      """
      SELECT place, number, type, id, name, body, from_ns, to_ns FROM nodes
      WHERE place BETWEEN ?1 AND ?2 ORDER BY place LIMIT ?3
      """)
    try rows.bind(1, key << Schema.nodeBits)
    try rows.bind(2, key << Schema.nodeBits | Schema.nodeMask)
    try rows.bind(3, Int64(limit))
    var found: [Row] = []
    while try rows.step() {
      let statement = try read(rows).map { GraphChange.Statement.node($0) } ?? .noNode(rows.text(3))
      found.append(
        Row(number: rows.integer(1), effective: rows.integer(6)..<rows.integer(7), statement: statement))
    }
    return found.reversed()
  }

  /// Rows of each edge at a node, oldest first.
  private func linkRows(_ key: Int64, _ limit: Int) throws(GraphStoreError) -> [[Row]] {
    let rows = try Query(
      database,
      """
      SELECT place, number, from_ns, to_ns, other, is_there FROM links
      WHERE place BETWEEN ?1 AND ?2 ORDER BY number DESC LIMIT ?3
      """)
    try rows.bind(1, key << Schema.keyBits)
    try rows.bind(2, key << Schema.keyBits | ((1 << Schema.keyBits) - 1))
    try rows.bind(3, Int64(limit))
    var found: [GraphEdge: [Row]] = [:]
    let own = try id(of: key)
    while try rows.step() {
      let kind = rows.integer(0) >> Schema.linkBits & 63
      guard let type = EdgeType(code: Int(kind >> 1)) else { continue }
      let other = try id(of: rows.integer(4))
      // An edge from a node to itself has both of its rows here.
      guard kind & 1 == 0 || other != own else { continue }
      let edge = kind & 1 == 0 ? GraphEdge(own, type, other) : GraphEdge(other, type, own)
      found[edge, default: []].append(
        Row(
          number: rows.integer(1), effective: rows.integer(2)..<rows.integer(3),
          statement: rows.integer(5) != 0 ? .edge(edge) : .noEdge(edge)))
    }
    return found.keys.sorted(by: GraphEdge.precedes).compactMap { found[$0]?.reversed() }
  }

  /// What was applied after a change, in order: at most `limit`. The feed of consumers that keep the last number they
  /// have dealt with.
  public func changes(after number: Int64, limit: Int) throws(GraphStoreError) -> [AppliedChange] {
    try reading { () throws(GraphStoreError) in
      try feed(after: number, limit: limit)
    }
  }

  private func feed(after number: Int64, limit: Int) throws(GraphStoreError) -> [AppliedChange] {
    let rows = try Query(database, "SELECT number, place FROM changes WHERE number > ?1 ORDER BY number LIMIT ?2")
    let nodes = try Query(
      database, "SELECT place, number, type, id, name, body, from_ns, to_ns FROM nodes WHERE place = ?1")
    let links = try Query(database, "SELECT place, number, from_ns, to_ns, other, is_there FROM links WHERE place = ?1")
    try rows.bind(1, number)
    try rows.bind(2, Int64(max(0, limit)))
    var found: [AppliedChange] = []
    var batch: Batch?
    while try rows.step() {
      let (number, place) = (rows.integer(0), rows.integer(1))
      if batch == nil || batch!.last < number { batch = try self.batch(of: number) }
      guard let batch else { break }
      let change = try place >= 0 ? nodeChange(nodes, place) : linkChange(links, -1 - place)
      found.append(
        AppliedChange(
          number: number, tick: batch.tick, instant: batch.instant, source: batch.source, reason: batch.reason,
          change: change))
    }
    return found
  }

  private func nodeChange(_ rows: Query, _ place: Int64) throws(GraphStoreError) -> GraphChange {
    try rows.bind(1, place)
    defer { rows.reset() }
    guard try rows.step() else { throw GraphStoreError(.corrupt, "\(database.path): no row at \(place)") }
    let statement = try read(rows).map { GraphChange.Statement.node($0) } ?? .noNode(rows.text(3))
    return GraphChange(statement, effective: (rows.integer(6)..<rows.integer(7)).instants)
  }

  private func linkChange(_ rows: Query, _ place: Int64) throws(GraphStoreError) -> GraphChange {
    try rows.bind(1, place)
    defer { rows.reset() }
    guard try rows.step(), let type = EdgeType(code: Int(place >> (Schema.linkBits + 1) & 31)) else {
      throw GraphStoreError(.corrupt, "\(database.path): no edge at \(place)")
    }
    let edge = GraphEdge(try id(of: place >> Schema.keyBits), type, try id(of: rows.integer(4)))
    return GraphChange(
      rows.integer(5) != 0 ? .edge(edge) : .noEdge(edge), effective: (rows.integer(2)..<rows.integer(3)).instants)
  }

  /// The number up to which a consumer has dealt with the feed; 0 for one that is not known.
  public func mark(of consumer: String) throws(GraphStoreError) -> Int64 {
    let row = try Query(database, "SELECT number FROM marks WHERE consumer = ?1")
    try row.bind(1, consumer)
    defer { row.reset() }
    return try row.step() ? row.integer(0) : 0
  }
}

extension Range<Int64> {
  var instants: Range<Instant> { Instant(nanoseconds: lowerBound)..<Instant(nanoseconds: upperBound) }
}
