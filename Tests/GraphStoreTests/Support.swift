import Glibc
import GraphStore
import TwinCore
import TwinGraph

/// A directory that goes with the test.
final class Place {
  let path: String

  init() {
    var template = Array("/tmp/twind-graph-XXXXXX".utf8CString)
    path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    for name in ["graph.db", "graph.db-wal", "graph.db-shm", "graph.db-journal"] {
      _ = unsafe unlink("\(path)/\(name)")
    }
    _ = unsafe rmdir(path)
  }

  func open() throws(GraphStoreError) -> GraphStore { try GraphStore(directory: path) }

  func bytes(_ name: String = "graph.db") -> [UInt8] {
    guard let file = unsafe fopen("\(path)/\(name)", "rb") else { return [] }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  func write(_ bytes: [UInt8], _ name: String = "graph.db") {
    guard let file = unsafe fopen("\(path)/\(name)", "wb") else { return }
    defer { unsafe fclose(file) }
    _ = unsafe fwrite(bytes, 1, bytes.count, file)
  }

  /// The files as they are at this moment, as a loss of the process leaves them.
  func copy() -> Place {
    let other = Place()
    for name in ["graph.db", "graph.db-wal"] {
      let bytes = bytes(name)
      if !bytes.isEmpty { other.write(bytes, name) }
    }
    return other
  }
}

/// xorshift64*: the seed in a failure's text brings the same history back.
struct Dice {
  private var state: UInt64

  init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func roll(_ sides: Int) -> Int {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return Int((state &* 2_685_821_657_736_338_717) >> 33) % sides
  }

  mutating func pick<Element>(_ elements: [Element]) -> Element { elements[roll(elements.count)] }
}

/// An instant of few: seconds.
func at(_ second: Int64) -> Instant { Instant(nanoseconds: second * 1_000_000_000) }

func always(_ statement: GraphChange.Statement) -> GraphChange { GraphChange(statement, from: at(0)) }

extension GraphStore {
  @discardableResult
  func apply(
    _ changes: [GraphChange], tick: Int64, at second: Int64? = nil
  ) throws(GraphStoreError) -> ClosedRange<Int64>? {
    try apply(GraphBatch(changes, tick: tick, instant: Instant(nanoseconds: (second ?? tick) * 1_000_000_000)))
  }
}

/// The whole history in a list, asked in the simplest way there is.
struct NaiveGraph {
  struct Row {
    var number: Int64
    var tick: Int64
    var change: GraphChange
  }

  var rows: [Row] = []

  mutating func append(_ changes: [GraphChange], tick: Int64) {
    for change in changes { rows.append(Row(number: Int64(rows.count + 1), tick: tick, change: change)) }
  }

  /// The statement that holds of each subject.
  func contents(at instant: Instant, number: Int64 = .max) -> (nodes: [GraphNode], edges: [GraphEdge]) {
    var last: [GraphSubject: GraphChange] = [:]
    for row in rows where row.number <= number && row.change.effective.contains(instant) {
      last[row.change.subject] = row.change
    }
    var nodes: [GraphNode] = []
    var edges: [GraphEdge] = []
    for change in last.values {
      if case .node(let node) = change.statement { nodes.append(node) }
      if case .edge(let edge) = change.statement { edges.append(edge) }
    }
    return (nodes, edges)
  }

  func snapshot(at instant: Instant, number: Int64 = .max) throws(GraphProblem) -> TwinGraph {
    let (nodes, edges) = contents(at: instant, number: number)
    return try TwinGraph(nodes: nodes, edges: edges)
  }

  /// Every instant at which something begins.
  var instants: [Instant] {
    Set(rows.map(\.change.effective.lowerBound) + rows.map(\.change.effective.upperBound)).sorted()
  }

  /// The kinds of problems that any instant shows.
  var problems: Set<GraphProblem.Kind> {
    var found: Set<GraphProblem.Kind> = []
    for instant in instants where instant < .distantFuture {
      let (nodes, edges) = contents(at: instant)
      found.formUnion(TwinGraph.problems(of: nodes, edges: edges).map(\.kind))
    }
    return found
  }
}
