import GraphStore
import SQLite
import Simulation
import Testing
import TwinCore
import TwinGraph

@Suite("The graph's store on a disk that breaks") struct GraphCutTests {
  /// The feed from its beginning, and how far a consumer of it is.
  private struct Memory: Equatable {
    var changes: [GraphChange] = []
    var mark: Int64 = 0
  }

  private static func open(_ disk: SimulatedDisk, seed: UInt64) throws(GraphStoreError) -> GraphStore {
    try GraphStore(directory: "/site", files: disk, vfs: FileStoreVFS(files: disk, seed: seed))
  }

  /// Some assets come, are named anew and go, and with each its edge to the site.
  private static func batch(_ tick: Int64, _ random: inout SeededRandom) -> [GraphChange] {
    let from = Instant(nanoseconds: tick * 1_000_000_000)
    guard tick > 1 else { return [GraphChange(.node(GraphNode(id: "site", type: .site)), from: from)] }
    var changes: [GraphChange] = []
    for asset in Set((0..<1 + random.below(4)).map { _ in random.below(12) }).sorted() {
      let id = "a\(asset)"
      let name = String(repeating: "n\(tick) ", count: random.below(60))
      changes.append(GraphChange(.node(GraphNode(id: id, type: .asset, name: name)), from: from))
      changes.append(GraphChange(.edge(GraphEdge(id, .partOf, "site")), from: from))
    }
    return changes
  }

  /// Until the power goes; gives what the next start may find.
  private static func live(
    _ disk: SimulatedDisk, _ durable: Memory, _ tick: inout Int64, _ random: inout SeededRandom
  ) -> [Memory] {
    var memory = durable
    var attempt = durable
    do throws(GraphStoreError) {
      let store = try open(disk, seed: random.next())
      defer { _ = disk.powerCut(seed: 0) }
      while true {
        attempt = memory
        if random.chance(0.2), !memory.changes.isEmpty {
          attempt.mark = Int64(memory.changes.count)
          try store.setMark(of: "sync", to: attempt.mark)
        } else {
          tick += 1
          let changes = batch(memory.changes.isEmpty ? 1 : tick, &random)
          attempt.changes += changes
          try store.apply(GraphBatch(changes, tick: tick, instant: Instant(nanoseconds: tick)))
        }
        memory = attempt
      }
    } catch {
      #expect(disk.isPowerLost, "\(error)")
      return [memory, attempt]
    }
  }

  private static func found(_ disk: SimulatedDisk) throws(GraphStoreError) -> Memory {
    let store = try open(disk, seed: 0)
    let feed = try store.reader.changes(after: 0, limit: .max)
    let memory = Memory(changes: feed.map(\.change), mark: try store.reader.mark(of: "sync"))
    #expect(feed.map(\.number) == Array(1...Int64(max(1, feed.count))).prefix(feed.count).map { $0 })
    // The snapshot is what the feed says.
    var names: [String: String] = [:]
    for change in memory.changes { if case .node(let node) = change.statement { names[node.id] = node.name } }
    let graph = try store.reader.snapshot(at: .distantFuture.advanced(byNanoseconds: -1))
    #expect(Dictionary(uniqueKeysWithValues: graph.nodes.map { ($0.id, $0.name) }) == names)
    #expect(graph.edges.count == max(0, graph.nodes.count - 1))
    return memory
  }

  @Test("has every batch that it took whole, whenever the power went")
  func cuts() throws {
    for seed in Seeds.list(short: 20, long: 1000) {
      var random = SeededRandom(seed: seed)
      var disk = SimulatedDisk(seed: random.next(), capacity: 8 << 20)
      try disk.makeDirectory("/site")
      try disk.syncDirectory("/")
      var (durable, tick) = (Memory(), Int64(0))
      for generation in 0..<4 {
        disk.losePower(afterSteps: random.below(random.chance(0.3) ? 40 : 300))
        let allowed = Self.live(disk, durable, &tick, &random)
        disk = disk.powerCut(seed: random.next())
        durable = try Self.found(disk)
        // The next start recovers again.
        disk = disk.powerCut(seed: random.next())
        try #require(allowed.contains(durable), "TWIND_SEED=\(seed), generation \(generation)")
      }
    }
  }
}
