/// A row of docs/rooms.md.
struct RoomRow: Sendable {
  var name: String
  var line: Int
  var isPure: Bool
  var purpose: String
  var imports: Set<String>
  var packages: Set<String>
  var system: Set<String>
}

/// docs/rooms.md: the table of rooms, top row first, and the table of C modules.
struct RoomsPage: Sendable {
  static let path = "docs/rooms.md"
  static let current = RoomsPage(Repository.text(path) ?? "")

  private(set) var rows: [RoomRow] = []
  /// Per C module, the files that may import it, below `Sources/`.
  private(set) var modules: [String: Set<String>] = [:]

  init(_ text: String) {
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      guard line.hasPrefix("| `") else { continue }
      let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast().map(Self.trimmed)
      let name = String(cells[0].split(separator: "`").first ?? "")
      switch cells.count {
      case 5:
        rows.append(
          RoomRow(
            name: name, line: index + 1, isPure: cells[0].hasSuffix("(p)"), purpose: String(cells[1]),
            imports: Self.names(cells[2]), packages: Self.names(cells[3]), system: Self.names(cells[4])))
      case 2: modules[name] = Self.names(cells[1])
      default: continue
      }
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let head = text.drop { $0 == " " }
    return head.lastIndex { $0 != " " }.map { head[...$0] } ?? ""
  }

  private static func names(_ cell: Substring) -> Set<String> {
    Set(cell.split { ", `".contains($0) }.map(String.init))
  }
}

/// A target of Package.swift that is no test.
struct PackageTarget: Sendable {
  enum Kind: String, Sendable { case pure, room, program, library, plain }

  var kind: Kind
  var name: String
  var line: Int
  var targets: Set<String>
  var products: Set<String>
}

/// Package.swift, as far as its own small vocabulary goes: `pure`, `room`, `program`, `library` and `.target(name:`.
struct PackageText: Sendable {
  static let path = "Package.swift"
  static let current = PackageText(Repository.text(path) ?? "")

  private(set) var targets: [PackageTarget] = []

  init(_ text: String) {
    let scalars = Array(text.utf8)
    let products = Self.products(text)
    guard let start = Self.find("targets: [\n", in: scalars, from: 0) else { return }
    let calls: [(word: String, kind: PackageTarget.Kind)] = [
      ("pure(", .pure), ("room(", .room), ("program(", .program), ("library(", .library), (".target(", .plain),
    ]
    for (word, kind) in calls {
      var place = start
      while let found = Self.find(word, in: scalars, from: place) {
        place = found
        // `executableTarget(` and the like end with the same letters as a word.
        guard !Self.isLetter(scalars[found - word.utf8.count - 1]) else { continue }
        let (strings, words) = Self.arguments(scalars, from: found)
        guard let name = strings.first else { continue }
        let line = scalars[..<found].count { $0 == 10 } + 1
        let named = kind == .library ? [] : strings.dropFirst()
        targets.append(
          PackageTarget(
            kind: kind, name: name, line: line, targets: Set(named),
            products: words.reduce(into: []) { $0.formUnion(products[$1] ?? []) }))
      }
    }
    targets.sort { $0.line < $1.line }
  }

  /// `let http: … = […]` with `.product(name: "NIOCore", …)` in it: per constant, the names of its products.
  private static func products(_ text: String) -> [String: Set<String>] {
    var constants: [String: Set<String>] = [:]
    var current = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("let "), let name = line.dropFirst(4).split(whereSeparator: { " :=".contains($0) }).first {
        current = String(name)
      } else if !line.hasPrefix(" "), !line.hasPrefix("]") {
        current = ""
      }
      guard !current.isEmpty else { continue }
      for piece in line.split(separator: "roduct(name: \"", omittingEmptySubsequences: false).dropFirst() {
        constants[current, default: []].insert(String(piece.prefix { $0 != "\"" }))
      }
    }
    return constants
  }

  /// The texts and the bare words of a call, to its closing bracket.
  private static func arguments(_ text: [UInt8], from start: Int) -> (strings: [String], words: [String]) {
    var (strings, words, word): ([String], [String], [UInt8]) = ([], [], [])
    var depth = 1
    var index = start
    var quote: Int?
    while index < text.count, depth > 0 {
      let byte = text[index]
      if let opened = quote {
        if byte == UInt8(ascii: "\"") {
          strings.append(String(decoding: text[(opened + 1)..<index], as: UTF8.self))
          quote = nil
        }
      } else {
        if byte == UInt8(ascii: "\"") { quote = index }
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") { depth -= 1 }
        if isLetter(byte) {
          word.append(byte)
        } else if !word.isEmpty {
          words.append(String(decoding: word, as: UTF8.self))
          word = []
        }
      }
      index += 1
    }
    return (strings, words)
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  /// The place after the first `word` from `start` on.
  private static func find(_ word: String, in text: [UInt8], from start: Int) -> Int? {
    let word = Array(word.utf8)
    guard text.count >= word.count else { return nil }
    for index in start...max(start, text.count - word.count) where index + word.count <= text.count {
      if text[index] == word[0], text[index..<(index + word.count)].elementsEqual(word) { return index + word.count }
    }
    return nil
  }
}
