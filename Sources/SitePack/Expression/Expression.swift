import TwinCore
import YAML

/// A parsed expression: what was written, with places, before anything is known of points and units.
indirect enum Expression: Equatable {
  case number(Double, UnitCode?, at: Int)
  case truth(Bool, at: Int)
  /// A point or a symbol.
  case name(String, at: Int)
  case call(Function, [Expression], at: Int)
  case not(Expression, at: Int)
  case negate(Expression, at: Int)
  case binary(Operator, Expression, Expression, at: Int)

  enum Function: String, CaseIterable {
    case min, max, abs, clamp, sqrt, exp, ln
    case choose = "if"

    /// How many arguments it takes.
    var arity: ClosedRange<Int> {
      switch self {
      case .min, .max: 2...16
      case .abs, .sqrt, .exp, .ln: 1...1
      case .clamp, .choose: 3...3
      }
    }
  }

  enum Operator: String {
    case or, and
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case equal = "=="
    case notEqual = "!="
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case power = "^"

    var isComparison: Bool {
      switch self {
      case .less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual: true
      default: false
      }
    }
  }

  /// Where it begins.
  var offset: Int {
    switch self {
    case .number(_, _, let at), .truth(_, let at), .name(_, let at), .call(_, _, let at), .not(_, let at),
      .negate(_, let at):
      at
    case .binary(_, let left, _, _): left.offset
    }
  }

  /// Errors: `expression.syntax`, `expression.unknown_unit`, `expression.unknown_function`, `expression.too_long`,
  /// `expression.too_deep`.
  static func parse(_ text: String) throws(ExpressionFault) -> Expression {
    var parser = Parser(tokens: try Tokenizer.tokens(of: text))
    let expression = try parser.disjunction(0)
    try parser.expectEnd()
    return expression
  }

  /// Reads `< 9 Cel` as the other end of a comparison: `alarm` gives the quantity that is compared.
  static func parseClear(_ text: String, of alarm: Expression) throws(ExpressionFault) -> Expression {
    var parser = Parser(tokens: try Tokenizer.tokens(of: text))
    guard let comparison = parser.comparison else { return try parse(text) }
    guard case .binary(let kind, let left, _, _) = alarm, kind.isComparison else {
      throw ExpressionFault(
        "syntax", at: 0, "\"\(text)\" has no left side, and \"when\" is no single comparison",
        "write the whole condition under which the alarm ends")
    }
    parser.advance()
    let right = try parser.sum(0)
    try parser.expectEnd()
    return .binary(comparison, left, right, at: 0)
  }
}

/// Recursive descent, one function for each precedence: `or`, `and`, `not`, comparisons, `+ -`, `* /`, unary `-`, `^`.
private struct Parser {
  let tokens: [Token]
  private var position = 0
  /// Brackets, `not`, `-` and `^` inside one another.
  static let depthMax = 32

  init(tokens: [Token]) { self.tokens = tokens }

  private var token: Token { tokens[position] }

  mutating func advance() { if position < tokens.count - 1 { position += 1 } }

  private func isWord(_ word: String) -> Bool { token.kind == .name(word) }

  private mutating func take(_ symbol: String) -> Bool {
    guard token.kind == .symbol(symbol) else { return false }
    advance()
    return true
  }

  private func check(_ depth: Int) throws(ExpressionFault) {
    guard depth <= Self.depthMax else {
      throw ExpressionFault(
        "too_deep", at: token.offset, "the expression is nested more than \(Self.depthMax) deep",
        "split it by a derived point")
    }
  }

  func expectEnd() throws(ExpressionFault) {
    guard token.kind != .end else { return }
    throw ExpressionFault(
      "syntax", at: token.offset, "\(shown) stands where the expression should end",
      comparison != nil ? "join two comparisons by and" : "put an operator between the two")
  }

  private var shown: String {
    switch token.kind {
    case .number(let value, let unit): "\"\(value)\(unit.map { " " + $0.ucum } ?? "")\""
    case .name(let text), .symbol(let text): "\"\(text)\""
    case .end: "the end"
    }
  }

  var comparison: Expression.Operator? {
    guard case .symbol(let text) = token.kind, let kind = Expression.Operator(rawValue: text), kind.isComparison else {
      return nil
    }
    return kind
  }

  mutating func disjunction(_ depth: Int) throws(ExpressionFault) -> Expression {
    try check(depth)
    var left = try conjunction(depth)
    while isWord("or") {
      let at = token.offset
      advance()
      left = .binary(.or, left, try conjunction(depth), at: at)
    }
    return left
  }

  private mutating func conjunction(_ depth: Int) throws(ExpressionFault) -> Expression {
    var left = try negation(depth)
    while isWord("and") {
      let at = token.offset
      advance()
      left = .binary(.and, left, try negation(depth), at: at)
    }
    return left
  }

  private mutating func negation(_ depth: Int) throws(ExpressionFault) -> Expression {
    try check(depth)
    guard isWord("not") else { return try relation(depth) }
    let at = token.offset
    advance()
    return .not(try negation(depth + 1), at: at)
  }

  private mutating func relation(_ depth: Int) throws(ExpressionFault) -> Expression {
    let left = try sum(depth)
    guard let kind = comparison else { return left }
    let at = token.offset
    advance()
    return .binary(kind, left, try sum(depth), at: at)
  }

  mutating func sum(_ depth: Int) throws(ExpressionFault) -> Expression {
    var left = try product(depth)
    while token.kind == .symbol("+") || token.kind == .symbol("-") {
      let kind = token.kind == .symbol("+") ? Expression.Operator.add : .subtract
      let at = token.offset
      advance()
      left = .binary(kind, left, try product(depth), at: at)
    }
    return left
  }

  private mutating func product(_ depth: Int) throws(ExpressionFault) -> Expression {
    var left = try sign(depth)
    while token.kind == .symbol("*") || token.kind == .symbol("/") {
      let kind = token.kind == .symbol("*") ? Expression.Operator.multiply : .divide
      let at = token.offset
      advance()
      left = .binary(kind, left, try sign(depth), at: at)
    }
    return left
  }

  private mutating func sign(_ depth: Int) throws(ExpressionFault) -> Expression {
    try check(depth)
    let at = token.offset
    guard take("-") else { return try power(depth) }
    return .negate(try sign(depth + 1), at: at)
  }

  private mutating func power(_ depth: Int) throws(ExpressionFault) -> Expression {
    let base = try primary(depth)
    let at = token.offset
    guard take("^") else { return base }
    return .binary(.power, base, try sign(depth + 1), at: at)
  }

  private mutating func primary(_ depth: Int) throws(ExpressionFault) -> Expression {
    let start = token
    switch start.kind {
    case .number(let value, let unit):
      advance()
      return .number(value, unit, at: start.offset)
    case .name(let name) where !["and", "or", "not"].contains(name):
      advance()
      if name == "true" || name == "false" { return .truth(name == "true", at: start.offset) }
      if take("(") { return try call(name, at: start.offset, depth + 1) }
      return .name(name, at: start.offset)
    case .symbol("("):
      advance()
      let inner = try disjunction(depth + 1)
      try expect(")", opened: start.offset)
      return inner
    default:
      throw ExpressionFault(
        "syntax", at: start.offset, "\(shown) stands where a value should be", "write a point, a number or a function")
    }
  }

  private mutating func expect(_ symbol: String, opened: Int) throws(ExpressionFault) {
    guard !take(symbol) else { return }
    throw ExpressionFault(
      "syntax", at: token.offset, "\(shown) stands where \"\(symbol)\" should be",
      "close the bracket opened at character \(opened + 1)")
  }

  private mutating func call(_ name: String, at offset: Int, _ depth: Int) throws(ExpressionFault) -> Expression {
    guard let function = Expression.Function(rawValue: name) else {
      let names = Expression.Function.allCases.map(\.rawValue)
      throw ExpressionFault(
        "unknown_function", at: offset, "there is no function \"\(name)\"",
        nearest(to: name, among: names).map { "did you mean \"\($0)\"?" }
          ?? "there are \(names.joined(separator: ", "))")
    }
    var arguments: [Expression] = []
    if token.kind != .symbol(")") {
      repeat {
        arguments.append(try disjunction(depth))
      } while take(",") && arguments.count <= function.arity.upperBound
    }
    try expect(")", opened: offset + name.unicodeScalars.count)
    guard function.arity.contains(arguments.count) else {
      let wanted = function.arity.count == 1 ? "\(function.arity.lowerBound)" : "at least \(function.arity.lowerBound)"
      throw ExpressionFault(
        "syntax", at: offset, "\(name) has \(arguments.count) arguments, it takes \(wanted)", "see docs/site-pack.md")
    }
    return .call(function, arguments, at: offset)
  }
}
