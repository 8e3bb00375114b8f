import FoundationEssentials
import Glibc
import Testing

/// The working tree, read as text.
struct Repository: Sendable {
  /// Through whatever links the package is built.
  static let root: String = {
    let beside = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    // The kernel resolves `..` behind a link from where the link leads.
    guard let resolved = unsafe realpath(beside + "/../..", nil) else { return beside + "/../.." }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }()

  static func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: root + "/" + path).map { String(decoding: $0, as: UTF8.self) }
  }

  static func bytes(_ path: String) -> [UInt8]? {
    FileManager.default.contents(atPath: root + "/" + path).map { Array($0) }
  }

  /// Paths of all files below a folder, relative to the root, sorted; nothing that is hidden.
  static func files(below folder: String, suffix: String = "") -> [String] {
    let all = (try? FileManager.default.subpathsOfDirectory(atPath: root + "/" + folder)) ?? []
    return all.filter { path in
      path.hasSuffix(suffix) && !path.split(separator: "/").contains { $0.hasPrefix(".") || $0 == "__pycache__" }
    }.map { folder + "/" + $0 }.sorted()
  }

  static func folders(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: root + "/" + folder)) ?? []).filter { name in
      var isFolder = false
      return FileManager.default.fileExists(atPath: "\(root)/\(folder)/\(name)", isDirectory: &isFolder) && isFolder
    }.sorted()
  }

  static let sources = files(below: "Sources", suffix: ".swift").map(SourceFile.init)
  static let tests = files(below: "Tests", suffix: ".swift").map(SourceFile.init)
}

/// One Swift file.
struct SourceFile: Sendable {
  let path: String
  let lines: [Substring]

  init(_ path: String) {
    self.path = path
    // Only the newline ends a line, also where a text holds other breaks.
    var lines = (Repository.text(path) ?? "").utf8.split(separator: 10, omittingEmptySubsequences: false).map {
      Substring($0)
    }
    if lines.last?.isEmpty == true { lines.removeLast() }
    self.lines = lines
  }

  /// `Sources/Guard/Verdict.swift` belongs to Guard.
  var room: String {
    let parts = path.split(separator: "/")
    return parts.count > 2 ? String(parts[1]) : ""
  }

  /// Below `Sources/`.
  var shortPath: String { path.split(separator: "/").dropFirst().joined(separator: "/") }

  /// What is left of each line without its comment.
  var code: [(line: Int, text: Substring)] {
    lines.enumerated().map { ($0 + 1, Self.withoutComment($1)) }
  }

  /// The modules that the file imports, with their lines.
  var imports: [(line: Int, module: String)] {
    code.compactMap { line, text in
      var words = text.split(separator: " ")
      while let word = words.first, word.hasPrefix("@") || Self.accessWords.contains(String(word)) {
        words.removeFirst()
      }
      guard words.first == "import", words.count >= 2 else { return nil }
      let name = Self.kinds.contains(String(words[1])) && words.count > 2 ? words[2] : words[1]
      return (line, String(name.prefix { $0 != "." }))
    }
  }

  private static let accessWords: Set = ["public", "package", "internal", "fileprivate", "private"]
  private static let kinds: Set = ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"]

  /// A `//` inside a text stays; texts over several lines are taken for code, which is the stricter side.
  private static func withoutComment(_ line: Substring) -> Substring {
    var isText = false
    var previous: Character = " "
    for index in line.indices {
      let character = line[index]
      if character == "\"", previous != "\\" { isText.toggle() }
      if !isText, character == "/", previous == "/" { return line[..<line.index(before: index)] }
      previous = previous == "\\" && character == "\\" ? " " : character
    }
    return line
  }
}

/// Something that a rule does not bear, and where.
struct Finding: Hashable, CustomStringConvertible {
  var path: String
  var line: Int?
  var text: String

  var description: String { path + (line.map { ":\($0)" } ?? "") + ": " + text }
}

/// One issue for a rule, with all its findings.
func expectNone(_ findings: [Finding], _ rule: String, sourceLocation: SourceLocation = #_sourceLocation) {
  guard !findings.isEmpty else { return }
  let shown = findings.prefix(40).map { "\n  \($0)" }.joined()
  let rest = findings.count > 40 ? "\n  and \(findings.count - 40) more" : ""
  Issue.record("\(rule): \(findings.count) found\(shown)\(rest)", sourceLocation: sourceLocation)
}
