import TwinCore

/// Statements about stretches of effective time, laid over one another in the order in which they were made: at each
/// instant the last one counts.
///
/// Costs n log n of the statements, once; what was said of an instant is then a binary search.
struct Strata {
  struct Stretch: Equatable {
    /// Nanoseconds, never empty.
    var range: Range<Int64>
    /// The place of the statement among those given.
    var statement: Int
  }

  /// Rising and apart; gaps where nothing was said.
  private(set) var stretches: [Stretch] = []

  init(_ ranges: [Range<Int64>]) {
    let starts = ranges.indices.filter { !ranges[$0].isEmpty }
      .sorted { (ranges[$0].lowerBound, $0) < (ranges[$1].lowerBound, $1) }
    var (open, next, position) = (Peak(), 0, Int64.min)
    while next < starts.count || !open.isEmpty {
      if open.isEmpty { position = ranges[starts[next]].lowerBound }
      while next < starts.count, ranges[starts[next]].lowerBound <= position {
        open.insert(starts[next])
        next += 1
      }
      while let top = open.first, ranges[top].upperBound <= position { open.removeFirst() }
      guard let top = open.first else { continue }
      let end =
        next < starts.count ? min(ranges[top].upperBound, ranges[starts[next]].lowerBound) : ranges[top].upperBound
      append(Stretch(range: position..<end, statement: top))
      position = end
    }
  }

  private mutating func append(_ stretch: Stretch) {
    if let last = stretches.last, last.statement == stretch.statement, last.range.upperBound == stretch.range.lowerBound
    {
      stretches[stretches.count - 1].range = last.range.lowerBound..<stretch.range.upperBound
    } else {
      stretches.append(stretch)
    }
  }

  /// The first stretch that ends after `instant`; `stretches.count` where there is none.
  func index(endingAfter instant: Int64) -> Int {
    var (low, high) = (0, stretches.count)
    while low < high {
      let middle = (low + high) / 2
      if stretches[middle].range.upperBound <= instant { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The statement that counts at `instant`; nil where nothing was said.
  func statement(at instant: Int64) -> Int? {
    let index = index(endingAfter: instant)
    guard index < stretches.count, stretches[index].range.contains(instant) else { return nil }
    return stretches[index].statement
  }
}

/// Numbers of which the largest is at hand: a binary heap.
private struct Peak {
  private var numbers: [Int] = []

  var isEmpty: Bool { numbers.isEmpty }
  var first: Int? { numbers.first }

  mutating func insert(_ number: Int) {
    var child = numbers.count
    numbers.append(number)
    while child > 0, numbers[(child - 1) / 2] < numbers[child] {
      numbers.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    numbers[0] = numbers[numbers.count - 1]
    numbers.removeLast()
    var parent = 0
    while 2 * parent + 1 < numbers.count {
      var child = 2 * parent + 1
      if child + 1 < numbers.count, numbers[child + 1] > numbers[child] { child += 1 }
      guard numbers[child] > numbers[parent] else { return }
      numbers.swapAt(parent, child)
      parent = child
    }
  }
}
