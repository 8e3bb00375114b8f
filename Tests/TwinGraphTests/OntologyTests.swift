import Glibc
import Testing
import TwinCore

@testable import TwinGraph

private let kilowatt = UnitCode(ucum: "kW")!

@Suite struct `What a node may say` {
  @Test(arguments: [
    (NodeType.asset, "rated_power", PropertyValue.number(Quantity(1500, UnitCode(ucum: "W")!)), ""),
    (.asset, "rated_power", .number(Quantity(1, UnitCode(ucum: "m3")!)), "graph.wrong_unit"),
    (.asset, "rated_power", .number(Quantity(.nan, kilowatt)), "graph.wrong_property"),
    (.asset, "rated_power", .number(Quantity(.infinity, kilowatt)), "graph.wrong_property"),
    (.asset, "rated_power", .integer(3), "graph.wrong_property"),
    (.asset, "rated_power", .text("3 kW"), "graph.wrong_property"),
    (.asset, "meter", .choice("heat"), ""), (.asset, "meter", .choice("steam"), "graph.wrong_property"),
    (.asset, "critical", .boolean(true), ""), (.asset, "critical", .choice("true"), "graph.wrong_property"),
    (.asset, "model", .text(String(repeating: "x", count: 4096)), ""),
    (.asset, "model", .text(String(repeating: "x", count: 4097)), "graph.wrong_property"),
    (.asset, "colour", .text("red"), "graph.unknown_property"),
    (.person, "rated_power", .number(Quantity(1, kilowatt)), "graph.unknown_property"),
    (.sensor, "unit", .unit(kilowatt), ""), (.sensor, "unit", .text("kW"), "graph.wrong_property"),
    (.contract, "ends", .instant(Instant(nanoseconds: 5)), ""),
    (.contract, "ends", .text("2027-12-31"), "graph.wrong_property"),
    (.procedure, "revision", .integer(-1), ""),
    (.simulationRun, "of", .reference("hall-a"), ""),
    (.simulationRun, "of", .reference("Hall A"), "graph.wrong_property"),
    (.simulationRun, "seed", .integer(1), "graph.missing_property"),
  ]) func `is checked by type, kind and unit`(type: NodeType, name: String, value: PropertyValue, code: String) throws {
    let node = GraphNode(id: "x", type: type, properties: [name: value])
    let problems = Ontology.problems(of: node)
    #expect(problems.map(\.code) == (code.isEmpty ? [] : [code]))
    if let problem = problems.first {
      #expect(problem.path == ["x"] && problem.property != nil && !problem.remedy.isEmpty)
      #expect(throws: GraphProblem.self) { try TwinGraph(nodes: [node], edges: []) }
    }
  }

  @Test func `numbers come out in the ontology's unit, through bytes as well`() throws {
    let node = GraphNode(
      id: "a", type: .asset,
      properties: [
        "rated_power": .number(Quantity(1500, UnitCode(ucum: "W")!)), "model": .text("X ≥ 2"),
        "critical": .boolean(false),
        "meter": .choice("water"), "commissioned": .instant(Instant(nanoseconds: -3)),
      ])
    let kept = try Ontology.checked(node)
    #expect(kept.number("rated_power") == Quantity(1.5, kilowatt))
    let view = try #require(AssetNode(kept))
    #expect(view.ratedPower?.value == 1.5 && view.meter == .water && view.critical == false && view.serial == nil)
    #expect(SiteNode(kept) == nil)
    #expect(try Ontology.decoded(Ontology.encoded(kept), of: .asset) == kept.properties)
    #expect(Ontology.encoded(GraphNode(id: "a", type: .asset)).isEmpty)
    let site = GraphNode(id: "s", type: .site, properties: ["latitude": .number(Quantity(45, UnitCode(ucum: "deg")!))])
    #expect(try TwinGraph(nodes: [site], edges: [])["s"]?.number("latitude")?.value == 45)
  }

  @Test(arguments: ["a", "chiller-1.chw_supply_t", "a.b.c"]) func `an id is`(text: String) {
    #expect(GraphNode.isID(text))
  }

  @Test(arguments: ["", "a.b.c.d", "A", "a..b", ".a", "a.", "ä", "1a", String(repeating: "a", count: 65)])
  func `no id is`(text: String) {
    #expect(!GraphNode.isID(text))
    #expect(TwinGraph.problems(of: [GraphNode(id: text, type: .site)], edges: []).map(\.code) == ["graph.bad_name"])
  }

  @Test func `texts are read as their kind`() {
    #expect(PropertyKind.number(kilowatt).read("1500 W") == .number(Quantity(1.5, kilowatt)))
    #expect(PropertyKind.number(kilowatt).read("2.5") == .number(Quantity(2.5, kilowatt)))
    for text in ["", "x", "3 m3", "3 kw", "inf", "1e999"] { #expect(PropertyKind.number(kilowatt).read(text) == nil) }
    #expect(PropertyKind.instant.read("1970-01-02") == .instant(Instant(nanoseconds: 86_400_000_000_000)))
    for text in ["1970-13-01", "tomorrow", "1970-01-0"] { #expect(PropertyKind.instant.read(text) == nil) }
    #expect(PropertyKind.boolean.read("yes") == nil && PropertyKind.integer.read("1.5") == nil)
    // A temperature and a difference of temperatures are not the same kind of number.
    #expect(PropertyKind.number(UnitCode(ucum: "K")!).read("5 Cel") == nil)
  }

  @Test func `references name nodes that are there and may be named`() {
    let run = GraphNode(id: "run", type: .simulationRun, properties: ["of": .reference("x")])
    #expect(TwinGraph.problems(of: [run], edges: []).map(\.path) == [["run", "x"]])
    let person = GraphNode(id: "x", type: .person)
    #expect(TwinGraph.problems(of: [run, person], edges: []).map(\.code) == ["graph.dangling_reference"])
    #expect(TwinGraph.problems(of: [run, GraphNode(id: "x", type: .asset)], edges: []).isEmpty)
  }

  @Test func `random bytes never read as properties by accident`() {
    var dice = Dice(state: 99)
    for _ in 0..<20_000 {
      let bytes = (0..<dice.roll(24)).map { _ in UInt8(dice.roll(256)) }
      for type in [NodeType.asset, .contract] {
        guard let read = try? Ontology.decoded(bytes, of: type) else { continue }
        let node = GraphNode(id: "x", type: type, properties: read)
        #expect(Ontology.encoded(node).count <= bytes.count)
      }
      _ = try? Ontology.decoded(bytes, of: .sensor, version: 1)
    }
  }
}

@Suite struct `What an older ontology wrote` {
  private static let watt = UnitCode(ucum: "W")!
  private static let power = Ontology.table[.asset]!.first { $0.name == "rated_power" }!.code
  private static let model = Ontology.table[.asset]!.first { $0.name == "model" }!.code

  private func lifted(_ steps: [Migration.Step], _ write: (inout CanonicalWriter) -> Void) throws -> Properties {
    var writer = CanonicalWriter()
    write(&writer)
    return try Ontology.decoded(
      writer.bytes, of: .asset, version: Ontology.version - 1, [Migration(to: Ontology.version, steps: steps)])
  }

  @Test func `is lifted step by step`() throws {
    func writeNumber(_ writer: inout CanonicalWriter) {
      writer.array(4)
      writer.integer(Self.model)
      writer.text("X2")
      writer.integer(Self.power)
      writer.double(2500)
    }
    let converted = try lifted(
      [Migration.Step(type: .asset, property: Self.power, .convert(from: Self.watt))], writeNumber)
    #expect(converted == ["model": .text("X2"), "rated_power": .number(Quantity(2.5, kilowatt))])
    let dropped = try lifted([Migration.Step(type: .asset, property: Self.power, .drop)], writeNumber)
    #expect(dropped == ["model": .text("X2")])
    let others = try lifted([Migration.Step(type: .site, property: Self.power, .drop)], writeNumber)
    #expect(others.count == 2)
    let filled = try lifted([Migration.Step(type: .asset, property: Self.model, .fill("unknown"))]) { $0.array(0) }
    #expect(filled == ["model": .text("unknown")])
    let kept = try lifted([Migration.Step(type: .asset, property: Self.model, .fill("unknown"))], writeNumber)
    #expect(kept["model"] == .text("X2"))
    for (text, wanted) in [("3 MW", PropertyValue.number(Quantity(3000, kilowatt))), ("much", nil)] {
      let parsed = try lifted([Migration.Step(type: .asset, property: Self.power, .parse)]) { writer in
        writer.array(2)
        writer.integer(Self.power)
        writer.text(text)
      }
      #expect(parsed["rated_power"] == wanted)
    }
  }

  @Test func `there is a way from every version to this one`() {
    #expect(Ontology.migrations.map(\.to) == Array(2..<Ontology.version + 1))
  }
}

@Suite struct `What is generated` {
  private static let root =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    .joined(separator: "/") + "/../.."

  private func run(_ command: String) -> Int32 {
    // Exit code in the second byte of what `system` gives.
    unsafe system(command) >> 8 & 0xFF
  }

  @Test func `is what the ontology says, and told stale where it is not`() throws {
    let check = "python3 Tests/Support/ontology.py --check"
    #expect(run("cd -P \(Self.root) && \(check)") == 0, "run python3 Tests/Support/ontology.py")
    var template = Array("/tmp/twind-ontology-XXXXXX".utf8CString)
    let copy = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
    defer { _ = run("rm -r \(copy)") }
    let files = [
      "Tests/Support/ontology.py", "docs/schema/ontology.toml", "docs/schema/graph.schema.json", "docs/ontology.md",
      "Sources/TwinGraph/Ontology+Generated.swift", "Sources/TwinGraph/Nodes+Generated.swift",
      "Sources/TwinCore/UnitCode+Table.swift",
    ]
    #expect(run("cd -P \(Self.root) && cp --parents \(files.joined(separator: " ")) \(copy)") == 0)
    let quiet = "2> /dev/null"
    #expect(run("cd \(copy) && \(check)") == 0)
    for file in files[2...5] {
      #expect(run("cd \(copy) && echo >> \(file) && \(check) \(quiet)") == 1, "\(file) is stale and not told")
      #expect(run("cd \(copy) && python3 Tests/Support/ontology.py > /dev/null && \(check)") == 0)
    }
    for (old, new) in [
      ("m3/h", "m3/hour"), ("\"Site\", \"Asset\", \"Component\"", "\"Site\", \"Assets\""), ("code = 12", "code = 11"),
      ("kind = \"choice\"", "kind = \"word\""), ("version = 2", "version = 3"),
    ] {
      let script =
        "import sys; p = 'docs/schema/ontology.toml'; t = open(p).read(); a, b = sys.argv[1:]; "
        + "assert a in t; open(p, 'w').write(t.replace(a, b, 1))"
      #expect(run("cd \(copy) && python3 -c \"\(script)\" '\(old)' '\(new)' && \(check) \(quiet)") == 1, "\(new)")
      #expect(run("cp \(Self.root)/docs/schema/ontology.toml \(copy)/docs/schema/ontology.toml") == 0)
    }
  }

  @Test func `codes are given once`() {
    #expect(Set(NodeType.allCases.map(\.code)).count == 10)
    for type in NodeType.allCases {
      #expect(NodeType(code: type.code) == type)
      for spec in type.properties { #expect(Ontology.property(spec.code, of: type) == spec) }
    }
    for type in EdgeType.allCases { #expect(EdgeType(code: type.code) == type && type.code < 31) }
    #expect(EdgeType.allCases.filter(\.isDeclared).count == 7)
    #expect(EdgeType.owns.to == Set(NodeType.allCases).subtracting([.person]))
  }
}
