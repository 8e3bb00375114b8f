/// What a plain scalar looks like, by the union of the YAML 1.1 types and the 1.2 core schema.
enum Form {
  /// `-12`: no leading zeros.
  case integer
  /// `0x1F`
  case hexadecimal
  /// `0.5`
  case fraction
  /// `1e3`, `1.5E-3`
  case exponent
  /// `012`, `00.5`: octal in 1.1, decimal in 1.2.
  case leadingZero
  /// `1_000`
  case separated
  /// `17:30`: base 60 in 1.1, text in 1.2.
  case sexagesimal
  /// `.inf`, `-.inf`, `.nan`
  case special
  /// `.5`, `5.`, `0o17`, `0b11`, `0X1F`, signed hexadecimal: numbers to some readers only.
  case oddNumber
  case other

  /// Words that some YAML 1.1 reader takes for a truth value, in lower case.
  static let truthWords: Set<String> = ["true", "false", "yes", "no", "on", "off", "y", "n"]

  /// Decimal digits that survive a Double.
  static let digitsKept = 15

  init(_ text: String) {
    let sign = text.utf8.first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") } ?? false
    let bytes = Array(text.utf8.dropFirst(sign ? 1 : 0))
    guard let first = bytes.first, first.isDigit || first == UInt8(ascii: ".") else {
      self = .other
      return
    }
    if let special = Self.specialForm(bytes) {
      self = special
    } else if let based = Self.basedForm(bytes, signed: sign) {
      self = based
    } else if bytes.contains(UInt8(ascii: ":")) {
      let isTime = bytes.allSatisfy {
        $0.isDigit || [UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "_")].contains($0)
      }
      self = isTime && first.isDigit ? .sexagesimal : .other
    } else if first.isDigit, bytes.contains(UInt8(ascii: "_")) {
      let plain = bytes.filter { $0 != UInt8(ascii: "_") }
      self = Self.decimalForm(plain) == .other ? .other : .separated
    } else {
      self = Self.decimalForm(bytes)
    }
  }

  private static func specialForm(_ bytes: [UInt8]) -> Form? {
    let word = String(decoding: bytes, as: UTF8.self).lowercased()
    return word == ".inf" || word == ".nan" ? .special : nil
  }

  /// Forms with a radix prefix.
  private static func basedForm(_ bytes: [UInt8], signed: Bool) -> Form? {
    guard bytes.count > 2, bytes[0] == UInt8(ascii: "0") else { return nil }
    let digits = bytes.dropFirst(2)
    switch bytes[1] {
    case UInt8(ascii: "x"), UInt8(ascii: "X"):
      let isLower = bytes[1] == UInt8(ascii: "x")
      if isLower, digits.allSatisfy(\.isHexDigit) { return signed ? .oddNumber : .hexadecimal }
      return digits.allSatisfy { $0.isHexDigit || $0 == UInt8(ascii: "_") } ? .oddNumber : .other
    case UInt8(ascii: "o"), UInt8(ascii: "O"), UInt8(ascii: "b"), UInt8(ascii: "B"):
      return digits.allSatisfy { $0.isDigit || $0 == UInt8(ascii: "_") } ? .oddNumber : .other
    default: return nil
    }
  }

  /// `digits [. digits] [e [sign] digits]`, and the shortened spellings of it.
  private static func decimalForm(_ bytes: [UInt8]) -> Form {
    var rest = bytes[...]
    let whole = rest.prefix(while: \.isDigit)
    rest = rest.dropFirst(whole.count)
    var form = Form.integer
    var isShort = whole.isEmpty
    if rest.first == UInt8(ascii: ".") {
      let fraction = rest.dropFirst().prefix(while: \.isDigit)
      guard !(whole.isEmpty && fraction.isEmpty) else { return .other }
      form = .fraction
      isShort = isShort || fraction.isEmpty
      rest = rest.dropFirst(1 + fraction.count)
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
      guard !rest.isEmpty, rest.allSatisfy(\.isDigit) else { return .other }
      form = .exponent
      rest = []
    }
    guard rest.isEmpty else { return .other }
    if whole.count > 1, whole.first == UInt8(ascii: "0") { return .leadingZero }
    return isShort ? .oddNumber : form
  }

  /// What another reader of YAML makes of plain `text`, nil when all give it back unchanged.
  static func otherReading(of text: String) -> String? {
    let word = text.lowercased()
    if truthWords.contains(word) { return "a truth value" }
    if word == "null" || word == "~" { return "nothing" }
    switch Form(text) {
    case .sexagesimal: return "a base-60 number"
    case .leadingZero: return "an octal number"
    case .integer, .fraction:
      // A sign or zeros that are dropped, or more digits than a Double keeps.
      let isChanged = text.hasPrefix("+") || text == "-0" || text.contains(".") && text.hasSuffix("0")
      return isChanged || text.utf8.count > digitsKept ? "a number" : nil
    case .hexadecimal, .exponent, .separated, .special, .oddNumber: return "a number"
    case .other: return nil
    }
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

  fileprivate var isHexDigit: Bool {
    isDigit || (self | 0x20 >= UInt8(ascii: "a") && self | 0x20 <= UInt8(ascii: "f"))
  }
}
