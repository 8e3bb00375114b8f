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
      for (key, node) in section.entries("nodes", GraphNode.isID, hint: "write names joined by dots, as m.durand") {
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
      for spec in node.type.properties {
        guard let of = node.reference(spec.name), !ids.contains(of) else { continue }
        problems.add(
          .error, "pack.unknown_node", at: nodeMarks[node.id] ?? start(of: "graph.yaml"),
          "\(node.id) is \(spec.name) \"\(shortened(of))\", which is no node",
          nearest(to: of, among: ids).map { "did you mean \"\($0)\"?" } ?? "name a node of the graph")
      }
    }
    // A reference to nothing is told above, with the nearest name; other files can still be checked against the graph.
    let found = TwinGraph.problems(of: nodes, edges: edges).filter {
      $0.kind != .danglingReference || ids.contains($0.path[1])
    }
    for problem in found {
      let mark = problem.edge.flatMap { marks[$0] } ?? problem.path.compactMap { nodeMarks[$0] }.first
      problems.add(.error, problem.code, at: mark ?? start(of: "graph.yaml"), problem.message, problem.remedy)
    }
    if found.isEmpty { graph = TwinGraph(checked: nodes, edges: edges) }
  }

  private func readNode(_ id: String, _ section: Section) -> GraphNode? {
    section.require("type")
    let type = section.word("type", NodeType.self)
    let name = section.text("name") ?? ""
    // Without a type nothing is known of the other keys: they are not told as unknown.
    guard let type else { return nil }
    var properties = Properties()
    for spec in type.properties { properties[spec.name] = readProperty(spec, section) }
    section.close()
    return GraphNode(id: id, type: type, name: name, properties: properties)
  }

  private func readProperty(_ spec: PropertySpec, _ section: Section) -> PropertyValue? {
    switch spec.kind {
    case .number(let unit): return section.quantity(spec.name, in: unit).map { .number(Quantity($0, unit)) }
    case .unit: return section.unit(spec.name).map { .unit($0) }
    case .boolean: return section.bool(spec.name).map { .boolean($0) }
    case .choice(let words):
      return section.word(spec.name, Dictionary(uniqueKeysWithValues: words.map { ($0, $0) })).map { .choice($0) }
    case .text where spec.name == "haystack":
      if case .sequence(let words, _) = section.node(spec.name) {
        let markers = words.compactMap { if case .scalar(let word) = $0 { word.raw } else { nil } }
        return .text(markers.joined(separator: " "))
      }
      return section.text(spec.name).map { .text($0) }
    case .text: return section.text(spec.name).map { .text($0) }
    case .reference: return section.text(spec.name).map { .reference($0) }
    case .integer: return section.integer(spec.name, in: Int.min...Int.max).map { .integer(Int64($0)) }
    case .instant:
      guard let text = section.text(spec.name) else { return nil }
      if let value = spec.kind.read(text) { return value }
      problems.add(
        .error, "pack.not_an_instant", at: section.mark(of: spec.name),
        "\"\(shortened(text))\" is no \(spec.name) of \(section.name)", "give \(spec.kind)")
      return nil
    }
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
      var properties = Properties()
      properties["brick"] = draft.brick.map { .text($0) }
      nodes.append(GraphNode(id: draft.device.id, type: .asset, name: draft.label ?? "", properties: properties))
    }
    for entry in points {
      guard let device = entry.device, let draft = entry.draft else { continue }
      if known.insert(entry.id).inserted {
        var properties: Properties = ["unit": .unit(entry.unit)]
        properties["brick"] = draft.brick.map { .text($0) }
        nodes.append(GraphNode(id: entry.id, type: .sensor, name: draft.label ?? "", properties: properties))
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
