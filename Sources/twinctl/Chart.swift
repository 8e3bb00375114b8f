import StatusAPI
import TwinCore

/// Numbers over time as a terminal and an SVG both draw them. Pure.
struct Chart {
  enum Role {
    /// What was read.
    case read
    /// What was, or is, forecast or estimated.
    case forecast
    /// What it is to be compared with.
    case reference
  }

  struct Line {
    var name: String
    var role: Role
    var samples: [TextPlot.Sample]
  }

  struct Edge {
    var at: Instant
    var low: Double
    var high: Double
  }

  struct Band {
    var name: String
    var edges: [Edge]
  }

  struct Level {
    var name: String
    var value: Double
  }

  var title: String
  /// A symbol; empty for bare numbers.
  var unit: String
  var bands: [Band] = []
  var lines: [Line] = []
  var levels: [Level] = []
  /// Where what was ends and what will be begins.
  var now: Instant?

  /// From the first instant to the last; nil without two.
  var span: (begin: Instant, end: Instant)? {
    let instants = lines.flatMap { $0.samples.map(\.at) } + bands.flatMap { $0.edges.map(\.at) }
    guard let begin = instants.min(), let end = instants.max(), begin < end else { return nil }
    return (begin, end)
  }

  /// Everything finite that is drawn lies in it; nil when there is nothing.
  var range: ClosedRange<Double>? {
    let values =
      lines.flatMap { $0.samples.compactMap(\.value) } + bands.flatMap { $0.edges.flatMap { [$0.low, $0.high] } }
      + levels.map(\.value)
    let finite = values.filter { $0.isFinite && $0.magnitude < 1e15 }
    guard let low = finite.min(), let high = finite.max() else { return nil }
    return low < high ? low...high : low - 0.5...high + 0.5
  }
}

extension Screen {
  /// Of labels left of a chart.
  static let axisWidth = 10

  /// As wide as it may be, and no wider than an eye follows.
  var plot: TextPlot { TextPlot(width: min(style.width, 100) - Self.axisWidth - 1, isUnicode: style.isUnicode) }

  /// The chart with its title, axes and legend; its edges and levels are dotted.
  func chart(_ chart: Chart) -> [String] {
    let head = [chart.unit.isEmpty ? chart.title : "\(chart.title), \(chart.unit)"]
    guard let span = chart.span else { return head + ["  nothing to draw yet"] }
    var strokes = chart.lines.map { TextPlot.Stroke(samples: $0.samples, isDotted: $0.role == .reference) }
    for band in chart.bands {
      for edge in [\Chart.Edge.low, \Chart.Edge.high] {
        strokes.append(
          TextPlot.Stroke(
            samples: band.edges.map { TextPlot.Sample(at: $0.at, value: $0[keyPath: edge]) }, isDotted: true))
      }
    }
    for level in chart.levels {
      strokes.append(
        TextPlot.Stroke(
          samples: [.init(at: span.begin, value: level.value), .init(at: span.end, value: level.value)],
          isDotted: true))
    }
    let plot = self.plot
    guard let drawn = plot.draw(strokes: strokes) else { return head + ["  nothing to draw yet"] }
    let solid = chart.lines.filter { $0.role != .reference }.map(\.name)
    let dotted =
      chart.lines.filter { $0.role == .reference }.map(\.name) + chart.bands.map(\.name)
      + chart.levels.map { "\($0.name) \(Self.compact($0.value))" }
    var legend: [String] = []
    if !solid.isEmpty { legend.append("line: \(solid.joined(separator: ", then "))") }
    if !dotted.isEmpty { legend.append("dots: \(dotted.joined(separator: ", "))") }
    let now = chart.now.map { "now \(time(Timestamp($0)))" }
    return head
      + framed(
        drawn, from: time(Timestamp(span.begin)), to: time(Timestamp(span.end)), columns: plot.columns,
        mark: chart.now.flatMap { now in
          let part = Double(now.nanoseconds(since: span.begin)) / Double(span.end.nanoseconds(since: span.begin))
          return (0...1).contains(part) ? part : nil
        }.map { ($0, now ?? "") })
      + legend.flatMap { wrapped($0, width: style.width - Self.axisWidth - 1) }.map {
        String(repeating: " ", count: Self.axisWidth + 1) + $0
      }
  }

  /// A drawn chart between its axes: the highest and the lowest value, the first and the last instant. `mark` names an
  /// instant between them, by its share of the way.
  func framed(
    _ drawn: (lines: [String], low: Double, high: Double), from begin: String, to end: String, columns: Int,
    mark: (part: Double, text: String)? = nil
  ) -> [String] {
    var lines: [String] = []
    for (row, line) in drawn.lines.enumerated() {
      let label =
        row == 0 ? Self.compact(drawn.high) : row == drawn.lines.count - 1 ? Self.compact(drawn.low) : ""
      lines.append(Self.padded(label, Self.axisWidth, right: true) + (style.isUnicode ? "┤" : "|") + line)
    }
    var axis = begin
    if let mark {
      // Beside its place where the ends leave no room there.
      let room = columns - Self.width(end) - Self.width(mark.text) - 1
      let place = min(Int(mark.part * Double(columns)) - Self.width(mark.text) / 2, room)
      if place > Self.width(begin) { axis = Self.padded(axis, place) + mark.text }
    }
    let gap = max(1, columns - Self.width(axis) - Self.width(end))
    lines.append(
      String(repeating: " ", count: Self.axisWidth + 1) + axis + String(repeating: " ", count: gap) + end)
    return lines
  }
}
