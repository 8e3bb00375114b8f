import Testing

@Suite("Rooms are what docs/rooms.md says")
struct RoomTests {
  let page = RoomsPage.current
  let package = PackageText.current

  private func place(_ row: RoomRow) -> (String, Int?) { (RoomsPage.path, row.line) }

  @Test("the page and Package.swift are read at all")
  func readable() {
    #expect(page.rows.count >= 20, "docs/rooms.md: its table has \(page.rows.count) rows")
    #expect(package.targets.count >= 20, "Package.swift: \(package.targets.count) targets found")
    #expect(Repository.sources.count >= 100, "Sources: \(Repository.sources.count) Swift files found")
  }

  @Test("every target has one row, with the arrows that Package.swift has")
  func sameArrows() {
    let rows = Dictionary(grouping: page.rows, by: \.name)
    var findings: [Finding] = []
    for target in package.targets {
      guard let row = rows[target.name]?.first else {
        findings.append(
          Finding(path: PackageText.path, line: target.line, text: "\(target.name) has no row in \(RoomsPage.path)"))
        continue
      }
      for (name, inPackage, inPage) in [
        ("imports", target.targets, row.imports), ("packages", target.products, row.packages),
      ] where inPackage != inPage {
        let missing = inPackage.subtracting(inPage).sorted()
        let idle = inPage.subtracting(inPackage).sorted()
        findings.append(
          Finding(
            path: RoomsPage.path, line: row.line,
            text: "\(target.name), \(name): only in Package.swift \(missing), only here \(idle)"))
      }
      if (target.kind == .pure) != row.isPure {
        findings.append(
          Finding(
            path: RoomsPage.path, line: row.line, text: "\(target.name) is pure here or in Package.swift, not in both"))
      }
    }
    let targets = Set(package.targets.map(\.name))
    for row in page.rows where !targets.contains(row.name) || rows[row.name]!.count > 1 {
      findings.append(Finding(path: RoomsPage.path, line: row.line, text: "\(row.name) is no target, or has two rows"))
    }
    expectNone(findings, "arrows differ")
  }

  @Test("a room imports only rows below its own")
  func downwards() {
    var findings: [Finding] = []
    for (index, row) in page.rows.enumerated() {
      let below = Set(page.rows[(index + 1)...].map(\.name))
      for name in row.imports.subtracting(below).sorted() {
        findings.append(
          Finding(path: RoomsPage.path, line: row.line, text: "\(row.name) imports \(name), which is no row below it"))
      }
    }
    expectNone(findings, "arrows that do not go down")
  }

  @Test("a pure room imports pure rooms alone; the guard imports TwinCore alone")
  func pure() {
    let pureRooms = Set(page.rows.filter(\.isPure).map(\.name))
    var findings: [Finding] = []
    for row in page.rows where row.isPure {
      let others = row.imports.subtracting(pureRooms).union(row.packages).union(row.system)
      if !others.isEmpty {
        findings.append(
          Finding(path: RoomsPage.path, line: row.line, text: "\(row.name) is pure and imports \(others.sorted())"))
      }
    }
    for file in Repository.sources where pureRooms.contains(file.room) {
      for (line, module) in file.imports where !pureRooms.contains(module) {
        findings.append(Finding(path: file.path, line: line, text: "a pure room imports \(module)"))
      }
    }
    #expect(page.rows.first { $0.name == "Guard" }?.imports == ["TwinCore"])
    expectNone(findings, "pure rooms with impure imports")
  }

  @Test("every import in the sources stands in its room's row")
  func imports() {
    let rows = Dictionary(page.rows.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var findings: [Finding] = []
    var used: [String: Set<String>] = [:]
    for file in Repository.sources {
      guard let row = rows[file.room] else { continue }
      for (line, module) in file.imports {
        used[file.room, default: []].insert(module)
        if !row.imports.union(row.packages).union(row.system).contains(module) {
          findings.append(Finding(path: file.path, line: line, text: "\(module) is not in the row of \(file.room)"))
        }
      }
    }
    for row in page.rows {
      let idle = row.system.subtracting(used[row.name] ?? []).sorted()
      if !idle.isEmpty {
        findings.append(Finding(path: RoomsPage.path, line: row.line, text: "\(row.name) imports none of \(idle)"))
      }
    }
    expectNone(findings, "imports beside the table")
  }

  @Test("a C module is imported by the files that the page names, and by no other")
  func cModules() {
    var findings: [Finding] = []
    var importers: [String: Set<String>] = [:]
    for file in Repository.sources {
      for (line, module) in file.imports where page.modules[module] != nil {
        importers[module, default: []].insert(file.shortPath)
        if !page.modules[module]!.contains(file.shortPath) {
          findings.append(Finding(path: file.path, line: line, text: "may not import \(module)"))
        }
      }
    }
    for (module, files) in page.modules {
      for file in files.subtracting(importers[module] ?? []).sorted() {
        findings.append(Finding(path: RoomsPage.path, text: "\(file) does not import \(module)"))
      }
    }
    let cTargets = Set(package.targets.filter { $0.kind == .library || $0.kind == .plain }.map(\.name))
    #expect(cTargets == Set(page.modules.keys), "the table of C modules and Package.swift differ")
    expectNone(findings, "C modules seen by other files")
  }

  @Test("every folder of Sources is a target, and every room says what it owns")
  func folders() {
    let folders = Set(Repository.folders(in: "Sources"))
    let targets = Set(package.targets.map(\.name))
    #expect(
      folders == targets, "only folders: \(folders.subtracting(targets)); only targets: \(targets.subtracting(folders))"
    )
    expectNone(
      page.rows.filter { $0.purpose.isEmpty }.map { Finding(path: RoomsPage.path, line: $0.line, text: "no purpose") },
      "rows without a purpose")
  }

  @Test("no room and no file is called manager, helper, util or common")
  func names() {
    let refused = ["Manager", "Helper", "Util", "Common"]
    let paths = Repository.folders(in: "Sources") + Repository.sources.map(\.path)
    expectNone(
      paths.filter { path in refused.contains { path.contains($0) } }.map {
        Finding(path: $0, text: "say what it owns")
      },
      "names that say nothing")
  }
}
