import Testing

@Suite("The table of attacks and faults is true")
struct MatrixTests {
  private static let path = "docs/fault-matrix.md"
  static let rows = 68

  /// The cells of each row, by its number.
  private static let table: [[Substring]] = (Repository.text(path) ?? "").split(separator: "\n").compactMap { line in
    let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
    guard cells.count == 5, cells.first.flatMap({ Int(trimmed($0)) }) != nil else { return nil }
    return Array(cells)
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return text
  }

  /// What stands between back quotes and names a file and a function.
  private static func tests(in cell: Substring) -> [(file: Substring, name: Substring)] {
    let parts = cell.split(separator: "`", omittingEmptySubsequences: false)
    return parts.enumerated().compactMap { index, part in
      guard index % 2 == 1, let mark = part.firstIndex(of: "#") else { return nil }
      return (part[..<mark], part[part.index(after: mark)...])
    }
  }

  @Test("it has every row once, in order, with a test or with what the row waits for")
  func complete() {
    #expect(Self.table.compactMap { Int(Self.trimmed($0[0])) } == Array(1...Self.rows))
    for cells in Self.table {
      #expect(cells[1...3].allSatisfy { !Self.trimmed($0).isEmpty }, "row \(cells[0]) has an empty cell")
      let isLater = cells[3].contains(" with ") || cells[3].contains("by twind")
      #expect(!Self.tests(in: cells[4]).isEmpty || isLater, "row \(cells[0]) names no test")
    }
  }

  @Test("each test that it names is there")
  func present() {
    var found: [Finding] = []
    for cells in Self.table {
      for test in Self.tests(in: cells[4]) {
        let file = "Tests/\(test.file)"
        let spellings =
          file.hasSuffix(".py") ? ["def \(test.name)("] : ["func \(test.name)(", "func `\(test.name)`("]
        let text = Repository.text(file) ?? ""
        if !spellings.contains(where: { text.contains($0) }) {
          found.append(Finding(path: Self.path, text: "row \(cells[0]): no \(test.name) in \(file)"))
        }
      }
    }
    #expect(Self.table.reduce(0) { $0 + Self.tests(in: $1[4]).count } > Self.rows)
    expectNone(found, "tests that are not there")
  }
}
