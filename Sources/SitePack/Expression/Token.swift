import TwinCore

/// Why an expression cannot be used. `offset` counts Unicode scalars from its beginning.
struct ExpressionFault: Error, Hashable {
  var code: String
  var offset: Int
  var message: String
  var hint: String
  /// Follows from a problem that is told already.
  var isConsequence = false

  init(_ code: String, at offset: Int, _ message: String, _ hint: String) {
    (self.code, self.offset, self.message, self.hint) = ("expression.\(code)", offset, message, hint)
  }
}

/// The words of an expression, each with its place.
struct Token: Equatable {
  enum Kind: Equatable {
    case number(Double, UnitCode?)
    /// A point (`hall-a.zone_t`), a symbol, a function, or one of the words `and or not true false`.
    case name(String)
    case symbol(String)
    case end
  }

  var kind: Kind
  var offset: Int

  static let textLengthMax = 2048
}

/// Cuts a text into tokens.
///
/// A hyphen between letters or digits belongs to the name, as devices have them: subtraction needs spaces. A unit is
/// behind its number; `/` begins a unit only directly at the number (`2/h`), and never before a call (`2 K/min(a, b)`).
struct Tokenizer {
  private let scalars: [Unicode.Scalar]
  private var at = 0

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  static func tokens(of text: String) throws(ExpressionFault) -> [Token] {
    var tokenizer = Tokenizer(text)
    guard tokenizer.scalars.count <= Token.textLengthMax else {
      throw ExpressionFault(
        "too_long", at: 0, "the expression has more than \(Token.textLengthMax) characters",
        "split it by a derived point")
    }
    var tokens: [Token] = []
    repeat { tokens.append(try tokenizer.next()) } while tokens[tokens.count - 1].kind != .end
    return tokens
  }

  private subscript(offset: Int) -> Unicode.Scalar? { offset < scalars.count ? scalars[offset] : nil }

  private mutating func next() throws(ExpressionFault) -> Token {
    while let scalar = self[at], scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" { at += 1 }
    let start = at
    guard let first = self[at] else { return Token(kind: .end, offset: start) }
    if first.isDigit { return try number() }
    if first.isLetter { return Token(kind: .name(name()), offset: start) }
    for text in ["<=", ">=", "==", "!="] where String(String.UnicodeScalarView(scalars[at...].prefix(2))) == text {
      at += 2
      return Token(kind: .symbol(text), offset: start)
    }
    if "+-*/^()<>,".unicodeScalars.contains(first) {
      at += 1
      return Token(kind: .symbol(String(first)), offset: start)
    }
    let hints: [Unicode.Scalar: String] = [
      "=": "compare with ==", "!": "write not, or !=", "&": "write and", "|": "write or", ".": "write 0.5, not .5",
      "'": "write symbols without quotes", "\"": "write symbols without quotes",
    ]
    throw ExpressionFault(
      "syntax", at: start, "\"\(first)\" has no meaning here",
      hints[first] ?? "use points, numbers with units, + - * / ^, comparisons, and, or, not")
  }

  private mutating func name() -> String {
    let start = at
    at += 1
    while let scalar = self[at] {
      let joins = scalar == "-" || scalar == "."
      guard scalar.isLetter || scalar.isDigit || joins && self[at + 1].map({ $0.isLetter || $0.isDigit }) == true else {
        break
      }
      at += 1
    }
    return String(String.UnicodeScalarView(scalars[start..<at]))
  }

  private mutating func number() throws(ExpressionFault) -> Token {
    let start = at
    digits()
    if self[at] == ".", self[at + 1]?.isDigit == true {
      at += 1
      digits()
    }
    if self[at] == "e" || self[at] == "E" {
      let sign = self[at + 1] == "-" || self[at + 1] == "+" ? 1 : 0
      if self[at + 1 + sign]?.isDigit == true {
        at += 1 + sign
        digits()
      }
    }
    let text = String(String.UnicodeScalarView(scalars[start..<at]))
    guard let value = Double(text), value.isFinite else {
      throw ExpressionFault("syntax", at: start, "\(text) is beyond a 64-bit float", "give a smaller exponent")
    }
    return Token(kind: .number(value, try unit()), offset: start)
  }

  private mutating func digits() { while self[at]?.isDigit == true { at += 1 } }

  /// The unit behind a number, if there is one.
  private mutating func unit() throws(ExpressionFault) -> UnitCode? {
    var start = at
    while self[start] == " " { start += 1 }
    guard let first = self[start],
      first.isLetter || first == "%" || first == "[" || first == "{" || (first == "/" && start == at)
    else { return nil }
    var end = start
    var depth = 0
    while let scalar = self[end], scalar.isLetter || scalar.isDigit || "%/.[]{}()".unicodeScalars.contains(scalar) {
      if scalar == "(" { depth += 1 }
      if scalar == ")" {
        guard depth > 0 else { break }
        depth -= 1
      }
      end += 1
    }
    let run = scalars[start..<end]
    // The longest beginning that is a unit and ends where a word may end.
    for length in stride(from: run.count, to: 0, by: -1) {
      let following = self[start + length]
      guard following.map({ !$0.isLetter && !$0.isDigit && $0 != "(" }) ?? true else { continue }
      guard let unit = UnitCode(ucum: String(String.UnicodeScalarView(run.prefix(length)))) else { continue }
      at = start + length
      return unit
    }
    if first == "/" { return nil }
    let word = String(String.UnicodeScalarView(run.prefix { $0 != "(" && $0 != "." }))
    if ["and", "or", "not"].contains(word) { return nil }
    throw ExpressionFault("unknown_unit", at: start, "unit \"\(word)\" is not known", UnitHint.text(for: word))
  }
}

extension Unicode.Scalar {
  fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
  fileprivate var isLetter: Bool { ("a"..."z").contains(self) || ("A"..."Z").contains(self) || self == "_" }
}
