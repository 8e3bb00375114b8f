import Testing
import TwinCore
import YAML

@Suite struct `A text becomes a tree with places or one located fault` {
  @Test func `Keys and values know their line and column`() throws {
    let root = try document("# first\nsite:\n  id: lyon-01\n  é: [a, 'b c']\n").mapping
    #expect(root.mark == Mark(file: "t.yaml", line: 2, column: 1))
    let site = try #require(root["site"]).mapping
    #expect(site.entries.map(\.key.mark.line) == [3, 4])
    #expect(site["id"]?.mark == Mark(file: "t.yaml", line: 3, column: 7))
    let items = try #require(site["é"]).sequence
    #expect(items.map(\.mark.column) == [7, 10])
    #expect(try items.map { item throws(YAMLFault) in try item.scalar.isPlain } == [true, false])
    #expect(site["id"]?.mark.description == "t.yaml:3:7")
  }

  @Test(arguments: [
    ("", 0), ("# only a comment\n", 0), ("a: 1", 1), ("---\na: 1\n---\nb: 2\n", 2), ("a: 1\n...\n---\nb\n", 2),
    ("---\n---\n", 2), ("\u{FEFF}a: 1", 1),
  ]) func `Documents are counted`(_ text: String, _ count: Int) throws {
    #expect(try Node.documents(in: text, file: "t.yaml").count == count)
  }

  @Test func `A byte order mark moves no column`() throws {
    #expect(try document("\u{FEFF}a: 1").mapping.entries[0].value.mark.column == 4)
  }

  @Test(arguments: [
    ("a: 1\nb: 2\na: 3\n", "yaml.duplicate_key 3:1"),
    ("a: 1\n\"a\": 2\n", "yaml.duplicate_key 2:1"),
    ("x: {a: 1, b: 2, a: 3}", "yaml.duplicate_key 1:17"),
    ("x: [{a: 1}, {b: 1, b: 1}]", "yaml.duplicate_key 1:20"),
    ("a: &x 1", "yaml.anchor 1:4"),
    ("a: &x [1]", "yaml.anchor 1:4"),
    ("&k a: 1", "yaml.anchor 1:1"),
    ("a: 1\nb: *a", "yaml.alias 2:4"),
    ("*a : 1", "yaml.alias 1:1"),
    ("a: !!str 1", "yaml.tag 1:4"),
    ("a: ! 1", "yaml.tag 1:4"),
    ("a: !x {b: 1}", "yaml.tag 1:4"),
    ("%YAML 1.1\n---\na: 1", "yaml.directive 1:1"),
    ("%TAG ! tag:x,2000:\n---\na: 1", "yaml.directive 1:1"),
    ("<<: {a: 1}", "yaml.merge_key 1:1"),
    ("'<<': {a: 1}", "accepted"),
    ("{a: 1}: b", "yaml.complex_key 1:1"),
    ("? [a]\n: b", "yaml.complex_key 1:3"),
    ("a: {: 1}", "yaml.syntax 1:5"),
    ("?\n: b", "yaml.complex_key 1:2"),
    ("a: {{b}}", "yaml.complex_key 1:5"),
    ("a: \"\\0\"", "yaml.control_character 1:4"),
    ("a: 1\nb: \u{0}", "yaml.control_character 2:4"),
    ("a: 1\nbé: \u{1}x", "yaml.control_character 2:5"),
    ("a: b: c", "yaml.syntax 1:5"),
    ("a: 1\n\tb: 2", "yaml.syntax 2:1"),
    ("a: [1, 2", "yaml.syntax 1:9"),
    ("a: \"open", "yaml.syntax 1:9"),
    ("a: [\r\n1,\r2\u{2028}", "yaml.syntax 4:1"),
    ("a: 1\r\nb: 2\rc: \u{1}", "yaml.control_character 3:4"),
    ("a: 1\n b: 2", "yaml.syntax 2:3"),
    ("a: @x", "yaml.syntax 1:4"),
    ("a:\n  - 1\n - 2", "yaml.syntax 3:2"),
    ("a: \"\\q\"", "yaml.syntax 1:5"),
    ("a: \"\\uD800\"", "yaml.syntax 1:7"),
  ]) func `What is refused, and where`(_ text: String, _ expected: String) {
    #expect(outcome { () throws(YAMLFault) in _ = try Node.documents(in: text, file: "t.yaml") } == expected)
  }

  @Test func `A repeated key names the first line`() {
    let fault = #expect(throws: YAMLFault.self) { try document("a: 1\nb: 2\na: 3") }
    #expect(
      fault?.description
        == "t.yaml:3:1: key \"a\" is already given on line 1 [yaml.duplicate_key]; next: keep one of the two")
  }

  @Test(arguments: [
    ("a: [1, 2", "did not find expected ',' or ']' while parsing a flow sequence (from 1:4)", "close the list with ]"),
    ("a: b: c", "mapping values are not allowed in this context", "quote a value that contains \": \""),
    ("a: 1\n\tb: 2", "found a tab character that violates indentation while scanning", "indent with spaces"),
    ("a: @b", "found character that cannot start any token while scanning", "indent with spaces"),
    ("a: \"open", "found unexpected end of stream while scanning a quoted scalar (from 1:4)", "close the quote"),
  ]) func `libyaml's own words come with a remedy`(_ text: String, _ problem: String, _ remedy: String) {
    let fault = #expect(throws: YAMLFault.self) { try document(text) }
    #expect(fault?.problem.hasPrefix(problem) == true, "\(fault?.problem ?? "")")
    #expect(fault?.remedy.hasPrefix(remedy) == true, "\(fault?.remedy ?? "")")
  }

  @Test(
    arguments: [[0x61, 0x3A, 0x20, 0xFF], [0x61, 0x3A, 0x20, 0xC0, 0x80], [0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80]]
      as [[UInt8]])
  func `Bytes that are no UTF-8 are located`(_ bytes: [UInt8]) {
    #expect(
      outcome { () throws(YAMLFault) in _ = try Node.documents(in: bytes, file: "t.yaml") } == "yaml.not_utf8 1:4")
  }

  @Test func `UTF-16 is refused`() {
    let text: [UInt8] = [0xFF, 0xFE, 0x61, 0x00, 0x3A, 0x00]
    #expect(outcome { () throws(YAMLFault) in _ = try Node.documents(in: text, file: "t.yaml") } == "yaml.not_utf8 1:1")
  }

  @Test func `Depth is bounded exactly, in flow and in block style`() throws {
    func brackets(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    func dashes(_ depth: Int) -> String { String(repeating: "- ", count: depth) + "x" }
    _ = try document(brackets(32))
    _ = try document(dashes(32))
    #expect(outcome { () throws(YAMLFault) in _ = try document(brackets(33)) } == "yaml.too_deep 1:33")
    #expect(outcome { () throws(YAMLFault) in _ = try document(dashes(33)) } == "yaml.too_deep 1:65")
    let deep = String(repeating: "[", count: 1_000_000)
    #expect(outcome { () throws(YAMLFault) in _ = try document(deep) } == "yaml.too_deep 1:33")
  }

  @Test func `Size and number of values are bounded`() throws {
    let large = [UInt8](repeating: UInt8(ascii: "#"), count: Node.bytesMax + 1)
    #expect(
      outcome { () throws(YAMLFault) in _ = try Node.documents(in: large, file: "t.yaml") } == "yaml.too_large 1:1")
    #expect(try Node.documents(in: Array(large.dropLast()), file: "t.yaml").isEmpty)
    let items = String(repeating: "- 1\n", count: Node.nodesMax - 1)
    #expect(try document(items).sequence.count == Node.nodesMax - 1)
    #expect(
      outcome { () throws(YAMLFault) in _ = try document(items + "- 1\n") } == "yaml.too_many_nodes \(Node.nodesMax):3")
  }

  @Test func `A wrong shape says what stands there`() throws {
    let root = try document("a: [1]\nb: {c: 1}\nd: text\ne:\n").mapping
    #expect(outcome { () throws(YAMLFault) in _ = try root["a"]!.scalar } == "yaml.wrong_shape 1:4")
    #expect(outcome { () throws(YAMLFault) in _ = try root["b"]!.sequence } == "yaml.wrong_shape 2:4")
    let fault = #expect(throws: YAMLFault.self) { try root["d"]!.mapping }
    #expect(fault?.problem == "the value \"text\" stands where a mapping is wanted")
    #expect(throws: YAMLFault.self) { try root["e"]!.mapping }
    #expect(root["f"] == nil)
  }
}
