/// The site as a typed graph at one moment. A value: the same statements in any order make the same graph.
public struct TwinGraph: Hashable, Sendable {
  /// By id in byte order.
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
    self.init(
      sorted: nodes.sorted { precedes($0.id, $1.id) },
      edges: Set(edges).sorted {
        precedes($0.from, $1.from)
          || $0.from == $1.from
            && (precedes($0.type.rawValue, $1.type.rawValue) || $0.type == $1.type && precedes($0.to, $1.to))
      })
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

  public subscript(id: String) -> GraphNode? { positions[id].map { nodes[$0] } }

  /// Which way an edge is followed. Symmetric edges go both ways in each.
  public enum Direction: Sendable { case forward, backward, both }

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

  /// A node and all that can be reached from it, in breadth-first order; what is inside of it, where no edge is named.
  public func subtree(
    of root: String, along types: Set<EdgeType> = [.partOf], _ direction: Direction = .backward
  ) -> [GraphNode] {
    guard let first = positions[root] else { return [] }
    var seen: Set<Int> = [first]
    var order = [first]
    var done = 0
    while done < order.count {
      for next in next(order[done], types, direction) where seen.insert(next).inserted { order.append(next) }
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

/// Byte order, the same on every machine.
func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
