public import TwinCore

/// One thing of the site.
public struct GraphNode: Hashable, Sendable {
  /// Unique in the graph, one to three names joined by dots: `chiller-1`, `chiller-1.chw_supply_t`, `m.durand`.
  public var id: String
  public var type: NodeType
  /// For people; empty where the id says it all.
  public var name: String
  public var properties: Properties

  public init(id: String, type: NodeType, name: String = "", properties: Properties = [:]) {
    (self.id, self.type, self.name, self.properties) = (id, type, name, properties)
  }

  /// Whether a text may be an id.
  public static func isID(_ text: String) -> Bool {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    return parts.count <= 3 && parts.allSatisfy { Identifier.isName(Substring($0)) }
  }
}

extension GraphNode {
  /// The value of a property of kind text; nil where there is none, as of the ones below.
  public func text(_ name: String) -> String? {
    if case .text(let text) = properties[name] { text } else { nil }
  }

  /// In the unit of the ontology once the node is in a graph.
  public func number(_ name: String) -> Quantity? {
    if case .number(let quantity) = properties[name] { quantity } else { nil }
  }

  public func integer(_ name: String) -> Int64? {
    if case .integer(let value) = properties[name] { value } else { nil }
  }

  public func boolean(_ name: String) -> Bool? {
    if case .boolean(let value) = properties[name] { value } else { nil }
  }

  public func choice(_ name: String) -> String? {
    if case .choice(let word) = properties[name] { word } else { nil }
  }

  public func instant(_ name: String) -> Instant? {
    if case .instant(let instant) = properties[name] { instant } else { nil }
  }

  public func reference(_ name: String) -> String? {
    if case .reference(let id) = properties[name] { id } else { nil }
  }

  public func unit(_ name: String) -> UnitCode? {
    if case .unit(let unit) = properties[name] { unit } else { nil }
  }

  /// The ids that its properties name, in the order of the properties.
  package var references: [(property: String, id: String)] {
    properties.compactMap { if case .reference(let id) = $0.value { ($0.name, id) } else { nil } }
  }
}

/// One statement: `from` `type` `to`.
public struct GraphEdge: Hashable, Sendable {
  public var from: String
  public var type: EdgeType
  public var to: String

  public init(_ from: String, _ type: EdgeType, _ to: String) { (self.from, self.type, self.to) = (from, type, to) }

  /// By beginning, type, end, in byte order.
  package static func precedes(_ a: GraphEdge, _ b: GraphEdge) -> Bool {
    if a.from != b.from { return inByteOrder(a.from, b.from) }
    if a.type != b.type { return inByteOrder(a.type.rawValue, b.type.rawValue) }
    return inByteOrder(a.to, b.to)
  }
}

extension GraphEdge: CustomStringConvertible {
  public var description: String { "\(from) \(type.rawValue) \(to)" }
}

/// Byte order, the same on every machine.
package func inByteOrder(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
