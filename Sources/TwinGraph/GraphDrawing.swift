/// A graph as an SVG picture: what things are and how they hang together, from left to right.
///
/// Points are lines in the box of their asset: ○ measured, ● written. Boxes stand in columns so that edges lead to the
/// right wherever no circle forbids it; an edge over several columns passes between their boxes. The same graph gives
/// the same bytes. The picture needs no script and no font of its own; its colours suit light and dark paper.
public struct GraphDrawing: Sendable {
  /// Boxes of a picture; a larger graph is drawn in part, from its most connected nodes, and says so.
  public static let boxesMax = 400
  /// Points listed in a box.
  static let pointsMax = 12

  public let svg: String

  public init(_ graph: TwinGraph, title: String) {
    var layout = DrawingLayout(graph)
    layout.arrange()
    svg = DrawingWriter(layout, title: title).svg
  }
}

/// A box of the picture, or the place where a long edge passes a column.
struct DrawingBox {
  /// Nil where only an edge passes.
  var node: GraphNode?
  var points: [String] = []
  var column = 0
  /// Left and top, in pixels.
  var x = 0
  var y = 0
  var width = 0
  var height = 0

  var middle: Int { y + height / 2 }
}

/// An edge with the places that it passes, from column to column.
struct DrawingLine {
  var edge: GraphEdge
  /// Indices of boxes, the first and the last with a node.
  var boxes: [Int]
  /// Drawn against its direction, for a circle would have forbidden it otherwise, or because it points to the whole.
  var isTurned: Bool
}

/// Where everything stands: columns by longest way, rows by the middle of what they are tied to.
struct DrawingLayout {
  static let columnGap = 90
  static let rowGap = 18
  static let lineHeight = 16
  static let letterWidth = 7
  static let margin = 24
  static let sweeps = 8

  private(set) var boxes: [DrawingBox] = []
  private(set) var lines: [DrawingLine] = []
  private(set) var columns: [[Int]] = []
  private(set) var width = 0
  private(set) var height = 0
  /// Nodes that found no place.
  private(set) var missing = 0

  init(_ graph: TwinGraph) {
    var points: [String: [String]] = [:]
    var isPoint: Set<String> = []
    for edge in graph.edges where edge.type.isDerived {
      let name = edge.from.hasPrefix(edge.to + ".") ? String(edge.from.dropFirst(edge.to.utf8.count + 1)) : edge.from
      points[edge.to, default: []].append((edge.type == .controls ? "● " : "○ ") + name)
      isPoint.insert(edge.from)
    }
    let edges = graph.edges.filter { !$0.type.isDerived }
    // A point that something else is said of is drawn as any node.
    isPoint.subtract(edges.flatMap { [$0.from, $0.to] })
    var degrees: [String: Int] = [:]
    for edge in edges { for end in [edge.from, edge.to] { degrees[end, default: 0] += 1 } }
    var nodes = graph.nodes.filter { !isPoint.contains($0.id) }
    if nodes.count > GraphDrawing.boxesMax {
      nodes.sort { (degrees[$1.id] ?? 0, $0.id) < (degrees[$0.id] ?? 0, $1.id) }
      missing = nodes.count - GraphDrawing.boxesMax
      nodes.removeLast(missing)
      nodes.sort { inByteOrder($0.id, $1.id) }
    }
    boxes = nodes.map { Self.box($0, points[$0.id] ?? []) }
    let places = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.id, $0) })
    for edge in edges {
      guard let from = places[edge.from], let to = places[edge.to], from != to else { continue }
      // The whole and what supplies it stand to the left of the part.
      let isTurned = edge.type == .partOf || edge.type == .suppliedBy || edge.type == .dependsOn
      lines.append(DrawingLine(edge: edge, boxes: isTurned ? [to, from] : [from, to], isTurned: isTurned))
    }
  }

  private static func box(_ node: GraphNode, _ points: [String]) -> DrawingBox {
    var box = DrawingBox(node: node)
    box.points = points.sorted(by: inByteOrder)
    if box.points.count > GraphDrawing.pointsMax {
      box.points =
        box.points.prefix(GraphDrawing.pointsMax - 1) + ["… and \(points.count - GraphDrawing.pointsMax + 1) more"]
    }
    let texts = [node.type.rawValue, node.id, node.name] + box.points
    box.width = max(110, 20 + letterWidth * (texts.map(\.count).max() ?? 0))
    box.height = 12 + lineHeight * (2 + (node.name.isEmpty ? 0 : 1) + box.points.count)
    return box
  }

  mutating func arrange() {
    turnCircles()
    assignColumns()
    splitLongLines()
    orderRows()
    place()
  }

  /// Turns every line that leads back to a node on the way to it.
  private mutating func turnCircles() {
    var next: [[Int]] = Array(repeating: [], count: boxes.count)
    for (index, line) in lines.enumerated() { next[line.boxes[0]].append(index) }
    // 0: not met, 1: on the way, 2: done.
    var states = [Int](repeating: 0, count: boxes.count)
    for start in boxes.indices where states[start] == 0 {
      var way = [(box: start, turn: 0)]
      states[start] = 1
      while let (box, turn) = way.last {
        guard turn < next[box].count else {
          states[box] = 2
          way.removeLast()
          continue
        }
        way[way.count - 1].turn += 1
        let index = next[box][turn]
        let other = lines[index].boxes[1]
        if states[other] == 1 {
          lines[index].boxes.reverse()
          lines[index].isTurned.toggle()
        } else if states[other] == 0 {
          states[other] = 1
          way.append((other, 0))
        }
      }
    }
  }

  /// The column of a box is the longest way to it; what nothing leads to moves next to what it leads to.
  private mutating func assignColumns() {
    var next: [[Int]] = Array(repeating: [], count: boxes.count)
    var waiting = [Int](repeating: 0, count: boxes.count)
    for line in lines {
      next[line.boxes[0]].append(line.boxes[1])
      waiting[line.boxes[1]] += 1
    }
    let isRoot = waiting.map { $0 == 0 }
    var ready = boxes.indices.filter { waiting[$0] == 0 }
    var done = 0
    while done < ready.count {
      let box = ready[done]
      done += 1
      for other in next[box] {
        boxes[other].column = max(boxes[other].column, boxes[box].column + 1)
        waiting[other] -= 1
        if waiting[other] == 0 { ready.append(other) }
      }
    }
    for box in boxes.indices where isRoot[box] {
      if let nearest = next[box].map({ boxes[$0].column }).min() { boxes[box].column = max(0, nearest - 1) }
    }
  }

  private mutating func splitLongLines() {
    for index in lines.indices {
      let (from, to) = (lines[index].boxes[0], lines[index].boxes[1])
      var passed: [Int] = []
      for column in boxes[from].column + 1..<max(boxes[from].column + 1, boxes[to].column) {
        passed.append(boxes.count)
        boxes.append(DrawingBox(node: nil, column: column, height: 4))
      }
      lines[index].boxes = [from] + passed + [to]
    }
    columns = Array(repeating: [], count: (boxes.map(\.column).max() ?? -1) + 1)
    for box in boxes.indices { columns[boxes[box].column].append(box) }
  }

  /// Boxes move to the mean row of what they are tied to, column by column, forth and back.
  private mutating func orderRows() {
    var before: [[Int]] = Array(repeating: [], count: boxes.count)
    var after = before
    for line in lines {
      for (a, b) in zip(line.boxes, line.boxes.dropFirst()) {
        after[a].append(b)
        before[b].append(a)
      }
    }
    var rows = [Double](repeating: 0, count: boxes.count)
    func number(_ column: [Int]) { for (row, box) in column.enumerated() { rows[box] = Double(row) } }
    for column in columns { number(column) }
    for sweep in 0..<Self.sweeps {
      let order = sweep % 2 == 0 ? Array(columns.indices) : columns.indices.reversed()
      for column in order {
        let ties = sweep % 2 == 0 ? before : after
        let wanted = columns[column].map { box in
          ties[box].isEmpty ? rows[box] : ties[box].reduce(0) { $0 + rows[$1] } / Double(ties[box].count)
        }
        // The old row decides between equals, so that the order is one.
        let sorted = columns[column].indices.sorted { (wanted[$0], $0) < (wanted[$1], $1) }
        columns[column] = sorted.map { columns[column][$0] }
        number(columns[column])
      }
    }
  }

  private mutating func place() {
    var x = Self.margin
    for column in columns {
      let wide = column.map { boxes[$0].width }.max() ?? 0
      for box in column {
        boxes[box].x = x
        boxes[box].width = boxes[box].node == nil ? wide : boxes[box].width
      }
      x += wide + Self.columnGap
    }
    width = max(x - Self.columnGap + Self.margin, 2 * Self.margin + 600)
    let heights = columns.map { column in column.reduce(0) { $0 + boxes[$1].height + Self.rowGap } }
    let tallest = heights.max() ?? 0
    for (column, tall) in zip(columns, heights) {
      var y = Self.margin + DrawingWriter.headHeight + (tallest - tall) / 2
      for box in column {
        boxes[box].y = y
        y += boxes[box].height + Self.rowGap
      }
    }
    height = Self.margin + DrawingWriter.headHeight + tallest + DrawingWriter.legendHeight + Self.margin
  }
}
