import GraphStore
import TwinCore
import TwinGraph

/// A graph of 100,000 nodes with ten versions each: a site of 100 assets, each with ten components of 99 sensors.
enum GraphBench {
  private static let assets = 100
  private static let components = 10
  private static let sensors = 99
  private static let versions = 10
  /// Changes of a batch while the figure is taken, and how many are.
  private static let batch = 100
  private static let measured = 20_000
  private static let begin = PolledSite.begin
  private static let day: Int64 = 86_400 * PolledSite.second

  /// A graph that is there from an earlier run is only read again.
  static func run(in folder: String) throws {
    let store = try GraphStore(directory: folder)
    if try store.reader.changeLast == 0 { try build(store) }
    let instant = begin.advanced(byNanoseconds: day * Int64(versions) / 2 + 1)
    let time = try StoreQueries.milliseconds { round in
      let found = try store.reader.subtree(of: "asset-\(round * 37 % assets)", at: instant)
      guard found.nodes.count == 1 + components * (1 + sensors), found.isComplete else {
        throw BenchFault("\(found.nodes.count) nodes in the subtree")
      }
    }
    print(Figure("graph.asof_subtree_p50_ms", time, "ms", .atMost(2)))
  }

  private static func build(_ store: GraphStore) throws {
    var tick: Int64 = 0
    var nodes: [GraphNode] = [GraphNode(id: "site", type: .site)]
    var edges: [GraphEdge] = []
    for asset in 0..<assets {
      let assetID = "asset-\(asset)"
      nodes.append(GraphNode(id: assetID, type: .asset))
      edges.append(GraphEdge(assetID, .partOf, "site"))
      for component in 0..<components {
        let componentID = "\(assetID)-c\(component)"
        nodes.append(GraphNode(id: componentID, type: .component))
        edges.append(GraphEdge(componentID, .partOf, assetID))
        for sensor in 0..<sensors {
          nodes.append(GraphNode(id: "\(componentID)-s\(sensor)", type: .sensor))
          edges.append(GraphEdge("\(componentID)-s\(sensor)", .partOf, componentID))
        }
      }
    }
    func apply(_ changes: [GraphChange], at instant: Instant) throws {
      tick += 1
      try store.apply(GraphBatch(changes, tick: tick, instant: instant))
    }
    let birth =
      nodes.map { GraphChange(.node(version($0, 0)), from: begin) } + edges.map { GraphChange(.edge($0), from: begin) }
    for first in stride(from: 0, to: birth.count, by: 100_000) {
      try apply(Array(birth[first..<min(first + 100_000, birth.count)]), at: begin)
    }
    var left = measured
    var spent = Spent(wallSeconds: 0, cpuSeconds: 0)
    for number in 1..<versions {
      let instant = begin.advanced(byNanoseconds: Int64(number) * day)
      let changes = nodes.map { GraphChange(.node(version($0, number)), from: instant) }
      var first = 0
      while first < changes.count {
        let size = left > 0 ? batch : 50_000
        let piece = Array(changes[first..<min(first + size, changes.count)])
        let start = Spent.now
        try apply(piece, at: instant)
        if left > 0 {
          spent += Spent.now - start
          left -= piece.count
        }
        first += piece.count
      }
    }
    print(Figure("graph.changes_per_cpu_s", Double(measured) / spent.cpuSeconds, "/s", .atLeast(50_000)))
    print(Figure("graph.changes_per_s", Double(measured) / spent.wallSeconds, "/s", .none))
  }

  private static func version(_ node: GraphNode, _ number: Int) -> GraphNode {
    var node = node
    node.name = "version \(number)"
    node.properties["haystack"] = .text("point sensor v\(number)")
    return node
  }
}
