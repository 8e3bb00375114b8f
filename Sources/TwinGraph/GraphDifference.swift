/// What makes one graph of another.
public struct GraphDifference: Hashable, Sendable {
  public struct Change: Hashable, Sendable {
    public let before: GraphNode
    public let after: GraphNode
  }

  /// Each list by id, or by beginning, type, end.
  public let added: [GraphNode]
  public let removed: [GraphNode]
  public let changed: [Change]
  public let addedEdges: [GraphEdge]
  public let removedEdges: [GraphEdge]

  public init(from old: TwinGraph, to new: TwinGraph) {
    added = new.nodes.filter { old[$0.id] == nil }
    removed = old.nodes.filter { new[$0.id] == nil }
    changed = new.nodes.compactMap { node in
      guard let before = old[node.id], before != node else { return nil }
      return Change(before: before, after: node)
    }
    let (had, has) = (Set(old.edges), Set(new.edges))
    addedEdges = new.edges.filter { !had.contains($0) }
    removedEdges = old.edges.filter { !has.contains($0) }
  }

  public var isEmpty: Bool {
    added.isEmpty && removed.isEmpty && changed.isEmpty && addedEdges.isEmpty && removedEdges.isEmpty
  }
}
