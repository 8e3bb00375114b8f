import Collectors
import Testing

@Suite("Requests cover every point once, and touch no hole")
struct RequestPlannerTests {
  @Test("a thousand registers in a row take eight requests")
  func contiguous() {
    let pieces = (0..<1000).map { $0..<$0 + 1 }
    let blocks = RequestPlanner(countMax: 125, gapMax: 60).blocks(pieces)
    #expect(blocks.count == 8)
    #expect(blocks.allSatisfy { $0.range.count == 125 })
  }

  @Test("random points", arguments: 1...60)
  func properties(_ seed: Int) {
    var dice = Dice(UInt64(seed))
    let count = Int.random(in: 1...300, using: &dice)
    let limit = Int.random(in: 4...125, using: &dice)
    let gap = Int.random(in: 0...60, using: &dice)
    let pieces = (0..<count).map { _ in
      let start = Int.random(in: 0...2000, using: &dice)
      return start..<start + [1, 1, 1, 2, 4].randomElement(using: &dice)!
    }
    let bonds = (0..<count / 10).map { _ in
      (Int.random(in: 0..<count, using: &dice), Int.random(in: 0..<count, using: &dice))
    }
    let holes = Set((0..<count / 8).map { _ in Int.random(in: 0...2000, using: &dice) })
    let blocks = RequestPlanner(countMax: limit, gapMax: gap).blocks(pieces, bonds: bonds) {
      $0.contains { holes.contains($0) }
    }

    var seen = [Int](repeating: 0, count: count)
    for block in blocks {
      #expect(block.range.count <= limit, "seed \(seed)")
      #expect(!block.range.contains { holes.contains($0) }, "seed \(seed)")
      for piece in block.pieces {
        seen[piece] += 1
        #expect(block.range.contains(pieces[piece].lowerBound) && pieces[piece].upperBound <= block.range.upperBound)
      }
      #expect(block.pieces == block.pieces.sorted { (pieces[$0].lowerBound, $0) < (pieces[$1].lowerBound, $1) })
    }
    for piece in 0..<count {
      let isIllegal = pieces[piece].contains { holes.contains($0) }
      #expect(seen[piece] == (isIllegal ? 0 : 1), "seed \(seed), piece \(pieces[piece])")
    }
  }

  @Test("a value is never cut in two")
  func wide() {
    let pieces = (0..<100).map { 2 * $0..<2 * $0 + 2 }
    let blocks = RequestPlanner(countMax: 125, gapMax: 0).blocks(pieces)
    #expect(blocks.map(\.range) == [0..<124, 124..<200])
  }

  @Test("a value and its power of ten share a request")
  func bonds() {
    let pieces = [0..<100, 100..<124, 130..<131]
    let apart = RequestPlanner(countMax: 125, gapMax: 60).blocks(pieces)
    #expect(apart.map(\.pieces) == [[0, 1], [2]])
    let together = RequestPlanner(countMax: 125, gapMax: 60).blocks(pieces, bonds: [(1, 2)])
    #expect(together.map(\.pieces) == [[0], [1, 2]])
    let tooFar = RequestPlanner(countMax: 125, gapMax: 60).blocks([0..<1, 500..<501], bonds: [(0, 1)])
    #expect(tooFar.count == 2)
  }

  @Test("gaps are read along while that is cheaper than another request")
  func gaps() {
    let nine = LinkAddress.serial(path: "/dev/ttyS0", baud: 9600, parity: .none, stopBits: 1)
    let tcp = LinkAddress.tcp(host: "h", port: 502)
    #expect(GapCost.registersMax(nine, roundTripNanoseconds: nil) == 8)
    #expect(GapCost.registersMax(nine, roundTripNanoseconds: 120_000_000) > 20)
    #expect(GapCost.registersMax(tcp, roundTripNanoseconds: nil) == 60)
    #expect(GapCost.registersMax(tcp, roundTripNanoseconds: 100_000) == 60)
    #expect(GapCost.registersMax(tcp, roundTripNanoseconds: 2_000_000) == 100)
    let pieces = [0..<1, 9..<10, 19..<20]
    #expect(RequestPlanner(countMax: 125, gapMax: 8).blocks(pieces).map(\.range) == [0..<10, 19..<20])
  }

  @Test("ten thousand scattered points, bound in hundreds, are planned")
  func many() {
    let pieces = (0..<10_000).map { 6 * $0..<6 * $0 + 2 }
    let bonds = (0..<10_000).filter { $0 % 20 != 0 }.map { ($0, $0 / 20 * 20) }
    let blocks = RequestPlanner(countMax: 125, gapMax: 60).blocks(pieces, bonds: bonds)
    #expect(blocks.count == 500)
  }
}
