import Collectors
import Testing
import TwinCore

@Suite("Frames on whole milliseconds")
struct TimeGridTests {
  private func frame(_ group: Int32, effective: Int64, uptime: Int64) -> Frame {
    Frame(
      group: group, effective: Instant(nanoseconds: effective), observed: Instant(nanoseconds: effective),
      uptime: Uptime(nanoseconds: uptime), values: [], qualities: [])
  }

  @Test("never younger, never later, at most the slack older", arguments: [UInt64(1), 2, 3])
  func bounds(seed: UInt64) {
    var random = Dice(seed)
    var grid = TimeGrid()
    var offset: Int64 = 1_700_000_000_123_456_789
    for step in 0..<5000 {
      if step % 1000 == 999 { offset += Int64.random(in: -3_600_000_000_000...3_600_000_000_000, using: &random) }
      let uptime = Int64(step) * 1_000_000_000 + Int64.random(in: 0...30_000_000, using: &random)
      let effective = uptime + offset - Int64.random(in: 0...3_000_000, using: &random)
      var placed = frame(Int32(step % 3), effective: effective, uptime: uptime)
      grid.place(&placed)
      #expect(placed.effective.nanoseconds % 1_000_000 == 0 && placed.uptime.nanoseconds <= uptime)
      #expect((0..<1_000_000).contains(effective - placed.effective.nanoseconds))
      #expect(uptime - placed.uptime.nanoseconds <= TimeGrid.slackNanoseconds, "step \(step), seed \(seed)")
    }
  }

  @Test("while the clocks keep pace the distance between them stays the same, whatever the round trips do")
  func lead() {
    var random = Dice(4)
    var grid = TimeGrid()
    var leads: Set<Int64> = []
    for step in 0..<10_000 {
      let uptime = Int64(step) * 1_000_000_000 + Int64.random(in: 0...8_000_000, using: &random)
      var placed = frame(
        0, effective: uptime + 1_700_000_000_123_456_789 - Int64.random(in: 0...500_000, using: &random), uptime: uptime
      )
      grid.place(&placed)
      leads.insert(placed.effective.nanoseconds - placed.uptime.nanoseconds)
    }
    #expect(leads.count == 1)
  }

  @Test("the ends of time")
  func ends() {
    var grid = TimeGrid()
    for (effective, uptime) in [(Int64.min, Int64.max), (.max, .min), (.min, .min), (0, 0), (-1, 1)] {
      var placed = frame(0, effective: effective, uptime: uptime)
      grid.place(&placed)
      #expect(placed.effective.nanoseconds <= effective)
    }
  }
}
