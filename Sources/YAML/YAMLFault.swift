public import TwinCore

/// Where in which text something stands; both numbers count from 1, columns in Unicode scalars.
public struct Mark: Hashable, Sendable, CustomStringConvertible {
  public let file: String
  public let line: Int
  public let column: Int

  public init(file: String, line: Int, column: Int) {
    (self.file, self.line, self.column) = (file, line, column)
  }

  public var description: String { "\(file):\(line):\(column)" }
}

/// Why a text is no acceptable YAML, or why a scalar is not what its field asks for.
public struct YAMLFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// libyaml's scanner or parser refused the text.
    case syntax
    case notUTF8 = "not_utf8"
    /// NUL, or another control character that YAML does not allow.
    case controlCharacter = "control_character"
    case tooLarge = "too_large"
    case tooDeep = "too_deep"
    case tooManyNodes = "too_many_nodes"
    case duplicateKey = "duplicate_key"
    /// A mapping key that is a list, a mapping, or nothing.
    case complexKey = "complex_key"
    case mergeKey = "merge_key"
    case anchor
    case alias
    case tag
    case directive
    /// A list where a mapping is wanted, and the like.
    case wrongShape = "wrong_shape"
    case notBool = "not_bool"
    case notInteger = "not_integer"
    case notNumber = "not_number"
    case outOfRange = "out_of_range"
    /// Plain text that other readers of YAML take for a number, a truth value, a time or nothing.
    case ambiguousText = "ambiguous_text"
  }

  public let kind: Kind
  public let mark: Mark
  /// What happened, without the place.
  public let problem: String
  public let remedy: String

  public init(_ kind: Kind, at mark: Mark, _ problem: String, remedy: String) {
    (self.kind, self.mark, self.problem, self.remedy) = (kind, mark, problem, remedy)
  }

  public var code: String { "yaml.\(kind.rawValue)" }
  public var message: String { "\(mark): \(problem)" }
}
