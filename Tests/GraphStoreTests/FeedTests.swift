import GraphStore
import Testing
import TwinCore
import TwinGraph

@Suite struct `The feed of changes` {
  private static func batch(_ tick: Int64) -> [GraphChange] {
    let id = "a\(tick)"
    return [
      always(.node(GraphNode(id: id, type: .asset, name: "Asset \(tick)", properties: ["critical": .boolean(true)]))),
      always(.edge(GraphEdge(id, .partOf, "site"))),
    ]
  }

  @Test func `resumes after a start without gap or repeat`() throws {
    let place = Place()
    var store = try place.open()
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 0)
    var dice = Dice(7)
    var got: [AppliedChange] = []
    var wanted: [GraphChange] = [always(.node(GraphNode(id: "site", type: .site)))]
    for tick in Int64(1)...60 {
      let changes = Self.batch(tick)
      wanted += changes
      try store.apply(
        GraphBatch(changes, tick: tick, instant: at(tick), source: "operator", reason: "because of \(tick)"))
      if dice.roll(3) == 0 { store = try place.open() }
      // A consumer keeps its mark after it has dealt with what it took.
      let mark = try store.reader.mark(of: "sync")
      let next = try store.reader.changes(after: mark, limit: 1 + dice.roll(4))
      got += next
      if let last = next.last { try store.setMark(of: "sync", to: last.number) }
      #expect(try store.reader.mark(of: "kernel") == 0)
    }
    store = try place.open()
    got += try store.reader.changes(after: try store.reader.mark(of: "sync"), limit: .max)
    #expect(got.map(\.number) == Array(1...Int64(wanted.count)))
    #expect(got.map(\.change) == wanted)
    #expect(got.last?.tick == 60 && got.last?.reason == "because of 60" && got.last?.instant == at(60))
  }

  @Test func `a mark never goes back, and never ahead`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 0)
    try store.setMark(of: "sync", to: 1)
    try store.setMark(of: "sync", to: 0)
    #expect(try store.reader.mark(of: "sync") == 1)
    #expect(throws: GraphStoreError.self) { try store.setMark(of: "sync", to: 2) }
  }

  /// The files are copied between any two batches and opened: what was told to be taken is there, whole.
  @Test func `what was taken survives the loss of the process`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 0)
    for tick in Int64(1)...40 {
      try store.apply(Self.batch(tick), tick: tick)
      guard tick % 5 == 0 else { continue }
      let copy = try place.copy().open()
      #expect(copy.changeLast == store.changeLast && copy.tickLast == tick)
      #expect(try copy.reader.snapshot(at: at(1)) == store.reader.snapshot(at: at(1)))
    }
  }

  @Test func `a torn end of the log takes whole batches with it`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 0)
    var ends: [Int64: TwinGraph] = [:]
    for tick in Int64(1)...12 {
      try store.apply(Self.batch(tick), tick: tick)
      ends[store.changeLast] = try store.reader.snapshot(at: at(1))
    }
    let log = place.bytes("graph.db-wal")
    for cut in stride(from: log.count / 2, to: log.count, by: 1777) {
      let torn = Place()
      torn.write(place.bytes(), "graph.db")
      torn.write(Array(log[..<cut]), "graph.db-wal")
      let reopened = try torn.open()
      #expect(try reopened.reader.snapshot(at: at(1)) == ends[reopened.changeLast], "cut at \(cut)")
    }
  }

  /// A walk remembers which nodes are leaves; a leaf may grow.
  @Test func `what was learned of leaves ends where they grow`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))] + Self.batch(1), tick: 1)
    let reader = try GraphReader(directory: place.path)
    for tick in Int64(2)...6 {
      let (parent, child) = ("a\(tick - 1)", "a\(tick)")
      let before = ["site"] + (1..<tick).map { "a\($0)" }
      #expect(try reader.subtree(of: "site", at: at(1)).nodes.map(\.id) == before)
      #expect(try store.reader.subtree(of: "site", at: at(1)).nodes.map(\.id) == before)
      // What is refused is not learned either.
      #expect(throws: GraphStoreError.self) {
        try store.apply([always(.edge(GraphEdge("site", .feeds, parent)))], tick: tick)
      }
      try store.apply(
        [always(.node(GraphNode(id: child, type: .asset))), always(.edge(GraphEdge(child, .partOf, parent)))],
        tick: tick)
      let after = before + [child]
      #expect(try reader.subtree(of: "site", at: at(1)).nodes.map(\.id) == after)
      #expect(try store.reader.subtree(of: "site", at: at(1)).nodes.map(\.id) == after)
      #expect(try reader.subtree(of: "site", at: at(1), known: .tick(tick - 1)).nodes.map(\.id) == before)
    }
  }

  @Test func `another process reads beside the writer`() throws {
    let place = Place()
    #expect(throws: GraphStoreError.self) { try GraphReader(directory: place.path) }
    let store = try place.open()
    let reader = try GraphReader(directory: place.path)
    #expect(try reader.changeLast == 0)
    try store.apply([always(.node(GraphNode(id: "site", type: .site)))], tick: 0)
    #expect(try reader.snapshot(at: at(1)).nodes.map(\.id) == ["site"])
    try store.apply(Self.batch(1), tick: 1)
    #expect(try reader.subtree(of: "site", at: at(1)).nodes.map(\.id) == ["site", "a1"])
  }
}
