import GraphStore
import Testing
import TwinCore
import TwinGraph

@Suite struct `The graph in words` {
  private func store(_ place: Place) throws -> GraphStore {
    let store = try place.open()
    let chiller = GraphNode(id: "chiller-1", type: .asset, properties: ["critical": .boolean(true)])
    try store.apply(
      [
        always(.node(GraphNode(id: "site", type: .site, name: "Plant"))), always(.node(chiller)),
        always(.edge(GraphEdge("chiller-1", .partOf, "site"))),
      ], tick: 1)
    var corrected = chiller
    corrected.properties["critical"] = .boolean(false)
    try store.apply(
      GraphBatch(
        [GraphChange(.node(corrected), effective: at(0)..<at(60))], tick: 2, instant: at(90), reason: "misread"))
    return store
  }

  @Test func `shows nodes, ways, differences and history`() throws {
    let place = Place()
    let store = try store(place)
    let graph = try store.reader.snapshot(at: at(70))
    #expect(
      GraphText.nodes(graph).rows == [
        ["chiller-1", "Asset", "", "critical=true", "part_of site"], ["site", "Site", "Plant", "", ""],
      ])
    #expect(
      GraphText.node("chiller-1", in: graph)?.rows == [["type", "Asset"], ["critical", "true"], ["part_of", "site"]])
    #expect(GraphText.node("nobody", in: graph) == nil)
    let forth = try store.reader.paths(from: "chiller-1", to: "site", at: at(70))
    #expect(GraphText.paths(forth, in: graph).rows == [["1", "chiller-1 ─part_of→ site"]])
    let back = try store.reader.paths(from: "site", to: "chiller-1", .backward, at: at(70))
    #expect(GraphText.paths(back, in: graph).rows == [["1", "site ←part_of─ chiller-1"]])
    let difference = try store.reader.difference(from: (at(5), .tick(1)), to: (at(5), .now))
    #expect(GraphText.difference(difference).rows == [["~", "chiller-1", "critical: true → false"]])
    let history = GraphText.history(try store.reader.history(of: "chiller-1"))
    #expect(history.rows.allSatisfy { $0.count == history.header.count })
    #expect(
      history.rows.last == [
        "4", "1970-01-01T00:00:00.000Z", "1970-01-01T00:01:00.000Z", "1970-01-01T00:01:30.000Z", "2", "now",
        "operator", "Asset critical=false (misread)",
      ])
    #expect(history.rows.first?[5] == "1970-01-01T00:01:30.000Z" && history.rows.first?[7] == "Asset critical=true")
  }
}
