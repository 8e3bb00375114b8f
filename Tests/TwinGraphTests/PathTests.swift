import Testing
import TwinCore
import TwinGraph

@Suite struct `Ways through a graph` {
  /// Every way that meets no node twice, by trying everything.
  private func all(
    _ graph: TwinGraph, _ way: [String], to end: String, _ types: Set<EdgeType>, _ direction: TwinGraph.Direction,
    lengthMax: Int
  ) -> [[String]] {
    if way.last == end { return [way] }
    guard way.count <= lengthMax else { return [] }
    return graph.neighbours(of: way[way.count - 1], along: types, direction).map(\.id)
      .filter { !way.contains($0) }
      .flatMap { all(graph, way + [$0], to: end, types, direction, lengthMax: lengthMax) }
  }

  @Test(arguments: 1...60) func `are all that there are, shortest first`(seed: Int) throws {
    var dice = Dice(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    let ids = (0..<(3 + dice.roll(5))).map { "a\($0)" }
    var edges: [GraphEdge] = []
    for _ in 0..<dice.roll(16) {
      let (a, b) = (dice.roll(ids.count), dice.roll(ids.count))
      guard a != b else { continue }
      let type: EdgeType = dice.roll(3) == 0 ? .electricallyConnectedTo : .feeds
      edges.append(GraphEdge("a\(min(a, b))", type, "a\(max(a, b))"))
    }
    let graph = try TwinGraph(nodes: ids.map { GraphNode(id: $0, type: .asset) }, edges: edges)
    for direction in [TwinGraph.Direction.forward, .backward, .both] {
      let lengthMax = 1 + dice.roll(6)
      let (start, end) = (ids[dice.roll(ids.count)], ids[dice.roll(ids.count)])
      let types: Set<EdgeType> = [.feeds, .electricallyConnectedTo]
      let wanted = all(graph, [start], to: end, types, direction, lengthMax: lengthMax)
        .sorted { $0.count != $1.count ? $0.count < $1.count : $0.lexicographicallyPrecedes($1) }
      let found = graph.paths(from: start, to: end, along: types, direction, PathBounds(lengthMax: lengthMax))
      #expect(found.paths.map { $0.map(\.id) } == Array(wanted.prefix(100)), "seed \(seed)")
      #expect(found.isComplete == (wanted.count <= 100), "seed \(seed)")
      if wanted.count > 1 {
        let some = graph.paths(
          from: start, to: end, along: types, direction, PathBounds(lengthMax: lengthMax, countMax: wanted.count - 1))
        #expect(some.paths.map { $0.map(\.id) } == Array(wanted.dropLast()) && !some.isComplete, "seed \(seed)")
      }
    }
  }

  @Test func `are bounded where there are too many`() throws {
    // Every node of a layer feeds every one of the next: 12 to the power of 8 ways.
    let layers = (0..<10).map { layer in (0..<(layer == 0 || layer == 9 ? 1 : 12)).map { "l\(layer)-\($0)" } }
    let edges = zip(layers, layers.dropFirst()).flatMap { a, b in
      a.flatMap { from in b.map { GraphEdge(from, .feeds, $0) } }
    }
    let graph = try TwinGraph(nodes: layers.joined().map { GraphNode(id: $0, type: .asset) }, edges: edges)
    let some = graph.paths(from: "l0-0", to: "l9-0", along: [.feeds], .forward, PathBounds(countMax: 50))
    #expect(some.paths.count == 50 && !some.isComplete)
    let none = graph.paths(from: "l0-0", to: "l9-0", .both, PathBounds(lengthMax: 40, countMax: 50, stepsMax: 2000))
    #expect(!none.isComplete)
    #expect(graph.paths(from: "l0-0", to: "l9-0", .forward, PathBounds(lengthMax: 8)).paths.isEmpty)
    #expect(graph.paths(from: "l0-0", to: "nobody").paths.isEmpty)
    #expect(graph.paths(from: "l0-0", to: "l0-0").paths.map(\.count) == [1])
  }
}

@Suite struct `Planted violations` {
  @Test(arguments: 1...60) func `are found, and nothing else is`(seed: Int) throws {
    var dice = Dice(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    let count = 4 + dice.roll(20)
    var nodes = [GraphNode(id: "site", type: .site), GraphNode(id: "anna", type: .person)]
    var edges: [GraphEdge] = []
    for number in 0..<count {
      let meter: Properties = dice.roll(3) == 0 ? ["meter": .choice("heat")] : [:]
      nodes.append(GraphNode(id: "a\(number)", type: .asset, properties: meter))
      // A tree of parts; feeds from lower to higher numbers, never between two meters.
      edges.append(
        GraphEdge("a\(number)", .partOf, number == 0 || dice.roll(4) == 0 ? "site" : "a\(dice.roll(number))"))
      if number > 0 {
        let from = dice.roll(number)
        if nodes[from + 2].properties.isEmpty { edges.append(GraphEdge("a\(from)", .feeds, "a\(number)")) }
      }
      if dice.roll(3) == 0 { edges.append(GraphEdge("anna", .owns, "a\(number)")) }
    }
    let graph = try TwinGraph(nodes: nodes, edges: edges)
    #expect(graph.edges.count == Set(edges).count, "seed \(seed)")
    let victim = "a\(dice.roll(count))"
    let inside = graph.subtree(of: victim).map(\.id)
    let outside = nodes.map(\.id).filter { $0 != "anna" && $0 != "site" && !inside.contains($0) }
    let old = try #require(edges.first { $0.from == victim && $0.type == .partOf })
    typealias Planted = (edges: [GraphEdge], kind: GraphProblem.Kind)
    var planted: [Planted] = [
      (edges + [GraphEdge(victim, .feeds, "ghost")], .danglingEdge),
      (edges + [GraphEdge(victim, .owns, "site")], .wrongType),
      (edges.filter { $0 != old } + [GraphEdge(victim, .partOf, inside[dice.roll(inside.count)])], .cycle),
    ]
    if let second = outside.first(where: { $0 != old.to }) {
      planted.append((edges + [GraphEdge(victim, .partOf, second)], .twoParents))
    }
    for (edges, kind) in planted {
      let problems = TwinGraph.problems(of: nodes, edges: edges)
      #expect(problems.map(\.kind) == [kind], "seed \(seed), \(kind)")
      #expect(problems.first?.path.contains(victim) == true || kind == .cycle, "seed \(seed), \(kind)")
    }
  }
}

@Suite struct `The picture of a graph` {
  private let graph: TwinGraph

  init() throws {
    graph = try TwinGraph(
      nodes: [
        GraphNode(id: "site", type: .site, name: "A <b> & \"c\" \u{1}"), GraphNode(id: "chiller-1", type: .asset),
        GraphNode(id: "hall", type: .asset), GraphNode(id: "pump", type: .asset), GraphNode(id: "meter", type: .asset),
        GraphNode(id: "chiller-1.power", type: .sensor), GraphNode(id: "chiller-1.sp", type: .sensor),
      ],
      edges: [
        GraphEdge("chiller-1", .feeds, "pump"), GraphEdge("pump", .feeds, "hall"), GraphEdge("hall", .partOf, "site"),
        GraphEdge("chiller-1", .electricallyConnectedTo, "meter"), GraphEdge("meter", .electricallyConnectedTo, "hall"),
        GraphEdge("hall", .electricallyConnectedTo, "chiller-1"), GraphEdge("chiller-1.power", .observes, "chiller-1"),
        GraphEdge("chiller-1.sp", .controls, "chiller-1"),
      ])
  }

  @Test func `has every node, every edge and every point, and only text that XML allows`() {
    let svg = GraphDrawing(graph, title: "now").svg
    for id in ["site", "chiller-1", "hall", "pump", "meter"] { #expect(svg.contains(">\(id)</text>"), "\(id)") }
    for edge in graph.edges where !edge.type.isDerived { #expect(svg.contains("<title>\(edge)</title>"), "\(edge)") }
    #expect(svg.contains("○ power") && svg.contains("● sp"))
    #expect(svg.contains("A &lt;b&gt; &amp; &quot;c&quot; \u{FFFD}") && !svg.contains("\u{1}"))
    #expect(GraphDrawing(graph, title: "now").svg == svg)
    #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n"))
  }

  @Test func `of nothing, and of much, is a picture`() throws {
    #expect(GraphDrawing(.empty, title: "nothing").svg.contains("0 nodes"))
    let nodes = (0..<1000).map { GraphNode(id: "n\($0)", type: .asset) }
    let edges = (1..<1000).map { GraphEdge("n\($0 / 3)", .feeds, "n\($0)") }.filter { $0.from != $0.to }
    #expect(
      GraphDrawing(try TwinGraph(nodes: nodes, edges: edges), title: "much").svg.contains("600 more are not drawn"))
  }
}

@Suite struct `A difference` {
  @Test func `names what came, went and changed`() throws {
    let (a, b, c) = (
      GraphNode(id: "a", type: .asset), GraphNode(id: "b", type: .asset), GraphNode(id: "c", type: .asset)
    )
    var changed = b
    changed.name = "B"
    let edge = GraphEdge("a", .feeds, "b")
    let old = try TwinGraph(nodes: [a, b], edges: [edge])
    let new = try TwinGraph(nodes: [changed, c], edges: [GraphEdge("b", .feeds, "c")])
    let difference = GraphDifference(from: old, to: new)
    #expect(difference.added == [c] && difference.removed == [a])
    #expect(difference.changed.map(\.before) == [b] && difference.changed.map(\.after) == [changed])
    #expect(difference.removedEdges == [edge] && difference.addedEdges == [GraphEdge("b", .feeds, "c")])
    #expect(GraphDifference(from: new, to: new).isEmpty && !difference.isEmpty)
  }
}
