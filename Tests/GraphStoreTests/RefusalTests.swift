import GraphStore
import Testing
import TwinCore
import TwinGraph

@Suite struct `A batch against the rules` {
  private static func asset(_ id: String, _ properties: Properties = [:]) -> GraphChange.Statement {
    .node(GraphNode(id: id, type: .asset, properties: properties))
  }

  private static let ground: [GraphChange] = [
    always(.node(GraphNode(id: "site", type: .site))), always(asset("a", ["meter": .choice("heat")])),
    always(asset("b")),
    always(asset("c", ["meter": .choice("heat")])), always(asset("d", ["meter": .choice("heat")])),
    always(.node(GraphNode(id: "anna", type: .person))),
    always(.node(GraphNode(id: "run", type: .simulationRun, properties: ["of": .reference("b")]))),
    always(.edge(GraphEdge("a", .feeds, "b"))), always(.edge(GraphEdge("b", .feeds, "c"))),
    always(.edge(GraphEdge("a", .partOf, "site"))), always(.edge(GraphEdge("anna", .owns, "a"))),
    always(.edge(GraphEdge("a", .feeds, "d"))),
  ]

  @Test(arguments: [
    ([always(.edge(GraphEdge("c", .feeds, "a")))], "graph.cycle", ["c", "a", "b", "c"]),
    ([always(.edge(GraphEdge("b", .feeds, "b")))], "graph.cycle", ["b", "b"]),
    (
      [GraphChange(.edge(GraphEdge("c", .feeds, "a")), effective: at(3)..<at(4))], "graph.cycle", ["c", "a", "b", "c"]
    ),
    ([always(.edge(GraphEdge("a", .partOf, "b")))], "graph.two_parents", ["site", "a", "b"]),
    ([always(.edge(GraphEdge("c", .feeds, "d")))], "graph.two_parents", ["a", "d", "c"]),
    ([always(.edge(GraphEdge("a", .feeds, "nobody")))], "graph.dangling_edge", ["a", "nobody"]),
    ([always(.noNode("anna"))], "graph.dangling_edge", ["anna", "a"]),
    ([GraphChange(.noNode("site"), effective: at(5)..<at(6))], "graph.dangling_edge", ["a", "site"]),
    ([always(.noNode("b")), always(.noEdge(GraphEdge("a", .feeds, "b")))], "graph.dangling_edge", ["b", "c"]),
    (
      [
        always(.noNode("b")), always(.noEdge(GraphEdge("a", .feeds, "b"))),
        always(.noEdge(GraphEdge("b", .feeds, "c"))),
      ], "graph.dangling_reference", ["run", "b"]
    ),
    ([always(.edge(GraphEdge("anna", .feeds, "a")))], "graph.wrong_type", ["anna", "a"]),
    ([always(.node(GraphNode(id: "a", type: .regulation)))], "graph.wrong_type", ["a", "d"]),
    ([always(.node(GraphNode(id: "x", type: .simulationRun)))], "graph.missing_property", ["x"]),
    ([always(asset("x", ["colour": .text("red")]))], "graph.unknown_property", ["x"]),
    ([always(asset("x", ["critical": .text("yes")]))], "graph.wrong_property", ["x"]),
    ([always(asset("x", ["rated_power": .number(Quantity(3, UnitCode(ucum: "m3")!))]))], "graph.wrong_unit", ["x"]),
    ([always(asset("Not an id"))], "graph.bad_name", ["Not an id"]),
    (
      [always(asset("b", ["meter": .choice("heat")])), always(.edge(GraphEdge("d", .feeds, "c")))],
      "graph.two_parents", ["b", "c", "d"]
    ),
  ]) func `is refused whole, with the path that shows why`(
    changes: [GraphChange], code: String, path: [String]
  ) throws {
    let place = Place()
    let store = try place.open()
    try store.apply(Self.ground, tick: 1)
    let before = try store.reader.snapshot(at: at(1))
    let good = always(Self.asset("new"))
    let error = try #require(throws: GraphStoreError.self) {
      try store.apply([good] + changes + [always(.edge(GraphEdge("new", .electricallyConnectedTo, "d")))], tick: 2)
    }
    #expect(error.code == code && error.problem?.path == path, "\(error) \(error.problem?.path ?? [])")
    #expect(try store.reader.snapshot(at: at(1)) == before)
    #expect(store.changeLast == Int64(Self.ground.count))
    #expect(try store.reader.changes(after: Int64(Self.ground.count), limit: 10).isEmpty)
    #expect(try store.reader.node("new", at: at(1)) == nil)
    // What was refused leaves nothing in the way of what is right, here and after a start.
    try store.apply([good], tick: 2)
    #expect(try place.open().changeLast == Int64(Self.ground.count) + 1)
  }

  @Test func `may be in any order, as long as its end is right`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply(Self.ground.reversed(), tick: 1)
    #expect(try store.reader.snapshot(at: at(1)).edges.count == 5)
  }

  @Test func `may have edges that are never there at one time`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply(
      [
        always(Self.asset("a")), always(Self.asset("b")), always(.node(GraphNode(id: "s", type: .site))),
        GraphChange(.edge(GraphEdge("a", .feeds, "b")), effective: at(0)..<at(5)),
        GraphChange(.edge(GraphEdge("b", .feeds, "a")), effective: at(5)..<at(9)),
        GraphChange(.edge(GraphEdge("a", .partOf, "s")), effective: at(0)..<at(5)),
        GraphChange(.edge(GraphEdge("a", .partOf, "b")), effective: at(5)..<at(9)),
      ], tick: 1)
    #expect(throws: GraphStoreError.self) {
      try store.apply([GraphChange(.edge(GraphEdge("b", .feeds, "a")), effective: at(4)..<at(5))], tick: 2)
    }
  }

  @Test func `numbers are kept in the ontology's unit`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(Self.asset("a", ["rated_power": .number(Quantity(2500, UnitCode(ucum: "W")!))]))], tick: 1)
    let node = try #require(try store.reader.node("a", at: at(1)))
    #expect(AssetNode(node)?.ratedPower == Quantity(2.5, UnitCode(ucum: "kW")!))
  }

  @Test func `a tick that falls, no time, or what never was, is refused`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(Self.asset("a"))], tick: 5)
    for (changes, tick, code) in [
      ([always(Self.asset("b"))], Int64(4), "graph_store.out_of_order"),
      ([GraphChange(Self.asset("b"), effective: at(4)..<at(4))], 6, "graph_store.out_of_order"),
      ([always(.noNode("b"))], 6, "graph_store.not_found"),
      ([always(.noEdge(GraphEdge("a", .feeds, "b")))], 6, "graph_store.not_found"),
    ] {
      let error = #expect(throws: GraphStoreError.self) { try store.apply(changes, tick: tick) }
      #expect(error?.code == code)
    }
    #expect(store.changeLast == 1)
    #expect(try store.apply([], tick: 6) == nil)
  }
}
