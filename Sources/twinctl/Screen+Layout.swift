extension Screen {
  static let separator = " · "

  /// Words broken over lines of at most `width` places; a word that is longer stands alone.
  func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in plain(text).split(separator: " ") {
      if !line.isEmpty, Self.width(line) + 1 + word.count > max(width, 1) {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty && !lines.isEmpty ? lines : lines + [line]
  }

  /// `label   text`, its further lines under the text.
  func labelled(_ label: String, _ text: String, indent: Int = 3, label width: Int = 8) -> [String] {
    let left = indent + width
    return wrapped(text, width: style.width - left).enumerated().map { index, line in
      let head = index == 0 ? String(repeating: " ", count: indent) + Self.padded(label, width) : ""
      return Self.padded(head, left) + line
    }
  }

  /// Parts on one line as long as they fit; what does not fit goes on the next one, indented.
  func joined(_ parts: [String], separator: String = Screen.separator, indent: Int = 0) -> [String] {
    let between = plain(separator)
    var lines: [String] = []
    var line = ""
    for part in parts.map(plain) {
      if !line.isEmpty, Self.width(line) + Self.width(between) + Self.width(part) > style.width {
        lines.append(line)
        line = String(repeating: " ", count: indent) + part
      } else {
        line += (line.isEmpty ? "" : between) + part
      }
    }
    return lines + [line]
  }

  /// One line that always fits: the parts with the highest `rank` go first when it does not.
  func oneLine(_ head: String, _ parts: [(text: String, rank: Int)]) -> String {
    let between = plain(Self.separator)
    var parts = parts.map { (text: plain($0.text), rank: $0.rank) }
    while true {
      let line = plain(head) + parts.map(\.text).joined(separator: between)
      guard Self.width(line) > style.width, let most = parts.map(\.rank).max(), most > 0 else { return line }
      parts.remove(at: parts.lastIndex { $0.rank == most }!)
    }
  }

  /// The text in at most `width` places, its end cut off.
  func cut(_ text: String, _ width: Int) -> String {
    let text = plain(text)
    guard Self.width(text) > width, width > 0 else { return text }
    let dots = plain("…")
    return String(text.prefix(max(0, width - dots.count))) + dots
  }

  struct Column {
    var title: String
    /// Columns of the highest rank are left out first where it is narrow; 0 always stays.
    var rank = 0
    var isRight = false
  }

  /// A table without lines; the last column takes what is left.
  func table(_ columns: [Column], _ rows: [[String]]) -> [String] {
    var kept = Array(columns.indices)
    let cells = rows.map { $0.map(plain) }
    func width(_ column: Int) -> Int {
      max(columns[column].title.count, cells.map { Self.width($0[column]) }.max() ?? 0)
    }
    // The last one may be cut, down to a few words.
    func total() -> Int {
      kept.dropLast().reduce(2 * (kept.count - 1)) { $0 + width($1) }
        + kept.suffix(1).reduce(0) { $0 + min(width($1), 20) }
    }
    while total() > style.width, let most = kept.map({ columns[$0].rank }).max(), most > 0 {
      kept.remove(at: kept.lastIndex { columns[$0].rank == most }!)
    }
    let widths = kept.map(width)
    let last = max(8, style.width - widths.dropLast().reduce(0) { $0 + $1 + 2 })
    return ([columns.map(\.title)] + cells).map { row in
      kept.enumerated().map { place, column in
        let isLast = place == kept.count - 1
        let text = isLast ? cut(row[column], last) : row[column]
        return isLast && !columns[column].isRight
          ? text : Self.padded(text, widths[place], right: columns[column].isRight)
      }.joined(separator: "  ")
    }
  }

  /// Two blocks beside each other when they fit, else one below the other.
  func sideBySide(_ left: [String], _ right: [String], gap: Int = 3) -> [String] {
    let (left, right) = (left.map(plain), right.map(plain))
    guard !left.isEmpty else { return right }
    let (leftWidth, rightWidth) = (left.map(Self.width).max() ?? 0, right.map(Self.width).max() ?? 0)
    guard isWide, leftWidth + gap + rightWidth <= style.width else { return left + right }
    return (0..<max(left.count, right.count)).map { row in
      Self.padded(row < left.count ? left[row] : "", leftWidth + gap) + (row < right.count ? right[row] : "")
    }
  }
}
