import SQLite
import TwinCore
import TwinGraph

/// One batch on its way into the file: all of it is written first, then what it touched is checked in its final state,
/// at every instant of its intervals. The owner commits it or rolls it back.
struct GraphTransaction {
  let store: GraphStore
  /// The last of the batch so far.
  private(set) var number: Int64
  private(set) var key: Int64
  var checks: [Check] = []

  enum Check {
    case edge(GraphEdge, from: Int64, to: Int64, Range<Int64>)
    /// Edges and references at a node that is gone or of another type.
    case ends(String, Int64, Range<Int64>)
    /// What a node references.
    case references(String, Int64, Range<Int64>)
    /// A property that a tree is made among has changed.
    case tree(Int64, Range<Int64>)
  }

  init(store: GraphStore, number: Int64, key: Int64) { (self.store, self.number, self.key) = (store, number, key) }

  mutating func write(_ change: GraphChange) throws(GraphStoreError) {
    let range = change.effective.lowerBound.nanoseconds..<change.effective.upperBound.nanoseconds
    guard !range.isEmpty else {
      throw GraphStoreError(.outOfOrder, "\(change.subject) from \(change.effective.lowerBound.rfc3339) for no time")
    }
    number += 1
    switch change.statement {
    case .node(let node):
      let checked: GraphNode
      do throws(GraphProblem) { checked = try Ontology.checked(node) } catch { throw GraphStoreError(error) }
      try write(checked, checked.id, try keyMaking(checked.id), range)
    case .noNode(let id):
      guard let key = try store.key(of: id) else { throw GraphStoreError(.notFound, "there never was a node \(id)") }
      try write(nil, id, key, range)
    case .edge(let edge):
      try write(edge, isThere: true, from: try keyMaking(edge.from), to: try keyMaking(edge.to), range)
    case .noEdge(let edge):
      guard let from = try store.key(of: edge.from), let to = try store.key(of: edge.to) else {
        throw GraphStoreError(.notFound, "there never was an edge \(edge)")
      }
      try write(edge, isThere: false, from: from, to: to, range)
    }
  }

  /// The key of an id, new or not. An edge may come before its nodes; one that never gets them is refused by `check`.
  private mutating func keyMaking(_ id: String) throws(GraphStoreError) -> Int64 {
    if let key = try store.key(of: id) { return key }
    guard key < Schema.keyMax else { throw GraphStoreError(.tooBig, "more nodes than a site may ever have had") }
    key += 1
    try store.writes.insertName(id, key: key)
    store.remember(id, key)
    return key
  }

  private mutating func write(
    _ node: GraphNode?, _ id: String, _ key: Int64, _ range: Range<Int64>
  ) throws(GraphStoreError) {
    let before = try store.states(of: key, in: range)
    let group = key << Schema.nodeBits
    let place = before.head.map { $0 - 1 } ?? group | Schema.nodeMask
    guard place >= group else { throw GraphStoreError(.tooBig, "\(id) has more versions than may ever be kept") }
    try store.writes.insertNode(node, id: id, place: place, number: number, range)
    let isNew = before.states.isEmpty
    if !isNew, node == nil || before.states.contains(where: { $0.type != node?.type }) {
      checks.append(.ends(id, key, range))
    }
    let body = node.map(Ontology.encoded) ?? []
    guard !isNew || !body.isEmpty else { return }
    try writeReferences(node, key, before.states, range)
    if !isNew, let node, before.states.contains(where: { $0.body != body }) {
      try checkTree(node, key, before.states, range)
    }
  }

  private mutating func checkTree(
    _ node: GraphNode, _ key: Int64, _ states: [NodeState], _ range: Range<Int64>
  ) throws(GraphStoreError) {
    for property in Set(EdgeType.allCases.compactMap(\.treeAmong)) where node.type.property(property) != nil {
      for state in states where try store.choice(property, of: state) != node.choice(property) {
        checks.append(.tree(key, range))
        return
      }
    }
  }

  /// Links for what the properties name, so that a node that is named cannot go.
  private mutating func writeReferences(
    _ node: GraphNode?, _ key: Int64, _ states: [NodeState], _ range: Range<Int64>
  ) throws(GraphStoreError) {
    let new = Set(node?.references.map(\.id) ?? [])
    var old: Set<String> = []
    for state in states where state.type.hasReferences {
      old.formUnion(try store.properties(of: state).references)
    }
    guard !new.isEmpty || !old.isEmpty else { return }
    for id in old.subtracting(new).sorted() + new.sorted() {
      let target = try keyMaking(id)
      let isThere = new.contains(id)
      let kind = Schema.referenceCode << 1
      _ = try insertLink(key, kind, other: target, isThere: isThere, number: number, range)
      _ = try insertLink(target, kind | 1, other: key, isThere: isThere, number: number, range)
    }
    if let node, !new.isEmpty { checks.append(.references(node.id, key, range)) }
  }

  private func insertLink(
    _ key: Int64, _ kind: Int, other: Int64, isThere: Bool, number: Int64, _ range: Range<Int64>
  ) throws(GraphStoreError) -> Int64 {
    store.reader.bare.remove(key, kind)
    return try store.writes.insertLink(key, kind, other: other, isThere: isThere, number: number, range)
  }

  private mutating func write(
    _ edge: GraphEdge, isThere: Bool, from: Int64, to: Int64, _ range: Range<Int64>
  ) throws(GraphStoreError) {
    let kind = LinkKinds.kind(edge.type, isEnd: false)
    let place = try insertLink(from, kind, other: to, isThere: isThere, number: number, range)
    _ = try insertLink(to, kind | 1, other: from, isThere: isThere, number: number, range)
    try store.writes.insertChange(number, -1 - place)
    if isThere { checks.append(.edge(edge, from: from, to: to, range)) }
  }
}

/// What a node was over a part of an interval, by the newest statements.
struct NodeState {
  let number: Int64
  let type: NodeType
  let body: [UInt8]
  let ranges: Intervals
}

extension GraphStore {
  /// What a node is, by the newest statements, in the parts of `range` in which it is there; and its newest row.
  func states(of key: Int64, in range: Range<Int64>) throws(GraphStoreError) -> (states: [NodeState], head: Int64?) {
    let rows = writes.nodes
    try rows.bind(1, key << Schema.nodeBits)
    try rows.bind(2, key << Schema.nodeBits | Schema.nodeMask)
    defer { rows.reset() }
    var states: [NodeState] = []
    var head: Int64?
    var left = Intervals(range)
    while !left.isEmpty, try rows.step() {
      if head == nil { head = rows.integer(0) }
      let ranges = left.take(rows.integer(6)..<rows.integer(7))
      guard !ranges.isEmpty, rows.integer(2) != 0 else { continue }
      guard let type = NodeType(code: Int(rows.integer(2))) else {
        throw GraphStoreError(.corrupt, "\(database.path): \(rows.text(3)) is of no type that an ontology has")
      }
      states.append(NodeState(number: rows.integer(1), type: type, body: rows.bytes(5), ranges: ranges))
    }
    return (states, head)
  }

  /// The others at the end of each link of a node, by the newest statements, with when they are.
  func links(
    of key: Int64, kinds: ClosedRange<Int>, in range: Range<Int64>
  ) throws(GraphStoreError) -> [(kind: Int, other: Int64, ranges: Intervals)] {
    let rows = writes.links
    try rows.bind(1, (key << 6 | Int64(kinds.lowerBound)) << Schema.linkBits)
    try rows.bind(2, (key << 6 | Int64(kinds.upperBound)) << Schema.linkBits | Schema.linkMask)
    try rows.bind(3, range.lowerBound)
    try rows.bind(4, range.upperBound)
    defer { rows.reset() }
    struct Pair: Hashable { var kind: Int, other: Int64 }
    var left: [Pair: Intervals] = [:]
    var found: [Pair: Intervals] = [:]
    var order: [Pair] = []
    while try rows.step() {
      let pair = Pair(kind: Int(rows.integer(0) >> Schema.linkBits & 63), other: rows.integer(1))
      let taken = left[pair, default: Intervals(range)].take(rows.integer(3)..<rows.integer(4))
      guard !taken.isEmpty, rows.integer(2) != 0 else { continue }
      if found[pair] == nil { order.append(pair) }
      found[pair, default: Intervals()].form(union: taken)
    }
    return order.map { ($0.kind, $0.other, found[$0]!) }
  }

  func properties(of state: NodeState) throws(GraphStoreError) -> Properties {
    try reader.properties(state.body, of: state.type, number: state.number)
  }

  func choice(_ name: String, of state: NodeState) throws(GraphStoreError) -> String? {
    guard !state.body.isEmpty else { return nil }
    if case .choice(let word) = try properties(of: state)[name] { return word }
    return nil
  }
}

extension NodeType {
  var hasReferences: Bool {
    properties.contains { if case .reference = $0.kind { true } else { false } }
  }
}

extension Properties {
  /// The ids that they name.
  var references: [String] { compactMap { if case .reference(let id) = $0.value { id } else { nil } } }
}
