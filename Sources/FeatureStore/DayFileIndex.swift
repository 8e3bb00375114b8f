import TwinCore

/// The bodies of a day file by kind and group, and within these by effective time and by tick.
struct DayFileIndex {
  private struct Subject: Hashable {
    var kind: BodyKind
    var group: Int32
  }

  /// Places in `entries`, sorted by where they begin, and beside each the furthest end up to it. As both rise, those
  /// that meet a range lie between two places that are found by halving.
  private struct Order {
    var places: [Int32] = []
    var starts: [Int64] = []
    var reaches: [Int64] = []

    mutating func insert(_ place: Int32, start: Int64, end: Int64, ends: (Int32) -> Int64) {
      let index = Self.first(starts.count) { starts[$0] > start }
      places.insert(place, at: index)
      starts.insert(start, at: index)
      reaches.insert(end, at: index)
      for later in index..<places.count {
        reaches[later] = max(later > 0 ? reaches[later - 1] : .min, ends(places[later]))
      }
    }

    func candidates(_ range: ClosedRange<Int64>) -> Range<Int> {
      let end = Self.first(starts.count) { starts[$0] > range.upperBound }
      let begin = Self.first(reaches.count) { reaches[$0] >= range.lowerBound }
      return min(begin, end)..<end
    }

    /// The first index from which on `isBehind` holds.
    private static func first(_ count: Int, _ isBehind: (Int) -> Bool) -> Int {
      var (low, high) = (0, count)
      while low < high {
        let middle = (low + high) / 2
        if isBehind(middle) { high = middle } else { low = middle + 1 }
      }
      return low
    }
  }

  private struct Run {
    var effective = Order()
    var ticks = Order()
  }

  /// In order of appending.
  private(set) var entries: [DayFile.Entry] = []
  private var runs: [Subject: Run] = [:]

  init() {}

  init(_ entries: [DayFile.Entry]) {
    self.entries = entries
    var members: [Subject: [Int32]] = [:]
    for (place, entry) in entries.enumerated() {
      members[Subject(kind: entry.key.kind, group: entry.key.group), default: []].append(Int32(place))
    }
    for (subject, places) in members {
      runs[subject] = Run(
        effective: Self.order(places, entries, start: \.effectiveMin, end: \.effectiveMax),
        ticks: Self.order(places, entries, start: \.tickFirst, end: \.tickLast))
    }
  }

  private static func order(
    _ places: [Int32], _ entries: [DayFile.Entry], start: KeyPath<BodyKey, Int64>, end: KeyPath<BodyKey, Int64>
  ) -> Order {
    let pairs = places.map { (start: entries[Int($0)].key[keyPath: start], place: $0) }.sorted { $0 < $1 }
    var order = Order(places: pairs.map(\.place), starts: pairs.map(\.start), reaches: [])
    order.reaches.reserveCapacity(pairs.count)
    var reach = Int64.min
    for pair in pairs {
      reach = max(reach, entries[Int(pair.place)].key[keyPath: end])
      order.reaches.append(reach)
    }
    return order
  }

  mutating func append(_ entry: DayFile.Entry) {
    let (key, place) = (entry.key, Int32(entries.count))
    entries.append(entry)
    let entries = entries
    let subject = Subject(kind: key.kind, group: key.group)
    runs[subject, default: Run()].effective.insert(place, start: key.effectiveMin, end: key.effectiveMax) {
      entries[Int($0)].key.effectiveMax
    }
    runs[subject, default: Run()].ticks.insert(place, start: key.tickFirst, end: key.tickLast) {
      entries[Int($0)].key.tickLast
    }
  }

  func entries(_ kind: BodyKind, group: Int32, effective range: ClosedRange<Int64>) -> [DayFile.Entry] {
    guard let order = runs[Subject(kind: kind, group: group)]?.effective else { return [] }
    return order.candidates(range).map { entries[Int(order.places[$0])] }
      .filter { $0.key.effectiveMax >= range.lowerBound }
  }

  func entries(_ kind: BodyKind, group: Int32, ticks range: ClosedRange<Int64>) -> [DayFile.Entry] {
    guard let order = runs[Subject(kind: kind, group: group)]?.ticks else { return [] }
    return order.candidates(range).map { entries[Int(order.places[$0])] }.filter { $0.key.tickLast >= range.lowerBound }
  }

  func groups(_ kind: BodyKind) -> [Int32] { runs.keys.filter { $0.kind == kind }.map(\.group).sorted() }
}
