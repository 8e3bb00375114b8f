import TwinCore

extension Ontology {
  /// Everything wrong with a node by itself, in the order of its properties.
  public static func problems(of node: GraphNode) -> [GraphProblem] {
    var problems: [GraphProblem] = []
    if !GraphNode.isID(node.id) {
      problems.append(
        GraphProblem(
          .badName, [node.id], "\"\(node.id.prefix(60))\" is no id of a node",
          "write one to three names joined by dots, each a-z, 0-9, - and _, beginning with a letter"))
    }
    if node.name.utf8.count > nameBytesMax {
      problems.append(
        GraphProblem(
          .badName, [node.id], "the name of \(node.id) has \(node.name.utf8.count) bytes",
          "give it at most \(nameBytesMax)"))
    }
    for (name, value) in node.properties {
      guard let spec = node.type.property(name) else {
        problems.append(unknown(name, of: node))
        continue
      }
      if let problem = self.problem(of: value, spec, node) { problems.append(problem) }
    }
    for spec in node.type.properties where spec.isRequired && node.properties[spec.name] == nil {
      problems.append(
        GraphProblem(
          .missingProperty, [node.id], property: spec.name,
          "\(node.id), a \(node.type.rawValue), has no \"\(spec.name)\"", "give \(spec.kind)"))
    }
    return problems
  }

  /// The node with its numbers in the ontology's units. Errors: the first of `problems(of:)`.
  public static func checked(_ node: GraphNode) throws(GraphProblem) -> GraphNode {
    if let problem = problems(of: node).first { throw problem }
    return normalised(node)
  }

  /// As `checked`, of a node without problems.
  static func normalised(_ node: GraphNode) -> GraphNode {
    var result = node
    for (name, value) in node.properties {
      guard case .number(let quantity) = value, case .number(let unit) = node.type.property(name)?.kind,
        quantity.unit != unit, let converted = PropertyKind.converted(quantity, to: unit)
      else { continue }
      result.properties[name] = .number(converted)
    }
    return result
  }

  private static func unknown(_ name: String, of node: GraphNode) -> GraphProblem {
    let known = node.type.properties.map(\.name).joined(separator: ", ")
    return GraphProblem(
      .unknownProperty, [node.id], property: name,
      "\(node.id), a \(node.type.rawValue), cannot have \"\(name.prefix(60))\"", "it may have: \(known)")
  }

  private static func problem(of value: PropertyValue, _ spec: PropertySpec, _ node: GraphNode) -> GraphProblem? {
    let place = "\"\(spec.name)\" of \(node.id)"
    func wrong(_ kind: GraphProblem.Kind, _ message: String) -> GraphProblem {
      GraphProblem(kind, [node.id], property: spec.name, message, "give \(spec.kind)")
    }
    switch (spec.kind, value) {
    case (.text, .text(let text)):
      return text.utf8.count <= textBytesMax
        ? nil : wrong(.wrongProperty, "\(place) has \(text.utf8.count) bytes, at most \(textBytesMax) are kept")
    case (.number(let unit), .number(let quantity)):
      if !quantity.value.isFinite { return wrong(.wrongProperty, "\(place) is \(quantity.value)") }
      return PropertyKind.converted(quantity, to: unit) == nil
        ? wrong(.wrongUnit, "\(place) is \(quantity), which is no quantity in \(unit.ucum)") : nil
    case (.choice(let words), .choice(let word)):
      return words.contains(word) ? nil : wrong(.wrongProperty, "\(place) is \"\(word.prefix(60))\"")
    case (.reference, .reference(let id)):
      return GraphNode.isID(id) ? nil : wrong(.wrongProperty, "\(place) is \"\(id.prefix(60))\", which is no id")
    case (.integer, .integer), (.boolean, .boolean), (.instant, .instant), (.unit, .unit): return nil
    default: return wrong(.wrongProperty, "\(place) is \(value.kindName)")
    }
  }
}
