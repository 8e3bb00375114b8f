/// One piece of text in a YAML text, and how it was written.
///
/// Typed reading refuses what two readers of YAML would understand differently: the 1.1 type rules
/// (yaml.org/type) turn `off` into false, `17:30` into 1050 and `010` into 8, the 1.2 core schema does not.
public struct Scalar: Equatable, Sendable {
  /// The text after unquoting.
  public let raw: String
  /// Whether it stood without quotes; block text (`|`, `>`) counts as quoted.
  public let isPlain: Bool
  public let mark: Mark

  public init(_ raw: String, isPlain: Bool, at mark: Mark) {
    (self.raw, self.isPlain, self.mark) = (raw, isPlain, mark)
  }

  /// Whether nothing was given: an empty place, `~` or `null`, unquoted.
  public var isNull: Bool {
    isPlain && (raw.isEmpty || raw == "~" || raw.lowercased() == "null")
  }

  /// Plain `true` or `false`, or `yaml.not_bool`.
  public var bool: Bool {
    get throws(YAMLFault) {
      guard isPlain else {
        throw YAMLFault(.notBool, at: mark, "the text \(shown) is not true or false", remedy: "remove the quotes")
      }
      switch raw {
      case "true": return true
      case "false": return false
      default:
        let isWord = Form.truthWords.contains(raw.lowercased())
        throw YAMLFault(
          .notBool, at: mark, "\(shown) is not true or false",
          remedy: isWord ? "write true or false, or quote it if it is text" : "write true or false")
      }
    }
  }

  /// A whole number in decimal or `0x` hexadecimal that fits an Int.
  public var integer: Int {
    get throws(YAMLFault) { try integer(in: Int.min...Int.max) }
  }

  /// A plain whole number: decimal without leading zeros, or unsigned `0x` hexadecimal.
  ///
  /// Faults: `yaml.not_integer`; `yaml.out_of_range` outside `range`.
  public func integer<Number: FixedWidthInteger>(in range: ClosedRange<Number>) throws(YAMLFault) -> Number {
    let form = Form(raw)
    guard isPlain, form == .integer || form == .hexadecimal else {
      throw YAMLFault(
        .notInteger, at: mark, "\(shown) is not a whole number",
        remedy: numberRemedy(form, example: "write digits only, such as 12"))
    }
    let digits = form == .hexadecimal ? String(raw.dropFirst(2)) : raw
    guard let value = Number(digits, radix: form == .hexadecimal ? 16 : 10), range.contains(value) else {
      throw YAMLFault(
        .outOfRange, at: mark, "\(raw) is outside \(range.lowerBound) to \(range.upperBound)",
        remedy: "give a value in that range")
    }
    return value
  }

  /// A plain finite decimal number, with or without fraction and exponent.
  ///
  /// Faults: `yaml.not_number`; `yaml.out_of_range` for what a Double cannot hold.
  public var double: Double {
    get throws(YAMLFault) {
      let form = Form(raw)
      guard isPlain, form == .integer || form == .fraction || form == .exponent, let value = Double(raw) else {
        throw YAMLFault(
          .notNumber, at: mark, "\(shown) is not a finite decimal number",
          remedy: numberRemedy(form, example: "write it such as 12 or 0.5"))
      }
      let mantissa = raw.prefix { $0 != "e" && $0 != "E" }
      guard value.isFinite, value != 0 || !mantissa.contains(where: { ("1"..."9").contains($0) }) else {
        throw YAMLFault(.outOfRange, at: mark, "\(raw) is beyond a 64-bit float", remedy: "give a smaller exponent")
      }
      return value
    }
  }

  /// The text: anything quoted, and plain text that every reader of YAML gives back unchanged.
  ///
  /// Fault: `yaml.ambiguous_text`. A plain whole number or a shortest decimal (`15`, `0.4`) is text; `012`, `1e3`,
  /// `1.10` are not.
  public var text: String {
    get throws(YAMLFault) {
      guard isPlain else { return raw }
      guard !raw.isEmpty else {
        throw YAMLFault(
          .ambiguousText, at: mark, "no value is given", remedy: "give a value, or \"\" for an empty text")
      }
      if let reading = Form.otherReading(of: raw) {
        throw YAMLFault(
          .ambiguousText, at: mark, "unquoted \(raw) reads as \(reading) elsewhere", remedy: "quote it: \"\(raw)\"")
      }
      return raw
    }
  }

  /// The text for an error message: as written, quoted, cut at 40 characters.
  var shown: String {
    let head = raw.prefix(40)
    return "\"\(head)\(head.endIndex < raw.endIndex ? "…" : "")\""
  }

  private func numberRemedy(_ form: Form, example: String) -> String {
    guard isPlain else { return "remove the quotes; \(example)" }
    return switch form {
    case .sexagesimal: "quote it if it is a time; \(example)"
    case .leadingZero: "drop the leading zeros, or quote it if it is text"
    case .separated: "drop the underscores"
    case .special: "leave the field out; absence is no number"
    default: example
    }
  }
}
