public import TwinCore

/// What contradicts the ontology, with the way through the graph that shows it.
public struct GraphProblem: Fault, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    /// No id, or a name that is too long.
    case badName = "bad_name"
    case duplicateNode = "duplicate_node"
    case unknownProperty = "unknown_property"
    case missingProperty = "missing_property"
    /// Of another kind, out of its choices, not finite, too long.
    case wrongProperty = "wrong_property"
    /// Of another dimension.
    case wrongUnit = "wrong_unit"
    /// A property names a node that is not there, or of a type that may not be.
    case danglingReference = "dangling_reference"
    case danglingEdge = "dangling_edge"
    case wrongType = "wrong_type"
    case cycle
    /// Two ends where the edge's tree allows one.
    case twoParents = "two_parents"
  }

  public let kind: Kind
  /// Ids in order; of a cycle the first is also the last, of two parents the child stands between them.
  public let path: [String]
  /// The edge at fault; nil for a node.
  public let edge: GraphEdge?
  /// The property at fault, of the first node of the path.
  public let property: String?
  public let message: String
  public let remedy: String

  public var code: String { "graph.\(kind.rawValue)" }

  init(
    _ kind: Kind, _ path: [String], edge: GraphEdge? = nil, property: String? = nil, _ message: String,
    _ remedy: String
  ) {
    (self.kind, self.path, self.edge, self.property) = (kind, path, edge, property)
    (self.message, self.remedy) = (message, remedy)
  }
}

extension GraphProblem {
  package static func duplicate(_ id: String) -> GraphProblem {
    GraphProblem(.duplicateNode, [id], "node \(id) is given twice", "keep one of the two, or rename one")
  }

  package static func dangling(_ edge: GraphEdge, _ end: String) -> GraphProblem {
    GraphProblem(
      .danglingEdge, [edge.from, edge.to], edge: edge, "\"\(edge)\" names \(end), which is no node",
      "declare \(end), or correct its name")
  }

  package static func dangling(_ id: String, _ property: String, _ target: String) -> GraphProblem {
    GraphProblem(
      .danglingReference, [id, target], property: property, "\"\(property)\" of \(id) is \(target), which is no node",
      "name a node that is there")
  }

  package static func wrongReference(_ node: GraphNode, _ property: String, _ target: GraphNode) -> GraphProblem? {
    guard case .reference(let types) = node.type.property(property)?.kind, !types.contains(target.type) else {
      return nil
    }
    return GraphProblem(
      .danglingReference, [node.id, target.id], property: property,
      "\"\(property)\" of \(node.id) is \(target.id), which is a \(target.type.rawValue)",
      "name a node that is one of: \(types.map(\.rawValue).joined(separator: ", "))")
  }

  /// Nil where both ends are of types that the edge may have.
  package static func wrongType(_ edge: GraphEdge, from: NodeType, to: NodeType) -> GraphProblem? {
    let isFromRight = edge.type.begins(at: from)
    guard !isFromRight || !edge.type.ends(at: to) else { return nil }
    let (end, type, place) = isFromRight ? (edge.to, to, "end") : (edge.from, from, "begin")
    let allowed = isFromRight ? edge.type.to : edge.type.from
    let names = NodeType.allCases.filter(allowed.contains).map(\.rawValue).joined(separator: ", ")
    return GraphProblem(
      .wrongType, [edge.from, edge.to], edge: edge,
      "\(edge.type.rawValue) cannot \(place) at \(end), which is a \(type.rawValue)", "it may \(place) at: \(names)")
  }

  /// `path` ends where it begins.
  package static func cycle(_ path: [String], _ type: EdgeType) -> GraphProblem {
    GraphProblem(
      .cycle, path, edge: GraphEdge(path[0], type, path[1]),
      "\(type.rawValue) runs in a circle: \(path.joined(separator: " → "))", "take one edge of the circle out")
  }

  package static func twoEnds(of id: String, _ type: EdgeType, _ ends: (String, String)) -> GraphProblem {
    GraphProblem(
      .twoParents, [ends.0, id, ends.1], edge: GraphEdge(id, type, ends.1),
      "\(id) is \(type.rawValue) two: \(ends.0) and \(ends.1)", "keep the nearer of the two")
  }

  package static func twoBeginnings(
    of id: String, _ type: EdgeType, _ beginnings: (String, String), among value: String
  ) -> GraphProblem {
    GraphProblem(
      .twoParents, [beginnings.0, id, beginnings.1], edge: GraphEdge(beginnings.1, type, id),
      "\(type.rawValue) leads to the \(value) \(type.treeAmong ?? "") \(id) from two: \(beginnings.0) and \(beginnings.1)",
      "keep the nearer of the two, or what flows through is counted twice")
  }
}
