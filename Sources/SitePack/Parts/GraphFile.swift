import Collectors
import TwinCore
import TwinGraph
import YAML

extension PackLoader {
  /// What `graph.yaml` declares, and what follows from site, devices and points: they need no mention.
  func readGraph() {
    var nodes: [GraphNode] = []
    var edges: [GraphEdge] = []
    var marks: [GraphEdge: Mark] = [:]
    var nodeMarks: [String: Mark] = [:]
    if let section = top("graph.yaml") {
      for (key, node) in section.entries("nodes", Self.isNodeID, hint: "write names joined by dots, as m.durand") {
        guard let inner = Section(node, name: key.raw, problems), let read = readNode(key.raw, inner) else { continue }
        nodes.append(read)
        nodeMarks[key.raw] = key.mark
      }
      for item in section.list("edges") ?? [] {
        guard let edge = readEdge(item) else { continue }
        edges.append(edge)
        marks[edge] = item.mark
      }
      section.close()
    }
    complete(&nodes, &edges)
    let ids = Set(nodes.map(\.id))
    for node in nodes {
      guard let of = node.attributes["of"], !ids.contains(of) else { continue }
      problems.add(
        .error, "pack.unknown_node", at: nodeMarks[node.id] ?? start(of: "graph.yaml"),
        "\(node.id) is of \"\(shortened(of))\", which is no node",
        nearest(to: of, among: ids).map { "did you mean \"\($0)\"?" } ?? "name a node of the graph")
    }
    let found = TwinGraph.problems(of: nodes, edges: edges)
    for problem in found {
      let mark = problem.edge.flatMap { marks[$0] } ?? problem.path.compactMap { nodeMarks[$0] }.first
      problems.add(.error, problem.code, at: mark ?? start(of: "graph.yaml"), problem.message, problem.remedy)
    }
    if found.isEmpty, let graph = try? TwinGraph(nodes: nodes, edges: edges) { self.graph = graph }
  }

  /// Names joined by dots: `chiller-1.chw_supply_t`, `m.durand`.
  static func isNodeID(_ text: String) -> Bool {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return (1...3).contains(parts.count) && parts.allSatisfy { Identifier.isName($0) }
  }

  private func readNode(_ id: String, _ section: Section) -> GraphNode? {
    section.require("type")
    let type = section.word("type", NodeType.self)
    let name = section.text("name") ?? ""
    var attributes: [String: String] = [:]
    for key in ["brick", "role", "title", "doc", "with", "ends", "unit", "of"] { attributes[key] = section.text(key) }
    if let words = section.list("haystack") {
      attributes["haystack"] = words.compactMap { if case .scalar(let word) = $0 { word.raw } else { nil } }
        .joined(separator: " ")
    }
    section.close()
    return type.map { GraphNode(id: id, type: $0, name: name, attributes: attributes) }
  }

  private func readEdge(_ node: Node) -> GraphEdge? {
    guard case .sequence(let items, _) = node, items.count == 3 else {
      problems.add(
        .error, "pack.bad_edge", at: node.mark, "an edge is [from, kind, to]", "write [chiller-1, feeds, hall-a]")
      return nil
    }
    do throws(YAMLFault) {
      let from = try items[0].scalar.raw
      let kind = try items[1].scalar
      let to = try items[2].scalar.raw
      let declared = EdgeType.allCases.filter(\.isDeclared)
      guard let type = EdgeType(rawValue: kind.raw), type.isDeclared else {
        let near = nearest(to: kind.raw, among: declared.map(\.rawValue))
        problems.add(
          .error, "pack.unknown_word", at: kind.mark, "\"\(shortened(kind.raw))\" is no kind of edge",
          near.map { "did you mean \"\($0)\"?" } ?? "write one of \(declared.map(\.rawValue).joined(separator: ", "))")
        return nil
      }
      return GraphEdge(from, type, to)
    } catch {
      problems.add(error)
    }
    return nil
  }

  private func complete(_ nodes: inout [GraphNode], _ edges: inout [GraphEdge]) {
    guard let site else { return }
    var known = Set(nodes.map(\.id))
    if known.insert(site.id).inserted { nodes.append(GraphNode(id: site.id, type: .site, name: site.name)) }
    for draft in devices where known.insert(draft.device.id).inserted {
      var attributes: [String: String] = [:]
      attributes["brick"] = draft.brick
      nodes.append(GraphNode(id: draft.device.id, type: .asset, name: draft.label ?? "", attributes: attributes))
    }
    for entry in points {
      guard let device = entry.device, let draft = entry.draft else { continue }
      if known.insert(entry.id).inserted {
        var attributes = ["unit": entry.unit.ucum]
        attributes["brick"] = draft.brick
        nodes.append(GraphNode(id: entry.id, type: .sensor, name: draft.label ?? "", attributes: attributes))
      }
      edges.append(
        GraphEdge(entry.id, draft.register.write == nil ? .observes : .controls, devices[device].device.id))
    }
    // What is part of nothing else is part of the site.
    let placed = Set(edges.filter { $0.type == .partOf }.map(\.from))
    for node in nodes where node.type == .asset && !placed.contains(node.id) {
      edges.append(GraphEdge(node.id, .partOf, site.id))
    }
  }
}
