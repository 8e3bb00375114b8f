/// The bytes of the picture.
struct DrawingWriter {
  static let headHeight = 44
  static let legendHeight = 40

  private let layout: DrawingLayout
  private let title: String

  init(_ layout: DrawingLayout, title: String) { (self.layout, self.title) = (layout, title) }

  var svg: String {
    let (width, height) = (layout.width, layout.height)
    var text = DrawingPaper.open(
      width: width, height: height, title: title, defs: used.map(Self.marker).joined())
    text += Self.words(DrawingLayout.margin, DrawingLayout.margin + 10, title, "ink", size: 18)
    let missing = layout.missing > 0 ? ", \(layout.missing) more are not drawn" : ""
    text += Self.words(
      DrawingLayout.margin, DrawingLayout.margin + 28, "\(layout.boxes.count { $0.node != nil }) nodes\(missing)",
      "soft")
    for line in layout.lines { text += drawn(line) }
    for box in layout.boxes { text += drawn(box) }
    return text + legend + DrawingPaper.close
  }

  /// The types of edges that are drawn, in the order of the ontology.
  private var used: [EdgeType] {
    let types = Set(layout.lines.map(\.edge.type))
    return EdgeType.allCases.filter(types.contains)
  }

  /// Colours that people who see no red or green tell apart (Okabe and Ito, 2008), and dashes for those who see none.
  private static func style(_ type: EdgeType) -> (colour: String, dash: String) {
    switch type {
    case .feeds: ("#0072b2", "")
    case .dependsOn: ("#d55e00", "7 3")
    case .regulatedBy: ("#cc79a7", "2 3")
    case .owns: ("#8a6d00", "1 4")
    case .electricallyConnectedTo: ("#e69f00", "10 3 2 3")
    case .suppliedBy: ("#009e73", "7 3")
    case .partOf: ("#888888", "")
    case .observes, .controls: ("#888888", "2 2")
    }
  }

  private static func marker(_ type: EdgeType) -> String {
    """
    <marker id="\(type.rawValue)" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" \
    orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="\(style(type).colour)"/></marker>

    """
  }

  private func drawn(_ line: DrawingLine) -> String {
    let ends = line.boxes.map { layout.boxes[$0] }
    var (x, y) = (ends[0].x + ends[0].width, port(line, isStart: true))
    var path = "M\(x) \(y)"
    for (index, box) in ends.enumerated().dropFirst() {
      let target = index == ends.count - 1 ? port(line, isStart: false) : box.middle
      let bend = max(30, (box.x - x) / 2)
      path += "C\(x + bend) \(y) \(box.x - bend) \(target) \(box.x) \(target)"
      (x, y) = (box.x, target)
      if box.node == nil {
        x += box.width
        path += "H\(x)"
      }
    }
    let (colour, dash) = Self.style(line.edge.type)
    let arrow =
      line.edge.type.isSymmetric
      ? "" : " marker-\(line.isTurned ? "start" : "end")=\"url(#\(line.edge.type.rawValue))\""
    let dashes = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\""
    return """
      <path class="line" d="\(path)" stroke="\(colour)"\(dashes)\(arrow)><title>\(Self.escaped(line.edge.description))\
      </title></path>

      """
  }

  /// The height at which a line meets its box: lines of one side share it evenly, in the order of where they go.
  private func port(_ line: DrawingLine, isStart: Bool) -> Int {
    let own = isStart ? line.boxes[0] : line.boxes[line.boxes.count - 1]
    func far(_ other: DrawingLine) -> Int {
      layout.boxes[isStart ? other.boxes[1] : other.boxes[other.boxes.count - 2]].middle
    }
    let others = layout.lines.indices.filter { index in
      let boxes = layout.lines[index].boxes
      return (isStart ? boxes[0] : boxes[boxes.count - 1]) == own
    }.sorted { (far(layout.lines[$0]), $0) < (far(layout.lines[$1]), $1) }
    let rank = others.firstIndex { layout.lines[$0].edge == line.edge } ?? 0
    let box = layout.boxes[own]
    return box.y + box.height * (rank + 1) / (others.count + 1)
  }

  private func drawn(_ box: DrawingBox) -> String {
    guard let node = box.node else { return "" }
    let line = DrawingLayout.lineHeight
    var y = box.y + line
    var text = "<g><title>\(Self.escaped(Self.tip(node)))</title>"
    text +=
      "<rect class=\"box\" x=\"\(box.x)\" y=\"\(box.y)\" width=\"\(box.width)\" height=\"\(box.height)\" rx=\"4\"/>\n"
    text += Self.words(box.x + 10, y, node.type.rawValue, "soft", size: 10)
    y += line
    text += Self.words(box.x + 10, y, node.id, "ink", isBold: true)
    for words in (node.name.isEmpty ? [] : [node.name]) + box.points {
      y += line
      text += Self.words(box.x + 10, y, words, "soft")
    }
    return text + "</g>\n"
  }

  private static func tip(_ node: GraphNode) -> String {
    ([node.id] + node.properties.map { "\($0.name): \($0.value)" }).joined(separator: "\n")
  }

  private var legend: String {
    var text = ""
    var x = DrawingLayout.margin
    let y = layout.height - DrawingLayout.margin
    for type in used {
      let (colour, dash) = Self.style(type)
      let dashes = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\""
      let arrow = type.isSymmetric ? "" : " marker-end=\"url(#\(type.rawValue))\""
      text += "<path class=\"line\" d=\"M\(x) \(y - 4)H\(x + 36)\" stroke=\"\(colour)\"\(dashes)\(arrow)/>\n"
      text += Self.words(x + 42, y, type.rawValue, "soft")
      x += 42 + type.rawValue.count * DrawingLayout.letterWidth + 18
    }
    return text
  }

  private static func words(
    _ x: Int, _ y: Int, _ words: String, _ style: String, size: Int = 12, isBold: Bool = false
  ) -> String { DrawingPaper.words(x, y, words, style, size: size, isBold: isBold) }

  private static func escaped(_ text: String) -> String { DrawingPaper.escaped(text) }
}
