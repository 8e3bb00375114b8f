import TwinCore
import TwinGraph

extension GraphTransaction {
  /// Whether what the batch has touched holds the rules; the first that does not is thrown with its path.
  func check() throws(GraphStoreError) {
    for check in checks {
      switch check {
      case .edge(let edge, let from, let to, let range): try self.check(edge, from, to, range)
      case .ends(let id, let key, let range): try checkEnds(id, key, range)
      case .references(let id, let key, let range): try checkReferences(id, key, range)
      case .tree(let key, let range):
        for type in EdgeType.allCases where type.treeAmong != nil {
          try checkBeginnings(of: key, type, Intervals(range))
          let kind = LinkKinds.kind(type, isEnd: false)
          for link in try store.links(of: key, kinds: kind...kind, in: range) {
            try checkBeginnings(of: link.other, type, link.ranges)
          }
        }
      }
    }
  }

  private func refuse(_ problem: GraphProblem?) throws(GraphStoreError) {
    if let problem { throw GraphStoreError(problem) }
  }

  private func id(_ key: Int64) throws(GraphStoreError) -> String { try store.reader.id(of: key) }

  private func check(_ edge: GraphEdge, _ from: Int64, _ to: Int64, _ range: Range<Int64>) throws(GraphStoreError) {
    let kind = LinkKinds.kind(edge.type, isEnd: false)
    let siblings = try store.links(of: from, kinds: kind...kind, in: range)
    // A later change of the batch may have taken it back.
    guard let ranges = siblings.first(where: { $0.other == to })?.ranges else { return }
    try checkEnds(edge, try states(edge, edge.from, from, ranges), try states(edge, edge.to, to, ranges))
    if edge.type.isTree {
      for other in siblings where other.other != to && !other.ranges.intersection(ranges).isEmpty {
        try refuse(.twoEnds(of: edge.from, edge.type, (try id(other.other), edge.to)))
      }
    }
    if edge.type.treeAmong != nil { try checkBeginnings(of: to, edge.type, ranges) }
    if edge.type.isAcyclic { try checkCircle(edge, from, to, ranges) }
  }

  /// What an end is while the edge is there; refuses an end that is not.
  private func states(
    _ edge: GraphEdge, _ end: String, _ key: Int64, _ ranges: Intervals
  ) throws(GraphStoreError) -> [NodeState] {
    var states: [NodeState] = []
    for range in ranges.ranges {
      let found = try store.states(of: key, in: range).states
      let gaps = found.reduce(Intervals(range)) { $0.subtracting($1.ranges) }
      guard gaps.isEmpty else { throw GraphStoreError(.dangling(edge, end)) }
      states += found
    }
    return states
  }

  private func checkEnds(_ edge: GraphEdge, _ from: [NodeState], _ to: [NodeState]) throws(GraphStoreError) {
    for a in from {
      for b in to where !a.ranges.intersection(b.ranges).isEmpty {
        try refuse(.wrongType(edge, from: a.type, to: b.type))
      }
    }
  }

  /// Every link of a node that is gone for a time, or is of another type.
  private func checkEnds(_ id: String, _ key: Int64, _ range: Range<Int64>) throws(GraphStoreError) {
    for link in try store.links(of: key, kinds: 0...63, in: range) {
      let other = try self.id(link.other)
      let isEnd = link.kind & 1 == 1
      if let type = EdgeType(code: link.kind >> 1) {
        let edge = isEnd ? GraphEdge(other, type, id) : GraphEdge(id, type, other)
        let own = try states(edge, id, key, link.ranges)
        let others = try states(edge, other, link.other, link.ranges)
        try isEnd ? checkEnds(edge, others, own) : checkEnds(edge, own, others)
      } else if isEnd {
        try checkReferences(other, link.other, range)
      }
    }
  }

  /// What a node references, while it does.
  private func checkReferences(_ id: String, _ key: Int64, _ range: Range<Int64>) throws(GraphStoreError) {
    for state in try store.states(of: key, in: range).states {
      let node = GraphNode(id: id, type: state.type, properties: try store.properties(of: state))
      for reference in node.references {
        let target = try store.key(of: reference.id) ?? 0
        var gaps = state.ranges
        for part in state.ranges.ranges {
          for found in try store.states(of: target, in: part).states {
            gaps = gaps.subtracting(found.ranges)
            try refuse(.wrongReference(node, reference.property, GraphNode(id: reference.id, type: found.type)))
          }
        }
        guard gaps.isEmpty else { throw GraphStoreError(.dangling(id, reference.property, reference.id)) }
      }
    }
  }

  /// Of the beginnings that have the end's value of the property that the tree is made among, one at a time may be.
  private func checkBeginnings(of end: Int64, _ type: EdgeType, _ ranges: Intervals) throws(GraphStoreError) {
    guard let property = type.treeAmong else { return }
    let kind = LinkKinds.kind(type, isEnd: true)
    for range in ranges.ranges {
      for state in try store.states(of: end, in: range).states {
        guard let value = try store.choice(property, of: state) else { continue }
        var taken: [(key: Int64, ranges: Intervals)] = []
        for link in try store.links(of: end, kinds: kind...kind, in: range) {
          var own = Intervals()
          for common in link.ranges.intersection(state.ranges).ranges {
            for beginning in try store.states(of: link.other, in: common).states
            where try store.choice(property, of: beginning) == value {
              own.form(union: beginning.ranges)
            }
          }
          for other in taken where !other.ranges.intersection(own).isEmpty {
            try refuse(.twoBeginnings(of: try id(end), type, (try id(link.other), try id(other.key)), among: value))
          }
          taken.append((link.other, own))
        }
      }
    }
  }

  /// Nodes that are looked at from one side before the other side is tried: what is new is mostly a leaf or a root.
  private static let budgets = [32, 512, Int.max]

  private func checkCircle(
    _ edge: GraphEdge, _ from: Int64, _ to: Int64, _ ranges: Intervals
  ) throws(GraphStoreError) {
    if from == to { throw GraphStoreError(.cycle([edge.from, edge.to], edge.type)) }
    for budget in Self.budgets {
      for isForward in [true, false] {
        let (start, target) = isForward ? (to, from) : (from, to)
        let reach = try reach(start, target, LinkKinds.kind(edge.type, isEnd: !isForward), ranges, budget)
        switch reach {
        case .way(let keys):
          var path = [edge.from]
          for key in isForward ? keys : keys.reversed() { path.append(try id(key)) }
          throw GraphStoreError(.cycle(path, edge.type))
        case .none: return
        case .unknown: continue
        }
      }
    }
  }

  private enum Reach {
    case way([Int64])
    case none
    case unknown
  }

  /// Whether a walk leads from one node to another at any one instant of `ranges`.
  private func reach(
    _ start: Int64, _ target: Int64, _ kind: Int, _ ranges: Intervals, _ budget: Int
  ) throws(GraphStoreError) -> Reach {
    guard let first = ranges.ranges.first, let last = ranges.ranges.last else { return .none }
    var visits: [(key: Int64, ranges: Intervals, before: Int)] = [(start, ranges, -1)]
    var seen: [Int64: Intervals] = [start: ranges]
    var done = 0
    while done < visits.count {
      guard done < budget else { return .unknown }
      let visit = visits[done]
      for link in try store.links(of: visit.key, kinds: kind...kind, in: first.lowerBound..<last.upperBound) {
        let common = link.ranges.intersection(visit.ranges)
        guard !common.isEmpty else { continue }
        if link.other == target {
          var way = [target]
          var place = done
          while place >= 0 {
            way.append(visits[place].key)
            place = visits[place].before
          }
          return .way(way.reversed())
        }
        let fresh = common.subtracting(seen[link.other] ?? Intervals())
        guard !fresh.isEmpty else { continue }
        seen[link.other, default: Intervals()].form(union: fresh)
        visits.append((link.other, fresh, done))
      }
      done += 1
    }
    return .none
  }
}
