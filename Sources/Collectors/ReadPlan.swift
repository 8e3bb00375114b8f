import TwinCore

/// One request of a plan.
struct ReadRequest: Sendable, Equatable {
  var table: RegisterTable
  var range: Range<Int>
  /// Indices of the plan's pieces in it, by address.
  var pieces: [Int]
  /// The split that it came from, while illegal registers are looked for.
  var split: Int?
}

/// The requests of one poll group, and the search for illegal registers among them.
///
/// Pure. A refused block is halved; its halves run in the same poll while the budget lasts, else in the next, so that
/// the neighbours keep flowing. A refused single value is a hole. When both halves of a refused block are fine, then
/// the gap between them is illegal, or, where there is none, the block was too long for the device.
struct ReadPlan: Sendable {
  struct Piece: Sendable, Equatable {
    var table: RegisterTable
    var range: Range<Int>
  }

  private struct Split {
    var table: RegisterTable
    var count: Int
    var gap: Range<Int>
    var longestHalf: Int
    var outstanding = 2
    var anyRefused = false
  }

  static let extraRequestsMax = 32
  /// A block may have been refused by chance; the limit is believed when it shows so often, and no such block passes
  /// between.
  static let limitStrikes = 2
  /// A half that fails in other ways for so many polls ends the search.
  static let searchPollsMax = 50

  let pieces: [Piece]
  let bonds: [(Int, Int)]
  /// The piece whose request goes out before the others.
  let first: Int?
  /// What the next poll sends.
  private(set) var requests: [ReadRequest] = []
  /// Per piece: in no request, because it is known to be illegal.
  private(set) var isExcluded: [Bool]
  /// The hole map, the round trip or the limit changed: plan again before the next poll.
  var isStale = true

  private var queue: [ReadRequest] = []
  private var kept: [ReadRequest] = []
  private var splits: [Split] = []
  private var extra = 0
  private var strikes: [Int: Int] = [:]
  private var hasLearned = false
  private var pollsOpen = 0

  init(pieces: [Piece], bonds: [(Int, Int)], first: Int? = nil) {
    (self.pieces, self.bonds, self.first) = (pieces, bonds, first)
    isExcluded = Array(repeating: false, count: pieces.count)
  }

  /// Cuts requests anew; ends a search.
  mutating func cut(registersMax: Int, gapMax: Int, holes: HoleMap) {
    (requests, splits, isStale, pollsOpen) = ([], [], false, 0)
    isExcluded = Array(repeating: true, count: pieces.count)
    for table in RegisterTable.allCases {
      let longest = table.isBits ? 2000 : 125
      let members = pieces.indices.filter {
        pieces[$0].table == table && pieces[$0].range.count <= longest && pieces[$0].range.lowerBound >= 0
          && pieces[$0].range.upperBound <= 0x10000
      }
      guard !members.isEmpty else { continue }
      var position: [Int: Int] = [:]
      for (index, member) in members.enumerated() { position[member] = index }
      let bound = bonds.compactMap { bond in
        position[bond.0].flatMap { one in position[bond.1].map { (one, $0) } }
      }
      let planner = RequestPlanner(
        countMax: table.isBits ? min(registersMax * 16, longest) : min(registersMax, longest),
        gapMax: table.isBits ? gapMax * 16 : gapMax)
      for block in planner.blocks(members.map { pieces[$0].range }, bonds: bound, isHole: { holes.isHole(table, $0) }) {
        let inside = block.pieces.map { members[$0] }
        for piece in inside { isExcluded[piece] = false }
        requests.append(ReadRequest(table: table, range: block.range, pieces: inside, split: nil))
      }
    }
  }

  /// Starts a poll.
  mutating func begin() {
    queue = requests.reversed()
    if let first, let place = queue.firstIndex(where: { $0.pieces.contains(first) }) {
      queue.append(queue.remove(at: place))
    }
    kept.removeAll(keepingCapacity: true)
    extra = 0
  }

  /// The next request of this poll; nil when it is over.
  mutating func next() -> ReadRequest? { queue.popLast() }

  /// What is left of this poll is not sent; it stays for the next.
  mutating func abandon() {
    while let request = queue.popLast() { kept.append(request) }
  }

  /// It failed without telling anything about its registers.
  mutating func failed(_ request: ReadRequest) { kept.append(request) }

  mutating func answered(_ request: ReadRequest, holes: inout HoleMap, at now: Instant) {
    kept.append(request)
    // A block of this length is fine, so shorter ones were refused by chance.
    if !strikes.isEmpty { strikes = strikes.filter { $0.key > request.range.count } }
    guard let split = request.split else { return }
    kept[kept.count - 1].split = nil
    resolve(split, refused: false, &holes, now)
  }

  /// Its registers were refused (exceptions 2 and 3, a short reply). `mayGoOn`: this poll has time for more requests.
  mutating func refused(_ request: ReadRequest, holes: inout HoleMap, at now: Instant, mayGoOn: Bool) {
    if let split = request.split { resolve(split, refused: true, &holes, now) }
    guard request.pieces.count > 1 else { return exclude(request, &holes, now) }
    let (left, right) = halves(of: request)
    let gap = left.range.upperBound..<max(left.range.upperBound, right.range.lowerBound)
    splits.append(
      Split(
        table: request.table, count: request.range.count, gap: gap,
        longestHalf: max(left.range.count, right.range.count)))
    for var half in [right, left] {
      half.split = splits.count - 1
      if mayGoOn, extra < Self.extraRequestsMax {
        queue.append(half)
        extra += 1
      } else {
        kept.append(half)
      }
    }
  }

  /// The whole table is refused (exception 1): nothing of the request is worth a search.
  mutating func exclude(_ request: ReadRequest, _ holes: inout HoleMap, _ now: Instant) {
    holes.add(request.table, request.range, at: now)
    for piece in request.pieces { isExcluded[piece] = true }
    hasLearned = true
  }

  /// Ends a poll.
  ///
  /// - Returns: Whether the hole map changed.
  mutating func finish() -> Bool {
    defer { hasLearned = false }
    guard !splits.isEmpty || hasLearned else { return false }
    requests = kept
    pollsOpen += 1
    if pollsOpen >= Self.searchPollsMax || !splits.contains(where: { $0.outstanding > 0 }) { isStale = true }
    return hasLearned
  }

  private mutating func resolve(_ index: Int, refused: Bool, _ holes: inout HoleMap, _ now: Instant) {
    splits[index].outstanding -= 1
    splits[index].anyRefused = splits[index].anyRefused || refused
    let split = splits[index]
    guard split.outstanding == 0, !split.anyRefused else { return }
    if !split.gap.isEmpty {
      holes.add(split.table, split.gap, at: now)
      hasLearned = true
    } else if !split.table.isBits {
      strikes[split.count, default: 0] += 1
      guard strikes[split.count, default: 0] >= Self.limitStrikes else { return }
      holes.limitRequests(to: split.longestHalf, at: now)
      hasLearned = true
    }
  }

  /// Cut at the gap nearest to the middle, or in the middle where there is none.
  private func halves(of request: ReadRequest) -> (ReadRequest, ReadRequest) {
    let members = request.pieces
    let middle = members.count / 2
    var reach = 0
    var cut: Int?
    for (index, piece) in members.enumerated() {
      let range = pieces[piece].range
      if index > 0, range.lowerBound > reach, abs(index - middle) < abs((cut ?? -members.count) - middle) {
        cut = index
      }
      reach = max(reach, range.upperBound)
    }
    func part(_ slice: ArraySlice<Int>) -> ReadRequest {
      let start = slice.map { pieces[$0].range.lowerBound }.min() ?? 0
      let end = slice.map { pieces[$0].range.upperBound }.max() ?? 0
      return ReadRequest(table: request.table, range: start..<end, pieces: Array(slice), split: nil)
    }
    return (part(members[..<(cut ?? middle)]), part(members[(cut ?? middle)...]))
  }
}
