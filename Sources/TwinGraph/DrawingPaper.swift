/// What every picture of twind is drawn on: an SVG document with its title, in ink that suits light and dark screens.
///
/// No script, no font of its own, nothing fetched. Colours with a meaning are the drawing's own.
public enum DrawingPaper {
  /// Everything before the drawing itself; `defs` are its markers.
  public static func open(width: Int, height: Int, title: String, defs: String = "") -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
    role="img" font-family="system-ui, sans-serif" font-size="12">
    <title>\(escaped(title))</title>
    <style>
    .paper { fill: #fbfbf9 } .ink { fill: #222 } .soft { fill: #666 } .box { fill: #fff; stroke: #888 }
    .line { fill: none; stroke-width: 1.5 }
    @media (prefers-color-scheme: dark) {
    .paper { fill: #16181b } .ink { fill: #e6e6e6 } .soft { fill: #9aa0a6 } .box { fill: #22262a; stroke: #777 }
    }
    </style>
    <defs>
    \(defs)</defs>
    <rect class="paper" width="\(width)" height="\(height)"/>

    """
  }

  public static let close = "</svg>\n"

  /// A line of text. `style` is `ink` or `soft`; `anchor` an SVG text-anchor, where it does not begin at `x`.
  public static func words(
    _ x: Int, _ y: Int, _ words: String, _ style: String, size: Int = 12, isBold: Bool = false, anchor: String? = nil
  ) -> String {
    let font = (size == 12 ? "" : " font-size=\"\(size)\"") + (isBold ? " font-weight=\"600\"" : "")
    let place = anchor.map { " text-anchor=\"\($0)\"" } ?? ""
    return "<text class=\"\(style)\" x=\"\(x)\" y=\"\(y)\"\(font)\(place)>\(escaped(words))</text>\n"
  }

  /// Text from outside: only what XML allows.
  public static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
