public import TwinCore

/// What nodes and edges may be. Its content is generated from one file; this is its form.
public enum Ontology {
  /// The longest text that a property takes, in bytes.
  public static let textBytesMax = 4096
  /// The longest name of a node, in bytes.
  public static let nameBytesMax = 256

  /// Rows of `table` by node type's code, then by property's code.
  private static let byCode: [[PropertySpec?]] = {
    var rows: [[PropertySpec?]] = []
    for (type, specs) in table {
      while rows.count <= type.code { rows.append([]) }
      rows[type.code] = Array(repeating: nil, count: (specs.map(\.code).max() ?? 0) + 1)
      for spec in specs { rows[type.code][spec.code] = spec }
    }
    return rows
  }()

  static func property(_ code: Int, of type: NodeType) -> PropertySpec? {
    guard byCode.indices.contains(type.code), byCode[type.code].indices.contains(code) else { return nil }
    return byCode[type.code][code]
  }
}

/// One property that a type of node has.
public struct PropertySpec: Hashable, Sendable {
  /// What stands for it in a file; never given to another of its type.
  package let code: Int
  public let name: String
  public let kind: PropertyKind
  public let isRequired: Bool
}

/// What a property's values are.
public enum PropertyKind: Hashable, Sendable {
  case text
  /// Kept in this unit; others of its dimension are converted on entry.
  case number(UnitCode)
  case integer
  case boolean
  /// One of these words.
  case choice([String])
  case instant
  /// The id of a node of one of these types.
  case reference([NodeType])
  case unit
}

extension PropertyKind: CustomStringConvertible {
  /// For messages: `a number in kW`.
  public var description: String {
    switch self {
    case .text: "a text"
    case .number(let unit): "a number in \(unit.ucum)"
    case .integer: "a whole number"
    case .boolean: "true or false"
    case .choice(let words): "one of \(words.joined(separator: ", "))"
    case .instant: "an instant, as 2027-12-31 or 2027-12-31T18:00:00Z"
    case .reference(let types): "the id of a node: \(types.map(\.rawValue).joined(separator: ", "))"
    case .unit: "a UCUM code, as kW or Cel"
    }
  }
}

extension NodeType {
  /// The properties that its nodes may have, in the order of the ontology.
  public var properties: [PropertySpec] { Ontology.table[self] ?? [] }

  public func property(_ name: String) -> PropertySpec? { properties.first { $0.name == name } }

  /// The types whose codes are set as bits.
  static func set(_ codes: UInt64) -> Set<NodeType> { Set(allCases.filter { codes >> UInt64($0.code) & 1 == 1 }) }
}

extension EdgeType {
  /// Whether a pack may write it.
  public var isDeclared: Bool { !isDerived }

  package func begins(at type: NodeType) -> Bool { fromCodes >> UInt64(type.code) & 1 == 1 }
  package func ends(at type: NodeType) -> Bool { toCodes >> UInt64(type.code) & 1 == 1 }
}

extension UnitCode {
  /// A unit that the generator has looked up in the table.
  static func known(_ code: String) -> UnitCode {
    guard let unit = UnitCode(ucum: code) else { preconditionFailure("the ontology names \(code), which is no unit") }
    return unit
  }
}
