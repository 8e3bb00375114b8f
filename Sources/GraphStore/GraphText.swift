import TwinCore
public import TwinGraph

/// A table of texts, its columns as wide as whoever prints it likes.
public struct GraphTable: Hashable, Sendable {
  public let header: [String]
  public let rows: [[String]]

  init(_ header: [String], _ rows: [[String]]) { (self.header, self.rows) = (header, rows) }
}

/// The graph in words, for `twinctl graph`.
public enum GraphText {
  /// Every node: its type and name, what is said of it, and where it leads.
  public static func nodes(_ graph: TwinGraph) -> GraphTable {
    let outgoing = Dictionary(grouping: graph.edges, by: \.from)
    return GraphTable(
      ["node", "type", "name", "properties", "edges"],
      graph.nodes.map { node in
        [
          node.id, node.type.rawValue, node.name, properties(node),
          (outgoing[node.id] ?? []).map { "\($0.type.rawValue) \($0.to)" }.joined(separator: ", "),
        ]
      })
  }

  /// One node: each property, then each edge that begins or ends at it. Nil for an id that is not there.
  public static func node(_ id: String, in graph: TwinGraph) -> GraphTable? {
    guard let node = graph[id] else { return nil }
    var rows = [["type", node.type.rawValue]]
    if !node.name.isEmpty { rows.append(["name", node.name]) }
    rows += node.properties.map { [$0.name, $0.value.description] }
    rows += graph.edges.filter { $0.from == id }.map { [$0.type.rawValue, $0.to] }
    rows += graph.edges.filter { $0.to == id }.map { ["\($0.from) \($0.type.rawValue)", "this"] }
    return GraphTable([id, ""], rows)
  }

  /// Every way with the edges between its nodes: `a ─feeds→ b`, `b ←feeds─ a`.
  public static func paths(_ found: GraphPaths, in graph: TwinGraph) -> GraphTable {
    let rows = found.paths.map { path in
      ["\(path.count - 1)", zip(path, path.dropFirst()).reduce(path.first?.id ?? "") { $0 + step($1.0, $1.1, graph) }]
    }
    return GraphTable(["edges", "way"], found.isComplete ? rows : rows + [["", "there may be more"]])
  }

  private static func step(_ from: GraphNode, _ to: GraphNode, _ graph: TwinGraph) -> String {
    let forth = graph.edges.filter { $0.from == from.id && $0.to == to.id }.map(\.type.rawValue)
    let back = graph.edges.filter { $0.from == to.id && $0.to == from.id }.map(\.type.rawValue)
    let words = forth.isEmpty ? "←\(back.joined(separator: ", "))─" : "─\(forth.joined(separator: ", "))→"
    return " \(words) \(to.id)"
  }

  /// What came, went and changed: `+`, `-`, `~`.
  public static func difference(_ difference: GraphDifference) -> GraphTable {
    var rows = difference.removed.map { ["-", $0.id, "\($0.type.rawValue) \(properties($0))"] }
    rows += difference.added.map { ["+", $0.id, "\($0.type.rawValue) \(properties($0))"] }
    rows += difference.changed.flatMap { change in
      changes(change.before, change.after).map { ["~", change.after.id, $0] }
    }
    rows += difference.removedEdges.map { ["-", $0.from, "\($0.type.rawValue) \($0.to)"] }
    rows += difference.addedEdges.map { ["+", $0.from, "\($0.type.rawValue) \($0.to)"] }
    return GraphTable(["", "node", "what"], rows)
  }

  private static func changes(_ before: GraphNode, _ after: GraphNode) -> [String] {
    var lines: [String] = []
    if before.type != after.type { lines.append("type: \(before.type.rawValue) → \(after.type.rawValue)") }
    if before.name != after.name { lines.append("name: \(shown(before.name)) → \(shown(after.name))") }
    for name in Set(before.properties.map(\.name) + after.properties.map(\.name)).sorted() {
      let (old, new) = (before.properties[name], after.properties[name])
      guard old != new else { continue }
      lines.append("\(name): \(old?.description ?? "none") → \(new?.description ?? "none")")
    }
    return lines
  }

  /// Everything that was said of a node: when it holds, when it was learned, until when it was held true.
  public static func history(_ versions: [GraphVersion]) -> GraphTable {
    GraphTable(
      ["change", "holds from", "to", "learned", "tick", "until", "by", "what"],
      versions.map { version in
        [
          "\(version.number)", version.change.effective.lowerBound.rfc3339, end(version.change.effective.upperBound),
          version.instant.rfc3339, "\(version.tick)", version.superseded.map { $0.instant.rfc3339 } ?? "now",
          version.source, what(version.change.statement) + (version.reason.isEmpty ? "" : " (\(version.reason))"),
        ]
      })
  }

  private static func end(_ instant: Instant) -> String { instant == .distantFuture ? "open" : instant.rfc3339 }

  private static func what(_ statement: GraphChange.Statement) -> String {
    switch statement {
    case .node(let node):
      [node.type.rawValue, node.name, properties(node)].filter { !$0.isEmpty }.joined(separator: " ")
    case .noNode: "not there"
    case .edge(let edge): edge.description
    case .noEdge(let edge): "not \(edge)"
    }
  }

  private static func properties(_ node: GraphNode) -> String {
    node.properties.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
  }

  private static func shown(_ text: String) -> String { text.isEmpty ? "none" : text }
}
