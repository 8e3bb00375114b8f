import Testing
import TwinCore
import TwinGraph

private let nodes = [
  GraphNode(id: "lyon", type: .site), GraphNode(id: "chiller-1", type: .asset),
  GraphNode(id: "comp-1", type: .component),
  GraphNode(id: "hall-a", type: .asset), GraphNode(id: "meter-1", type: .asset), GraphNode(id: "anna", type: .person),
  GraphNode(id: "f-gas", type: .regulation), GraphNode(id: "grid", type: .contract),
  GraphNode(id: "chiller-1.power", type: .sensor),
]
private let edges = [
  GraphEdge("chiller-1", .feeds, "hall-a"), GraphEdge("comp-1", .partOf, "chiller-1"),
  GraphEdge("chiller-1", .partOf, "lyon"), GraphEdge("hall-a", .partOf, "lyon"),
  GraphEdge("chiller-1", .electricallyConnectedTo, "meter-1"), GraphEdge("anna", .owns, "chiller-1"),
  GraphEdge("chiller-1", .regulatedBy, "f-gas"), GraphEdge("lyon", .suppliedBy, "grid"),
  GraphEdge("chiller-1.power", .observes, "chiller-1"),
]

@Suite struct `Questions to the graph` {
  let graph: TwinGraph
  init() throws { graph = try TwinGraph(nodes: nodes, edges: edges) }

  @Test func `neighbours follow type and direction`() {
    #expect(graph.neighbours(of: "chiller-1", along: [.feeds]).map(\.id) == ["hall-a"])
    #expect(graph.neighbours(of: "hall-a", along: [.feeds], .forward).isEmpty)
    #expect(graph.neighbours(of: "hall-a", along: [.feeds], .backward).map(\.id) == ["chiller-1"])
    #expect(graph.neighbours(of: "meter-1", .forward).map(\.id) == ["chiller-1"], "symmetric edges go both ways")
    #expect(graph.neighbours(of: "nobody").isEmpty)
    let all = ["anna", "chiller-1.power", "comp-1", "f-gas", "hall-a", "lyon", "meter-1"]
    #expect(graph.neighbours(of: "chiller-1").map(\.id) == all)
  }

  @Test func `a path is shortest and keeps its direction`() {
    #expect(graph.path(from: "comp-1", to: "lyon")?.map(\.id) == ["comp-1", "chiller-1", "lyon"])
    #expect(graph.path(from: "lyon", to: "comp-1") == nil)
    #expect(graph.path(from: "lyon", to: "comp-1", .backward)?.map(\.id) == ["lyon", "chiller-1", "comp-1"])
    #expect(graph.path(from: "anna", to: "anna")?.map(\.id) == ["anna"])
    #expect(graph.path(from: "anna", to: "grid")?.map(\.id) == ["anna", "chiller-1", "lyon", "grid"])
  }

  @Test func `a subtree is what is inside`() {
    #expect(graph.subtree(of: "lyon").map(\.id) == ["lyon", "chiller-1", "hall-a", "comp-1"])
    #expect(graph.subtree(of: "chiller-1", along: [.feeds], .forward).map(\.id) == ["chiller-1", "hall-a"])
    #expect(graph.subtree(of: "nobody").isEmpty)
  }

  @Test func `order of statement does not matter`() throws {
    let other = try TwinGraph(nodes: nodes.reversed(), edges: edges.reversed() + edges)
    #expect(other == graph)
    #expect(other.edges.count == edges.count)
  }
}

@Suite struct `Contradictions in a graph` {
  @Test(arguments: [
    (GraphEdge("chiller-1", .feeds, "hall-b"), "graph.dangling_edge", ["chiller-1", "hall-b"]),
    (GraphEdge("f-gas", .owns, "chiller-1"), "graph.wrong_type", ["f-gas", "chiller-1"]),
    (GraphEdge("anna", .owns, "anna"), "graph.wrong_type", ["anna", "anna"]),
    (GraphEdge("hall-a", .feeds, "chiller-1"), "graph.cycle", ["chiller-1", "hall-a", "chiller-1"]),
    (GraphEdge("chiller-1", .partOf, "comp-1"), "graph.cycle", ["chiller-1", "comp-1", "chiller-1"]),
    (GraphEdge("hall-a", .feeds, "hall-a"), "graph.cycle", ["hall-a", "hall-a"]),
  ]) func `name their path`(edge: GraphEdge, code: String, path: [String]) {
    let problems = TwinGraph.problems(of: nodes, edges: edges + [edge])
    #expect(problems.first?.code == code)
    #expect(problems.first?.path == path)
    #expect(throws: GraphProblem.self) { try TwinGraph(nodes: nodes, edges: edges + [edge]) }
  }

  @Test func `two parents`() {
    let problems = TwinGraph.problems(of: nodes, edges: edges + [GraphEdge("comp-1", .partOf, "hall-a")])
    #expect(problems.map(\.code) == ["graph.two_parents"])
    #expect(problems.first?.path == ["chiller-1", "comp-1", "hall-a"])
    let cyclic = TwinGraph.problems(of: nodes, edges: edges + [GraphEdge("chiller-1", .partOf, "comp-1")])
    #expect(cyclic.map(\.code) == ["graph.cycle", "graph.two_parents"])
  }

  @Test func `two meters of one kind above a third`() {
    func meter(_ id: String, _ kind: String) -> GraphNode {
      GraphNode(id: id, type: .asset, properties: ["meter": .choice(kind)])
    }
    let meters = [meter("main", "water"), meter("other", "water"), meter("heat", "heat"), meter("sub", "water")]
    let fine = [GraphEdge("main", .feeds, "sub"), GraphEdge("heat", .feeds, "sub")]
    #expect(TwinGraph.problems(of: meters, edges: fine).isEmpty, "meters of another kind do not count")
    let problems = TwinGraph.problems(of: meters, edges: fine + [GraphEdge("other", .feeds, "sub")])
    #expect(problems.map(\.code) == ["graph.two_parents"] && problems.first?.path == ["main", "sub", "other"])
  }

  @Test func `a node twice`() {
    let problems = TwinGraph.problems(of: nodes + [GraphNode(id: "grid", type: .asset)], edges: [])
    #expect(problems.map(\.code) == ["graph.duplicate_node"])
  }
}

@Suite struct `Random graphs` {
  @Test(arguments: 1...40) func `a circle is found exactly where there is one`(seed: Int) throws {
    var dice = Dice(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    let count = 2 + dice.roll(30)
    let assets = (0..<count).map { GraphNode(id: "a\($0)", type: .asset) }
    // Edges from lower to higher numbers never make a circle.
    var forward: [GraphEdge] = []
    for _ in 0..<dice.roll(60) {
      let (a, b) = (dice.roll(count), dice.roll(count))
      if a != b { forward.append(GraphEdge("a\(min(a, b))", .feeds, "a\(max(a, b))")) }
    }
    let graph = try TwinGraph(nodes: assets, edges: forward)
    for node in assets {
      let reached = graph.subtree(of: node.id, along: [.feeds], .forward)
      for target in assets {
        let path = graph.path(from: node.id, to: target.id, along: [.feeds])
        #expect((path != nil) == reached.contains(target), "seed \(seed)")
        for (a, b) in zip(path ?? [], (path ?? []).dropFirst()) {
          #expect(graph.neighbours(of: a.id, along: [.feeds], .forward).contains(b), "seed \(seed)")
        }
        guard target.id != node.id, path != nil else { continue }
        // Closing the way back must be refused, and the shown circle must consist of edges that exist.
        let closed = forward + [GraphEdge(target.id, .feeds, node.id)]
        let problem = try #require(TwinGraph.problems(of: assets, edges: closed).first, "seed \(seed)")
        #expect(problem.kind == .cycle && problem.path.first == problem.path.last, "seed \(seed)")
        for (a, b) in zip(problem.path, problem.path.dropFirst()) {
          #expect(closed.contains(GraphEdge(a, .feeds, b)), "seed \(seed)")
        }
      }
    }
  }

  @Test func `a chain of 100,000 is no recursion`() {
    let edges = (0..<100_000).map { GraphEdge("n\($0)", .feeds, "n\($0 + 1)") }
    let nodes = (0...100_000).map { GraphNode(id: "n\($0)", type: .asset) }
    #expect(TwinGraph.problems(of: nodes, edges: edges).isEmpty)
    #expect(
      TwinGraph.problems(of: nodes, edges: edges + [GraphEdge("n100000", .feeds, "n0")]).first?.path.count == 100_002)
  }
}

/// xorshift64*: the seed in a failure's text brings the same graph back.
struct Dice {
  var state: UInt64
  mutating func roll(_ sides: Int) -> Int {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 2_685_821_657_736_338_717) >> 33) % sides
  }
}
