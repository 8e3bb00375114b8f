public import TwinCore
package import YAML

/// Something wrong with a pack, where it stands.
public struct PackProblem: Hashable, Sendable {
  public enum Severity: String, Sendable {
    /// The pack cannot be used.
    case error
    /// The pack can be used, and probably does not do what was meant.
    case warning
  }

  public let severity: Severity
  /// A slug, `pack.unknown_key`.
  public let code: String
  /// Relative to the pack.
  public let file: String
  /// From 1; 1:1 where the file as a whole is meant.
  public let line: Int
  public let column: Int
  /// What was seen, and what was wanted.
  public let message: String
  /// One thing to do next.
  public let hint: String

  public init(
    _ severity: Severity, _ code: String, file: String, line: Int, column: Int, message: String, hint: String
  ) {
    (self.severity, self.code, self.file, self.line, self.column) = (severity, code, file, line, column)
    (self.message, self.hint) = (message, hint)
  }
}

extension PackProblem: CustomStringConvertible {
  /// `devices.yaml:7:5: error pack.unknown_key: unknown key "word_oder" in meter-2; did you mean "word_order"?`
  public var description: String {
    "\(file):\(line):\(column): \(severity.rawValue) \(code): \(message)" + (hint.isEmpty ? "" : "; \(hint)")
  }
}

/// Why a pack cannot be compiled.
public struct PackFault: Fault {
  public let code: String
  public let message: String
  public let remedy: String
}

/// Collects problems while a pack is read; nothing stops at the first.
package final class ProblemList {
  private var problems: Set<PackProblem> = []
  package private(set) var hasErrors = false
  /// More than anyone reads: the rest is counted, not kept.
  static let problemsMax = 1000
  private var dropped = 0

  /// More is wrong than is shown: names and expressions are not looked at any more, for that costs time.
  var isFull: Bool { hasErrors && problems.count >= Self.problemsMax }

  package init() {}

  package func add(
    _ severity: PackProblem.Severity = .error, _ code: String, at mark: Mark, _ message: String, _ hint: String = ""
  ) {
    if severity == .error { hasErrors = true }
    guard problems.count < Self.problemsMax else {
      dropped += 1
      return
    }
    problems.insert(
      PackProblem(
        severity, code, file: mark.file, line: mark.line, column: mark.column, message: message, hint: hint))
  }

  package func add(_ fault: YAMLFault) { add(.error, fault.code, at: fault.mark, fault.problem, fault.remedy) }

  /// A fault of an expression, at its place inside the scalar.
  func add(_ fault: ExpressionFault, in scalar: Scalar) {
    if fault.isConsequence { return }
    // In block text the place inside is not known: the beginning must do.
    let inside = scalar.raw.contains("\n") ? 0 : fault.offset + (scalar.isPlain ? 0 : 1)
    let mark = Mark(file: scalar.mark.file, line: scalar.mark.line, column: scalar.mark.column + inside)
    add(.error, fault.code, at: mark, fault.message, fault.hint)
  }

  /// By file, line, column; then by code and text, so that the order never depends on hashing.
  package var sorted: [PackProblem] {
    let sorted = problems.sorted {
      ($0.file, $0.line, $0.column, $0.code) != ($1.file, $1.line, $1.column, $1.code)
        ? ($0.file, $0.line, $0.column, $0.code) < ($1.file, $1.line, $1.column, $1.code) : $0.message < $1.message
    }
    guard dropped > 0, let last = sorted.last else { return sorted }
    return sorted + [
      PackProblem(
        .error, "pack.too_many_problems", file: last.file, line: last.line, column: last.column,
        message: "\(dropped) more problems are not shown", hint: "mend these first")
    ]
  }
}
