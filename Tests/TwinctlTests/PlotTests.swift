import Testing
import TwinCore

@testable import twinctl

@Suite("A chart in characters")
struct PlotTests {
  private func samples(_ values: [Double?]) -> [TextPlot.Sample] {
    values.enumerated().map { TextPlot.Sample(at: Instant(nanoseconds: Int64($0) * 1_000_000_000), value: $1) }
  }

  @Test("rises from the lower left to the upper right, without a hole")
  func ramp() throws {
    let drawn = try #require(TextPlot(width: 10, rows: 5, isUnicode: false).draw(samples([0, 1])))
    #expect(
      drawn.lines == [
        "        **",
        "      *** ",
        "    ***   ",
        "  ***     ",
        "***       ",
      ])
    #expect(drawn.low == 0 && drawn.high == 1)
  }

  @Test("a jump is a line; a missing value breaks it")
  func jump() throws {
    let drawn = try #require(
      TextPlot(width: 10, rows: 2, isUnicode: false).draw(samples([0, 0, 0, 0, nil, 1, 1, 1, 1, 1])))
    #expect(drawn.lines == ["     *****", "****      "])
    let steep = try #require(
      TextPlot(width: 10, rows: 3, isUnicode: false).draw(samples([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])))
    #expect(steep.lines.allSatisfy { $0.contains("*") }, "\(steep.lines)")
  }

  @Test("eight dots to a character where there is Unicode")
  func braille() throws {
    let drawn = try #require(TextPlot(width: 10, rows: 2, isUnicode: true).draw(samples((0..<40).map { Double($0) })))
    #expect(drawn.lines.allSatisfy { $0.count == 10 })
    #expect(drawn.lines.joined().unicodeScalars.allSatisfy { $0 == " " || (0x2800...0x28FF).contains($0.value) })
  }

  @Test("one instant, no number, numbers without end: no chart, no crash")
  func nothing() {
    let plot = TextPlot(width: 20, isUnicode: true)
    #expect(plot.draw([]) == nil)
    #expect(plot.draw(samples([1])) == nil)
    #expect(plot.draw(samples([nil, nil])) == nil)
    #expect(plot.draw(samples([.infinity, .nan])) == nil)
    #expect(plot.draw(samples([-Double.greatestFiniteMagnitude, .greatestFiniteMagnitude])) == nil)
    #expect(plot.draw(samples([5, 5])) != nil)
  }
}
