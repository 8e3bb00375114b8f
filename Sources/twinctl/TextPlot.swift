import TwinCore

/// A line chart in characters: time across, value up. Pure.
///
/// Each character holds two by four dots (Unicode Braille patterns); where the terminal has no Unicode, one mark.
struct TextPlot {
  /// Places across and lines up, without axes.
  var columns: Int
  var rows: Int
  var isUnicode: Bool

  static let rowsDefault = 10
  private static let columnsMin = 10

  init(width: Int, rows: Int = rowsDefault, isUnicode: Bool) {
    (self.columns, self.rows, self.isUnicode) = (max(Self.columnsMin, width), max(2, rows), isUnicode)
  }

  struct Sample {
    var at: Instant
    /// Nil where there is no value: the line breaks.
    var value: Double?
  }

  /// One line of the chart; a dotted one stands behind the others.
  struct Stroke {
    var samples: [Sample]
    var isDotted = false
  }

  /// The chart's lines from the highest to the lowest, and the values that its top and bottom stand for. Nil without
  /// two instants and a finite value.
  func draw(_ samples: [Sample]) -> (lines: [String], low: Double, high: Double)? {
    draw(strokes: [Stroke(samples: samples)])
  }

  /// As `draw(_:)`, all strokes on the same axes. Samples of a stroke are in the order of their instants.
  func draw(strokes: [Stroke]) -> (lines: [String], low: Double, high: Double)? {
    let values = strokes.flatMap { $0.samples.compactMap(\.value).filter(\.isFinite) }
    guard let begin = strokes.compactMap(\.samples.first?.at).min(),
      let end = strokes.compactMap(\.samples.last?.at).max(), begin < end, var low = values.min(),
      var high = values.max()
    else { return nil }
    if low == high { (low, high) = (low - 0.5, high + 0.5) }
    guard (high - low).isFinite, high > low else { return nil }
    let (across, up) = (isUnicode ? columns * 2 : columns, isUnicode ? rows * 4 : rows)
    var dots = [Mark](repeating: .none, count: across * up)
    let span = Double(end.nanoseconds(since: begin))
    for stroke in strokes {
      var last: (x: Int, y: Int)?
      for sample in stroke.samples {
        guard let value = sample.value, value.isFinite else {
          last = nil
          continue
        }
        let x = min(across - 1, Int(Double(sample.at.nanoseconds(since: begin)) / span * Double(across - 1) + 0.5))
        let y = min(up - 1, Int((value - low) / (high - low) * Double(up - 1) + 0.5))
        // A straight line from the sample before; up and down within one column, so that a jump is a line and no gap.
        let from = last ?? (x, y)
        for column in from.x...max(from.x, x) where !stroke.isDotted || column % Self.dotEvery == 0 {
          let (begin, end) = (level(column, from, (x, y)), level(column + 1, from, (x, y)))
          for row in stroke.isDotted ? begin...begin : min(begin, end)...max(begin, end) {
            dots[row * across + column] = max(dots[row * across + column], stroke.isDotted ? .dotted : .solid)
          }
        }
        last = (x, y)
      }
    }
    return ((0..<rows).map { line($0, dots, across, up) }, low, high)
  }

  private enum Mark: Int, Comparable {
    case none, dotted, solid

    static func < (a: Mark, b: Mark) -> Bool { a.rawValue < b.rawValue }

    var ascii: Character {
      switch self {
      case .none: " "
      case .dotted: "."
      case .solid: "*"
      }
    }
  }

  private static let dotEvery = 3

  /// The height at a column of the line between two dots; beyond its end that of the end.
  private func level(_ column: Int, _ from: (x: Int, y: Int), _ to: (x: Int, y: Int)) -> Int {
    guard column < to.x, to.x > from.x else { return to.y }
    return from.y + (to.y - from.y) * (column - from.x) / (to.x - from.x)
  }

  private func line(_ row: Int, _ dots: [Mark], _ across: Int, _ up: Int) -> String {
    guard isUnicode else {
      return String((0..<columns).map { dots[(up - 1 - row) * across + $0].ascii })
    }
    var text = ""
    for column in 0..<columns {
      var pattern: UInt32 = 0
      // The dots of U+2800…: 1 2 3 7 down the left, 4 5 6 8 down the right.
      for (bit, place) in [
        (0, (0, 0)), (1, (0, 1)), (2, (0, 2)), (6, (0, 3)), (3, (1, 0)), (4, (1, 1)), (5, (1, 2)), (7, (1, 3)),
      ]
      where dots[(up - 1 - row * 4 - place.1) * across + column * 2 + place.0] != .none { pattern |= 1 << UInt32(bit) }
      text.unicodeScalars.append(pattern == 0 ? " " : Unicode.Scalar(0x2800 + pattern) ?? " ")
    }
    return text
  }
}
