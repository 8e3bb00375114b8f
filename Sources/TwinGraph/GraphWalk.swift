/// Ways through any graph that can tell what is one step away: a snapshot's, or a store's.
package struct GraphWalk<Node: Hashable, Failure: Error> {
  package typealias Step = (Node) throws(Failure) -> [Node]

  private let next: Step
  private let previous: Step
  /// Steps taken before the search gives up: the number of ways can grow like 2 to the power of the nodes.
  private var stepsLeft: Int
  private var known: [Node: [Node]] = [:]
  private var distances: [Node: Int] = [:]

  package init(stepsMax: Int, next: @escaping Step, previous: @escaping Step) {
    (stepsLeft, self.next, self.previous) = (stepsMax, next, previous)
  }

  /// Ways that meet no node twice, by length, then in the order of `next`: at most `countMax` of at most `lengthMax`
  /// edges. `isComplete` is false where there may be more of that length.
  package mutating func paths(
    from start: Node, to end: Node, lengthMax: Int, countMax: Int
  ) throws(Failure) -> (paths: [[Node]], isComplete: Bool) {
    guard start != end else { return ([[start]], true) }
    try measure(to: end, lengthMax: lengthMax)
    guard let shortest = distances[start] else { return ([], stepsLeft > 0) }
    var found: [[Node]] = []
    for length in shortest...max(shortest, lengthMax) {
      guard try extend(start, end, length: length, countMax: countMax, &found) else { return (found, false) }
    }
    return (found, true)
  }

  /// The number of edges from each node to the end, as far as they matter.
  private mutating func measure(to end: Node, lengthMax: Int) throws(Failure) {
    distances = [end: 0]
    var front = [end]
    var distance = 0
    while !front.isEmpty, distance < lengthMax {
      distance += 1
      var reached: [Node] = []
      for node in front {
        guard stepsLeft > 0 else { return }
        stepsLeft -= 1
        for other in try previous(node) where distances[other] == nil {
          distances[other] = distance
          reached.append(other)
        }
      }
      front = reached
    }
  }

  /// Adds the ways of exactly `length` edges; false where it stopped early.
  private mutating func extend(
    _ start: Node, _ end: Node, length: Int, countMax: Int, _ found: inout [[Node]]
  ) throws(Failure) -> Bool {
    var way = [start]
    var turns = [0]
    var onWay: Set<Node> = [start]
    while let node = way.last {
      guard stepsLeft > 0 else { return false }
      stepsLeft -= 1
      let choices = try choices(of: node)
      let turn = turns[turns.count - 1]
      guard turn < choices.count else {
        onWay.remove(node)
        way.removeLast()
        turns.removeLast()
        continue
      }
      turns[turns.count - 1] += 1
      let following = choices[turn]
      let left = length - way.count
      guard !onWay.contains(following), let distance = distances[following], distance <= left else { continue }
      if following == end {
        guard left == 0 else { continue }
        guard found.count < countMax else { return false }
        found.append(way + [end])
      } else if left > 0 {
        way.append(following)
        onWay.insert(following)
        turns.append(0)
      }
    }
    return true
  }

  private mutating func choices(of node: Node) throws(Failure) -> [Node] {
    if let known = known[node] { return known }
    let choices = try next(node)
    known[node] = choices
    return choices
  }
}
