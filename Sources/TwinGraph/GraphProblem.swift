public import TwinCore

/// What contradicts the ontology, with the way through the graph that shows it.
public struct GraphProblem: Fault, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case duplicateNode = "duplicate_node"
    case danglingEdge = "dangling_edge"
    case wrongType = "wrong_type"
    case cycle
  }

  public let kind: Kind
  /// Ids in order; of a cycle the first is also the last.
  public let path: [String]
  /// The edge at fault; nil for a node.
  public let edge: GraphEdge?
  public let message: String
  public let remedy: String

  public var code: String { "graph.\(kind.rawValue)" }
}

extension TwinGraph {
  /// Everything wrong with nodes and edges: nodes first, then edges in their order, then one cycle for each edge type.
  public static func problems(of nodes: [GraphNode], edges: [GraphEdge]) -> [GraphProblem] {
    var types: [String: NodeType] = [:]
    var problems: [GraphProblem] = []
    for node in nodes where types.updateValue(node.type, forKey: node.id) != nil {
      problems.append(
        GraphProblem(
          kind: .duplicateNode, path: [node.id], edge: nil, message: "node \(node.id) is given twice",
          remedy: "keep one of the two, or rename one"))
    }
    for edge in edges { if let problem = problem(of: edge, types) { problems.append(problem) } }
    for type in EdgeType.allCases where type.isAcyclic {
      guard let cycle = cycle(in: edges.filter { $0.type == type }) else { continue }
      problems.append(
        GraphProblem(
          kind: .cycle, path: cycle, edge: GraphEdge(cycle[0], type, cycle[1]),
          message: "\(type.rawValue) runs in a circle: \(cycle.joined(separator: " → "))",
          remedy: "take one edge of the circle out"))
    }
    return problems
  }

  private static func problem(of edge: GraphEdge, _ types: [String: NodeType]) -> GraphProblem? {
    for end in [edge.from, edge.to] where types[end] == nil {
      return GraphProblem(
        kind: .danglingEdge, path: [edge.from, edge.to], edge: edge,
        message: "\"\(edge)\" names \(end), which is no node", remedy: "declare \(end), or correct its name")
    }
    for (end, allowed, place) in [(edge.from, edge.type.from, "begin"), (edge.to, edge.type.to, "end")] {
      guard let type = types[end], !allowed.contains(type) else { continue }
      let names = NodeType.allCases.filter(allowed.contains).map(\.rawValue).joined(separator: ", ")
      return GraphProblem(
        kind: .wrongType, path: [edge.from, edge.to], edge: edge,
        message: "\(edge.type.rawValue) cannot \(place) at \(end), which is a \(type.rawValue)",
        remedy: "it may \(place) at: \(names)")
    }
    return nil
  }

  /// The first circle that a walk in byte order meets, its first node repeated at the end.
  private static func cycle(in edges: [GraphEdge]) -> [String]? {
    var next: [String: [String]] = [:]
    for edge in edges { next[edge.from, default: []].append(edge.to) }
    for key in next.keys { next[key]?.sort(by: precedes) }
    var finished: Set<String> = []
    for start in next.keys.sorted(by: precedes) where !finished.contains(start) {
      // An explicit stack: a chain may be as long as the pack is large.
      var way = [start]
      var places: [String: Int] = [start: 0]
      var turns = [0]
      while let node = way.last {
        let choices = next[node] ?? []
        let turn = turns[turns.count - 1]
        guard turn < choices.count else {
          finished.insert(node)
          places[node] = nil
          way.removeLast()
          turns.removeLast()
          continue
        }
        turns[turns.count - 1] += 1
        let following = choices[turn]
        if let place = places[following] { return Array(way[place...]) + [following] }
        if finished.contains(following) { continue }
        places[following] = way.count
        way.append(following)
        turns.append(0)
      }
    }
    return nil
  }
}
