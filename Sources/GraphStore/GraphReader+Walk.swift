import SQLite
public import TwinCore
public import TwinGraph

extension GraphReader {
  /// The nodes one edge away, sorted by id, each once. Empty for an id that names nothing then.
  public func neighbours(
    of id: String, along types: Set<EdgeType> = Set(EdgeType.allCases), _ direction: TwinGraph.Direction = .both,
    at instant: Instant, known: GraphKnown = .now
  ) throws(GraphStoreError) -> [GraphNode] {
    try asking(id, at: instant, known) { (key) throws(GraphStoreError) in
      var found: [GraphNode] = []
      for other in try neighbours(of: key, LinkKinds(types, direction)) {
        if let node = try node(other) { found.append(node) }
      }
      return found.sorted { inByteOrder($0.id, $1.id) }
    } ?? []
  }

  /// A node and all that can be reached from it, in breadth-first order, siblings by id; what is inside of it, where no
  /// edge is named. `isComplete` is false where there is more than `limit`.
  public func subtree(
    of root: String, along types: Set<EdgeType> = [.partOf], _ direction: TwinGraph.Direction = .backward,
    at instant: Instant, known: GraphKnown = .now, limit: Int = 100_000
  ) throws(GraphStoreError) -> (nodes: [GraphNode], isComplete: Bool) {
    let limit = min(limit, Self.nodesMax)
    return try asking(root, at: instant, known) { (key) throws(GraphStoreError) in
      try subtree(key, LinkKinds(types, direction), limit: limit)
    } ?? ([], true)
  }

  private func subtree(
    _ root: Int64, _ kinds: LinkKinds, limit: Int
  ) throws(GraphStoreError) -> (nodes: [GraphNode], isComplete: Bool) {
    guard let first = try node(root), limit > 0 else { return ([], limit > 0) }
    var seen: Set<Int64> = [root]
    var keys = [root]
    var nodes = [first]
    var done = 0
    while done < keys.count {
      let start = nodes.count
      try links(of: keys[done], kinds, linkedAt, other: 7) { (other) throws(GraphStoreError) in
        guard seen.insert(other).inserted, let node = try read(linkedAt) else { return }
        keys.append(other)
        nodes.append(node)
      }
      done += 1
      Self.sortSiblings(&keys, &nodes, from: start)
      if nodes.count > limit { return (Array(nodes[..<limit]), false) }
    }
    return (nodes, true)
  }

  /// Nodes are mostly made in the order of their names.
  private static func sortSiblings(_ keys: inout [Int64], _ nodes: inout [GraphNode], from start: Int) {
    // Ids are ASCII, where the order of strings is that of their bytes.
    guard nodes.count - start > 1, !(start + 1..<nodes.count).allSatisfy({ nodes[$0 - 1].id < nodes[$0].id }) else {
      return
    }
    let order = nodes[start...].enumerated().map { (id: $1.id, place: start + $0) }.sorted { $0.id < $1.id }
    let sorted = order.map { (keys[$0.place], nodes[$0.place]) }
    for (place, pair) in zip(start..., sorted) { (keys[place], nodes[place]) = pair }
  }

  /// Ways between two nodes that meet none twice, shortest first, then in byte order.
  public func paths(
    from start: String, to end: String, along types: Set<EdgeType> = Set(EdgeType.allCases),
    _ direction: TwinGraph.Direction = .forward, _ bounds: PathBounds = PathBounds(), at instant: Instant,
    known: GraphKnown = .now
  ) throws(GraphStoreError) -> GraphPaths {
    try asking(start, at: instant, known) { (first) throws(GraphStoreError) in
      guard let last = try key(of: end), try node(first) != nil, try node(last) != nil else {
        return GraphPaths(paths: [], isComplete: true)
      }
      func step(_ kinds: LinkKinds) -> GraphWalk<Int64, GraphStoreError>.Step {
        { (key) throws(GraphStoreError) in
          var named: [(id: String, key: Int64)] = []
          for other in try self.neighbours(of: key, kinds) { named.append((try self.id(of: other), other)) }
          return named.sorted { inByteOrder($0.id, $1.id) }.map(\.key)
        }
      }
      var walk = GraphWalk<Int64, GraphStoreError>(
        stepsMax: bounds.stepsMax, next: step(LinkKinds(types, direction)),
        previous: step(LinkKinds(types, direction.reversed)))
      let found = try walk.paths(from: first, to: last, lengthMax: bounds.lengthMax, countMax: bounds.countMax)
      var paths: [[GraphNode]] = []
      for path in found.paths {
        var nodes: [GraphNode] = []
        for key in path { if let node = try node(key) { nodes.append(node) } }
        paths.append(nodes)
      }
      return GraphPaths(paths: paths, isComplete: found.isComplete)
    } ?? GraphPaths(paths: [], isComplete: true)
  }

  /// Nil for an id that never was.
  private func asking<Result>(
    _ id: String, at instant: Instant, _ known: GraphKnown, _ body: (Int64) throws(GraphStoreError) -> Result
  ) throws(GraphStoreError) -> Result? {
    try reading { () throws(GraphStoreError) -> Result? in
      guard let key = try self.key(of: id) else { return nil }
      try aim(at: instant, known)
      return try body(key)
    }
  }

  /// The keys one link away, each once, as `aim` has set it.
  func neighbours(of key: Int64, _ kinds: LinkKinds) throws(GraphStoreError) -> [Int64] {
    var found: [Int64] = []
    try links(of: key, kinds, linksAt, other: 1) { (other) throws(GraphStoreError) in found.append(other) }
    guard kinds.only == nil, found.count > 1 else { return found }
    var seen: Set<Int64> = []
    return found.filter { seen.insert($0).inserted }
  }

  /// Runs `body` with each key that is one link away, as `aim` has set it, while `rows` stands at its row: `place,
  /// other, is_there` from the column before `other` on. Where several kinds are asked, a key may come again.
  private func links(
    of key: Int64, _ kinds: LinkKinds, _ rows: Query, other: Int32, _ body: (Int64) throws(GraphStoreError) -> Void
  ) throws(GraphStoreError) {
    if let only = kinds.only, bare.contains(key, only) { return }
    var isEmpty = true
    // Per kind, others about which the newest row has spoken.
    var told = Told()
    for range in kinds.ranges {
      try rows.bind(1, key << Schema.keyBits | range.lowerBound << Schema.linkBits)
      try rows.bind(2, key << Schema.keyBits | (range.upperBound + 1) << Schema.linkBits - 1)
      defer { rows.reset() }
      while try rows.step() {
        let kind = Int(rows.integer(other - 1) >> Schema.linkBits & 63)
        guard kinds.contains(kind), told.insert(kind, rows.integer(other)), rows.integer(other + 1) != 0 else {
          continue
        }
        isEmpty = false
        try body(rows.integer(other))
      }
    }
    guard isEmpty, let only = kinds.only, let range = kinds.ranges.first else { return }
    // None then; if none ever, that is worth knowing: most nodes are leaves.
    try linkAny.bind(1, key << Schema.keyBits | range.lowerBound << Schema.linkBits)
    try linkAny.bind(2, key << Schema.keyBits | (range.upperBound + 1) << Schema.linkBits - 1)
    defer { linkAny.reset() }
    if try !linkAny.step() { bare.insert(key, only) }
  }

  /// The pairs of kind and other of one group of rows: a list as long as it is short.
  private struct Told {
    private var kind = -1
    private var list: [Int64] = []
    private var set: Set<Int64> = []
    private static let listMax = 16

    mutating func insert(_ newKind: Int, _ other: Int64) -> Bool {
      if newKind != kind {
        kind = newKind
        list.removeAll(keepingCapacity: true)
        if !set.isEmpty { set.removeAll(keepingCapacity: true) }
      }
      if list.count < Self.listMax {
        guard !list.contains(other) else { return false }
        list.append(other)
        return true
      }
      return !list.contains(other) && set.insert(other).inserted
    }
  }
}

/// The kinds of links that a question follows, as ranges of neighbouring numbers.
struct LinkKinds {
  private(set) var bits: UInt64 = 0
  private(set) var ranges: [ClosedRange<Int64>] = []

  /// The kind, where it is one: then no other is found twice.
  let only: Int?

  init(_ types: Set<EdgeType>, _ direction: TwinGraph.Direction) {
    for type in types {
      if direction != .backward || type.isSymmetric { bits |= 1 << UInt64(Self.kind(type, isEnd: false)) }
      if direction != .forward || type.isSymmetric { bits |= 1 << UInt64(Self.kind(type, isEnd: true)) }
    }
    only = bits.nonzeroBitCount == 1 ? bits.trailingZeroBitCount : nil
    for kind in Int64(0)..<64 where contains(Int(kind)) {
      if let last = ranges.last, last.upperBound == kind - 1 {
        ranges[ranges.count - 1] = last.lowerBound...kind
      } else {
        ranges.append(kind...kind)
      }
    }
    // Beyond two, one read over all that is linked is shorter.
    if ranges.count > 2, let first = ranges.first, let last = ranges.last {
      ranges = [first.lowerBound...last.upperBound]
    }
  }

  func contains(_ kind: Int) -> Bool { bits >> UInt64(kind) & 1 == 1 }

  static func kind(_ type: EdgeType, isEnd: Bool) -> Int { type.code << 1 | (isEnd ? 1 : 0) }
}

/// Nodes that never had a link of a kind, a bit each: what a walk need not look for. It grows by an eighth of a byte
/// for each node and kind that is asked about, to 2 MiB for a kind; nodes beyond are looked for.
struct BareNodes {
  private static let keysMax: Int64 = 1 << 24
  private var words: [[UInt64]] = Array(repeating: [], count: 64)

  func contains(_ key: Int64, _ kind: Int) -> Bool {
    let word = Int(key >> 6)
    return word < words[kind].count && words[kind][word] >> UInt64(key & 63) & 1 == 1
  }

  mutating func insert(_ key: Int64, _ kind: Int) {
    guard key < Self.keysMax else { return }
    let word = Int(key >> 6)
    if word >= words[kind].count {
      words[kind] += Array(repeating: 0, count: max(word + 1, 2 * words[kind].count) - words[kind].count)
    }
    words[kind][word] |= 1 << UInt64(key & 63)
  }

  mutating func remove(_ key: Int64, _ kind: Int) {
    let word = Int(key >> 6)
    if word < words[kind].count { words[kind][word] &= ~(1 << UInt64(key & 63)) }
  }

  mutating func removeAll() { words = Array(repeating: [], count: 64) }
}
