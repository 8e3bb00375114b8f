import StatusAPI
import TwinCore

/// What of a model people would rather look at than read. Pure.
enum ModelCharts {
  /// Of one picture.
  static let parametersMax = 12

  /// The last readings, then the forecast with its interval from where the model believes the plant to be.
  static func forecast(_ output: API.ModelOutput, at: Instant?, _ read: API.History) -> Chart {
    var chart = Chart(title: "\(output.point), read and forecast", unit: Screen.symbol(output.unit))
    let samples = read.samples.map { TextPlot.Sample(at: $0.at.instant, value: $0.value) }
    if !samples.isEmpty { chart.lines.append(Chart.Line(name: "read", role: .read, samples: samples)) }
    guard let at, !output.forecasts.isEmpty else { return chart }
    var line: [TextPlot.Sample] = []
    var edges: [Chart.Edge] = []
    if let estimate = output.estimate {
      let half = normal95 * (estimate.stddev ?? 0)
      line.append(TextPlot.Sample(at: at, value: estimate.value))
      edges.append(Chart.Edge(at: at, low: estimate.value - half, high: estimate.value + half))
    }
    for forecast in output.forecasts {
      line.append(TextPlot.Sample(at: forecast.at.instant, value: forecast.mean))
      edges.append(Chart.Edge(at: forecast.at.instant, low: forecast.low, high: forecast.high))
    }
    chart.lines.append(Chart.Line(name: "forecast", role: .forecast, samples: line))
    chart.bands = [Chart.Band(name: "90 % interval", edges: edges)]
    chart.now = at
    return chart
  }

  /// Half the 90 % interval of a normal distribution, in standard deviations.
  private static let normal95 = 1.6448536269514722

  /// By output: the error beside that of "it stays as it is", and how often the interval held, day by day; of the
  /// shortest horizon and of the longest. None before the second day.
  static func scores(_ history: API.ModelHistory) -> [Chart] {
    guard history.days.count > 1, let last = history.days.last else { return [] }
    var charts: [Chart] = []
    for output in unique(last.scores.map(\.output)) {
      let own = last.scores.filter { $0.output == output }
      let horizons = unique([own.map(\.horizonS).min(), own.map(\.horizonS).max()].compactMap { $0 })
      for horizon in horizons {
        let unit = own.first?.unit ?? "1"
        charts.append(
          Chart(
            title: "\(own.first?.point ?? output), error \(Screen.span(horizon)) ahead, by day",
            unit: Screen.symbol(unit),
            lines: [
              line("forecast", .forecast, history, output, horizon, \.rmse),
              line("it stays as it is", .reference, history, output, horizon, \.persistenceRmse),
            ]))
        var coverage = line("readings within the interval", .forecast, history, output, horizon, \.coverage)
        for index in coverage.samples.indices {
          coverage.samples[index].value = coverage.samples[index].value.map { $0 * 100 }
        }
        charts.append(
          Chart(
            title: "\(own.first?.point ?? output), coverage \(Screen.span(horizon)) ahead, by day", unit: "%",
            lines: [coverage], levels: [Chart.Level(name: "promised", value: 90)]))
      }
    }
    return charts
  }

  private static func line(
    _ name: String, _ role: Chart.Role, _ history: API.ModelHistory, _ output: String, _ horizon: Double,
    _ value: KeyPath<API.ModelScore, Double?>
  ) -> Chart.Line {
    Chart.Line(
      name: name, role: role,
      samples: history.days.map { day in
        let score = day.scores.first { $0.output == output && $0.horizonS == horizon }
        return TextPlot.Sample(at: day.at.instant, value: score?[keyPath: value])
      })
  }

  /// Parameters by day with two standard deviations: those that the data tell of first.
  static func parameters(_ model: API.Model, _ history: API.ModelHistory) -> [Chart] {
    let told = model.parameters.filter(\.identified) + model.parameters.filter { !$0.identified }
    return told.prefix(parametersMax).compactMap { parameter in
      guard let days = history.parameters.first(where: { $0.name == parameter.name })?.days, days.count > 1 else {
        return nil
      }
      return Chart(
        title: "\(parameter.name) by day" + (parameter.identified ? "" : " (the data do not tell of it)"),
        unit: Screen.symbol(parameter.unit),
        bands: [
          Chart.Band(
            name: "2 standard deviations",
            edges: days.map { Chart.Edge(at: $0.at.instant, low: $0.low, high: $0.high) })
        ],
        lines: [
          Chart.Line(
            name: "believed", role: .forecast,
            samples: days.map { TextPlot.Sample(at: $0.at.instant, value: $0.value) })
        ], levels: [Chart.Level(name: "calibrated", value: parameter.value)])
    }
  }

  private static func unique<Element: Equatable>(_ all: [Element]) -> [Element] {
    all.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
