/// The site as a typed graph at one moment. A value: the same statements in any order make the same graph.
public struct TwinGraph: Hashable, Sendable {
  /// By id in byte order; numbers in the ontology's units.
  public let nodes: [GraphNode]
  /// Each once, sorted by beginning, type, end.
  public let edges: [GraphEdge]
  private let positions: [String: Int]
  /// Per node: positions in `edges` that begin or end there.
  private let outgoing: [[Int]]
  private let incoming: [[Int]]

  public static let empty = TwinGraph(sorted: [], edges: [])

  /// Errors: the first of `problems(of:edges:)`.
  public init(nodes: [GraphNode], edges: [GraphEdge]) throws(GraphProblem) {
    if let problem = Self.problems(of: nodes, edges: edges).first { throw problem }
    self.init(checked: nodes.map(Ontology.normalised), edges: edges)
  }

  /// A graph that was found well before, as when it was stored. An edge without both of its ends is left out.
  package init(checked nodes: [GraphNode], edges: [GraphEdge]) {
    let ids = Set(nodes.map(\.id))
    precondition(ids.count == nodes.count, "a node is given twice")
    let whole = Set(edges).filter { ids.contains($0.from) && ids.contains($0.to) }
    self.init(sorted: nodes.sorted { inByteOrder($0.id, $1.id) }, edges: whole.sorted(by: GraphEdge.precedes))
  }

  private init(sorted nodes: [GraphNode], edges: [GraphEdge]) {
    let positions = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.id, $0) })
    var outgoing: [[Int]] = Array(repeating: [], count: nodes.count)
    var incoming = outgoing
    for (index, edge) in edges.enumerated() {
      if let from = positions[edge.from] { outgoing[from].append(index) }
      if let to = positions[edge.to] { incoming[to].append(index) }
    }
    (self.nodes, self.edges, self.positions) = (nodes, edges, positions)
    (self.outgoing, self.incoming) = (outgoing, incoming)
  }

  public static func == (a: TwinGraph, b: TwinGraph) -> Bool { a.nodes == b.nodes && a.edges == b.edges }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(nodes)
    hasher.combine(edges)
  }

  public subscript(id: String) -> GraphNode? { positions[id].map { nodes[$0] } }

  /// Which way an edge is followed. Symmetric edges go both ways in each.
  public enum Direction: Sendable {
    case forward, backward, both

    package var reversed: Direction {
      switch self {
      case .forward: .backward
      case .backward: .forward
      case .both: .both
      }
    }
  }

  /// The nodes one edge away, sorted by id, each once; all edge types where none is named.
  public func neighbours(
    of id: String, along types: Set<EdgeType> = Set(EdgeType.allCases), _ direction: Direction = .both
  ) -> [GraphNode] {
    guard let position = positions[id] else { return [] }
    return next(position, types, direction).map { nodes[$0] }
  }

  /// A shortest way between two nodes, both included; nil where there is none. Of equals the first in byte order.
  public func path(
    from start: String, to end: String, along types: Set<EdgeType> = Set(EdgeType.allCases),
    _ direction: Direction = .forward
  ) -> [GraphNode]? {
    guard let first = positions[start], let last = positions[end] else { return nil }
    var before: [Int: Int] = [first: first]
    var front = [first]
    while !front.isEmpty, before[last] == nil {
      var reached: [Int] = []
      for position in front {
        for next in next(position, types, direction) where before[next] == nil {
          before[next] = position
          reached.append(next)
        }
      }
      front = reached
    }
    guard before[last] != nil else { return nil }
    var way = [last]
    while let step = before[way[way.count - 1]], step != way[way.count - 1] { way.append(step) }
    return way.reversed().map { nodes[$0] }
  }

  /// Ways between two nodes that meet none twice, shortest first, then in byte order.
  public func paths(
    from start: String, to end: String, along types: Set<EdgeType> = Set(EdgeType.allCases),
    _ direction: Direction = .forward, _ bounds: PathBounds = PathBounds()
  ) -> GraphPaths {
    guard let first = positions[start], let last = positions[end] else {
      return GraphPaths(paths: [], isComplete: true)
    }
    var walk = GraphWalk<Int, Never>(
      stepsMax: bounds.stepsMax, next: { next($0, types, direction) }, previous: { next($0, types, direction.reversed) }
    )
    let found = walk.paths(from: first, to: last, lengthMax: bounds.lengthMax, countMax: bounds.countMax)
    return GraphPaths(paths: found.paths.map { $0.map { nodes[$0] } }, isComplete: found.isComplete)
  }

  /// A node and all that can be reached from it, in breadth-first order, the first `limit`; what is inside of it, where
  /// no edge is named.
  public func subtree(
    of root: String, along types: Set<EdgeType> = [.partOf], _ direction: Direction = .backward, limit: Int = .max
  ) -> [GraphNode] {
    guard let first = positions[root], limit > 0 else { return [] }
    var seen: Set<Int> = [first]
    var order = [first]
    var done = 0
    while done < order.count {
      for next in next(order[done], types, direction) where seen.insert(next).inserted {
        guard order.count < limit else { return order.map { nodes[$0] } }
        order.append(next)
      }
      done += 1
    }
    return order.map { nodes[$0] }
  }

  /// Positions one edge away, ascending: nodes are sorted, so this is byte order.
  private func next(_ position: Int, _ types: Set<EdgeType>, _ direction: Direction) -> [Int] {
    var reached: Set<Int> = []
    for index in outgoing[position] where types.contains(edges[index].type) {
      if direction != .backward || edges[index].type.isSymmetric, let to = positions[edges[index].to] {
        reached.insert(to)
      }
    }
    for index in incoming[position] where types.contains(edges[index].type) {
      if direction != .forward || edges[index].type.isSymmetric, let from = positions[edges[index].from] {
        reached.insert(from)
      }
    }
    return reached.sorted()
  }
}

/// How far a search for ways goes: there may be more of them than atoms.
public struct PathBounds: Sendable {
  /// Edges of a way.
  public var lengthMax: Int
  public var countMax: Int
  /// Nodes that are looked at, some of them many times.
  public var stepsMax: Int

  public init(lengthMax: Int = 16, countMax: Int = 100, stepsMax: Int = 1_000_000) {
    (self.lengthMax, self.countMax, self.stepsMax) = (lengthMax, countMax, stepsMax)
  }
}

/// Ways through a graph, each with both of its ends.
public struct GraphPaths: Hashable, Sendable {
  public let paths: [[GraphNode]]
  /// False where a bound was met, so that there may be more.
  public let isComplete: Bool

  package init(paths: [[GraphNode]], isComplete: Bool) { (self.paths, self.isComplete) = (paths, isComplete) }
}
