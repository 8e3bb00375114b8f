import GraphStore
import Testing
import TwinCore
import TwinGraph

@Suite struct `Random histories` {
  private static let ids = (0..<7).map { "n\($0)" }

  private static func node(_ dice: inout Dice) -> GraphNode {
    let id = dice.pick(ids)
    switch dice.roll(12) {
    case 0: return GraphNode(id: id, type: .component, properties: ["meter": .choice("heat")])
    case 1: return GraphNode(id: id, type: .person, name: "Person \(dice.roll(3))")
    case 2: return GraphNode(id: id, type: .simulationRun, properties: ["of": .reference(dice.pick(ids))])
    case 3: return GraphNode(id: id, type: .site)
    case 4...6:
      return GraphNode(id: id, type: .asset, properties: ["meter": .choice(dice.pick(["heat", "water"]))])
    default:
      let power = Quantity(Double(dice.roll(4)), UnitCode(ucum: "kW")!)
      return GraphNode(id: id, type: .asset, properties: ["rated_power": .number(power)])
    }
  }

  private static func change(_ dice: inout Dice, _ known: Set<String>) -> GraphChange {
    let start = Int64(dice.roll(8))
    // From then on, for a while, or a correction of the past.
    let effective =
      dice.roll(2) == 0 ? at(start)..<Instant.distantFuture : at(start)..<at(start + 1 + Int64(dice.roll(4)))
    let edge = GraphEdge(
      dice.pick(ids), dice.pick([.feeds, .feeds, .partOf, .partOf, .dependsOn, .owns, .electricallyConnectedTo]),
      dice.pick(ids))
    switch dice.roll(10) {
    case 0 where !known.isEmpty: return GraphChange(.noNode(dice.pick(known.sorted())), effective: effective)
    case 1 where known.contains(edge.from) && known.contains(edge.to):
      return GraphChange(.noEdge(edge), effective: effective)
    case 2...5: return GraphChange(.edge(edge), effective: effective)
    default: return GraphChange(node(&dice).statement, effective: effective)
    }
  }

  /// The store's check of what a batch touches against the snapshot's check of everything, at every instant.
  @Test(arguments: 1...60) func `are taken or refused, and read back, as a naive graph says`(seed: Int) throws {
    var dice = Dice(seed)
    let place = Place()
    var store = try place.open()
    var naive = NaiveGraph()
    var known: Set<String> = []
    var (taken, refused) = (0, 0)
    for tick in Int64(1)...40 {
      var changes: [GraphChange] = []
      for _ in 0...dice.roll(5) {
        let change = Self.change(&dice, known)
        changes.append(change)
      }
      var next = naive
      next.append(changes, tick: tick)
      let problems = next.problems
      do {
        try store.apply(changes, tick: tick)
        #expect(problems.isEmpty, "seed \(seed), tick \(tick): taken, but \(problems)")
        naive = next
        for change in changes { known.formUnion(change.ids) }
        taken += 1
      } catch {
        let kind = try #require(error.problem?.kind, "seed \(seed), tick \(tick): \(error)")
        #expect(problems.contains(kind), "seed \(seed), tick \(tick): \(error), but \(problems)")
        refused += 1
      }
      guard store.changeLast == Int64(naive.rows.count) else { break }
      if dice.roll(10) == 0 { store = try place.open() }
    }
    #expect(taken > 3 && refused > 3, "seed \(seed): \(taken) taken, \(refused) refused")
    try Self.compare(store, naive, &dice, seed)
  }

  private static func compare(_ store: GraphStore, _ naive: NaiveGraph, _ dice: inout Dice, _ seed: Int) throws {
    for second in Int64(0)...12 {
      for _ in 0..<6 {
        let row = naive.rows.isEmpty ? nil : dice.pick(naive.rows)
        let tick = row?.tick ?? 0
        let number = naive.rows.last { $0.tick <= tick }?.number ?? 0
        let wanted = try naive.snapshot(at: at(second), number: number)
        let place = "seed \(seed), second \(second), tick \(tick)"
        #expect(try store.reader.snapshot(at: at(second), known: .tick(tick)) == wanted, "\(place)")
        #expect(try store.reader.snapshot(at: at(second), known: .instant(at(tick))) == wanted, "\(place)")
        #expect(try store.reader.snapshot(at: at(second), known: .change(number)) == wanted, "\(place)")
        try compareWalks(store, wanted, at(second), .change(number), &dice, place)
      }
    }
    try compareHistories(store, naive, seed)
  }

  private static func compareWalks(
    _ store: GraphStore, _ wanted: TwinGraph, _ instant: Instant, _ known: GraphKnown, _ dice: inout Dice,
    _ place: String
  ) throws {
    let reader = store.reader
    let (a, b) = (dice.pick(ids), dice.pick(ids))
    let types: Set<EdgeType> = dice.roll(2) == 0 ? [.partOf, .feeds] : Set(EdgeType.allCases)
    for direction in [TwinGraph.Direction.forward, .backward, .both] {
      #expect(try reader.node(a, at: instant, known: known) == wanted[a], "\(place) \(a)")
      #expect(
        try reader.neighbours(of: a, along: types, direction, at: instant, known: known)
          == wanted.neighbours(of: a, along: types, direction), "\(place) \(a)")
      let limit = 1 + dice.roll(7)
      let tree = try reader.subtree(of: a, along: types, direction, at: instant, known: known, limit: limit)
      #expect(tree.nodes == wanted.subtree(of: a, along: types, direction, limit: limit), "\(place) \(a)")
      #expect(tree.isComplete == (wanted.subtree(of: a, along: types, direction).count <= limit), "\(place) \(a)")
      let bounds = PathBounds(lengthMax: 4, countMax: 5, stepsMax: 10_000)
      #expect(
        try reader.paths(from: a, to: b, along: types, direction, bounds, at: instant, known: known)
          == wanted.paths(from: a, to: b, along: types, direction, bounds), "\(place) \(a) to \(b)")
    }
  }

  /// Every rectangle says what the list says inside of it, and together they cover every statement.
  private static func compareHistories(_ store: GraphStore, _ naive: NaiveGraph, _ seed: Int) throws {
    for id in ids {
      let versions = try store.reader.history(of: id)
      for version in versions {
        let end = version.superseded?.number ?? Int64(naive.rows.count) + 1
        for number in [version.number, end - 1] {
          for instant in [version.change.effective.lowerBound, last(of: version.change.effective)] {
            let row = naive.rows.last {
              $0.number <= number && $0.change.subject == version.change.subject
                && $0.change.effective.contains(instant)
            }
            #expect(row?.number == version.number, "seed \(seed), \(version)")
          }
        }
      }
      let spoken = Set(naive.rows.filter { $0.change.ids.contains(id) && $0.change.isAbout(id) }.map(\.number))
      #expect(Set(versions.map(\.number)) == spoken, "seed \(seed), \(id)")
    }
  }

  private static func last(of range: Range<Instant>) -> Instant { range.upperBound.advanced(byNanoseconds: -1) }
}

extension GraphNode {
  fileprivate var statement: GraphChange.Statement { .node(self) }
}

extension GraphChange {
  /// Every id that the store has a key for after it was taken.
  fileprivate var ids: Set<String> {
    switch statement {
    case .node(let node): Set([node.id] + [node.reference("of")].compactMap { $0 })
    case .noNode(let id): [id]
    case .edge(let edge), .noEdge(let edge): [edge.from, edge.to]
    }
  }

  fileprivate func isAbout(_ id: String) -> Bool {
    switch subject {
    case .node(let node): node == id
    case .edge(let edge): edge.from == id || edge.to == id
    }
  }
}

@Suite struct `A correction` {
  @Test func `changes the past as it is known now, and not as it was known then`() throws {
    let place = Place()
    let store = try place.open()
    let (plain, corrected) = (power(100), power(120))
    try store.apply([GraphChange(.node(plain), from: at(10))], tick: 1, at: 10)
    try store.apply([GraphChange(.node(corrected), effective: at(10)..<at(20))], tick: 2, at: 30)
    let reader = store.reader
    #expect(try reader.node("chiller-1", at: at(15)) == corrected)
    #expect(try reader.node("chiller-1", at: at(15), known: .tick(1)) == plain)
    #expect(try reader.node("chiller-1", at: at(15), known: .instant(at(29))) == plain)
    #expect(try reader.node("chiller-1", at: at(15), known: .instant(at(30))) == corrected)
    #expect(try reader.node("chiller-1", at: at(20)) == plain, "outside of the corrected interval nothing changes")
    #expect(try reader.node("chiller-1", at: at(9)) == nil)
    #expect(try reader.node("chiller-1", at: at(15), known: .tick(0)) == nil)
    let difference = try reader.difference(from: (at(15), .tick(1)), to: (at(15), .now))
    #expect(difference.changed.map(\.after) == [corrected] && difference.added.isEmpty)
    #expect(try reader.difference(from: (at(15), .now), to: (at(25), .now)).changed.map(\.after) == [plain])
    let history = try reader.history(of: "chiller-1")
    #expect(history.map(\.number) == [1, 1, 2])
    #expect(history.map(\.superseded?.number) == [2, nil, nil])
    #expect(history.map(\.change.effective.lowerBound) == [at(10), at(20), at(10)])
  }

  @Test func `a clock that was set back hides nothing that was learned`() throws {
    let place = Place()
    let store = try place.open()
    try store.apply([always(.node(power(1)))], tick: 1, at: 1000)
    try store.apply([always(.node(power(2)))], tick: 2, at: 5)
    #expect(try store.reader.node("chiller-1", at: at(1), known: .instant(at(999))) == nil)
    #expect(try store.reader.node("chiller-1", at: at(1), known: .instant(at(1000))) == power(2))
  }

  private func power(_ kilowatts: Double) -> GraphNode {
    let quantity = Quantity(kilowatts, UnitCode(ucum: "kW")!)
    return GraphNode(id: "chiller-1", type: .asset, properties: ["rated_power": .number(quantity)])
  }
}
