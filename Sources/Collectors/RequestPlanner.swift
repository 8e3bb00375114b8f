/// Cuts the registers of one table into as few requests as the limits allow.
///
/// A piece (one value's registers) is never split. Pieces that are bound to each other (a value and its power of ten)
/// share a request wherever one is long enough. Registers between pieces are read along while that is cheaper than
/// another request, never where one is known to be illegal.
public struct RequestPlanner: Sendable, Equatable {
  /// One request: an address range, and which pieces lie in it (indices into the list given, by address).
  public struct Block: Sendable, Equatable {
    public var range: Range<Int>
    public var pieces: [Int]
  }

  /// Registers or bits per request; a longer piece still goes out alone.
  public var countMax: Int
  /// The widest gap that is read along.
  public var gapMax: Int

  public init(countMax: Int, gapMax: Int) {
    precondition(countMax >= 1 && gapMax >= 0, "\(countMax) per request, gaps of \(gapMax)")
    (self.countMax, self.gapMax) = (countMax, gapMax)
  }

  /// Pieces that touch a hole are left out. `isHole` says whether any address of a range is known to be illegal.
  public func blocks(
    _ pieces: [Range<Int>], bonds: [(Int, Int)] = [], isHole: (Range<Int>) -> Bool = { _ in false }
  ) -> [Block] {
    let usable = pieces.indices.filter { !pieces[$0].isEmpty && !isHole(pieces[$0]) }
    var blocks: [Block] = []
    for cluster in clusters(pieces, usable, bonds, isHole) {
      if let last = blocks.indices.last, joins(blocks[last].range, cluster.range, isHole) {
        let range = blocks[last].range
        blocks[last].range = range.lowerBound..<max(range.upperBound, cluster.range.upperBound)
        blocks[last].pieces += cluster.pieces
      } else {
        blocks.append(cluster)
      }
    }
    for index in blocks.indices {
      blocks[index].pieces.sort { (pieces[$0].lowerBound, $0) < (pieces[$1].lowerBound, $1) }
    }
    return blocks
  }

  private func joins(_ block: Range<Int>, _ next: Range<Int>, _ isHole: (Range<Int>) -> Bool) -> Bool {
    guard max(block.upperBound, next.upperBound) - block.lowerBound <= countMax else { return false }
    guard next.lowerBound > block.upperBound else { return true }
    let gap = block.upperBound..<next.lowerBound
    return gap.count <= gapMax && !isHole(gap)
  }

  /// Pieces with those bound to them, by address.
  private func clusters(
    _ pieces: [Range<Int>], _ usable: [Int], _ bonds: [(Int, Int)], _ isHole: (Range<Int>) -> Bool
  ) -> [Block] {
    var leader = Array(pieces.indices)
    var span = pieces
    func root(_ piece: Int) -> Int {
      var piece = piece
      while leader[piece] != piece {
        leader[piece] = leader[leader[piece]]
        piece = leader[piece]
      }
      return piece
    }
    if !bonds.isEmpty {
      let isUsable = Set(usable)
      for (one, other) in bonds where isUsable.contains(one) && isUsable.contains(other) {
        let (a, b) = (root(one), root(other))
        guard a != b else { continue }
        let union = min(span[a].lowerBound, span[b].lowerBound)..<max(span[a].upperBound, span[b].upperBound)
        guard union.count <= countMax, !isHole(union) else { continue }
        leader[b] = a
        span[a] = union
      }
    }
    var members: [Int: [Int]] = [:]
    for piece in usable { members[root(piece), default: []].append(piece) }
    return members.map { Block(range: span[$0.key], pieces: $0.value) }.sorted {
      ($0.range.lowerBound, $0.range.upperBound, $0.pieces[0]) < (
        $1.range.lowerBound, $1.range.upperBound, $1.pieces[0]
      )
    }
  }
}

/// What a register read for nothing costs, against what one more request costs.
public enum GapCost {
  /// Values a device hands over in passing while one more TCP round trip would run (Telegraf's `max_insert` is 50).
  static let tcpRegisters = 60
  /// Behind a gateway there is a serial line of unknown speed; between the two.
  static let gatewayRegisters = 16
  /// Characters of a request and reply that carry no values: 8 asked, 5 around the answer, 3.5 of silence.
  static let serialCharacters = 16.5
  /// What a slow TCP device needs for one more register.
  static let tcpNanosecondsPerRegister: Int64 = 20_000

  /// The widest gap worth reading; `roundTrip` is the unit's own, measured, nil before it is known.
  public static func registersMax(_ link: LinkAddress, roundTripNanoseconds roundTrip: Int64?) -> Int {
    switch link {
    case .tcp:
      guard let roundTrip else { return tcpRegisters }
      return Int(min(max(roundTrip / tcpNanosecondsPerRegister, Int64(tcpRegisters)), 125))
    case .rtuOverTCP:
      return gatewayRegisters
    case .serial(_, let baud, let parity, let stopBits):
      let bits = Double(9 + stopBits + (parity == .none ? 0 : 1))
      let register = 2 * bits / Double(max(baud, 1)) * 1e9
      // Beyond ten registers' worth of characters, a measured round trip is the device's own delay.
      let delay = roundTrip.map { max(0, Double($0) - (serialCharacters / 2 + 10) * register) } ?? 0
      return Int(min((serialCharacters / 2 * register + delay) / register, 60))
    }
  }
}
