import Testing

@Suite("Sources keep the house rules")
struct SourceTests {
  static let linesMax = 600
  static let columnsMax = 120

  private var all: [SourceFile] { Repository.sources + Repository.tests + [SourceFile("Package.swift")] }

  /// Every line of code that `matches`, as findings.
  private func findings(
    in files: [SourceFile], _ text: String, _ matches: (Substring) -> Bool
  ) -> [Finding] {
    files.flatMap { file in
      file.code.filter { matches($0.text) }.map { Finding(path: file.path, line: $0.line, text: text) }
    }
  }

  @Test("no file imports Foundation: it costs a gateway 44 MB")
  func foundation() {
    let modules: Set = ["Foundation", "FoundationNetworking", "FoundationXML", "FoundationInternationalization"]
    let found = (Repository.sources + Repository.tests).flatMap { file in
      file.imports.filter { modules.contains($0.module) }
        .map { Finding(path: file.path, line: $0.line, text: "imports \($0.module); FoundationEssentials at most") }
    }
    expectNone(found, "imports of Foundation")
  }

  @Test("unstructured tasks and dispatch queues stand in EdgeService alone: they escape a simulated executor")
  func tasks() {
    let files = Repository.sources.filter { $0.room != "EdgeService" }
    let found = findings(in: files, "an unstructured task or a dispatch queue") { text in
      if text.contains("Task.detached") || text.contains("DispatchQueue") { return true }
      // `Task {`, `Task(priority:)`; not addTask, UnstructuredTask and the like.
      for word in ["Task {", "Task(", "Task<"] {
        for range in text.ranges(of: word) {
          let before = range.lowerBound == text.startIndex ? " " : text[text.index(before: range.lowerBound)]
          if !before.isLetter && !before.isNumber && before != "_" { return word != "Task<" }
        }
      }
      return false
    }
    expectNone(found, "work that nobody waits for")
  }

  /// A line with a text may be longer: the formatter breaks such a line wherever the text itself can stay whole.
  @Test("no file is longer than 600 lines, no line longer than 120 characters")
  func lengths() {
    var found: [Finding] = []
    for file in all {
      if file.lines.count > Self.linesMax {
        found.append(Finding(path: file.path, text: "\(file.lines.count) lines, at most \(Self.linesMax)"))
      }
      for (index, line) in file.lines.enumerated() where line.count > Self.columnsMax && !line.contains("\"") {
        found.append(
          Finding(path: file.path, line: index + 1, text: "\(line.count) characters, at most \(Self.columnsMax)"))
      }
    }
    expectNone(found, "too long")
  }

  @Test("what the compiler cannot check says why it holds, on the line before, after, or its own")
  func reasons() {
    let marks = ["@unchecked " + "Sendable", "nonisolated" + "(unsafe)"]
    var found: [Finding] = []
    for file in all {
      for (line, text) in file.code where marks.contains(where: { text.contains($0) }) {
        let near = file.lines[max(0, line - 2)...min(file.lines.count - 1, line)]
        if !near.contains(where: { $0.contains("//") && !$0.hasSuffix("//") }) {
          found.append(Finding(path: file.path, line: line, text: "no reason beside it"))
        }
      }
    }
    expectNone(found, "unchecked without a reason")
  }

  @Test("nothing is left for later without anyone's name on it")
  func later() {
    let marks = ["TO" + "DO", "FIX" + "ME", "HA" + "CK:"]
    let others = ["docs", "systemd", "edge-config"].flatMap { Repository.files(below: $0) } + ["Makefile", ".ci/run"]
    let found = (all + others.map(SourceFile.init)).flatMap { file in
      file.lines.enumerated().filter { line in marks.contains { line.element.contains($0) } }
        .map { Finding(path: file.path, line: $0.offset + 1, text: "do it, or leave it") }
    }
    expectNone(found, "left for later")
  }

  @Test("no plant is known to the sources: what is special about a site stands in its pack")
  func plants() {
    // The demo pack is made for twind's own plant; all others are somebody's.
    let packs = Repository.folders(in: "site-packs").filter { $0 != "demo" }
    let names = ["amphi" + "theat"] + packs
    let found = Repository.sources.flatMap { file in
      file.lines.enumerated().filter { line in names.contains { line.element.lowercased().contains($0) } }
        .map { Finding(path: file.path, line: $0.offset + 1, text: "names a plant") }
    }
    expectNone(found, "plants in the sources")
  }
}

@Suite("The repository opens at its front door")
struct FrontDoorTests {
  @Test("README.md names the commands that the Makefile has", arguments: ["make demo", "make test"])
  func readme(command: String) throws {
    let text = try #require(Repository.text("README.md"), "there is no README.md")
    #expect(text.contains(command), "README.md does not name `\(command)`")
    let target = command.dropFirst(5)
    let makefile = try #require(Repository.text("Makefile"))
    #expect(makefile.contains("\n\(target):"), "Makefile has no target \(target)")
  }

  @Test("edge.yaml explains every key that the daemon reads")
  func configuration() throws {
    let text = try #require(Repository.text("edge-config/edge.yaml")).split(separator: "\n").map(Self.uncommented)
    let reader = SourceFile("Sources/EdgeService/EdgeConfiguration.swift")
    var keys: Set<String> = []
    for (_, line) in reader.code {
      for word in ["text", "word", "section", "duration", "integer"] {
        for piece in line.split(separator: ".\(word)(\"", omittingEmptySubsequences: false).dropFirst() {
          keys.insert(String(piece.prefix { $0 != "\"" }))
        }
      }
    }
    #expect(keys.count >= 10, "only \(keys.sorted()) found in \(reader.path)")
    let missing = keys.filter { key in !text.contains { $0.hasPrefix(key + ":") } }
    #expect(missing.isEmpty, "edge-config/edge.yaml says nothing of \(missing.sorted())")
  }

  private static func uncommented(_ line: Substring) -> Substring { line.drop { $0 == " " || $0 == "#" } }

  @Test("nothing that was built is committed", arguments: [".build", ".build-release", ".venv"])
  func built(folder: String) throws {
    let ignored = try #require(Repository.text(".gitignore")).split(separator: "\n")
    let isIgnored = ignored.contains {
      $0 == "/\(folder)/" || $0 == folder || ($0.hasSuffix("*") && folder.hasPrefix($0.dropLast()))
    }
    #expect(isIgnored, ".gitignore does not name \(folder)")
    // The index names every committed path; in a linked work tree it lies elsewhere, and the line above must do.
    guard let index = Repository.bytes(".git/index") else { return }
    let path = Array((folder + "/").utf8)
    // A path follows the two bytes of its flags; anywhere else the name is part of a longer one.
    let isCommitted = index.indices.dropLast(path.count).contains { place in
      index[place] == path[0] && index[place..<(place + path.count)].elementsEqual(path)
        && (place < 2 || Int(index[place - 1]) | Int(index[place - 2] & 0x0F) << 8 >= path.count)
        && (place == 0 || index[place - 1] != UInt8(ascii: "/"))
    }
    #expect(!isCommitted, "\(folder)/ is in the index: git rm -r --cached \(folder)")
  }
}
