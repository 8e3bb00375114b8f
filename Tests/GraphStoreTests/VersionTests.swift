import GraphStore
import SQLite
import Testing
import TwinCore
import TwinGraph

@Suite struct `Directories of other versions` {
  /// What twind wrote under version 1 of the ontology, in its own SQL: every property was a text.
  private static func makeOld(_ place: Place) throws {
    let database = try Database(path: place.path + "/graph.db", access: .create)
    try database.execute(
      """
      CREATE TABLE names(key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
      CREATE TABLE nodes(
        place INTEGER PRIMARY KEY, number INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,
        type INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL) STRICT;
      CREATE TABLE links(
        place INTEGER PRIMARY KEY, number INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,
        other INTEGER NOT NULL, is_there INTEGER NOT NULL) STRICT;
      CREATE TABLE changes(number INTEGER PRIMARY KEY, place INTEGER NOT NULL) STRICT;
      CREATE TABLE batches(
        last_number INTEGER PRIMARY KEY, tick INTEGER NOT NULL, instant_ns INTEGER NOT NULL, known_ns INTEGER NOT NULL,
        source TEXT NOT NULL, reason TEXT NOT NULL) STRICT;
      CREATE INDEX batches_tick ON batches(tick);
      CREATE INDEX batches_known ON batches(known_ns);
      CREATE TABLE ontologies(first_number INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT;
      CREATE TABLE marks(consumer TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
      INSERT INTO ontologies VALUES(1, 1);
      INSERT INTO names VALUES(1, 'grid'), (2, 'site');
      -- with "utility", ends "2027-12-31"; the second contract's end cannot be read
      INSERT INTO nodes VALUES((1 << 20) + 1048575, 1, 0, 9223372036854775807, 7, 'grid', 'Grid',
        x'8401677574696c697479026a323032372d31322d3331');
      INSERT INTO nodes VALUES((1 << 20) + 1048574, 4, 5000000000, 9223372036854775807, 7, 'grid', 'Grid',
        x'82026673706174656e');
      INSERT INTO nodes VALUES((2 << 20) + 1048575, 2, 0, 9223372036854775807, 1, 'site', '', x'');
      INSERT INTO links VALUES((2 << 31) + (12 << 25) + 33554431, 3, 0, 9223372036854775807, 1, 1);
      INSERT INTO links VALUES((1 << 31) + (13 << 25) + 33554431, 3, 0, 9223372036854775807, 2, 1);
      INSERT INTO changes VALUES(1, (1 << 20) + 1048575), (2, (2 << 20) + 1048575);
      INSERT INTO changes VALUES(3, -1 - ((2 << 31) + (12 << 25) + 33554431)), (4, (1 << 20) + 1048574);
      INSERT INTO batches VALUES(3, 1, 1000000000, 1000000000, 'pack', ''), (4, 2, 2000000000, 2000000000, 'pack', '');
      PRAGMA application_id = \(0x7477_6E67);
      PRAGMA user_version = 1001;
      """)
  }

  @Test func `an old one is read as the ontology now says, and what it holds stays as it was`() throws {
    let place = Place()
    try Self.makeOld(place)
    let store = try place.open()
    let ends = Instant(rfc3339: "2027-12-31T00:00:00Z")!
    let wanted = GraphNode(
      id: "grid", type: .contract, name: "Grid", properties: ["with": .text("utility"), "ends": .instant(ends)])
    #expect(try store.reader.node("grid", at: at(1)) == wanted)
    #expect(try store.reader.node("grid", at: at(6), known: .tick(1)) == wanted)
    #expect(try store.reader.node("grid", at: at(6))?.properties.isEmpty == true, "no end that can be read")
    #expect(try store.reader.snapshot(at: at(1)).edges == [GraphEdge("site", .suppliedBy, "grid")])
    // What comes next is written by the new version, and both are read after a start.
    let soon = GraphNode(id: "grid", type: .contract, properties: ["ends": .instant(at(99))])
    try store.apply([GraphChange(.node(soon), from: at(7))], tick: 3)
    let again = try place.open()
    #expect(try again.reader.node("grid", at: at(8)) == soon)
    #expect(try again.reader.node("grid", at: at(1)) == wanted)
    let feed = try again.reader.changes(after: 0, limit: 10)
    #expect(
      feed.count == 5 && feed.first?.change.statement == .node(wanted) && feed.last?.change.statement == .node(soon))
    #expect(feed[2].change.statement == .edge(GraphEdge("site", .suppliedBy, "grid")))
    let database = try Database(path: place.path + "/graph.db", access: .readOnly)
    #expect(try database.userVersion == 1000 + Int64(Ontology.version))
    #expect(try database.text("SELECT hex(body) FROM nodes WHERE number = 1")?.hasPrefix("8401677574") == true)
  }

  @Test(arguments: [
    ("PRAGMA user_version = 2001", "graph_store.newer_version"),
    ("PRAGMA user_version = \(1001 + Ontology.version)", "graph_store.newer_version"),
    ("PRAGMA application_id = 7", "graph_store.not_a_graph"), ("PRAGMA user_version = 1", "graph_store.not_a_graph"),
  ]) func `a newer or foreign one is refused untouched`(change: String, code: String) throws {
    let place = Place()
    try place.open().apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 1)
    let database = try Database(path: place.path + "/graph.db", access: .readWrite)
    try database.execute(change + "; PRAGMA wal_checkpoint(TRUNCATE)")
    let copy = Place()
    copy.write(place.bytes())
    let error = #expect(throws: GraphStoreError.self) { try copy.open() }
    #expect(error?.code == code)
    #expect(throws: GraphStoreError.self) { try GraphReader(directory: copy.path) }
    #expect(copy.bytes() == place.bytes() && copy.bytes("graph.db-wal").isEmpty)
  }

  @Test func `what is no database is refused untouched`() throws {
    let place = Place()
    place.write([UInt8](repeating: 65, count: 4096))
    let error = #expect(throws: GraphStoreError.self) { try place.open() }
    #expect(error?.code == "graph_store.not_a_graph")
    #expect(place.bytes() == [UInt8](repeating: 65, count: 4096))
  }

  @Test func `damaged properties are told, not read`() throws {
    let place = Place()
    try place.open().apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 1)
    let database = try Database(path: place.path + "/graph.db", access: .readWrite)
    try database.execute("UPDATE nodes SET body = x'8201ff'")
    let error = #expect(throws: GraphStoreError.self) { try place.open().reader.node("site", at: at(1)) }
    #expect(error?.code == "graph_store.corrupt")
  }
}

@Suite struct `The pack's graph` {
  private func graph(_ power: Double, _ edges: [GraphEdge]) throws -> TwinGraph {
    let power = PropertyValue.number(Quantity(power, UnitCode(ucum: "kW")!))
    return try TwinGraph(
      nodes: [
        GraphNode(id: "site", type: .site),
        GraphNode(id: "chiller-1", type: .asset, properties: ["rated_power": power]),
        GraphNode(id: "hall-a", type: .asset),
      ], edges: edges)
  }

  @Test func `is applied as a difference, once`() throws {
    let place = Place()
    let store = try place.open()
    let feeds = GraphEdge("chiller-1", .feeds, "hall-a")
    #expect(try store.seed(from: graph(100, [feeds]), tick: 1, instant: at(10)) == 4)
    #expect(try store.seed(from: graph(100, [feeds]), tick: 2, instant: at(20)) == 0)
    #expect(try place.open().seed(from: graph(100, [feeds]), tick: 3, instant: at(30)) == 0)
    #expect(try store.seed(from: graph(120, []), tick: 4, instant: at(40)) == 2)
    #expect(try store.reader.snapshot(at: at(45)) == graph(120, []))
    #expect(try store.reader.snapshot(at: at(35)) == graph(100, [feeds]))
    // A clock at 1970 must not move what was.
    #expect(try store.seed(from: graph(120, []), tick: 5, instant: at(0)) == 0)
    #expect(try store.seed(from: graph(130, []), tick: 6, instant: at(0)) == 1)
    #expect(try store.reader.snapshot(at: at(35)) == graph(100, [feeds]))
  }

  @Test func `leaves alone what others have added`() throws {
    let place = Place()
    let store = try place.open()
    try store.seed(from: graph(100, []), tick: 1, instant: at(10))
    try store.apply(
      [
        GraphChange(.node(GraphNode(id: "anna", type: .person)), from: at(11)),
        GraphChange(.edge(GraphEdge("anna", .owns, "hall-a")), from: at(11)),
      ], tick: 2, at: 11)
    #expect(try store.seed(from: graph(100, []), tick: 3, instant: at(20)) == 0)
    #expect(try store.reader.node("anna", at: at(21)) != nil)
  }
}
