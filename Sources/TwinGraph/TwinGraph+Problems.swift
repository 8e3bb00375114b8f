extension TwinGraph {
  /// Everything wrong with nodes and edges: nodes first, then references, then edges in their order, then for each edge
  /// type one circle and the nodes that have two parents.
  public static func problems(of nodes: [GraphNode], edges: [GraphEdge]) -> [GraphProblem] {
    var known: [String: GraphNode] = [:]
    known.reserveCapacity(nodes.count)
    var problems: [GraphProblem] = []
    for node in nodes {
      problems += Ontology.problems(of: node)
      if known.updateValue(node, forKey: node.id) != nil { problems.append(.duplicate(node.id)) }
    }
    for node in nodes {
      for (property, id) in node.references {
        guard let target = known[id] else {
          problems.append(.dangling(node.id, property, id))
          continue
        }
        if let problem = GraphProblem.wrongReference(node, property, target) { problems.append(problem) }
      }
    }
    var byType: [EdgeType: [GraphEdge]] = [:]
    var seen: Set<GraphEdge> = []
    for edge in edges {
      guard let from = known[edge.from], let to = known[edge.to] else {
        problems.append(.dangling(edge, known[edge.from] == nil ? edge.from : edge.to))
        if seen.insert(edge).inserted { byType[edge.type, default: []].append(edge) }
        continue
      }
      if let problem = GraphProblem.wrongType(edge, from: from.type, to: to.type) { problems.append(problem) }
      if seen.insert(edge).inserted { byType[edge.type, default: []].append(edge) }
    }
    for type in EdgeType.allCases {
      guard let edges = byType[type] else { continue }
      if type.isAcyclic, let cycle = cycle(in: edges) { problems.append(.cycle(cycle, type)) }
      if type.isTree { problems += secondEnds(edges, type) }
      if let property = type.treeAmong { problems += secondBeginnings(edges, type, property, known) }
    }
    return problems
  }

  private static func secondEnds(_ edges: [GraphEdge], _ type: EdgeType) -> [GraphProblem] {
    var ends: [String: String] = [:]
    return edges.compactMap { edge in
      guard let first = ends[edge.from] else {
        ends[edge.from] = edge.to
        return nil
      }
      return .twoEnds(of: edge.from, type, (first, edge.to))
    }
  }

  private static func secondBeginnings(
    _ edges: [GraphEdge], _ type: EdgeType, _ property: String, _ nodes: [String: GraphNode]
  ) -> [GraphProblem] {
    var beginnings: [String: String] = [:]
    return edges.compactMap { edge in
      guard let value = nodes[edge.to]?.choice(property), nodes[edge.from]?.choice(property) == value else {
        return nil
      }
      guard let first = beginnings[edge.to] else {
        beginnings[edge.to] = edge.from
        return nil
      }
      return .twoBeginnings(of: edge.to, type, (first, edge.from), among: value)
    }
  }

  /// The first circle that a walk in byte order meets, its first node repeated at the end.
  private static func cycle(in edges: [GraphEdge]) -> [String]? {
    var next: [String: [String]] = [:]
    for edge in edges { next[edge.from, default: []].append(edge.to) }
    for key in next.keys { next[key]?.sort(by: inByteOrder) }
    var finished: Set<String> = []
    for start in next.keys.sorted(by: inByteOrder) where !finished.contains(start) {
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
