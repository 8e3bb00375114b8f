/// A value of a YAML text, with its place. Scalars stay text until a field asks for a type.
public enum Node: Equatable, Sendable {
  case scalar(Scalar)
  case sequence([Node], at: Mark)
  case mapping(Mapping)

  public var mark: Mark {
    switch self {
    case .scalar(let scalar): scalar.mark
    case .sequence(_, let mark): mark
    case .mapping(let mapping): mapping.mark
    }
  }

  /// The scalar, or `yaml.wrong_shape`.
  public var scalar: Scalar {
    get throws(YAMLFault) {
      guard case .scalar(let scalar) = self else { throw wrongShape(wanted: "one value") }
      return scalar
    }
  }

  /// The items, or `yaml.wrong_shape`.
  public var sequence: [Node] {
    get throws(YAMLFault) {
      guard case .sequence(let items, _) = self else { throw wrongShape(wanted: "a list") }
      return items
    }
  }

  /// The mapping, or `yaml.wrong_shape`.
  public var mapping: Mapping {
    get throws(YAMLFault) {
      guard case .mapping(let mapping) = self else { throw wrongShape(wanted: "a mapping") }
      return mapping
    }
  }

  private func wrongShape(wanted: String) -> YAMLFault {
    let seen =
      switch self {
      case .scalar(let scalar): scalar.isNull ? "nothing" : "the value \(scalar.shown)"
      case .sequence: "a list"
      case .mapping: "a mapping"
      }
    let form =
      switch wanted {
      case "a list": "write [a, b], or one \"- item\" a line"
      case "a mapping": "write {key: value}, or indented \"key: value\" lines"
      default: "write one value here"
      }
    return YAMLFault(.wrongShape, at: mark, "\(seen) stands where \(wanted) is wanted", remedy: form)
  }
}

/// Key/value pairs in the order of the text; no key twice.
public struct Mapping: Equatable, Sendable {
  public struct Entry: Equatable, Sendable {
    public let key: Scalar
    public let value: Node

    public init(key: Scalar, value: Node) {
      (self.key, self.value) = (key, value)
    }
  }

  public let entries: [Entry]
  public let mark: Mark

  public init(_ entries: [Entry], at mark: Mark) {
    (self.entries, self.mark) = (entries, mark)
  }

  /// The value of `key`, by its text, quoted or not. Linear in the number of entries.
  public subscript(key: String) -> Node? {
    entries.first { $0.key.raw == key }?.value
  }
}
