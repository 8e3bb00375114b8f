import TwinCore
import TwinGraph

/// Charts under each other as one SVG picture. Pure: the same charts give the same bytes.
struct ChartDrawing {
  private static let width = 820
  private static let (left, right) = (84, 28)
  private static let headHeight = 66
  /// Of one chart: what stands over it, itself, what stands under it.
  private static let (over, tall, under) = (44, 150, 40)
  private static let margin = 24
  private static let letterWidth = 7
  private static let ticksMax = 7
  private static let linesMax = 12

  let title: String
  let subtitle: String
  let charts: [Chart]
  /// Of the site's time from UTC, in which instants are shown.
  let offsetS: Int

  var svg: String {
    let height = Self.headHeight + max(1, charts.count) * (Self.over + Self.tall + Self.under)
    var text = DrawingPaper.open(width: Self.width, height: height, title: title)
    text += DrawingPaper.words(Self.margin, Self.margin + 10, title, "ink", size: 18)
    text += DrawingPaper.words(Self.margin, Self.margin + 28, subtitle, "soft")
    if charts.isEmpty {
      text += DrawingPaper.words(Self.margin, Self.headHeight + 30, "nothing to draw yet", "ink")
    }
    for (row, chart) in charts.enumerated() {
      text += drawn(chart, top: Self.headHeight + row * (Self.over + Self.tall + Self.under))
    }
    return text + DrawingPaper.close
  }

  private func drawn(_ chart: Chart, top: Int) -> String {
    let title = chart.unit.isEmpty ? chart.title : "\(chart.title), \(chart.unit)"
    var text = "<g><title>\(DrawingPaper.escaped(title))</title>\n"
    text += DrawingPaper.words(Self.margin, top + 16, title, "ink", isBold: true)
    guard let span = chart.span, let range = chart.range else {
      return text + DrawingPaper.words(Self.left, top + Self.over + 20, "nothing to draw yet", "soft") + "</g>\n"
    }
    let step = Self.step(of: range)
    let (lowest, highest) = (
      (range.lowerBound / step.size).rounded(.down), (range.upperBound / step.size).rounded(.up)
    )
    let frame = Frame(
      top: top + Self.over, begin: span.begin, span: Double(span.end.nanoseconds(since: span.begin)),
      low: step.multiple(lowest), high: step.multiple(highest))
    text += grid(frame, step, lowest, highest) + times(frame, span) + legend(chart, y: top + 34)
    for band in chart.bands where band.edges.count > 1 {
      let upper = band.edges.map { frame.place($0.at, $0.high) }
      let lower = band.edges.reversed().map { frame.place($0.at, $0.low) }
      text += "<path d=\"M\((upper + lower).joined(separator: "L"))Z\" fill=\"\(Self.bandColour)\" opacity=\"0.28\"/>\n"
    }
    for level in chart.levels {
      let y = frame.y(level.value)
      text += Self.stroke("M\(Self.left) \(y)H\(Self.width - Self.right)", Self.look(.reference))
    }
    for line in chart.lines { text += drawn(line, frame) }
    if let now = chart.now {
      let x = frame.x(now)
      text += Self.stroke("M\(x) \(frame.top)V\(frame.top + Self.tall)", ("#888888", "1 3"))
    }
    return text + "</g>\n"
  }

  /// Unbroken pieces of a line; a sample between two gaps is a point.
  private func drawn(_ line: Chart.Line, _ frame: Frame) -> String {
    var pieces: [[String]] = [[]]
    for sample in line.samples {
      if let value = sample.value, value.isFinite {
        pieces[pieces.count - 1].append(frame.place(sample.at, value))
      } else if pieces.last?.isEmpty == false {
        pieces.append([])
      }
    }
    let look = Self.look(line.role)
    return pieces.filter { !$0.isEmpty }.map { piece in
      guard piece.count > 1 else {
        let place = piece[0].split(separator: " ")
        return "<circle cx=\"\(place[0])\" cy=\"\(place[1])\" r=\"2.5\" fill=\"\(look.colour)\"/>\n"
      }
      return Self.stroke("M" + piece.joined(separator: "L"), look)
    }.joined()
  }

  /// Where values and instants stand.
  private struct Frame {
    var top: Int
    var begin: Instant
    /// Nanoseconds across.
    var span: Double
    var low: Double
    var high: Double

    func x(_ at: Instant) -> String {
      let part = min(max(Double(at.nanoseconds(since: begin)) / span, 0), 1)
      return ChartDrawing.tenths(Double(left) + part * Double(ChartDrawing.width - left - right))
    }

    func y(_ value: Double) -> String {
      let part = min(max((value - low) / (high - low), 0), 1)
      return ChartDrawing.tenths(Double(top) + (1 - part) * Double(tall))
    }

    func place(_ at: Instant, _ value: Double) -> String { "\(x(at)) \(y(value))" }
  }

  private func grid(_ frame: Frame, _ step: Step, _ lowest: Double, _ highest: Double) -> String {
    var text =
      "<rect class=\"box\" x=\"\(Self.left)\" y=\"\(frame.top)\" width=\"\(Self.width - Self.left - Self.right)\" "
      + "height=\"\(Self.tall)\"/>\n"
    for tick in stride(from: lowest, through: highest, by: 1).prefix(Self.linesMax) {
      let value = step.multiple(tick)
      let y = frame.y(value)
      if tick != lowest, tick != highest {
        text +=
          "<path class=\"line\" d=\"M\(Self.left) \(y)H\(Self.width - Self.right)\" stroke=\"#888\" opacity=\"0.25\"/>\n"
      }
      text += DrawingPaper.words(
        Self.left - 8, Int(Double(y)?.rounded() ?? 0) + 4, Screen.compact(value), "soft", anchor: "end")
    }
    return text
  }

  private func times(_ frame: Frame, _ span: (begin: Instant, end: Instant)) -> String {
    let step = Self.timeSteps.first { frame.span / Double($0) <= Double(Self.ticksMax) } ?? Self.timeSteps.last!
    let offset = Int64(offsetS) * 1_000_000_000
    let (begin, end) = (span.begin.nanoseconds + offset, span.end.nanoseconds + offset)
    var text = ""
    var at = (begin / step) * step
    if at < begin { at += step }
    for _ in 0...Self.ticksMax + 1 where at <= end {
      let instant = Instant(nanoseconds: at - offset)
      let civil = CivilDate(instant, offsetSeconds: offsetS)
      let isDay = step >= Self.day || civil.hour == 0 && civil.minute == 0
      let label =
        isDay
        ? "\(civil.year)-\(Self.two(civil.month))-\(Self.two(civil.day))"
        : "\(Self.two(civil.hour)):\(Self.two(civil.minute))"
      let x = frame.x(instant)
      text += Self.stroke("M\(x) \(frame.top + Self.tall)v4", ("#888888", ""))
      text += DrawingPaper.words(
        Int(Double(x)?.rounded() ?? 0), frame.top + Self.tall + 18, label, "soft", anchor: "middle")
      at += step
    }
    return text
  }

  private func legend(_ chart: Chart, y: Int) -> String {
    var (text, x) = ("", Self.left)
    func named(_ name: String) {
      text += DrawingPaper.words(x + 32, y, name, "soft")
      x += 32 + name.count * Self.letterWidth + 20
    }
    for line in chart.lines {
      text += Self.stroke("M\(x) \(y - 4)h26", Self.look(line.role))
      named(line.name)
    }
    for band in chart.bands {
      text +=
        "<rect x=\"\(x)\" y=\"\(y - 9)\" width=\"26\" height=\"10\" fill=\"\(Self.bandColour)\" opacity=\"0.28\"/>\n"
      named(band.name)
    }
    for level in chart.levels {
      text += Self.stroke("M\(x) \(y - 4)h26", Self.look(.reference))
      named("\(level.name) \(Screen.compact(level.value))")
    }
    return text
  }

  /// Colours that people who see no red or green tell apart (Okabe and Ito, 2008), and dashes for those who see none.
  private static func look(_ role: Chart.Role) -> (colour: String, dash: String) {
    switch role {
    case .read: ("#0072b2", "")
    case .forecast: ("#d55e00", "7 3")
    case .reference: ("#888888", "2 3")
    }
  }

  private static let bandColour = "#e69f00"

  private static func stroke(_ path: String, _ look: (colour: String, dash: String)) -> String {
    let dashes = look.dash.isEmpty ? "" : " stroke-dasharray=\"\(look.dash)\""
    return "<path class=\"line\" d=\"\(path)\" stroke=\"\(look.colour)\"\(dashes)/>\n"
  }

  /// 1, 2 or 5 times a power of ten. Its multiples are the nearest numbers to what they are called.
  struct Step: Equatable {
    var digit: Double
    /// Ten to this power; below one as the divisor.
    var power: Double
    var divisor: Double

    var size: Double { digit * power / divisor }
    func multiple(_ count: Double) -> Double { count * digit * power / divisor }
  }

  /// So that three to eight lie in the range.
  static func step(of range: ClosedRange<Double>) -> Step {
    let third = (range.upperBound - range.lowerBound) / 3
    var step = Step(digit: 1, power: 1, divisor: 1)
    while step.power * 10 <= third { step.power *= 10 }
    while step.power == 1, step.size > third, step.divisor < 1e15 { step.divisor *= 10 }
    step.digit = [1, 2, 5].last { $0 * step.size <= third } ?? 1
    return step
  }

  private static let day: Int64 = 86_400_000_000_000
  private static let timeSteps: [Int64] =
    [60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].map { $0 * 1_000_000_000 }
    + [1, 2, 7, 14, 30, 100, 1000].map { $0 * day }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// One decimal: finer than an eye sees.
  private static func tenths(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }
}
