import Testing
import YAML

@Suite struct `Typed scalars are read in one way or refused` {
  @Test(arguments: [
    ("true", "true"), ("false", "false"), ("yes", "yaml.not_bool 1:4"), ("No", "yaml.not_bool 1:4"),
    ("on", "yaml.not_bool 1:4"), ("OFF", "yaml.not_bool 1:4"), ("True", "yaml.not_bool 1:4"),
    ("y", "yaml.not_bool 1:4"), ("1", "yaml.not_bool 1:4"), ("\"true\"", "yaml.not_bool 1:4"),
    ("", "yaml.not_bool 1:3"),
  ])
  func bool(_ text: String, _ expected: String) {
    #expect(read(text) { scalar throws(YAMLFault) in String(try scalar.bool) } == expected)
  }

  @Test func `A yes is answered with what to write`() {
    let fault = #expect(throws: YAMLFault.self) { try value("yes").bool }
    #expect(fault?.remedy == "write true or false, or quote it if it is text")
    #expect(fault?.message == "t.yaml:1:4: \"yes\" is not true or false")
  }

  @Test(arguments: [
    ("0", "0"), ("-12", "-12"), ("+7", "7"), ("0x8000", "32768"), ("0xFfff", "65535"),
    ("9223372036854775807", "9223372036854775807"), ("-9223372036854775808", "-9223372036854775808"),
    ("9223372036854775808", "yaml.out_of_range 1:4"), ("0xFFFFFFFFFFFFFFFF", "yaml.out_of_range 1:4"),
    ("012", "yaml.not_integer 1:4"), ("00", "yaml.not_integer 1:4"), ("-01", "yaml.not_integer 1:4"),
    ("0o17", "yaml.not_integer 1:4"), ("0b11", "yaml.not_integer 1:4"), ("-0x10", "yaml.not_integer 1:4"),
    ("0x", "yaml.not_integer 1:4"), ("0xG", "yaml.not_integer 1:4"), ("1_000", "yaml.not_integer 1:4"),
    ("17:30", "yaml.not_integer 1:4"), ("1.0", "yaml.not_integer 1:4"), ("1e3", "yaml.not_integer 1:4"),
    ("\"12\"", "yaml.not_integer 1:4"), ("twelve", "yaml.not_integer 1:4"), ("~", "yaml.not_integer 1:4"),
    ("-", "yaml.syntax 1:4"), ("+", "yaml.not_integer 1:4"), ("١٢", "yaml.not_integer 1:4"),
  ])
  func integer(_ text: String, _ expected: String) {
    #expect(read(text) { scalar throws(YAMLFault) in String(try scalar.integer) } == expected)
  }

  @Test func `Integers keep to the range and the width asked for`() throws {
    #expect(try value("0xFFFFFFFFFFFFFFFF").integer(in: 0...UInt64.max) == UInt64.max)
    #expect(try value("247").integer(in: UInt8(1)...247) == 247)
    let fault = #expect(throws: YAMLFault.self) { try value("248").integer(in: UInt8(1)...247) }
    #expect(fault?.problem == "248 is outside 1 to 247")
    #expect(throws: YAMLFault.self) { try value("256").integer(in: UInt8(1)...247) }
    #expect(throws: YAMLFault.self) { try value("-1").integer(in: 0...UInt64.max) }
  }

  @Test(arguments: [
    ("0", "0.0"), ("-0.5", "-0.5"), ("1e3", "1000.0"), ("1.5E-3", "0.0015"), ("6.50", "6.5"), ("+2", "2.0"),
    ("1_000", "yaml.not_number 1:4"), (".inf", "yaml.not_number 1:4"), ("-.INF", "yaml.not_number 1:4"),
    (".nan", "yaml.not_number 1:4"), ("nan", "yaml.not_number 1:4"), ("inf", "yaml.not_number 1:4"),
    ("infinity", "yaml.not_number 1:4"), ("17:30", "yaml.not_number 1:4"), ("012.5", "yaml.not_number 1:4"),
    ("00", "yaml.not_number 1:4"), (".5", "yaml.not_number 1:4"), ("5.", "yaml.not_number 1:4"),
    ("0x10", "yaml.not_number 1:4"), ("0x1p3", "yaml.not_number 1:4"), ("1e", "yaml.not_number 1:4"),
    ("1e999", "yaml.out_of_range 1:4"), ("1e-999", "yaml.out_of_range 1:4"), ("0e-999", "0.0"),
    ("'1.5'", "yaml.not_number 1:4"), ("1.5 kW", "yaml.not_number 1:4"), ("1,5", "yaml.not_number 1:4"),
  ])
  func double(_ text: String, _ expected: String) {
    #expect(read(text) { scalar throws(YAMLFault) in String(try scalar.double) } == expected)
  }

  @Test func `A time of day is answered with quotes`() {
    let fault = #expect(throws: YAMLFault.self) { try value("17:30").double }
    #expect(fault?.remedy.hasPrefix("quote it") == true)
  }

  static let ambiguous = [
    "off", "On", "YES", "no", "y", "N", "true", "False", "null", "NULL", "~", "17:30", "1:2:3", "-1:30", "17:30.5",
    "012", "007", "-01", "00.5", "1e3", "1E-3", "1_000", "0x1F", "0o17", "0b1", "0X1F", "0B1", ".inf", "-.Inf", ".NaN",
    "+5", "-0",
    ".5", "5.", "1.10", "1.0", "12345678901234567890", "00:11:22:33:44:55",
  ]

  @Test(arguments: ambiguous) func `Plain text that others misread is refused, and passes quoted`(_ text: String) throws
  {
    #expect(outcome { () throws(YAMLFault) in _ = try value(text).text } == "yaml.ambiguous_text 1:4")
    #expect(try value("\"\(text)\"").text == text)
    #expect(try value("'\(text)'").text == text)
  }

  @Test(arguments: [
    "Lyon data hall 1", "10.20.0.11", "lyon-01", "15", "-3", "0", "0.4", "-12.75", "onward", "nothing", "no way",
    "host:502", "2s", "17h30", "acme.site", "0.5 K/min", "e3", "2027-12-31", ".hidden", "a_b", "0xZZ", "1.2.3",
  ]) func `Plain text without another reading passes`(_ text: String) throws {
    #expect(try value(text).text == text)
  }

  @Test func `No value is no text`() throws {
    #expect(outcome { () throws(YAMLFault) in _ = try value("").text } == "yaml.ambiguous_text 1:3")
    #expect(try value("\"\"").text.isEmpty)
    #expect(try value("").isNull)
    #expect(try value("~").isNull)
    #expect(try !value("'~'").isNull)
  }

  @Test func `Block text counts as quoted`() throws {
    let scalar = try value("|\n  off\n")
    #expect(!scalar.isPlain)
    #expect(try scalar.text == "off\n")
  }

  private func read(_ text: String, _ body: (Scalar) throws(YAMLFault) -> String) -> String {
    do throws(YAMLFault) {
      return try body(try value(text))
    } catch {
      return "\(error.code) \(error.mark.line):\(error.mark.column)"
    }
  }
}
