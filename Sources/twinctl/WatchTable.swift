import StatusAPI
import TwinCore

/// What `twinctl watch` shows on a terminal: the last value of each point, and how old it is. Pure.
struct WatchTable {
  struct Row: Equatable {
    var point: API.Point
    var at: Instant?
    /// Usual time between two values; nil until two have come.
    var periodS: Double?
    var isChanged = false
  }

  private(set) var rows: [Row]
  private var places: [String: Int]
  /// A stream with a hole in it says so until the next one.
  var gap: String?

  static let missedMax = 3.0

  init(_ points: [API.Point]) {
    rows = points.map { Row(point: $0, at: $0.value.at?.instant) }
    places = Dictionary(uniqueKeysWithValues: points.enumerated().map { ($1.id, $0) })
  }

  mutating func take(_ event: API.Event) {
    if event.kind == "gap" { gap = "gap: \(event.dropped ?? 0) events lost" }
    guard event.kind == "value", let id = event.point, let value = event.value, let place = places[id] else { return }
    let at = value.at?.instant ?? event.at.instant
    if let before = rows[place].at, at > before { rows[place].periodS = Double(at.nanoseconds(since: before)) / 1e9 }
    rows[place].isChanged = rows[place].point.value.value != value.value
    rows[place].point.value = value
    rows[place].at = at
  }

  /// A value that has missed three of its periods is replaced by its age.
  func lines(_ screen: Screen) -> [String] {
    let cells = rows.map { row in
      let age = row.at.map { Double(screen.now.nanoseconds(since: $0)) / 1e9 }
      let isLate = (age ?? 0) > Self.missedMax * max(row.periodS ?? .infinity, 1)
      let value = isLate ? "silent for \(Screen.span(age ?? 0))" : Screen.quantity(row.point.value)
      return [row.isChanged ? "*" : "", row.point.id, value, age.map(Screen.span) ?? "never read"]
    }
    let columns = [
      Screen.Column(title: " "), Screen.Column(title: "POINT"), Screen.Column(title: "VALUE", isRight: true),
      Screen.Column(title: "AGE", isRight: true),
    ]
    return [screen.timeOfDay + (gap.map { "  \($0)" } ?? "")] + screen.table(columns, cells)
  }
}
