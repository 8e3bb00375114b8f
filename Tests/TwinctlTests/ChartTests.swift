import StatusAPI
import Testing
import TwinCore

@testable import twinctl

@Suite("Charts of a model")
struct ChartTests {
  private static let at = Instant(rfc3339: "2026-11-22T13:00:00Z")!

  private func samples(_ values: [Double?]) -> [TextPlot.Sample] {
    values.enumerated().map {
      TextPlot.Sample(at: Self.at.advanced(byNanoseconds: Int64($0) * 900_000_000_000), value: $1)
    }
  }

  private let screen = Screen(style: Style(width: 60, isUnicode: false), now: Self.at, offsetS: 3600)

  @Test("dots stand behind a line, never over it")
  func strokes() throws {
    let drawn = try #require(
      TextPlot(width: 10, rows: 3, isUnicode: false).draw(strokes: [
        .init(samples: samples([1, 1]), isDotted: false), .init(samples: samples([1, 1]), isDotted: true),
        .init(samples: samples([0, 0]), isDotted: true), .init(samples: samples([2, 2]), isDotted: true),
      ]))
    #expect(drawn.lines == [".  .  .  .", "**********", ".  .  .  ."])
    #expect(drawn.low == 0 && drawn.high == 2)
  }

  @Test("a stroke that begins later begins there")
  func later() throws {
    let all = samples([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    let drawn = try #require(
      TextPlot(width: 10, rows: 2, isUnicode: false).draw(strokes: [
        .init(samples: Array(all.prefix(5))), .init(samples: samples([nil, nil, nil, nil, nil, 1, 1, 1, 1, 1])),
      ]))
    #expect(drawn.lines == ["     *****", "*****     "])
  }

  private var fan: Chart {
    let output = API.ModelOutput(
      name: "zone", point: "hall-a.zone_t", unit: "Cel",
      estimate: API.Uncertain(value: 21, stddev: 0.1, unit: "Cel"),
      forecasts: [(900.0, 21.5), (3600, 22)].map { ahead, mean in
        API.ModelForecast(
          horizonS: ahead, at: Timestamp(Self.at.advanced(byNanoseconds: Int64(ahead) * 1_000_000_000)), mean: mean,
          low: mean - ahead / 3600, high: mean + ahead / 3600)
      })
    let read = API.History(
      point: "hall-a.zone_t", unit: "Cel",
      samples: (0...24).map {
        API.Sample(
          at: Timestamp(Self.at.advanced(byNanoseconds: ($0 - 24) * 600_000_000_000)), value: 20 + Double($0) / 24,
          quality: "good")
      })
    return ModelCharts.forecast(output, at: Self.at, read)
  }

  @Test("the fan opens at the estimate, with the interval of 90 % at each horizon, and now between read and forecast")
  func forecast() throws {
    let chart = fan
    let edges = try #require(chart.bands.first?.edges)
    #expect(edges.map(\.high).map { ($0 * 1000).rounded() / 1000 } == [21.164, 21.75, 23])
    #expect(chart.now == Self.at)
    #expect(chart.span?.end == Self.at.advanced(byNanoseconds: 3_600_000_000_000))
    let text = screen.finish(screen.chart(chart))
    #expect(text.hasPrefix("hall-a.zone_t, read and forecast, degC\n"))
    #expect(text.contains("now 14:00") && text.contains("line: read, then forecast"))
    #expect(text.contains("dots: 90 % interval"))
  }

  @Test("without readings or forecasts there is a sentence, no crash", arguments: [true, false])
  func empty(hasEstimate: Bool) {
    let output = API.ModelOutput(
      name: "zone", point: "p", unit: "Cel",
      estimate: hasEstimate ? API.Uncertain(value: 21, stddev: 1, unit: "Cel") : nil)
    let chart = ModelCharts.forecast(
      output, at: hasEstimate ? Self.at : nil, API.History(point: "p", unit: "Cel", samples: []))
    #expect(screen.chart(chart).last == "  nothing to draw yet")
    let svg = ChartDrawing(title: "t", subtitle: "s", charts: [chart], offsetS: 0).svg
    #expect(svg.contains("nothing to draw yet"))
    #expect(ModelCharts.scores(API.ModelHistory(model: "m", days: [], parameters: [])).isEmpty)
    let score = API.ModelScore(output: "zone", point: "p", horizonS: 900, unit: "K", count: 1, rmse: 1)
    let day = API.ModelDay(at: Timestamp(Self.at), scores: [score])
    #expect(ModelCharts.scores(API.ModelHistory(model: "m", days: [day], parameters: [])).isEmpty)
  }

  @Test("the same charts give the same picture, and no text from outside leaves its place")
  func picture() {
    func svg() -> String {
      var chart = fan
      chart.title = "<script>&\"\u{1}"
      return ChartDrawing(title: "</svg>", subtitle: "s", charts: [chart], offsetS: 3600).svg
    }
    #expect(svg() == svg())
    #expect(!svg().contains("<script>") && svg().contains("&lt;script&gt;&amp;&quot;\u{FFFD}"))
    #expect(svg().components(of: "</svg>") == 1)
    #expect(svg().contains(">14:00</text>") && !svg().contains("nan") && !svg().contains("inf"))
  }

  @Test(
    "steps of an axis are round, and three to eight lie in the range",
    arguments: [(0.0, 1.0), (0, 0.3), (19.8, 22.3), (0, 3.5e7), (-5, 5), (0.0001, 0.0004), (1e14, 2e14), (0, 9.99)])
  func steps(low: Double, high: Double) {
    let step = ChartDrawing.step(of: low...high)
    #expect([1, 2, 5].contains(step.digit))
    #expect((3.0...8).contains((high - low) / step.size), "\(step)")
  }

  @Test(arguments: [
    (0.0, "0"), (812.4, "812.4"), (13_156.9, "13 157"), (35_200_000, "3.52e7"), (1e6, "1e6"), (-2.5e6, "−2.5e6"),
    (0.0004, "4e-4"), (99_999.7, "100 000"), (999_999, "1e6"), (.nan, "?"), (.infinity, "?"),
  ])
  func compact(value: Double, text: String) { #expect(Screen.compact(value) == text) }
}

extension String {
  fileprivate func components(of text: String) -> Int {
    var (count, rest) = (0, self[...])
    while let found = rest.firstRange(of: text) {
      count += 1
      rest = rest[found.upperBound...]
    }
    return count
  }
}
